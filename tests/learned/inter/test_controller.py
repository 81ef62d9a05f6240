"""The state machine that decides when to train, on what, and when to start again."""

from dataclasses import replace

import numpy as np
import pytest

from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.engine.state import LearnerState, Sample
from codecsim.learned.engine.weights import builtin_weights
from codecsim.learned.inter.controller import hot_tiles, observe_loss, plan_training, should_train, threshold_of_qp
from codecsim.tools.learner import Control, Reset
from tests.learned.inter.settings import PLAIN


@pytest.fixture
def state():
    return LearnerState(builtin_weights(NetSpec.plain(2, 8, 1)))


def sample(*tiles):
    return Sample(np.zeros((2, 4, 4), np.int16), np.zeros((4, 4), np.int16), tiles)


@pytest.mark.parametrize(
    ("qp", "threshold"), [(0, 100), (22, 100), (24, 140), (27, 200), (32, 400), (36, 720), (51, 800)]
)
def test_threshold_is_linear_between_qps(qp, threshold):
    assert threshold_of_qp((100, 200, 400, 800), qp) == threshold


def test_threshold_accumulates_until_it_is_passed(state):
    params = replace(PLAIN, control=Control.THRESHOLD, threshold_q8=(256, 512, 512, 512))
    trained = []
    for _ in range(3):
        observe_loss(params, state, online=60, initial=60)
        trained.append(should_train(params, state, 22, 100, 8))
    assert trained == [False, True, True]
    assert state.waiting_loss == 180
    assert not should_train(params, state, 32, 100, 8)
    assert not should_train(params, state, 22, 100, 10)


def test_threshold_must_be_exceeded(state):
    params = replace(PLAIN, control=Control.THRESHOLD, threshold_q8=(256,) * 4)
    observe_loss(params, state, 100, 100)
    assert not should_train(params, state, 30, 100, 8)
    observe_loss(params, state, 1, 100)
    assert should_train(params, state, 30, 100, 8)


def test_always_and_never(state):
    assert should_train(PLAIN, state, 30, 100, 8)
    assert not should_train(replace(PLAIN, control=Control.NEVER), state, 30, 100, 8)


def test_auto_reset_needs_the_margin(state):
    params = replace(PLAIN, reset=Reset.AUTO, reset_margin_q8=64, reset_memory_log2=0)
    state.master[0] = 1
    assert not observe_loss(params, state, 125, 100)
    assert state.master[0] == 1
    assert observe_loss(params, state, 126, 100)
    assert state.digest() != LearnerState(state.initial).digest()  # what waits for training is kept
    assert state.waiting_loss == 251
    assert state.online_loss == state.initial_loss == 0
    np.testing.assert_array_equal(state.master, state.initial.master)


def test_memory_forgets_old_losses(state):
    params = replace(PLAIN, reset=Reset.AUTO, reset_margin_q8=0, reset_memory_log2=1)
    assert not observe_loss(params, state, 0, 1000)
    assert [observe_loss(params, state, 300, 100) for _ in range(2)] == [False, True]


def test_no_automatic_reset_unless_asked(state):
    assert not observe_loss(replace(PLAIN, reset=Reset.IDR), state, 1000, 0)


def test_hot_tiles_compare_shares_of_what_lies_inside():
    coded = np.zeros((40, 20), np.uint8)  # 160 x 80: tiles of 64 are cut at the right and at the bottom
    coded[0, 0] = coded[17, 17] = coded[35:39, :4] = 1
    assert hot_tiles(replace(PLAIN, hot_share_q8=0), coded) == ((0, 0), (64, 64), (128, 0))
    assert hot_tiles(replace(PLAIN, hot_share_q8=4), coded) == ((64, 64), (128, 0))
    assert hot_tiles(replace(PLAIN, hot_share_q8=5), coded) == ((128, 0),)
    assert hot_tiles(PLAIN, np.zeros((8, 8), np.uint8)) == ()


def test_plan_visits_each_tile_once_an_epoch(state):
    params = replace(PLAIN, epochs_q2=8, jitter=0)
    state.replay = (sample((0, 0), (0, 64), (64, 0), (64, 64)),)
    steps = plan_training(params, state, (128, 128))
    corners = [step[1:] for step in steps]
    assert len(steps) == 8
    assert set(corners[:4]) == set(corners[4:]) == set(state.replay[0].tiles)
    assert steps != plan_training(params, state, (128, 128))  # another order next time


def test_plan_with_replay_does_the_work_of_one_picture(state):
    state.replay = (sample((0, 0), (0, 64)), sample((64, 0), (64, 64)))
    assert len(plan_training(replace(PLAIN, epochs_q2=8), state, (128, 128))) == 4
    assert len(plan_training(replace(PLAIN, epochs_q2=1), state, (128, 128))) == 1
    assert plan_training(replace(PLAIN, epochs_q2=0), state, (128, 128)) == []
    state.replay = (sample(), sample())
    assert plan_training(PLAIN, state, (128, 128)) == []


def test_tiles_move_but_stay_on_the_grid(state):
    state.replay = (sample((0, 0), (0, 64), (64, 64)),)
    steps = plan_training(replace(PLAIN, epochs_q2=255, jitter=8), state, (128, 128))
    y, x = np.array([step[1:] for step in steps]).T
    assert 0 <= min(y.min(), x.min()) <= max(y.max(), x.max()) <= 64
    assert len(set(zip(y.tolist(), x.tolist(), strict=True))) > 50


def test_order_generator_is_fixed(state):
    assert [state.draw(1000) for _ in range(4)] == [78, 101, 605, 401]
    assert min(state.draw(3) for _ in range(50)) == 0


def test_copies_are_independent_and_digests_cover_the_state(state):
    twin = state.copy()
    assert twin.digest() == state.digest()
    twin.master[3] = np.nextafter(twin.master[3], np.float32(1))
    assert twin.digest() != state.digest()
    for name in ("steps", "pictures", "order", "waiting_loss", "online_loss", "initial_loss"):
        twin = state.copy()
        setattr(twin, name, 1)
        assert twin.digest() != state.digest(), name
    for name in ("moment", "square", "powers"):
        twin = state.copy()
        getattr(twin, name)[0] += 1
        assert twin.digest() != state.digest(), name
    state.replay = (sample(),)
    assert state.digest() != twin.digest()
