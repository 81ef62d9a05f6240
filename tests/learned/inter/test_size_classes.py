"""Sizes of blocks as an input of the filter, and a filter for each class of sizes."""

import dataclasses

import numpy as np
import pytest

from codecsim.errors import ConfigError
from codecsim.learned.engine.spec import CONV1, CONV3, DEPTHWISE3, NetSpec
from codecsim.learned.engine.weights import InitialWeights, with_more_inputs
from codecsim.learned.inter.size_classes import CLASS_LIMITS, block_areas
from codecsim.picture.blocks import MODE_INTER, MODE_INTRA, MODE_SKIP, PART_NxN, make_blocks
from codecsim.syntax.prediction import part_geometry
from codecsim.tools.inter_luma import InterLumaSettings
from codecsim.tools.learner import BlockSize, Control, Order
from tests.learned.inter.running import Running
from tests.learned.inter.test_prediction_filter import naive_filter, picture
from tests.reference import naive_engine

SIZE = 64, 96
PARAMS = InterLumaSettings(channels=8, tile_log2=4, further=0, overlapped=False, qp_plane=False)
CLASSES = [*CLASS_LIMITS]


def random_areas(seed=0):
    return np.random.default_rng(seed).integers(5, 13, (SIZE[0] // 4, SIZE[1] // 4)).astype(np.uint8)


def test_areas_of_all_partitions():
    """Each unit has the area of the part that contains it."""
    for log2 in range(3, 7):
        for part in range(8):
            if part >= PART_NxN and log2 == 3:
                continue  # parts are of 4x8 and more, asymmetric ones of CUs of 16x16 and more
            blocks = make_blocks(64, 64)
            blocks.cu_log2[:], blocks.part_mode[:], blocks.pred_mode[:] = log2, part, MODE_INTER
            expected, size = np.zeros((64, 64), int), 1 << log2
            for index in range(1 if part == 0 else 4 if part == PART_NxN else 2):
                x, y, w, h = part_geometry(part, size, index)
                expected[y : y + h, x : x + w] = (w * h).bit_length() - 1
            expected = np.tile(expected[:size, :size], (64 // size, 64 // size))[::4, ::4]
            np.testing.assert_array_equal(block_areas(blocks), expected)
            for mode in (MODE_INTRA, MODE_SKIP):
                blocks.pred_mode[:] = mode
                np.testing.assert_array_equal(block_areas(blocks), 2 * log2)


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_size_as_an_input_equals_naive_twin(bit_depth):
    params = dataclasses.replace(PARAMS, block_size=BlockSize.INPUT, qp_plane=True)
    learner, areas = Running(params, *SIZE[::-1], bit_depth), random_areas()
    for k in range(3):
        pred, recon = picture(k, *SIZE, bit_depth)
        plane = np.kron(2 * areas.astype(int) - 17, np.ones((4, 4), int)) * 128
        expected = naive_filter(learner.state.weights, params, pred, (), 30, bit_depth, plane)
        np.testing.assert_array_equal(learner.predict(pred, (), 30, areas)[0], expected)
        learner.learn(recon, np.ones_like(areas))
    assert (expected != pred).any()
    assert (learner.predict(pred, (), 30, areas)[0] != learner.predict(pred, (), 30, areas[::-1].copy())[0]).any()
    with pytest.raises(ConfigError, match="areas are needed, but are not given"):
        learner.predict(pred, (), 30)


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.name)
def test_classes_are_filters_of_their_own(kind):
    """Each of them sees the whole picture, learns from its blocks, and makes their samples."""
    params = dataclasses.replace(PARAMS, block_size=kind, experts="online,rls,mix")
    both = Running(params, *SIZE[::-1])
    alone = dataclasses.replace(params, block_size=BlockSize.SHARED)
    twins = [Running(alone, *SIZE[::-1]) for _ in both.members]
    limits = (-1, *CLASS_LIMITS[kind], 99)
    steps = 0
    for k in range(4):
        (pred, recon), areas = picture(k, *SIZE), random_areas(k)
        coded = np.random.default_rng(k).integers(0, 3, areas.shape).astype(np.uint8)
        outputs = both.predict(pred, (), 30, areas)
        for c, twin in enumerate(twins):
            inside = (areas > limits[c]) & (areas <= limits[c + 1])
            samples = np.kron(inside, np.ones((4, 4), bool))
            assert 0 < inside.mean() < 1
            for found, expected in zip(outputs, twin.predict(pred, (), 30), strict=True):
                np.testing.assert_array_equal(found[samples], expected[samples])
            steps += twin.learn(recon, coded * inside).trained_steps
        report = both.learn(recon, coded)
        assert [own.digest() for own in both.members] == [twin.digest() for twin in twins]
        steps -= report.trained_steps
    assert steps == 0 and report.trained_steps > 0 and report.fitted_samples > 0
    assert len({own.digest() for own in both.members}) == len(twins)
    assert (outputs[0] != pred).any()


def test_reset_orders_and_snapshots():
    params = dataclasses.replace(PARAMS, block_size=BlockSize.THREE_CLASSES, control=Control.SIGNALLED)
    learner, fresh = (Running(params, *SIZE[::-1]) for _ in range(2))
    pred, recon = picture(0, *SIZE)
    assert not learner.has_lesson
    learner.predict(pred, (), 30, random_areas())
    assert learner.lesson.output(learner.names[0]).tobytes() == pred.tobytes()
    assert learner.lesson.output("mix") is None
    learner.learn(recon, np.ones_like(random_areas()))
    assert learner.has_lesson
    kept, found = learner.snapshot(), {}
    for order in (*Order, *Order):
        learner.restore(kept)
        learner.obey(order)
        digest = learner.digest()
        assert found.setdefault(order, digest) == digest
    assert found[Order.TRAIN] != found[Order.HOLD] == found[Order.RESET] == fresh.digest()
    learner.restore(kept)
    learner.reset()
    assert learner.digest() == fresh.digest()


@pytest.mark.parametrize(
    ("hidden", "before", "used", "after"),
    [
        (((CONV3, 8), (CONV3, 16)), 6, 5, 6),
        (((CONV3, 8), (CONV1, 8)), 6, 6, 8),
        (((CONV1, 8),), 4, 3, 4),
        (((DEPTHWISE3, 8), (CONV1, 8)), 8, 7, 8),
    ],
)
def test_more_inputs_change_nothing_yet(hidden, before, used, after):
    """The wider network, whatever the new input holds, is the old one over what it has looked at."""
    rng = np.random.default_rng(0)
    old = NetSpec(before, hidden)
    master = (rng.integers(-3000, 3000, old.n_weights) / 8192).astype(np.float32)
    wider = with_more_inputs(InitialWeights(old, master), used, after)
    assert wider.spec == NetSpec(after, hidden)
    x = rng.integers(-500, 500, (after, 24, 24))
    padded = x[:before].copy()
    padded[used:] = 0
    expected, found = (
        naive_engine.forward(naive_engine.quantise(naive_engine.split(weights, n, hidden)), planes)[1]
        for weights, n, planes in ((master, before, padded), (wider.master, after, x))
    )
    np.testing.assert_array_equal(found, expected)
    assert np.any(expected)


def test_depthwise_first_cannot_grow():
    spec = NetSpec(8, ((DEPTHWISE3, 8),))
    with pytest.raises(ValueError, match="as many channels"):
        with_more_inputs(InitialWeights(spec, np.zeros(spec.n_weights, np.float32)), 8, 10)
