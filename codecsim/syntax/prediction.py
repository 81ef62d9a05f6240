"""Normative. Partitions, intra modes and prediction units of a coding unit (7.3.8.5, 7.3.8.6, 7.3.8.9).

Each structure serves writing, reading and counting (see entropy.cabac and slice_data).
"""

import numpy as np

from codecsim.entropy import contexts as C
from codecsim.entropy import elements as E
from codecsim.entropy.cabac import DECODE, code_bin, code_bypass
from codecsim.entropy.trace import located, named
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Area
from codecsim.picture.blocks import (
    CHROMA_DM,
    MIN_CU_LOG2,
    MODE_INTRA,
    PART_2Nx2N,
    PART_2NxN,
    PART_Nx2N,
    PART_NxN,
    fill_units,
)


@kernel
def part_geometry(part_mode, size, index):
    """Offset and size (x, y, w, h) of prediction unit `index` of a CU of `size`: 2Nx2N has one, NxN four."""
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
def prediction_area(x, y, size, part_mode, index):
    """The Area of prediction unit `index` of the CU of `size` at luma (x, y)."""
    dx, dy, w, h = part_geometry(part_mode, size, index)
    return Area(x + dx, y + dy, w, h)


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
    return named(cd, E.MERGE_IDX, k)


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
            cd.reg.fault = 1
        rest = code_bypass(mode, cd, k, rest)
        if mode == DECODE:
            magnitude = rest + (1 << k)
        named(cd, E.ABS_MVD_MINUS2, magnitude - 2)
    else:
        magnitude = 1
    negative = named(cd, E.MVD_SIGN_FLAG, code_bypass(mode, cd, 1, negative))
    return -magnitude if negative else magnitude


@kernel
def code_mvd(mode, cd, x, y):
    """mvd_coding(): returns (x, y) in quarter samples."""
    zero_x = named(cd, E.ABS_MVD_GREATER0_FLAG, code_bin(mode, cd, C.MVD_GREATER0, 1 if x != 0 else 0)) == 0
    zero_y = named(cd, E.ABS_MVD_GREATER0_FLAG, code_bin(mode, cd, C.MVD_GREATER0, 1 if y != 0 else 0)) == 0
    more_x = more_y = 0
    if not zero_x:
        more_x = named(cd, E.ABS_MVD_GREATER1_FLAG, code_bin(mode, cd, C.MVD_GREATER1, 1 if abs(x) > 1 else 0))
    if not zero_y:
        more_y = named(cd, E.ABS_MVD_GREATER1_FLAG, code_bin(mode, cd, C.MVD_GREATER1, 1 if abs(y) > 1 else 0))
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
def _code_amvp(mode, cd, sl, blocks, motion, area, depth):
    """The motion of a prediction unit that is not merged: lists, references, differences, predictors."""
    uy, ux, w, h = area.y >> 2, area.x >> 2, area.w, area.h
    idc = 0
    if sl.slice_type == 0:
        if motion.ref_idx[uy, ux, 1] >= 0:
            idc = 2 if motion.ref_idx[uy, ux, 0] >= 0 else 1
        idc = named(cd, E.INTER_PRED_IDC, code_inter_pred_idc(mode, cd, depth, w, h, idc))
    for lx in range(2):
        used = idc == 2 or idc == lx
        index = -1
        if used:
            index = code_ref_idx(mode, cd, sl.num_ref_l1 if lx else sl.num_ref_l0, np.int64(motion.ref_idx[uy, ux, lx]))
            named(cd, E.REF_IDX_L0 + lx, index)
            if lx == 1 and sl.mvd_l1_zero and idc == 2:
                blocks.mvd[uy, ux, 1, 0] = 0
                blocks.mvd[uy, ux, 1, 1] = 0
            else:
                x, y = code_mvd(mode, cd, np.int64(blocks.mvd[uy, ux, lx, 0]), np.int64(blocks.mvd[uy, ux, lx, 1]))
                if mode == DECODE:
                    blocks.mvd[uy, ux, lx, 0] = x
                    blocks.mvd[uy, ux, lx, 1] = y
            flag = code_bin(mode, cd, C.MVP_FLAG, np.int64(blocks.mvp_idx[uy, ux, lx]))
            named(cd, E.MVP_L0_FLAG + lx, flag)
            if mode == DECODE:
                blocks.mvp_idx[uy, ux, lx] = flag
        if mode == DECODE:
            for j in range(uy, uy + (h >> 2)):
                for i in range(ux, ux + (w >> 2)):
                    motion.ref_idx[j, i, lx] = index


@kernel
def code_prediction_unit(mode, cd, sl, blocks, motion, area, depth):
    """prediction_unit() of an Area of luma samples, in a CU at quadtree depth `depth`."""
    x, y, w, h = area
    uy, ux = y >> 2, x >> 2
    located(cd, x, y, w, h, -1)
    merge = np.int64(blocks.merge[uy, ux])
    if named(cd, E.MERGE_FLAG, code_bin(mode, cd, C.MERGE_FLAG, 1 if merge else 0)):
        merge = code_merge_idx(mode, cd, sl, merge - 1) + 1
    else:
        merge = 0
        _code_amvp(mode, cd, sl, blocks, motion, area, depth)
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
        flag = named(cd, E.PREV_INTRA_LUMA_PRED_FLAG, code_bin(mode, cd, C.PREV_INTRA, 1 if found else 0))
        mpm |= (found if mode != DECODE else flag) << (4 * k)
    for k in range(parts):
        y, x = uy + step * (k >> 1), ux + step * (k & 1)
        a, b, c = intra_candidates(blocks, y, x)
        found = (mpm >> (4 * k)) & 15
        luma = np.int64(blocks.intra_luma[y, x])
        if found:
            first = code_bypass(mode, cd, 1, 1 if found > 1 else 0)
            second = code_bypass(mode, cd, 1, 1 if found > 2 else 0) if first else 0
            named(cd, E.MPM_IDX, first + second)
            luma = a if first == 0 else b if second == 0 else c
        else:
            a, b = min(a, b), max(a, b)
            b, c = min(b, c), max(b, c)
            a, b = min(a, b), max(a, b)
            rest = luma - (1 if luma > a else 0) - (1 if luma > b else 0) - (1 if luma > c else 0)
            luma = named(cd, E.REM_INTRA_LUMA_PRED_MODE, code_bypass(mode, cd, 5, rest))
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
    named(cd, E.INTRA_CHROMA_PRED_MODE, chroma)
    if mode == DECODE:
        fill_units(blocks.intra_chroma, uy, ux, units, chroma)
