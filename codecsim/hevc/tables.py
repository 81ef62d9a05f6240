"""Normative.  The constant tables of H.265 and the arrays derived from them.

Tables are small integer arrays; a kernel that reads one gets it as a compile-time constant.
"""

import numpy as np

from codecsim.kernels.jit import kernel

CTU_LOG2 = 6
"""log2 of the CTU size in luma samples; one CTU is 16x16 units of 4x4 samples."""

SCAN_DIAGONAL, SCAN_HORIZONTAL, SCAN_VERTICAL = 0, 1, 2

PLANAR, DC, HORIZONTAL, VERTICAL = 0, 1, 10, 26


def make_zorder(units_high, units_wide):
    """Decoding order of every 4x4 luma unit of a picture with 64x64 CTUs, one slice and one tile.

    Parameters
    ----------
    units_high, units_wide : int
        Coded picture size in units of 4 luma samples.

    Returns
    -------
    (units_high, units_wide) int32
        CTU raster address << 8 | z-order index of the unit inside its CTU.  A unit is available to a block iff it lies
        inside the picture and its value is lower than that of the block's top-left unit.

    Source: H.265 6.4.1, 6.5.2.
    """
    y, x = np.mgrid[:units_high, :units_wide].astype(np.int32)
    ctus_wide = (units_wide + 15) >> 4
    address = (y >> 4) * ctus_wide + (x >> 4)
    z = np.zeros_like(x)
    for bit in range(4):
        z |= (x >> bit & 1) << 2 * bit | (y >> bit & 1) << 2 * bit + 1
    return address << 8 | z


def _diagonal_scan(size):
    """Up-right diagonal order: each anti-diagonal from its bottom-left end (H.265 6.5.3)."""
    return [(d - y, y) for d in range(2 * size - 1) for y in range(min(d, size - 1), max(0, d - size + 1) - 1, -1)]


def _make_scans():
    scan_x = np.zeros((3, 4, 64), np.uint8)
    scan_y = np.zeros((3, 4, 64), np.uint8)
    for log2 in range(4):
        size = 1 << log2
        raster = [(i % size, i // size) for i in range(size * size)]
        orders = (_diagonal_scan(size), raster, [(y, x) for x, y in raster])
        for scan_idx, order in enumerate(orders):
            scan_x[scan_idx, log2, : size * size], scan_y[scan_idx, log2, : size * size] = zip(*order, strict=True)
    return scan_x, scan_y


SCAN_X, SCAN_Y = _make_scans()
"""(3, 4, 64) uint8: column and row of the i-th position, [scan_idx, log2 of the square's size, i].

`[s, 2, :16]` orders the coefficients inside a 4x4 sub-block, `[s, log2_size - 2, :]` the sub-blocks of a transform
block.  Scans other than the diagonal one occur with blocks of 4x4 and 8x8 only.  Source: H.265 6.5.3 to 6.5.5.
"""


@kernel(inline=True)
def choose_scan_idx(intra, log2, c_idx, mode):
    """Scan of a transform block of 1 << log2 samples (of its own component) with intra mode `mode` of that component.

    Source: H.265 7.4.9.11 (scanIdx), 4:2:0.
    """
    if intra and (log2 == 2 or (log2 == 3 and c_idx == 0)):
        if 6 <= mode <= 14:
            return SCAN_VERTICAL
        if 22 <= mode <= 30:
            return SCAN_HORIZONTAL
    return SCAN_DIAGONAL


def _make_dct():
    """The 32-point matrix from the 31 magnitudes of cos(pi * m / 64) that the standard rounds by hand."""
    magnitude = np.zeros(33, np.int32)
    magnitude[1::2] = 90, 90, 88, 85, 82, 78, 73, 67, 61, 54, 46, 38, 31, 22, 13, 4
    magnitude[2:32:4] = 90, 87, 80, 70, 57, 43, 25, 9
    magnitude[4:32:8] = 89, 75, 50, 18
    magnitude[8], magnitude[24], magnitude[16], magnitude[0] = 83, 36, 64, 64
    k, n = np.mgrid[:32, :32]
    angle = k * (2 * n + 1) % 128
    angle = np.minimum(angle, 128 - angle)
    return np.where(angle <= 32, 1, -1).astype(np.int32) * magnitude[np.minimum(angle, 64 - angle)]


DCT32 = _make_dct()
"""(32, 32) int32 [frequency, sample]; the N-point matrix is DCT32[:: 32 // N, :N].  Source: H.265 8.6.4.2."""

DST4 = np.array([[29, 55, 74, 84], [74, 74, 0, -74], [84, -29, -74, 55], [55, -84, 74, -29]], np.int32)
"""(4, 4) int32 [frequency, sample].  Source: H.265 8.6.4.2."""

QUANT_SCALE = np.array([26214, 23302, 20560, 18396, 16384, 14564], np.int32)
"""Forward factor by QP % 6: round(2**20 / LEVEL_SCALE).  Encoder only."""

LEVEL_SCALE = np.array([40, 45, 51, 57, 64, 72], np.int32)
"""Scaling factor by QP % 6.  Source: H.265 8.6.4.1 (levelScale)."""

INTRA_ANGLE = np.array(
    [0, 0, 32, 26, 21, 17, 13, 9, 5, 2, 0, -2, -5, -9, -13, -17, -21, -26]
    + [-32, -26, -21, -17, -13, -9, -5, -2, 0, 2, 5, 9, 13, 17, 21, 26, 32],
    np.int32,
)
"""(35,) int32 by mode, in 1/32 sample per line; 0 for planar and DC.  Source: H.265 8.4.4.2.6 (intraPredAngle)."""

INTRA_INVERSE_ANGLE = np.zeros(35, np.int32)
"""(35,) int32 by mode: round(8192 / angle) for the negative angles, else 0.  Source: H.265 8.4.4.2.6 (invAngle)."""
INTRA_INVERSE_ANGLE[11:26] = [-4096, -1638, -910, -630, -482, -390, -315, -256] + [
    -315,
    -390,
    -482,
    -630,
    -910,
    -1638,
    -4096,
]

INTRA_FILTER_THRESHOLD = np.array([0, 0, 35, 7, 1, 0], np.int32)
"""By log2 size: the references are smoothed if the mode is further than this from both pure directions.

4x4 blocks are never smoothed: no mode is 35 away.  Source: H.265 8.4.4.2.3 (intraHorVerDistThres).
"""


def _make_chroma_qp():
    table = np.arange(-36, 64, dtype=np.int32)
    table[30 + 36 : 43 + 36] = 29, 30, 31, 32, 33, 33, 34, 34, 35, 35, 36, 36, 37
    table[43 + 36 :] -= 6
    return table


_CHROMA_QP = _make_chroma_qp()


@kernel(inline=True)
def chroma_qp(index):
    """QpC of qPi = luma QP + offset, for 4:2:0.

    Reconstruction clips qPi to -QpBdOffset..57 first; deblocking does not: -36..63.  Source: H.265 8.6.1, 8.7.2.5.5.
    """
    return _CHROMA_QP[index + 36]


LUMA_TAPS = np.array(
    [
        [0, 0, 0, 64, 0, 0, 0, 0],
        [-1, 4, -10, 58, 17, -5, 1, 0],
        [-1, 4, -11, 40, 40, -11, 4, -1],
        [0, 1, -5, 17, 58, -10, 4, -1],
    ],
    np.int32,
)
"""(4, 8) int32 by quarter-sample phase; tap 3 is on the integer sample.  Source: H.265 8.5.3.3.3.1."""

CHROMA_TAPS = np.array(
    [
        [0, 64, 0, 0],
        [-2, 58, 10, -2],
        [-4, 54, 16, -2],
        [-6, 46, 28, -4],
        [-4, 36, 36, -4],
        [-4, 28, 46, -6],
        [-2, 16, 54, -4],
        [-2, 10, 58, -2],
    ],
    np.int32,
)
"""(8, 4) int32 by eighth-sample phase; tap 1 is on the integer sample.  Source: H.265 8.5.3.3.3.2."""

DEBLOCK_BETA = np.concatenate([np.zeros(16), np.arange(6, 19), np.arange(20, 65, 2)]).astype(np.int32)
"""(52,) int32 by Q, for 8 bit.  Source: H.265 8.7.2.5.3 (beta')."""

DEBLOCK_TC = np.array(
    [0] * 18 + [1] * 9 + [2] * 4 + [3] * 4 + [4] * 3 + [5, 5, 6, 6, 7, 8, 9, 10, 11, 13, 14, 16, 18, 20, 22, 24],
    np.int32,
)
"""(54,) int32 by Q, for 8 bit.  Source: H.265 8.7.2.5.3 (tC')."""
