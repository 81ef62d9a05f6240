"""Quality of coded videos: of which picture, at which depth, with which ffmpeg."""

import json
import shutil
import stat
import sys

import cv2
import numpy as np
import pytest

from codecsim.cli import run
from codecsim.codec.config import EncoderConfig
from codecsim.errors import CodecError, ConfigError
from codecsim.experiments import vmaf
from codecsim.experiments.quality import QualityMeter, measure_videos
from codecsim.experiments.runs import encode_video
from codecsim.formats.video import create_video, open_video
from codecsim.picture.planes import change_bit_depth
from codecsim.picture.similarity import ms_ssim, ssim
from tests.conformance.clips import make_clip

FIGURES = {f"{name}_{plane}" for name in ("ssim", "ms_ssim") for plane in "yuv"}


def write_clip(path, width=48, height=34, count=9, bit_depth=8):
    video_format, frames = make_clip("texture", width, height, count)
    with create_video(path, video_format) as write:
        for frame in frames:
            write(frame)
    return list(frames)


def without_times(value):
    """A result without what differs from run to run."""
    if isinstance(value, dict):
        return {name: without_times(found) for name, found in value.items() if "seconds" not in name}
    return [without_times(found) for found in value] if isinstance(value, list) else value


@pytest.mark.parametrize("config", ["ldp", "ra"])
def test_each_picture_is_measured_against_its_own_original(config, tmp_path):
    source, recon = tmp_path / "in.y4m", tmp_path / "recon.y4m"
    frames = write_clip(source)
    settings = EncoderConfig(config, 32, filter="off", preset="fast", settings={"hevc": {"internal_bit_depth": 10}})
    with open_video(source) as video:
        plain = encode_video(video, settings, tmp_path / "plain.bin")
    with open_video(source) as video:
        result = encode_video(video, settings, tmp_path / "s.bin", recon, metrics=["ssim", "ms-ssim"])
    assert (tmp_path / "s.bin").read_bytes() == (tmp_path / "plain.bin").read_bytes()
    with open_video(recon) as video:
        coded = list(video.frames)
    for picture in result["pictures"]:
        original, decoded = change_bit_depth(frames[picture["poc"]], 8, 10), coded[picture["poc"]]
        for plane in "yuv":
            pair = getattr(original, plane), getattr(decoded, plane)
            assert picture[f"ssim_{plane}"] == ssim(*pair, 10)
            assert picture[f"ms_ssim_{plane}"] == ms_ssim(*pair, 10)
    for name in FIGURES:
        assert result[name] == pytest.approx(np.mean([picture[name] for picture in result["pictures"]]))
        assert 0 < result[name] < 1
    for holder in (result, *result["pictures"]):
        for name in FIGURES:
            del holder[name]
    assert without_times(result) == without_times(plain)


def test_two_videos_are_compared_as_the_encoder_does(tmp_path, capsys):
    source, recon = tmp_path / "in.y4m", tmp_path / "recon.y4m"
    write_clip(source, count=3)
    options = ["-o", str(tmp_path / "s.bin"), "--filter", "off", "--recon", str(recon), "--quiet", "--json"]
    assert run(["encode", str(source), *options, "--metrics", "ms-ssim,ssim"]) == 0
    encoded = json.loads(capsys.readouterr().out)
    assert run(["metrics", str(source), str(recon), "--quiet", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for name in FIGURES | {"psnr_y", "psnr_u", "psnr_v"}:
        assert found[name] == pytest.approx(encoded[name], abs=1e-12)
        assert [p[name] for p in found["pictures"]] == [p[name] for p in encoded["pictures"]]
    assert run(["metrics", str(source), str(recon), "--quiet", "--frames", "2", "--metrics", "ssim"]) == 0
    text = capsys.readouterr().out
    assert "2 pictures" in text and "SSIM" in text and "PSNR" not in text


def test_depths_may_differ(tmp_path):
    frames = write_clip(tmp_path / "8.y4m", count=2)
    video_format, _ = make_clip("texture", 48, 34, 1)
    with open_video(tmp_path / "8.y4m") as video:
        ten = video.format.__class__(48, 34, video.format.fps, 10)
    with create_video(tmp_path / "10.y4m", ten) as write:
        for frame in frames:
            write(change_bit_depth(frame, 8, 10))
    for paths in (("8.y4m", "10.y4m"), ("10.y4m", "8.y4m")):
        with open_video(tmp_path / paths[0]) as first, open_video(tmp_path / paths[1]) as second:
            result = measure_videos(first, second, ["psnr", "ssim"])
        assert (result["psnr_y"], result["ssim_y"]) == (100, 1)


def test_chroma_too_small_for_the_window_has_no_figure(tmp_path):
    write_clip(tmp_path / "a.y4m", 34, 18, 2)
    with open_video(tmp_path / "a.y4m") as first, open_video(tmp_path / "a.y4m") as second:
        result = measure_videos(first, second, ["psnr", "ssim"])
    assert result.keys() >= {"psnr_u", "ssim_y"}
    assert not result.keys() & {"ssim_u", "ssim_v"}


def test_videos_that_do_not_match(tmp_path, capsys):
    write_clip(tmp_path / "a.y4m", count=3)
    write_clip(tmp_path / "short.y4m", count=2)
    write_clip(tmp_path / "small.y4m", 32, 32, 3)
    write_clip(tmp_path / "tiny.y4m", 16, 8, 3)
    for first, second, words in (
        ("a", "short", "short.y4m: ends after 2 pictures"),
        ("short", "a", "short.y4m: ends after 2 pictures"),
        ("a", "small", "pictures of 32x32"),
        ("tiny", "tiny", "pictures of 16x8 are too small"),
    ):
        assert run(["metrics", *(str(tmp_path / f"{name}.y4m") for name in (first, second)), "--quiet"]) in (1, 2)
        captured = capsys.readouterr()
        assert words in captured.err and captured.err.count("\n") == 1 and captured.out == ""
    assert run(["encode", str(tmp_path / "a.y4m"), "-o", str(tmp_path / "s"), "--metrics", "ssim,psnr"]) == 2
    assert "'psnr' is no metric, expected some of ssim, ms-ssim, vmaf" in capsys.readouterr().err
    with open_video(tmp_path / "a.y4m") as video, pytest.raises(ConfigError, match="unknown metric 'xyz'"):
        QualityMeter(["xyz"], video.format)


def scripted(folder, name, filters, scores=()):
    """An executable that lists filters and, asked to filter, writes scores as libvmaf does, and its arguments."""
    path = folder / name
    path.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        f"if '-filters' in sys.argv:\n    print({filters!r}); raise SystemExit\n"
        f"json.dump(sys.argv[1:], open({str(folder / 'arguments.json')!r}, 'w'))\n"
        f"scores = {list(scores)!r}\nif not scores:\n    sys.exit('no room: \\nmore')\n"
        "log = {'frames': [{'frameNum': k, 'metrics': {'vmaf': s}} for k, s in enumerate(scores)]}\n"
        "json.dump(log, open('vmaf.json', 'w'))\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def no_package(monkeypatch):
    """As if imageio-ffmpeg were not installed."""
    monkeypatch.setattr(vmaf, "_packaged_ffmpeg", lambda: None)


def test_vmaf_without_libvmaf_is_one_clear_line(tmp_path, monkeypatch, capsys, no_package):
    write_clip(tmp_path / "a.y4m", count=2)
    encode = ["encode", str(tmp_path / "a.y4m"), "-o", str(tmp_path / "s"), "--quiet", "--metrics", "vmaf"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(encode) == 2
    assert capsys.readouterr().err == (
        "codecsim: error: vmaf needs an ffmpeg with libvmaf: there is none; pip install '.[vmaf]' brings one\n"
    )
    scripted(tmp_path, "ffmpeg", " ... vmafmotion  V->V  Calculate the VMAF Motion score.")
    assert run(encode) == 2
    assert f"libvmaf: {tmp_path}/ffmpeg cannot; pip install" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_vmaf_is_read_in_output_order(tmp_path, monkeypatch, no_package):
    source = tmp_path / "in.y4m"
    write_clip(source, count=4)
    scripted(tmp_path, "ffmpeg", " ... libvmaf   VV->V  Calculate the VMAF.", [10, 20, 30, 40])
    monkeypatch.setenv("PATH", str(tmp_path))
    with open_video(source) as video:
        result = encode_video(video, EncoderConfig("ra", filter="off", preset="fast"), tmp_path / "s", metrics=["vmaf"])
    assert [(p["poc"], p["vmaf"]) for p in result["pictures"]] == [(0, 10), (2, 30), (1, 20), (3, 40)]
    assert result["vmaf"] == 25
    arguments = json.loads((tmp_path / "arguments.json").read_text())
    inputs = [arguments[k + 1] for k, word in enumerate(arguments) if word == "-i"]
    assert [name.rpartition("/")[2] for name in inputs] == ["coded.y4m", "reference.y4m"]
    assert not any(shutil.os.path.exists(name) for name in inputs)


def test_vmaf_that_fails_says_why(tmp_path, monkeypatch, no_package):
    write_clip(tmp_path / "a.y4m", count=2)
    scripted(tmp_path, "ffmpeg", " ... libvmaf   VV->V  Calculate the VMAF.")
    monkeypatch.setenv("PATH", str(tmp_path))
    with (
        open_video(tmp_path / "a.y4m") as first,
        open_video(tmp_path / "a.y4m") as second,
        pytest.raises(CodecError, match="could not compute VMAF: no room:"),
    ):
        measure_videos(first, second, ["vmaf"])


def test_real_vmaf(tmp_path):
    try:
        vmaf.find_ffmpeg()
    except ConfigError as error:
        pytest.skip(str(error))
    frames = write_clip(tmp_path / "a.y4m", 176, 144, 3)
    with open_video(tmp_path / "a.y4m") as video, create_video(tmp_path / "blurred.y4m", video.format) as write:
        for frame in frames:
            write(frame._replace(y=cv2.blur(frame.y, (9, 9))))
    scores = {}
    for name in ("a", "blurred"):
        with open_video(tmp_path / "a.y4m") as first, open_video(tmp_path / f"{name}.y4m") as second:
            result = measure_videos(first, second, ["vmaf"])
        scores[name] = [picture["vmaf"] for picture in result["pictures"]]
        assert result["vmaf"] == pytest.approx(np.mean(scores[name]))
    assert len(scores["a"]) == 3 and min(scores["a"]) > 95
    assert 0 <= max(scores["blurred"]) < 75
