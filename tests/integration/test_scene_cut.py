"""What was learnt in one scene does little harm in the next; the figures for real clips: benchmarks/scene_cut.py."""

import dataclasses
import functools

import pytest

from codecsim.codec.config import EncoderConfig
from tests.conformance.clips import make_clip
from tests.conformance.runs import check_own_decoder, run_encoder

SIZE, PICTURES, QP = (136, 104), 6, 27  # pictures of each scene
PAIRS = [("texture", "edges"), ("edges", "texture"), ("texture", "zoom"), ("film", "texture")]
LEARN = {"model": "untrained"}  # whatever weights ship
CONFIG = EncoderConfig("ldp", QP, preset="fast", settings={"inter_luma": LEARN})


def code(pair, **options):
    """`Run` over both scenes."""
    (video_format, first), (_, second) = (make_clip(name, *SIZE, PICTURES, k) for k, name in enumerate(pair, 1))
    return run_encoder(dataclasses.replace(CONFIG, **options), (video_format, first + second))


without = functools.cache(lambda pair: code(pair, filter="off", settings={}))


def cost(run):
    """Squared error and weighted bits of the second scene."""
    lam = 0.57 * 2 ** ((QP - 12) / 3)
    pictures = run.reports[PICTURES:]
    error = sum(255**2 * 10 ** (-report.psnr_y / 10) for report in pictures) * SIZE[0] * SIZE[1]
    return error + lam * sum(report.bits for report in pictures)


def test_the_next_scene_costs_little_more():
    """Noise of one small clip included; and less than without the filter over all of them."""
    runs = {pair: code(pair) for pair in PAIRS}
    for pair, run in runs.items():
        assert any(report.trained_steps for report in run.reports[:PICTURES])
        assert cost(run) <= 1.02 * cost(without(pair)), pair
    assert sum(map(cost, runs.values())) <= sum(cost(without(pair)) for pair in PAIRS)


@pytest.mark.parametrize("learn", [{"reset": "auto"}, {"control": "signalled"}], ids=str)
def test_resets_at_the_cut(learn):
    """The automatic one comes with the second picture of the new scene, the first to be predicted well."""
    pair = ("texture", "zoom")
    run = code(pair, settings={"inter_luma": {**LEARN, **learn}})
    check_own_decoder(run)
    if "reset" in learn:
        assert [k for k, report in enumerate(run.reports) if report.reset] == [PICTURES + 1]
    assert cost(run) <= cost(without(pair))
