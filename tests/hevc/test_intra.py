import numpy as np
import pytest

from codecsim.hevc import intra
from codecsim.hevc.tables import make_zorder
from codecsim.picture.areas import Place, TransformBlock
from tests.reference import intra as naive

PAD = 16


def make_plane(rng, height, width, kind, bit_depth):
    top = (1 << bit_depth) - 1
    if kind == "random":
        return rng.integers(0, top + 1, (height, width), dtype=np.uint16)
    if kind == "extreme":
        return (rng.integers(0, 2, (height, width)) * top).astype(np.uint16)
    ramp = np.add.outer(np.arange(height), np.arange(width)) // 8 + 3
    return np.clip(ramp + rng.integers(0, 2, (height, width)), 0, top).astype(np.uint16)


def surround(plane):
    padded = np.full((plane.shape[0] + 2 * PAD, plane.shape[1] + 2 * PAD), 60000, np.uint16)
    padded[PAD:-PAD, PAD:-PAD] = plane
    return padded


def naive_block(plane, zorder, x, y, n, mode, c_idx, strong, bit_depth):
    p = naive.gather(plane, zorder, x, y, n, c_idx, bit_depth)
    p = naive.smooth(p, n, mode, c_idx, strong, bit_depth)
    out = naive.predict(p, n, mode, c_idx, bit_depth)
    return np.array([[out[i, j] for i in range(n)] for j in range(n)])


@pytest.mark.parametrize(("units_high", "units_wide"), [(2, 2), (6, 10), (18, 34)])
@pytest.mark.parametrize("c_idx", [0, 1])
def test_every_block_position(units_high, units_wide, c_idx):
    rng = np.random.default_rng(units_wide + c_idx)
    zorder = make_zorder(units_high, units_wide)
    scale = 4 >> c_idx
    height, width = units_high * scale, units_wide * scale
    refs = np.zeros(intra.REFS_SHAPE, np.int32)
    out = np.zeros((height, width), np.uint16)
    plane = make_plane(rng, height, width, "random", 8)
    padded = surround(plane)
    for log2 in range(2, 6):
        n = 1 << log2
        for y in range(0, height - n + 1, n):
            for x in range(0, width - n + 1, n):
                mode = int(rng.integers(35))
                around, tb = intra.Surroundings(padded, PAD, zorder), TransformBlock(y, x, log2, c_idx)
                intra.predict_intra(around, tb, mode, True, 8, refs, out, Place(y, x))
                want = naive_block(plane, zorder, x, y, n, mode, c_idx, True, 8)
                np.testing.assert_array_equal(out[y : y + n, x : x + n], want, f"{x},{y} size {n} mode {mode}")


@pytest.mark.parametrize("kind", ["random", "extreme", "smooth"])
@pytest.mark.parametrize("log2", [2, 3, 4, 5])
def test_every_mode(kind, log2):
    rng = np.random.default_rng(log2)
    zorder = make_zorder(32, 32)
    refs = np.zeros(intra.REFS_SHAPE, np.int32)
    n = 1 << log2
    out = np.zeros((n + 3, n + 5), np.uint16)
    for bit_depth in (8, 10):
        plane = make_plane(rng, 128, 128, kind, bit_depth)
        padded = surround(plane)
        for c_idx in (0, 2):
            for strong in (False, True):
                for mode in range(35):
                    x = y = 32 >> (c_idx > 0)
                    around, tb = intra.Surroundings(padded, PAD, zorder), TransformBlock(y, x, log2, c_idx)
                    intra.predict_intra(around, tb, mode, strong, bit_depth, refs, out, Place(3, 5))
                    want = naive_block(plane, zorder, x, y, n, mode, c_idx, strong, bit_depth)
                    np.testing.assert_array_equal(out[3:, 5:], want, f"mode {mode} c_idx {c_idx} strong {strong}")
                    assert not out[:3].any() and not out[:, :5].any()


def test_many_modes_from_one_gather():
    rng = np.random.default_rng(3)
    zorder = make_zorder(16, 16)
    plane = make_plane(rng, 64, 64, "random", 8)
    refs = np.zeros(intra.REFS_SHAPE, np.int32)
    out = np.zeros((16, 16), np.uint16)
    around = intra.Surroundings(surround(plane), PAD, zorder)
    intra.gather_references(around, TransformBlock(16, 16, 4, 0), 8, refs)
    intra.filter_references(refs, 4, False, 8)
    for mode in range(35):
        intra.predict_mode(refs, 4, mode, 0, 8, out, 0, 0)
        np.testing.assert_array_equal(out, naive_block(plane, zorder, 16, 16, 16, mode, 0, False, 8))
