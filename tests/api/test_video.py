"""Videos of arrays and files: what is taken, what is refused, what comes back."""

import fractions

import numpy as np
import pytest

import codecsim
from codecsim.errors import FormatError
from tests.api.clips import moving_waves, video


@pytest.mark.parametrize("depth", [8, 10])
def test_arrays_come_back(depth):
    planes = moving_waves(depth=depth)
    made = codecsim.Video.from_arrays(*planes, fps="30000/1001")
    assert made.format.bit_depth == depth and made.format.fps == fractions.Fraction(30000, 1001)
    assert (made.format.width, made.format.height, len(made)) == (72, 56, 4)
    for given, found in zip(planes, made.to_arrays(), strict=True):
        np.testing.assert_array_equal(given, found)
        assert given.dtype == found.dtype


def test_chroma_is_grey_if_not_given():
    for depth, grey in ((8, 128), (10, 512)):
        made = codecsim.Video.from_arrays(moving_waves(depth=depth)[0])
        assert all((plane == grey).all() for frame in made.frames for plane in frame[1:])


GOOD = moving_waves()
TEN = moving_waves(depth=10)


@pytest.mark.parametrize(
    ("planes", "message"),
    [
        ((GOOD[0].astype(float), *GOOD[1:]), r"y is \(4, 56, 72\) float64; expected \(n, h, w\) uint8"),
        ((GOOD[0].astype(np.int32), *GOOD[1:]), "int32"),
        ((GOOD[0][0],), r"y is \(56, 72\) uint8"),
        ((GOOD[0].tolist(),), "y is a list"),
        ((GOOD[0][:0], GOOD[1][:0], GOOD[2][:0]), "y holds no pictures"),
        ((GOOD[0], GOOD[0], GOOD[0]), r"u is \(4, 56, 72\) uint8; expected \(4, 28, 36\) uint8"),
        ((GOOD[0], GOOD[1][:3], GOOD[2]), r"u is \(3, 28, 36\)"),
        ((GOOD[0], GOOD[1], TEN[2]), "v is .* uint16; expected .* uint8"),
        ((GOOD[0], GOOD[1]), "one of u and v"),
        ((GOOD[0][:, :55],), "72x55 is odd"),
        ((TEN[0] + np.uint16(1000),), r"y has a sample of \d+; uint16 samples are 0..1023"),
    ],
)
def test_arrays_that_are_refused(planes, message):
    with pytest.raises(codecsim.ConfigError, match=message) as error:
        codecsim.Video.from_arrays(*planes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("fps", [0, -25, "fast", None, float("nan"), "1/0"])
def test_rates_that_are_refused(fps):
    with pytest.raises(codecsim.ConfigError, match="fps"):
        codecsim.Video.from_arrays(*GOOD, fps=fps)


@pytest.mark.parametrize("matrix", ["bt709", "bt601"])
@pytest.mark.parametrize("span", ["limited", "full"])
def test_rgb(matrix, span):
    """Colours that do not change within 2x2 pixels come back; known colours have the values of the standards."""
    rgb = np.kron(np.random.default_rng(0).integers(0, 256, (2, 8, 12, 3)), np.ones((1, 2, 2, 1))).astype(np.uint8)
    made = codecsim.Video.from_rgb(rgb, matrix=matrix, range=span)
    back = made.to_rgb(matrix=matrix, range=span)
    assert abs(back.astype(int) - rgb).max() <= 2
    white = codecsim.Video.from_rgb(np.full((1, 2, 2, 3), 255, np.uint8), matrix=matrix, range=span).frames[0]
    assert white.y[0, 0] == (235 if span == "limited" else 255) and white.u == white.v == 128


def test_red_of_bt709_and_bt601():
    red = np.zeros((1, 2, 2, 3), np.uint8)
    red[..., 0] = 255
    for matrix, wanted in (("bt709", (63, 102, 240)), ("bt601", (81, 90, 240))):
        assert tuple(int(p[0, 0]) for p in codecsim.Video.from_rgb(red, matrix=matrix).frames[0]) == wanted


@pytest.mark.parametrize(
    ("rgb", "options", "message"),
    [
        (np.zeros((1, 4, 4, 3)), {}, "rgb is .* float64"),
        (np.zeros((4, 4, 3), np.uint8), {}, r"expected \(n, h, w, 3\) uint8"),
        (np.zeros((1, 4, 4, 4), np.uint8), {}, r"expected \(n, h, w, 3\)"),
        (np.zeros((0, 4, 4, 3), np.uint8), {}, "no pictures"),
        (np.zeros((1, 5, 4, 3), np.uint8), {}, "odd"),
        (np.zeros((1, 4, 4, 3), np.uint8), {"matrix": "bt2020"}, "matrix is 'bt2020'; expected one of bt709, bt601"),
        (np.zeros((1, 4, 4, 3), np.uint8), {"range": "tv"}, "range is 'tv'"),
    ],
)
def test_rgb_that_is_refused(rgb, options, message):
    with pytest.raises(codecsim.ConfigError, match=message):
        codecsim.Video.from_rgb(rgb, **options)


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("name", ["clip.y4m", "clip.yuv"])
def test_files(tmp_path, name, depth):
    made, path = video(depth=depth), tmp_path / name
    made.save(path)
    options = {"size": (72, 56), "fps": 30, "bit_depth": depth} if name.endswith(".yuv") else {}
    read = codecsim.read_video(path, **options)
    assert read.format == made.format and read.name == str(path)
    for given, found in zip(made.to_arrays(), read.to_arrays(), strict=True):
        np.testing.assert_array_equal(given, found)


def test_files_are_sequences(tmp_path):
    made, path = video(count=5), tmp_path / "clip.y4m"
    made.save(path)
    frames = codecsim.read_video(path).frames
    for index in (0, 1, 3, 2, -1, 4, 0, -5):
        np.testing.assert_array_equal(frames[index].y, made.frames[index].y)
    assert len(frames) == 5 and len(frames[1:4]) == 3 and len(frames[::2]) == 3
    for index in (5, -6, 100):
        with pytest.raises(IndexError):
            frames[index]
    np.testing.assert_array_equal(frames[4].v, made.frames[4].v)
    assert [frame.y.shape for frame in frames] == [(56, 72)] * 5


def test_files_that_are_refused(tmp_path):
    with pytest.raises(FormatError, match="cannot be read"):
        codecsim.read_video(tmp_path / "none.y4m")
    (tmp_path / "clip.yuv").write_bytes(bytes(72 * 56 * 3 // 2))
    with pytest.raises(codecsim.ConfigError, match="size and rate"):
        codecsim.read_video(tmp_path / "clip.yuv")
    for size in ((72,), (72.0, 56.0)):
        with pytest.raises(codecsim.ConfigError, match="size is"):
            codecsim.read_video(tmp_path / "clip.yuv", size=size, fps=25)
    for path in (5, None):
        with pytest.raises(codecsim.ConfigError, match="the path of a video"):
            codecsim.read_video(path)
    with pytest.raises(codecsim.CodecError):
        video().save(tmp_path / "none" / "clip.y4m")


def test_the_clip_that_ships():
    read = codecsim.read_video("bundled")
    assert (read.format.width, read.format.height) == (320, 176) and read.frames[3].y.shape == (176, 320)
