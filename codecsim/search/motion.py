"""Motion search of a vector: full samples by SAD in a widening star, then half and quarter samples by SATD."""

import numpy as np

from codecsim.hevc.distortion import sad, satd
from codecsim.hevc.indexing import bit_length, natural
from codecsim.hevc.interpolation_ir import filter_line, filter_line_rounded
from codecsim.hevc.tables import LUMA_TAPS
from codecsim.kernels.jit import kernel
from codecsim.picture.planes import PAD_Y
from codecsim.search.state import SQRT_LAM

# eight directions, so that a step of s visits (s * x, s * y)
_STAR_X = np.array([0, 1, 1, 1, 0, -1, -1, -1], np.int64)
_STAR_Y = np.array([-1, -1, 0, 1, 1, 1, 0, -1], np.int64)
_STRIP = 16  # rows of a block after which a SAD is compared with the best
_MARGIN = 4  # samples at the border of the interpolated planes that are not filled


@kernel
def interpolate_picture(plane, subpel, tmp, bit_depth):
    """All sixteen quarter-sample phases of a padded luma plane.

    Parameters
    ----------
    plane : (h, w) uint16, padded, w a multiple of 8
    subpel : (16, h, w) uint16, written but for a margin of 4; phase 4 * y + x
    tmp : (h, w) int16, overwritten
    """
    h, w = plane.shape
    count = w - 2 * _MARGIN
    for fx in range(4):
        for y in range(h):
            at = y * w + _MARGIN
            filter_line(plane, at - 3, 1, LUMA_TAPS, 8 * fx, tmp, at, count, bit_depth - 8)
        for fy in range(4):
            out = subpel[4 * fy + fx]
            for y in range(_MARGIN, h - _MARGIN):
                at = y * w + _MARGIN
                filter_line_rounded(tmp, at - 3 * w, w, LUMA_TAPS, 8 * fy, out, at, count, bit_depth)


@kernel(inline=True)
def component_bits(value):
    """Rough number of bits of one motion vector difference component."""
    code = (-value << 1) + 1 if value <= 0 else value << 1
    return 2 * bit_length(code) - 1


@kernel(inline=True)
def vector_bits(mvp, mv_x, mv_y):
    """Rough bits of a vector in quarter samples with the better of the two predictors."""
    first = component_bits(mv_x - mvp[0, 0]) + component_bits(mv_y - mvp[0, 1])
    second = component_bits(mv_x - mvp[1, 0]) + component_bits(mv_y - mvp[1, 1])
    return min(first, second)


@kernel(inline=True)
def index_bits(st, side, ref):
    """Bits of a reference index."""
    count = st.sl.num_ref_l1 if side else st.sl.num_ref_l0
    return ref + 1 if ref + 1 < count else ref


@kernel(inline=True)
def _clamped(position, block, size):
    """Row or column of the interpolated planes where a block begins; far outside the picture all samples are alike."""
    return min(max(position, -block - 8), size + 8) + PAD_Y


@kernel
def moved_satd(st, first, fy, fx, side, ref, mv_x, mv_y, x, y, w, h):
    """SATD of first[fy.., fx..] against the luma block at (x, y), w x h, moved in a reference picture.

    first : the source, or `st.target`, int16
    """
    plane = st.subpel[st.rc.refs.slot_of[side, ref], ((mv_y & 3) << 2) | (mv_x & 3)]
    h_pic, w_pic = st.orig.y.shape
    ry, rx = _clamped(y + (mv_y >> 2), h, h_pic), _clamped(x + (mv_x >> 2), w, w_pic)
    return satd(first, fy, fx, plane, ry, rx, w, h)


@kernel(unit=True)
def aim_beside(st, side, ref, mv_x, mv_y, x, y, w, h):
    """`st.target` = twice the source less a prediction: what the other half of a bi-prediction should come close to."""
    plane = st.subpel[st.rc.refs.slot_of[side, ref], ((mv_y & 3) << 2) | (mv_x & 3)]
    h_pic, w_pic = st.orig.y.shape
    ry, rx = natural(_clamped(y + (mv_y >> 2), h, h_pic)), natural(_clamped(x + (mv_x >> 2), w, w_pic))
    y, x = natural(y), natural(x)
    target, source = st.target, st.orig.y
    for j in range(h):
        for i in range(w):
            target[j, i] = 2 * np.int32(source[y + j, x + i]) - np.int32(plane[ry + j, rx + i])


@kernel
def motion_satd(st, mv, ref, x, y, w, h):
    """SATD of a luma block against its prediction with motion `mv`, `ref` as in recon.set_motion."""
    k0, k1 = int(ref[0]), int(ref[1])
    if k0 >= 0 and k1 >= 0:
        aim_beside(st, 0, k0, int(mv[0, 0]), int(mv[0, 1]), x, y, w, h)
        return moved_satd(st, st.target, 0, 0, 1, k1, int(mv[1, 0]), int(mv[1, 1]), x, y, w, h) >> 1
    side = 0 if k0 >= 0 else 1
    return moved_satd(st, st.orig.y, y, x, side, max(k0, k1), int(mv[side, 0]), int(mv[side, 1]), x, y, w, h)


@kernel(inline=True)
def _full_cost(st, plane, x, y, w, h, mvp, fx, fy, bound):
    """SAD and rate of a full-sample vector (fx, fy) in a reference plane; `bound` or more if they reach it."""
    rate = st.lam[SQRT_LAM] * vector_bits(mvp, fx << 2, fy << 2)
    if 0 <= bound <= rate:
        return rate
    cost = rate
    for j in range(0, h, _STRIP):
        top = y + j
        cost += sad(st.orig.y, top, x, plane, top + fy + PAD_Y, x + fx + PAD_Y, w, min(h - j, _STRIP))
        if 0 <= bound <= cost:
            break
    return cost


@kernel
def _search_full(st, place, start, rings, x, y, w, h, mvp, limits):
    """Best full-sample vector by a star of growing steps around the best start, repeated while it moves far.

    Parameters
    ----------
    place : int, of the reference picture
    start : (x, y) in full samples, one of the vectors to start at
    rings : int, without a gain before it ends
    mvp : (2, 2) int32, predictors in quarter samples
    limits : (least x, greatest x, least y, greatest y) of the vector in full samples

    Returns
    -------
    x, y in full samples
    """
    low_x, high_x, low_y, high_y = limits
    plane = st.subpel[place, 0]
    best_x, best_y, best = 0, 0, -1.0
    found = st.vectors[y >> 4, x >> 4, place]
    for k in range(4):
        if k < 2:
            fx, fy = (int(mvp[k, 0]) + 2) >> 2, (int(mvp[k, 1]) + 2) >> 2
        elif k == 2:
            fx, fy = int(found[0]), int(found[1])
        else:
            fx, fy = start
        fx, fy = min(max(fx, low_x), high_x), min(max(fy, low_y), high_y)
        if k > 0 and fx == best_x and fy == best_y:
            continue
        cost = _full_cost(st, plane, x, y, w, h, mvp, fx, fy, best)
        if best < 0 or cost < best:
            best_x, best_y, best = fx, fy, cost
    reach = st.effort.range
    while True:
        centre_x, centre_y = best_x, best_y
        far = 0
        step = 1
        while step <= reach:
            for k in range(8):
                fx, fy = centre_x + step * _STAR_X[k], centre_y + step * _STAR_Y[k]
                if low_x <= fx <= high_x and low_y <= fy <= high_y:
                    cost = _full_cost(st, plane, x, y, w, h, mvp, fx, fy, best)
                    if cost < best:
                        best_x, best_y, best = fx, fy, cost
                        far = step
            if step >= max(far, 1) << rings:
                break
            step <<= 1
        if far == 0:
            break
        reach = far
    found[0] = best_x
    found[1] = best_y
    return best_x, best_y


@kernel
def _search_around(st, first, fy, fx, side, ref, start, mvp, weight, x, y, w, h):
    """Best vector in half, then quarter samples around the vector `start`.

    Parameters
    ----------
    first, fy, fx : what the moved block is compared with, as in moved_satd
    start : (x, y) in quarter samples
    weight : float, of the SATD in the cost

    Returns
    -------
    mv_x, mv_y, and the SATD weighted plus the rate of the vector
    """
    mv_x, mv_y = start
    rate = st.lam[SQRT_LAM]
    best = weight * moved_satd(st, first, fy, fx, side, ref, mv_x, mv_y, x, y, w, h)
    best += rate * vector_bits(mvp, mv_x, mv_y)
    for step in (2, 1):
        centre_x, centre_y = mv_x, mv_y
        for k in range(8):
            tx, ty = centre_x + step * _STAR_X[k], centre_y + step * _STAR_Y[k]
            cost = rate * vector_bits(mvp, tx, ty)
            if cost >= best:
                continue
            cost += weight * moved_satd(st, first, fy, fx, side, ref, tx, ty, x, y, w, h)
            if cost < best:
                mv_x, mv_y, best = tx, ty, cost
    return mv_x, mv_y, best


@kernel(inline=True)
def vector_limits(st, x, y, w, h):
    """(least x, greatest x, least y, greatest y) of a full-sample vector that stays inside the interpolated planes."""
    h_pic, w_pic = st.orig.y.shape
    edge = PAD_Y - _MARGIN - 4
    return -x - edge, w_pic + edge - x - w, -y - edge, h_pic + edge - y - h


@kernel(unit=True)
def search_vector(st, side, ref, is_part, x, y, w, h, mvp):
    """Best vector of a prediction unit in an entry of a list.

    Parameters
    ----------
    is_part : bool, the unit is a part of a CU whose vector as a whole stands in `st.unit.whole`

    Returns
    -------
    mv_x, mv_y : quarter samples
    cost : SATD plus the rate of reference and vector, weighted by the square root of lambda
    """
    limits = vector_limits(st, x, y, w, h)
    whole = st.unit.whole[side, ref]
    start, rings = (0, 0), st.effort.rings
    if is_part:
        start, rings = ((int(whole[0]) + 2) >> 2, (int(whole[1]) + 2) >> 2), st.effort.part_rings
    fx, fy = _search_full(st, st.rc.refs.slot_of[side, ref], start, rings, x, y, w, h, mvp, limits)
    start = (fx << 2, fy << 2)
    mv_x, mv_y, best = _search_around(st, st.orig.y, y, x, side, ref, start, mvp, 1.0, x, y, w, h)
    return mv_x, mv_y, best + st.lam[SQRT_LAM] * index_bits(st, side, ref)


@kernel(unit=True)
def search_other_vector(st, side, ref, mv_x, mv_y, x, y, w, h, mvp):
    """Best vector beside the prediction that `st.target` is aimed beside, from (mv_x, mv_y) on.

    Returns
    -------
    mv_x, mv_y, and half the SATD plus the rate of reference and vector
    """
    start = (mv_x, mv_y)
    zero = 0
    mv_x, mv_y, best = _search_around(st, st.target, zero, zero, side, ref, start, mvp, 0.5, x, y, w, h)
    return mv_x, mv_y, best + st.lam[SQRT_LAM] * index_bits(st, side, ref)
