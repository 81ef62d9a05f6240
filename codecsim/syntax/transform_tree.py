"""Normative. transform_tree() and transform_unit() of a coding unit (7.3.8.8, 7.3.8.10).

Each structure serves writing, reading and counting (see entropy.cabac and slice_data).
"""

from typing import NamedTuple

import numpy as np
from numba import types

from codecsim.entropy import contexts as C
from codecsim.entropy import elements as E
from codecsim.entropy.cabac import DECODE, PART_MODES, PART_RESIDUAL, code_bin
from codecsim.entropy.trace import located, named
from codecsim.hevc.tables import choose_scan_idx
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import TransformBlock
from codecsim.picture.blocks import (
    CBF_CB,
    CBF_CR,
    CBF_Y,
    MAX_TU_LOG2,
    MODE_INTRA,
    TSKIP_SHIFT,
    PART_2Nx2N,
    PART_NxN,
    chroma_mode,
    fill_units,
)
from codecsim.syntax.quantisation_group import code_qp_delta
from codecsim.syntax.residual import code_residual, code_transform_skip


class TransformNode(NamedTuple):
    """A node of a transform tree: 1 << log2 luma samples a side from unit (uy, ux) on."""

    uy: int
    ux: int
    log2: int
    depth: int  # 0 for the coding unit
    corner: int  # blkIdx: which quarter of the node above


@kernel
def any_cbf(blocks, uy, ux, units, bit):
    """1 if any unit of the square has `bit` set in cbf."""
    for j in range(uy, uy + units):
        for i in range(ux, ux + units):
            if blocks.cbf[j, i] & bit:
                return 1
    return 0


@kernel
def _code_component(mode, cd, sl, blocks, plane, tb, scan):
    """residual_coding() of a TransformBlock, whose levels are in `plane`."""
    y, x, log2, c_idx = tb
    shift = 2 if c_idx == 0 else 1
    uy, ux = y >> shift, x >> shift
    size = 1 << (log2 if c_idx == 0 else log2 + 1)
    located(cd, ux << 2, uy << 2, size, size, c_idx)
    bit = 1 << (c_idx + TSKIP_SHIFT)
    skip = code_transform_skip(mode, cd, sl, log2, c_idx, 1 if blocks.cbf[uy, ux] & bit else 0)
    if mode == DECODE and skip:
        units = 1 if c_idx == 0 else 2
        for j in range(uy, uy + units):
            for i in range(ux, ux + units):
                blocks.cbf[j, i] |= bit
    code_residual(mode, cd, plane, tb, scan, sl.sign_hiding)


@kernel
def code_transform_residuals(mode, cd, sl, blocks, levels, node, cbf):
    """Levels of a transform unit; for a 4x4 luma block the chroma comes with the fourth of its 8x8."""
    uy, ux, log2 = node.uy, node.ux, node.log2
    intra = blocks.pred_mode[uy, ux] == MODE_INTRA
    luma = np.int64(blocks.intra_luma[uy, ux])
    if cbf & CBF_Y:
        scan = choose_scan_idx(intra, log2, 0, luma)
        _code_component(mode, cd, sl, blocks, levels.y, TransformBlock(uy << 2, ux << 2, log2, 0), scan)
    if cbf & (CBF_CB | CBF_CR) and (log2 > 2 or node.corner == 3):
        cy, cx = (uy, ux) if log2 > 2 else (uy - 1, ux - 1)
        y, x, chroma_log2 = cy << 1, cx << 1, log2 - 1 if log2 > 2 else 2
        chroma = chroma_mode(np.int64(blocks.intra_chroma[cy, cx]), np.int64(blocks.intra_luma[cy, cx]))
        scan = choose_scan_idx(intra, chroma_log2, 1, chroma)
        if cbf & CBF_CB:
            _code_component(mode, cd, sl, blocks, levels.u, TransformBlock(y, x, chroma_log2, 1), scan)
        if cbf & CBF_CR:
            _code_component(mode, cd, sl, blocks, levels.v, TransformBlock(y, x, chroma_log2, 2), scan)


@kernel
def code_chroma_cbf(mode, cd, depth, parent, cbf):
    """cbf_cb and cbf_cr at transform depth `depth`, each only under a set parent; returns their bits."""
    out = 0
    if parent & CBF_CB and named(cd, E.CBF_CB, code_bin(mode, cd, C.CBF_CHROMA + depth, 1 if cbf & CBF_CB else 0)):
        out |= CBF_CB
    if parent & CBF_CR and named(cd, E.CBF_CR, code_bin(mode, cd, C.CBF_CHROMA + depth, 1 if cbf & CBF_CR else 0)):
        out |= CBF_CR
    return out


@kernel(recursive=types.none)
def code_transform_tree(mode, cd, sl, blocks, levels, node, parent):
    """transform_tree() from a TransformNode down; `parent`: chroma cbf bits of the node above."""
    uy, ux, log2, depth = node.uy, node.ux, node.log2, node.depth
    units = 1 << (log2 - 2)
    intra = blocks.pred_mode[uy, ux] == MODE_INTRA
    part = blocks.part_mode[uy, ux]
    force = log2 > MAX_TU_LOG2 or (depth == 0 and intra and part == PART_NxN)
    force = force or (depth == 0 and not intra and sl.max_depth_inter == 0 and part != PART_2Nx2N)
    limit = sl.max_depth_intra + (1 if part == PART_NxN else 0) if intra else sl.max_depth_inter
    split = 1 if force else 0
    cd.reg.part = PART_MODES
    located(cd, ux << 2, uy << 2, units << 2, units << 2, -1)
    if not force and log2 > 2 and depth < limit:
        split = code_bin(mode, cd, C.SPLIT_TRANSFORM + 5 - log2, 1 if blocks.tu_log2[uy, ux] < log2 else 0)
        named(cd, E.SPLIT_TRANSFORM_FLAG, split)
    cd.reg.part = PART_RESIDUAL
    chroma = parent
    if log2 > 2:
        want = 0
        if mode != DECODE:
            want = any_cbf(blocks, uy, ux, units, CBF_CB) * CBF_CB | any_cbf(blocks, uy, ux, units, CBF_CR) * CBF_CR
        chroma = code_chroma_cbf(mode, cd, depth, parent, want)
    if split:
        half = units >> 1
        for k in range(4):
            below = TransformNode(uy + half * (k >> 1), ux + half * (k & 1), log2 - 1, depth + 1, k)
            code_transform_tree(mode, cd, sl, blocks, levels, below, chroma)
        return
    luma = 1
    if intra or depth > 0 or chroma:
        luma = code_bin(mode, cd, C.CBF_LUMA + (1 if depth == 0 else 0), np.int64(blocks.cbf[uy, ux]) & CBF_Y)
        named(cd, E.CBF_LUMA, luma)
    cbf = chroma | luma
    if mode == DECODE:
        fill_units(blocks.tu_log2, uy, ux, units, log2)
        fill_units(blocks.cbf, uy, ux, units, cbf)
    if cbf and sl.qp_delta:
        code_qp_delta(mode, cd, sl.bit_depth, np.int64(blocks.qp[uy, ux]))
    code_transform_residuals(mode, cd, sl, blocks, levels, node, cbf)
