"""Normative. Merge candidates of prediction blocks: spatial, temporal, combined and zero ones.

Source: H.265 clauses 8.5.3.2.2 to 8.5.3.2.5.  What is said in hevc.motion of order and availability holds here too.
"""

from codecsim.hevc.motion import PredictionUnit, has_motion, same_motion, temporal_candidate
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Area


@kernel(inline=True)
def _merge_neighbour(ctx, pu, nb_x, nb_y):
    """`has_motion`, false inside the current merge estimation region."""
    level = ctx.log2_par_mrg_level
    if pu.area.x >> level == nb_x >> level and pu.area.y >> level == nb_y >> level:
        return False
    return has_motion(ctx, pu, nb_x, nb_y)


@kernel(inline=True)
def _alike(ctx, x0, y0, x1, y1):
    """Whether the blocks at two luma positions have the same motion."""
    return same_motion(ctx, y0 >> 2, x0 >> 2, y1 >> 2, x1 >> 2)


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
def _spatial_merge(ctx, pu, limit, out_mv, out_ref):
    """Spatial merge candidates A1, B1, B0, A0, B2 (8.5.3.2.3); stops at `limit`, returns how many."""
    n = 0
    x, y, w, h = pu.area
    cu_size, second = pu.cu_size, pu.part_idx == 1
    left, above = x - 1, y - 1
    # The second of two blocks side by side (one above the other) must not merge into the first: that is 2Nx2N.
    a1 = not (second and w < cu_size and h == cu_size)
    a1 = a1 and _merge_neighbour(ctx, pu, left, y + h - 1)
    if a1:
        n = _store_neighbour(ctx, left, y + h - 1, out_mv, out_ref, n)
        if n == limit:
            return n
    b1 = not (second and h < cu_size and w == cu_size)
    b1 = b1 and _merge_neighbour(ctx, pu, x + w - 1, above)
    if b1 and not (a1 and _alike(ctx, left, y + h - 1, x + w - 1, above)):
        n = _store_neighbour(ctx, x + w - 1, above, out_mv, out_ref, n)
        if n == limit:
            return n
    b0 = _merge_neighbour(ctx, pu, x + w, above)
    if b0 and not (b1 and _alike(ctx, x + w - 1, above, x + w, above)):
        n = _store_neighbour(ctx, x + w, above, out_mv, out_ref, n)
        if n == limit:
            return n
    # In NxN the block below left of the second one is the third, not yet decoded.
    a0 = not (second and w < cu_size and h < cu_size)
    a0 = a0 and _merge_neighbour(ctx, pu, left, y + h)
    if a0 and not (a1 and _alike(ctx, left, y + h - 1, left, y + h)):
        n = _store_neighbour(ctx, left, y + h, out_mv, out_ref, n)
        if n == limit:
            return n
    if n < 4 and _merge_neighbour(ctx, pu, left, above):
        repeated = a1 and _alike(ctx, left, y + h - 1, left, above)
        repeated = repeated or (b1 and _alike(ctx, x + w - 1, above, left, above))
        if not repeated:
            n = _store_neighbour(ctx, left, above, out_mv, out_ref, n)
    return n


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
def merge_candidates(ctx, pu, max_cand, out_mv, out_ref):
    """Merge candidate list of a prediction block (8.5.3.2.2 to 8.5.3.2.5).

    Parameters
    ----------
    ctx : MotionContext
    pu : PredictionUnit
    max_cand : int, >= 1; stop after so many candidates (a decoder needs merge_idx + 1)
    out_mv : (>= 5, 2, 2) int32, [candidate, list, (x, y)], quarter samples, written; 0 where a list is not used
    out_ref : (>= 5, 2) int8, written; -1 where a list is not used

    Returns
    -------
    int, candidates written: min(max_cand, ctx.max_merge_cand)
    """
    limit = min(max_cand, ctx.max_merge_cand)
    small = pu.area.w + pu.area.h == 12
    if ctx.log2_par_mrg_level > 2 and pu.cu_size == 8:
        x, y, size = pu.cu_x, pu.cu_y, pu.cu_size
        pu = PredictionUnit(Area(x, y, size, size), x, y, size, 0)
    n = _spatial_merge(ctx, pu, limit, out_mv, out_ref)
    if n < limit and ctx.tmvp:
        found_any = False
        for side in range(2):
            found, mv_x, mv_y = False, 0, 0
            if side == 0 or ctx.slice_is_b:
                found, mv_x, mv_y = temporal_candidate(ctx, pu.area, side, 0)
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
