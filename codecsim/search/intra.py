"""Intra mode decision: a rough ranking of all luma modes by SATD, then rate-distortion cost of the best few."""

from numba import types

from codecsim.codec.recon import clear_motion, predict_intra_luma
from codecsim.entropy.cabac import BIN_COST, COST_BITS
from codecsim.entropy.contexts import PREV_INTRA, SPLIT_TRANSFORM
from codecsim.hevc.distortion import satd
from codecsim.hevc.intra import Surroundings, filter_references, gather_references, predict_intra, predict_mode
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Place, TransformBlock
from codecsim.picture.blocks import CHROMA_DM, MAX_TU_LOG2, MODE_INTRA, PART_2Nx2N, chroma_mode, fill_units, z_to_xy
from codecsim.picture.planes import PAD_C, PAD_Y
from codecsim.search.ranking import rank
from codecsim.search.residual import or_cbf, search_chroma_tbs, search_luma_tb
from codecsim.search.state import (
    CU_ENTRY,
    MODE_ENTRY,
    PLAIN_BEST,
    PLAIN_VERSION,
    TU_BEST,
    TU_ENTRY,
    TU_VERSION,
    aim_qp,
    bits_to_cost,
    copy_cu,
    copy_residual,
    count_cu,
    keep_contexts,
    luma_satd,
    recall_contexts,
    weighted_error,
)
from codecsim.syntax.prediction import intra_candidates


@kernel(inline=True)
def _mode_bits(st, mode, a, b, c):
    """Rate in 2**-15 bit of a luma mode, the most probable ones being a, b, c."""
    if mode == a:
        return BIN_COST[1, st.cd.ctx[PREV_INTRA]] + (1 << COST_BITS)
    if mode == b or mode == c:  # noqa: SIM109 - a tuple test compiles to a loop
        return BIN_COST[1, st.cd.ctx[PREV_INTRA]] + (2 << COST_BITS)
    return BIN_COST[0, st.cd.ctx[PREV_INTRA]] + (5 << COST_BITS)


@kernel(unit=True)
def _rank_modes(st, uy, ux, log2, keep, a, b, c):
    """Fill `st.ranking` with the `keep` best luma modes by SATD and rate, and the most probable ones; returns how many.

    The block is 1 << log2 (at most 32) at unit (uy, ux).
    """
    rc = st.rc
    y, x = 4 * uy, 4 * ux
    refs = rc.scratch.refs
    gather_references(Surroundings(rc.rec.y, PAD_Y, rc.zorder), TransformBlock(y, x, log2, 0), rc.bit_depth, refs)
    filter_references(refs, log2, rc.strong_intra != 0, rc.bit_depth)
    step = 4 if st.effort.coarse_angles else 1
    count, tried = 0, 0
    best_angle, best_cost = 2, -1.0
    for turn in range(35):
        mode = turn if turn < 2 else 2 + step * (turn - 2)
        if mode > 34:
            break
        cost = _mode_cost(st, y, x, log2, mode, a, b, c)
        count = rank(st.ranking, count, keep, mode, cost)
        tried |= 1 << mode
        if mode > 1 and (best_cost < 0 or cost < best_cost):
            best_angle, best_cost = mode, cost
    while step > 1:
        step >>= 1
        centre = best_angle
        for mode in range(max(centre - step, 2), min(centre + step, 34) + 1, 2 * step):
            if (tried >> mode) & 1:
                continue
            cost = _mode_cost(st, y, x, log2, mode, a, b, c)
            count = rank(st.ranking, count, keep, mode, cost)
            tried |= 1 << mode
            if cost < best_cost:
                best_angle, best_cost = mode, cost
    return _add_probable(st.ranking.candidates, _drop_dear(st, count), st.effort.probable_rd, a, b, c)


@kernel
def _drop_dear(st, count):
    """How many of the ranked modes are not much dearer than the first."""
    costs = st.ranking.costs
    while count > 1 and 16 * costs[count - 1] > (16 + st.effort.intra_margin) * costs[0]:
        count -= 1
    return count


@kernel
def _mode_cost(st, y, x, log2, mode, a, b, c):
    """SATD and rate of a luma mode; the references are in place."""
    rc, n = st.rc, 1 << log2
    predict_mode(rc.scratch.refs, log2, mode, 0, rc.bit_depth, rc.pred.y, y, x)
    error = luma_satd(st, y, x, rc.pred.y, y, x, n, n)
    return error + st.weights.sqrt_lam * _mode_bits(st, mode, a, b, c) / (1 << COST_BITS)


@kernel
def _add_probable(modes, count, first, a, b, c):
    """Append the `first` most probable modes where they are not yet in the list; returns its new length."""
    for k in range(first):
        mode = a if k == 0 else b if k == 1 else c
        found = False
        for i in range(count):
            found = found or modes[i] == mode
        if not found:
            modes[count] = mode
            count += 1
    return count


@kernel(recursive=types.float64)
def _search_luma_tree(st, uy, ux, log2, depth, limit, mode):
    """Luma of an intra transform tree with one mode, splitting down to depth `limit`; returns its cost."""
    rc = st.rc
    units = 1 << (log2 - 2)
    cost = -1.0
    split_cost = 0.0
    if log2 <= MAX_TU_LOG2:
        predict_intra_luma(rc, uy, ux, log2, mode)
        keep_contexts(st, TU_ENTRY + depth)
        cost, cbf = search_luma_tb(st, uy, ux, log2, depth, mode)
        fill_units(rc.blocks.tu_log2, uy, ux, units, log2)
        fill_units(rc.blocks.cbf, uy, ux, units, cbf)
        if depth >= limit or log2 == 2 or not cbf:
            return cost
        flag = SPLIT_TRANSFORM + 5 - log2
        cost += bits_to_cost(st, BIN_COST[0, st.cd.ctx[flag]])
        copy_residual(st.versions, 0, TU_VERSION + depth, uy, ux, units)
        keep_contexts(st, TU_BEST + depth)
        recall_contexts(st, TU_ENTRY + depth)
        split_cost = bits_to_cost(st, BIN_COST[1, st.cd.ctx[flag]])
    half = units >> 1
    for k in range(4):
        y, x = uy + half * (k >> 1), ux + half * (k & 1)
        split_cost += _search_luma_tree(st, y, x, log2 - 1, depth + 1, limit, mode)
        if 0 <= cost <= split_cost:
            break
    if 0 <= cost <= split_cost:
        copy_residual(st.versions, TU_VERSION + depth, 0, uy, ux, units)
        recall_contexts(st, TU_BEST + depth)
        return cost
    return split_cost


@kernel
def _search_luma_mode(st, uy, ux, log2, depth, bound):
    """Choose the luma mode of a part of 1 << log2 at unit (uy, ux) and code its luma; returns its cost.

    `depth` is 1 for the parts of NxN.  If `bound` >= 0 and no mode has a lower SATD plus rate, nothing is coded: -1.
    """
    blocks = st.rc.blocks
    units = 1 << (log2 - 2)
    a, b, c = intra_candidates(blocks, uy, ux)
    if log2 <= MAX_TU_LOG2:
        count = _rank_modes(st, uy, ux, log2, st.effort.intra_rd_small if log2 < 4 else st.effort.intra_rd, a, b, c)
        if 0 <= bound <= st.ranking.costs[0]:
            return -1.0
    elif bound >= 0:
        return -1.0
    else:
        st.ranking.candidates[0] = 0
        st.ranking.candidates[1] = 1
        count = _add_probable(st.ranking.candidates, 2, st.effort.probable_rd, a, b, c)
    keep_contexts(st, MODE_ENTRY + depth)
    forced = depth if log2 <= MAX_TU_LOG2 else depth + 1
    best_mode, best_cost = st.ranking.candidates[0], -1.0
    for i in range(count if count > 1 else 0):
        mode = st.ranking.candidates[i]
        recall_contexts(st, MODE_ENTRY + depth)
        cost = bits_to_cost(st, _mode_bits(st, mode, a, b, c))
        cost += _search_luma_tree(st, uy, ux, log2, depth, forced, mode)
        if best_cost < 0 or cost < best_cost:
            best_mode, best_cost = mode, cost
    recall_contexts(st, MODE_ENTRY + depth)
    cost = bits_to_cost(st, _mode_bits(st, best_mode, a, b, c))
    limit = depth + st.sl.max_depth_intra if log2 <= MAX_TU_LOG2 else max(1, st.sl.max_depth_intra)
    cost += _search_luma_tree(st, uy, ux, log2, depth, limit, best_mode)
    fill_units(blocks.intra_luma, uy, ux, units, best_mode)
    return cost


@kernel(unit=True)
def code_chroma(st, uy, ux, log2, syntax):
    """Code the chroma of an intra CU, its luma decided, with intra_chroma_pred_mode `syntax`; returns its cost."""
    rc = st.rc
    blocks = rc.blocks
    mode = chroma_mode(syntax, int(blocks.intra_luma[uy, ux]))
    cost = bits_to_cost(st, (1 if syntax == CHROMA_DM else 3) << COST_BITS)
    z, end = 0, 1 << (2 * (log2 - 2))
    strong, depth, refs = rc.strong_intra != 0, rc.bit_depth, rc.scratch.refs
    of_u, of_v = Surroundings(rc.rec.u, PAD_C, rc.zorder), Surroundings(rc.rec.v, PAD_C, rc.zorder)
    while z < end:
        dx, dy = z_to_xy(z)
        ty, tx = uy + dy, ux + dx
        tu = max(int(blocks.tu_log2[ty, tx]), 3)
        y, x = 2 * ty, 2 * tx
        predict_intra(of_u, TransformBlock(y, x, tu - 1, 1), mode, strong, depth, refs, rc.pred.u, Place(y, x))
        predict_intra(of_v, TransformBlock(y, x, tu - 1, 2), mode, strong, depth, refs, rc.pred.v, Place(y, x))
        more, bits = search_chroma_tbs(st, ty, tx, tu, log2 - tu, mode)
        cost += more
        or_cbf(blocks, ty, tx, 1 << (tu - 2), bits)
        z += 1 << (2 * (tu - 2))
    return cost


@kernel(unit=True)
def _rank_chroma(st, uy, ux, log2):
    """Fill `st.ranking` with the intra_chroma_pred_mode values to try, the best by SATD and rate; returns how many."""
    keep = st.effort.chroma_rd
    if keep > CHROMA_DM:
        for k in range(CHROMA_DM + 1):
            st.ranking.candidates[k] = CHROMA_DM - k
        return CHROMA_DM + 1
    rc = st.rc
    y, x, size = 2 * uy, 2 * ux, log2 - 1
    n, refs = 1 << size, rc.scratch.refs
    luma = int(rc.blocks.intra_luma[uy, ux])
    for syntax in range(CHROMA_DM + 1):
        st.ranking.totals[syntax] = st.weights.sqrt_lam * (1 if syntax == CHROMA_DM else 3)
    for c_idx in range(1, 3):
        plane, pred, orig = (rc.rec.u, rc.pred.u, st.orig.u) if c_idx == 1 else (rc.rec.v, rc.pred.v, st.orig.v)
        around, tb = Surroundings(plane, PAD_C, rc.zorder), TransformBlock(y, x, size, c_idx)
        gather_references(around, tb, rc.bit_depth, refs)
        for syntax in range(CHROMA_DM + 1):
            predict_mode(refs, size, chroma_mode(syntax, luma), c_idx, rc.bit_depth, pred, y, x)
            st.ranking.totals[syntax] += satd(orig, y, x, pred, y, x, n, n)
    count = 0
    for syntax in range(CHROMA_DM, -1, -1):
        count = rank(st.ranking, count, keep, syntax, st.ranking.totals[syntax])
    return count


@kernel
def _search_chroma_mode(st, uy, ux, log2):
    """Choose and code the chroma mode of an intra CU whose luma is decided."""
    blocks = st.rc.blocks
    keep_contexts(st, MODE_ENTRY)
    count = _rank_chroma(st, uy, ux, log2)
    best, best_cost, last = -1, 0.0, -1
    for k in range(count):
        last = st.ranking.candidates[k]
        recall_contexts(st, MODE_ENTRY)
        cost = code_chroma(st, uy, ux, log2, last)
        if best < 0 or cost < best_cost:
            best, best_cost = last, cost
    if best != last:
        recall_contexts(st, MODE_ENTRY)
        code_chroma(st, uy, ux, log2, best)
    fill_units(blocks.intra_chroma, uy, ux, 1 << (log2 - 2), best)


@kernel
def begin_intra_cu(st, uy, ux, log2, part):
    """Declare the CU of version 0 intra with partition `part`."""
    blocks = st.rc.blocks
    units = 1 << (log2 - 2)
    fill_units(blocks.cu_log2, uy, ux, units, log2)
    fill_units(blocks.pred_mode, uy, ux, units, MODE_INTRA)
    fill_units(blocks.part_mode, uy, ux, units, part)
    fill_units(blocks.merge, uy, ux, units, 0)
    fill_units(blocks.intra_filter, uy, ux, units, 0)
    aim_qp(st, uy, ux, log2)
    clear_motion(st.rc.motion, uy, ux, units)


@kernel
def intra_cu_cost(st, uy, ux, log2):
    """Exact cost of the intra CU in version 0; contexts as at the CU's start on entry, adapted after."""
    rate = count_cu(st, uy, ux, log2)
    return weighted_error(st, st.rc.rec, PAD_Y, PAD_C, uy, ux, 1 << (log2 - 2)) + bits_to_cost(st, rate)


@kernel
def _search_plain_cu(st, uy, ux, log2, part, bound, best):
    """`search_intra_cu` with the flag of the intra filter as it stands."""
    depth = 6 - log2
    recall_contexts(st, CU_ENTRY + depth)
    luma = 0.0
    parts, half, size = (1, 0, log2) if part == PART_2Nx2N else (4, 1 << (log2 - 3), log2 - 1)
    for k in range(parts):
        cost = _search_luma_mode(st, uy + half * (k >> 1), ux + half * (k & 1), size, log2 - size, bound)
        luma += cost
        if cost < 0 or 0 <= best <= luma:
            return -1.0
        if parts > 1 and st.effort.parts_gate and luma >= st.memo.luma * (8 + k * 3) / 17:
            return -1.0
    if parts == 1:
        st.memo.luma = luma
    _search_chroma_mode(st, uy, ux, log2)
    recall_contexts(st, CU_ENTRY + depth)
    return intra_cu_cost(st, uy, ux, log2)


@kernel
def _filter_same_modes(st, uy, ux, log2, part, best):
    """Code an intra CU again, with its modes and the intra filter; returns its exact cost, -1 if above `best`."""
    blocks, depth = st.rc.blocks, 6 - log2
    recall_contexts(st, CU_ENTRY + depth)
    parts, half, size = (1, 0, log2) if part == PART_2Nx2N else (4, 1 << (log2 - 3), log2 - 1)
    luma = 0.0
    for k in range(parts):
        y, x = uy + half * (k >> 1), ux + half * (k & 1)
        at = log2 - size
        limit = at + st.sl.max_depth_intra if size <= MAX_TU_LOG2 else max(1, st.sl.max_depth_intra)
        mode = int(blocks.intra_luma[y, x])
        a, b, c = intra_candidates(blocks, y, x)
        luma += bits_to_cost(st, _mode_bits(st, mode, a, b, c))
        luma += _search_luma_tree(st, y, x, size, at, limit, mode)
        if luma >= best:
            return -1.0
    code_chroma(st, uy, ux, log2, int(blocks.intra_chroma[uy, ux]))
    recall_contexts(st, CU_ENTRY + depth)
    return intra_cu_cost(st, uy, ux, log2)


@kernel(unit=True)
def search_intra_cu(st, uy, ux, log2, part, bound, best):
    """Code the CU at unit (uy, ux) of version 0 as intra; returns its exact cost.

    -1 where it is given up: 2Nx2N when no mode has a SATD plus rate below `bound` >= 0, either when luma alone costs
    more than `best` >= 0.
    """
    blocks, units = st.rc.blocks, 1 << (log2 - 2)
    begin_intra_cu(st, uy, ux, log2, part)
    cost = _search_plain_cu(st, uy, ux, log2, part, bound, best)
    if cost < 0 or not st.sl.intra_filter_on:
        return cost
    memo = st.memo.luma
    copy_cu(st.versions, 0, PLAIN_VERSION, uy, ux, units)
    keep_contexts(st, PLAIN_BEST)
    fill_units(blocks.intra_filter, uy, ux, units, 1)
    if st.effort.intra_filter_modes:
        filtered = _search_plain_cu(st, uy, ux, log2, part, -1.0, cost)
    else:
        filtered = _filter_same_modes(st, uy, ux, log2, part, cost)
    if 0 <= filtered < cost:
        return filtered
    st.memo.luma = memo
    copy_cu(st.versions, PLAIN_VERSION, 0, uy, ux, units)
    recall_contexts(st, PLAIN_BEST)
    return cost
