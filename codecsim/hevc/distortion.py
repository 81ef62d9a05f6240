"""The costs of the encoder's search: SAD, SATD and SSE of two blocks of uint16 samples.  Encoder only.

Every function compares first[y + j, x + i] with second[sy + j, sx + i], j < h, i < w <= 1024, at up to 10 bit; offsets
are array indices, so those into a padded plane include its padding.  Rows of samples are contiguous.
"""

import numpy as np

from codecsim.hevc.distortion_ir import (
    sad_4_columns,
    sad_8_columns,
    sad_16_columns,
    satd_4x4,
    satd_4x4_pair,
    satd_8x8,
    satd_8x8_pair,
)
from codecsim.hevc.indexing import natural
from codecsim.kernels.jit import kernel


@kernel
def sad(first, y, x, second, sy, sx, w, h):
    """Sum of absolute differences; w is a multiple of 4, h at most 64."""
    total = np.int64(0)
    i = 0
    while i + 16 <= w:
        total += sad_16_columns(first, y, x + i, second, sy, sx + i, h)
        i += 16
    if w & 8:
        total += sad_8_columns(first, y, x + i, second, sy, sx + i, h)
        i += 8
    if w & 4:
        total += sad_4_columns(first, y, x + i, second, sy, sx + i, h)
    return total


@kernel
def sse(first, y, x, second, sy, sx, w, h):
    """Sum of squared errors."""
    y, x, sy, sx = natural(y), natural(x), natural(sy), natural(sx)
    total = np.int64(0)
    for j in range(h):
        row = np.int32(0)
        for i in range(w):
            error = np.int32(np.int32(first[y + j, x + i]) - np.int32(second[sy + j, sx + i]))
            row = np.int32(row + error * error)
        total += row
    return total


@kernel(unit=True)
def satd(first, y, x, second, sy, sx, w, h):
    """Sum of absolute transformed differences with HM's normalisation.

    Blocks whose sides are multiples of 8 are cut into 8x8 Hadamard transforms, each rounded to (sum + 2) >> 2; others
    into 4x4 ones, each (sum + 1) >> 1.

    Parameters
    ----------
    first : (h, w) uint16 samples, or int16 in -1023..2046: twice a sample less another
    w, h : int
        Multiples of 4.
    """
    total = np.int64(0)
    if (w | h) & 7 == 0:
        for j in range(0, h, 8):
            for i in range(0, w - 8, 16):
                total += satd_8x8_pair(first, y + j, x + i, second, sy + j, sx + i)
            if w & 8:
                total += satd_8x8(first, y + j, x + w - 8, second, sy + j, sx + w - 8)
    else:
        for j in range(0, h, 4):
            for i in range(0, w - 4, 8):
                total += satd_4x4_pair(first, y + j, x + i, second, sy + j, sx + i)
            if w & 4:
                total += satd_4x4(first, y + j, x + w - 4, second, sy + j, sx + w - 4)
    return total
