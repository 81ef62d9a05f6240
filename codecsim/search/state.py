"""What the search works on: the picture being coded, several versions of its decisions, costs and contexts.

A version is a full set of decisions, levels and reconstruction.  Version 0 is the one being tried; the others keep the
best alternative found so far at each depth.  Only the area of the block under decision is ever copied.
"""

from typing import NamedTuple

import numpy as np

from codecsim.codec.recon import Recon
from codecsim.entropy.cabac import COST_BITS, COUNT, Coder, make_coder
from codecsim.entropy.contexts import STATE_SIZE
from codecsim.hevc.distortion import satd, sse
from codecsim.hevc.indexing import natural
from codecsim.hevc.motion import MotionContext
from codecsim.kernels.jit import kernel
from codecsim.kernels.records import make_record
from codecsim.picture.areas import Square
from codecsim.picture.blocks import Blocks, Levels, fill_units, make_choice
from codecsim.picture.planes import PAD_C, PAD_Y, Motion, Planes
from codecsim.search.quantise import Quantising, make_quantising
from codecsim.search.ranking import Ranking, make_ranking
from codecsim.syntax.slice_data import SliceSyntax, code_coding_unit

# versions: 0 is tried, 1..4 the best CU of 64..8, 5..9 the best residual of a transform node by its depth, 10 and 11 a
# region whose prediction is chosen: coded with the plain one, and as it was before, 12 an intra CU without the filter
NUM_VERSIONS = 13
CU_VERSION, TU_VERSION, REGION_VERSION, PLAIN_VERSION = 1, 5, 10, 12
# context snapshots: on entry to a CU of depth d, after its best alternative, and the same for transform nodes
CU_ENTRY, CU_BEST, TU_ENTRY, TU_BEST, TB_ENTRY, MODE_ENTRY, SPLIT_ENTRY = 0, 4, 8, 13, 18, 19, 21
REGION_ENTRY, REGION_BEST, TB_BEST, PLAIN_BEST = 25, 26, 27, 28
NUM_SNAPSHOTS = 29


class Weights:
    """What errors and bits count for in a cost; the squared error of luma counts as it is."""

    lam: float  # squared error per bit
    sqrt_lam: float  # absolute error per bit
    cb: float  # of squared error
    cr: float


class Memo:
    """What is remembered of the CU at hand."""

    motion: float  # the lowest SATD plus rate of an inter prediction
    coded: int  # how many prediction candidates left a residual worth coding
    luma: float  # the cost of its luma as intra 2Nx2N


class Kept(NamedTuple):
    """A 4x4 block put aside."""

    levels: np.ndarray  # (16,) int32
    rec: np.ndarray  # (16,) int32


class Versions(NamedTuple):
    """All versions; every array has a leading axis of NUM_VERSIONS."""

    blocks: Blocks
    motion: Motion
    levels: Levels
    rec: Planes


ALL_ENTRIES = (1 << 16) - 1  # of a list, as bits


class UnitMotion(NamedTuple):
    """What the motion search knows of the prediction unit it is at."""

    mvp: np.ndarray  # (2, 16, 2, 2) int32 [list, entry, candidate, (x, y)]: predictors
    vectors: np.ndarray  # (2, 16, 2) int32 [list, entry, (x, y)]: best vector alone, quarter samples
    whole: np.ndarray  # the same of the CU at hand as a whole
    cost: np.ndarray  # (2, 16) float64: its cost, negative where the entry has not been searched
    allowed: np.ndarray  # (2,) int64: bit k is set where entry k of the list may be searched
    promising: np.ndarray  # (2,) int64: the same for the partitions of the CU at hand, after its search as a whole
    mv: np.ndarray  # (2, 2) int32 [list, (x, y)]: chosen motion, as recon.set_motion takes it
    ref: np.ndarray  # (2,) int8


def make_unit_motion():
    """Fresh working memory; every entry is allowed."""
    return UnitMotion(
        np.zeros((2, 16, 2, 2), np.int32),
        np.zeros((2, 16, 2), np.int32),
        np.zeros((2, 16, 2), np.int32),
        np.full((2, 16), -1.0),
        np.full(2, ALL_ENTRIES, np.int64),
        np.full(2, ALL_ENTRIES, np.int64),
        np.zeros((2, 2), np.int32),
        np.full(2, -1, np.int8),
    )


class Effort(NamedTuple):
    """How hard the search tries: the fields of config.Preset, which describes them, that kernels look at, as ints."""

    merge_rd: int
    early_skip: int
    split_after_skip: int
    split_uncoded: int
    shapes_log2: int
    amp: int
    shape_gate: int
    ref_limit: int
    range: int
    rings: int
    part_rings: int
    bi_rounds: int
    bi_all_refs: int
    intra_gate: int
    intra_rd: int
    intra_rd_small: int
    probable_rd: int
    intra_64: int
    parts_gate: int
    intra_margin: int
    coarse_angles: int
    chroma_rd: int
    intra_filter_modes: int


class Search(NamedTuple):
    """State of the search of one picture."""

    rc: Recon  # over version 0
    sl: SliceSyntax
    mctx: MotionContext
    orig: Planes  # unpadded, coded size
    cd: Coder  # counts
    versions: Versions
    snaps: np.ndarray  # (NUM_SNAPSHOTS, STATE_SIZE) uint8
    subpel: np.ndarray  # (places, 16, padded height, padded width) uint16, phase 4 * y + x; places as in rc.refs
    target: np.ndarray  # (64, 64) int16: what the other half of a bi-prediction is compared with
    unit: UnitMotion
    coef: np.ndarray  # (1024,) int32
    quantising: Quantising
    ranking: Ranking  # intra modes or merge candidates
    vectors: np.ndarray  # (H16, W16, places, 2) int32: best full-sample vector found around here
    memo: Memo
    weights: Weights
    qp_aim: np.ndarray  # (4, H8, W8) int8 luma QP of each square [6 - log2 of its size, row, column]
    kept: Kept
    effort: Effort


def make_versions(height, width):
    """Memory for all versions of a picture of coded size `height` x `width`."""
    h4, w4 = height // 4, width // 4
    n = NUM_VERSIONS
    blocks = Blocks(
        *(np.zeros((n, h4, w4), np.uint8) for _ in range(9)),
        mvp_idx=np.zeros((n, h4, w4, 2), np.uint8),
        mvd=np.zeros((n, h4, w4, 2, 2), np.int16),
        qp=np.zeros((n, h4, w4), np.int8),
        filtering=make_choice(height, width, (n,)),
        overlap=make_choice(height, width, (n,)),
    )
    motion = Motion(np.zeros((n, h4, w4, 2, 2), np.int16), np.full((n, h4, w4, 2), -1, np.int8))
    half = (n, height // 2, width // 2)
    levels = Levels(np.zeros((n, height, width), np.int16), np.zeros(half, np.int16), np.zeros(half, np.int16))
    chroma = (n, height // 2 + 2 * PAD_C, width // 2 + 2 * PAD_C)
    rec = Planes(
        np.zeros((n, height + 2 * PAD_Y, width + 2 * PAD_Y), np.uint16),
        np.zeros(chroma, np.uint16),
        np.zeros(chroma, np.uint16),
    )
    return Versions(blocks, motion, levels, rec)


def version_views(versions, index):
    """Version `index` as (Blocks, Motion, Levels, Planes) of contiguous views."""

    def view(part):
        return part[index] if isinstance(part, np.ndarray) else type(part)(*map(view, part))

    return tuple(map(view, versions))


def make_counter():
    """A coder that only counts."""
    return make_coder(np.zeros(1, np.uint8))


def make_search_memory():
    """Working memory of `Search`, by its fields."""
    return {
        "snaps": np.zeros((NUM_SNAPSHOTS, STATE_SIZE), np.uint8),
        "coef": np.zeros(1024, np.int32),
        "quantising": make_quantising(),
        "ranking": make_ranking(),
        "memo": make_record(Memo),
        "kept": Kept(np.zeros(16, np.int32), np.zeros(16, np.int32)),
    }


@kernel
def keep_contexts(st, slot):
    """Remember the contexts in snapshot `slot`."""
    for i in range(STATE_SIZE):
        st.snaps[slot, i] = st.cd.ctx[i]


@kernel
def recall_contexts(st, slot):
    """Return to the contexts of snapshot `slot`."""
    for i in range(STATE_SIZE):
        st.cd.ctx[i] = st.snaps[slot, i]


@kernel(inline=True)
def bits_to_cost(st, cost):
    """Rate-distortion cost of `cost` units of 2**-15 bit."""
    return st.weights.lam * cost / (1 << COST_BITS)


@kernel(inline=True)
def component_weight(st, c_idx):
    """What the squared error of a component counts for."""
    return 1.0 if c_idx == 0 else st.weights.cb if c_idx == 1 else st.weights.cr


@kernel
def _copy_square(array, src, dst, y, x, n):
    """Copy n x n entries from (y, x) between two versions of an array."""
    src, dst, y, x, n = natural(src), natural(dst), natural(y), natural(x), natural(n)
    for j in range(y, y + n):
        for i in range(n):
            array[dst, j, x + i] = array[src, j, x + i]


@kernel(unit=True)
def copy_residual(versions, src, dst, uy, ux, units):
    """Copy transform sizes, cbf, levels and reconstruction of a square of units between versions."""
    blocks, levels, rec = versions.blocks, versions.levels, versions.rec
    _copy_square(blocks.tu_log2, src, dst, uy, ux, units)
    _copy_square(blocks.cbf, src, dst, uy, ux, units)
    y, x, n = 4 * uy, 4 * ux, 4 * units
    _copy_square(levels.y, src, dst, y, x, n)
    _copy_square(rec.y, src, dst, y + PAD_Y, x + PAD_Y, n)
    if units == 1:
        return
    y, x, n = 2 * uy, 2 * ux, 2 * units
    _copy_square(levels.u, src, dst, y, x, n)
    _copy_square(levels.v, src, dst, y, x, n)
    _copy_square(rec.u, src, dst, y + PAD_C, x + PAD_C, n)
    _copy_square(rec.v, src, dst, y + PAD_C, x + PAD_C, n)


@kernel(unit=True)
def copy_cu(versions, src, dst, uy, ux, units):
    """Copy everything about a square of units between versions."""
    copy_residual(versions, src, dst, uy, ux, units)
    blocks, motion = versions.blocks, versions.motion
    _copy_square(blocks.cu_log2, src, dst, uy, ux, units)
    _copy_square(blocks.pred_mode, src, dst, uy, ux, units)
    _copy_square(blocks.part_mode, src, dst, uy, ux, units)
    _copy_square(blocks.intra_luma, src, dst, uy, ux, units)
    _copy_square(blocks.intra_chroma, src, dst, uy, ux, units)
    _copy_square(blocks.intra_filter, src, dst, uy, ux, units)
    _copy_square(blocks.merge, src, dst, uy, ux, units)
    _copy_square(blocks.qp, src, dst, uy, ux, units)
    src, dst, uy, ux = natural(src), natural(dst), natural(uy), natural(ux)
    for j in range(uy, uy + units):
        for i in range(ux, ux + units):
            for k in range(2):
                blocks.mvp_idx[dst, j, i, k] = blocks.mvp_idx[src, j, i, k]
                motion.ref_idx[dst, j, i, k] = motion.ref_idx[src, j, i, k]
                for c in range(2):
                    blocks.mvd[dst, j, i, k, c] = blocks.mvd[src, j, i, k, c]
                    motion.mv[dst, j, i, k, c] = motion.mv[src, j, i, k, c]


@kernel
def aim_qp(st, uy, ux, log2):
    """Give a coding unit of version 0 the QP that its residual shall have, before that is searched.

    All units of a quantisation group aim at the same QP, so each has it from the group's first residual on.
    """
    if st.sl.qp_delta:
        size = max(log2, st.sl.group_log2)
        qp = st.qp_aim[6 - size, uy >> (size - 2), ux >> (size - 2)]
        fill_units(st.rc.blocks.qp, uy, ux, 1 << (log2 - 2), qp)


@kernel
def count_cu(st, uy, ux, log2):
    """Rate in 2**-15 bit of the coding unit in version 0, contexts adapting."""
    rc = st.rc
    st.cd.reg.cost = 0
    code_coding_unit(COUNT, st.cd, st.sl, rc.blocks, rc.motion, rc.levels, Square(uy, ux, log2))
    return st.cd.reg.cost


@kernel(unit=True)
def weighted_error(st, planes, pad_y, pad_c, uy, ux, units):
    """Squared error of a square of units against the source, chroma weighted; `planes` have the given borders."""
    y, x, n = 4 * uy, 4 * ux, 4 * units
    error = float(sse(st.orig.y, y, x, planes.y, y + pad_y, x + pad_y, n, n))
    y, x, n = 2 * uy, 2 * ux, 2 * units
    error += st.weights.cb * sse(st.orig.u, y, x, planes.u, y + pad_c, x + pad_c, n, n)
    return error + st.weights.cr * sse(st.orig.v, y, x, planes.v, y + pad_c, x + pad_c, n, n)


@kernel
def luma_satd(st, y, x, plane, py, px, w, h):
    """SATD of the source's luma block at (y, x) against the block of `plane` at (py, px)."""
    return satd(st.orig.y, y, x, plane, py, px, w, h)
