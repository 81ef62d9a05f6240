import math

import numpy as np
import pytest

from codecsim.hevc import tables


@pytest.mark.parametrize("size", [(2, 2), (16, 16), (6, 10), (33, 20)])
def test_zorder_is_the_recursive_quadtree_order(size):
    order = []

    def visit(y, x, units):
        if y >= size[0] or x >= size[1]:
            return
        if units == 1:
            order.append((y, x))
            return
        half = units // 2
        for dy, dx in ((0, 0), (0, half), (half, 0), (half, half)):
            visit(y + dy, x + dx, half)

    for y in range(0, size[0], 16):
        for x in range(0, size[1], 16):
            visit(y, x, 16)
    zorder = tables.make_zorder(*size)
    assert zorder.dtype == np.int32
    values = [zorder[at] for at in order]
    assert values == sorted(set(values))
    assert len(values) == size[0] * size[1]
    assert zorder[-1, -1] >> 8 == -(-size[0] // 16) * -(-size[1] // 16) - 1


def test_scans():
    for log2 in range(4):
        n = 1 << log2
        for scan_idx in range(3):
            x, y = (scan[scan_idx, log2, : n * n].astype(int) for scan in (tables.SCAN_X, tables.SCAN_Y))
            assert len(set(zip(x, y, strict=True))) == n * n
            key = {0: [(a + b, a) for a, b in zip(x, y, strict=True)], 1: list(zip(y, x, strict=True))}
            key = key.get(scan_idx, list(zip(x, y, strict=True)))
            assert key == sorted(key)


def test_scan_rule():
    for mode in range(35):
        directed = 2 if 6 <= mode <= 14 else 1 if 22 <= mode <= 30 else 0
        assert tables.choose_scan_idx(True, 2, 0, mode) == directed
        assert tables.choose_scan_idx(True, 2, 1, mode) == directed
        assert tables.choose_scan_idx(True, 3, 0, mode) == directed
        assert tables.choose_scan_idx(True, 3, 1, mode) == 0
        assert tables.choose_scan_idx(True, 4, 0, mode) == 0
        assert tables.choose_scan_idx(False, 2, 0, mode) == 0


def test_transform_matrices_are_nearly_orthonormal():
    for n, scale in ((4, 128), (8, 181.02), (16, 256), (32, 362.04)):
        matrix = tables.DCT32[:: 32 // n, :n]
        k, i = np.mgrid[:n, :n]
        ideal = np.cos(math.pi * k * (2 * i + 1) / (2 * n)) * np.where(k, 1, 0.5**0.5)
        assert abs(matrix - ideal * scale * (2 / n) ** 0.5).max() < 1.4
    assert abs(tables.DST4 @ tables.DST4.T - 128**2 * np.eye(4)).max() < 60


def test_interpolation_taps():
    for taps in (tables.LUMA_TAPS, tables.CHROMA_TAPS):
        assert (taps.sum(1) == 64).all()
        for phase in range(1, len(taps)):
            assert (taps[phase] == taps[-phase][::-1]).all()


def test_intra_angles():
    angles = tables.INTRA_ANGLE[2:]
    assert (angles == angles[::-1]).all()
    negative = tables.INTRA_ANGLE < 0
    want = np.round(8192 / np.where(negative, tables.INTRA_ANGLE, 8192)) * negative
    assert (want == tables.INTRA_INVERSE_ANGLE).all()


def test_deblocking_tables():
    assert tables.DEBLOCK_BETA.shape == (52,) and tables.DEBLOCK_TC.shape == (54,)
    assert (tables.DEBLOCK_BETA[[15, 16, 28, 29, 51]] == [0, 6, 18, 20, 64]).all()
    assert (tables.DEBLOCK_TC[[17, 18, 26, 27, 37, 38, 47, 53]] == [0, 1, 1, 2, 4, 5, 13, 24]).all()


def test_chroma_qp():
    got = [tables.chroma_qp(i) for i in range(29, 45)]
    assert got == [29, 29, 30, 31, 32, 33, 33, 34, 34, 35, 35, 36, 36, 37, 37, 38]
    assert [tables.chroma_qp(i) for i in (-36, -12, 0, 57, 63)] == [-36, -12, 0, 51, 57]
