"""Choose among predictions per 32x32, and decide residual and skip again for what was chosen: the kernels.

Partition, modes and motion stay as the search left them.  Intra blocks are coded again with their modes, since what
they predict from may have changed.
"""

from typing import NamedTuple

import numpy as np

from codecsim.codec.recon import copy_block, predict_intra_luma
from codecsim.entropy.cabac import COUNT
from codecsim.entropy.contexts import init_contexts
from codecsim.hevc.distortion import sse
from codecsim.kernels.jit import kernel
from codecsim.picture.blocks import (
    CHOICE_PER_BLOCK,
    CTU_UNITS,
    MODE_INTER,
    MODE_INTRA,
    Choice,
    fill_units,
    z_to_xy,
)
from codecsim.picture.planes import Planes
from codecsim.search.inter import keep_if_better
from codecsim.search.intra import code_chroma, intra_cu_cost
from codecsim.search.residual import coded_cost, empty_cost, search_luma_tb
from codecsim.search.state import (
    CU_BEST,
    CU_ENTRY,
    CU_VERSION,
    REGION_BEST,
    REGION_ENTRY,
    REGION_VERSION,
    aim_qp,
    bits_to_cost,
    copy_cu,
    keep_contexts,
    recall_contexts,
)
from codecsim.syntax.slice_data import code_choice_taken, has_inter


@kernel
def _recode_intra(st, uy, ux, log2):
    """Code an intra CU again with its modes and transform tree; returns its cost."""
    rc = st.rc
    blocks = rc.blocks
    keep_contexts(st, CU_ENTRY)
    aim_qp(st, uy, ux, log2)
    z, end = 0, 1 << (2 * (log2 - 2))
    while z < end:
        dx, dy = z_to_xy(z)
        ty, tx = uy + dy, ux + dx
        tu = int(blocks.tu_log2[ty, tx])
        mode = int(blocks.intra_luma[ty, tx])
        predict_intra_luma(rc, ty, tx, tu, mode)
        _, cbf = search_luma_tb(st, ty, tx, tu, log2 - tu, mode)
        fill_units(blocks.cbf, ty, tx, 1 << (tu - 2), cbf)
        z += 1 << (2 * (tu - 2))
    code_chroma(st, uy, ux, log2, int(blocks.intra_chroma[uy, ux]))
    recall_contexts(st, CU_ENTRY)
    return intra_cu_cost(st, uy, ux, log2)


@kernel
def _recode_cu(st, uy, ux):
    """Decide the residual of a CU again for the prediction that stands; returns its cost."""
    blocks = st.rc.blocks
    log2 = int(blocks.cu_log2[uy, ux])
    if blocks.pred_mode[uy, ux] == MODE_INTRA:
        return _recode_intra(st, uy, ux, log2)
    depth = 6 - log2
    keep_contexts(st, CU_ENTRY + depth)
    best = keep_if_better(st, uy, ux, log2, empty_cost(st, uy, ux, log2, CU_ENTRY + depth), -1.0)
    cost = coded_cost(st, uy, ux, log2, CU_ENTRY + depth)
    if 0 <= cost < best:
        return cost
    copy_cu(st.versions, CU_VERSION + depth, 0, uy, ux, 1 << (log2 - 2))
    recall_contexts(st, CU_BEST + depth)
    return best


@kernel
def _recode_region(st, uy, ux, units):
    """Code all CUs of a square of units again; returns the sum of their costs."""
    h4, w4 = st.rc.zorder.shape
    total = 0.0
    z = 0
    while z < units * units:
        dx, dy = z_to_xy(z)
        y, x = uy + dy, ux + dx
        if y >= h4 or x >= w4:
            z += 4
            continue
        total += _recode_cu(st, y, x)
        z += 1 << (2 * (int(st.rc.blocks.cu_log2[y, x]) - 2))
    return total


class Alternatives(NamedTuple):
    """Predictions of the inter blocks of a picture, among which each 32x32 has the choice."""

    plain: Planes
    others: Planes  # (alternatives, H, W) each; none of chroma where the choice is for luma alone
    choice: Choice  # of the search's version 0
    context: int  # the first one of the choice
    gains: np.ndarray  # (MAX_ALTERNATIVES + 1,) float64 scratch
    trials: int  # how many combinations of alternatives a region is coded with, beside the plain one


_TAKEN_BITS = 3  # of each 32x32 in what a region of four takes


@kernel
def _set_choice(st, alt, uy, ux, units, takes, coded):
    """Set choice and prediction of a region of one or four 32x32; count the bits of the choice if `coded`.

    takes : int, alternative of the k-th in its bits from 3 k

    Returns the cost of those bits; contexts adapt.
    """
    rc = st.rc
    h, w = alt.plain.y.shape
    count, has_chroma = alt.others.y.shape[0], alt.others.u.shape[0] > 0
    cost = 0.0
    for k in range((units >> 3) * (units >> 3)):
        fy, fx = (uy >> 3) + (k >> 1), (ux >> 3) + (k & 1)
        y, x = 32 * fy, 32 * fx
        if y >= h or x >= w:
            continue
        taken = takes >> (_TAKEN_BITS * k) & 7
        alt.choice.taken[fy, fx] = taken
        rows, columns = min(32, h - y), min(32, w - x)
        copy_block(alt.others.y[taken - 1] if taken else alt.plain.y, y, x, rc.pred.y, y, x, rows, columns)
        if has_chroma:
            y, x, rows, columns = y >> 1, x >> 1, rows >> 1, columns >> 1
            copy_block(alt.others.u[taken - 1] if taken else alt.plain.u, y, x, rc.pred.u, y, x, rows, columns)
            copy_block(alt.others.v[taken - 1] if taken else alt.plain.v, y, x, rc.pred.v, y, x, rows, columns)
        if coded and has_inter(rc.blocks, fy, fx):
            st.cd.reg.cost = 0
            code_choice_taken(COUNT, st.cd, alt.choice, count, alt.context, fy, fx)
            cost += bits_to_cost(st, st.cd.reg.cost)
    return cost


@kernel
def _unit_error(st, luma, u, v, has_chroma, uy, ux):
    """Weighted squared error of a prediction of a unit."""
    y, x = 4 * uy, 4 * ux
    error = float(sse(st.orig.y, y, x, luma, y, x, 4, 4))
    if has_chroma:
        y, x = 2 * uy, 2 * ux
        error += st.weights.cb * sse(st.orig.u, y, x, u, y, x, 2, 2)
        error += st.weights.cr * sse(st.orig.v, y, x, v, y, x, 2, 2)
    return error


@kernel
def _add_gains(st, alt, fy, fx):
    """Add to alt.gains[k] by how much alternative k of block (fy, fx) is closer to the source than the plain one."""
    blocks, plain, others = st.rc.blocks, alt.plain, alt.others
    h4, w4 = blocks.pred_mode.shape
    has_chroma = others.u.shape[0] > 0
    for j in range(8 * fy, min(8 * fy + 8, h4)):
        for i in range(8 * fx, min(8 * fx + 8, w4)):
            if blocks.pred_mode[j, i] >= MODE_INTER:
                error = _unit_error(st, plain.y, plain.u, plain.v, has_chroma, j, i)
                for k in range(others.y.shape[0]):
                    chroma = k if has_chroma else 0
                    u = others.u[chroma] if has_chroma else plain.u
                    v = others.v[chroma] if has_chroma else plain.v
                    alt.gains[k + 1] += error - _unit_error(st, others.y[k], u, v, has_chroma, j, i)


@kernel
def _promising(st, alt, uy, ux, units, rank):
    """What the blocks of a region would take: the alternative `rank`-th closest to the source, if closer than plain."""
    takes = 0
    h4, w4 = st.rc.blocks.pred_mode.shape
    for k in range((units >> 3) * (units >> 3)):
        fy, fx = (uy >> 3) + (k >> 1), (ux >> 3) + (k & 1)
        if 8 * fy >= h4 or 8 * fx >= w4:
            continue
        alt.gains[:] = 0
        _add_gains(st, alt, fy, fx)
        best = 0
        for _ in range(rank + 1):
            alt.gains[best], best = 0, 0  # a better one has been tried
            for j in range(1, alt.others.y.shape[0] + 1):
                if alt.gains[j] > alt.gains[best]:
                    best = j
        takes |= best << (_TAKEN_BITS * k)
    return takes


@kernel
def _copy_region(versions, src, dst, uy, ux, units):
    """Copy between versions what the picture has of a square of units."""
    _, h4, w4 = versions.blocks.pred_mode.shape
    if uy + units <= h4 and ux + units <= w4:
        copy_cu(versions, src, dst, uy, ux, units)
        return
    for y in range(uy, min(uy + units, h4), 2):
        for x in range(ux, min(ux + units, w4), 2):
            copy_cu(versions, src, dst, y, x, 2)


@kernel
def _choose_region(st, alt, uy, ux, units):
    """Choose in a region, one or four 32x32, and code it again; returns the costs as chosen and all plain."""
    first = _promising(st, alt, uy, ux, units, 0)
    keep_contexts(st, REGION_ENTRY)
    bits = _set_choice(st, alt, uy, ux, units, 0, 1)
    if first == 0:
        cost = _recode_region(st, uy, ux, units)
        return bits + cost, cost
    _copy_region(st.versions, 0, REGION_VERSION + 1, uy, ux, units)
    plain = _recode_region(st, uy, ux, units)
    best, kept, tried = bits + plain, 0, 0
    for rank in range(min(alt.trials, alt.others.y.shape[0])):
        takes = first if rank == 0 else _promising(st, alt, uy, ux, units, rank)
        if takes == 0:
            break
        if tried == kept:  # what stands is the best one yet
            _copy_region(st.versions, 0, REGION_VERSION, uy, ux, units)
            keep_contexts(st, REGION_BEST)
        _copy_region(st.versions, REGION_VERSION + 1, 0, uy, ux, units)
        recall_contexts(st, REGION_ENTRY)
        cost = _set_choice(st, alt, uy, ux, units, takes, 1)
        cost += _recode_region(st, uy, ux, units)
        tried = takes
        if cost < best:
            best, kept = cost, takes
    if tried != kept:
        _set_choice(st, alt, uy, ux, units, kept, 1)
        _copy_region(st.versions, REGION_VERSION, 0, uy, ux, units)
        recall_contexts(st, REGION_BEST)
    return best, plain


@kernel
def _refine_region(st, alt, where, taken, uy, ux, units):
    """Code a region again with the prediction that `where` tells; returns its costs so and plain."""
    if where == CHOICE_PER_BLOCK:
        return _choose_region(st, alt, uy, ux, units)
    takes = taken | taken << _TAKEN_BITS | taken << 2 * _TAKEN_BITS | taken << 3 * _TAKEN_BITS
    _set_choice(st, alt, uy, ux, units, takes, 0)
    cost = _recode_region(st, uy, ux, units)
    return cost, cost


@kernel
def nearest_alternative(st, alt):
    """The alternative that is closest to the source if it stands in the whole picture."""
    rows, columns = alt.choice.taken.shape
    alt.gains[:] = 0
    for fy in range(rows):
        for fx in range(columns):
            _add_gains(st, alt, fy, fx)
    best = 1
    for k in range(2, alt.others.y.shape[0] + 1):
        if alt.gains[k] > alt.gains[best]:
            best = k
    return best


@kernel
def refine_picture(st, alt, slice_qp, where, taken):
    """Code the whole picture again with one prediction, another, or a choice; the result is in version 0.

    Parameters
    ----------
    st : Search
    alt : Alternatives
    slice_qp : int
    where : CHOICE_NOWHERE, CHOICE_EVERYWHERE or CHOICE_PER_BLOCK: where another one stands
    taken : int, that one with CHOICE_EVERYWHERE, 0 with CHOICE_NOWHERE

    Returns
    -------
    Costs of the picture: as it is now; with the plain prediction alone, nearly, after CHOICE_PER_BLOCK.
    """
    h4, w4 = st.rc.zorder.shape
    init_contexts(st.cd.ctx, 2 - st.sl.slice_type, slice_qp)
    columns = (w4 + 15) >> 4
    total, all_plain = 0.0, 0.0
    for address in range(((h4 + 15) >> 4) * columns):
        uy, ux = address // columns << 4, address % columns << 4
        if st.rc.blocks.cu_log2[uy, ux] == 6:
            cost, plain = _refine_region(st, alt, where, taken, uy, ux, 16)
            total, all_plain = total + cost, all_plain + plain
            continue
        for z in range(0, CTU_UNITS, 64):
            dx, dy = z_to_xy(z)
            if uy + dy < h4 and ux + dx < w4:
                cost, plain = _refine_region(st, alt, where, taken, uy + dy, ux + dx, 8)
                total, all_plain = total + cost, all_plain + plain
    return total, all_plain


def copy_decisions(rc, codec):
    """Copy decisions, motion and levels of a search's version 0 to the codec's store."""
    _copy_arrays((rc.blocks, rc.motion, rc.levels), (codec.blocks, codec.rc.value.motion, codec.levels))


def _copy_arrays(source, target):
    """Copy all arrays of a tree of tuples."""
    if isinstance(source, np.ndarray):
        target[:] = source
        return
    for part, its_target in zip(source, target, strict=True):
        _copy_arrays(part, its_target)
