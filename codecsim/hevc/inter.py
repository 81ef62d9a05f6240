"""Normative.  Motion compensation: quarter-sample luma and eighth-sample chroma interpolation, and bi-prediction.

Every motion vector is legal.  The reference planes are padded by PAD_Y = 80 and PAD_C = 40 samples that repeat the
picture's edge, and a block's origin (integer part of its displaced position) is clamped to stay inside the padding.
The clamp changes nothing: a luma block of w <= 64 columns at column c reads columns c - 3 .. c + w + 3.  For c <= -72
these all lie left of column 0 and hold the same sample in each row, so c = -72 gives the same result and reads no
further than column -75; for c >= W + 8 they all lie right of column W - 1, and c = W + 8 reads no further than W + 75.
Rows alike.  Chroma blocks of w <= 32 read c - 1 .. c + w + 1: the bounds are -36 and W + 4, the farthest columns -37
and W + 37.

`tmp` is int32 scratch of TMP_SIZE entries: 71 rows of 64.
"""

import numpy as np

from codecsim.hevc.indexing import natural
from codecsim.hevc.tables import CHROMA_TAPS, LUMA_TAPS
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Area, Vector
from codecsim.picture.planes import PAD_C, PAD_Y

TMP_SIZE = 71 * 64


@kernel
def _load_rows(ref, sy, sx, w, rows, tmp):
    sx = natural(sx)
    for j in range(rows):
        r = natural(sy + j)
        for i in range(w):
            tmp[j * 64 + i] = ref[r, sx + i]


@kernel
def _interpolate_luma(ref, source, phase, bit_depth, tmp):
    """14-bit prediction in tmp[j * 64 + i] of an Area of `ref`, moved by a `phase`, a Vector that is not zero.

    Rows are filtered first, h + 7 of them from tmp[0] on, then columns in place.  The first sum is below 88 * 2**10 in
    magnitude, its shifted value below 2**15, the second sum below 112 * 2**15.

    Source: H.265 8.5.3.3.3.1.
    """
    sx, sy, w, h = source
    phase_x, phase_y = phase
    shift = bit_depth - 8
    top = sy - 3 if phase_y != 0 else sy
    rows = h + 7 if phase_y != 0 else h
    if phase_x == 0:
        _load_rows(ref, top, sx, w, rows, tmp)
    else:
        t0, t1, t2, t3 = LUMA_TAPS[phase_x, 0], LUMA_TAPS[phase_x, 1], LUMA_TAPS[phase_x, 2], LUMA_TAPS[phase_x, 3]
        t4, t5, t6, t7 = LUMA_TAPS[phase_x, 4], LUMA_TAPS[phase_x, 5], LUMA_TAPS[phase_x, 6], LUMA_TAPS[phase_x, 7]
        left = natural(sx - 3)
        for j in range(rows):
            r = natural(top + j)
            for i in range(w):
                c = left + i
                total = t0 * ref[r, c] + t1 * ref[r, c + 1] + t2 * ref[r, c + 2] + t3 * ref[r, c + 3]
                total += t4 * ref[r, c + 4] + t5 * ref[r, c + 5] + t6 * ref[r, c + 6] + t7 * ref[r, c + 7]
                tmp[j * 64 + i] = np.int32(total) >> shift
        shift = 6
    if phase_y == 0:
        return
    t0, t1, t2, t3 = LUMA_TAPS[phase_y, 0], LUMA_TAPS[phase_y, 1], LUMA_TAPS[phase_y, 2], LUMA_TAPS[phase_y, 3]
    t4, t5, t6, t7 = LUMA_TAPS[phase_y, 4], LUMA_TAPS[phase_y, 5], LUMA_TAPS[phase_y, 6], LUMA_TAPS[phase_y, 7]
    for j in range(h):
        for i in range(w):
            k = j * 64 + i
            total = t0 * tmp[k] + t1 * tmp[k + 64] + t2 * tmp[k + 128] + t3 * tmp[k + 192]
            total += t4 * tmp[k + 256] + t5 * tmp[k + 320] + t6 * tmp[k + 384] + t7 * tmp[k + 448]
            tmp[k] = np.int32(total) >> shift


@kernel
def _interpolate_chroma(ref, source, phase, bit_depth, tmp):
    """As `_interpolate_luma`, with 4 taps and phases in eighths.  Source: H.265 8.5.3.3.3.2."""
    sx, sy, w, h = source
    phase_x, phase_y = phase
    shift = bit_depth - 8
    top = sy - 1 if phase_y != 0 else sy
    rows = h + 3 if phase_y != 0 else h
    if phase_x == 0:
        _load_rows(ref, top, sx, w, rows, tmp)
    else:
        t0, t1 = CHROMA_TAPS[phase_x, 0], CHROMA_TAPS[phase_x, 1]
        t2, t3 = CHROMA_TAPS[phase_x, 2], CHROMA_TAPS[phase_x, 3]
        left = natural(sx - 1)
        for j in range(rows):
            r = natural(top + j)
            for i in range(w):
                c = left + i
                total = t0 * ref[r, c] + t1 * ref[r, c + 1] + t2 * ref[r, c + 2] + t3 * ref[r, c + 3]
                tmp[j * 64 + i] = np.int32(total) >> shift
        shift = 6
    if phase_y == 0:
        return
    t0, t1 = CHROMA_TAPS[phase_y, 0], CHROMA_TAPS[phase_y, 1]
    t2, t3 = CHROMA_TAPS[phase_y, 2], CHROMA_TAPS[phase_y, 3]
    for j in range(h):
        for i in range(w):
            k = j * 64 + i
            total = t0 * tmp[k] + t1 * tmp[k + 64] + t2 * tmp[k + 128] + t3 * tmp[k + 192]
            tmp[k] = np.int32(total) >> shift


@kernel
def _copy_samples(ref, source, dst, at):
    sy, sx, dy, dx = natural(source.y), natural(source.x), natural(at.y), natural(at.x)
    for j in range(source.h):
        for i in range(source.w):
            dst[dy + j, dx + i] = ref[sy + j, sx + i]


@kernel
def _round_samples(tmp, w, h, bit_depth, dst, at):
    """Default weighting of one 14-bit prediction.  Source: H.265 8.5.3.3.4.2."""
    dy, dx = natural(at.y), natural(at.x)
    limit = np.int32((1 << bit_depth) - 1)
    shift = 14 - bit_depth
    rounding = np.int32(1 << (shift - 1))
    for j in range(h):
        for i in range(w):
            dst[dy + j, dx + i] = min(max(np.int32(tmp[j * 64 + i] + rounding) >> shift, np.int32(0)), limit)


@kernel
def _store_14bit(ref, source, interpolated, bit_depth, tmp, dst, at):
    sy, sx, dy, dx = natural(source.y), natural(source.x), natural(at.y), natural(at.x)
    w, h = source.w, source.h
    if interpolated:
        for j in range(h):
            for i in range(w):
                dst[dy + j, dx + i] = tmp[j * 64 + i]
    else:
        for j in range(h):
            for i in range(w):
                dst[dy + j, dx + i] = np.int32(ref[sy + j, sx + i]) << (14 - bit_depth)


@kernel(inline=True)
def _clamp_origin(position, size, pad, block, reach):
    """Index in a padded plane of `size` rows or columns of an origin clamped as the module's docstring proves."""
    return natural(min(max(position, -block - reach), size - 2 * pad + reach) + pad)


@kernel(inline=True)
def _moved_luma(ref, mv, area):
    """The Area of the padded luma plane `ref` that a block moved by whole samples lies on."""
    sy = _clamp_origin(area.y + (mv.y >> 2), ref.shape[0], PAD_Y, 64, 8)
    sx = _clamp_origin(area.x + (mv.x >> 2), ref.shape[1], PAD_Y, 64, 8)
    return Area(sx, sy, area.w, area.h)


@kernel(inline=True)
def _moved_chroma(ref, mv, area):
    """The same of chroma."""
    sy = _clamp_origin(area.y + (mv.y >> 3), ref.shape[0], PAD_C, 32, 4)
    sx = _clamp_origin(area.x + (mv.x >> 3), ref.shape[1], PAD_C, 32, 4)
    return Area(sx, sy, area.w, area.h)


@kernel
def predict_luma_uni(ref, mv, area, dst, at, tmp, bit_depth):
    """Luma prediction from one reference with default weights.

    Parameters
    ----------
    ref : (H + 160, W + 160) uint16
        Padded luma plane of the reference picture.
    mv : Vector
    area : Area
        The block in the picture; w, h <= 64.
    dst : uint16, `at` : Place
        dst[at.y + j, at.x + i] of the block is written.
    tmp : (TMP_SIZE,) int32

    Source: H.265 8.5.3.3.3.1, 8.5.3.3.4.2.
    """
    source = _moved_luma(ref, mv, area)
    if (mv.x | mv.y) & 3 == 0:
        _copy_samples(ref, source, dst, at)
    else:
        _interpolate_luma(ref, source, Vector(mv.x & 3, mv.y & 3), bit_depth, tmp)
        _round_samples(tmp, area.w, area.h, bit_depth, dst, at)


@kernel
def predict_chroma_uni(ref, mv, area, dst, at, tmp, bit_depth):
    """Chroma prediction from one reference with default weights.

    Parameters
    ----------
    ref : (H / 2 + 80, W / 2 + 80) uint16
        Padded chroma plane of the reference picture.
    mv : Vector
        The luma motion vector, read as eighths of a chroma sample (4:2:0).
    area : Area
        The block in chroma samples; w, h <= 32.
    dst, at, tmp, bit_depth
        As for `predict_luma_uni`.

    Source: H.265 8.5.3.3.3.2, 8.5.3.3.4.2.
    """
    source = _moved_chroma(ref, mv, area)
    if (mv.x | mv.y) & 7 == 0:
        _copy_samples(ref, source, dst, at)
    else:
        _interpolate_chroma(ref, source, Vector(mv.x & 7, mv.y & 7), bit_depth, tmp)
        _round_samples(tmp, area.w, area.h, bit_depth, dst, at)


@kernel
def predict_luma_14bit(ref, mv, area, dst, at, tmp, bit_depth):
    """One half of a luma bi-prediction: as `predict_luma_uni`, with dst int32 at 14-bit precision, -16830..33150."""
    source = _moved_luma(ref, mv, area)
    interpolated = (mv.x | mv.y) & 3 != 0
    if interpolated:
        _interpolate_luma(ref, source, Vector(mv.x & 3, mv.y & 3), bit_depth, tmp)
    _store_14bit(ref, source, interpolated, bit_depth, tmp, dst, at)


@kernel
def predict_chroma_14bit(ref, mv, area, dst, at, tmp, bit_depth):
    """One half of a chroma bi-prediction: as `predict_chroma_uni`, with dst int32 at 14-bit precision."""
    source = _moved_chroma(ref, mv, area)
    interpolated = (mv.x | mv.y) & 7 != 0
    if interpolated:
        _interpolate_chroma(ref, source, Vector(mv.x & 7, mv.y & 7), bit_depth, tmp)
    _store_14bit(ref, source, interpolated, bit_depth, tmp, dst, at)


@kernel
def average_bi(first, second, area, dst, at, bit_depth):
    """Default weighted average of two 14-bit predictions, an Area of both int32 arrays, into uint16 dst.

    Source: H.265 8.5.3.3.4.2.
    """
    limit = np.int32((1 << bit_depth) - 1)
    shift = 15 - bit_depth
    rounding = np.int32(1 << (shift - 1))
    y, x, dy, dx = natural(area.y), natural(area.x), natural(at.y), natural(at.x)
    for j in range(area.h):
        for i in range(area.w):
            total = np.int32(first[y + j, x + i] + second[y + j, x + i] + rounding)
            dst[dy + j, dx + i] = min(max(total >> shift, np.int32(0)), limit)
