"""Normative. Motion vector prediction: what its derivations read, AMVP candidates and the temporal predictor.

Merge candidates are in hevc.merge.  No long-term references.  Pictures are the same if their order counts are.

Source: H.265 clauses 6.4.2 and 8.5.3.2.

Every kernel reads the motion of blocks before the current one, in decoding order, from the arrays of a `MotionContext`.
The motion of a coding unit's first prediction block must be stored before the candidates of its second are asked for.
"""

from typing import NamedTuple

import numpy as np

from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Area
from codecsim.picture.blocks import MODE_INTER


class MotionContext(NamedTuple):
    """What the derivations read, constant over a slice (the arrays of the current picture fill as it is coded)."""

    zorder: np.ndarray  # (H4, W4) int32, decoding order of the 4x4 units
    pred_mode: np.ndarray  # (H4, W4) uint8, >= MODE_INTER (inter, skip) where there is motion
    mv: np.ndarray  # (H4, W4, 2, 2) int16, motion of the current picture: [.., list, (x, y)], quarter samples
    ref_idx: np.ndarray  # (H4, W4, 2) int8, -1 where the list is not used
    ref_poc: np.ndarray  # (2, 16) int32, POC of the entries of the current reference lists
    num_ref: np.ndarray  # (2,) int32, active entries of each list
    cur_poc: int
    slice_is_b: int  # 0 or 1
    max_merge_cand: int  # 1..5
    log2_par_mrg_level: int  # 2 means that merge estimation regions are off
    ctb_log2: int  # 4..6
    tmvp: int  # slice_temporal_mvp_enabled_flag
    collocated_from_l0: int  # 0 or 1
    no_backward: int  # 1 if no reference picture follows the current one in output order
    col_mv: np.ndarray  # motion of the collocated picture, types as above (read only if tmvp)
    col_ref_idx: np.ndarray
    col_ref_poc: np.ndarray
    col_poc: int


class PredictionUnit(NamedTuple):
    """A prediction block and its coding unit, in luma samples."""

    area: Area
    cu_x: int
    cu_y: int
    cu_size: int
    part_idx: int  # 0..3, index of the block in its coding unit


def make_motion_context(picture, collocated, lists, header, zorder, pred_mode, merge_level=2):
    """The `MotionContext` of a slice.

    Parameters
    ----------
    picture : Picture, the current one; its `ref_poc` is filled here from `lists`
    collocated : Picture or None (no temporal predictor)
    lists : pair of sequences of POC, the active reference picture lists
    header : SliceHeader
    zorder, pred_mode : arrays as in MotionContext
    merge_level : int, log2_parallel_merge_level of the picture parameter set
    """
    picture.ref_poc[:] = 0
    for row, pocs in zip(picture.ref_poc, lists, strict=True):
        row[: len(pocs)] = pocs
    column = collocated if collocated is not None else picture
    return MotionContext(
        zorder=zorder,
        pred_mode=pred_mode,
        mv=picture.motion.mv,
        ref_idx=picture.motion.ref_idx,
        ref_poc=picture.ref_poc,
        num_ref=np.array([len(pocs) for pocs in lists], np.int32),
        cur_poc=picture.poc,
        slice_is_b=int(header.slice_type == 0),
        max_merge_cand=5 - header.five_minus_max_num_merge_cand,
        log2_par_mrg_level=merge_level,
        ctb_log2=6,
        tmvp=int(collocated is not None),
        collocated_from_l0=int(header.collocated_from_l0),
        no_backward=int(all(poc <= picture.poc for pocs in lists for poc in pocs)),
        col_mv=column.motion.mv,
        col_ref_idx=column.motion.ref_idx,
        col_ref_poc=column.ref_poc,
        col_poc=column.poc,
    )


@kernel(inline=True)
def wrap_mv(value):
    """A motion vector component modulo 2**16, as predictor plus difference is taken (8.5.3.2.1)."""
    return ((value + 32768) & 65535) - 32768


@kernel(inline=True)
def distance_scale(td, tb):
    """Scale factor, 8 fractional bits, from a vector over POC distance `td` != 0 to one over `tb` (8.5.3.2.7)."""
    td = min(max(td, -128), 127)
    tb = min(max(tb, -128), 127)
    magnitude = (16384 + (abs(td) >> 1)) // abs(td)
    tx = magnitude if td > 0 else -magnitude
    return min(max((tb * tx + 32) >> 6, -4096), 4095)


@kernel(inline=True)
def scale_mv(factor, component):
    """A component times the factor of `distance_scale`, rounded and clipped to 16 bits."""
    product = factor * component
    magnitude = (abs(product) + 127) >> 8
    return min(magnitude, 32767) if product >= 0 else -min(magnitude, 32768)


@kernel(inline=True)
def _scale_vector(td, tb, mv_x, mv_y):
    """A vector over POC distance `td` stretched to `tb`."""
    if td == tb or td == 0:
        return mv_x, mv_y
    factor = distance_scale(td, tb)
    return scale_mv(factor, mv_x), scale_mv(factor, mv_y)


@kernel(inline=True)
def has_motion(ctx, pu, x, y):
    """Whether the block at luma (x, y) is decoded before a PredictionUnit and has motion (6.4.2).

    A block of its coding unit is inter by definition; the caller excludes what is not yet decoded there.
    """
    if x < 0 or y < 0 or (x >> 2) >= ctx.zorder.shape[1] or (y >> 2) >= ctx.zorder.shape[0]:
        return False
    if pu.cu_x <= x < pu.cu_x + pu.cu_size and pu.cu_y <= y < pu.cu_y + pu.cu_size:
        return True
    if ctx.zorder[y >> 2, x >> 2] >= ctx.zorder[pu.cu_y >> 2, pu.cu_x >> 2]:
        return False
    return ctx.pred_mode[y >> 2, x >> 2] >= MODE_INTER


@kernel
def same_motion(motion, uy, ux, ny, nx):
    """True if two units predict from the same list entries with the same vectors.

    motion : Motion or MotionContext
    """
    for side in range(2):
        k = motion.ref_idx[uy, ux, side]
        if k != motion.ref_idx[ny, nx, side]:
            return False
        if k < 0:
            continue
        for axis in range(2):
            if motion.mv[uy, ux, side, axis] != motion.mv[ny, nx, side, axis]:
                return False
    return True


@kernel
def _collocated(ctx, col_x, col_y, side, ref_idx):
    """Predictor from the collocated picture's block at luma (col_x, col_y) (8.5.3.2.9).

    Returns
    -------
    (available, mv_x, mv_y)
    """
    ux, uy = (col_x >> 4) << 2, (col_y >> 4) << 2
    use0 = ctx.col_ref_idx[uy, ux, 0] >= 0
    use1 = ctx.col_ref_idx[uy, ux, 1] >= 0
    if not use0 and not use1:
        return False, 0, 0
    if not use0:
        from_side = 1
    elif not use1:
        from_side = 0
    else:
        from_side = side if ctx.no_backward else ctx.collocated_from_l0
    mv_x = int(ctx.col_mv[uy, ux, from_side, 0])
    mv_y = int(ctx.col_mv[uy, ux, from_side, 1])
    td = ctx.col_poc - int(ctx.col_ref_poc[from_side, ctx.col_ref_idx[uy, ux, from_side]])
    tb = ctx.cur_poc - int(ctx.ref_poc[side, ref_idx])
    mv_x, mv_y = _scale_vector(td, tb, mv_x, mv_y)
    return True, mv_x, mv_y


@kernel
def temporal_candidate(ctx, area, side, ref_idx):
    """Temporal motion vector predictor of a block for an entry of a list (8.5.3.2.8): bottom right, then centre.

    Parameters
    ----------
    ctx : MotionContext with tmvp 1
    area : Area, the prediction block
    side, ref_idx : int, list 0 or 1 and its entry

    Returns
    -------
    (available, mv_x, mv_y)
    """
    x, y, w, h = area
    right, below = x + w, y + h
    inside = (right >> 2) < ctx.zorder.shape[1] and (below >> 2) < ctx.zorder.shape[0]
    if inside and y >> ctx.ctb_log2 == below >> ctx.ctb_log2:
        found, mv_x, mv_y = _collocated(ctx, right, below, side, ref_idx)
        if found:
            return found, mv_x, mv_y
    return _collocated(ctx, x + (w >> 1), y + (h >> 1), side, ref_idx)


@kernel(inline=True)
def _unscaled_neighbour(ctx, x, y, side, poc):
    """Vector at luma (x, y) that points to the picture `poc`, list `side` first: (available, mv_x, mv_y)."""
    ux, uy = x >> 2, y >> 2
    for turn in range(2):
        other = side ^ turn
        ref = ctx.ref_idx[uy, ux, other]
        if ref >= 0 and ctx.ref_poc[other, ref] == poc:
            return True, int(ctx.mv[uy, ux, other, 0]), int(ctx.mv[uy, ux, other, 1])
    return False, 0, 0


@kernel(inline=True)
def _scaled_neighbour(ctx, x, y, side, poc):
    """Vector at luma (x, y), list `side` first, scaled to point to the picture `poc`: (available, mv_x, mv_y)."""
    ux, uy = x >> 2, y >> 2
    other = side if ctx.ref_idx[uy, ux, side] >= 0 else side ^ 1
    ref = ctx.ref_idx[uy, ux, other]
    if ref < 0:
        return False, 0, 0
    mv_x, mv_y = int(ctx.mv[uy, ux, other, 0]), int(ctx.mv[uy, ux, other, 1])
    td = ctx.cur_poc - int(ctx.ref_poc[other, ref])
    tb = ctx.cur_poc - poc
    mv_x, mv_y = _scale_vector(td, tb, mv_x, mv_y)
    return True, mv_x, mv_y


@kernel(unit=True)
def amvp_candidates(ctx, pu, side, ref_idx, out):
    """The two motion vector predictors of a prediction block for an entry of a list (8.5.3.2.6, 8.5.3.2.7).

    Parameters
    ----------
    ctx, pu : as in hevc.merge.merge_candidates
    side, ref_idx : int, list 0 or 1 and its entry
    out : (2, 2) int32, [candidate, (x, y)], quarter samples, written
    """
    poc = int(ctx.ref_poc[side, ref_idx])
    x, y, w, h = pu.area
    left = x - 1
    a0 = not (pu.part_idx == 1 and w < pu.cu_size and h < pu.cu_size)
    a0 = a0 and has_motion(ctx, pu, left, y + h)
    a1 = has_motion(ctx, pu, left, y + h - 1)
    found_a, ax, ay = False, 0, 0
    for turn in range(4):
        nb_y = y + h - (turn & 1)
        if not found_a and (a1 if turn & 1 else a0):
            if turn < 2:
                found_a, ax, ay = _unscaled_neighbour(ctx, left, nb_y, side, poc)
            else:
                found_a, ax, ay = _scaled_neighbour(ctx, left, nb_y, side, poc)

    found_b, bx, by = False, 0, 0
    is_scaled = a0 or a1
    for turn in range(6):
        if turn == 3:
            if is_scaled:
                break
            # No left neighbour: the vector from above takes its place, and a scaled one from above is looked for.
            if found_b:
                found_a, ax, ay = True, bx, by
            found_b = False
        step = turn % 3
        nb_x = x + w if step == 0 else (x + w - 1 if step == 1 else left)
        if not found_b and has_motion(ctx, pu, nb_x, y - 1):
            if turn < 3:
                found_b, bx, by = _unscaled_neighbour(ctx, nb_x, y - 1, side, poc)
            else:
                found_b, bx, by = _scaled_neighbour(ctx, nb_x, y - 1, side, poc)

    n = 0
    if found_a:
        out[0, 0], out[0, 1] = ax, ay
        n = 1
    if found_b and not (found_a and ax == bx and ay == by):
        out[n, 0], out[n, 1] = bx, by
        n += 1
    if n < 2 and ctx.tmvp:
        found, mv_x, mv_y = temporal_candidate(ctx, pu.area, side, ref_idx)
        if found:
            out[n, 0], out[n, 1] = mv_x, mv_y
            n += 1
    while n < 2:
        out[n, 0], out[n, 1] = 0, 0
        n += 1
