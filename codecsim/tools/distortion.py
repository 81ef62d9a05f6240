"""The costs of the encoder's search: SAD, SATD and SSE of two blocks of uint16 samples.  Encoder only.

Every function compares first[y + j, x + i] with second[sy + j, sx + i], j < h, i < w <= 1024 (64 for SATD), at up to
10 bit; offsets are array indices, so those into a padded plane include its padding.
"""

import numpy as np

from codecsim.jit import kernel
from codecsim.tools.indexing import natural

SATD_TMP_SIZE = 1024

_TURNED = 512  # where the transposed blocks start in tmp


@kernel
def sad(first, y, x, second, sy, sx, w, h):
    """Sum of absolute differences."""
    y, x, sy, sx = natural(y), natural(x), natural(sy), natural(sx)
    total = np.int32(0)
    for j in range(h):
        for i in range(w):
            total = np.int32(total + abs(np.int32(first[y + j, x + i]) - np.int32(second[sy + j, sx + i])))
    return np.int64(total)


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
def satd(first, y, x, second, sy, sx, w, h, tmp):
    """Sum of absolute transformed differences with HM's normalisation.

    Blocks whose sides are multiples of 8 are cut into 8x8 Hadamard transforms, each rounded to (sum + 2) >> 2; others
    into 4x4 ones, each (sum + 1) >> 1.

    Parameters
    ----------
    w, h : int
        Multiples of 4, w <= 64.
    tmp : (SATD_TMP_SIZE,) int32
    """
    y, x, sy, sx = natural(y), natural(x), natural(sy), natural(sx)
    total = np.int64(0)
    if (w | h) & 7 == 0:
        for j in range(0, h, 8):
            total += _satd_strip_8(first, y + j, x, second, sy + j, sx, w, tmp)
    else:
        for j in range(0, h, 4):
            total += _satd_strip_4(first, y + j, x, second, sy + j, sx, w, tmp)
    return total


@kernel
def _load_difference(first, y, x, second, sy, sx, w, h, tmp):
    y, x, sy, sx = natural(y), natural(x), natural(sy), natural(sx)
    for j in range(h):
        for i in range(w):
            tmp[64 * j + i] = np.int32(first[y + j, x + i]) - np.int32(second[sy + j, sx + i])


@kernel
def _hadamard_columns_8(tmp, base, w):
    """Three butterfly stages down w columns of 8 entries, in place."""
    base = natural(base)
    for i in range(w):
        k = base + i
        a0, a4 = tmp[k] + tmp[k + 256], tmp[k] - tmp[k + 256]
        a1, a5 = tmp[k + 64] + tmp[k + 320], tmp[k + 64] - tmp[k + 320]
        a2, a6 = tmp[k + 128] + tmp[k + 384], tmp[k + 128] - tmp[k + 384]
        a3, a7 = tmp[k + 192] + tmp[k + 448], tmp[k + 192] - tmp[k + 448]
        b0, b1, b2, b3 = a0 + a2, a1 + a3, a0 - a2, a1 - a3
        b4, b5, b6, b7 = a4 + a6, a5 + a7, a4 - a6, a5 - a7
        tmp[k], tmp[k + 64], tmp[k + 128], tmp[k + 192] = b0 + b1, b0 - b1, b2 + b3, b2 - b3
        tmp[k + 256], tmp[k + 320], tmp[k + 384], tmp[k + 448] = b4 + b5, b4 - b5, b6 + b7, b6 - b7


@kernel
def _satd_strip_8(first, y, x, second, sy, sx, w, tmp):
    """Eight rows.  Columns are transformed side by side, each block is transposed, then its rows are transformed."""
    w = natural(w)
    # Constants would be literals, for each of which Numba would compile the callee anew.
    eight, start, turned = np.int64(8), np.int64(0), np.int64(_TURNED)
    _load_difference(first, y, x, second, sy, sx, w, eight, tmp)
    _hadamard_columns_8(tmp, start, w)
    for c in range(0, w, 8):
        for j in range(8):
            for i in range(8):
                tmp[_TURNED + 64 * i + c + j] = tmp[64 * j + c + i]
    _hadamard_columns_8(tmp, turned, w)
    for i in range(w):
        total = np.int32(0)
        for k in range(_TURNED, 1024, 64):
            total += abs(tmp[k + i])
        tmp[i] = total
    strip = np.int64(0)
    for c in range(0, w, 8):
        block = np.int32(0)
        for i in range(8):
            block += tmp[c + i]
        strip += (block + 2) >> 2
    return strip


@kernel
def _satd_strip_4(first, y, x, second, sy, sx, w, tmp):
    """Four rows of 4x4 blocks."""
    w = natural(w)
    _load_difference(first, y, x, second, sy, sx, w, np.int64(4), tmp)
    for i in range(w):
        a0, a1, a2, a3 = tmp[i], tmp[i + 64], tmp[i + 128], tmp[i + 192]
        b0, b1, b2, b3 = a0 + a2, a1 + a3, a0 - a2, a1 - a3
        tmp[i], tmp[i + 64], tmp[i + 128], tmp[i + 192] = b0 + b1, b0 - b1, b2 + b3, b2 - b3
    strip = np.int64(0)
    for c in range(0, w, 4):
        block = np.int32(0)
        for k in range(c, c + 256, 64):
            b0, b1, b2, b3 = tmp[k] + tmp[k + 2], tmp[k + 1] + tmp[k + 3], tmp[k] - tmp[k + 2], tmp[k + 1] - tmp[k + 3]
            block += max(abs(b0), abs(b1)) + max(abs(b2), abs(b3))  # |a + b| + |a - b| = 2 max(|a|, |b|)
        strip += (2 * block + 1) >> 1
    return strip
