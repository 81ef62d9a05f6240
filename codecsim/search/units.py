"""Motion of one prediction unit: its best vectors in each list, alone and together, or a merge candidate."""

from codecsim.codec.recon import set_motion
from codecsim.hevc.merge import merge_candidates
from codecsim.hevc.motion import amvp_candidates
from codecsim.kernels.jit import kernel
from codecsim.search.motion import (
    aim_beside,
    component_bits,
    index_bits,
    motion_satd,
    moved_satd,
    search_other_vector,
    search_vector,
    vector_bits,
)
from codecsim.search.state import SQRT_LAM

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
def merge_cost(st, k, x, y, w, h):
    """SATD and weighted rate of a unit with the k-th merge candidate in the scratch memory; -1 for one seen before."""
    sc = st.rc.scratch
    if _is_repeated(sc, k):
        return -1.0
    return motion_satd(st, sc.cand_mv[k], sc.cand_ref[k], x, y, w, h) + st.lam[SQRT_LAM] * (k + 1)


@kernel
def _in_list0(st, ref):
    """Entry of list 0 that is the same picture as entry `ref` of list 1, or -1."""
    slot_of = st.rc.refs.slot_of
    for k in range(st.sl.num_ref_l0):
        if slot_of[0, k] == slot_of[1, ref]:
            return k
    return -1


@kernel(unit=True)
def _search_list(st, side, x, y, w, h, cu_x, cu_y, cu_size, part_idx):
    """Best vector in each allowed entry of a list, into `st.unit`; returns the best entry, -1 where none is allowed."""
    unit = st.unit
    best = -1
    count = st.sl.num_ref_l1 if side else st.sl.num_ref_l0
    for ref in range(count):
        if not (unit.allowed[side] >> ref) & 1:
            unit.cost[side, ref] = -1.0
            continue
        mvp = unit.mvp[side, ref]
        amvp_candidates(st.mctx, x, y, w, h, cu_x, cu_y, cu_size, part_idx, side, ref, mvp)
        same = _in_list0(st, ref) if side else -1
        if same >= 0 and unit.cost[0, same] >= 0:
            mv_x, mv_y = int(unit.vectors[0, same, 0]), int(unit.vectors[0, same, 1])
            cost = float(moved_satd(st, st.orig.y, y, x, side, ref, mv_x, mv_y, x, y, w, h))
            cost += st.lam[SQRT_LAM] * (vector_bits(mvp, mv_x, mv_y) + index_bits(st, side, ref))
        else:
            is_part = w < cu_size or h < cu_size
            mv_x, mv_y, cost = search_vector(st, side, ref, is_part, x, y, w, h, mvp)
        unit.vectors[side, ref, 0], unit.vectors[side, ref, 1] = mv_x, mv_y
        unit.cost[side, ref] = cost
        if best < 0 or cost < unit.cost[side, best]:
            best = ref
    return best


@kernel
def _side_rate(st, side, ref, mv_x, mv_y):
    """Rate of one list's vector and reference index, weighted."""
    return st.lam[SQRT_LAM] * (vector_bits(st.unit.mvp[side, ref], mv_x, mv_y) + index_bits(st, side, ref))


@kernel
def _set_side(st, side, ref, mv_x, mv_y):
    st.unit.ref[side] = ref
    st.unit.mv[side, 0], st.unit.mv[side, 1] = mv_x, mv_y


@kernel
def _start_at_predictor(st, x, y, w, h):
    """With mvd_l1_zero_flag: the predictor of list 1 that goes best with list 0's vector in `st.unit`.

    Returns its cost.
    """
    unit = st.unit
    aim_beside(st, 0, int(unit.ref[0]), int(unit.mv[0, 0]), int(unit.mv[0, 1]), x, y, w, h)
    best = -1.0
    for ref in range(st.sl.num_ref_l1):
        if unit.cost[1, ref] < 0:
            continue
        for k in range(2):
            mv_x, mv_y = int(unit.mvp[1, ref, k, 0]), int(unit.mvp[1, ref, k, 1])
            cost = 0.5 * moved_satd(st, st.target, 0, 0, 1, ref, mv_x, mv_y, x, y, w, h)
            cost += st.lam[SQRT_LAM] * (index_bits(st, 1, ref) + 1)
            if best < 0 or cost < best:
                best = cost
                _set_side(st, 1, ref, mv_x, mv_y)
    rate = _side_rate(st, 0, int(unit.ref[0]), int(unit.mv[0, 0]), int(unit.mv[0, 1]))
    return best + rate


@kernel
def _best_start(st, side, x, y, w, h):
    """The entry of a list whose vector alone comes closest to `st.target`."""
    unit = st.unit
    best, lowest = int(unit.ref[side]), -1.0
    for k in range(st.sl.num_ref_l1 if side else st.sl.num_ref_l0):
        if unit.cost[side, k] < 0:
            continue
        mv_x, mv_y = int(unit.vectors[side, k, 0]), int(unit.vectors[side, k, 1])
        cost = 0.5 * moved_satd(st, st.target, 0, 0, side, k, mv_x, mv_y, x, y, w, h)
        cost += _side_rate(st, side, k, mv_x, mv_y)
        if lowest < 0 or cost < lowest:
            best, lowest = k, cost
    return best


@kernel
def _refine_side(st, side, best, x, y, w, h):
    """Search one list again beside the other's vector in `st.unit`; returns the lower cost of both together."""
    unit = st.unit
    other = 1 - side
    ref, mv_x, mv_y = int(unit.ref[other]), int(unit.mv[other, 0]), int(unit.mv[other, 1])
    aim_beside(st, other, ref, mv_x, mv_y, x, y, w, h)
    rate = _side_rate(st, other, ref, mv_x, mv_y)
    if other == 1 and st.sl.mvd_l1_zero:
        rate = st.lam[SQRT_LAM] * (index_bits(st, other, ref) + 1)
    only = -1 if st.effort.bi_all_refs else _best_start(st, side, x, y, w, h)
    count = st.sl.num_ref_l1 if side else st.sl.num_ref_l0
    for k in range(count):
        if unit.cost[side, k] < 0 or (only >= 0 and k != only):
            continue
        start_x, start_y = int(unit.vectors[side, k, 0]), int(unit.vectors[side, k, 1])
        mv_x, mv_y, cost = search_other_vector(st, side, k, start_x, start_y, x, y, w, h, unit.mvp[side, k])
        if best < 0 or cost + rate < best:
            best = cost + rate
            _set_side(st, side, k, mv_x, mv_y)
    return best


@kernel
def _search_both(st, first, second, x, y, w, h):
    """Bi-prediction from the best entries of both lists on, into `st.unit`; returns its cost."""
    unit = st.unit
    _set_side(st, 0, first, int(unit.vectors[0, first, 0]), int(unit.vectors[0, first, 1]))
    if st.sl.mvd_l1_zero:
        best = _start_at_predictor(st, x, y, w, h)
        return _refine_side(st, 0, best, x, y, w, h)
    _set_side(st, 1, second, int(unit.vectors[1, second, 0]), int(unit.vectors[1, second, 1]))
    side = 1 if unit.cost[0, first] <= unit.cost[1, second] else 0
    best = -1.0
    for _ in range(st.effort.bi_rounds):
        cost = _refine_side(st, side, best, x, y, w, h)
        if 0 <= best <= cost:
            break
        best = cost
        side = 1 - side
    return best


@kernel(unit=True)
def search_unit(st, x, y, w, h, cu_x, cu_y, cu_size, part_idx):
    """Best motion of a prediction unit that is not merged, into `st.unit.mv` and `st.unit.ref`.

    Returns
    -------
    SATD plus rate, weighted by the square root of lambda
    """
    unit = st.unit
    first = _search_list(st, 0, x, y, w, h, cu_x, cu_y, cu_size, part_idx)
    side, ref, best = 0, first, unit.cost[0, first]
    bi = False
    if st.sl.slice_type == 0:
        second = _search_list(st, 1, x, y, w, h, cu_x, cu_y, cu_size, part_idx)
        for k in range(st.sl.num_ref_l1):
            if 0 <= unit.cost[1, k] < best and _in_list0(st, k) < 0:
                side, ref, best = 1, k, unit.cost[1, k]
        best += st.lam[SQRT_LAM] * _UNI_BITS
        if w + h > 12:
            both = _search_both(st, first, second, x, y, w, h) + st.lam[SQRT_LAM] * _BI_BITS
            if both < best:
                best, bi = both, True
    if not bi:
        unit.ref[1 - side] = -1
        unit.mv[1 - side, 0], unit.mv[1 - side, 1] = 0, 0
        _set_side(st, side, ref, int(unit.vectors[side, ref, 0]), int(unit.vectors[side, ref, 1]))
    return best


@kernel
def store_unit(st, x, y, w, h):
    """Store the motion in `st.unit`, coded against the cheaper predictors."""
    rc, unit = st.rc, st.unit
    blocks = rc.blocks
    uy, ux = y >> 2, x >> 2
    for side in range(2):
        ref = int(unit.ref[side])
        if ref < 0:
            continue
        mvp = unit.mvp[side, ref]
        mv_x, mv_y = int(unit.mv[side, 0]), int(unit.mv[side, 1])
        first = component_bits(mv_x - int(mvp[0, 0])) + component_bits(mv_y - int(mvp[0, 1]))
        second = component_bits(mv_x - int(mvp[1, 0])) + component_bits(mv_y - int(mvp[1, 1]))
        k = 1 if second < first else 0
        blocks.mvp_idx[uy, ux, side] = k
        blocks.mvd[uy, ux, side, 0] = mv_x - int(mvp[k, 0])
        blocks.mvd[uy, ux, side, 1] = mv_y - int(mvp[k, 1])
    set_motion(rc.motion, uy, ux, h >> 2, w >> 2, unit.mv, unit.ref)
    for j in range(uy, uy + (h >> 2)):
        for i in range(ux, ux + (w >> 2)):
            blocks.merge[j, i] = 0


@kernel(unit=True)
def merge_unit(st, x, y, w, h, cu_x, cu_y, cu_size, part_idx, bound):
    """Merge the unit if a candidate's SATD and rate are below `bound`; returns them, -1 if it is not merged."""
    rc, sc = st.rc, st.rc.scratch
    count = merge_candidates(st.mctx, x, y, w, h, cu_x, cu_y, cu_size, part_idx, 5, sc.cand_mv, sc.cand_ref)
    uy, ux = y >> 2, x >> 2
    best = -1
    for k in range(count):
        cost = merge_cost(st, k, x, y, w, h)
        if 0 <= cost < bound:
            best, bound = k, cost
    if best < 0:
        return -1.0
    set_motion(rc.motion, uy, ux, h >> 2, w >> 2, sc.cand_mv[best], sc.cand_ref[best])
    for j in range(uy, uy + (h >> 2)):
        for i in range(ux, ux + (w >> 2)):
            rc.blocks.merge[j, i] = best + 1
    return bound
