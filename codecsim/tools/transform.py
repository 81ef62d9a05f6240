"""Normative.  Scaling, inverse transforms and residual addition; beside them the encoder's forward transforms.

A block of n x n residuals is a flat int32 array of at least 1024 entries, [j * n + i]; so are the coefficients that
the forward transform gives.  `tmp` is int32 scratch of TMP_SIZE entries.  Both are allocated once by the caller.
Inside tmp rows are 32 entries apart whatever n is, so that LLVM knows which rows cannot overlap.

The transforms are plain matrix products, four terms at a time along rows that vectorise, cut short after the last row
and column that hold a nonzero coefficient.  In most blocks these come early.
"""

import numpy as np

from codecsim.jit import kernel
from codecsim.tables import DCT32, DST4, LEVEL_SCALE
from codecsim.tools.indexing import natural

RES_SIZE = 1024
TMP_SIZE = 2 * 1024 + 32

_STAGE = 1024  # where the first stage's output starts in tmp
_SUMS = 2048  # one line of sums


def _make_matrices():
    """(4, 32, 32) int32 [log2 - 2, frequency, sample]: the matrix of each size, zero beyond it."""
    matrices = np.zeros((4, 32, 32), np.int32)
    for index in range(4):
        n = 4 << index
        matrices[index, :n, :n] = DCT32[:: 8 >> index, :n]
    return matrices


_DCT = _make_matrices()
_FOUR = np.stack([DCT32[::8, :4], DST4])
_DCT_TRANSPOSED = np.ascontiguousarray(_DCT.transpose(0, 2, 1))


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
def inv_dct(log2, last_v, last_u, bit_depth, res, tmp):
    """Inverse DCT of 8x8 to 32x32, columns first, with 16-bit clipping between the stages.

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
    index = natural(log2 - 2)
    shift = 20 - bit_depth
    rounding = np.int32(1 << (shift - 1))
    if last_v == 0 and last_u == 0:
        flat = _clip16(np.int32(64 * tmp[0] + 64) >> 7)
        flat = np.int32(64 * flat + rounding) >> shift
        for k in range(n * n):
            res[k] = flat
        return
    rows, columns = natural(last_v + 1), natural(last_u + 1)
    wide = natural(min(n, (columns + 7) & -8))
    for j in range(n):
        for u in range(wide):
            tmp[_SUMS + u] = 64
        for v in range(0, rows, 4):
            w0, w1, w2, w3 = _DCT[index, v, j], _DCT[index, v + 1, j], _DCT[index, v + 2, j], _DCT[index, v + 3, j]
            first = natural(32 * v)
            for u in range(wide):
                k = first + u
                tmp[_SUMS + u] += w0 * tmp[k] + w1 * tmp[k + 32] + w2 * tmp[k + 64] + w3 * tmp[k + 96]
        for u in range(wide):
            tmp[_STAGE + 32 * j + u] = _clip16(tmp[_SUMS + u] >> 7)
    for j in range(n):
        for i in range(n):
            tmp[_SUMS + i] = rounding
        for u in range(0, columns, 4):
            k = _STAGE + 32 * j + u
            w0, w1, w2, w3 = tmp[k], tmp[k + 1], tmp[k + 2], tmp[k + 3]
            for i in range(n):
                total = w0 * _DCT[index, u, i] + w1 * _DCT[index, u + 1, i]
                total += w2 * _DCT[index, u + 2, i] + w3 * _DCT[index, u + 3, i]
                tmp[_SUMS + i] += total
        for i in range(n):
            res[j * n + i] = tmp[_SUMS + i] >> shift


@kernel
def inv_4x4(is_dst, bit_depth, res, tmp):
    """Inverse 4x4 DST or DCT of the coefficients tmp[32 * v + u] into res[j * 4 + i].  Source: H.265 8.6.4.2."""
    which = 1 if is_dst else 0
    shift = 20 - bit_depth
    rounding = 1 << (shift - 1)
    for j in range(4):
        w0, w1, w2, w3 = _FOUR[which, 0, j], _FOUR[which, 1, j], _FOUR[which, 2, j], _FOUR[which, 3, j]
        for u in range(4):
            total = w0 * tmp[u] + w1 * tmp[32 + u] + w2 * tmp[64 + u] + w3 * tmp[96 + u]
            tmp[_STAGE + 4 * j + u] = _clip16(np.int32(total + 64) >> 7)
    for i in range(4):
        w0, w1, w2, w3 = _FOUR[which, 0, i], _FOUR[which, 1, i], _FOUR[which, 2, i], _FOUR[which, 3, i]
        for j in range(4):
            k = _STAGE + 4 * j
            total = w0 * tmp[k] + w1 * tmp[k + 1] + w2 * tmp[k + 2] + w3 * tmp[k + 3]
            res[4 * j + i] = np.int32(total + rounding) >> shift


@kernel(unit=True)
def dequant_inverse(levels, y, x, log2, qp, is_dst, bit_depth, res, tmp):
    """Residual of a transform block from its levels.

    Parameters
    ----------
    levels : (h, w) int16
        The block's levels stand at levels[y + v, x + u].
    log2 : int
        2..5.
    qp : int
        As for `dequantise`.
    is_dst : bool
        4x4 DST (intra luma 4x4) instead of DCT.
    res : (>= 1024,) int32
        res[j * n + i] is written, all zeros for an empty block.
    tmp : (TMP_SIZE,) int32

    Source: H.265 8.6.2 to 8.6.4.
    """
    last_v, last_u = dequantise(levels, y, x, log2, qp, bit_depth, tmp)
    if last_v < 0:
        for k in range(1 << 2 * log2):
            res[k] = 0
    elif log2 == 2:
        inv_4x4(is_dst, bit_depth, res, tmp)
    else:
        inv_dct(log2, last_v, last_u, bit_depth, res, tmp)


@kernel
def dequant_transform_skip(levels, y, x, log2, qp, bit_depth, res, tmp):
    """Residual of a transform-skipped block (transform_skip_flag 1, no RDPCM): scaling alone.

    Source: H.265 8.6.4.1 and 8.6.4.2 with tsShift = 5 + log2, extended_precision_processing_flag 0.
    """
    dequantise(levels, y, x, log2, qp, bit_depth, tmp)
    n = natural(1 << log2)
    up = 5 + log2
    shift = 20 - bit_depth
    rounding = np.int32(1 << (shift - 1))
    for j in range(n):
        for i in range(n):
            res[j * n + i] = np.int32((tmp[32 * j + i] << up) + rounding) >> shift


@kernel
def add_residual(pred, py, px, res, n, rec, ry, rx, bit_depth):
    """rec[ry + j, rx + i] = pred[py + j, px + i] + res[j * n + i], clipped to the sample range.

    `pred` and `rec` are uint16 planes and may be the same.  Source: H.265 8.6.7 (recSamples).
    """
    limit = np.int32((1 << bit_depth) - 1)
    n, py, px, ry, rx = natural(n), natural(py), natural(px), natural(ry), natural(rx)
    for j in range(n):
        for i in range(n):
            sample = np.int32(np.int32(pred[py + j, px + i]) + res[j * n + i])
            rec[ry + j, rx + i] = min(max(sample, np.int32(0)), limit)


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
    if log2 == 2:
        _fwd_4x4(res, is_dst, bit_depth, out, tmp)
        return
    n = natural(1 << log2)
    index = natural(log2 - 2)
    shift = log2 + bit_depth - 9
    rounding = np.int32((1 << shift) >> 1)
    for j in range(n):
        for u in range(n):
            tmp[_SUMS + u] = rounding
        for i in range(0, n, 4):
            k = j * n + i
            w0, w1, w2, w3 = res[k], res[k + 1], res[k + 2], res[k + 3]
            for u in range(n):
                total = w0 * _DCT_TRANSPOSED[index, i, u] + w1 * _DCT_TRANSPOSED[index, i + 1, u]
                total += w2 * _DCT_TRANSPOSED[index, i + 2, u] + w3 * _DCT_TRANSPOSED[index, i + 3, u]
                tmp[_SUMS + u] += total
        for u in range(n):
            tmp[32 * j + u] = tmp[_SUMS + u] >> shift
    # Sums of mirrored rows (for the even frequencies) and differences (for the odd) halve the second stage.
    half = natural(n >> 1)
    for j in range(half):
        mirrored = 32 * natural(n - 1 - j)
        for u in range(n):
            near, far = tmp[32 * j + u], tmp[mirrored + u]
            tmp[_STAGE + 32 * j + u] = near + far
            tmp[_STAGE + 512 + 32 * j + u] = near - far
    shift = log2 + 6
    rounding = np.int32(1 << (shift - 1))
    for v in range(n):
        for u in range(n):
            tmp[_SUMS + u] = rounding
        for j in range(0, half, 4):
            w0, w1, w2, w3 = _DCT[index, v, j], _DCT[index, v, j + 1], _DCT[index, v, j + 2], _DCT[index, v, j + 3]
            first = _STAGE + 512 * (v & 1) + 32 * j
            for u in range(n):
                k = first + u
                tmp[_SUMS + u] += w0 * tmp[k] + w1 * tmp[k + 32] + w2 * tmp[k + 64] + w3 * tmp[k + 96]
        for u in range(n):
            out[v * n + u] = tmp[_SUMS + u] >> shift


@kernel
def fwd_transform_skip(res, log2, bit_depth, out):
    """The residual at the scale of `fwd_transform`'s coefficients, whose arguments these are.  Encoder only."""
    up = 15 - bit_depth - log2
    for k in range(1 << 2 * log2):
        out[k] = res[k] << up


@kernel
def _fwd_4x4(res, is_dst, bit_depth, out, tmp):
    which = 1 if is_dst else 0
    shift = bit_depth - 7
    rounding = (1 << shift) >> 1
    for u in range(4):
        w0, w1, w2, w3 = _FOUR[which, u, 0], _FOUR[which, u, 1], _FOUR[which, u, 2], _FOUR[which, u, 3]
        for j in range(4):
            total = w0 * res[4 * j] + w1 * res[4 * j + 1] + w2 * res[4 * j + 2] + w3 * res[4 * j + 3]
            tmp[4 * j + u] = np.int32(total + rounding) >> shift
    for v in range(4):
        w0, w1, w2, w3 = _FOUR[which, v, 0], _FOUR[which, v, 1], _FOUR[which, v, 2], _FOUR[which, v, 3]
        for u in range(4):
            out[4 * v + u] = np.int32(w0 * tmp[u] + w1 * tmp[4 + u] + w2 * tmp[8 + u] + w3 * tmp[12 + u] + 128) >> 8
