"""Linear filters fitted by recursive least squares."""

import dataclasses

import numpy as np
import pytest

from codecsim.learned.engine import ops_plain, ops_vector
from codecsim.learned.engine.weights import InitialWeights, builtin_weights
from codecsim.learned.inter import rls
from codecsim.learned.inter.experts import choose_experts
from codecsim.tools.inter_luma import InterLumaSettings
from codecsim.tools.learner import Expert
from tests.learned.inter.running import Running
from tests.learned.inter.test_prediction_filter import everywhere, picture
from tests.reference.rls import LinearTwin

SIDES = 5, 3, 1


def scene(seed, bit_depth, height=20, width=24):
    """Prediction, two others, base, reconstruction and coded units; a few errors are as large as can be."""
    rng = np.random.default_rng(seed)
    pred, recon = picture(seed, height, width, bit_depth)
    others = [np.roll(recon, 1, 0), (pred + rng.integers(0, 2, pred.shape)).astype(np.uint16)]
    top = (1 << bit_depth) - 1
    recon[4:6], pred[5:8, :9], others[1][4:9] = top, 0, top
    return pred, others, others[1], recon, rng.integers(0, 2, (height // 4, width // 4)).astype(np.uint8)


@pytest.mark.parametrize("bit_depth", [8, 10, 12])
@pytest.mark.parametrize("ops", [ops_vector, ops_plain], ids=["vector", "plain"])
def test_equals_naive_twin(bit_depth, ops):
    linear, twin = rls.LinearFilter(24, 20, bit_depth, SIDES), LinearTwin((24, 20), bit_depth, SIDES)
    linear._gram = ops.gradient_conv1
    for seed in range(3):
        pred, others, base, recon, coded = scene(seed, bit_depth)
        planes = rls.feature_planes(pred, others, bit_depth)
        filtered = linear.predict(planes, base)
        np.testing.assert_array_equal(filtered, twin.predict(pred, others, base))
        linear.learn(planes, base, filtered, recon, coded)
        twin.learn(pred, others, base, filtered, recon, coded)
        n, rows = linear.n_features, linear.equations.reshape(linear.rows, linear.rows)
        assert rows[:n, :n].tolist() == twin.matrix
        assert rows[n, :n].tolist() == twin.vector
        assert linear.coefficients.tolist() == twin.coefficients
    assert any(twin.coefficients)


@pytest.mark.parametrize("ops", [ops_vector, ops_plain], ids=["vector", "plain"])
def test_largest_sums_are_exact(ops):
    """All features, targets and weights as large as they can be, for many samples."""
    size = 128
    linear = rls.LinearFilter(size, size, 10, (1, 1))
    linear._gram = ops.gradient_conv1
    pred, recon = np.full((size, size), 1023, np.uint16), np.zeros((size, size), np.uint16)
    linear.learn(rls.feature_planes(pred, [recon], 10), pred, recon, recon, np.ones((size // 4, size // 4), np.uint8))
    assert linear.equations[0] == 32 * 1023**2 * size**2
    assert linear.equations[2 * linear.rows] == linear.equations[0]


def test_coefficients_stay_in_range():
    """A target that would need more than the largest coefficient."""
    linear = rls.LinearFilter(64, 64, 8, (1, 1))
    pred, recon = np.full((64, 64), 100, np.uint16), np.full((64, 64), 250, np.uint16)
    other = pred + 2
    for _ in range(9):
        planes = rls.feature_planes(pred, [other.astype(np.uint16)], 8)
        filtered = linear.predict(planes, pred)
        linear.learn(planes, pred, filtered, recon, np.ones((16, 16), np.uint8))
    assert linear.coefficients.max() == rls.COEFFICIENT_CLIP
    assert filtered.max() <= 255


def test_a_feature_that_is_never_there_is_left_alone():
    linear = rls.LinearFilter(16, 16, 8, (1, 3))
    pred = np.full((16, 16), 100, np.uint16)
    linear.learn(rls.feature_planes(pred, [pred], 8), pred, pred, pred + 3, np.ones((4, 4), np.uint8))
    assert not linear.coefficients[:-1].any()
    assert linear.coefficients[-1] > 0


@pytest.mark.parametrize("experts", ["rls", "mix", "online,rls", "online,rls,mix"])
def test_two_sides_agree_and_learn(experts):
    params = InterLumaSettings(channels=8, experts=experts)
    sides = [Running(params, 96, 64, threads=threads) for threads in (1, 3)]
    fresh = sides[0].digest()
    for k in range(8):
        pred, recon = picture(k, 64, 96)
        aux = (np.roll(pred, 1, 0), np.roll(pred, 2, 1))
        outputs = [side.predict(pred, aux, 30) for side in sides]
        np.testing.assert_array_equal(*outputs)
        assert len({side.learn(recon, everywhere(64, 96)) for side in sides}) == 1
        assert sides[0].digest() == sides[1].digest() != fresh
    before = np.abs(pred.astype(int) - recon).sum()
    assert all(np.abs(output.astype(int) - recon).sum() < 0.85 * before for output in outputs[0][-1:])
    sides[0].reset()
    assert sides[0].digest() == fresh


def test_linear_filters_alone_train_no_net():
    learner = Running(InterLumaSettings(experts="rls"), 64, 64)
    pred, recon = picture(0, 64, 64)
    learner.predict(pred, (pred, pred), 30)
    assert learner.learn(recon, everywhere(64, 64)) == (0, 0, False, 64 * 64)
    np.testing.assert_array_equal(learner.state.master, learner.state.initial.master)


def test_experts_of_a_stream():
    params = InterLumaSettings(experts="initial,online,rls,mix")
    identity = builtin_weights(params.spec)
    master = identity.master.copy()
    master[-1] = 1
    trained = InitialWeights(params.spec, master)
    assert choose_experts(params, trained) == (Expert.INITIAL, Expert.ONLINE, Expert.RLS, Expert.MIX)
    assert choose_experts(params, identity) == (Expert.ONLINE, Expert.RLS, Expert.MIX)
    frozen = dataclasses.replace(params, control="never")
    assert choose_experts(frozen, trained) == (Expert.ONLINE, Expert.RLS, Expert.MIX)
    assert choose_experts(InterLumaSettings(experts=Expert.INITIAL), identity) == (Expert.INITIAL,)
