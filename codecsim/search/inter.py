"""Inter mode decision of one coding unit: merge, skip, and searched motion in each partition."""

from codecsim.codec.recon import predict_inter_block, set_motion
from codecsim.hevc.merge import merge_candidates
from codecsim.hevc.motion import PredictionUnit, same_motion
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Area
from codecsim.picture.blocks import MODE_INTER, PART_2Nx2N, fill_units
from codecsim.search.ranking import rank
from codecsim.search.residual import coded_cost, empty_cost
from codecsim.search.state import (
    ALL_ENTRIES,
    CU_BEST,
    CU_ENTRY,
    CU_VERSION,
    copy_cu,
    keep_contexts,
)
from codecsim.search.units import merge_cost, merge_unit, search_unit, store_unit
from codecsim.syntax.prediction import prediction_area


@kernel
def keep_if_better(st, uy, ux, log2, cost, best):
    """Keep version 0 of the CU as its best alternative if it is (`best` < 0: none yet); returns the lower cost."""
    if best >= 0 and cost >= best:
        return best
    depth = 6 - log2
    copy_cu(st.versions, 0, CU_VERSION + depth, uy, ux, 1 << (log2 - 2))
    keep_contexts(st, CU_BEST + depth)
    return cost


@kernel
def _begin_inter_cu(st, uy, ux, log2, part):
    blocks = st.rc.blocks
    units = 1 << (log2 - 2)
    fill_units(blocks.cu_log2, uy, ux, units, log2)
    fill_units(blocks.pred_mode, uy, ux, units, MODE_INTER)
    fill_units(blocks.part_mode, uy, ux, units, part)
    fill_units(blocks.intra_luma, uy, ux, units, 1)
    fill_units(blocks.intra_chroma, uy, ux, units, 4)


@kernel
def _try_residual(st, uy, ux, log2, best):
    """Cost of version 0, whose motion and prediction stand, without and with residual; returns the best cost so far."""
    entry = CU_ENTRY + 6 - log2
    best = keep_if_better(st, uy, ux, log2, empty_cost(st, uy, ux, log2, entry), best)
    cost = coded_cost(st, uy, ux, log2, entry)
    if cost >= 0:
        st.memo.coded += 1
        best = keep_if_better(st, uy, ux, log2, cost, best)
    return best


@kernel(unit=True)
def search_merge(st, uy, ux, log2):
    """Try the most promising merge candidates as 2Nx2N, skipped and coded; returns the best cost."""
    x, y, n = 4 * ux, 4 * uy, 1 << log2
    units, area = n >> 2, Area(x, y, n, n)
    rc, sc = st.rc, st.rc.scratch
    count = merge_candidates(st.mctx, PredictionUnit(area, x, y, n, 0), 5, sc.cand_mv, sc.cand_ref)
    _begin_inter_cu(st, uy, ux, log2, PART_2Nx2N)
    keep, listed = st.effort.merge_rd, 0
    for k in range(count):
        cost = merge_cost(st, k, area)
        if cost >= 0:
            listed = rank(st.ranking, listed, keep, k, cost)
    best = -1.0
    st.memo.motion = st.ranking.costs[0]
    st.memo.coded = 0
    for i in range(listed):
        k = st.ranking.candidates[i]
        set_motion(rc.motion, uy, ux, units, units, sc.cand_mv[k], sc.cand_ref[k])
        fill_units(rc.blocks.merge, uy, ux, units, k + 1)
        predict_inter_block(rc, area)
        best = _try_residual(st, uy, ux, log2, best)
    return best


@kernel
def _allow_entries(st, part):
    """Which reference pictures the search of a partition looks at."""
    unit = st.unit
    for side in range(2):
        limited = part != PART_2Nx2N and st.effort.ref_limit
        unit.allowed[side] = unit.promising[side] if limited else ALL_ENTRIES


@kernel
def _note_promising(st):
    """After the search of 2Nx2N: its vectors, the best entry of each list alone, and those that bi-prediction uses."""
    unit = st.unit
    for side in range(2):
        best = 0
        for k in range(st.sl.num_ref_l1 if side else st.sl.num_ref_l0):
            unit.whole[side, k, 0], unit.whole[side, k, 1] = unit.vectors[side, k, 0], unit.vectors[side, k, 1]
            if unit.cost[side, k] >= 0 and (unit.cost[side, best] < 0 or unit.cost[side, k] < unit.cost[side, best]):
                best = k
        unit.promising[side] = 1 << best
        if unit.ref[side] >= 0:
            unit.promising[side] |= 1 << int(unit.ref[side])


@kernel(unit=True)
def search_inter_cu(st, uy, ux, log2, part, best):
    """Search motion for each unit of partition `part` and try the CU; returns the best cost so far."""
    cu_x, cu_y, size = 4 * ux, 4 * uy, 1 << log2
    _begin_inter_cu(st, uy, ux, log2, part)
    _allow_entries(st, part)
    all_merged = True
    total = 0.0
    for k in range(1 if part == PART_2Nx2N else 2):
        area = prediction_area(cu_x, cu_y, size, part, k)
        pu = PredictionUnit(area, cu_x, cu_y, size, k)
        cost = search_unit(st, pu)
        merged = -1.0
        if part != PART_2Nx2N:
            merged = merge_unit(st, pu, cost)
        if merged < 0:
            all_merged = False
            store_unit(st, area)
        total += cost if merged < 0 else merged
        if part != PART_2Nx2N and st.effort.shape_gate and total >= st.memo.motion:
            return best
    if part == PART_2Nx2N:
        st.memo.motion = min(st.memo.motion, total)
        _note_promising(st)
    elif all_merged and _moves_as_one(st, uy, ux, log2):
        return best
    for k in range(1 if part == PART_2Nx2N else 2):
        predict_inter_block(st.rc, prediction_area(cu_x, cu_y, size, part, k))
    return _try_residual(st, uy, ux, log2, best)


@kernel
def _moves_as_one(st, uy, ux, log2):
    """True if the first and last unit of the CU move alike: then 2Nx2N says it more cheaply."""
    last = (1 << (log2 - 2)) - 1
    return same_motion(st.rc.motion, uy, ux, uy + last, ux + last)
