"""Normative. From decoded syntax to samples: the only reconstruction path, for both sides.

Three steps a picture: `derive_motion` (motion vectors from merge and AMVP syntax), `predict_inter` (motion compensation
of every inter block, into the prediction planes, where the learned filter may change them), `reconstruct` (intra
prediction block by block, residuals added).  Deblocking follows in hevc.deblock.
"""

from typing import NamedTuple

import numpy as np

from codecsim.hevc.compensation import InterScratch, References, compensate, make_inter_scratch
from codecsim.hevc.indexing import natural
from codecsim.hevc.intra import REFS_SHAPE, Surroundings, predict_intra
from codecsim.hevc.merge import merge_candidates
from codecsim.hevc.motion import PredictionUnit, amvp_candidates, wrap_mv
from codecsim.hevc.tables import chroma_qp
from codecsim.hevc.transform import TMP_SIZE, add_residual, dequant_inverse, dequant_transform_skip
from codecsim.kernels.jit import kernel
from codecsim.learned.intra.filter import IntraNet, filter_block
from codecsim.learned.intra.inputs import fill_patch, is_transposed
from codecsim.picture.areas import Area, Place, TransformBlock
from codecsim.picture.blocks import (
    CBF_Y,
    CTU_UNITS,
    MODE_INTER,
    MODE_INTRA,
    TSKIP_Y,
    Blocks,
    Levels,
    PART_2Nx2N,
    chroma_mode,
    z_to_xy,
)
from codecsim.picture.planes import PAD_C, PAD_Y, Motion, Planes
from codecsim.syntax.prediction import prediction_area


class Scratch(NamedTuple):
    """Working memory of the kernels, one per thread of control."""

    refs: np.ndarray  # REFS_SHAPE int32, intra reference samples
    res: np.ndarray  # (1024,) int32, residual of a block
    tmp: np.ndarray  # (TMP_SIZE,) int32, transforms
    inter: InterScratch
    cand_mv: np.ndarray  # (6, 2, 2) int32, merge candidates
    cand_ref: np.ndarray  # (6, 2) int8
    mvp: np.ndarray  # (2, 2) int32, AMVP candidates


def make_scratch():
    """Fresh working memory."""
    return Scratch(
        np.zeros(REFS_SHAPE, np.int32),
        np.zeros(1024, np.int32),
        np.zeros(TMP_SIZE, np.int32),
        make_inter_scratch(),
        np.zeros((6, 2, 2), np.int32),
        np.zeros((6, 2), np.int8),
        np.zeros((2, 2), np.int32),
    )


class Recon(NamedTuple):
    """Everything reconstruction reads and writes of one picture."""

    blocks: Blocks
    motion: Motion
    levels: Levels
    pred: Planes  # unpadded, coded size: prediction
    rec: Planes  # padded: reconstruction before the in-loop filters
    refs: References
    zorder: np.ndarray  # (H4, W4) int32
    scratch: Scratch
    bit_depth: int
    strong_intra: int  # strong_intra_smoothing_enabled_flag
    cb_qp_offset: int
    cr_qp_offset: int
    intra: IntraNet


@kernel
def block_qp(rc, tb):
    """qP of a TransformBlock, QpBdOffset included (8.6.1)."""
    offset = 6 * (rc.bit_depth - 8)
    shift = 2 if tb.c_idx == 0 else 1
    luma = np.int64(rc.blocks.qp[tb.y >> shift, tb.x >> shift])
    if tb.c_idx == 0:
        return luma + offset
    index = luma + (rc.cb_qp_offset if tb.c_idx == 1 else rc.cr_qp_offset)
    return np.int64(chroma_qp(min(max(index, -offset), 57))) + offset


@kernel
def derive_motion(rc, ctx):
    """Motion vectors and references of all inter prediction units from their syntax, in decoding order.

    Parameters
    ----------
    rc : Recon
        `motion` is written; its `ref_idx` holds the parsed indices of units that are not merged.
    ctx : hevc.motion.MotionContext
    """
    blocks = rc.blocks
    h4, w4 = blocks.cu_log2.shape
    for address in range(((h4 + 15) >> 4) * ((w4 + 15) >> 4)):
        columns = (w4 + 15) >> 4
        z = 0
        while z < CTU_UNITS:
            dx, dy = z_to_xy(z)
            uy, ux = (address // columns << 4) + dy, (address % columns << 4) + dx
            if uy >= h4 or ux >= w4:
                z += 4
                continue
            log2 = np.int64(blocks.cu_log2[uy, ux])
            part = np.int64(blocks.part_mode[uy, ux])
            if blocks.pred_mode[uy, ux] >= MODE_INTER:
                for k in range(1 if part == PART_2Nx2N else 2):
                    area = prediction_area(4 * ux, 4 * uy, 1 << log2, part, k)
                    _derive_unit_motion(rc, ctx, PredictionUnit(area, 4 * ux, 4 * uy, 1 << log2, k))
            else:
                clear_motion(rc.motion, uy, ux, 1 << (log2 - 2))
            z += 1 << (2 * (log2 - 2))


@kernel
def set_motion(motion, uy, ux, rows, columns, mv, ref):
    """Store motion for an area of units.

    Parameters
    ----------
    mv : (2, 2) int32, [list, (x, y)], quarter samples
    ref : (2,) int8, reference indices, -1 where the list is not used
    """
    for j in range(uy, uy + rows):
        for i in range(ux, ux + columns):
            for side in range(2):
                motion.mv[j, i, side, 0] = mv[side, 0]
                motion.mv[j, i, side, 1] = mv[side, 1]
                motion.ref_idx[j, i, side] = ref[side]


@kernel
def clear_motion(motion, uy, ux, units):
    """Store "no motion" (intra) for a square of units."""
    for j in range(uy, uy + units):
        for i in range(ux, ux + units):
            for side in range(2):
                motion.mv[j, i, side, 0] = 0
                motion.mv[j, i, side, 1] = 0
                motion.ref_idx[j, i, side] = -1


@kernel
def _derive_unit_motion(rc, ctx, pu):
    blocks, motion, sc = rc.blocks, rc.motion, rc.scratch
    uy, ux, rows, columns = pu.area.y >> 2, pu.area.x >> 2, pu.area.h >> 2, pu.area.w >> 2
    merge = np.int64(blocks.merge[uy, ux])
    if merge:
        merge_candidates(ctx, pu, merge, sc.cand_mv, sc.cand_ref)
    for lx in range(2):
        if merge:
            ref = np.int64(sc.cand_ref[merge - 1, lx])
            mv_x, mv_y = np.int64(sc.cand_mv[merge - 1, lx, 0]), np.int64(sc.cand_mv[merge - 1, lx, 1])
        else:
            ref = np.int64(motion.ref_idx[uy, ux, lx])
            mv_x, mv_y = 0, 0
            if ref >= 0:
                amvp_candidates(ctx, pu, lx, ref, sc.mvp)
                k = blocks.mvp_idx[uy, ux, lx]
                mv_x = np.int64(wrap_mv(np.int64(sc.mvp[k, 0]) + np.int64(blocks.mvd[uy, ux, lx, 0])))
                mv_y = np.int64(wrap_mv(np.int64(sc.mvp[k, 1]) + np.int64(blocks.mvd[uy, ux, lx, 1])))
        for j in range(uy, uy + rows):
            for i in range(ux, ux + columns):
                motion.mv[j, i, lx, 0] = mv_x
                motion.mv[j, i, lx, 1] = mv_y
                motion.ref_idx[j, i, lx] = ref


@kernel
def predict_inter_block(rc, area):
    """Motion compensation of an Area of luma with uniform motion and of its chroma, into `rc.pred`."""
    x, y, w, h = area
    unit = Place(y >> 2, x >> 2)
    refs, scratch = rc.refs, rc.scratch.inter
    compensate(refs, 0, rc.motion, unit, area, rc.pred.y, Place(y, x), scratch)
    area, at = Area(x >> 1, y >> 1, w >> 1, h >> 1), Place(y >> 1, x >> 1)
    compensate(refs, 1, rc.motion, unit, area, rc.pred.u, at, scratch)
    compensate(refs, 2, rc.motion, unit, area, rc.pred.v, at, scratch)


@kernel
def predict_inter(rc):
    """Motion compensation of all inter coding units of the picture; intra ones get the first reference, unmoved.

    What stands in intra units is replaced when they are reconstructed, but the learned filter sees it around its
    blocks.
    """
    blocks, refs = rc.blocks, rc.refs
    first = refs.slot_of[0, 0]
    h4, w4 = blocks.cu_log2.shape
    for uy in range(0, h4, 2):
        ux = 0
        while ux < w4:
            log2 = np.int64(blocks.cu_log2[uy, ux])
            units = 1 << (log2 - 2)
            if uy % units:
                ux += units
                continue
            if blocks.pred_mode[uy, ux] == MODE_INTRA:
                y, x, n = 4 * uy, 4 * ux, 4 * units
                copy_block(refs.y[first], y + PAD_Y, x + PAD_Y, rc.pred.y, y, x, n, n)
                y, x, n = y >> 1, x >> 1, n >> 1
                copy_block(refs.u[first], y + PAD_C, x + PAD_C, rc.pred.u, y, x, n, n)
                copy_block(refs.v[first], y + PAD_C, x + PAD_C, rc.pred.v, y, x, n, n)
            else:
                part = np.int64(blocks.part_mode[uy, ux])
                for k in range(1 if part == PART_2Nx2N else 2):
                    predict_inter_block(rc, prediction_area(4 * ux, 4 * uy, 4 * units, part, k))
            ux += units


@kernel
def copy_block(src, sy, sx, dst, dy, dx, h, w):
    """dst[dy + j, dx + i] = src[sy + j, sx + i] over h x w samples."""
    sy, sx, dy, dx = natural(sy), natural(sx), natural(dy), natural(dx)
    for j in range(h):
        for i in range(w):
            dst[dy + j, dx + i] = src[sy + j, sx + i]


@kernel(unit=True)
def predict_intra_luma(rc, uy, ux, log2, mode):
    """Intra prediction of the luma block at unit (uy, ux) into `rc.pred`, filtered where its coding unit says so."""
    around, tb = Surroundings(rc.rec.y, PAD_Y, rc.zorder), TransformBlock(4 * uy, 4 * ux, log2, 0)
    refs, strong = rc.scratch.refs, rc.strong_intra != 0
    predict_intra(around, tb, mode, strong, rc.bit_depth, refs, rc.pred.y, Place(tb.y, tb.x))
    if rc.blocks.intra_filter[uy, ux]:
        filter_block(rc.intra, around, tb, mode, refs, rc.pred.y)


@kernel
def intra_example(rc, uy, ux, log2, mode, error):
    """What the intra filter would learn from a luma block of reconstructed rows: its inputs into `rc.intra.patch`.

    Parameters
    ----------
    error : (32, 32) int16, written: prediction without filter minus reconstruction, turned as the filter sees it
    """
    y, x, n, refs = 4 * uy, 4 * ux, 1 << log2, rc.scratch.refs
    around, tb = Surroundings(rc.rec.y, PAD_Y, rc.zorder), TransformBlock(y, x, log2, 0)
    strong, kept = rc.strong_intra != 0, rc.scratch.res
    for j in range(n):
        for i in range(n):
            kept[j * n + i] = rc.pred.y[y + j, x + i]
    predict_intra(around, tb, mode, strong, rc.bit_depth, refs, rc.pred.y, Place(y, x))
    fill_patch(rc.intra, around, tb, mode, refs, rc.pred.y)
    for j in range(n):
        for i in range(n):
            difference = np.int32(rc.pred.y[y + j, x + i]) - np.int32(rc.rec.y[PAD_Y + y + j, PAD_Y + x + i])
            error[i if is_transposed(mode) else j, j if is_transposed(mode) else i] = difference
            rc.pred.y[y + j, x + i] = kept[j * n + i]


@kernel(unit=True)
def reconstruct_tb(rc, plane, rec, levels, tb, intra_mode, cbf):
    """A TransformBlock: intra prediction if `intra_mode` >= 0, residual if `cbf` says so.

    `plane` is the component's prediction plane; it holds the inter prediction, or receives the intra prediction.
    """
    y, x, log2, c_idx = tb
    pad = PAD_Y if c_idx == 0 else PAD_C
    n = 1 << log2
    if intra_mode >= 0 and c_idx == 0:
        predict_intra_luma(rc, y >> 2, x >> 2, log2, intra_mode)
    elif intra_mode >= 0:
        refs, strong = rc.scratch.refs, rc.strong_intra != 0
        around = Surroundings(rec, pad, rc.zorder)
        predict_intra(around, tb, intra_mode, strong, rc.bit_depth, refs, plane, Place(y, x))
    if cbf & (CBF_Y << c_idx):
        qp = block_qp(rc, tb)
        res, tmp = rc.scratch.res, rc.scratch.tmp
        if cbf & (TSKIP_Y << c_idx):
            dequant_transform_skip(levels, tb, qp, rc.bit_depth, res, tmp)
        else:
            is_dst = c_idx == 0 and log2 == 2 and intra_mode >= 0
            dequant_inverse(levels, tb, qp, is_dst, rc.bit_depth, res, tmp)
        add_residual(plane, Place(y, x), res, n, rec, Place(y + pad, x + pad), rc.bit_depth)
    else:
        copy_block(plane, y, x, rec, y + pad, x + pad, n, n)


@kernel
def reconstruct_tu(rc, uy, ux, log2, corner):
    """A transform unit at unit (uy, ux): luma, and chroma unless it waits for the fourth 4x4 of an 8x8."""
    blocks = rc.blocks
    intra = blocks.pred_mode[uy, ux] == MODE_INTRA
    cbf = np.int64(blocks.cbf[uy, ux])
    mode = np.int64(blocks.intra_luma[uy, ux]) if intra else -1
    reconstruct_tb(rc, rc.pred.y, rc.rec.y, rc.levels.y, TransformBlock(4 * uy, 4 * ux, log2, 0), mode, cbf)
    if log2 == 2 and corner != 3:
        return
    cy, cx = (uy, ux) if log2 > 2 else (uy - 1, ux - 1)
    y, x, chroma_log2 = 2 * cy, 2 * cx, log2 - 1 if log2 > 2 else 2
    if intra:
        mode = chroma_mode(np.int64(blocks.intra_chroma[cy, cx]), np.int64(blocks.intra_luma[cy, cx]))
    reconstruct_tb(rc, rc.pred.u, rc.rec.u, rc.levels.u, TransformBlock(y, x, chroma_log2, 1), mode, cbf)
    reconstruct_tb(rc, rc.pred.v, rc.rec.v, rc.levels.v, TransformBlock(y, x, chroma_log2, 2), mode, cbf)


@kernel
def reconstruct_cu(rc, uy, ux):
    """All transform units of the coding unit at unit (uy, ux), in decoding order."""
    blocks = rc.blocks
    log2 = np.int64(blocks.cu_log2[uy, ux])
    z, end = 0, 1 << (2 * (log2 - 2))
    while z < end:
        dx, dy = z_to_xy(z)
        tu = np.int64(blocks.tu_log2[uy + dy, ux + dx])
        reconstruct_tu(rc, uy + dy, ux + dx, tu, z & 3)
        z += 1 << (2 * (tu - 2))


@kernel
def reconstruct(rc, first, last):
    """Samples before the in-loop filters of rows `first` to `last` - 1 of coding tree units.

    Inter prediction stands in `rc.pred` already.
    """
    h4, w4 = rc.blocks.cu_log2.shape
    columns = (w4 + 15) >> 4
    for address in range(first * columns, last * columns):
        z = 0
        while z < CTU_UNITS:
            dx, dy = z_to_xy(z)
            uy, ux = (address // columns << 4) + dy, (address % columns << 4) + dx
            if uy >= h4 or ux >= w4:
                z += 4
                continue
            reconstruct_cu(rc, uy, ux)
            z += 1 << (2 * (np.int64(rc.blocks.cu_log2[uy, ux]) - 2))
