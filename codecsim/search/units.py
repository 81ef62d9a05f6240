"""Motion of one prediction unit: its best vectors in each list, alone and together, or a merge candidate."""

import numpy as np

from codecsim.codec.recon import set_motion
from codecsim.hevc.merge import merge_candidates
from codecsim.hevc.motion import amvp_candidates
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Place
from codecsim.search.motion import (
    Entry,
    aim_beside,
    component_bits,
    index_bits,
    motion_satd,
    moved_satd,
    search_other_vector,
    search_vector,
    vector_at,
    vector_bits,
)

# rough bits of inter_pred_idc in B slices
_UNI_BITS, _BI_BITS = 3, 5


@kernel
def _is_repeated(sc, k):
    """True if a merge candidate before the k-th in the scratch memory moves like it."""
    for i in range(k):
        same = True
        for side in range(2):
            ref = sc.cand_ref[i, side]
            same = same and ref == sc.cand_ref[k, side]
            for axis in range(2):
                same = same and (ref < 0 or sc.cand_mv[i, side, axis] == sc.cand_mv[k, side, axis])
        if same:
            return True
    return False


@kernel
def merge_cost(st, k, area):
    """SATD and weighted rate of an Area with the k-th merge candidate in the scratch memory; -1 for one seen before."""
    sc = st.rc.scratch
    if _is_repeated(sc, k):
        return -1.0
    return motion_satd(st, sc.cand_mv[k], sc.cand_ref[k], area) + st.weights.sqrt_lam * (k + 1)


@kernel
def _in_list0(st, ref):
    """Entry of list 0 that is the same picture as entry `ref` of list 1, or -1."""
    slot_of = st.rc.refs.slot_of
    for k in range(st.sl.num_ref_l0):
        if slot_of[0, k] == slot_of[1, ref]:
            return k
    return -1


@kernel(unit=True)
def _search_list(st, side, pu):
    """Best vector in each allowed entry of a list, into `st.unit`; returns the best entry, -1 where none is allowed."""
    unit, area = st.unit, pu.area
    best = -1
    count = st.sl.num_ref_l1 if side else st.sl.num_ref_l0
    for ref in range(count):
        if not (unit.allowed[side] >> ref) & 1:
            unit.cost[side, ref] = -1.0
            continue
        entry, mvp = Entry(side, ref), unit.mvp[side, ref]
        amvp_candidates(st.mctx, pu, side, ref, mvp)
        same = _in_list0(st, ref) if side else -1
        if same >= 0 and unit.cost[0, same] >= 0:
            mv = vector_at(unit.vectors[0, same])
            cost = float(moved_satd(st, st.orig.y, Place(area.y, area.x), entry, mv, area))
            cost += _side_rate(st, entry, mv)
        else:
            is_part = area.w < pu.cu_size or area.h < pu.cu_size
            mv, cost = search_vector(st, entry, is_part, area, mvp)
        unit.vectors[side, ref, 0], unit.vectors[side, ref, 1] = mv.x, mv.y
        unit.cost[side, ref] = cost
        if best < 0 or cost < unit.cost[side, best]:
            best = ref
    return best


@kernel
def _side_rate(st, entry, mv):
    """Rate of one list's vector and reference index, weighted."""
    return st.weights.sqrt_lam * (vector_bits(st.unit.mvp[entry.side, entry.ref], mv) + index_bits(st, entry))


@kernel
def _side(st, side):
    """The Entry and the Vector of a list in `st.unit`."""
    return Entry(side, np.int64(st.unit.ref[side])), vector_at(st.unit.mv[side])


@kernel
def _set_side(st, entry, mv):
    side = entry.side
    st.unit.ref[side] = entry.ref
    st.unit.mv[side, 0], st.unit.mv[side, 1] = mv.x, mv.y


@kernel
def _start_at_predictor(st, area):
    """With mvd_l1_zero_flag: the predictor of list 1 that goes best with list 0's vector in `st.unit`.

    Returns its cost.
    """
    unit = st.unit
    beside, beside_mv = _side(st, 0)
    aim_beside(st, beside, beside_mv, area)
    best = -1.0
    for ref in range(st.sl.num_ref_l1):
        if unit.cost[1, ref] < 0:
            continue
        entry = Entry(1, ref)
        for k in range(2):
            mv = vector_at(unit.mvp[1, ref, k])
            cost = 0.5 * moved_satd(st, st.target, Place(0, 0), entry, mv, area)
            cost += st.weights.sqrt_lam * (index_bits(st, entry) + 1)
            if best < 0 or cost < best:
                best = cost
                _set_side(st, entry, mv)
    return best + _side_rate(st, beside, beside_mv)


@kernel
def _best_start(st, side, area):
    """The entry of a list whose vector alone comes closest to `st.target`."""
    unit = st.unit
    best, lowest = np.int64(unit.ref[side]), -1.0
    for k in range(st.sl.num_ref_l1 if side else st.sl.num_ref_l0):
        if unit.cost[side, k] < 0:
            continue
        entry, mv = Entry(side, k), vector_at(unit.vectors[side, k])
        cost = 0.5 * moved_satd(st, st.target, Place(0, 0), entry, mv, area)
        cost += _side_rate(st, entry, mv)
        if lowest < 0 or cost < lowest:
            best, lowest = k, cost
    return best


@kernel
def _refine_side(st, side, best, area):
    """Search one list again beside the other's vector in `st.unit`; returns the lower cost of both together."""
    unit = st.unit
    other, other_mv = _side(st, 1 - side)
    aim_beside(st, other, other_mv, area)
    rate = _side_rate(st, other, other_mv)
    if other.side == 1 and st.sl.mvd_l1_zero:
        rate = st.weights.sqrt_lam * (index_bits(st, other) + 1)
    only = -1 if st.effort.bi_all_refs else _best_start(st, side, area)
    count = st.sl.num_ref_l1 if side else st.sl.num_ref_l0
    for k in range(count):
        if unit.cost[side, k] < 0 or (only >= 0 and k != only):
            continue
        entry = Entry(side, k)
        mv, cost = search_other_vector(st, entry, vector_at(unit.vectors[side, k]), area, unit.mvp[side, k])
        if best < 0 or cost + rate < best:
            best = cost + rate
            _set_side(st, entry, mv)
    return best


@kernel
def _search_both(st, first, second, area):
    """Bi-prediction from the best entries of both lists on, into `st.unit`; returns its cost."""
    unit = st.unit
    _set_side(st, Entry(0, first), vector_at(unit.vectors[0, first]))
    if st.sl.mvd_l1_zero:
        best = _start_at_predictor(st, area)
        return _refine_side(st, 0, best, area)
    _set_side(st, Entry(1, second), vector_at(unit.vectors[1, second]))
    side = 1 if unit.cost[0, first] <= unit.cost[1, second] else 0
    best = -1.0
    for _ in range(st.effort.bi_rounds):
        cost = _refine_side(st, side, best, area)
        if 0 <= best <= cost:
            break
        best = cost
        side = 1 - side
    return best


@kernel(unit=True)
def search_unit(st, pu):
    """Best motion of a PredictionUnit that is not merged, into `st.unit.mv` and `st.unit.ref`.

    Returns
    -------
    SATD plus rate, weighted by the square root of lambda
    """
    unit, area = st.unit, pu.area
    first = _search_list(st, 0, pu)
    side, ref, best = 0, first, unit.cost[0, first]
    bi = False
    if st.sl.slice_type == 0:
        second = _search_list(st, 1, pu)
        for k in range(st.sl.num_ref_l1):
            if 0 <= unit.cost[1, k] < best and _in_list0(st, k) < 0:
                side, ref, best = 1, k, unit.cost[1, k]
        best += st.weights.sqrt_lam * _UNI_BITS
        if area.w + area.h > 12:
            both = _search_both(st, first, second, area) + st.weights.sqrt_lam * _BI_BITS
            if both < best:
                best, bi = both, True
    if not bi:
        unit.ref[1 - side] = -1
        unit.mv[1 - side, 0], unit.mv[1 - side, 1] = 0, 0
        _set_side(st, Entry(side, ref), vector_at(unit.vectors[side, ref]))
    return best


@kernel
def store_unit(st, area):
    """Store the motion in `st.unit` for an Area, coded against the cheaper predictors."""
    rc, unit = st.rc, st.unit
    blocks = rc.blocks
    uy, ux, rows, columns = area.y >> 2, area.x >> 2, area.h >> 2, area.w >> 2
    for side in range(2):
        ref = int(unit.ref[side])
        if ref < 0:
            continue
        mvp, mv = unit.mvp[side, ref], vector_at(unit.mv[side])
        first = component_bits(mv.x - int(mvp[0, 0])) + component_bits(mv.y - int(mvp[0, 1]))
        second = component_bits(mv.x - int(mvp[1, 0])) + component_bits(mv.y - int(mvp[1, 1]))
        k = 1 if second < first else 0
        blocks.mvp_idx[uy, ux, side] = k
        blocks.mvd[uy, ux, side, 0] = mv.x - int(mvp[k, 0])
        blocks.mvd[uy, ux, side, 1] = mv.y - int(mvp[k, 1])
    set_motion(rc.motion, uy, ux, rows, columns, unit.mv, unit.ref)
    for j in range(uy, uy + rows):
        for i in range(ux, ux + columns):
            blocks.merge[j, i] = 0


@kernel(unit=True)
def merge_unit(st, pu, bound):
    """Merge a PredictionUnit if a candidate's SATD and rate are below `bound`; returns them, else -1."""
    rc, sc, area = st.rc, st.rc.scratch, pu.area
    count = merge_candidates(st.mctx, pu, 5, sc.cand_mv, sc.cand_ref)
    uy, ux, rows, columns = area.y >> 2, area.x >> 2, area.h >> 2, area.w >> 2
    best = -1
    for k in range(count):
        cost = merge_cost(st, k, area)
        if 0 <= cost < bound:
            best, bound = k, cost
    if best < 0:
        return -1.0
    set_motion(rc.motion, uy, ux, rows, columns, sc.cand_mv[best], sc.cand_ref[best])
    for j in range(uy, uy + rows):
        for i in range(ux, ux + columns):
            rc.blocks.merge[j, i] = best + 1
    return bound
