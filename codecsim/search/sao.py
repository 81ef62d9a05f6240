"""The choice of sample adaptive offsets: per CTU by rate-distortion cost, from statistics of the deblocked picture."""

from typing import NamedTuple

import numpy as np

from codecsim.codec.picture_store import PictureStore
from codecsim.codec.stages.sample_offset import SampleOffset
from codecsim.codec.structure import chroma_weight
from codecsim.entropy.cabac import COST_BITS, COUNT, Coder, make_coder
from codecsim.entropy.contexts import SAO_MERGE, SAO_TYPE, init_contexts
from codecsim.hevc.sao import SAO_BAND, SAO_EDGE, SaoParams, SaoStatistics, make_sao_statistics, measure_sao
from codecsim.kernels.binding import bind
from codecsim.kernels.jit import kernel
from codecsim.search.aim import Aim
from codecsim.syntax.sao import clear_sao, code_sao, code_sao_component, copy_sao, sao_limit
from codecsim.syntax.slice_data import SliceSyntax

# ways to filter a CTU: off, the edge classes, bands
_WAY_OFF, _WAY_EDGE, _WAY_BAND = 0, 1, 5
_WAYS = 6


class SaoChoice(NamedTuple):
    """State of the choice in one picture.  Costs are squared luma errors."""

    sl: SliceSyntax
    sao: SaoParams  # decided here
    statistics: SaoStatistics
    cd: Coder  # counts
    bands: np.ndarray  # (2, 32) float64: best offset of each band and its cost
    weights: np.ndarray  # (3,) float64, of squared errors of the components
    lam: float  # squared error per bit


@kernel
def _best_offset(st, c_idx, count, total, low, high):
    """Offset in low..high of a category of samples, and its cost; `total`: sum of their errors."""
    limit = sao_limit(st.sl.bit_depth)
    weight = st.weights[c_idx]
    signed = 1 if low < 0 < high else 0
    best, best_cost = 0, st.lam
    if count > 0:
        offset = int(min(max(np.rint(total / count), low), high))
        while offset != 0:
            bits = min(abs(offset) + 1, limit) + signed
            cost = weight * (float(count) * offset * offset - 2.0 * offset * total) + st.lam * bits
            if cost < best_cost:
                best, best_cost = offset, cost
            offset += -1 if offset > 0 else 1
    return best, best_cost


@kernel
def _propose_bands(st, c_idx, cy, cx):
    limit = sao_limit(st.sl.bit_depth)
    counts, sums = st.statistics.band_count, st.statistics.band_sum
    for band in range(32):
        count, total = np.int64(counts[c_idx, cy, cx, band]), np.int64(sums[c_idx, cy, cx, band])
        offset, cost = _best_offset(st, c_idx, count, total, -limit, limit)
        st.bands[0, band] = offset
        st.bands[1, band] = cost
    first, least = 0, 0.0
    for position in range(32):
        cost = 0.0
        for k in range(4):
            cost += st.bands[1, (position + k) & 31]
        if position == 0 or cost < least:
            first, least = position, cost
    st.sao.band_position[c_idx, cy, cx] = first
    for k in range(4):
        st.sao.offsets[c_idx, cy, cx, k] = int(st.bands[0, (first + k) & 31])


@kernel
def _propose(st, c_idx, cy, cx, way):
    """Set the best parameters of one component for a way of filtering."""
    sao = st.sao
    clear_sao(sao, c_idx, cy, cx)
    if way == _WAY_BAND:
        sao.type_idx[c_idx, cy, cx] = SAO_BAND
        _propose_bands(st, c_idx, cy, cx)
    elif way != _WAY_OFF:
        edge_class = way - _WAY_EDGE
        sao.type_idx[c_idx, cy, cx] = SAO_EDGE
        sao.edge_class[c_idx, cy, cx] = edge_class
        limit = sao_limit(st.sl.bit_depth)
        counts, sums = st.statistics.edge_count, st.statistics.edge_sum
        for k in range(4):
            count = np.int64(counts[c_idx, cy, cx, edge_class, k])
            total = np.int64(sums[c_idx, cy, cx, edge_class, k])
            low, high = (0, limit) if k < 2 else (-limit, 0)
            sao.offsets[c_idx, cy, cx, k], _ = _best_offset(st, c_idx, count, total, low, high)


@kernel
def _propose_both(st, cy, cx, luma, chroma):
    _propose(st, 0, cy, cx, luma)
    _propose(st, 1, cy, cx, chroma)
    _propose(st, 2, cy, cx, chroma)


@kernel
def _error(st, c_idx, cy, cx):
    """Change of a component's weighted squared error by the parameters that stand; clipping is neglected."""
    sao, stats = st.sao, st.statistics
    kind = sao.type_idx[c_idx, cy, cx]
    edge_class = np.int64(sao.edge_class[c_idx, cy, cx])
    first = np.int64(sao.band_position[c_idx, cy, cx])
    change = 0.0
    for k in range(4):
        offset = float(sao.offsets[c_idx, cy, cx, k])
        if kind == SAO_EDGE:
            count, total = stats.edge_count[c_idx, cy, cx, edge_class, k], stats.edge_sum[c_idx, cy, cx, edge_class, k]
        else:
            band = (first + k) & 31
            count, total = stats.band_count[c_idx, cy, cx, band], stats.band_sum[c_idx, cy, cx, band]
        change += offset * offset * count - 2.0 * offset * total
    return st.weights[c_idx] * change


@kernel
def _choose_way(st, c_idx, cy, cx):
    """Best way for luma (c_idx 0), or for both chroma components (1), unmerged; contexts adapt to it."""
    cd = st.cd
    entry = cd.ctx[SAO_TYPE]
    last = 0 if c_idx == 0 else 2
    best, best_cost, best_context = 0, 0.0, entry
    for way in range(_WAYS):
        cd.ctx[SAO_TYPE] = entry
        cd.reg.cost = 0
        cost = 0.0
        for c in range(c_idx, last + 1):
            _propose(st, c, cy, cx, way)
            code_sao_component(COUNT, cd, st.sl, st.sao, c, cy, cx)
            cost += _error(st, c, cy, cx)
        cost += st.lam * cd.reg.cost / (1 << COST_BITS)
        if way == 0 or cost < best_cost:
            best, best_cost, best_context = way, cost, cd.ctx[SAO_TYPE]
    cd.ctx[SAO_TYPE] = best_context
    return best


@kernel
def _cost(st, cy, cx, merge_context, type_context):
    """Cost of the parameters of a CTU as they stand, against doing nothing for no bits; contexts adapt."""
    cd = st.cd
    cd.ctx[SAO_MERGE], cd.ctx[SAO_TYPE] = merge_context, type_context
    cd.reg.cost = 0
    code_sao(COUNT, cd, st.sl, st.sao, cy, cx)
    cost = st.lam * cd.reg.cost / (1 << COST_BITS)
    for c_idx in range(3):
        cost += _error(st, c_idx, cy, cx)
    return cost


@kernel
def _choose_ctu(st, cy, cx):
    """Decide a CTU: its own parameters, or those to its left or above; returns the cost."""
    merge_context, type_context = st.cd.ctx[SAO_MERGE], st.cd.ctx[SAO_TYPE]
    luma = _choose_way(st, 0, cy, cx) if st.sl.sao_luma else _WAY_OFF
    chroma = _choose_way(st, 1, cy, cx) if st.sl.sao_chroma else _WAY_OFF
    _propose_both(st, cy, cx, luma, chroma)
    best_y, best_x = cy, cx
    best = _cost(st, cy, cx, merge_context, type_context)
    for k in range(2):
        y, x = cy - k, cx - 1 + k
        if y >= 0 and x >= 0:
            copy_sao(st.sao, y, x, cy, cx)
            cost = _cost(st, cy, cx, merge_context, type_context)
            if cost < best:
                best, best_y, best_x = cost, y, x
    if best_y == cy and best_x == cx:
        _propose_both(st, cy, cx, luma, chroma)
    else:
        copy_sao(st.sao, best_y, best_x, cy, cx)
    return _cost(st, cy, cx, merge_context, type_context)


@kernel
def choose_sao_picture(st, init_type, slice_qp):
    """Decide all CTUs of a picture; returns its cost against doing nothing for no bits."""
    init_contexts(st.cd.ctx, init_type, slice_qp)
    _, rows, columns = st.sao.type_idx.shape
    total = 0.0
    for cy in range(rows):
        for cx in range(columns):
            total += _choose_ctu(st, cy, cx)
    return total


class SaoSearch:
    """Memory of the choice for pictures of one size; fills a picture's store of SAO parameters.

    Parameters
    ----------
    picture : PictureStore
    """

    def __init__(self, picture):
        self._statistics = make_sao_statistics(picture.sps.height, picture.sps.width)
        self._counter = make_coder(np.zeros(1, np.uint8))
        self._bands = np.zeros((2, 32))

    def choose(self, picture: PictureStore, stage: SampleOffset, aim: Aim) -> None:
        """Decide offsets and slice flags of a deblocked picture."""
        if not picture.sps.sao:
            return
        measure_sao(aim.orig, picture.picture.planes, self._statistics, picture.sps.bit_depth)
        costs = {flags: self._decide(picture, *flags, aim.lam) for flags in ((0, 1), (1, 0), (1, 1))}
        best = min(costs, key=lambda flags: costs[flags])
        if costs[best] >= 0:
            best = (0, 0)
            picture.sao.type_idx[:] = 0
        elif best != (1, 1):
            self._decide(picture, *best, aim.lam)
        stage.use(picture, bool(best[0]), bool(best[1]))

    def _decide(self, picture, luma, chroma, lam):
        """Decide with the given slice flags; returns the cost."""
        given = picture.slice
        weights = [1.0, *(chroma_weight(given.qp, offset) for offset in (given.cb_qp_offset, given.cr_qp_offset))]
        choice = SaoChoice(
            sl=given.syntax._replace(sao_luma=luma, sao_chroma=chroma),
            sao=picture.sao,
            statistics=self._statistics,
            cd=self._counter,
            bands=self._bands,
            weights=np.array(weights),
            lam=float(lam),
        )
        return choose_sao_picture(bind(choice), given.cabac_init_type, given.qp)
