"""Motion search of a vector: full samples by SAD in a widening star, then half and quarter samples by SATD."""

from typing import NamedTuple

import numpy as np

from codecsim.hevc.distortion import sad, satd
from codecsim.hevc.indexing import bit_length, natural
from codecsim.hevc.interpolation_ir import filter_line, filter_line_rounded
from codecsim.hevc.tables import LUMA_TAPS
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Place, Vector
from codecsim.picture.planes import PAD_Y

# eight directions, so that a step of s visits (s * x, s * y)
_STAR_X = np.array([0, 1, 1, 1, 0, -1, -1, -1], np.int64)
_STAR_Y = np.array([-1, -1, 0, 1, 1, 1, 0, -1], np.int64)
_STRIP = 16  # rows of a block after which a SAD is compared with the best
_MARGIN = 4  # samples at the border of the interpolated planes that are not filled


class Entry(NamedTuple):
    """A reference picture, as an entry of a list."""

    side: int  # 0 or 1, the list
    ref: int


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
def vector_at(numbers):
    """The Vector whose x and y are the first two entries of an array."""
    return Vector(np.int64(numbers[0]), np.int64(numbers[1]))


@kernel(inline=True)
def vector_bits(mvp, mv):
    """Rough bits of a Vector with the better of the two predictors, (2, 2) int32."""
    first = component_bits(mv.x - mvp[0, 0]) + component_bits(mv.y - mvp[0, 1])
    second = component_bits(mv.x - mvp[1, 0]) + component_bits(mv.y - mvp[1, 1])
    return min(first, second)


@kernel(inline=True)
def index_bits(st, entry):
    """Bits of the reference index of an Entry."""
    count = st.sl.num_ref_l1 if entry.side else st.sl.num_ref_l0
    return entry.ref + 1 if entry.ref + 1 < count else entry.ref


@kernel(inline=True)
def _clamped(position, block, size):
    """Row or column of the interpolated planes where a block begins; far outside the picture all samples are alike."""
    return min(max(position, -block - 8), size + 8) + PAD_Y


@kernel(inline=True)
def _moved(st, mv, area):
    """Place in the interpolated planes of an Area of luma moved by the whole samples of a Vector."""
    h, w = st.orig.y.shape
    return Place(_clamped(area.y + (mv.y >> 2), area.h, h), _clamped(area.x + (mv.x >> 2), area.w, w))


@kernel(inline=True)
def _phase(mv):
    """Which of the sixteen interpolated planes a Vector leads to."""
    return ((mv.y & 3) << 2) | (mv.x & 3)


@kernel
def moved_satd(st, first, at, entry, mv, area):
    """SATD of what begins at Place `at` of `first` against an Area of luma, moved by `mv` in a reference picture.

    first : the source, or `st.target`, int16
    """
    plane = st.subpel[st.rc.refs.slot_of[entry.side, entry.ref], _phase(mv)]
    to = _moved(st, mv, area)
    return satd(first, at.y, at.x, plane, to.y, to.x, area.w, area.h)


@kernel(unit=True)
def aim_beside(st, entry, mv, area):
    """`st.target` = twice the source less a prediction: what the other half of a bi-prediction should come close to."""
    plane = st.subpel[st.rc.refs.slot_of[entry.side, entry.ref], _phase(mv)]
    to = _moved(st, mv, area)
    ry, rx, y, x = natural(to.y), natural(to.x), natural(area.y), natural(area.x)
    target, source = st.target, st.orig.y
    for j in range(area.h):
        for i in range(area.w):
            target[j, i] = 2 * np.int32(source[y + j, x + i]) - np.int32(plane[ry + j, rx + i])


@kernel
def motion_satd(st, mv, ref, area):
    """SATD of an Area of luma against its prediction with motion `mv`, `ref` as in recon.set_motion."""
    k0, k1 = np.int64(ref[0]), np.int64(ref[1])
    if k0 >= 0 and k1 >= 0:
        aim_beside(st, Entry(0, k0), vector_at(mv[0]), area)
        return moved_satd(st, st.target, Place(0, 0), Entry(1, k1), vector_at(mv[1]), area) >> 1
    side = 0 if k0 >= 0 else 1
    entry = Entry(side, max(k0, k1))
    return moved_satd(st, st.orig.y, Place(area.y, area.x), entry, vector_at(mv[side]), area)


@kernel(inline=True)
def _full_cost(st, plane, area, mvp, fx, fy, bound):
    """SAD and rate of a full-sample vector (fx, fy) in a reference plane; `bound` or more if they reach it."""
    x, y, w, h = area
    rate = st.weights.sqrt_lam * vector_bits(mvp, Vector(fx << 2, fy << 2))
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
def _search_full(st, place, start, rings, area, mvp):
    """Best full-sample vector by a star of growing steps around the best start, repeated while it moves far.

    Parameters
    ----------
    place : int, of the reference picture
    start : Vector in full samples, one of those to start at
    rings : int, without a gain before it ends
    area : Area
    mvp : (2, 2) int32, predictors in quarter samples

    Returns
    -------
    x, y in full samples
    """
    low_x, high_x, low_y, high_y = vector_limits(st, area)
    plane = st.subpel[place, 0]
    best_x, best_y, best = 0, 0, -1.0
    found = st.vectors[area.y >> 4, area.x >> 4, place]
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
        cost = _full_cost(st, plane, area, mvp, fx, fy, best)
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
                    cost = _full_cost(st, plane, area, mvp, fx, fy, best)
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
def _search_around(st, first, at, entry, start, mvp, weight, area):
    """Best vector in half, then quarter samples around the Vector `start`.

    Parameters
    ----------
    first, at : what the moved block is compared with, as in moved_satd
    weight : float, of the SATD in the cost

    Returns
    -------
    Vector, and the SATD weighted plus the rate of the vector
    """
    mv, rate = start, st.weights.sqrt_lam
    best = weight * moved_satd(st, first, at, entry, mv, area)
    best += rate * vector_bits(mvp, mv)
    for step in (2, 1):
        centre = mv
        for k in range(8):
            tried = Vector(centre.x + step * _STAR_X[k], centre.y + step * _STAR_Y[k])
            cost = rate * vector_bits(mvp, tried)
            if cost >= best:
                continue
            cost += weight * moved_satd(st, first, at, entry, tried, area)
            if cost < best:
                mv, best = tried, cost
    return mv, best


@kernel(inline=True)
def vector_limits(st, area):
    """(least x, greatest x, least y, greatest y) of a full-sample vector that stays inside the interpolated planes."""
    h_pic, w_pic = st.orig.y.shape
    edge = PAD_Y - _MARGIN - 4
    return -area.x - edge, w_pic + edge - area.x - area.w, -area.y - edge, h_pic + edge - area.y - area.h


@kernel(unit=True)
def search_vector(st, entry, is_part, area, mvp):
    """Best vector of a prediction unit in an Entry of a list.

    Parameters
    ----------
    is_part : bool, the unit is a part of a CU whose vector as a whole stands in `st.unit.whole`

    Returns
    -------
    mv : Vector
    cost : SATD plus the rate of reference and vector, weighted by the square root of lambda
    """
    start, rings = Vector(0, 0), st.effort.rings
    if is_part:
        whole = vector_at(st.unit.whole[entry.side, entry.ref])
        start, rings = Vector((whole.x + 2) >> 2, (whole.y + 2) >> 2), st.effort.part_rings
    fx, fy = _search_full(st, st.rc.refs.slot_of[entry.side, entry.ref], start, rings, area, mvp)
    at, start = Place(area.y, area.x), Vector(fx << 2, fy << 2)
    mv, best = _search_around(st, st.orig.y, at, entry, start, mvp, 1.0, area)
    return mv, best + st.weights.sqrt_lam * index_bits(st, entry)


@kernel(unit=True)
def search_other_vector(st, entry, start, area, mvp):
    """Best vector beside the prediction that `st.target` is aimed beside, from the Vector `start` on.

    Returns
    -------
    Vector, and half the SATD plus the rate of reference and vector
    """
    mv, best = _search_around(st, st.target, Place(0, 0), entry, start, mvp, 0.5, area)
    return mv, best + st.weights.sqrt_lam * index_bits(st, entry)
