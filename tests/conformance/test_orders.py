"""With a signalled learner, decoder and encoder hold the same pictures and learners, whatever the orders."""

import dataclasses
import itertools

import pytest

from codecsim.codec.active_tools import resolve_tools
from codecsim.codec.config import EncoderConfig
from codecsim.search import inter_filter, orders
from codecsim.tools import INTER_CHROMA
from codecsim.tools.learner import Control, Order
from tests.conformance.clips import make_clip
from tests.conformance.runs import assert_same_pictures, check_own_decoder, run_encoder

LEARN = {"channels": 8, "tile_log2": 4, "control": "signalled", "experts": "online,rls,mix"}
FROZEN = {name: value for name, value in LEARN.items() if name != "control"}
CONFIG = EncoderConfig("ldp", 30, preset="fast", settings={"inter_luma": LEARN})
TRAIN, HOLD, RESET = "train", "hold", "reset"


@pytest.fixture
def order(monkeypatch):
    """Function that makes the encoder give these orders, again and again."""

    def give(*names):
        wanted = itertools.cycle(Order[name.upper()] for name in names)

        def choose(picture, stage, cost_of, lam):
            stage.order = next(wanted)

        monkeypatch.setattr(inter_filter, "choose_order", choose)

    return give


def orders_of(run):
    return [report.learner_order for report in run.reports]


@pytest.mark.parametrize("config", ["ldp", "ldb", "ra"])
@pytest.mark.parametrize("reset", ["idr", "auto", "never"])
def test_any_orders(order, config, reset):
    """Over IDR pictures, in ra also over intra pictures between, with chroma, in two passes of the search."""
    order(TRAIN, HOLD, RESET, TRAIN, TRAIN)
    learn, chroma = {**LEARN, "reset": reset}, {"channels": 8, "tile_log2": 4, "reset": reset}
    options = {"intra_period": 8 if config == "ra" else 7, "obmc": True, "chroma_filter": "online"}
    options["settings"] = {"search": {"filter_passes": 2}, "inter_chroma": chroma, "inter_luma": learn}
    run = run_encoder(dataclasses.replace(CONFIG, config=config, **options), make_clip("zoom", 74, 42, 14))
    check_own_decoder(run)
    assert {*orders_of(run)} == {None, TRAIN, HOLD, RESET}
    assert all((name is None) == (report.type == "I") for name, report in zip(orders_of(run), run.reports, strict=True))


def test_each_order_does_what_it_says(order):
    order(TRAIN, HOLD, RESET, HOLD, TRAIN)
    run = run_encoder(CONFIG, make_clip("texture", 72, 40, 8))
    check_own_decoder(run)
    assert orders_of(run) == [None, TRAIN, TRAIN, HOLD, RESET, HOLD, TRAIN, TRAIN]
    hashes = [report.learner_hash for report in run.reports]
    assert hashes[2] == hashes[3]  # held: as it was
    assert hashes[4] == hashes[5] == hashes[1]  # as at the beginning, and a picture waits
    assert len({*hashes[:3]}) == 3
    for report in run.reports[2:]:
        assert report.reset == (report.learner_order == RESET)
        assert report.learner_order == TRAIN or report.trained_steps == 0
    assert run.reports[2].trained_steps > 0


def test_always_to_train_is_to_learn_always(order):
    order(TRAIN)
    clip = make_clip("texture", 72, 40, 6)
    always = run_encoder(CONFIG.with_settings({"inter_luma": {**LEARN, "control": "always"}}), clip)
    signalled = run_encoder(CONFIG, clip)
    assert_same_pictures(signalled.recon, always.recon)
    assert [r.bits for r in signalled.reports[1:]] == [r.bits for r in always.reports[1:]]
    assert signalled.reports[2].trained_steps == always.reports[1].trained_steps > 0


def test_the_trial_takes_the_cheapest(monkeypatch):
    """Costs that are made up decide; what another order than to train saves must be worth its bits and the lesson."""
    tried = []
    costs = iter((100, 99.9, 99.9, 100, 99, 100, 100, 100, 0))
    monkeypatch.setattr(inter_filter, "_filtering_cost", lambda _, stage, __: tried.append(stage.order) or next(costs))
    monkeypatch.setattr(orders, "HEADER_BITS", 0)
    run = run_encoder(CONFIG, make_clip("texture", 72, 40, 5))
    check_own_decoder(run)
    assert tried == 3 * [*Order]
    assert orders_of(run) == [None, TRAIN, TRAIN, HOLD, RESET]


def test_by_trial(monkeypatch):
    """A learner that is too fast is held and reset at times; the effort asks for trials too, for chroma as for luma."""
    monkeypatch.setattr(orders, "MARGIN", 0)
    clip = make_clip("texture", 136, 72, 8)
    learn = {"experts": "online", "tile_log2": 4, "learning_rate": 0.1, "average_q8": 0}
    settings = {"inter_luma": {"model": "untrained", **learn}, "search": {"learner_trials": True}}
    config = dataclasses.replace(CONFIG, chroma_filter="online", settings=settings)
    run = run_encoder(config, clip)
    check_own_decoder(run)
    assert {HOLD, RESET} <= {*orders_of(run)}
    assert resolve_tools(config)[INTER_CHROMA].settings.control == Control.SIGNALLED
    always = dataclasses.replace(config, settings={**settings, "search": {}})
    assert {*orders_of(run_encoder(always, clip))} == {None}
    assert resolve_tools(always)[INTER_CHROMA].settings.control == Control.ALWAYS


def test_frozen_takes_no_orders():
    settings = {"inter_luma": FROZEN, "search": {"learner_trials": True}}
    run = run_encoder(dataclasses.replace(CONFIG, filter="frozen", settings=settings), make_clip("flat", 72, 40, 3))
    check_own_decoder(run)
    assert {*orders_of(run)} == {None}
