import numpy as np
import pytest

from codecsim.hevc.sao import make_sao_params, make_sao_statistics, measure_sao, sao_picture
from codecsim.picture.planes import Picture, Planes
from tests.reference import sao as naive


def make_picture(rng, width, height, kind, top):
    picture = Picture(width, height)
    for plane in picture.planes:
        plane[:] = rng.integers(0, top + 1, plane.shape)
    for plane in picture.inner():
        low, high = {"random": (0, top), "flat": (top // 2 - 1, top // 2 + 1), "extreme": (0, 1)}[kind]
        plane[:] = rng.integers(low, high + 1, plane.shape) * (top if kind == "extreme" else 1)
    return picture


@pytest.mark.parametrize("size", [(8, 8), (24, 40), (72, 136)])
@pytest.mark.parametrize("kind", ["random", "flat", "extreme"])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_sao(size, kind, bit_depth):
    height, width = size
    rng = np.random.default_rng([height, len(kind), bit_depth])
    top = (1 << bit_depth) - 1
    for types in ([1], [2], [0, 1, 2]):
        picture = make_picture(rng, width, height, kind, top)
        sao = make_sao_params(height, width)
        sao.type_idx[:] = rng.choice(types, sao.type_idx.shape)
        sao.band_position[:] = rng.choice([0, 14, 15, 28, 30, 31], sao.band_position.shape)
        sao.edge_class[:] = rng.integers(0, 4, sao.edge_class.shape)
        reach = (1 << min(bit_depth, 10) - 5) - 1
        sao.offsets[:] = rng.integers(-reach, reach + 1, sao.offsets.shape)
        want = [naive.apply(plane, c_idx, sao, bit_depth) for c_idx, plane in enumerate(picture.inner())]
        before = [plane.copy() for plane in picture.planes]
        scratch = Planes(*(np.full_like(plane, 4321) for plane in picture.planes))
        sao_picture(picture.planes, scratch, sao, bit_depth)
        for got, expected in zip(picture.inner(), want, strict=True):
            np.testing.assert_array_equal(got, expected)
        for got, inner, old in zip(picture.planes, want, before, strict=True):
            pad = (got.shape[0] - inner.shape[0]) // 2
            old[pad:-pad, pad:-pad] = inner
            np.testing.assert_array_equal(got, old, "the padding was touched")


@pytest.mark.parametrize("size", [(8, 8), (72, 136)])
@pytest.mark.parametrize("kind", ["random", "flat", "extreme"])
def test_statistics(size, kind):
    height, width = size
    rng = np.random.default_rng(height)
    for bit_depth in (8, 10):
        top = (1 << bit_depth) - 1
        picture = make_picture(rng, width, height, kind, top)
        original = Planes(*(rng.integers(0, top + 1, plane.shape).astype(np.uint16) for plane in picture.inner()))
        got, want = make_sao_statistics(height, width), make_sao_statistics(height, width)
        for array in got:
            array[:] = 99
        measure_sao(original, picture.planes, got, bit_depth)
        for c_idx, plane in enumerate(picture.inner()):
            naive.measure(original[c_idx], plane, c_idx, want, bit_depth)
        for a, b in zip(got, want, strict=True):
            np.testing.assert_array_equal(a, b)


def test_statistics_predict_the_gain():
    """SSE after SAO equals SSE before, less 2 * offset * sum - offset**2 * count of each category."""
    rng = np.random.default_rng(7)
    picture = make_picture(rng, 64, 64, "flat", 255)
    original = Planes(*(np.asarray(plane + rng.integers(-3, 4, plane.shape), np.uint16) for plane in picture.inner()))
    statistics, sao = make_sao_statistics(64, 64), make_sao_params(64, 64)
    measure_sao(original, picture.planes, statistics, 8)
    sao.type_idx[0], sao.edge_class[0], sao.offsets[0] = 2, 3, (2, 1, -1, -3)
    before = ((original.y.astype(int) - picture.inner().y) ** 2).sum()
    sao_picture(picture.planes, Planes(*(plane.copy() for plane in picture.planes)), sao, 8)
    after = ((original.y.astype(int) - picture.inner().y) ** 2).sum()
    offset = sao.offsets[0, 0, 0].astype(int)
    gain = 2 * offset * statistics.edge_sum[0, 0, 0, 3] - offset**2 * statistics.edge_count[0, 0, 0, 3]
    assert before - after == gain.sum()
