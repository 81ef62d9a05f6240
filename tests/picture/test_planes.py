"""Pictures: borders, edge extension, cropping."""

import fractions
import math

import numpy as np
import pytest

from codecsim.picture.planes import PAD_C, PAD_Y, Frame, Picture, VideoFormat, change_bit_depth, planes_from_frame


def random_frame(rng, width, height):
    planes = [rng.integers(0, 256, (height >> s, width >> s), np.uint8) for s in (0, 1, 1)]
    return Frame(*planes)


@pytest.mark.parametrize("width,height", [(8, 8), (34, 18), (2, 2), (130, 66)])
def test_frame_to_planes_and_back(width, height):
    video_format = VideoFormat(width, height, fractions.Fraction(25))
    frame = random_frame(np.random.default_rng(1), width, height)
    planes = planes_from_frame(frame, video_format)
    picture = Picture(video_format.coded_width, video_format.coded_height)
    for target, source in zip(picture.inner(), planes, strict=True):
        assert target.shape == source.shape
        target[:] = source
    picture.pad()
    for plane, source, pad in zip(picture.planes, planes, (PAD_Y, PAD_C, PAD_C), strict=True):
        np.testing.assert_array_equal(plane, np.pad(source, pad, mode="edge"))
    for got, wanted in zip(picture.crop(video_format), frame, strict=True):
        np.testing.assert_array_equal(got, wanted)
        assert got.dtype == np.uint8
    assert planes.y[-1, -1] == frame.y[-1, -1]


def test_every_sample_at_another_bit_depth():
    eight, ten = np.arange(256, dtype=np.uint8)[None], np.arange(1024, dtype=np.uint16)[None]
    up = change_bit_depth(Frame(eight, eight, eight), 8, 10)
    down = change_bit_depth(Frame(ten, ten, ten), 10, 8)
    for plane in up:
        assert plane.dtype == np.uint16
        assert plane[0].tolist() == [4 * sample for sample in range(256)]
    for plane in down:
        assert plane.dtype == np.uint8
        assert plane[0].tolist() == [min(math.floor(sample / 4 + 0.5), 255) for sample in range(1024)]
    for plane in change_bit_depth(up, 10, 8):
        np.testing.assert_array_equal(plane, eight)
    assert change_bit_depth(up, 10, 10) is up


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="multiple of 8"):
        Picture(12, 8)
    frame = random_frame(np.random.default_rng(1), 16, 16)
    with pytest.raises(ValueError, match="expected"):
        planes_from_frame(frame, VideoFormat(16, 18, fractions.Fraction(25)))
