"""Normative. slice_segment_data(): coding quadtree, coding, prediction and transform units (7.3.8).

Each structure is written once and serves writing, reading and counting (see entropy.cabac).  When writing and counting, the
values come from the block store; when reading, they go there.  Samples and motion vectors are not needed to parse.
"""

from typing import NamedTuple

import numpy as np
from numba import types

from codecsim.blocks import (
    CBF_CB,
    CBF_CR,
    CBF_Y,
    CHROMA_DM,
    CTU_SIZE,
    FILTER_LOG2,
    MAX_TU_LOG2,
    MIN_CU_LOG2,
    MODE_INTER,
    MODE_INTRA,
    MODE_NONE,
    MODE_SKIP,
    PART_2Nx2N,
    PART_2NxN,
    PART_Nx2N,
    PART_NxN,
    chroma_mode,
    fill_units,
)
from codecsim.entropy import contexts as C
from codecsim.entropy.cabac import (
    COUNT,
    DECODE,
    FAULT,
    PART,
    PART_LEARNED,
    PART_MODES,
    PART_MOTION,
    PART_RESIDUAL,
    code_bin,
    code_bypass,
    code_terminate,
)
from codecsim.jit import kernel
from codecsim.syntax.residual import code_residual
from codecsim.syntax.sao import code_sao
from codecsim.tables import choose_scan_idx


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
    filter_on: int  # the prediction filter's choice is coded per 32x32
    sao_luma: int  # slice_sao_luma_flag
    sao_chroma: int
    bit_depth: int


@kernel
def part_geometry(part_mode, size, index):
    """Offset and size (x, y, w, h) of prediction unit `index` of a CU of `size`; 2Nx2N has one, NxN four, others two."""
    half, quarter = size >> 1, size >> 2
    if part_mode == PART_2Nx2N:
        return 0, 0, size, size
    if part_mode == PART_NxN:
        return half * (index & 1), half * (index >> 1), half, half
    if part_mode == PART_2NxN or part_mode == 4 or part_mode == 5:
        first = half if part_mode == PART_2NxN else quarter if part_mode == 4 else size - quarter
        return 0, first * index, size, size - first if index else first
    first = half if part_mode == PART_Nx2N else quarter if part_mode == 6 else size - quarter
    return first * index, 0, size - first if index else first, size


@kernel
def intra_candidates(blocks, uy, ux):
    """The three most probable luma modes at unit (uy, ux) (8.4.2); the caller has decided what comes before it."""
    left = np.int64(blocks.intra_luma[uy, ux - 1]) if ux > 0 else 1
    above = np.int64(blocks.intra_luma[uy - 1, ux]) if uy & 15 else 1
    if ux > 0 and blocks.pred_mode[uy, ux - 1] != MODE_INTRA:
        left = 1
    if uy & 15 and blocks.pred_mode[uy - 1, ux] != MODE_INTRA:
        above = 1
    if left == above:
        if left < 2:
            return 0, 1, 26
        return left, 2 + ((left + 29) & 31), 2 + ((left - 1) & 31)
    if left != 0 and above != 0:
        return left, above, 0
    if left != 1 and above != 1:
        return left, above, 1
    return left, above, 26


@kernel
def code_split_flag(mode, cd, blocks, uy, ux, log2, split):
    """split_cu_flag at unit (uy, ux), context by the depth of the left and upper CU (9.3.4.2.2)."""
    inc = 0
    if ux > 0 and blocks.cu_log2[uy, ux - 1] < log2:
        inc += 1
    if uy > 0 and blocks.cu_log2[uy - 1, ux] < log2:
        inc += 1
    return code_bin(mode, cd, C.SPLIT_CU + inc, split)


@kernel
def code_skip_flag(mode, cd, blocks, uy, ux, skip):
    """cu_skip_flag at unit (uy, ux)."""
    inc = 0
    if ux > 0 and blocks.pred_mode[uy, ux - 1] == MODE_SKIP:
        inc += 1
    if uy > 0 and blocks.pred_mode[uy - 1, ux] == MODE_SKIP:
        inc += 1
    return code_bin(mode, cd, C.CU_SKIP + inc, skip)


@kernel
def code_part_mode(mode, cd, sl, log2, intra, part):
    """part_mode (9.3.3.7)."""
    if intra:
        if log2 != MIN_CU_LOG2:
            return PART_2Nx2N
        return PART_2Nx2N if code_bin(mode, cd, C.PART_MODE, 1 if part == PART_2Nx2N else 0) else PART_NxN
    if code_bin(mode, cd, C.PART_MODE, 1 if part == PART_2Nx2N else 0):
        return PART_2Nx2N
    flat = 1 if part == PART_2NxN or part == 4 or part == 5 else 0
    flat = code_bin(mode, cd, C.PART_MODE + 1, flat)
    plain = PART_2NxN if flat else PART_Nx2N
    if log2 == MIN_CU_LOG2 or not sl.amp or code_bin(mode, cd, C.PART_MODE + 3, 1 if part == plain else 0):
        return plain
    return (4 if flat else 6) + code_bypass(mode, cd, 1, part & 1)


@kernel
def code_merge_idx(mode, cd, sl, index):
    """merge_idx: truncated unary, the first bin with a context."""
    longest = sl.max_merge_cand - 1
    k = 0
    while k < longest:
        want = 1 if k < index else 0
        more = code_bin(mode, cd, C.MERGE_IDX, want) if k == 0 else code_bypass(mode, cd, 1, want)
        if more == 0:
            break
        k += 1
    return k


@kernel
def code_ref_idx(mode, cd, active, index):
    """ref_idx_l0 or _l1 with `active` entries in the list: truncated unary, two bins with contexts."""
    k = 0
    while k < active - 1:
        want = 1 if k < index else 0
        more = code_bin(mode, cd, C.REF_IDX + k, want) if k < 2 else code_bypass(mode, cd, 1, want)
        if more == 0:
            break
        k += 1
    return k


@kernel
def _code_mvd_rest(mode, cd, magnitude, greater1, negative):
    """abs_mvd_minus2 (first order Exp-Golomb) and mvd_sign_flag of one nonzero component."""
    if greater1:
        k = 1
        rest = magnitude - 2
        while k < 17:
            more = code_bypass(mode, cd, 1, 1 if rest >= (1 << k) else 0)
            if more == 0:
                break
            rest -= 1 << k
            k += 1
        if k == 17:
            cd.reg[FAULT] = 1
        rest = code_bypass(mode, cd, k, rest)
        if mode == DECODE:
            magnitude = rest + (1 << k)
    else:
        magnitude = 1
    negative = code_bypass(mode, cd, 1, negative)
    return -magnitude if negative else magnitude


@kernel
def code_mvd(mode, cd, x, y):
    """mvd_coding(): returns (x, y) in quarter samples."""
    zero_x = code_bin(mode, cd, C.MVD_GREATER0, 1 if x != 0 else 0) == 0
    zero_y = code_bin(mode, cd, C.MVD_GREATER0, 1 if y != 0 else 0) == 0
    more_x = 0 if zero_x else code_bin(mode, cd, C.MVD_GREATER1, 1 if abs(x) > 1 else 0)
    more_y = 0 if zero_y else code_bin(mode, cd, C.MVD_GREATER1, 1 if abs(y) > 1 else 0)
    out_x = 0 if zero_x else _code_mvd_rest(mode, cd, abs(x), more_x, 1 if x < 0 else 0)
    out_y = 0 if zero_y else _code_mvd_rest(mode, cd, abs(y), more_y, 1 if y < 0 else 0)
    return out_x, out_y


@kernel
def code_inter_pred_idc(mode, cd, cu_depth, w, h, idc):
    """inter_pred_idc: 0 list 0, 1 list 1, 2 both."""
    if w + h != 12 and code_bin(mode, cd, C.INTER_PRED_IDC + cu_depth, 1 if idc == 2 else 0):
        return 2
    return code_bin(mode, cd, C.INTER_PRED_IDC + 4, 1 if idc == 1 else 0)


@kernel
def _code_amvp(mode, cd, sl, blocks, motion, uy, ux, depth, w, h):
    """The motion of a prediction unit that is not merged: lists, references, differences, predictors."""
    idc = 0
    if sl.slice_type == 0:
        if motion.ref_idx[uy, ux, 1] >= 0:
            idc = 2 if motion.ref_idx[uy, ux, 0] >= 0 else 1
        idc = code_inter_pred_idc(mode, cd, depth, w, h, idc)
    for lx in range(2):
        used = idc == 2 or idc == lx
        index = -1
        if used:
            index = code_ref_idx(
                mode, cd, sl.num_ref_l1 if lx else sl.num_ref_l0, np.int64(motion.ref_idx[uy, ux, lx])
            )
            if lx == 1 and sl.mvd_l1_zero and idc == 2:
                blocks.mvd[uy, ux, 1, 0] = 0
                blocks.mvd[uy, ux, 1, 1] = 0
            else:
                x, y = code_mvd(mode, cd, np.int64(blocks.mvd[uy, ux, lx, 0]), np.int64(blocks.mvd[uy, ux, lx, 1]))
                if mode == DECODE:
                    blocks.mvd[uy, ux, lx, 0] = x
                    blocks.mvd[uy, ux, lx, 1] = y
            flag = code_bin(mode, cd, C.MVP_FLAG, np.int64(blocks.mvp_idx[uy, ux, lx]))
            if mode == DECODE:
                blocks.mvp_idx[uy, ux, lx] = flag
        if mode == DECODE:
            for j in range(uy, uy + (h >> 2)):
                for i in range(ux, ux + (w >> 2)):
                    motion.ref_idx[j, i, lx] = index


@kernel
def code_prediction_unit(mode, cd, sl, blocks, motion, uy, ux, depth, w, h):
    """prediction_unit() of w x h luma samples at unit (uy, ux), in a CU at quadtree depth `depth`."""
    merge = np.int64(blocks.merge[uy, ux])
    if code_bin(mode, cd, C.MERGE_FLAG, 1 if merge else 0):
        merge = code_merge_idx(mode, cd, sl, merge - 1) + 1
    else:
        merge = 0
        _code_amvp(mode, cd, sl, blocks, motion, uy, ux, depth, w, h)
    if mode == DECODE:
        for j in range(uy, uy + (h >> 2)):
            for i in range(ux, ux + (w >> 2)):
                blocks.merge[j, i] = merge


@kernel
def code_intra_modes(mode, cd, blocks, uy, ux, log2, part):
    """Luma modes of the one or four parts of an intra CU, then its chroma mode."""
    parts = 4 if part == PART_NxN else 1
    units = 1 << (log2 - 2)
    step = units >> 1
    mpm = 0  # per part: 0 coded otherwise, else mpm_idx + 1, four bits each
    for k in range(parts):
        y, x = uy + step * (k >> 1), ux + step * (k & 1)
        found = 0
        if mode != DECODE:
            a, b, c = intra_candidates(blocks, y, x)
            luma = blocks.intra_luma[y, x]
            found = 1 if luma == a else 2 if luma == b else 3 if luma == c else 0
        flag = code_bin(mode, cd, C.PREV_INTRA, 1 if found else 0)
        mpm |= (found if mode != DECODE else flag) << (4 * k)
    for k in range(parts):
        y, x = uy + step * (k >> 1), ux + step * (k & 1)
        a, b, c = intra_candidates(blocks, y, x)
        found = (mpm >> (4 * k)) & 15
        luma = np.int64(blocks.intra_luma[y, x])
        if found:
            first = code_bypass(mode, cd, 1, 1 if found > 1 else 0)
            second = code_bypass(mode, cd, 1, 1 if found > 2 else 0) if first else 0
            luma = a if first == 0 else b if second == 0 else c
        else:
            a, b = min(a, b), max(a, b)
            b, c = min(b, c), max(b, c)
            a, b = min(a, b), max(a, b)
            rest = luma - (1 if luma > a else 0) - (1 if luma > b else 0) - (1 if luma > c else 0)
            luma = code_bypass(mode, cd, 5, rest)
            luma += 1 if luma >= a else 0
            luma += 1 if luma >= b else 0
            luma += 1 if luma >= c else 0
        if mode == DECODE:
            fill_units(blocks.intra_luma, y, x, units if parts == 1 else step, luma)
    chroma = np.int64(blocks.intra_chroma[uy, ux])
    if code_bin(mode, cd, C.INTRA_CHROMA, 1 if chroma != CHROMA_DM else 0):
        chroma = code_bypass(mode, cd, 2, chroma)
    else:
        chroma = CHROMA_DM
    if mode == DECODE:
        fill_units(blocks.intra_chroma, uy, ux, units, chroma)


@kernel
def _any_cbf(blocks, uy, ux, units, bit):
    """1 if any unit of the square has `bit` set in cbf."""
    for j in range(uy, uy + units):
        for i in range(ux, ux + units):
            if blocks.cbf[j, i] & bit:
                return 1
    return 0


@kernel
def code_transform_residuals(mode, cd, sl, blocks, levels, uy, ux, log2, cbf, corner):
    """Levels of a transform unit; for a 4x4 luma block the chroma comes with the fourth of its 8x8 (`corner`)."""
    intra = blocks.pred_mode[uy, ux] == MODE_INTRA
    luma = np.int64(blocks.intra_luma[uy, ux])
    if cbf & CBF_Y:
        scan = choose_scan_idx(intra, log2, 0, luma)
        code_residual(mode, cd, levels.y, 4 * uy, 4 * ux, log2, 0, scan, sl.sign_hiding)
    if cbf & (CBF_CB | CBF_CR) and (log2 > 2 or corner == 3):
        cy, cx = (uy, ux) if log2 > 2 else (uy - 1, ux - 1)
        chroma_log2 = log2 - 1 if log2 > 2 else 2
        chroma = chroma_mode(np.int64(blocks.intra_chroma[cy, cx]), np.int64(blocks.intra_luma[cy, cx]))
        scan = choose_scan_idx(intra, chroma_log2, 1, chroma)
        if cbf & CBF_CB:
            code_residual(mode, cd, levels.u, 2 * cy, 2 * cx, chroma_log2, 1, scan, sl.sign_hiding)
        if cbf & CBF_CR:
            code_residual(mode, cd, levels.v, 2 * cy, 2 * cx, chroma_log2, 2, scan, sl.sign_hiding)


@kernel
def code_chroma_cbf(mode, cd, depth, parent, cbf):
    """cbf_cb and cbf_cr at transform depth `depth`, each only under a set parent; returns their bits."""
    out = 0
    if parent & CBF_CB and code_bin(mode, cd, C.CBF_CHROMA + depth, 1 if cbf & CBF_CB else 0):
        out |= CBF_CB
    if parent & CBF_CR and code_bin(mode, cd, C.CBF_CHROMA + depth, 1 if cbf & CBF_CR else 0):
        out |= CBF_CR
    return out


@kernel(recursive=types.none)
def code_transform_tree(mode, cd, sl, blocks, levels, uy, ux, log2, depth, parent, corner):
    """transform_tree() at unit (uy, ux); `parent`: chroma cbf bits of the node above; `corner`: blkIdx."""
    units = 1 << (log2 - 2)
    intra = blocks.pred_mode[uy, ux] == MODE_INTRA
    part = blocks.part_mode[uy, ux]
    force = log2 > MAX_TU_LOG2 or (depth == 0 and intra and part == PART_NxN)
    force = force or (depth == 0 and not intra and sl.max_depth_inter == 0 and part != PART_2Nx2N)
    limit = sl.max_depth_intra + (1 if part == PART_NxN else 0) if intra else sl.max_depth_inter
    split = 1 if force else 0
    cd.reg[PART] = PART_MODES
    if not force and log2 > 2 and depth < limit:
        split = code_bin(mode, cd, C.SPLIT_TRANSFORM + 5 - log2, 1 if blocks.tu_log2[uy, ux] < log2 else 0)
    cd.reg[PART] = PART_RESIDUAL
    chroma = parent
    if log2 > 2:
        want = 0
        if mode != DECODE:
            want = _any_cbf(blocks, uy, ux, units, CBF_CB) * CBF_CB | _any_cbf(blocks, uy, ux, units, CBF_CR) * CBF_CR
        chroma = code_chroma_cbf(mode, cd, depth, parent, want)
    if split:
        half = units >> 1
        for k in range(4):
            y, x = uy + half * (k >> 1), ux + half * (k & 1)
            code_transform_tree(mode, cd, sl, blocks, levels, y, x, log2 - 1, depth + 1, chroma, k)
        return
    luma = 1
    if intra or depth > 0 or chroma:
        luma = code_bin(mode, cd, C.CBF_LUMA + (1 if depth == 0 else 0), np.int64(blocks.cbf[uy, ux]) & CBF_Y)
    cbf = chroma | luma
    if mode == DECODE:
        fill_units(blocks.tu_log2, uy, ux, units, log2)
        fill_units(blocks.cbf, uy, ux, units, cbf)
    code_transform_residuals(mode, cd, sl, blocks, levels, uy, ux, log2, cbf, corner)


@kernel(unit=True)
def code_coding_unit(mode, cd, sl, blocks, motion, levels, uy, ux, log2):
    """coding_unit() at unit (uy, ux)."""
    units = 1 << (log2 - 2)
    cd.reg[PART] = PART_MODES
    pred = np.int64(blocks.pred_mode[uy, ux])
    part = np.int64(blocks.part_mode[uy, ux])
    skip = 0
    if sl.slice_type != 2:
        skip = code_skip_flag(mode, cd, blocks, uy, ux, 1 if pred == MODE_SKIP else 0)
    if mode == DECODE:
        fill_units(blocks.cu_log2, uy, ux, units, log2)
    if skip:
        cd.reg[PART] = PART_MOTION
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
        intra = code_bin(mode, cd, C.PRED_MODE, 1 if pred == MODE_INTRA else 0)
    part = code_part_mode(mode, cd, sl, log2, intra, part)
    if mode == DECODE:
        fill_units(blocks.pred_mode, uy, ux, units, MODE_INTRA if intra else MODE_INTER)
        fill_units(blocks.part_mode, uy, ux, units, part)
    coded = 1
    if intra:
        code_intra_modes(mode, cd, blocks, uy, ux, log2, part)
    else:
        if mode == DECODE:
            fill_units(blocks.intra_luma, uy, ux, units, 1)
        cd.reg[PART] = PART_MOTION
        for k in range(1 if part == PART_2Nx2N else 2):
            x, y, w, h = part_geometry(part, units << 2, k)
            code_prediction_unit(mode, cd, sl, blocks, motion, uy + (y >> 2), ux + (x >> 2), 6 - log2, w, h)
        cd.reg[PART] = PART_RESIDUAL
        if part != PART_2Nx2N or blocks.merge[uy, ux] == 0:
            want = 0
            if mode != DECODE:
                want = _any_cbf(blocks, uy, ux, units, CBF_Y | CBF_CB | CBF_CR)
            coded = code_bin(mode, cd, C.ROOT_CBF, want)
    if coded:
        code_transform_tree(mode, cd, sl, blocks, levels, uy, ux, log2, 0, CBF_CB | CBF_CR, 0)
    elif mode == DECODE:
        fill_units(blocks.tu_log2, uy, ux, units, min(log2, MAX_TU_LOG2))
        fill_units(blocks.cbf, uy, ux, units, 0)


@kernel(recursive=types.none)
def code_quadtree(mode, cd, sl, blocks, motion, levels, uy, ux, log2):
    """coding_quadtree() at unit (uy, ux)."""
    h4, w4 = blocks.cu_log2.shape
    units = 1 << (log2 - 2)
    split = 1
    if uy + units <= h4 and ux + units <= w4:
        split = 0
        if log2 > MIN_CU_LOG2:
            cd.reg[PART] = PART_MODES
            split = code_split_flag(mode, cd, blocks, uy, ux, log2, 1 if blocks.cu_log2[uy, ux] < log2 else 0)
    if not split:
        code_coding_unit(mode, cd, sl, blocks, motion, levels, uy, ux, log2)
        return
    half = units >> 1
    for k in range(4):
        y, x = uy + half * (k >> 1), ux + half * (k & 1)
        if y < h4 and x < w4 and cd.reg[FAULT] == 0:
            code_quadtree(mode, cd, sl, blocks, motion, levels, y, x, log2 - 1)


@kernel
def has_inter(blocks, fy, fx):
    """1 if the 32x32 block (fy, fx) of the filter's grid contains an inter predicted unit."""
    h4, w4 = blocks.pred_mode.shape
    for j in range(8 * fy, min(8 * fy + 8, h4)):
        for i in range(8 * fx, min(8 * fx + 8, w4)):
            if blocks.pred_mode[j, i] >= MODE_INTER:
                return 1
    return 0


@kernel
def code_filter_choice(mode, cd, blocks, fy, fx):
    """Learned tools: the expert of the 32x32 block (fy, fx); context by the choices to the left and above."""
    inc = 0
    if fx > 0 and blocks.filter_idx[fy, fx - 1]:
        inc += 1
    if fy > 0 and blocks.filter_idx[fy - 1, fx]:
        inc += 1
    choice = code_bin(mode, cd, C.FILTER_IDX + inc, np.int64(blocks.filter_idx[fy, fx]))
    if mode == DECODE:
        blocks.filter_idx[fy, fx] = choice


@kernel
def code_slice_data(mode, cd, sl, blocks, motion, levels, sao):
    """All CTUs of a picture in one slice; returns the number of CTUs done (fewer than there are: a fault)."""
    h4, w4 = blocks.cu_log2.shape
    rows, columns = (h4 + 15) >> 4, (w4 + 15) >> 4
    in_ctu = CTU_SIZE >> FILTER_LOG2
    for address in range(rows * columns):
        ty, tx = address // columns, address % columns
        code_sao(mode, cd, sl, sao, ty, tx)
        code_quadtree(mode, cd, sl, blocks, motion, levels, ty << 4, tx << 4, 6)
        if sl.filter_on:
            cd.reg[PART] = PART_LEARNED
            for k in range(in_ctu * in_ctu):
                fy, fx = ty * in_ctu + k // in_ctu, tx * in_ctu + k % in_ctu
                if fy < blocks.filter_idx.shape[0] and fx < blocks.filter_idx.shape[1] and has_inter(blocks, fy, fx):
                    code_filter_choice(mode, cd, blocks, fy, fx)
        last = 1 if address == rows * columns - 1 else 0
        end = code_terminate(mode, cd, last)
        if cd.reg[FAULT] or end != last:
            return address if mode == DECODE else 0
    return rows * columns
