"""Inter mode decision of one coding unit: merge, skip, and motion vectors with one reference a unit."""

from codecsim.blocks import MODE_INTER, PART_2Nx2N, fill_units
from codecsim.jit import kernel
from codecsim.recon import predict_inter_block, set_motion
from codecsim.search.motion import component_bits, search_unit
from codecsim.search.residual import coded_cost, empty_cost
from codecsim.search.state import CU_BEST, CU_ENTRY, CU_VERSION, SQRT_LAM, copy_cu, keep_contexts, luma_satd
from codecsim.syntax.prediction import part_geometry
from codecsim.tools.motion import amvp_candidates, merge_candidates

_COSTS, _ORDER = 1, 2  # rows of Search.modes


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
        best = keep_if_better(st, uy, ux, log2, cost, best)
    return best


@kernel(unit=True)
def search_merge(st, uy, ux, log2):
    """Try the most promising merge candidates as 2Nx2N, skipped and coded; returns the best cost."""
    x, y, n = 4 * ux, 4 * uy, 1 << log2
    units = n >> 2
    rc, sc = st.rc, st.rc.scratch
    count = merge_candidates(st.mctx, x, y, n, n, x, y, n, 0, 5, sc.cand_mv, sc.cand_ref)
    _begin_inter_cu(st, uy, ux, log2, PART_2Nx2N)
    costs, order = st.modes[_COSTS], st.modes[_ORDER]
    listed = 0
    for k in range(count):
        mv_x, mv_y, ref = int(sc.cand_mv[k, 0, 0]), int(sc.cand_mv[k, 0, 1]), int(sc.cand_ref[k, 0])
        seen = False
        for i in range(k):
            seen = seen or (
                sc.cand_mv[i, 0, 0] == mv_x and sc.cand_mv[i, 0, 1] == mv_y and sc.cand_ref[i, 0] == ref
            )
        if seen:
            continue
        set_motion(rc.motion, uy, ux, units, units, mv_x, mv_y, ref)
        predict_inter_block(rc, x, y, n, n)
        cost = luma_satd(st, y, x, rc.pred.y, y, x, n, n) + st.lam[SQRT_LAM] * (k + 1)
        i = listed
        while i > 0 and costs[i - 1] > cost:
            costs[i] = costs[i - 1]
            order[i] = order[i - 1]
            i -= 1
        costs[i] = cost
        order[i] = k
        listed += 1
    best = -1.0
    for i in range(min(listed, st.effort.merge_rd)):
        k = int(order[i])
        set_motion(
            rc.motion, uy, ux, units, units,
            int(sc.cand_mv[k, 0, 0]), int(sc.cand_mv[k, 0, 1]), int(sc.cand_ref[k, 0]),
        )  # fmt: skip
        fill_units(rc.blocks.merge, uy, ux, units, k + 1)
        predict_inter_block(rc, x, y, n, n)
        best = _try_residual(st, uy, ux, log2, best)
    return best


@kernel
def _set_amvp(st, x, y, w, h, cu_x, cu_y, cu_size, part_idx, ref, mv_x, mv_y):
    """Store a unit's vector with its cheaper predictor."""
    rc = st.rc
    blocks, mvp = rc.blocks, rc.scratch.mvp
    uy, ux = y >> 2, x >> 2
    amvp_candidates(st.mctx, x, y, w, h, cu_x, cu_y, cu_size, part_idx, 0, ref, mvp)
    first = component_bits(mv_x - int(mvp[0, 0])) + component_bits(mv_y - int(mvp[0, 1]))
    second = component_bits(mv_x - int(mvp[1, 0])) + component_bits(mv_y - int(mvp[1, 1]))
    k = 1 if second < first else 0
    blocks.mvp_idx[uy, ux, 0] = k
    blocks.mvd[uy, ux, 0, 0] = mv_x - int(mvp[k, 0])
    blocks.mvd[uy, ux, 0, 1] = mv_y - int(mvp[k, 1])
    set_motion(rc.motion, uy, ux, h >> 2, w >> 2, mv_x, mv_y, ref)
    for j in range(uy, uy + (h >> 2)):
        for i in range(ux, ux + (w >> 2)):
            blocks.merge[j, i] = 0


@kernel
def _merge_unit(st, x, y, w, h, cu_x, cu_y, cu_size, part_idx, bound):
    """Merge the unit if a candidate's SATD and rate are below `bound`; returns 1 if so."""
    rc, sc = st.rc, st.rc.scratch
    count = merge_candidates(st.mctx, x, y, w, h, cu_x, cu_y, cu_size, part_idx, 5, sc.cand_mv, sc.cand_ref)
    uy, ux = y >> 2, x >> 2
    best = -1
    for k in range(count):
        mv_x, mv_y, ref = int(sc.cand_mv[k, 0, 0]), int(sc.cand_mv[k, 0, 1]), int(sc.cand_ref[k, 0])
        set_motion(rc.motion, uy, ux, h >> 2, w >> 2, mv_x, mv_y, ref)
        predict_inter_block(rc, x, y, w, h)
        cost = luma_satd(st, y, x, rc.pred.y, y, x, w, h) + st.lam[SQRT_LAM] * (k + 1)
        if cost < bound:
            best, bound = k, cost
    if best < 0:
        return 0
    set_motion(
        rc.motion, uy, ux, h >> 2, w >> 2,
        int(sc.cand_mv[best, 0, 0]), int(sc.cand_mv[best, 0, 1]), int(sc.cand_ref[best, 0]),
    )  # fmt: skip
    for j in range(uy, uy + (h >> 2)):
        for i in range(ux, ux + (w >> 2)):
            rc.blocks.merge[j, i] = best + 1
    return 1


@kernel(unit=True)
def search_inter_cu(st, uy, ux, log2, part, best):
    """Search motion for each unit of partition `part` and try the CU; returns the best cost so far."""
    cu_x, cu_y, size = 4 * ux, 4 * uy, 1 << log2
    _begin_inter_cu(st, uy, ux, log2, part)
    all_merged = True
    for k in range(1 if part == PART_2Nx2N else 2):
        dx, dy, w, h = part_geometry(part, size, k)
        x, y = cu_x + dx, cu_y + dy
        ref, mv_x, mv_y, lowest = -1, 0, 0, 0.0
        for candidate in range(st.sl.num_ref_l0):
            tx, ty, cost = search_unit(st, candidate, x, y, w, h, cu_x, cu_y, size, k)
            if ref < 0 or cost < lowest:
                ref, mv_x, mv_y, lowest = candidate, tx, ty, cost
        merged = 0
        if part != PART_2Nx2N:
            merged = _merge_unit(st, x, y, w, h, cu_x, cu_y, size, k, lowest)
        if not merged:
            all_merged = False
            _set_amvp(st, x, y, w, h, cu_x, cu_y, size, k, ref, mv_x, mv_y)
        predict_inter_block(st.rc, x, y, w, h)
    if all_merged and _same_motion(st, uy, ux, log2):
        return best
    return _try_residual(st, uy, ux, log2, best)


@kernel
def _same_motion(st, uy, ux, log2):
    """True if the first and last unit of the CU move alike: then 2Nx2N says it more cheaply."""
    motion = st.rc.motion
    j, i = uy + (1 << (log2 - 2)) - 1, ux + (1 << (log2 - 2)) - 1
    same = motion.ref_idx[uy, ux, 0] == motion.ref_idx[j, i, 0]
    same = same and motion.mv[uy, ux, 0, 0] == motion.mv[j, i, 0, 0]
    return same and motion.mv[uy, ux, 0, 1] == motion.mv[j, i, 0, 1]
