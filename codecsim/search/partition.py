"""The coding quadtree by rate-distortion cost: one call searches a whole picture."""

from numba import types

from codecsim.entropy.cabac import COUNT
from codecsim.entropy.contexts import init_contexts
from codecsim.kernels.jit import kernel
from codecsim.picture.blocks import (
    MIN_CU_LOG2,
    MODE_SKIP,
    PART_2Nx2N,
    PART_2NxN,
    PART_2NxnD,
    PART_2NxnU,
    PART_nLx2N,
    PART_nRx2N,
    PART_Nx2N,
    PART_NxN,
)
from codecsim.search.inter import keep_if_better, search_inter_cu, search_merge
from codecsim.search.intra import search_intra_cu
from codecsim.search.residual import any_coded
from codecsim.search.state import (
    CU_BEST,
    CU_ENTRY,
    CU_VERSION,
    SPLIT_ENTRY,
    bits_to_cost,
    copy_cu,
    keep_contexts,
    recall_contexts,
)
from codecsim.syntax.slice_data import code_split_flag


@kernel
def _search_unsplit(st, uy, ux, log2):
    """Try all modes of a CU; the best is left in its version and context slot.  Returns its cost, -1 for none."""
    depth = 6 - log2
    best = -1.0
    inter = st.sl.slice_type != 2
    skipped = False
    bound = -1.0
    if inter:
        best = search_merge(st, uy, ux, log2)
        skipped = st.versions.blocks.pred_mode[CU_VERSION + depth, uy, ux] == MODE_SKIP
        if skipped and st.effort.early_skip and st.memo.coded == 0:
            return best
        best = search_inter_cu(st, uy, ux, log2, PART_2Nx2N, best)
        skipped = st.versions.blocks.pred_mode[CU_VERSION + depth, uy, ux] == MODE_SKIP
        if not skipped and log2 <= st.effort.shapes_log2:
            best = _search_shapes(st, uy, ux, log2, best)
            skipped = st.versions.blocks.pred_mode[CU_VERSION + depth, uy, ux] == MODE_SKIP
        if st.effort.intra_gate > 0:
            bound = st.memo.motion * st.effort.intra_gate / 16
    if skipped or (log2 == 6 and not st.effort.intra_64):
        return best
    cost = search_intra_cu(st, uy, ux, log2, PART_2Nx2N, bound, best)
    if cost < 0:
        return best
    best = keep_if_better(st, uy, ux, log2, cost, best)
    if log2 > MIN_CU_LOG2:
        return best
    if inter or st.effort.split_uncoded or _best_is_coded(st, uy, ux, log2):
        cost = search_intra_cu(st, uy, ux, log2, PART_NxN, -1.0, best)
        if cost >= 0:
            best = keep_if_better(st, uy, ux, log2, cost, best)
    return best


@kernel
def _best_is_coded(st, uy, ux, log2):
    """Whether any unit of the CU has a residual in the CU's best alternative."""
    return any_coded(st.versions.blocks.cbf[CU_VERSION + 6 - log2], uy, ux, 1 << (log2 - 2))


@kernel
def _search_shapes(st, uy, ux, log2, best):
    """Try the partitions of two units, the asymmetric ones where the best so far points to; returns the best cost."""
    version = CU_VERSION + 6 - log2
    best = search_inter_cu(st, uy, ux, log2, PART_2NxN, best)
    best = search_inter_cu(st, uy, ux, log2, PART_Nx2N, best)
    if log2 == MIN_CU_LOG2 or not st.effort.amp:
        return best
    blocks = st.versions.blocks
    part = blocks.part_mode[version, uy, ux]
    undecided = part == PART_2Nx2N and blocks.merge[version, uy, ux] == 0
    if part == PART_2NxN or undecided:
        best = search_inter_cu(st, uy, ux, log2, PART_2NxnU, best)
        best = search_inter_cu(st, uy, ux, log2, PART_2NxnD, best)
    if part == PART_Nx2N or undecided:
        best = search_inter_cu(st, uy, ux, log2, PART_nLx2N, best)
        best = search_inter_cu(st, uy, ux, log2, PART_nRx2N, best)
    return best


@kernel
def _count_split_flag(st, uy, ux, log2, split):
    """Cost of split_cu_flag where it is coded; contexts adapt."""
    if log2 == MIN_CU_LOG2:
        return 0.0
    st.cd.reg.cost = 0
    code_split_flag(COUNT, st.cd, st.rc.blocks, uy, ux, log2, split)
    return bits_to_cost(st, st.cd.reg.cost)


@kernel(recursive=types.float64)
def search_cu(st, uy, ux, log2):
    """Best way to code the square of 1 << log2 at unit (uy, ux), whole or split; leaves it in version 0.

    Contexts start as they stand and end adapted to the choice.  Returns its cost.
    """
    h4, w4 = st.rc.zorder.shape
    units = 1 << (log2 - 2)
    depth = 6 - log2
    fits = uy + units <= h4 and ux + units <= w4
    best = -1.0
    split_cost = 0.0
    if fits:
        keep_contexts(st, SPLIT_ENTRY + depth)
        flag_cost = _count_split_flag(st, uy, ux, log2, 0)
        keep_contexts(st, CU_ENTRY + depth)
        best = _search_unsplit(st, uy, ux, log2)
        if best >= 0:
            best += flag_cost
        skipped = st.versions.blocks.pred_mode[CU_VERSION + depth, uy, ux] == MODE_SKIP
        is_leaf = log2 == MIN_CU_LOG2
        if best < 0:
            pass
        elif skipped:
            is_leaf = is_leaf or not st.effort.split_after_skip
        elif st.sl.slice_type == 2 and not st.effort.split_uncoded:
            is_leaf = is_leaf or not _best_is_coded(st, uy, ux, log2)
        if is_leaf:
            copy_cu(st.versions, CU_VERSION + depth, 0, uy, ux, units)
            recall_contexts(st, CU_BEST + depth)
            return best
        recall_contexts(st, SPLIT_ENTRY + depth)
        split_cost = _count_split_flag(st, uy, ux, log2, 1)
    half = units >> 1
    for k in range(4):
        y, x = uy + half * (k >> 1), ux + half * (k & 1)
        if y < h4 and x < w4:
            split_cost += search_cu(st, y, x, log2 - 1)
            if 0 <= best <= split_cost:
                break
    if 0 <= best <= split_cost:
        copy_cu(st.versions, CU_VERSION + depth, 0, uy, ux, units)
        recall_contexts(st, CU_BEST + depth)
        return best
    return split_cost


@kernel
def search_rows(st, slice_qp, first, last):
    """Decide rows `first` to `last` - 1 of coding tree units in version 0, those above being decided."""
    h4, w4 = st.rc.zorder.shape
    if first == 0:
        init_contexts(st.cd.ctx, 2 - st.sl.slice_type, slice_qp)
    for uy in range(16 * first, min(16 * last, h4), 16):
        for ux in range(0, w4, 16):
            search_cu(st, uy, ux, 6)
