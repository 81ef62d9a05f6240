"""What the tools cost in a run, from made reports whose costs can be counted by hand."""

import fractions

import numpy as np
import pytest

from codecsim.codec.active_tools import resolve_tools
from codecsim.codec.block_choices import intra_filter_shares
from codecsim.codec.config import EncoderConfig
from codecsim.codec.implementations import kmac_per_pixel
from codecsim.codec.reports import PictureReport
from codecsim.learned.engine.complexity import step_macs
from codecsim.picture.blocks import MODE_INTER, MODE_INTRA, make_blocks
from codecsim.picture.planes import VideoFormat
from codecsim.tools import INTRA, LOOP

FORMAT = VideoFormat(64, 32, fractions.Fraction(25))


def reports(*fields):
    return [PictureReport(0, "I", 32, 100, **some) for some in fields]


def test_no_learned_tool():
    assert kmac_per_pixel(resolve_tools(EncoderConfig("ldp", filter="off", obmc=True)), FORMAT, reports({}, {})) is None


def test_the_loop_filter_alone_costs_where_it_runs():
    config = EncoderConfig("ldp", filter="off", loop_filter="on")
    found = kmac_per_pixel(resolve_tools(config), FORMAT, reports({"loop_ran": True}, {"loop_ran": False}))
    expected = resolve_tools(config)[LOOP].model.spec.macs / 2000
    assert found == {"loop": expected, "inference": expected, "training": 0}


def test_intra_blocks_are_filtered_with_their_context():
    config = EncoderConfig("ai", filter="off", intra_filter="frozen", loop_filter="on")
    found = kmac_per_pixel(resolve_tools(config), FORMAT, reports({"intra_filter_shares": {"8": 0.5, "32": 0.25}}, {}))
    expected, around = 0.0, 0
    for layer in reversed(resolve_tools(config)[INTRA].model.spec.net.layers):
        macs = layer.bias - layer.weights
        expected += macs * (0.5 * (8 + 2 * around) ** 2 / 64 + 0.25 * (32 + 2 * around) ** 2 / 1024) / 2000
        around += layer.side // 2
    assert found["intra"] == pytest.approx(expected) and found["loop"] == 0
    assert found["inference"] == found["intra"] + found["loop"] and found["training"] == 0


def test_an_intra_filter_that_learns():
    config = EncoderConfig("ai", filter="off", intra_filter="online")
    learnt = {"intra_filter_shares": {}, "intra_trained_steps": 6, "intra_trained_samples": 4 * 1024 + 2 * 256}
    found = kmac_per_pixel(resolve_tools(config), FORMAT, reports(learnt, {}))
    net = resolve_tools(config)[INTRA].model.spec.net
    macs = [layer.bias - layer.weights for layer in net.layers]
    assert 2 * sum(macs) < step_macs(net) < 3 * sum(macs)
    assert found["training"] == pytest.approx((4 * 1024 + 2 * 256) * step_macs(net) / 1000 / (2 * 64 * 32))


def test_sums_are_of_all_tools():
    config = EncoderConfig("ldp", filter="online", chroma_filter="online", loop_filter="on")
    some = {"filtered_share": 0.5, "trained_steps": 3, "fitted_samples": 100, "loop_ran": True}
    found = kmac_per_pixel(
        resolve_tools(config), FORMAT, reports({}, {**some, "chroma_used": True, "chroma_trained_steps": 2})
    )
    assert set(found) == {"inter_luma", "inter_chroma", "loop", "inference", "training"} and min(found.values()) > 0
    assert found["inference"] == pytest.approx(found["inter_luma"] + found["inter_chroma"] + found["loop"])


def test_shares_of_intra_filtered_blocks():
    rng, blocks = np.random.default_rng(0), make_blocks(32, 64)
    blocks.tu_log2[:] = rng.integers(2, 6, blocks.tu_log2.shape)
    blocks.intra_filter[:] = rng.integers(0, 2, blocks.tu_log2.shape)
    blocks.pred_mode[:] = rng.choice([MODE_INTRA, MODE_INTER], blocks.tu_log2.shape)
    expected = {}
    for y, x in np.ndindex(blocks.tu_log2.shape):
        if blocks.intra_filter[y, x] and blocks.pred_mode[y, x] == MODE_INTRA:
            side = str(1 << int(blocks.tu_log2[y, x]))
            expected[side] = expected.get(side, 0) + 1 / blocks.tu_log2.size
    assert intra_filter_shares(blocks) == pytest.approx(expected)
