"""Normative. Motion vector prediction: merge candidates, AMVP candidates and the temporal predictor.

Source: H.265 clauses 6.4.2 and 8.5.3.2.  No long-term references.  Pictures are the same if their order counts are.

Every kernel reads the motion of blocks before the current one, in decoding order, from the arrays of a `MotionContext`.
The motion of a coding unit's first prediction block must be stored before the candidates of its second are asked for.
"""

from typing import NamedTuple

import numpy as np

from codecsim.jit import kernel

MODE_INTER = 2  # pred_mode at and above this value has motion (inter, skip)


class MotionContext(NamedTuple):
    """What the derivations read, constant over a slice (the arrays of the current picture fill as it is coded)."""

    zorder: np.ndarray  # (H4, W4) int32, decoding order of the 4x4 units
    pred_mode: np.ndarray  # (H4, W4) uint8, >= MODE_INTER where there is motion
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
def _has_motion(ctx, cu_x, cu_y, cu_size, x, y):
    """Whether the block at luma (x, y) is decoded before the current one and has motion (6.4.2).

    A block of the current coding unit is inter by definition; the caller excludes what is not yet decoded there.
    """
    if x < 0 or y < 0 or (x >> 2) >= ctx.zorder.shape[1] or (y >> 2) >= ctx.zorder.shape[0]:
        return False
    if cu_x <= x < cu_x + cu_size and cu_y <= y < cu_y + cu_size:
        return True
    if ctx.zorder[y >> 2, x >> 2] >= ctx.zorder[cu_y >> 2, cu_x >> 2]:
        return False
    return ctx.pred_mode[y >> 2, x >> 2] >= MODE_INTER


@kernel(inline=True)
def _merge_neighbour(ctx, block, cu_x, cu_y, cu_size, nb_x, nb_y):
    """`_has_motion`, false inside the current merge estimation region; block is (x, y)."""
    level = ctx.log2_par_mrg_level
    if block[0] >> level == nb_x >> level and block[1] >> level == nb_y >> level:
        return False
    return _has_motion(ctx, cu_x, cu_y, cu_size, nb_x, nb_y)


@kernel(inline=True)
def _same_motion(ctx, x0, y0, x1, y1):
    """Whether the blocks at two luma positions have equal reference indices and equal vectors where used."""
    x0, y0, x1, y1 = x0 >> 2, y0 >> 2, x1 >> 2, y1 >> 2
    for side in range(2):
        ref = ctx.ref_idx[y0, x0, side]
        if ref != ctx.ref_idx[y1, x1, side]:
            return False
        if ref >= 0 and (
            ctx.mv[y0, x0, side, 0] != ctx.mv[y1, x1, side, 0] or ctx.mv[y0, x0, side, 1] != ctx.mv[y1, x1, side, 1]
        ):
            return False
    return True


@kernel(inline=True)
def _store_neighbour(ctx, x, y, out_mv, out_ref, n):
    """Copy the motion at luma (x, y) to candidate n; returns n + 1."""
    for side in range(2):
        ref = ctx.ref_idx[y >> 2, x >> 2, side]
        out_ref[n, side] = ref
        for axis in range(2):
            out_mv[n, side, axis] = ctx.mv[y >> 2, x >> 2, side, axis] if ref >= 0 else 0
    return n + 1


@kernel
def _spatial_merge(ctx, x, y, w, h, cu_x, cu_y, cu_size, part_idx, limit, out_mv, out_ref):
    """Spatial merge candidates A1, B1, B0, A0, B2 (8.5.3.2.3); stops at `limit`, returns how many."""
    n = 0
    block = (x, y)
    left, above = x - 1, y - 1
    second = part_idx == 1
    # The second of two blocks side by side (one above the other) must not merge into the first: that is 2Nx2N.
    a1 = not (second and w < cu_size and h == cu_size)
    a1 = a1 and _merge_neighbour(ctx, block, cu_x, cu_y, cu_size, left, y + h - 1)
    if a1:
        n = _store_neighbour(ctx, left, y + h - 1, out_mv, out_ref, n)
        if n == limit:
            return n
    b1 = not (second and h < cu_size and w == cu_size)
    b1 = b1 and _merge_neighbour(ctx, block, cu_x, cu_y, cu_size, x + w - 1, above)
    if b1 and not (a1 and _same_motion(ctx, left, y + h - 1, x + w - 1, above)):
        n = _store_neighbour(ctx, x + w - 1, above, out_mv, out_ref, n)
        if n == limit:
            return n
    b0 = _merge_neighbour(ctx, block, cu_x, cu_y, cu_size, x + w, above)
    if b0 and not (b1 and _same_motion(ctx, x + w - 1, above, x + w, above)):
        n = _store_neighbour(ctx, x + w, above, out_mv, out_ref, n)
        if n == limit:
            return n
    # In NxN the block below left of the second one is the third, not yet decoded.
    a0 = not (second and w < cu_size and h < cu_size)
    a0 = a0 and _merge_neighbour(ctx, block, cu_x, cu_y, cu_size, left, y + h)
    if a0 and not (a1 and _same_motion(ctx, left, y + h - 1, left, y + h)):
        n = _store_neighbour(ctx, left, y + h, out_mv, out_ref, n)
        if n == limit:
            return n
    if n < 4 and _merge_neighbour(ctx, block, cu_x, cu_y, cu_size, left, above):
        repeated = a1 and _same_motion(ctx, left, y + h - 1, left, above)
        repeated = repeated or (b1 and _same_motion(ctx, x + w - 1, above, left, above))
        if not repeated:
            n = _store_neighbour(ctx, left, above, out_mv, out_ref, n)
    return n


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
def temporal_candidate(ctx, x, y, w, h, side, ref_idx):
    """Temporal motion vector predictor of a block for an entry of a list (8.5.3.2.8): bottom right, then centre.

    Parameters
    ----------
    ctx : MotionContext with tmvp 1
    x, y, w, h : int, prediction block, luma samples
    side, ref_idx : int, list 0 or 1 and its entry

    Returns
    -------
    (available, mv_x, mv_y)
    """
    right, below = x + w, y + h
    inside = (right >> 2) < ctx.zorder.shape[1] and (below >> 2) < ctx.zorder.shape[0]
    if inside and y >> ctx.ctb_log2 == below >> ctx.ctb_log2:
        found, mv_x, mv_y = _collocated(ctx, right, below, side, ref_idx)
        if found:
            return found, mv_x, mv_y
    return _collocated(ctx, x + (w >> 1), y + (h >> 1), side, ref_idx)


@kernel
def _combine_candidates(ctx, n, limit, out_mv, out_ref):
    """Combined bi-predictive candidates of B slices (8.5.3.2.4) after n original ones; returns the new count."""
    original = n
    for index in range(original * (original - 1)):
        if n == limit:
            break
        # Table 8-7: pairs (low, high) and (high, low), high = 1: low 0; high = 2: low 0, 1; high = 3: low 0, 1, 2.
        pair = index >> 1
        high = 1 if pair < 1 else (2 if pair < 3 else 3)
        low = pair - (high * (high - 1) >> 1)
        c0, c1 = (low, high) if index & 1 == 0 else (high, low)
        ref0, ref1 = out_ref[c0, 0], out_ref[c1, 1]
        if ref0 < 0 or ref1 < 0:
            continue
        if (
            ctx.ref_poc[0, ref0] == ctx.ref_poc[1, ref1]
            and out_mv[c0, 0, 0] == out_mv[c1, 1, 0]
            and out_mv[c0, 0, 1] == out_mv[c1, 1, 1]
        ):
            continue
        out_ref[n, 0], out_ref[n, 1] = ref0, ref1
        for axis in range(2):
            out_mv[n, 0, axis] = out_mv[c0, 0, axis]
            out_mv[n, 1, axis] = out_mv[c1, 1, axis]
        n += 1
    return n


@kernel(unit=True)
def merge_candidates(ctx, x, y, w, h, cu_x, cu_y, cu_size, part_idx, max_cand, out_mv, out_ref):
    """Merge candidate list of a prediction block (8.5.3.2.2 to 8.5.3.2.5).

    Parameters
    ----------
    ctx : MotionContext
    x, y, w, h : int, prediction block, luma samples
    cu_x, cu_y, cu_size : int, its coding unit
    part_idx : int, 0..3, index of the block in its coding unit
    max_cand : int, >= 1; stop after so many candidates (a decoder needs merge_idx + 1)
    out_mv : (>= 5, 2, 2) int32, [candidate, list, (x, y)], quarter samples, written; 0 where a list is not used
    out_ref : (>= 5, 2) int8, written; -1 where a list is not used

    Returns
    -------
    int, candidates written: min(max_cand, ctx.max_merge_cand)
    """
    limit = min(max_cand, ctx.max_merge_cand)
    small = w + h == 12
    if ctx.log2_par_mrg_level > 2 and cu_size == 8:
        x, y, w, h, part_idx = cu_x, cu_y, cu_size, cu_size, 0
    n = _spatial_merge(ctx, x, y, w, h, cu_x, cu_y, cu_size, part_idx, limit, out_mv, out_ref)
    if n < limit and ctx.tmvp:
        found_any = False
        for side in range(2):
            found, mv_x, mv_y = False, 0, 0
            if side == 0 or ctx.slice_is_b:
                found, mv_x, mv_y = temporal_candidate(ctx, x, y, w, h, side, 0)
            out_ref[n, side] = 0 if found else -1
            out_mv[n, side, 0], out_mv[n, side, 1] = mv_x, mv_y
            found_any = found_any or found
        n += 1 if found_any else 0
    if n > 1 and n < limit and ctx.slice_is_b:
        n = _combine_candidates(ctx, n, limit, out_mv, out_ref)
    num_ref = min(ctx.num_ref[0], ctx.num_ref[1]) if ctx.slice_is_b else ctx.num_ref[0]
    zero_idx = 0
    while n < limit:
        ref = zero_idx if zero_idx < num_ref else 0
        out_ref[n, 0] = ref
        out_ref[n, 1] = ref if ctx.slice_is_b else -1
        out_mv[n, 0, 0], out_mv[n, 0, 1], out_mv[n, 1, 0], out_mv[n, 1, 1] = 0, 0, 0, 0
        zero_idx += 1
        n += 1
    if small:  # 8x4 and 4x8 blocks are never bi-predicted
        for i in range(n):
            if out_ref[i, 0] >= 0 and out_ref[i, 1] >= 0:
                out_ref[i, 1] = -1
                out_mv[i, 1, 0], out_mv[i, 1, 1] = 0, 0
    return n


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
def amvp_candidates(ctx, x, y, w, h, cu_x, cu_y, cu_size, part_idx, side, ref_idx, out):
    """The two motion vector predictors of a prediction block for an entry of a list (8.5.3.2.6, 8.5.3.2.7).

    Parameters
    ----------
    ctx, x, y, w, h, cu_x, cu_y, cu_size, part_idx : as in merge_candidates
    side, ref_idx : int, list 0 or 1 and its entry
    out : (2, 2) int32, [candidate, (x, y)], quarter samples, written
    """
    poc = int(ctx.ref_poc[side, ref_idx])
    left = x - 1
    a0 = not (part_idx == 1 and w < cu_size and h < cu_size)
    a0 = a0 and _has_motion(ctx, cu_x, cu_y, cu_size, left, y + h)
    a1 = _has_motion(ctx, cu_x, cu_y, cu_size, left, y + h - 1)
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
        if not found_b and _has_motion(ctx, cu_x, cu_y, cu_size, nb_x, y - 1):
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
        found, mv_x, mv_y = temporal_candidate(ctx, x, y, w, h, side, ref_idx)
        if found:
            out[n, 0], out[n, 1] = mv_x, mv_y
            n += 1
    while n < 2:
        out[n, 0], out[n, 1] = 0, 0
        n += 1
