"""The experiment with sent weights: its bits are those of an ideal coder, count everywhere, and pay."""

import dataclasses
import io
import math

import numpy as np
import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.codec.decoder import decode
from codecsim.errors import BitstreamError, ConfigError
from codecsim.search import sent_weights
from codecsim.search.sent_weights import block_costs, level_bits
from tests.conformance.clips import make_clip
from tests.conformance.runs import run_encoder

LEARN = {"channels": 8, "tile_log2": 4, "experts": "online"}
CONFIG = EncoderConfig("ldp", 27, preset="fast", filter="frozen", settings={"inter_luma": LEARN}, oracle="weights")
CLIP = make_clip("texture", 136, 72, 4)


def naive_bits(levels):
    """One level after the other, each with the probability that those before it give."""
    counts, bits = [0.5] * 16, 0.0
    for level in levels:
        symbol = min(abs(level), 15)
        bits -= math.log2(counts[symbol] / sum(counts))
        counts[symbol] += 1
        bits += level != 0
        if symbol == 15:
            bits += len(bin(abs(level) - 15 + 1)[2:]) * 2 - 1
    return math.ceil(bits - 1e-9)


@pytest.mark.parametrize("scale", [0.1, 1, 4, 40])
def test_bits_are_those_of_an_adaptive_coder(scale):
    levels = np.rint(np.random.default_rng(1).laplace(0, scale, 300)).astype(np.int64)
    assert level_bits(levels) == naive_bits(levels.tolist())
    assert level_bits(np.zeros(300, np.int64)) < level_bits(levels)


def test_costs_of_blocks():
    """Told again block by block; small errors cost themselves."""
    rng = np.random.default_rng(0)
    orig = rng.integers(0, 256, (40, 72)).astype(np.uint16)
    plane = (orig + rng.integers(0, 3, orig.shape) * (rng.integers(0, 9, orig.shape) == 0)).astype(np.uint16)
    plane[8:, 40:] = 255 - orig[8:, 40:]
    samples = rng.integers(0, 2, (40, 72)).astype(bool)
    expected, worth = np.zeros((2, 3)), 90 / (2 * math.log(2))
    for y in range(0, 40, 8):
        for x in range(0, 72, 8):
            error = ((plane.astype(int) - orig)[y : y + 8, x : x + 8] ** 2 * samples[y : y + 8, x : x + 8]).mean()
            cost = error if error < worth else worth + 45 * math.log2(error / worth)
            expected[y // 32, x // 32] += 64 * cost
    np.testing.assert_allclose(block_costs(plane, orig, samples, 90.0), expected)
    assert block_costs(plane, orig, samples, 90.0)[0, 0] == ((plane - orig)[:32, :32] ** 2)[samples[:32, :32]].sum()


def test_what_is_sent_counts_and_pays():
    """At a rate where some thousand bits are little."""
    qp, clip = 10, make_clip("texture", 200, 136, 3)
    config = dataclasses.replace(CONFIG, qp=qp)
    sent, frozen = (run_encoder(dataclasses.replace(config, oracle=name), clip) for name in ("weights", None))
    assert sum(report.file_bits for report in sent.reports) == 8 * len(sent.data)
    assert all(sum(report.parts.values()) == report.bits for report in sent.reports)
    bits = [report.parts.get("sent_weights", 0) for report in sent.reports]
    assert bits[0] == 0 and min(bits[1:]) > 1000
    assert sent.reports[1].filtered_share > 0.9
    lam = 0.57 * 2 ** ((qp - 12) / 3)
    costs = [
        sum(lam * r.bits + 200 * 136 * 255**2 * 10 ** (-r.psnr_y / 10) for r in run.reports) for run in (sent, frozen)
    ]
    assert costs[0] < 0.9 * costs[1]
    with pytest.raises(BitstreamError, match="an experiment.*, which cannot be decoded"):
        list(decode(io.BytesIO(sent.data)))


def test_nothing_is_sent_where_it_does_not_pay(monkeypatch):
    monkeypatch.setattr(sent_weights, "_HEADER_BITS", 10**9)
    sent, frozen = (run_encoder(dataclasses.replace(CONFIG, oracle=name), CLIP) for name in ("weights", None))
    assert [report.parts for report in sent.reports] == [report.parts for report in frozen.reports]
    assert [report.learner_hash for report in sent.reports] == [report.learner_hash for report in frozen.reports]


@pytest.mark.parametrize(
    "options",
    [
        {
            "config": "ra",
            "settings": {"inter_luma": {**LEARN, "block_size": "input"}, "hevc": {"internal_bit_depth": 10}},
        },
        {
            "settings": {
                "inter_luma": {**LEARN, "experts": "online,rls,mix", "control": "signalled"},
                "search": {"filter_passes": 2},
            }
        },
    ],
    ids=["sizes", "orders"],
)
def test_beside_learning(options):
    run = run_encoder(dataclasses.replace(CONFIG, filter="online", **options), make_clip("zoom", 136, 72, 4))
    assert any(report.trained_steps for report in run.reports)
    assert sum(report.file_bits for report in run.reports) == 8 * len(run.data)


@pytest.mark.parametrize("learn", [{"block_size": "two_classes"}, {"experts": "rls"}], ids=str)
def test_one_net_is_needed(learn):
    with pytest.raises(ConfigError, match="needs one net that learns"):
        run_encoder(CONFIG.with_settings({"inter_luma": {**LEARN, **learn}}), CLIP)
