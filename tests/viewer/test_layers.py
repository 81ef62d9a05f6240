import cv2
import numpy as np
import pytest

from codecsim.errors import ConfigError
from codecsim.viewer.layers import COMPONENTS, DIFFERENCES, HEAT, KEPT, LAYERS, render, split_planes, stack_planes


def _planes(rng, bits):
    dtype = np.uint8 if bits == 8 else np.uint16
    return [rng.integers(0, 1 << bits, shape).astype(dtype) for shape in ((16, 24), (8, 12), (8, 12))]


def _pixels(png):
    return cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)


@pytest.fixture(scope="module", params=[8, 10])
def picture(request):
    """(bits, planes by name of KEPT, function that gives them stacked)."""
    rng = np.random.default_rng(request.param)
    planes = {name: _planes(rng, request.param) for name in KEPT}
    return request.param, planes, lambda name: stack_planes(planes[name], 24, 16)


def test_planes_come_back(picture):
    _, planes, stacked = picture
    for name in KEPT:
        for found, wanted in zip(split_planes(stacked(name)), planes[name], strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_stacking_crops():
    plane = np.arange(32 * 32, dtype=np.uint8).reshape(32, 32)
    y, u, v = split_planes(stack_planes([plane, plane[:16, :16], plane[:16, :16]], 20, 10))
    np.testing.assert_array_equal(y, plane[:10, :20])
    np.testing.assert_array_equal(v, plane[:5, :10])


def test_single_planes_are_shown_as_they_are(picture):
    bits, planes, stacked = picture
    for name in KEPT:
        for k, component in enumerate("yuv"):
            expected = planes[name][k].astype(int)
            if bits == 10:
                expected = np.minimum((expected + 2) // 4, 255)
            np.testing.assert_array_equal(_pixels(render(name, stacked, bits, component)), expected)


def test_differences_are_grey_where_there_is_none(picture):
    bits, planes, stacked = picture
    scale = 1 << (bits - 8)
    for name, (first, second) in DIFFERENCES.items():
        for gain in (1, 4):
            found = _pixels(render(name, stacked, bits, "y", gain))
            for y in range(16):
                for x in range(24):
                    difference = (int(planes[first][0][y, x]) - int(planes[second][0][y, x])) * gain // scale
                    assert found[y, x] == min(max(128 + difference, 0), 255)


def test_heat_grows_with_the_error():
    same = [np.full(shape, 100, np.uint8) for shape in ((16, 24), (8, 12), (8, 12))]
    other = [plane.copy() for plane in same]
    other[0][0, :8] = 100 + np.arange(8)
    other[0][1, :8] = 100 - np.arange(8)
    kept = {"picture": stack_planes(other, 24, 16), "source": stack_planes(same, 24, 16)}
    for component in ("yuv", "y"):
        light = _pixels(render("error", kept.get, 8, component, 8)).astype(int).sum(2)
        assert (np.diff(light[0, :8]) > 0).all()
        np.testing.assert_array_equal(light[0], light[1])
    assert len(np.unique(_pixels(render("error", kept.get, 8, "u", 8)).reshape(-1, 3), axis=0)) == 1


def test_colour(picture):
    bits, _, stacked = picture
    for layer in LAYERS:
        assert _pixels(render(layer, stacked, bits)).shape == (16, 24, 3)
    grey = [np.full((16, 24), 120, np.uint8), *(np.full((8, 12), 128, np.uint8) for _ in range(2))]
    pixels = _pixels(render("picture", lambda name: stack_planes(grey, 24, 16), 8))
    assert (pixels == pixels[0, 0, 0]).all()


def test_what_is_not_there_is_named(picture):
    bits, _, stacked = picture
    for wrong in (("depth", "y", 1), ("picture", "z", 1), ("residual", "y", 3)):
        with pytest.raises(ConfigError, match="expected one of"):
            render(wrong[0], stacked, bits, *wrong[1:])
    assert {*KEPT, *DIFFERENCES, *HEAT} == {*LAYERS} and COMPONENTS[0] == "yuv"
