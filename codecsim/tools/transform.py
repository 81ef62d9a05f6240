"""Normative.  Scaling, inverse transforms and residual addition; beside them the encoder's forward transforms.

A block of n x n residuals or coefficients is a flat int32 array of at least 1024 entries, [j * n + i].  `tmp` is int32
scratch of TMP_SIZE entries.  Both are allocated once by the caller.
"""

import numpy as np

from codecsim.jit import kernel
from codecsim.tables import DCT32, DST4, LEVEL_SCALE

RES_SIZE = 1024
TMP_SIZE = 2 * 1024 + 64

_STAGE = 1024  # where the first stage's output starts in tmp
_SUMS = 2048  # two lines of 32 sums


_HALF = np.ascontiguousarray(DCT32[:, :16])


def _make_forward(parity):
    """(4, 16, 16) int32 [log2 - 2, sample, k]: the weight of frequency 2k + parity at a sample of the first half."""
    table = np.zeros((4, 16, 16), np.int32)
    for index in range(4):
        half = 2 << index
        table[index, :half, :half] = DCT32[:: 8 >> index][parity::2, :half].T
    return table


_FORWARD_EVEN = _make_forward(0)
_FORWARD_ODD = _make_forward(1)


@kernel(inline=True)
def _clip16(value):
    return min(max(value, np.int32(-32768)), np.int32(32767))


@kernel
def dequantise(levels, y, x, log2, qp, bit_depth, out):
    """Scale the levels of a block with flat scaling lists.

    Parameters
    ----------
    levels : (h, w) int16
        The block's levels stand at levels[y + v, x + u].
    qp : int
        QP of the component with QpBdOffset added (qP of 8.6.1): 0..51 for 8 bit, 0..63 for 10 bit.
    out : (>= 1024,) int32
        out[v * n + u] receives coefficients in -32768..32767.

    Returns
    -------
    last_v, last_u : int
        Highest row and highest column that hold a nonzero level; -1, -1 for an empty block.

    Source: H.265 8.6.4.1 (m = 16).
    """
    n = 1 << log2
    # The 16 of the flat list is taken out of both the factor and the shift (bdShift = bit_depth + log2 - 5).
    shift = bit_depth + log2 - 9
    scale = np.int32(LEVEL_SCALE[qp % 6] << (qp // 6))
    # Levels beyond the limit give clipped coefficients anyway; clipping them first keeps the product below 2**23.
    limit = np.int32((32768 << shift) // scale + 1)
    half = np.int32((1 << shift) >> 1)
    last_v = -1
    last_u = -1
    for v in range(n):
        seen = np.int32(0)
        for u in range(n):
            level = np.int32(levels[y + v, x + u])
            seen |= level
            level = np.int32(min(max(level, -limit), limit))
            out[v * n + u] = _clip16(np.int32(level * scale + half) >> shift)
        if seen != 0:
            last_v = v
            u = n - 1
            while u > last_u:
                if levels[y + v, x + u] != 0:
                    last_u = u
                u -= 1
    return last_v, last_u


@kernel
def inv_dct(coefs, log2, last_v, last_u, bit_depth, res, tmp):
    """Inverse DCT, columns first, with 16-bit clipping between the stages.

    Parameters
    ----------
    coefs : (>= 1024,) int32
        coefs[v * n + u], -32768..32767; may be the start of `tmp`.
    last_v, last_u : int
        Rows above last_v and columns above last_u are zero; both >= 0.
    res : (>= 1024,) int32
        res[j * n + i] is written.
    tmp : (TMP_SIZE,) int32
        Entries from 1024 on are overwritten.

    Source: H.265 8.6.4.2.  A sum is at most 32 * 90 * 32768 < 2**27.
    """
    n = 1 << log2
    half = n >> 1
    stride = 32 >> log2
    shift = 20 - bit_depth
    rounding = np.int32(1 << (shift - 1))
    if last_v == 0 and last_u == 0:
        flat = _clip16(np.int32(64 * coefs[0] + 64) >> 7)
        flat = np.int32(np.int32(64 * flat + rounding) >> shift)
        for k in range(n * n):
            res[k] = flat
        return
    wide = min(n, (last_u + 4) & -4)
    odd = _SUMS + 32
    for j in range(half):
        for u in range(wide):
            tmp[_SUMS + u] = 64 * coefs[u] + 64
            tmp[odd + u] = 0
        for v in range(1, last_v + 1, 2):
            weight = _HALF[v * stride, j]
            for u in range(wide):
                tmp[odd + u] += weight * coefs[v * n + u]
        for v in range(2, last_v + 1, 2):
            weight = _HALF[v * stride, j]
            for u in range(wide):
                tmp[_SUMS + u] += weight * coefs[v * n + u]
        for u in range(wide):
            even = tmp[_SUMS + u]
            tmp[_STAGE + j * n + u] = _clip16(np.int32(even + tmp[odd + u]) >> 7)
            tmp[_STAGE + (n - 1 - j) * n + u] = _clip16(np.int32(even - tmp[odd + u]) >> 7)
    for j in range(n):
        row = _STAGE + j * n
        for i in range(half):
            tmp[_SUMS + i] = 64 * tmp[row] + rounding
            tmp[odd + i] = 0
        for u in range(1, last_u + 1, 2):
            weight = tmp[row + u]
            for i in range(half):
                tmp[odd + i] += weight * _HALF[u * stride, i]
        for u in range(2, last_u + 1, 2):
            weight = tmp[row + u]
            for i in range(half):
                tmp[_SUMS + i] += weight * _HALF[u * stride, i]
        for i in range(half):
            even = tmp[_SUMS + i]
            res[j * n + i] = np.int32(even + tmp[odd + i]) >> shift
            res[j * n + n - 1 - i] = np.int32(even - tmp[odd + i]) >> shift


@kernel
def inv_dst(coefs, bit_depth, res, tmp):
    """Inverse 4x4 DST of coefs[v * 4 + u] into res[j * 4 + i].  Source: H.265 8.6.4.2."""
    shift = 20 - bit_depth
    rounding = 1 << (shift - 1)
    for j in range(4):
        for u in range(4):
            total = np.int32(64)
            for v in range(4):
                total += DST4[v, j] * coefs[v * 4 + u]
            tmp[_STAGE + j * 4 + u] = _clip16(np.int32(total) >> 7)
    for j in range(4):
        for i in range(4):
            total = np.int32(rounding)
            for u in range(4):
                total += DST4[u, i] * tmp[_STAGE + j * 4 + u]
            res[j * 4 + i] = np.int32(total) >> shift


@kernel
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
    elif is_dst:
        inv_dst(tmp, bit_depth, res, tmp)
    else:
        inv_dct(tmp, log2, last_v, last_u, bit_depth, res, tmp)


@kernel
def dequant_transform_skip(levels, y, x, log2, qp, bit_depth, res):
    """Residual of a transform-skipped block (transform_skip_flag 1, no RDPCM): scaling alone.

    Source: H.265 8.6.4.1 and 8.6.4.2 with tsShift = 5 + log2, extended_precision_processing_flag 0.
    """
    dequantise(levels, y, x, log2, qp, bit_depth, res)
    up = 5 + log2
    shift = 20 - bit_depth
    for k in range(1 << 2 * log2):
        res[k] = np.int32((res[k] << up) + (1 << (shift - 1))) >> shift


@kernel
def add_residual(pred, py, px, res, n, rec, ry, rx, bit_depth):
    """rec[ry + j, rx + i] = pred[py + j, px + i] + res[j * n + i], clipped to the sample range.

    `pred` and `rec` are uint16 planes and may be the same.  Source: H.265 8.6.7 (recSamples).
    """
    limit = np.int32((1 << bit_depth) - 1)
    for j in range(n):
        for i in range(n):
            sample = np.int32(np.int32(pred[py + j, px + i]) + res[j * n + i])
            rec[ry + j, rx + i] = min(max(sample, np.int32(0)), limit)


@kernel
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
    if is_dst:
        _fwd_dst(res, bit_depth, out, tmp)
        return
    n = 1 << log2
    half = n >> 1
    stride = 32 >> log2
    shift = log2 + bit_depth - 9
    rounding = np.int32((1 << shift) >> 1)
    # Rows: tmp[_STAGE + j * n + k] is frequency 2k, tmp[_STAGE + j * n + half + k] is frequency 2k + 1.
    for j in range(n):
        row = _STAGE + j * n
        for k in range(n):
            tmp[_SUMS + k] = rounding
        for i in range(half):
            plus = np.int32(res[j * n + i] + res[j * n + n - 1 - i])
            minus = np.int32(res[j * n + i] - res[j * n + n - 1 - i])
            for k in range(half):
                tmp[_SUMS + k] += plus * _FORWARD_EVEN[log2 - 2, i, k]
                tmp[_SUMS + half + k] += minus * _FORWARD_ODD[log2 - 2, i, k]
        for k in range(n):
            tmp[row + k] = tmp[_SUMS + k] >> shift
    for j in range(half):
        for k in range(n):
            near, far = tmp[_STAGE + j * n + k], tmp[_STAGE + (n - 1 - j) * n + k]
            tmp[_STAGE + j * n + k] = near + far
            tmp[_STAGE + (n - 1 - j) * n + k] = near - far
    shift = log2 + 6
    for v in range(n):
        for k in range(n):
            tmp[_SUMS + k] = np.int32(1 << (shift - 1))
        for j in range(half):
            weight = DCT32[v * stride, j]
            row = _STAGE + (j if v & 1 == 0 else n - 1 - j) * n
            for k in range(n):
                tmp[_SUMS + k] += weight * tmp[row + k]
        for k in range(half):
            out[v * n + 2 * k] = tmp[_SUMS + k] >> shift
            out[v * n + 2 * k + 1] = tmp[_SUMS + half + k] >> shift


@kernel
def _fwd_dst(res, bit_depth, out, tmp):
    shift = bit_depth - 7
    for j in range(4):
        for u in range(4):
            total = np.int32((1 << shift) >> 1)
            for i in range(4):
                total += DST4[u, i] * res[j * 4 + i]
            tmp[j * 4 + u] = total >> shift
    for v in range(4):
        for u in range(4):
            total = np.int32(128)
            for j in range(4):
                total += DST4[v, j] * tmp[j * 4 + u]
            out[v * 4 + u] = total >> 8
