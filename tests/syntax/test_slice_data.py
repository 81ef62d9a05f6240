"""Slice data: what is written is read back, and COUNT costs what ENCODE writes."""

import itertools

import numpy as np
import pytest

from codecsim.entropy import cabac
from codecsim.entropy.contexts import init_contexts
from codecsim.hevc.sao import make_sao_params
from codecsim.picture import blocks as B
from codecsim.picture.areas import TransformBlock
from codecsim.picture.planes import Motion
from codecsim.syntax.residual import code_residual
from codecsim.syntax.slice_data import SliceSyntax, code_slice_data
from tests.reference.luma_qp import derive_qp
from tests.syntax.test_sao import random_sao


def random_levels(rng, n, density, largest):
    """An n x n block with at least one nonzero level."""
    levels = np.where(rng.random((n, n)) < density, rng.integers(-largest, largest + 1, (n, n)), 0)
    if not levels.any():
        levels[rng.integers(n), rng.integers(n)] = 1
    return levels.astype(np.int16)


def hide_signs(levels, scan_idx):
    """Make each sub-block's parity tell the sign of its first level, where the standard hides it."""
    from codecsim.hevc.tables import SCAN_X, SCAN_Y

    n = levels.shape[0]
    for y in range(0, n, 4):
        for x in range(0, n, 4):
            order = [(y + int(SCAN_Y[scan_idx, 2, k]), x + int(SCAN_X[scan_idx, 2, k])) for k in range(16)]
            coded = [k for k, at in enumerate(order) if levels[at]]
            if coded and coded[-1] - coded[0] > 3:
                total = sum(abs(int(levels[at])) for at in order)
                magnitude = abs(int(levels[order[coded[0]]]))
                levels[order[coded[0]]] = -magnitude if total & 1 else magnitude


@pytest.mark.parametrize("log2", [2, 3, 4, 5])
@pytest.mark.parametrize("largest", [1, 3, 400, 32767])
def test_residual_round_trip(log2, largest):
    rng = np.random.default_rng(log2 * 1000 + largest)
    n = 1 << log2
    blocks = []
    for trial in range(40):
        c_idx = trial % 3
        scan_idx = int(rng.integers(3)) if log2 <= 3 else 0
        hiding = trial // 3 % 2
        levels = random_levels(rng, n, rng.choice([0.02, 0.2, 0.9]), largest)
        if hiding:
            hide_signs(levels, scan_idx)
        blocks.append((levels, c_idx, scan_idx, hiding))
    coder = cabac.make_coder(np.zeros(1 << 20, np.uint8))
    cabac.start_encoder(coder)
    init_contexts(coder.ctx, 1, 30)
    for levels, c_idx, scan_idx, hiding in blocks:
        code_residual(cabac.ENCODE, coder, levels, TransformBlock(0, 0, log2, c_idx), scan_idx, hiding)
    cabac.code_terminate(cabac.ENCODE, coder, 1)
    size = cabac.finish_encoder(coder)

    counter = cabac.make_coder(np.zeros(1, np.uint8))
    init_contexts(counter.ctx, 1, 30)
    for levels, c_idx, scan_idx, hiding in blocks:
        code_residual(cabac.COUNT, counter, levels, TransformBlock(0, 0, log2, c_idx), scan_idx, hiding)
    assert counter.reg.cost == coder.parts.sum()
    assert abs(counter.reg.cost / 2**15 / 8 - size) < 4 + 0.01 * size
    assert np.array_equal(counter.ctx, coder.ctx)

    reader = cabac.make_coder(coder.buf)
    cabac.start_decoder(reader, 0, size)
    init_contexts(reader.ctx, 1, 30)
    for levels, c_idx, scan_idx, hiding in blocks:
        found = np.zeros_like(levels)
        code_residual(cabac.DECODE, reader, found, TransformBlock(0, 0, log2, c_idx), scan_idx, hiding)
        assert np.array_equal(found, levels)
    assert cabac.code_terminate(cabac.DECODE, reader, 0) == 1
    assert not reader.reg.fault
    assert np.array_equal(reader.ctx, coder.ctx)


class RandomPicture:
    """A store filled with random but legal decisions, in decoding order."""

    def __init__(self, seed, height, width, syntax, where):
        self.rng = np.random.default_rng(seed)
        self.syntax = syntax
        self.blocks = B.make_blocks(height, width)
        self.levels = B.make_levels(height, width)
        units = (height // 4, width // 4)
        self.motion = Motion(np.zeros((*units, 2, 2), np.int16), np.full((*units, 2), -1, np.int8))
        for y in range(0, units[0], 16):
            for x in range(0, units[1], 16):
                self.quadtree(y, x, 6)
        counts = syntax.obmc_on, syntax.experts
        for count, choice, here in zip(counts, (self.blocks.overlap, self.blocks.filtering), where, strict=True):
            if count:
                self.choose_prediction(choice, count, here)
        self.sao = random_sao(self.rng, height, width, syntax)

    def choose_prediction(self, choice, count, where):
        choice.where[0], choice.taken[:] = where, 0
        if where == B.CHOICE_EVERYWHERE:
            choice.taken[:] = self.rng.integers(1, count + 1)
        if where != B.CHOICE_PER_BLOCK:
            return
        inter = self.blocks.pred_mode >= B.MODE_INTER
        for y, x in np.ndindex(choice.taken.shape):
            if inter[8 * y : 8 * y + 8, 8 * x : 8 * x + 8].any():
                choice.taken[y, x] = self.rng.integers(count + 1)

    def quadtree(self, y, x, log2):
        height, width = self.blocks.cu_log2.shape
        if y >= height or x >= width:
            return
        units = 1 << (log2 - 2)
        fits = y + units <= height and x + units <= width
        if log2 > 3 and (not fits or self.rng.random() < 0.4):
            for k in range(4):
                self.quadtree(y + units // 2 * (k >> 1), x + units // 2 * (k & 1), log2 - 1)
        else:
            self.coding_unit(slice(y, y + units), slice(x, x + units), log2)

    def coding_unit(self, rows, columns, log2):
        rng, blocks = self.rng, self.blocks
        area = rows, columns
        blocks.cu_log2[area] = log2
        if self.syntax.qp_delta:
            blocks.qp[area] = rng.integers(-6 * (self.syntax.bit_depth - 8), 52)
        inter = self.syntax.slice_type != 2 and rng.random() < 0.7
        blocks.intra_luma[area] = 1
        blocks.tu_log2[area] = min(log2, 5)
        if inter and rng.random() < 0.3:
            blocks.pred_mode[area] = B.MODE_SKIP
            blocks.merge[area] = 1 + rng.integers(self.syntax.max_merge_cand)
            return
        blocks.pred_mode[area] = B.MODE_INTER if inter else B.MODE_INTRA
        if inter:
            parts = [B.PART_2Nx2N, B.PART_2NxN, B.PART_Nx2N] + ([4, 5, 6, 7] if self.syntax.amp and log2 > 3 else [])
            part = int(rng.choice(parts))
        else:
            part = int(rng.choice([B.PART_2Nx2N, B.PART_NxN])) if log2 == 3 else B.PART_2Nx2N
        blocks.part_mode[area] = part
        if inter:
            self.prediction_units(rows.start, columns.start, log2, part)
        else:
            self.intra_modes(rows.start, columns.start, log2, part)
            blocks.intra_filter[area] = self.syntax.intra_filter_on and rng.integers(2)
        merged = inter and part == B.PART_2Nx2N and blocks.merge[rows.start, columns.start]
        if merged or not inter or rng.random() < 0.6:
            self.transform_tree(rows.start, columns.start, log2, 0, 0)
            if merged and not blocks.cbf[area].any():  # that would have to be skipped
                self.code_block(self.levels.y, 4 * rows.start, 4 * columns.start, min(log2, 5))
                blocks.tu_log2[area] = min(log2, 5)
                units = 1 << (min(log2, 5) - 2)
                blocks.cbf[rows.start : rows.start + units, columns.start : columns.start + units] |= 1

    def intra_modes(self, y, x, log2, part):
        units = 1 << (log2 - 2)
        step = units // 2 if part == B.PART_NxN else units
        for j in range(y, y + units, step):
            for i in range(x, x + units, step):
                self.blocks.intra_luma[j : j + step, i : i + step] = self.rng.integers(35)
        self.blocks.intra_chroma[y : y + units, x : x + units] = self.rng.integers(5)

    def prediction_units(self, y, x, log2, part):
        from codecsim.syntax.prediction import part_geometry

        rng = self.rng
        for k in range(1 if part == B.PART_2Nx2N else 2):
            dx, dy, w, h = (v // 4 for v in part_geometry(part, 1 << log2, k))
            area = slice(y + dy, y + dy + h), slice(x + dx, x + dx + w)
            top = y + dy, x + dx
            if rng.random() < 0.4:
                self.blocks.merge[area] = 1 + rng.integers(self.syntax.max_merge_cand)
                continue
            self.motion.ref_idx[(*area, 0)] = rng.integers(self.syntax.num_ref_l0)
            self.blocks.mvp_idx[(*top, 0)] = rng.integers(2)
            self.blocks.mvd[(*top, 0)] = rng.integers(-1, 2, 2) * rng.choice([0, 1, 2, 77, 30000], 2)

    def transform_tree(self, y, x, log2, depth, corner):
        rng, syntax = self.rng, self.syntax
        units = 1 << (log2 - 2)
        intra = self.blocks.pred_mode[y, x] == B.MODE_INTRA
        part = self.blocks.part_mode[y, x]
        limit = syntax.max_depth_intra + (part == B.PART_NxN) if intra else syntax.max_depth_inter
        force = log2 > 5 or (depth == 0 and (part == B.PART_NxN if intra else limit == 0 and part != B.PART_2Nx2N))
        if force or (log2 > 2 and depth < limit and rng.random() < 0.5):
            for k in range(4):
                self.transform_tree(y + units // 2 * (k >> 1), x + units // 2 * (k & 1), log2 - 1, depth + 1, k)
            if log2 == 3:
                self.chroma(y, x, 2, units)
            return
        area = slice(y, y + units), slice(x, x + units)
        self.blocks.tu_log2[area] = log2
        self.blocks.cbf[area] = 0
        if rng.random() < 0.6:
            self.code_block(self.levels.y, 4 * y, 4 * x, log2)
            self.blocks.cbf[area] |= 1 | self.transform_skip(log2, B.TSKIP_Y)
        if log2 > 2:
            self.chroma(y, x, log2 - 1, units)

    def transform_skip(self, log2, bit):
        return bit if self.syntax.transform_skip and log2 == 2 and self.rng.random() < 0.4 else 0

    def chroma(self, y, x, log2, units):
        for plane, bit in ((self.levels.u, 2), (self.levels.v, 4)):
            if self.rng.random() < 0.4:
                self.code_block(plane, 2 * y, 2 * x, log2)
                bit |= self.transform_skip(log2, bit << B.TSKIP_SHIFT)
                self.blocks.cbf[y : y + units, x : x + units] |= bit

    def code_block(self, plane, y, x, log2):
        n = 1 << log2
        plane[y : y + n, x : x + n] = random_levels(self.rng, n, 0.1, 5)


SYNTAX = SliceSyntax(
    1, 5, 4, 0, 0, 0, 1, 2, 1, 3, 1, 1,
    sao_luma=1, sao_chroma=1, bit_depth=8, transform_skip=0, qp_delta=0, group_log2=6,
)  # fmt: skip
SLICE_QP = 30
WHERE = B.CHOICE_NOWHERE, B.CHOICE_EVERYWHERE, B.CHOICE_PER_BLOCK


@pytest.mark.parametrize(
    "syntax",
    [
        SYNTAX,
        SYNTAX._replace(slice_type=2, max_depth_intra=2, experts=0, obmc_on=0),
        SYNTAX._replace(obmc_on=0),
        SYNTAX._replace(obmc_on=0, experts=1),
        SYNTAX._replace(experts=2),
        SYNTAX._replace(experts=4),
        SYNTAX._replace(experts=0),
        SYNTAX._replace(amp=0, max_depth_inter=0, max_merge_cand=1, num_ref_l0=1, experts=0, obmc_on=0),
        SYNTAX._replace(transform_skip=1),
        *(SYNTAX._replace(qp_delta=1, group_log2=log2) for log2 in (3, 4, 5, 6)),
        SYNTAX._replace(slice_type=2, experts=0, obmc_on=0, transform_skip=1, qp_delta=1, group_log2=4, bit_depth=10),
    ],
)
@pytest.mark.parametrize("where", list(itertools.product(WHERE, repeat=2)))
@pytest.mark.parametrize("size", [(8, 8), (24, 40), (136, 72)])
def test_slice_data_round_trip(syntax, size, where):
    written = RandomPicture(7, *size, syntax, where)
    wanted_qp = written.blocks.qp.copy()
    coder = cabac.make_coder(np.zeros(1 << 20, np.uint8))
    cabac.start_encoder(coder)
    init_contexts(coder.ctx, 2 - syntax.slice_type, SLICE_QP)
    ctus = -(-size[0] // 64) * -(-size[1] // 64)
    store = written.blocks, written.motion, written.levels, written.sao
    assert code_slice_data(cabac.ENCODE, coder, syntax, *store, (0, ctus)) == ctus
    count = cabac.finish_encoder(coder)

    counter = cabac.make_coder(np.zeros(1, np.uint8))
    init_contexts(counter.ctx, 2 - syntax.slice_type, SLICE_QP)
    counted = written.blocks._replace(qp=wanted_qp.copy())
    code_slice_data(cabac.COUNT, counter, syntax, counted, *store[1:], (0, ctus))
    assert np.array_equal(counted.qp, written.blocks.qp)
    assert counter.reg.cost == coder.parts.sum()

    blocks, levels, sao = B.make_blocks(*size), B.make_levels(*size), make_sao_params(*size)
    motion = Motion(np.zeros_like(written.motion.mv), np.full_like(written.motion.ref_idx, -1))
    reader = cabac.make_coder(coder.buf)
    cabac.start_decoder(reader, 0, count)
    init_contexts(reader.ctx, 2 - syntax.slice_type, SLICE_QP)
    assert code_slice_data(cabac.DECODE, reader, syntax, blocks, motion, levels, sao, (0, ctus)) == ctus
    assert not reader.reg.fault
    for name, found, wanted in zip(B.Blocks._fields, blocks, written.blocks, strict=True):
        for part, its_wanted in zip(*((a if isinstance(a, B.Choice) else (a,)) for a in (found, wanted)), strict=True):
            assert np.array_equal(part, its_wanted), name
    if syntax.qp_delta:
        qp, differences = derive_qp(blocks, wanted_qp, SLICE_QP, 1 << syntax.group_log2, syntax.bit_depth)
        assert np.array_equal(blocks.qp, qp)
        assert differences
    for found, wanted in zip(levels, written.levels, strict=True):
        assert np.array_equal(found, wanted)
    for found, wanted in zip(sao, written.sao, strict=True):
        assert np.array_equal(found, wanted)
    assert np.array_equal(motion.ref_idx, written.motion.ref_idx)


def test_damaged_slice_data_end_in_a_fault_or_a_picture():
    size = (72, 136)
    rng = np.random.default_rng(3)
    for trial in range(60):
        data = rng.integers(0, 256, 200 + trial).astype(np.uint8)
        reader = cabac.make_coder(data)
        cabac.start_decoder(reader, 0, data.size)
        init_contexts(reader.ctx, 1, 30)
        motion = Motion(np.zeros((18, 34, 2, 2), np.int16), np.full((18, 34, 2), -1, np.int8))
        blocks, levels, sao = B.make_blocks(*size), B.make_levels(*size), make_sao_params(*size)
        syntax = SYNTAX._replace(transform_skip=trial & 1, qp_delta=trial >> 1 & 1, group_log2=3)
        done = code_slice_data(cabac.DECODE, reader, syntax, blocks, motion, levels, sao, (0, 6))
        assert 0 <= done <= 6
