"""Encoding and decoding from a program: round trips, results, refusals, and equality with the command line."""

import io
import json

import numpy as np
import pytest

import codecsim
from codecsim.cli import run
from codecsim.errors import BitstreamError, FormatError
from tests.api.clips import video


@pytest.mark.parametrize("config", ["ai", "ldp", "ldb", "ra"])
@pytest.mark.parametrize("depth", [8, 10])
def test_round_trip(config, depth):
    made = video(depth=depth, count=4)
    encoded = codecsim.encode(made, config=config, qp=27, preset="fast")
    decoded = codecsim.decode(encoded.data)
    for wanted, found in zip(encoded.recon.to_arrays(), decoded.video.to_arrays(), strict=True):
        np.testing.assert_array_equal(wanted, found)
    assert encoded.decodable and encoded.psnr.y > 30
    assert encoded.recon.format == decoded.video.format == made.format
    assert encoded.bits == sum(report.bits for report in encoded.pictures)
    assert [report.poc for report in encoded.pictures] == [report.poc for report in decoded.pictures]
    assert [report.bits for report in encoded.pictures] == [report.bits for report in decoded.pictures]


def test_sources(tmp_path):
    encoded = codecsim.encode(video(count=2), preset="fast", tools={"inter_luma": "off"})
    path = tmp_path / "clip.bin"
    encoded.save(path)
    for source in (encoded, encoded.data, bytearray(encoded.data), memoryview(encoded.data), path, str(path)):
        assert len(codecsim.decode(source).pictures) == 2
    with open(path, "rb") as file:
        assert len(codecsim.decode(file).pictures) == 2
    for source in (None, 7, ["a"], io.StringIO("text")):
        with pytest.raises(codecsim.ConfigError, match="a stream is"):
            codecsim.decode(source)
    with pytest.raises(FormatError, match="cannot be read"):
        codecsim.decode(tmp_path / "none.bin")
    with pytest.raises(BitstreamError):
        codecsim.decode(encoded.data[: len(encoded.data) // 2])


def test_files_hold_the_same(tmp_path):
    made, seen = video(), []
    kept = codecsim.encode(made, preset="fast", on_picture=seen.append)
    files = codecsim.encode(made, preset="fast", output=tmp_path / "a.bin", recon=tmp_path / "a.y4m")
    assert [report.poc for report in seen] == [report.poc for report in kept.pictures]
    assert files.data == kept.data == (tmp_path / "a.bin").read_bytes()
    assert files.recon is None
    written = codecsim.read_video(tmp_path / "a.y4m").to_arrays()
    np.testing.assert_array_equal(written[0], kept.recon.to_arrays()[0])
    assert codecsim.encode(made, preset="fast", recon=False).recon is None
    decoded = codecsim.decode(kept, output=tmp_path / "b.y4m", video=False, bit_depth=10)
    assert decoded.video is None and codecsim.read_video(tmp_path / "b.y4m").format.bit_depth == 10
    assert codecsim.decode(kept, bit_depth=10).video.frames[0].y.dtype == np.uint16


def test_of_a_file(tmp_path):
    """A file is read picture by picture, and may be read again."""
    made = video()
    made.save(tmp_path / "clip.y4m")
    read = codecsim.read_video(tmp_path / "clip.y4m")
    streams = [codecsim.encode(source, preset="fast", frames=3).data for source in (made, read, read)]
    assert streams[0] == streams[1] == streams[2]


SAME = [
    ([], {}),
    (["--config", "ra", "--preset", "medium", "-q", "27"], {"config": "ra", "preset": "medium", "qp": 27}),
    (["--filter", "off", "--obmc"], {"tools": {"inter_luma": "off", "overlap": "on"}}),
    (
        ["--chroma-filter", "online", "--intra-filter", "frozen", "--loop-filter", "on", "--frames", "3"],
        {"tools": {"inter_chroma": "online", "intra": "frozen", "loop": "on"}, "frames": 3},
    ),
    (["--hash", "crc", "--intra-period", "2"], {"hash": "crc", "intra_period": 2}),
    (
        ["--set", "inter_luma.learning_rate=0.001", "--set", "search.rings=3", "--set", "hevc.adaptive_qp=4"],
        {"settings": {"inter_luma.learning_rate": 1e-3, "search.rings": 3, "hevc.adaptive_qp": 4}},
    ),
    (["--model", "prediction-luma-large"], {"settings": {"inter_luma.model": "prediction-luma-large"}}),
]


@pytest.mark.parametrize(("words", "options"), SAME, ids=lambda value: " ".join(value) if value else None)
def test_equals_the_command_line(words, options, tmp_path, capsys):
    clip, stream = tmp_path / "clip.y4m", tmp_path / "clip.bin"
    video().save(clip)
    command = ["encode", str(clip), "-o", str(stream), "--preset", "fast", "--json", "--quiet", *words]
    assert run(command) == 0
    result = json.loads(capsys.readouterr().out)
    encoded = codecsim.encode(codecsim.read_video(clip), **{"preset": "fast", **options})
    assert encoded.data == stream.read_bytes()
    assert _timeless(encoded.result) == _timeless(result)
    assert run(["decode", str(stream), "--json", "--quiet"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert _timeless(codecsim.decode(stream).result) == _timeless(result)


def _timeless(value):
    """A result without what differs from run to run."""
    if isinstance(value, dict):
        return {name: _timeless(found) for name, found in value.items() if "seconds" not in name}
    return [_timeless(found) for found in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"qp": 52}, "qp is"),
        ({"qp": 27.5}, "qp is"),
        ({"config": "lowdelay"}, "lowdelay"),
        ({"preset": "placebo"}, "placebo"),
        ({"tools": {"deblocking": "off"}}, "deblocking"),
        ({"tools": {"inter_luma": "sometimes"}}, "sometimes"),
        ({"tools": "online"}, "tools"),
        ({"settings": {"inter_luma.learning_rat": 1}}, "learning_rat"),
        ({"settings": {"learning_rate": 1}}, "learning_rate"),
        ({"settings": {"search.rings": 99}}, "99"),
        ({"settings": [("search.rings", 2)]}, "settings"),
        ({"metrics": ["beauty"]}, "beauty"),
        ({"metrics": "ssim,beauty"}, "beauty"),
        ({"frames": 0}, "frames is 0"),
        ({"threads": 0}, "threads is 0"),
        ({"config": "ra", "intra_period": 3}, "multiple of 8"),
        ({"config": None}, "config is None"),
        ({"tools": {"inter_luma": True}}, "tool inter_luma is True; expected one of off, frozen, online"),
        ({"tools": {"overlap": "online"}}, "tool overlap is 'online'; expected one of off, on"),
        ({"tools": {"loop": False}}, "tool loop is False; expected one of off, on, or the name"),
        ({"tools": {"loop": "nowhere"}}, "no model 'nowhere'"),
        ({"settings": {"inter_luma.learning_rate": float("nan")}}, "inter_luma.learning_rate is nan"),
        ({"recon": 3}, "recon is 3"),
    ],
)
def test_settings_that_are_refused(options, message):
    with pytest.raises(codecsim.ConfigError, match=message) as error:
        codecsim.encode(video(count=1), **options)
    assert "\n" not in str(error.value)


def test_only_videos_are_encoded():
    for wrong in ("clip.y4m", np.zeros((2, 16, 16), np.uint8), None):
        with pytest.raises(codecsim.ConfigError, match="in place of a Video"):
            codecsim.encode(wrong)


def test_other_bit_depths_are_refused():
    with pytest.raises(codecsim.ConfigError, match="bit_depth is 9; expected one of 8, 10"):
        codecsim.decode(codecsim.encode(video(count=1), preset="fast"), bit_depth=9)


def test_any_arrays():
    """Views, arrays that cannot be written to, the smallest pictures."""
    planes = [plane[:, ::-1, ::-1] for plane in video(count=2).to_arrays()]
    for plane in planes:
        plane.flags.writeable = False
    for made in (codecsim.Video.from_arrays(*planes), codecsim.Video.from_arrays(np.zeros((2, 2, 2), np.uint8))):
        encoded = codecsim.encode(made, preset="fast")
        found = codecsim.decode(encoded).video.to_arrays()
        assert all(np.array_equal(a, b) for a, b in zip(found, encoded.recon.to_arrays(), strict=True))


def test_simulations_have_no_stream(tmp_path):
    encoded = codecsim.encode(video(), preset="fast", oracle="original")
    assert not encoded.decodable and encoded.bits > 0 and "simulation" in repr(encoded)
    for use in (lambda: encoded.data, lambda: encoded.save(tmp_path / "x"), lambda: codecsim.decode(encoded)):
        with pytest.raises(codecsim.ConfigError, match="no decoder can follow"):
            use()
