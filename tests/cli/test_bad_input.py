"""Whatever is given, one clear line, status 1 or 2, no output file, and files that were there stay as they were."""

import subprocess
import sys

import av
import numpy as np
import pytest

from codecsim.cli import run

PICTURE = bytes(32 * 16 * 3 // 2)


def y4m(parameters, data=b"FRAME\n" + PICTURE):
    return b"YUV4MPEG2 " + parameters + b"\n" + data


INPUTS = {
    "empty.y4m": b"",
    "no_end_of_header.y4m": b"YUV4MPEG2 W32 H16",
    "odd.y4m": y4m(b"W33 H16 F25:1"),
    "no_samples.y4m": y4m(b"W0 H16 F25:1"),
    "negative.y4m": y4m(b"W-2 H16 F25:1"),
    "huge.y4m": y4m(b"W99998 H99998 F25:1"),
    "no_rate.y4m": y4m(b"W32 H16 F0:0"),
    "422.y4m": y4m(b"W32 H16 F25:1 C422"),
    "12_bits.y4m": y4m(b"W32 H16 F25:1 C420p12"),
    "half_of_10_bits.y4m": y4m(b"W32 H16 F25:1 C420p10"),
    "big_endian.y4m": y4m(b"W32 H16 F25:1 C420p10", b"FRAME\n" + b"\2\xff" * len(PICTURE)),
    "no_picture.y4m": y4m(b"W32 H16 F25:1", b""),
    "cut.y4m": y4m(b"W32 H16 F25:1", b"FRAME\n" + PICTURE[:-1]),
    "no_frame_line.y4m": y4m(b"W32 H16 F25:1", PICTURE),
    "junk.mp4": b"junk" * 100,
    "cut.mkv": bytes.fromhex("1a45dfa3") + bytes(100),
    "no_size.yuv": PICTURE,
}


def refused(arguments, folder, capsys, status=(1, 2)):
    """Run; returns the one line of the message."""
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert run([*map(str, arguments), "--quiet"]) in status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("codecsim: error: ")
    assert captured.err.count("\n") == 1
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    return captured.err


@pytest.mark.parametrize("name", INPUTS)
def test_inputs(tmp_path, capsys, name):
    path = tmp_path / name
    path.write_bytes(INPUTS[name])
    assert name in refused(["encode", path, "-o", tmp_path / "out"], tmp_path, capsys)


@pytest.mark.parametrize(("pixels", "size"), [("yuv422p", (32, 16)), ("yuv420p", (33, 16)), ("yuv420p12le", (32, 16))])
def test_containers(tmp_path, capsys, pixels, size):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25, width=size[0], height=size[1], pix_fmt=pixels)
        picture = av.VideoFrame.from_ndarray(np.zeros((size[1], size[0], 3), np.uint8), format="rgb24")
        container.mux([*stream.encode(picture), *stream.encode()])
    assert "clip.mkv" in refused(["encode", path, "-o", tmp_path / "out"], tmp_path, capsys)


@pytest.mark.parametrize(
    "options",
    [
        ["--size", "32x14", "--fps", "25"],
        ["--size", "32x16"],
        ["--fps", "25"],
        ["--size", "32x16", "--fps", "0"],
        ["--size", "24x16", "--fps", "25", "--bit-depth", "10"],
    ],
)
def test_raw_samples(tmp_path, capsys, options):
    path = tmp_path / "clip.yuv"
    path.write_bytes(PICTURE)
    refused(["encode", path, "-o", tmp_path / "out", *options], tmp_path, capsys)


@pytest.mark.parametrize(
    "options",
    [
        ["--model", "nonsense"],
        ["--model", "/no/such/weights"],
        ["--set", "inter_luma.channels"],
        ["--set", "inter_luma.channels=9"],
        ["--set", "inter_luma.patience=1"],
        ["--set", "search.amp"],
        ["--set", "search.amp=maybe"],
        ["--set", "search.merge_rd=6"],
        ["--set", "search.patience=1"],
        ["--set", "inter_luma.threshold_q8=1e9"],
        ["--loop-filter", "nonsense"],
    ],
)
def test_settings(clip, tmp_path, capsys, options):
    refused(["encode", clip, "-o", tmp_path / "out", *options], tmp_path, capsys, status=(2,))


def test_outputs(clip, tmp_path, capsys):
    (tmp_path / "folder").mkdir()
    own = tmp_path / "own.y4m"
    own.write_bytes(clip.read_bytes())
    for output in ("", tmp_path / "folder", tmp_path / "no" / "folder", "/dev/full", own):
        refused(["encode", own, "-o", output, "--filter", "off"], tmp_path, capsys)
    for recon in (own, tmp_path / "out"):
        refused(["encode", own, "-o", tmp_path / "out", "--recon", recon], tmp_path, capsys)
    stream = tmp_path / "stream.bin"
    assert run(["encode", str(own), "-o", str(stream), "--filter", "off", "--quiet"]) == 0
    capsys.readouterr()
    for output in ("", tmp_path / "folder", "/dev/full", stream):
        refused(["decode", stream, "-o", output], tmp_path, capsys)


def test_standard_output_that_is_full(clip):
    for options in (["-o", "-"], ["-o", "/dev/null", "--json"]):
        command = [sys.executable, "-m", "codecsim", "encode", clip, "--filter", "off", "--quiet", *options]
        with open("/dev/full", "wb") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 1
        assert done.stderr.startswith("codecsim: error: ")
        assert done.stderr.count("\n") == 1
