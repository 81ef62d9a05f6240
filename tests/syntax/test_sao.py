"""sao(): what is written is read back, and COUNT costs what ENCODE writes."""

import numpy as np
import pytest

from codecsim.entropy import cabac
from codecsim.entropy.contexts import SAO_MERGE, init_contexts
from codecsim.hevc.sao import SAO_BAND, SAO_EDGE, make_sao_params
from codecsim.syntax.sao import code_sao
from codecsim.syntax.slice_data import SliceSyntax

SYNTAX = SliceSyntax(
    1, 5, 4, 0, 0, 0, 1, 2, 1, 0, 0, 0,
    sao_luma=1, sao_chroma=1, bit_depth=8, transform_skip=0, qp_delta=0, group_log2=6,
)  # fmt: skip


def random_sao(rng, height, width, syntax):
    """Random legal parameters of a picture, a third of them merged."""
    sao = make_sao_params(height, width)
    _, rows, columns = sao.type_idx.shape
    limit = (1 << syntax.bit_depth - 5) - 1
    for y, x in np.ndindex(rows, columns):
        source = rng.choice([(y, x), (y, x - 1), (y - 1, x)])
        if source.min() >= 0 and tuple(source) != (y, x):
            for array in sao:
                array[:, y, x] = array[:, source[0], source[1]]
            continue
        for c_idx, used in enumerate((syntax.sao_luma, syntax.sao_chroma, syntax.sao_chroma)):
            at = c_idx, y, x
            if not used:
                continue
            sao.type_idx[at] = rng.integers(3) if c_idx < 2 else sao.type_idx[1, y, x]
            if sao.type_idx[at] == SAO_EDGE:
                sao.edge_class[at] = rng.integers(4) if c_idx < 2 else sao.edge_class[1, y, x]
                sao.offsets[at] = rng.integers(0, limit + 1, 4) * (1, 1, -1, -1)
            elif sao.type_idx[at] == SAO_BAND:
                sao.band_position[at] = rng.integers(32)
                sao.offsets[at] = rng.integers(-limit, limit + 1, 4)
    return sao


def code_picture(mode, coder, syntax, sao):
    init_contexts(coder.ctx, 2 - syntax.slice_type, 30)
    for cy, cx in np.ndindex(sao.type_idx.shape[1:]):
        code_sao(mode, coder, syntax, sao, cy, cx)


@pytest.mark.parametrize("luma,chroma", [(1, 1), (1, 0), (0, 1)])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_round_trip(luma, chroma, bit_depth):
    syntax = SYNTAX._replace(sao_luma=luma, sao_chroma=chroma, bit_depth=bit_depth)
    written = random_sao(np.random.default_rng(bit_depth), 600, 800, syntax)
    coder = cabac.make_coder(np.zeros(1 << 16, np.uint8))
    cabac.start_encoder(coder)
    code_picture(cabac.ENCODE, coder, syntax, written)
    cabac.code_terminate(cabac.ENCODE, coder, 1)
    size = cabac.finish_encoder(coder)
    assert coder.parts.sum() == coder.parts[cabac.PART_FILTER] > 0

    counter = cabac.make_coder(np.zeros(1, np.uint8))
    code_picture(cabac.COUNT, counter, syntax, written)
    assert counter.reg.cost == coder.parts.sum()
    assert abs(counter.reg.cost / 2**15 / 8 - size) < 4 + 0.01 * size

    reader = cabac.make_coder(coder.buf)
    cabac.start_decoder(reader, 0, size)
    read = make_sao_params(600, 800)
    for array in read[:3]:
        array[:] = 1
    read.offsets[:] = 1
    if not luma or not chroma:
        for array in read:
            array[:] = 0
    code_picture(cabac.DECODE, reader, syntax, read)
    assert cabac.code_terminate(cabac.DECODE, reader, 0) == 1
    assert not reader.reg.fault
    for found, wanted in zip(read, written, strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_bins_of_one_unit():
    """Two bins and nothing else for type off; the longest band offset costs cMax bins without a closing zero."""
    sao = make_sao_params(64, 64)
    counter = cabac.make_coder(np.zeros(1, np.uint8))
    syntax = SYNTAX._replace(sao_chroma=0)
    bypass = []
    for offsets in ((0, 0, 0, 0), (7, 0, 0, 0), (-1, 2, 0, 0)):
        sao.type_idx[0], sao.offsets[0, 0, 0] = SAO_BAND, offsets
        counter.reg.cost = 0
        code_picture(cabac.COUNT, counter, syntax, sao)
        bypass.append(counter.reg.cost)
    assert bypass[1] - bypass[0] == (6 + 1) << cabac.COST_BITS
    assert bypass[2] - bypass[0] == (1 + 2 + 2) << cabac.COST_BITS


def test_equal_neighbours_are_merged():
    sao = make_sao_params(64, 640)
    sao.type_idx[:], sao.edge_class[:], sao.offsets[:] = SAO_EDGE, 2, (3, 1, 0, -2)
    counter = cabac.make_coder(np.zeros(1, np.uint8))
    init_contexts(counter.ctx, 1, 30)
    for cx in range(10):
        before = counter.ctx.copy()
        counter.reg.cost = 0
        code_sao(cabac.COUNT, counter, SYNTAX, sao, 0, cx)
        if cx:
            assert np.flatnonzero(counter.ctx != before).tolist() == [SAO_MERGE]
            assert counter.reg.cost == cabac.BIN_COST[1, before[SAO_MERGE]]
