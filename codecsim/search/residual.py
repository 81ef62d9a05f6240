"""The residual of a block: levels by rate-distortion, and the transform tree of an inter coding unit."""

from typing import NamedTuple

import numpy as np
from numba import types

from codecsim.codec.recon import block_qp, copy_block
from codecsim.entropy.cabac import BIN_COST, COUNT, NEXT_CONTEXT
from codecsim.entropy.contexts import CBF_CHROMA, CBF_LUMA, SPLIT_TRANSFORM
from codecsim.hevc.distortion import sse
from codecsim.hevc.tables import choose_scan_idx
from codecsim.hevc.transform import (
    add_residual,
    dequant_inverse,
    dequant_transform_skip,
    fwd_transform,
    fwd_transform_skip,
    subtract,
)
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Place, TransformBlock
from codecsim.picture.blocks import CBF_Y, MAX_TU_LOG2, MODE_INTER, MODE_SKIP, TSKIP_Y, PART_2Nx2N, fill_units
from codecsim.picture.planes import PAD_C, PAD_Y
from codecsim.search.quantise import Quantiser, clear_levels, quantise, vanishes
from codecsim.search.state import (
    TB_BEST,
    TB_ENTRY,
    TU_BEST,
    TU_ENTRY,
    TU_VERSION,
    aim_qp,
    bits_to_cost,
    component_weight,
    copy_residual,
    count_cu,
    keep_contexts,
    recall_contexts,
    weighted_error,
)
from codecsim.syntax.residual import code_residual, code_transform_skip


class Component(NamedTuple):
    """The planes of one component that its residual is about."""

    pred: np.ndarray
    rec: np.ndarray  # padded
    orig: np.ndarray
    levels: np.ndarray


@kernel
def _compact_untransformed(coef, res, bit_depth):
    """True if the magnitudes of a 4x4 residual sum to no more than its coefficients', as they must to cost fewer bits.

    Trying every block gave the same rates and took three times as much more time.
    """
    transformed, plain = 0, 0
    for k in range(16):
        transformed += abs(coef[k])
        plain += abs(res[k])
    return plain << (13 - bit_depth) <= transformed


@kernel
def _code_levels(st, planes, tb, intra_mode, skip):
    """Levels for the coefficients in `st.coef`, transformed or not (`skip`), and the block's reconstruction.

    Returns their cost with transform_skip_flag, but without cbf; -1 if all are zero.  Contexts adapt.
    """
    rc, cd, sc = st.rc, st.cd, st.rc.scratch
    y, x, log2, c_idx = tb
    levels, rec, n = planes.levels, planes.rec, 1 << log2
    pad = PAD_Y if c_idx == 0 else PAD_C
    weight = component_weight(st, c_idx)
    qp = block_qp(rc, tb)
    scan = choose_scan_idx(intra_mode >= 0, log2, c_idx, intra_mode)
    how = Quantiser(qp, rc.bit_depth, st.weights.lam / weight, scan, st.sl.sign_hiding)
    if not quantise(st.coef, levels, tb, how, cd.ctx, st.quantising):
        return -1.0
    if skip:
        dequant_transform_skip(levels, tb, qp, rc.bit_depth, sc.res, sc.tmp)
    else:
        is_dst = c_idx == 0 and log2 == 2 and intra_mode >= 0
        dequant_inverse(levels, tb, qp, is_dst, rc.bit_depth, sc.res, sc.tmp)
    add_residual(planes.pred, Place(y, x), sc.res, n, rec, Place(y + pad, x + pad), rc.bit_depth)
    cd.reg.cost = 0
    code_transform_skip(COUNT, cd, st.sl, log2, c_idx, skip)
    code_residual(COUNT, cd, levels, tb, scan, st.sl.sign_hiding)
    return weight * sse(planes.orig, y, x, rec, y + pad, x + pad, n, n) + bits_to_cost(st, cd.reg.cost)


@kernel
def _swap_kept(kept, planes, tb, keep):
    """Copy levels and reconstruction of a 4x4 block to a Kept (`keep`), or back from there."""
    pad = PAD_Y if tb.c_idx == 0 else PAD_C
    for k in range(16):
        j, i = tb.y + (k >> 2), tb.x + (k & 3)
        if keep:
            kept.levels[k] = planes.levels[j, i]
            kept.rec[k] = planes.rec[j + pad, i + pad]
        else:
            planes.levels[j, i] = kept.levels[k]
            planes.rec[j + pad, i + pad] = kept.rec[k]


@kernel(unit=True)
def search_tb(st, planes, tb, depth, intra_mode):
    """Choose the levels of a TransformBlock whose prediction stands in the planes of a Component, and reconstruct it.

    A 4x4 block is tried without transform too, if the picture may have such.

    Returns
    -------
    cost : float, weighted squared error plus rate (levels and cbf)
    cbf : CBF_* and TSKIP_* bits of the component; zero if all levels are zero
    """
    rc, cd, res = st.rc, st.cd, st.rc.scratch.res
    pred, rec, orig, levels = planes
    y, x, log2, c_idx = tb
    n = 1 << log2
    pad = PAD_Y if c_idx == 0 else PAD_C
    weight = component_weight(st, c_idx)
    is_dst = c_idx == 0 and log2 == 2 and intra_mode >= 0
    flag = CBF_LUMA + (1 if depth == 0 else 0) if c_idx == 0 else CBF_CHROMA + depth
    error = sse(orig, y, x, pred, y, x, n, n)
    cost = weight * error + bits_to_cost(st, BIN_COST[0, cd.ctx[flag]])
    if vanishes(error, log2, block_qp(rc, tb), rc.bit_depth):
        clear_levels(levels, y, x, n)
        copy_block(pred, y, x, rec, y + pad, x + pad, n, n)
        cd.ctx[flag] = NEXT_CONTEXT[0, cd.ctx[flag]]
        return cost, 0
    coded_flag = bits_to_cost(st, BIN_COST[1, cd.ctx[flag]])
    cbf = 0
    subtract(orig, y, x, pred, y, x, n, res)
    keep_contexts(st, TB_ENTRY)
    fwd_transform(res, log2, is_dst, rc.bit_depth, st.coef, rc.scratch.tmp)
    ways = 1
    if log2 == 2 and st.sl.transform_skip and _compact_untransformed(st.coef, res, rc.bit_depth):
        ways = 2
    for skip in range(ways):
        if skip:
            if cbf:
                _swap_kept(st.kept, planes, tb, 1)
                keep_contexts(st, TB_BEST)
            recall_contexts(st, TB_ENTRY)
            subtract(orig, y, x, pred, y, x, n, res)
            fwd_transform_skip(res, log2, rc.bit_depth, st.coef)
        coded_cost = _code_levels(st, planes, tb, intra_mode, skip)
        if coded_cost >= 0 and coded_cost + coded_flag < cost:
            cost = coded_cost + coded_flag
            cbf = (CBF_Y | skip * TSKIP_Y) << c_idx
        elif cbf:
            _swap_kept(st.kept, planes, tb, 0)
            recall_contexts(st, TB_BEST)
    if not cbf:
        recall_contexts(st, TB_ENTRY)
        copy_block(pred, y, x, rec, y + pad, x + pad, n, n)
    cd.ctx[flag] = NEXT_CONTEXT[1 if cbf else 0, cd.ctx[flag]]
    return cost, cbf


@kernel
def search_luma_tb(st, uy, ux, log2, depth, intra_mode):
    """`search_tb` of the luma block at unit (uy, ux)."""
    rc = st.rc
    planes = Component(rc.pred.y, rc.rec.y, st.orig.y, rc.levels.y)
    return search_tb(st, planes, TransformBlock(4 * uy, 4 * ux, log2, 0), depth, intra_mode)


@kernel
def search_chroma_tbs(st, uy, ux, log2, depth, intra_mode):
    """`search_tb` of both chroma blocks of the luma square of 1 << log2 at unit (uy, ux): cost and cbf bits."""
    rc = st.rc
    y, x = 2 * uy, 2 * ux
    planes = Component(rc.pred.u, rc.rec.u, st.orig.u, rc.levels.u)
    cost, cb = search_tb(st, planes, TransformBlock(y, x, log2 - 1, 1), depth, intra_mode)
    planes = Component(rc.pred.v, rc.rec.v, st.orig.v, rc.levels.v)
    more, cr = search_tb(st, planes, TransformBlock(y, x, log2 - 1, 2), depth, intra_mode)
    return cost + more, cb | cr


@kernel
def or_cbf(blocks, uy, ux, units, bits):
    """Add the chroma's bits to a square of units that already has its luma's."""
    for j in range(uy, uy + units):
        for i in range(ux, ux + units):
            blocks.cbf[j, i] = blocks.cbf[j, i] & (CBF_Y | TSKIP_Y) | bits


@kernel(recursive=types.float64)
def search_transform_tree(st, uy, ux, log2, depth):
    """Transform tree of an inter coding unit from unit (uy, ux) down; returns its cost."""
    blocks = st.rc.blocks
    units = 1 << (log2 - 2)
    may_split = log2 > 2 and depth < st.sl.max_depth_inter
    must_split = log2 > MAX_TU_LOG2
    if depth == 0 and st.sl.max_depth_inter == 0 and blocks.part_mode[uy, ux] != PART_2Nx2N:
        must_split = True  # interSplitFlag of 7.4.9.8
    cost = -1.0
    if not must_split:
        keep_contexts(st, TU_ENTRY + depth)
        cost, cbf = search_luma_tb(st, uy, ux, log2, depth, -1)
        if log2 > 2:
            more, chroma = search_chroma_tbs(st, uy, ux, log2, depth, -1)
            cost += more
            cbf |= chroma
        fill_units(blocks.tu_log2, uy, ux, units, log2)
        fill_units(blocks.cbf, uy, ux, units, cbf)
        if not may_split or cbf == 0:
            return cost
        flag = SPLIT_TRANSFORM + 5 - log2
        cost += bits_to_cost(st, BIN_COST[0, st.cd.ctx[flag]])
        copy_residual(st.versions, 0, TU_VERSION + depth, uy, ux, units)
        keep_contexts(st, TU_BEST + depth)
        recall_contexts(st, TU_ENTRY + depth)
        split_cost = bits_to_cost(st, BIN_COST[1, st.cd.ctx[flag]])
    else:
        split_cost = 0.0
    half = units >> 1
    for k in range(4):
        split_cost += search_transform_tree(st, uy + half * (k >> 1), ux + half * (k & 1), log2 - 1, depth + 1)
        if 0 <= cost <= split_cost:
            break
    if log2 == 3 and not 0 <= cost <= split_cost:
        more, chroma = search_chroma_tbs(st, uy, ux, log2, depth, -1)
        split_cost += more
        or_cbf(blocks, uy, ux, units, chroma)
    if 0 <= cost <= split_cost:
        copy_residual(st.versions, TU_VERSION + depth, 0, uy, ux, units)
        recall_contexts(st, TU_BEST + depth)
        return cost
    return split_cost


@kernel
def clear_residual(st, uy, ux, log2):
    """Make the coding unit's reconstruction its prediction."""
    rc = st.rc
    units = 1 << (log2 - 2)
    fill_units(rc.blocks.tu_log2, uy, ux, units, min(log2, MAX_TU_LOG2))
    fill_units(rc.blocks.cbf, uy, ux, units, 0)
    y, x, n = 4 * uy, 4 * ux, 4 * units
    copy_block(rc.pred.y, y, x, rc.rec.y, y + PAD_Y, x + PAD_Y, n, n)
    y, x, n = y >> 1, x >> 1, n >> 1
    copy_block(rc.pred.u, y, x, rc.rec.u, y + PAD_C, x + PAD_C, n, n)
    copy_block(rc.pred.v, y, x, rc.rec.v, y + PAD_C, x + PAD_C, n, n)


@kernel
def any_coded(cbf, uy, ux, units):
    """1 if any unit of the square has a coded component, by the (H4, W4) cbf bits of Blocks."""
    for j in range(uy, uy + units):
        for i in range(ux, ux + units):
            if cbf[j, i]:
                return 1
    return 0


@kernel(unit=True)
def empty_cost(st, uy, ux, log2, entry):
    """Cost of the inter coding unit of version 0 without residual, as skipped if it is merged; contexts adapt.

    `entry`: context snapshot to start from.
    """
    rc = st.rc
    units = 1 << (log2 - 2)
    recall_contexts(st, entry)
    merged = rc.blocks.merge[uy, ux] != 0 and rc.blocks.part_mode[uy, ux] == 0
    fill_units(rc.blocks.pred_mode, uy, ux, units, MODE_SKIP if merged else MODE_INTER)
    clear_residual(st, uy, ux, log2)
    rate = count_cu(st, uy, ux, log2)
    return weighted_error(st, rc.pred, 0, 0, uy, ux, units) + bits_to_cost(st, rate)


@kernel(unit=True)
def coded_cost(st, uy, ux, log2, entry):
    """Cost of the inter coding unit of version 0 with the best residual found, or -1 if that is empty."""
    rc = st.rc
    units = 1 << (log2 - 2)
    recall_contexts(st, entry)
    fill_units(rc.blocks.pred_mode, uy, ux, units, MODE_INTER)
    aim_qp(st, uy, ux, log2)
    search_transform_tree(st, uy, ux, log2, 0)
    if not any_coded(rc.blocks.cbf, uy, ux, units):
        return -1.0
    recall_contexts(st, entry)
    rate = count_cu(st, uy, ux, log2)
    return weighted_error(st, rc.rec, PAD_Y, PAD_C, uy, ux, units) + bits_to_cost(st, rate)
