"""Motion search: full samples by SAD in a widening star, then half and quarter samples by SATD."""

import numpy as np

from codecsim.jit import kernel
from codecsim.picture import PAD_Y
from codecsim.search.state import SQRT_LAM, luma_satd
from codecsim.tables import LUMA_TAPS
from codecsim.tools.distortion import sad
from codecsim.tools.motion import amvp_candidates

# eight directions, so that a step of s visits (s * x, s * y)
_STAR_X = np.array([0, 1, 1, 1, 0, -1, -1, -1], np.int64)
_STAR_Y = np.array([-1, -1, 0, 1, 1, 1, 0, -1], np.int64)
_MARGIN = 4  # samples at the border of the interpolated planes that are not filled


@kernel
def interpolate_picture(plane, subpel, tmp, bit_depth):
    """All sixteen quarter-sample phases of a padded luma plane.

    Parameters
    ----------
    plane : (h, w) uint16, padded
    subpel : (16, h, w) uint16, written but for a margin of 4; phase 4 * y + x
    tmp : (h, w) int16, overwritten
    """
    h, w = plane.shape
    shift = bit_depth - 8
    top = np.int32((1 << bit_depth) - 1)
    out_shift = 14 - bit_depth
    rounding = np.int32(1 << (out_shift - 1))
    for fx in range(4):
        t = LUMA_TAPS[fx]
        for y in range(h):
            for x in range(_MARGIN, w - _MARGIN):
                if fx == 0:
                    tmp[y, x] = np.int32(plane[y, x]) << out_shift
                else:
                    acc = t[0] * np.int32(plane[y, x - 3]) + t[1] * np.int32(plane[y, x - 2])
                    acc += t[2] * np.int32(plane[y, x - 1]) + t[3] * np.int32(plane[y, x])
                    acc += t[4] * np.int32(plane[y, x + 1]) + t[5] * np.int32(plane[y, x + 2])
                    acc += t[6] * np.int32(plane[y, x + 3]) + t[7] * np.int32(plane[y, x + 4])
                    tmp[y, x] = np.int32(acc) >> shift
        for fy in range(4):
            t = LUMA_TAPS[fy]
            for y in range(_MARGIN, h - _MARGIN):
                for x in range(_MARGIN, w - _MARGIN):
                    if fy == 0:
                        acc = np.int32(tmp[y, x])
                    else:
                        acc = t[0] * np.int32(tmp[y - 3, x]) + t[1] * np.int32(tmp[y - 2, x])
                        acc += t[2] * np.int32(tmp[y - 1, x]) + t[3] * np.int32(tmp[y, x])
                        acc += t[4] * np.int32(tmp[y + 1, x]) + t[5] * np.int32(tmp[y + 2, x])
                        acc += t[6] * np.int32(tmp[y + 3, x]) + t[7] * np.int32(tmp[y + 4, x])
                        acc = np.int32(acc) >> 6
                    sample = np.int32(acc + rounding) >> out_shift
                    subpel[4 * fy + fx, y, x] = min(max(sample, np.int32(0)), top)


@kernel(inline=True)
def component_bits(value):
    """Rough number of bits of one motion vector difference component."""
    code = (-value << 1) + 1 if value <= 0 else value << 1
    length = 1
    while code > 1:
        code >>= 1
        length += 2
    return length


@kernel(inline=True)
def vector_bits(mvp, mv_x, mv_y):
    """Rough bits of a vector in quarter samples with the better of the two predictors."""
    first = component_bits(mv_x - mvp[0, 0]) + component_bits(mv_y - mvp[0, 1])
    second = component_bits(mv_x - mvp[1, 0]) + component_bits(mv_y - mvp[1, 1])
    return min(first, second)


@kernel(inline=True)
def _full_cost(st, ref, x, y, w, h, mvp, fx, fy):
    """SAD and rate of a full-sample vector (fx, fy)."""
    error = sad(st.orig.y, y, x, st.subpel[st.slot_of[ref], 0], y + fy + PAD_Y, x + fx + PAD_Y, w, h)
    return error + st.lam[SQRT_LAM] * vector_bits(mvp, fx << 2, fy << 2)


@kernel
def _fine_cost(st, ref, x, y, w, h, mvp, mv_x, mv_y):
    """SATD and rate of a quarter-sample vector."""
    phase = ((mv_y & 3) << 2) | (mv_x & 3)
    ry, rx = y + (mv_y >> 2) + PAD_Y, x + (mv_x >> 2) + PAD_Y
    error = luma_satd(st, y, x, st.subpel[st.slot_of[ref], phase], ry, rx, w, h)
    return error + st.lam[SQRT_LAM] * vector_bits(mvp, mv_x, mv_y)


@kernel
def search_full(st, ref, x, y, w, h, mvp, limits):
    """Best full-sample vector by a star of growing steps around the best start, repeated while it moves far.

    Parameters
    ----------
    mvp : (2, 2) int32, predictors in quarter samples
    limits : (least x, greatest x, least y, greatest y) of the vector in full samples

    Returns
    -------
    x, y in full samples
    """
    low_x, high_x, low_y, high_y = limits
    best_x, best_y, best = 0, 0, -1.0
    found = st.vectors[y >> 4, x >> 4, ref]
    for k in range(4):
        if k < 2:
            fx, fy = (int(mvp[k, 0]) + 2) >> 2, (int(mvp[k, 1]) + 2) >> 2
        elif k == 2:
            fx, fy = int(found[0]), int(found[1])
        else:
            fx, fy = 0, 0
        fx, fy = min(max(fx, low_x), high_x), min(max(fy, low_y), high_y)
        if k > 0 and fx == best_x and fy == best_y:
            continue
        cost = _full_cost(st, ref, x, y, w, h, mvp, fx, fy)
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
                    cost = _full_cost(st, ref, x, y, w, h, mvp, fx, fy)
                    if cost < best:
                        best_x, best_y, best = fx, fy, cost
                        far = step
            if step >= 8 * max(far, 1):  # three rings without a gain
                break
            step <<= 1
        if far == 0:
            break
        reach = far
    found[0] = best_x
    found[1] = best_y
    return best_x, best_y


@kernel(unit=True)
def search_unit(st, ref, x, y, w, h, cu_x, cu_y, cu_size, part_idx):
    """Best list 0 vector of a prediction unit in reference `ref`.

    Returns
    -------
    mv_x, mv_y : quarter samples
    cost : SATD plus the rate of reference and vector, weighted by the square root of lambda
    """
    mvp = st.rc.scratch.mvp
    amvp_candidates(st.mctx, x, y, w, h, cu_x, cu_y, cu_size, part_idx, 0, ref, mvp)
    h_pic, w_pic = st.orig.y.shape
    edge = PAD_Y - _MARGIN - 4
    limits = (-x - edge, w_pic + edge - x - w, -y - edge, h_pic + edge - y - h)
    fx, fy = search_full(st, ref, x, y, w, h, mvp, limits)
    mv_x, mv_y = fx << 2, fy << 2
    best = _fine_cost(st, ref, x, y, w, h, mvp, mv_x, mv_y)
    for step in (2, 1):
        centre_x, centre_y = mv_x, mv_y
        for k in range(8):
            tx, ty = centre_x + step * _STAR_X[k], centre_y + step * _STAR_Y[k]
            cost = _fine_cost(st, ref, x, y, w, h, mvp, tx, ty)
            if cost < best:
                mv_x, mv_y, best = tx, ty, cost
    bits = ref + 1 if ref + 1 < st.sl.num_ref_l0 else ref
    return mv_x, mv_y, best + st.lam[SQRT_LAM] * bits
