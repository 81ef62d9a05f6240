import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from codecsim.cli import run
from codecsim.codec.active_tools import ARITHMETIC_VERSION
from tests.cli.clips import FRAMES, HEIGHT, WIDTH

ENCODER_FIELDS = {"frames", "width", "height", "fps", "bit_depth", "config", "qp", "bits", "kbps", "psnr_y", "psnr_u",
                  "psnr_v", "seconds", "cpu_seconds", "encoder", "pictures"}  # fmt: skip
PICTURE_FIELDS = {"poc", "type", "qp", "bits", "psnr_y", "psnr_u", "psnr_v", "seconds", "picture_hash"}
LEARNED_FIELDS = {"filtered_share", "trained_steps", "reset", "accumulated_loss", "learner_hash"}


def run_json(arguments, capsys):
    assert run([*map(str, arguments), "--json", "--quiet"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return json.loads(captured.out)


@pytest.mark.parametrize("config, mode", [("ldp", "off"), ("ldp", "online"), ("ra", "off"), ("ra", "online")])
def test_encode_decode_info(clip, tmp_path, capsys, config, mode):
    stream, recon, decoded = (tmp_path / name for name in ("s.bin", "recon.y4m", "decoded.y4m"))
    encoded = run_json(["encode", clip, "-o", stream, "--config", config, "--filter", mode, "--recon", recon], capsys)
    assert encoded.keys() >= ENCODER_FIELDS
    assert (encoded["frames"], encoded["width"], encoded["height"], encoded["fps"]) == (FRAMES, WIDTH, HEIGHT, 25)
    assert (encoded["bit_depth"], encoded["config"], encoded["qp"]) == (8, config, 32)
    assert [picture["poc"] for picture in encoded["pictures"]] == ([0, 2, 1] if config == "ra" else [0, 1, 2])
    assert encoded["file_bits"] == stream.stat().st_size * 8 == encoded["bits"] + encoded["hash_bits"]
    for name in ("bits", "hash_bits"):
        assert encoded[name] == sum(picture[name] for picture in encoded["pictures"]) > 0
    for picture in encoded["pictures"]:
        learned = {"I": {"learner_hash"}}.get(picture["type"], LEARNED_FIELDS) if mode == "online" else set()
        assert picture.keys() >= PICTURE_FIELDS | learned
        assert sum(picture["parts"].values()) == picture["bits"]
    assert encoded["psnr_y"] == pytest.approx(np.mean([picture["psnr_y"] for picture in encoded["pictures"]]))
    assert encoded["encoder"]["options"]["filter"] == mode

    result = run_json(["decode", stream, "-o", decoded], capsys)
    assert decoded.read_bytes() == recon.read_bytes()
    for name in ("version", "frames", "bits", "hash_bits", "file_bits", "kbps"):
        assert result[name] == encoded[name]
    shared = ("poc", "type", "qp", "bits", "hash_bits", "parts")
    assert [[picture[name] for name in shared] for picture in result["pictures"]] == [
        [picture[name] for name in shared] for picture in encoded["pictures"]
    ]

    info = run_json(["info", stream], capsys)
    assert {fields["kind"] for fields in info["parameter_sets"]} == {"vps", "sps", "pps"}
    assert (info["learned"] is None) == (mode == "off")
    assert sum(info["parts"].values()) == info["bits"]
    assert run(["info", str(stream), "--quiet"]) == 0
    assert "residual" in capsys.readouterr().out


@pytest.mark.parametrize("mode", ["off", "online"])
def test_bit_depths(clip, tmp_path, capsys, mode):
    stream, recon = tmp_path / "s.bin", tmp_path / "recon.yuv"
    options = ["--filter", mode, "--set", "hevc.internal_bit_depth=10", "--recon", recon]
    encoded = run_json(["encode", clip, "-o", stream, *options], capsys)
    assert encoded["bit_depth"] == 10
    samples = np.fromfile(recon, "<u2")
    assert samples.size == FRAMES * WIDTH * HEIGHT * 3 // 2
    written = {}
    for depth in ([], ["--bit-depth", 8], ["--bit-depth", 10]):
        decoded = tmp_path / "decoded.yuv"
        assert run_json(["decode", stream, "-o", decoded, *depth], capsys)["bit_depth"] == 10
        written[depth[-1] if depth else None] = decoded.read_bytes()
    assert written[None] == written[10] == recon.read_bytes()
    assert written[8] == np.minimum((samples + 2) // 4, 255).astype(np.uint8).tobytes()

    again = ["--filter", mode, "--size", f"{WIDTH}x{HEIGHT}", "--fps", 25, "--bit-depth", 10]
    assert run_json(["encode", recon, "-o", stream, *again], capsys)["bit_depth"] == 10
    eight = run_json(
        ["encode", recon, "-o", stream, *again, "--set", "hevc.internal_bit_depth=8", "--recon", decoded], capsys
    )
    assert eight["bit_depth"] == 8
    assert decoded.stat().st_size == samples.size
    eight_bits = np.fromfile(decoded, np.uint8)
    run_json(["decode", stream, "-o", decoded, "--bit-depth", 10], capsys)
    np.testing.assert_array_equal(np.fromfile(decoded, "<u2"), 4 * eight_bits.astype(np.uint16))


def test_overlapped_motion_compensation_is_told(clip, tmp_path, capsys):
    stream = tmp_path / "s.bin"
    encoded = run_json(["encode", clip, "-o", stream, "--filter", "off", "--obmc"], capsys)
    assert encoded["encoder"]["options"]["obmc"] is True
    info = run_json(["info", stream], capsys)
    assert info["learned"] == {"arithmetic_version": ARITHMETIC_VERSION, "tools": {"overlap": {}}}
    (sps,) = (fields for fields in info["parameter_sets"] if fields["kind"] == "sps")
    assert sps["profile_idc"] == 30
    shares = [[picture.get("overlapped_share") for picture in found["pictures"]] for found in (encoded, info)]
    assert shares[0] == shares[1] and shares[0][0] is None and all(0 <= share <= 1 for share in shares[0][1:])
    assert run(["info", str(stream), "--quiet"]) == 0
    assert "overlap: overlapped motion compensation" in capsys.readouterr().out


def test_results_can_be_compared(clip, tmp_path, capsys):
    files = []
    for qp in (22, 27, 32, 37):
        result = run_json(["encode", clip, "-o", tmp_path / "s", "--filter", "off", "--qp", qp], capsys)
        files.append(tmp_path / f"{qp}.json")
        files[-1].write_text(json.dumps(result))
    names = [str(path) for path in files]
    assert run(["compare", *names, "--test", *names, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["clips"]
    assert row["bd_rate"] == pytest.approx({"y": 0, "u": 0, "v": 0})
    assert run(["compare", *names, "--test", *names]) == 0
    assert "+0.00 %" in capsys.readouterr().out
    assert run(["compare", *names, "--test", *names, "--metric", "vmaf"]) == 1
    assert capsys.readouterr().err == (
        "codecsim: error: clip.y4m: a result has no 'vmaf'; encode with --metrics vmaf\n"
    )


def test_comparing_several_clips_says_how_sure_the_mean_is(clip, tmp_path, capsys):
    point = run_json(["encode", clip, "-o", tmp_path / "s", "--filter", "off"], capsys)
    names = {"anchor": [], "test": []}
    for side, rates in (("anchor", (1, 1, 1)), ("test", (0.9, 0.8, 0.7))):
        for number, rate in enumerate(rates):
            for step in range(4):
                changed = {"input": f"{number}.y4m", "pictures": [], "bits": int(rate * 8000 * 2**step)}
                changed |= {f"psnr_{plane}": 30 + 3 * step for plane in "yuv"}
                names[side].append(str(tmp_path / f"{side}{number}{step}.json"))
                (tmp_path / names[side][-1]).write_text(json.dumps(point | changed))
    assert run(["compare", *names["anchor"], "--test", *names["test"], "--confidence", "90"]) == 0
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "│ mean │ -20.00 % │" in rows[-4]
    assert rows[-3].startswith("│ 90 % from │ -26.67 % │ -26.67 %")
    assert rows[-2].startswith("│ to │ -13.33 % │")


def test_pipes_and_raw_samples(clip, tmp_path):
    raw = tmp_path / "clip.yuv"
    raw.write_bytes(b"".join(clip.read_bytes().split(b"FRAME\n")[1:]))
    command = [sys.executable, "-m", "codecsim"]
    options = ["-o", "-", "--filter", "off", "--quiet"]
    from_pipe = subprocess.run(
        [*command, "encode", "-", *options], input=clip.read_bytes(), capture_output=True, check=True
    )
    size = ["--size", f"{WIDTH}x{HEIGHT}", "--fps", "25"]
    from_raw = subprocess.run([*command, "encode", str(raw), *size, *options], capture_output=True, check=True)
    assert from_pipe.stdout == from_raw.stdout
    assert from_pipe.stderr == b""
    decoded = subprocess.run(
        [*command, "decode", "-", "-o", "-"], input=from_pipe.stdout, capture_output=True, check=True
    )
    assert decoded.stdout.startswith(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F25:1 ".encode())
    assert decoded.stdout.count(b"FRAME\n") == FRAMES
    assert decoded.stderr.startswith(b"codecsim: decode: ")


@pytest.mark.parametrize("content", [b"", b"junk", bytes(1000), b"\0\0\1" * 50, b"YUV4MPEG2 W4 H4 F1:1\n"])
@pytest.mark.parametrize("command", ["encode", "decode", "info"])
def test_junk_is_status_1_and_one_line(tmp_path, capsys, command, content):
    path, output = tmp_path / "junk.bin", tmp_path / "out"
    path.write_bytes(content)
    assert run([command, str(path), "--quiet", *(["-o", str(output)] if command != "info" else [])]) == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("codecsim: error: ")
    assert captured.err.count("\n") == 1
    assert os.listdir(tmp_path) == ["junk.bin"]


def test_cut_and_flipped_streams(clip, tmp_path, capsys):
    stream, output = tmp_path / "s.bin", tmp_path / "out.y4m"
    run_json(["encode", clip, "-o", stream], capsys)
    data = stream.read_bytes()
    for damaged in (data[:-20], data[: len(data) // 2], data[:-30] + bytes([data[-30] ^ 16]) + data[-29:]):
        stream.write_bytes(damaged)
        assert run(["decode", str(stream), "-o", str(output), "--quiet"]) == 1
        assert capsys.readouterr().err.count("\n") == 1
        assert not output.exists()
    stream.write_bytes(data[:-20])
    assert run(["decode", str(stream), "-o", str(output), "--quiet", "--keep-partial"]) == 1
    assert output.read_bytes().count(b"FRAME\n") == FRAMES - 1


def test_outputs_that_cannot_be_written(clip, tmp_path, capsys):
    for output in (tmp_path, tmp_path / "no" / "folder"):
        assert run(["encode", str(clip), "-o", str(output), "--quiet"]) == 1
        assert "codecsim: error: " in capsys.readouterr().err
    same = str(tmp_path / "same")
    assert run(["encode", str(clip), "-o", same, "--recon", same, "--quiet"]) == 2
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_runs_leave_nothing(tmp_path, number):
    output = tmp_path / "out.bin"
    process = subprocess.Popen(
        [sys.executable, "-m", "codecsim", "encode", "-", "-o", str(output)],
        stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # where the tests run in the background
    )  # fmt: skip
    process.stdin.write(b"YUV4MPEG2 W16 H16 F25:1\n")
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while not os.listdir(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert os.listdir(tmp_path) != []
    process.send_signal(number)
    assert process.wait(timeout=60) == 130  # before the input ends
    errors = process.communicate()[1].splitlines()[-1]
    assert errors == b"codecsim: error: interrupted"
    assert os.listdir(tmp_path) == []


def test_an_interruption_that_a_callback_loses(tmp_path):
    """It comes while a compiler calls back, and what the compiler then misses is said to be an interruption."""
    script = tmp_path / "interrupted.py"
    script.write_text("""
import ctypes, os, signal
from codecsim import cli

@ctypes.CFUNCTYPE(None)
def call_back():
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(1000):
        pass

def fail(arguments):
    call_back()
    raise RuntimeError("no compiled object yet")

cli._run = fail
cli.main()
""")
    found = subprocess.run([sys.executable, script], capture_output=True, timeout=60)
    assert (found.returncode, found.stderr) == (130, b"codecsim: error: interrupted\n")


def test_an_interruption_that_is_lost_comes_again(tmp_path):
    script = tmp_path / "interrupted.py"
    script.write_text("""
import ctypes, os, signal, time
from codecsim import cli

@ctypes.CFUNCTYPE(None)
def call_back():
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(1000):
        pass

def go_on(arguments):
    call_back()
    for _ in range(600):
        time.sleep(0.1)

cli._run = go_on
cli.main()
""")
    started = time.monotonic()
    found = subprocess.run([sys.executable, script], capture_output=True, timeout=60)
    assert (found.returncode, found.stderr) == (130, b"codecsim: error: interrupted\n")
    assert time.monotonic() - started < 30


def test_demo(capsys):
    assert run(["demo", "--frames", "2", "--qp", "37", "--quiet"]) == 0
    text = capsys.readouterr().out
    assert "online" in text
    assert "every hash was right" in text
