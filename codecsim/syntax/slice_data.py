"""Normative. slice_segment_data(): coding quadtree, coding, prediction and transform units (7.3.8).

Each structure is written once and serves writing, reading and counting (see entropy.cabac).  When writing and counting,
the values come from the block store; when reading, they go there.  Samples and motion vectors are not needed to parse.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from codecsim.entropy import contexts as C
from codecsim.entropy import elements as E
from codecsim.entropy.cabac import (
    DECODE,
    MARK_CTU,
    MARK_CTU_END,
    MARK_CU,
    MARK_CU_END,
    PART_LEARNED,
    PART_MODES,
    PART_MOTION,
    PART_RESIDUAL,
    code_bin,
    code_bypass,
    code_terminate,
    mark,
)
from codecsim.entropy.trace import located, named
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Square
from codecsim.picture.blocks import (
    CBF_CB,
    CBF_CR,
    CBF_Y,
    CHOICE_EVERYWHERE,
    CHOICE_LOG2,
    CHOICE_PER_BLOCK,
    CTU_LOG2,
    CTU_SIZE,
    MAX_TU_LOG2,
    MIN_CU_LOG2,
    MODE_INTER,
    MODE_INTRA,
    MODE_SKIP,
    PART_2Nx2N,
    fill_units,
)
from codecsim.syntax.prediction import (
    code_intra_modes,
    code_merge_idx,
    code_part_mode,
    code_prediction_unit,
    prediction_area,
)
from codecsim.syntax.quantisation_group import begin_quantisation_group, group_qp
from codecsim.syntax.sao import code_sao
from codecsim.syntax.transform_tree import TransformNode, any_cbf, code_transform_tree


class SliceSyntax(NamedTuple):
    """What the slice data syntax depends on; ints, constant over a slice."""

    slice_type: int  # 0 B, 1 P, 2 I
    max_merge_cand: int  # 1..5
    num_ref_l0: int
    num_ref_l1: int
    mvd_l1_zero: int
    sign_hiding: int
    max_depth_intra: int  # max_transform_hierarchy_depth_intra
    max_depth_inter: int
    amp: int  # amp_enabled_flag
    experts: int  # alternatives of the prediction filter, 0..MAX_ALTERNATIVES; 0: no choice is coded
    obmc_on: int  # 0, 1: the same of overlapped motion compensation
    intra_filter_on: int  # whether intra coding units say if they use the intra prediction filter
    sao_luma: int  # slice_sao_luma_flag
    sao_chroma: int
    bit_depth: int
    transform_skip: int  # transform_skip_enabled_flag
    qp_delta: int  # cu_qp_delta_enabled_flag
    group_log2: int  # log2 of the size of quantisation groups, 3..6


@kernel
def code_split_flag(mode, cd, blocks, uy, ux, log2, split):
    """split_cu_flag at unit (uy, ux), context by the depth of the left and upper CU (9.3.4.2.2)."""
    inc = 0
    if ux > 0 and blocks.cu_log2[uy, ux - 1] < log2:
        inc += 1
    if uy > 0 and blocks.cu_log2[uy - 1, ux] < log2:
        inc += 1
    return named(cd, E.SPLIT_CU_FLAG, code_bin(mode, cd, C.SPLIT_CU + inc, split))


@kernel
def code_skip_flag(mode, cd, blocks, uy, ux, skip):
    """cu_skip_flag at unit (uy, ux)."""
    inc = 0
    if ux > 0 and blocks.pred_mode[uy, ux - 1] == MODE_SKIP:
        inc += 1
    if uy > 0 and blocks.pred_mode[uy - 1, ux] == MODE_SKIP:
        inc += 1
    return named(cd, E.CU_SKIP_FLAG, code_bin(mode, cd, C.CU_SKIP + inc, skip))


@kernel
def code_intra_filter(mode, cd, blocks, uy, ux):
    """Not in H.265: whether an intra coding unit at unit (uy, ux) uses the intra prediction filter."""
    inc = 0
    if ux > 0 and blocks.pred_mode[uy, ux - 1] == MODE_INTRA and blocks.intra_filter[uy, ux - 1]:
        inc += 1
    if uy > 0 and blocks.pred_mode[uy - 1, ux] == MODE_INTRA and blocks.intra_filter[uy - 1, ux]:
        inc += 1
    cd.reg.part = PART_LEARNED
    flag = code_bin(mode, cd, C.INTRA_FILTER + inc, np.int64(blocks.intra_filter[uy, ux]))
    named(cd, E.INTRA_FILTER_FLAG, flag)
    cd.reg.part = PART_RESIDUAL
    return flag


@kernel(unit=True)
def code_coding_unit(mode, cd, sl, blocks, motion, levels, cu):
    """coding_unit() of a Square.

    The QP in `blocks` is what a unit wants that can code a difference.  In every mode it becomes what the unit has: a
    consequence of the syntax, not a value of it, and what the search tries has to leave the same behind as decoding.
    """
    uy, ux, log2 = cu
    mark(cd, uy, ux, MARK_CU)
    if sl.qp_delta and (uy | ux) & ((1 << (sl.group_log2 - 2)) - 1) == 0:
        begin_quantisation_group(cd, blocks, uy, ux)
    _code_decisions(mode, cd, sl, blocks, motion, levels, cu)
    if sl.qp_delta:
        fill_units(blocks.qp, uy, ux, 1 << (log2 - 2), group_qp(cd))
    mark(cd, uy, ux, MARK_CU_END)


@kernel
def _code_decisions(mode, cd, sl, blocks, motion, levels, cu):
    """All syntax elements of a coding unit."""
    uy, ux, log2 = cu
    units = 1 << (log2 - 2)
    cd.reg.part = PART_MODES
    pred = np.int64(blocks.pred_mode[uy, ux])
    part = np.int64(blocks.part_mode[uy, ux])
    skip = 0
    if sl.slice_type != 2:
        skip = code_skip_flag(mode, cd, blocks, uy, ux, 1 if pred == MODE_SKIP else 0)
    if mode == DECODE:
        fill_units(blocks.cu_log2, uy, ux, units, log2)
    if skip:
        cd.reg.part = PART_MOTION
        merge = code_merge_idx(mode, cd, sl, np.int64(blocks.merge[uy, ux]) - 1) + 1
        if mode == DECODE:
            fill_units(blocks.pred_mode, uy, ux, units, MODE_SKIP)
            fill_units(blocks.part_mode, uy, ux, units, PART_2Nx2N)
            fill_units(blocks.merge, uy, ux, units, merge)
            fill_units(blocks.tu_log2, uy, ux, units, min(log2, MAX_TU_LOG2))
            fill_units(blocks.cbf, uy, ux, units, 0)
            fill_units(blocks.intra_luma, uy, ux, units, 1)
        return
    intra = 1
    if sl.slice_type != 2:
        intra = named(cd, E.PRED_MODE_FLAG, code_bin(mode, cd, C.PRED_MODE, 1 if pred == MODE_INTRA else 0))
    part = named(cd, E.PART_MODE, code_part_mode(mode, cd, sl, log2, intra, part))
    if mode == DECODE:
        fill_units(blocks.pred_mode, uy, ux, units, MODE_INTRA if intra else MODE_INTER)
        fill_units(blocks.part_mode, uy, ux, units, part)
    coded = 1
    if intra:
        code_intra_modes(mode, cd, blocks, uy, ux, log2, part)
        flag = 0
        if sl.intra_filter_on:
            flag = code_intra_filter(mode, cd, blocks, uy, ux)
        if mode == DECODE:
            fill_units(blocks.intra_filter, uy, ux, units, flag)
    else:
        if mode == DECODE:
            fill_units(blocks.intra_luma, uy, ux, units, 1)
        cd.reg.part = PART_MOTION
        for k in range(1 if part == PART_2Nx2N else 2):
            area = prediction_area(ux << 2, uy << 2, units << 2, part, k)
            code_prediction_unit(mode, cd, sl, blocks, motion, area, 6 - log2)
        cd.reg.part = PART_RESIDUAL
        located(cd, ux << 2, uy << 2, units << 2, units << 2, -1)
        if part != PART_2Nx2N or blocks.merge[uy, ux] == 0:
            want = 0
            if mode != DECODE:
                want = any_cbf(blocks, uy, ux, units, CBF_Y | CBF_CB | CBF_CR)
            coded = named(cd, E.RQT_ROOT_CBF, code_bin(mode, cd, C.ROOT_CBF, want))
    if coded:
        root = TransformNode(uy, ux, log2, 0, 0)
        code_transform_tree(mode, cd, sl, blocks, levels, root, CBF_CB | CBF_CR)
    elif mode == DECODE:
        fill_units(blocks.tu_log2, uy, ux, units, min(log2, MAX_TU_LOG2))
        fill_units(blocks.cbf, uy, ux, units, 0)


@kernel(recursive=types.none)
def code_quadtree(mode, cd, sl, blocks, motion, levels, square):
    """coding_quadtree() from a Square down."""
    uy, ux, log2 = square
    h4, w4 = blocks.cu_log2.shape
    units = 1 << (log2 - 2)
    located(cd, ux << 2, uy << 2, units << 2, units << 2, -1)
    split = 1
    if uy + units <= h4 and ux + units <= w4:
        split = 0
        if log2 > MIN_CU_LOG2:
            cd.reg.part = PART_MODES
            split = code_split_flag(mode, cd, blocks, uy, ux, log2, 1 if blocks.cu_log2[uy, ux] < log2 else 0)
    if not split:
        code_coding_unit(mode, cd, sl, blocks, motion, levels, square)
        return
    half = units >> 1
    for k in range(4):
        y, x = uy + half * (k >> 1), ux + half * (k & 1)
        if y < h4 and x < w4 and cd.reg.fault == 0:
            code_quadtree(mode, cd, sl, blocks, motion, levels, Square(y, x, log2 - 1))


@kernel
def has_inter(blocks, fy, fx):
    """1 if the 32x32 block (fy, fx) contains an inter predicted unit."""
    h4, w4 = blocks.pred_mode.shape
    for j in range(8 * fy, min(8 * fy + 8, h4)):
        for i in range(8 * fx, min(8 * fx + 8, w4)):
            if blocks.pred_mode[j, i] >= MODE_INTER:
                return 1
    return 0


@kernel
def code_choice_taken(mode, cd, choice, count, context, fy, fx):
    """Not in H.265: the alternative that the 32x32 block (fy, fx) takes, by those of the blocks to the left and above.

    Truncated unary.

    choice : Choice
    count : int, its alternatives, 1..MAX_ALTERNATIVES
    context : int, FILTER_CHOICE or OBMC_CHOICE
    """
    left = np.int64(choice.taken[fy, fx - 1]) if fx > 0 else 0
    above = np.int64(choice.taken[fy - 1, fx]) if fy > 0 else 0
    wanted = np.int64(choice.taken[fy, fx])
    taken = 0
    while taken < count:
        inc = 3 * taken + (1 if left > taken else 0) + (1 if above > taken else 0)
        if not code_bin(mode, cd, context + C.CHOICE_TAKEN + inc, 1 if wanted > taken else 0):
            break
        taken += 1
    if mode == DECODE:
        choice.taken[fy, fx] = taken
    return taken


@kernel
def code_choice_where(mode, cd, choice, count, context):
    """Not in H.265: where in the picture a choice holds; unless block by block, the alternative of all blocks too.

    choice, count, context : as for code_choice_taken
    Returns the alternative of all blocks, 0 for none, -1 where each says its own.
    """
    cd.reg.part = PART_LEARNED
    taken = -1
    where = np.int64(choice.where[0])
    if code_bin(mode, cd, context, 1 if where == CHOICE_PER_BLOCK else 0):
        where = CHOICE_PER_BLOCK
    else:
        where = code_bin(mode, cd, context + 1, 1 if where == CHOICE_EVERYWHERE else 0)
        wanted = np.int64(choice.taken[0, 0])
        taken = where
        while 0 < taken < count:
            if not code_bypass(mode, cd, 1, 1 if wanted > taken else 0):
                break
            taken += 1
        if mode == DECODE:
            rows, columns = choice.taken.shape
            for fy in range(rows):
                for fx in range(columns):
                    choice.taken[fy, fx] = taken
    if mode == DECODE:
        choice.where[0] = where
    return taken


@kernel
def _code_choices(mode, cd, sl, blocks, ty, tx):
    """What the blocks in CTU (ty, tx) take of all choices."""
    overlap = sl.obmc_on and blocks.overlap.where[0] == CHOICE_PER_BLOCK
    filtering = sl.experts and blocks.filtering.where[0] == CHOICE_PER_BLOCK
    if not (overlap or filtering):
        return
    cd.reg.part = PART_LEARNED
    in_ctu = CTU_SIZE >> CHOICE_LOG2
    rows, columns = blocks.overlap.taken.shape
    for k in range(in_ctu * in_ctu):
        fy, fx = ty * in_ctu + k // in_ctu, tx * in_ctu + k % in_ctu
        if fy >= rows or fx >= columns or not has_inter(blocks, fy, fx):
            continue
        located(cd, fx << CHOICE_LOG2, fy << CHOICE_LOG2, 1 << CHOICE_LOG2, 1 << CHOICE_LOG2, -1)
        if overlap:
            taken = code_choice_taken(mode, cd, blocks.overlap, sl.obmc_on, C.OBMC_CHOICE, fy, fx)
            named(cd, E.OBMC_CHOICE, taken)
        if filtering:
            taken = code_choice_taken(mode, cd, blocks.filtering, sl.experts, C.FILTER_CHOICE, fy, fx)
            named(cd, E.PREDICTION_FILTER_CHOICE, taken)


@kernel
def code_slice_data(mode, cd, sl, blocks, motion, levels, sao, ctus):
    """CTUs of a picture in one slice; returns the number of CTUs done (below the end: a fault).

    ctus : (int, int), the first one's address, and one past the last one's
    """
    first, end = ctus
    h4, w4 = blocks.cu_log2.shape
    rows, columns = (h4 + 15) >> 4, (w4 + 15) >> 4
    if first == 0 and sl.obmc_on:
        named(cd, E.OBMC_WHERE, code_choice_where(mode, cd, blocks.overlap, sl.obmc_on, C.OBMC_CHOICE))
    if first == 0 and sl.experts:
        where = code_choice_where(mode, cd, blocks.filtering, sl.experts, C.FILTER_CHOICE)
        named(cd, E.PREDICTION_FILTER_WHERE, where)
    for address in range(first, end):
        ty, tx = address // columns, address % columns
        mark(cd, ty << 4, tx << 4, MARK_CTU)
        located(cd, tx << CTU_LOG2, ty << CTU_LOG2, CTU_SIZE, CTU_SIZE, -1)
        code_sao(mode, cd, sl, sao, ty, tx)
        code_quadtree(mode, cd, sl, blocks, motion, levels, Square(ty << 4, tx << 4, CTU_LOG2))
        _code_choices(mode, cd, sl, blocks, ty, tx)
        located(cd, tx << CTU_LOG2, ty << CTU_LOG2, CTU_SIZE, CTU_SIZE, -1)
        last = 1 if address == rows * columns - 1 else 0
        is_end = named(cd, E.END_OF_SLICE_SEGMENT_FLAG, code_terminate(mode, cd, last))
        mark(cd, ty << 4, tx << 4, MARK_CTU_END)
        if cd.reg.fault or is_end != last:
            return address if mode == DECODE else 0
    return end
