"""After the learned filter: choose it per 32x32, and decide residual and skip again against what was chosen.

Partition, modes and motion stay as the search left them.  Intra blocks are coded again with their modes, since what
they predict from may have changed.
"""

import numpy as np

from codecsim.binding import bind
from codecsim.blocks import (
    CTU_UNITS,
    MODE_INTER,
    MODE_INTRA,
    fill_units,
    z_to_xy,
)
from codecsim.entropy.cabac import COST, COUNT
from codecsim.entropy.contexts import init_contexts
from codecsim.jit import kernel
from codecsim.picture import PAD_Y
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
    aim_qp,
    bits_to_cost,
    copy_cu,
    keep_contexts,
    recall_contexts,
)
from codecsim.syntax.slice_data import code_filter_choice, has_inter
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


@kernel
def _set_choice(st, plain, filtered, uy, ux, units, mask):
    """Set filter choices and prediction of a region of one or four 32x32: bit k of `mask` for the k-th; code the flags.

    Returns the cost of the flags; contexts adapt.
    """
    rc = st.rc
    blocks = rc.blocks
    h, w = plain.shape
    cost = 0.0
    for k in range((units >> 3) * (units >> 3)):
        fy, fx = (uy >> 3) + (k >> 1), (ux >> 3) + (k & 1)
        y, x = 32 * fy, 32 * fx
        if y >= h or x >= w:
            continue
        choice = (mask >> k) & 1
        blocks.filter_idx[fy, fx] = choice
        rows, columns = min(32, h - y), min(32, w - x)
        copy_block(filtered if choice else plain, y, x, rc.pred.y, y, x, rows, columns)
        if has_inter(blocks, fy, fx):
            st.cd.reg[COST] = 0
            code_filter_choice(COUNT, st.cd, blocks, fy, fx)
            cost += bits_to_cost(st, st.cd.reg[COST])
    return cost


@kernel
def _promising(st, plain, filtered, uy, ux, units):
    """Mask of the 32x32 blocks of a region whose inter prediction the filter brings closer to the source."""
    blocks = st.rc.blocks
    h4, w4 = blocks.pred_mode.shape
    mask = 0
    for k in range((units >> 3) * (units >> 3)):
        gain = 0
        for j in range(uy + 8 * (k >> 1), min(uy + 8 * (k >> 1) + 8, h4)):
            for i in range(ux + 8 * (k & 1), min(ux + 8 * (k & 1) + 8, w4)):
                if blocks.pred_mode[j, i] >= MODE_INTER:
                    y, x = 4 * j, 4 * i
                    gain += sse(st.orig.y, y, x, plain, y, x, 4, 4) - sse(st.orig.y, y, x, filtered, y, x, 4, 4)
        if gain > 0:
            mask |= 1 << k
    return mask


@kernel
def _choose_region(st, plain, filtered, uy, ux, units):
    """Choose the filter in a region, one or four 32x32, and code it again."""
    mask = _promising(st, plain, filtered, uy, ux, units)
    keep_contexts(st, REGION_ENTRY)
    cost = _set_choice(st, plain, filtered, uy, ux, units, 0)
    area = min(units, 16)
    h4, w4 = st.rc.zorder.shape
    inside = uy + area <= h4 and ux + area <= w4
    if mask == 0 or not inside:
        # a region cut by the picture's edge cannot be kept aside as a square: decide it by prediction error alone
        if mask:
            recall_contexts(st, REGION_ENTRY)
            _set_choice(st, plain, filtered, uy, ux, units, mask)
        _recode_region(st, uy, ux, units)
        return
    copy_cu(st.versions, 0, REGION_VERSION + 1, uy, ux, area)
    cost += _recode_region(st, uy, ux, units)
    copy_cu(st.versions, 0, REGION_VERSION, uy, ux, area)
    keep_contexts(st, REGION_BEST)
    copy_cu(st.versions, REGION_VERSION + 1, 0, uy, ux, area)
    recall_contexts(st, REGION_ENTRY)
    other = _set_choice(st, plain, filtered, uy, ux, units, mask)
    other += _recode_region(st, uy, ux, units)
    if cost <= other:
        _set_choice(st, plain, filtered, uy, ux, units, 0)
        copy_cu(st.versions, REGION_VERSION, 0, uy, ux, area)
        recall_contexts(st, REGION_BEST)


@kernel
def refine_picture(st, plain, filtered, slice_qp):
    """Choose the filter over the whole picture and code it again; the result is in version 0."""
    h4, w4 = st.rc.zorder.shape
    init_contexts(st.cd.ctx, 2 - st.sl.slice_type, slice_qp)
    columns = (w4 + 15) >> 4
    for address in range(((h4 + 15) >> 4) * columns):
        uy, ux = address // columns << 4, address % columns << 4
        if st.rc.blocks.cu_log2[uy, ux] == 6:
            _choose_region(st, plain, filtered, uy, ux, 16)
            continue
        for z in range(0, CTU_UNITS, 64):
            dx, dy = z_to_xy(z)
            if uy + dy < h4 and ux + dx < w4:
                _choose_region(st, plain, filtered, uy + dy, ux + dx, 8)


def source_before_filter(codec, orig):
    """The source less what the filter adds where it was chosen: what a further search has to predict.

    The search does not know the filter.  Given this source, it looks for the prediction that the filter makes right.

    Parameters
    ----------
    codec : PictureCodec, after `choose_filter`
    orig : Planes, unpadded source at coded size

    Returns
    -------
    Planes
    """
    height, width = orig.y.shape
    chosen = np.kron(codec.blocks.filter_idx, np.ones((32, 32), np.int32))[:height, :width]
    added = (codec.filtered.astype(np.int32) - codec.pred.y) * chosen
    luma = np.clip(orig.y - added, 0, (1 << codec.sps.bit_depth) - 1)
    return orig._replace(y=luma.astype(np.uint16))


def choose_filter(codec, state, orig):
    """Choose where the learned filter applies in the picture that `codec` has predicted, and update its decisions.

    Parameters
    ----------
    codec : PictureCodec, after `predict`
    state : bound Search, as PictureSearch.run left it
    orig : Planes, unpadded source at coded size
    """
    state = bind(state.value._replace(orig=orig))
    plain = np.ascontiguousarray(codec.pred.y).copy()
    refine_picture(state, plain, codec.filtered, codec.tools.qp)
    copy_decisions(state.value.rc, codec)
    np.copyto(codec.pred.y, plain)


def copy_decisions(rc, codec):
    """Copy decisions, motion and levels of a search's version 0 to the codec's store."""
    for source, target in zip(
        (*rc.blocks, *rc.motion, *rc.levels), (*codec.blocks, *codec.rc.value.motion, *codec.levels), strict=True
    ):
        target[:] = source
