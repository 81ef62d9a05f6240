"""Normative.  Scaling, inverse transforms and residual addition; beside them the encoder's forward transforms.

A block of n x n residuals is a flat int32 array of at least 1024 entries, [j * n + i]; so are the coefficients that
the forward transform gives.  `tmp` is int32 scratch of TMP_SIZE entries.  Both are allocated once by the caller.
Inside tmp rows are 32 entries apart whatever n is, so that LLVM knows which rows cannot overlap.

The transforms are plain matrix products of pairs of terms (transform_ir.py), the inverse ones cut short after the last
row and column that hold a nonzero coefficient.  In most blocks these come early.
"""

import numpy as np

from codecsim.hevc.indexing import natural
from codecsim.hevc.tables import DCT32, DST4, LEVEL_SCALE
from codecsim.hevc.transform_ir import STEP, multiply, multiply_packed, pack
from codecsim.kernels.jit import kernel

RES_SIZE = 1024
TMP_SIZE = 2 * 1024 + 32

_STAGE = 1024  # where values between the stages start in tmp
_LATE_STAGE = 1536  # pairs of values take half the room
_SUMS = 2048  # one line of sums


def _packed(matrix):
    """(n / 2, n) int32: rows 2 k and 2 k + 1 of a matrix as pairs of int16, which `multiply` takes."""
    return matrix[::2] & 0xFFFF | matrix[1::2] << 16


def _make_pairs(transposed):
    """(5, 16, 32) int32 [log2 - 2, k, u]: the packed matrix of each size and, last, the DST; or transposed."""
    pairs = np.zeros((5, 16, 32), np.int32)
    for index, matrix in enumerate([*(DCT32[:: 32 // n, :n] for n in (4, 8, 16, 32)), DST4]):
        n = len(matrix)
        pairs[index, : n // 2, :n] = _packed(matrix.T if transposed else matrix)
    return pairs


_BY_FREQUENCY = _make_pairs(False)  # frequencies 2 k and 2 k + 1 of sample u
_BY_SAMPLE = _make_pairs(True)  # samples 2 k and 2 k + 1 of frequency u
_DST = 4  # place of the DST in these


@kernel(inline=True)
def _clip16(value):
    return min(max(value, np.int32(-32768)), np.int32(32767))


@kernel
def dequantise(levels, y, x, log2, qp, bit_depth, tmp):
    """Scale the levels of a block with flat scaling lists.

    Parameters
    ----------
    levels : (h, w) int16
        The block's levels stand at levels[y + v, x + u].
    qp : int
        QP of the component with QpBdOffset added (qP of 8.6.1): 0..51 for 8 bit, 0..63 for 10 bit.
    tmp : (TMP_SIZE,) int32
        tmp[32 * v + u] receives coefficients in -32768..32767.

    Returns
    -------
    last_v, last_u : int
        Highest row and highest column that hold a nonzero level; -1, -1 for an empty block.

    Source: H.265 8.6.4.1 (m = 16).
    """
    n = natural(1 << log2)
    y, x = natural(y), natural(x)
    # The 16 of the flat list is taken out of both the factor and the shift (bdShift = bit_depth + log2 - 5).
    shift = bit_depth + log2 - 9
    scale = np.int32(LEVEL_SCALE[qp % 6] << (qp // 6))
    # Levels beyond the limit give clipped coefficients anyway; clipping them first keeps the product below 2**23.
    limit = np.int32((32768 << shift) // scale + 1)
    half = np.int32((1 << shift) >> 1)
    for u in range(n):
        tmp[_SUMS + u] = 0
    last_v = -1
    for v in range(n):
        seen = np.int32(0)
        row = natural(y + v)
        for u in range(n):
            seen |= np.int32(levels[row, x + u])
        if seen == 0:
            for u in range(n):
                tmp[32 * v + u] = 0
            continue
        last_v = v
        for u in range(n):
            level = np.int32(levels[row, x + u])
            tmp[_SUMS + u] |= level
            level = np.int32(min(max(level, -limit), limit))
            tmp[32 * v + u] = _clip16(np.int32(level * scale + half) >> shift)
    last_u = n - 1 if last_v >= 0 else -1
    while last_u >= 0 and tmp[_SUMS + last_u] == 0:
        last_u -= 1
    return last_v, last_u


@kernel
def inv_transform(log2, is_dst, last_v, last_u, bit_depth, res, tmp):
    """Inverse DCT of 4x4 to 32x32 or DST of 4x4, columns first, with 16-bit clipping between the stages.

    Parameters
    ----------
    last_v, last_u : int
        Rows above last_v and columns above last_u are zero; both >= 0.
    res : (>= 1024,) int32
        res[j * n + i] is written.
    tmp : (TMP_SIZE,) int32
        Coefficients at tmp[32 * v + u], -32768..32767; rows and columns of the block all set.  Overwritten beyond 1024.

    Source: H.265 8.6.4.2.  A sum is at most 32 * 90 * 32768 < 2**27.
    """
    n = natural(1 << log2)
    shift = 20 - bit_depth
    rounding = np.int32(1 << (shift - 1))
    if last_v == 0 and last_u == 0 and not is_dst:
        flat = _clip16(np.int32(64 * tmp[0] + 64) >> 7)
        flat = np.int32(64 * flat + rounding) >> shift
        for k in range(n * n):
            res[k] = flat
        return
    count_v, count_u = natural((last_v + 2) >> 1), natural((last_u + 2) >> 1)
    matrix = natural(512 * (_DST if is_dst else log2 - 2))
    for k in range(count_v):
        for u in range(n):
            tmp[_STAGE + STEP * k + u] = pack(tmp[64 * k + u], tmp[64 * k + 32 + u])
    # the first stage's output is transposed: columns of the block are its lines
    multiply_packed(
        tmp, _STAGE, 1, STEP, _BY_FREQUENCY, matrix, count_v, n, last_u + 1, np.int64(7), tmp, _LATE_STAGE
    )  # fmt: skip
    multiply(tmp, _LATE_STAGE, 1, STEP, _BY_FREQUENCY, matrix, count_u, n, shift, res)


@kernel(unit=True)
def dequant_inverse(levels, tb, qp, is_dst, bit_depth, res, tmp):
    """Residual of a transform block from its levels.

    Parameters
    ----------
    levels : (h, w) int16
        The block's levels stand at levels[tb.y + v, tb.x + u].
    tb : TransformBlock
    qp : int
        As for `dequantise`.
    is_dst : bool
        4x4 DST (intra luma 4x4) instead of DCT.
    res : (>= 1024,) int32
        res[j * n + i] is written, all zeros for an empty block.
    tmp : (TMP_SIZE,) int32

    Source: H.265 8.6.2 to 8.6.4.
    """
    last_v, last_u = dequantise(levels, tb.y, tb.x, tb.log2, qp, bit_depth, tmp)
    if last_v < 0:
        for k in range(1 << 2 * tb.log2):
            res[k] = 0
    else:
        inv_transform(tb.log2, is_dst, last_v, last_u, bit_depth, res, tmp)


@kernel
def dequant_transform_skip(levels, tb, qp, bit_depth, res, tmp):
    """Residual of a transform-skipped block (transform_skip_flag 1, no RDPCM): scaling alone.

    Source: H.265 8.6.4.1 and 8.6.4.2 with tsShift = 5 + log2, extended_precision_processing_flag 0.
    """
    dequantise(levels, tb.y, tb.x, tb.log2, qp, bit_depth, tmp)
    n = natural(1 << tb.log2)
    up = 5 + tb.log2
    shift = 20 - bit_depth
    rounding = np.int32(1 << (shift - 1))
    for j in range(n):
        for i in range(n):
            res[j * n + i] = np.int32((tmp[32 * j + i] << up) + rounding) >> shift


@kernel
def add_residual(pred, at, res, n, rec, to, bit_depth):
    """rec[to.y + j, to.x + i] = pred[at.y + j, at.x + i] + res[j * n + i], clipped to the sample range.

    `pred` and `rec` are uint16 planes and may be the same; `at` and `to` are Places.  Source: H.265 8.6.7 (recSamples).
    """
    limit = np.int32((1 << bit_depth) - 1)
    n, py, px, ry, rx = natural(n), natural(at.y), natural(at.x), natural(to.y), natural(to.x)
    for j in range(n):
        for i in range(n):
            sample = np.int32(np.int32(pred[py + j, px + i]) + res[j * n + i])
            rec[ry + j, rx + i] = min(max(sample, np.int32(0)), limit)


@kernel
def subtract(orig, y, x, pred, py, px, n, res):
    """res[j * n + i] = orig[y + j, x + i] - pred[py + j, px + i], both uint16.  Encoder only: see `add_residual`."""
    n, y, x, py, px = natural(n), natural(y), natural(x), natural(py), natural(px)
    for j in range(n):
        for i in range(n):
            res[j * n + i] = np.int32(orig[y + j, x + i]) - np.int32(pred[py + j, px + i])


@kernel(unit=True)
def fwd_transform(res, log2, is_dst, bit_depth, out, tmp):
    """Forward DCT or DST, rows first, with the integer shifts of the HM encoder.

    Parameters
    ----------
    res : (>= 1024,) int32
        res[j * n + i], |res| < 2**bit_depth.
    out : (>= 1024,) int32
        out[v * n + u]: coefficients that fit 16 bits, orthonormal values times 2**(15 - bit_depth - log2).
    tmp : (TMP_SIZE,) int32

    Encoder only.
    """
    n = natural(1 << log2)
    matrix = natural(512 * (_DST if is_dst else log2 - 2))
    half = natural(n >> 1)
    for k in range(n * half):
        tmp[k] = pack(res[2 * k], res[2 * k + 1])
    multiply_packed(tmp, 0, half, 1, _BY_SAMPLE, matrix, half, n, n, log2 + bit_depth - 9, tmp, _STAGE)
    multiply(_BY_SAMPLE, matrix, 1, STEP, tmp, _STAGE, half, n, log2 + 6, out)


@kernel
def fwd_transform_skip(res, log2, bit_depth, out):
    """The residual at the scale of `fwd_transform`'s coefficients, whose arguments these are.  Encoder only."""
    up = 15 - bit_depth - log2
    for k in range(1 << 2 * log2):
        out[k] = res[k] << up
