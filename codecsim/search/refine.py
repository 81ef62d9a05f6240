"""Choose overlap and learned filter per 32x32, and decide residual and skip again against what was chosen.

Partition, modes and motion stay as the search left them.  Intra blocks are coded again with their modes, since what
they predict from may have changed.
"""

from typing import NamedTuple

import numpy as np

from codecsim.binding import bind
from codecsim.blocks import (
    CHOICE_EVERYWHERE,
    CHOICE_NOWHERE,
    CHOICE_PER_BLOCK,
    CTU_UNITS,
    MODE_INTER,
    MODE_INTRA,
    Choice,
    fill_units,
    z_to_xy,
)
from codecsim.entropy.cabac import COST, COUNT
from codecsim.entropy.contexts import FILTER_CHOICE, OBMC_CHOICE, init_contexts
from codecsim.jit import kernel
from codecsim.picture import PAD_Y, Planes
from codecsim.recon import copy_block
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
    WEIGHT_CB,
    WEIGHT_CR,
    aim_qp,
    bits_to_cost,
    copy_cu,
    keep_contexts,
    recall_contexts,
)
from codecsim.syntax.slice_data import code_choice_flag, has_inter
from codecsim.tools.distortion import sse
from codecsim.tools.intra import predict_intra


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
        y, x = 4 * ty, 4 * tx
        predict_intra(
            rc.rec.y, PAD_Y, rc.zorder, x, y, tu, mode, 0, rc.strong_intra != 0, rc.bit_depth, rc.scratch.refs,
            rc.pred.y, y, x,
        )  # fmt: skip
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


class Alternative(NamedTuple):
    """Two predictions of the inter blocks of a picture, between which each 32x32 has the choice."""

    plain: Planes
    other: Planes  # the chroma is not looked at where it is not chosen
    has_chroma: int  # the choice holds for chroma too
    choice: Choice  # of the search's version 0: where `other` is taken
    context: int  # the first one of the choice


@kernel
def _set_choice(st, alt, uy, ux, units, mask, coded):
    """Set choices and prediction of a region of one or four 32x32: bit k of `mask` for the k-th; code flags if `coded`.

    Returns the cost of the flags; contexts adapt.
    """
    rc = st.rc
    h, w = alt.plain.y.shape
    cost = 0.0
    for k in range((units >> 3) * (units >> 3)):
        fy, fx = (uy >> 3) + (k >> 1), (ux >> 3) + (k & 1)
        y, x = 32 * fy, 32 * fx
        if y >= h or x >= w:
            continue
        flag = (mask >> k) & 1
        alt.choice.flags[fy, fx] = flag
        source = alt.other if flag else alt.plain
        rows, columns = min(32, h - y), min(32, w - x)
        copy_block(source.y, y, x, rc.pred.y, y, x, rows, columns)
        if alt.has_chroma:
            y, x, rows, columns = y >> 1, x >> 1, rows >> 1, columns >> 1
            copy_block(source.u, y, x, rc.pred.u, y, x, rows, columns)
            copy_block(source.v, y, x, rc.pred.v, y, x, rows, columns)
        if coded and has_inter(rc.blocks, fy, fx):
            st.cd.reg[COST] = 0
            code_choice_flag(COUNT, st.cd, alt.choice, alt.context, fy, fx)
            cost += bits_to_cost(st, st.cd.reg[COST])
    return cost


@kernel
def _unit_gain(st, alt, uy, ux):
    """By how much the other prediction of a unit is closer to the source, in weighted squared error."""
    y, x = 4 * uy, 4 * ux
    gain = float(sse(st.orig.y, y, x, alt.plain.y, y, x, 4, 4) - sse(st.orig.y, y, x, alt.other.y, y, x, 4, 4))
    if alt.has_chroma:
        y, x = 2 * uy, 2 * ux
        u = sse(st.orig.u, y, x, alt.plain.u, y, x, 2, 2) - sse(st.orig.u, y, x, alt.other.u, y, x, 2, 2)
        v = sse(st.orig.v, y, x, alt.plain.v, y, x, 2, 2) - sse(st.orig.v, y, x, alt.other.v, y, x, 2, 2)
        gain += st.lam[WEIGHT_CB] * u + st.lam[WEIGHT_CR] * v
    return gain


@kernel
def _promising(st, alt, uy, ux, units):
    """Mask of the 32x32 blocks of a region whose other inter prediction is closer to the source."""
    blocks = st.rc.blocks
    h4, w4 = blocks.pred_mode.shape
    mask = 0
    for k in range((units >> 3) * (units >> 3)):
        gain = 0.0
        for j in range(uy + 8 * (k >> 1), min(uy + 8 * (k >> 1) + 8, h4)):
            for i in range(ux + 8 * (k & 1), min(ux + 8 * (k & 1) + 8, w4)):
                if blocks.pred_mode[j, i] >= MODE_INTER:
                    gain += _unit_gain(st, alt, j, i)
        if gain > 0:
            mask |= 1 << k
    return mask


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
    mask = _promising(st, alt, uy, ux, units)
    keep_contexts(st, REGION_ENTRY)
    flags = _set_choice(st, alt, uy, ux, units, 0, 1)
    if mask == 0:
        cost = _recode_region(st, uy, ux, units)
        return flags + cost, cost
    _copy_region(st.versions, 0, REGION_VERSION + 1, uy, ux, units)
    plain = _recode_region(st, uy, ux, units)
    _copy_region(st.versions, 0, REGION_VERSION, uy, ux, units)
    keep_contexts(st, REGION_BEST)
    _copy_region(st.versions, REGION_VERSION + 1, 0, uy, ux, units)
    recall_contexts(st, REGION_ENTRY)
    other = _set_choice(st, alt, uy, ux, units, mask, 1)
    other += _recode_region(st, uy, ux, units)
    if flags + plain > other:
        return other, plain
    _set_choice(st, alt, uy, ux, units, 0, 1)
    _copy_region(st.versions, REGION_VERSION, 0, uy, ux, units)
    recall_contexts(st, REGION_BEST)
    return flags + plain, plain


@kernel
def _refine_region(st, alt, where, uy, ux, units):
    """Code a region again with the prediction that `where` tells; returns its costs so and plain."""
    if where == CHOICE_PER_BLOCK:
        return _choose_region(st, alt, uy, ux, units)
    _set_choice(st, alt, uy, ux, units, 15 if where == CHOICE_EVERYWHERE else 0, 0)
    cost = _recode_region(st, uy, ux, units)
    return cost, cost


@kernel
def refine_picture(st, alt, slice_qp, where):
    """Code the whole picture again with one prediction, the other, or a choice; the result is in version 0.

    Parameters
    ----------
    st : Search
    alt : Alternative
    slice_qp : int
    where : CHOICE_NOWHERE, CHOICE_EVERYWHERE or CHOICE_PER_BLOCK: where the other one stands

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
            cost, plain = _refine_region(st, alt, where, uy, ux, 16)
            total, all_plain = total + cost, all_plain + plain
            continue
        for z in range(0, CTU_UNITS, 64):
            dx, dy = z_to_xy(z)
            if uy + dy < h4 and ux + dx < w4:
                cost, plain = _refine_region(st, alt, where, uy + dy, ux + dx, 8)
                total, all_plain = total + cost, all_plain + plain
    return total, all_plain


def choose_prediction(codec, state, orig):
    """Predict what `codec` holds, choose overlap and learned filter per 32x32, and update its decisions.

    Parameters
    ----------
    codec : PictureCodec, searched
    state : bound Search, as PictureSearch.run left it
    orig : Planes, unpadded source at coded size

    Returns
    -------
    Planes : the plain prediction, from motion compensation alone
    """
    state = bind(state.value._replace(orig=orig))
    blocks = state.value.rc.blocks
    codec.predict()
    codec.overlap()
    plain = _copy(codec.pred)
    if codec.overlapped is not None:
        _choose(codec, state, Alternative(plain, codec.overlapped, 1, blocks.overlap, OBMC_CHOICE))
    codec.filter()
    if codec.filtered is not None:
        unfiltered = _copy(codec.pred)
        filtered = unfiltered._replace(y=codec.filtered)
        _choose(codec, state, Alternative(unfiltered, filtered, 0, blocks.filtering, FILTER_CHOICE))
    return plain


def _copy(planes):
    """Planes of their own memory."""
    return Planes(*(plane.copy() for plane in planes))


def _choose(codec, state, alternative):
    """Choose where in the picture the other prediction is taken, and update the codec's decisions, not its prediction.

    alternative : Alternative, not bound
    """
    bound, qp = bind(alternative), codec.tools.qp
    everywhere, _ = refine_picture(state, bound, qp, CHOICE_EVERYWHERE)
    chosen, nowhere = refine_picture(state, bound, qp, CHOICE_PER_BLOCK)
    costs = {CHOICE_PER_BLOCK: chosen, CHOICE_EVERYWHERE: everywhere, CHOICE_NOWHERE: nowhere}
    where = min(costs, key=costs.get)
    if where != CHOICE_PER_BLOCK:
        refine_picture(state, bound, qp, where)
    alternative.choice.where[0] = where
    copy_decisions(state.value.rc, codec)
    for pred, kept in zip(codec.pred, alternative.plain, strict=True):
        np.copyto(pred, kept)


def source_before_choices(codec, orig, plain):
    """The source less what overlap and filter add where they are chosen: what a further search has to predict.

    The search knows neither.  Given this source, it looks for the prediction that they make right.

    Parameters
    ----------
    codec : PictureCodec, after `choose_prediction`
    orig : Planes, unpadded source at coded size
    plain : Planes, what that returned

    Returns
    -------
    Planes
    """
    final = codec.pred
    if codec.filtered is not None:
        inter = codec.blocks.pred_mode >= MODE_INTER
        h4, w4 = inter.shape
        units = inter & np.kron(codec.blocks.filtering.flags, np.ones((8, 8), bool))[:h4, :w4]
        final = final._replace(y=np.where(np.kron(units, np.ones((4, 4), bool)), codec.filtered, codec.pred.y))
    top = (1 << codec.sps.bit_depth) - 1
    aims = (np.clip(o - (f.astype(np.int32) - p), 0, top) for o, f, p in zip(orig, final, plain, strict=True))
    return Planes(*(aim.astype(np.uint16) for aim in aims))


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
