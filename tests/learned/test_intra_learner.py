"""The intra filter that learns: what it learns from, its steps, its return to the initial weights."""

import numpy as np
import pytest

import codecsim.intra_learning
import codecsim.picture_codec
from codecsim.blocks import MODE_INTRA
from codecsim.config import EncoderConfig
from codecsim.errors import ConfigError
from codecsim.intra_learning import learn_from_row
from codecsim.learned.engine import Loss
from codecsim.learned.intra_filter import UNIT_LOG2, IntraFilter, pack_nets
from codecsim.learned.intra_learner import BOUND_Q4, Example, IntraLearner
from codecsim.learned.intra_params import IntraParams
from codecsim.learned.spec import OUTPUT_BITS
from codecsim.picture import PAD_Y
from tests.conformance.clips import make_clip
from tests.conformance.runs import run_encoder
from tests.learned.intra_models import random_model, saved_model
from tests.learned.test_engine import ENGINES, compare_training, random_case
from tests.reference import intra as naive_intra
from tests.reference import intra_filter as naive
from tests.reference import naive_engine

SHAPE = naive_engine.plain(10, 16, 2)


@ENGINES
@pytest.mark.parametrize("size", [4, 8, 32])
def test_steps_on_blocks_of_all_sizes_equal_the_naive_twin(ops, size):
    compare_training(ops, SHAPE, *random_case(SHAPE, 2, size=size), Loss(10, 4096), size=size)


def naive_examples(recon, row, qp, model, most):
    """(log2, mode, planes, error) of what a row teaches, block by block."""
    blocks, h4 = recon.blocks, recon.zorder.shape[0]
    samples = recon.rec.y[PAD_Y:-PAD_Y, PAD_Y:-PAD_Y]
    found = []
    for uy in range(16 * row, min(16 * row + 16, h4)):
        for ux in range(recon.zorder.shape[1]):
            log2 = int(blocks.tu_log2[uy, ux])
            units = 1 << (log2 - 2)
            coded = blocks.pred_mode[uy, ux] == MODE_INTRA and blocks.cbf[uy, ux] & 1
            if coded and uy % units == 0 and ux % units == 0:
                found.append((int(recon.zorder[uy, ux]), uy, ux, log2, int(blocks.intra_luma[uy, ux])))
    found = sorted(found)
    if len(found) > most:
        found = [found[k * len(found) // most] for k in range(most)]
    for _, uy, ux, log2, mode in found:
        n, y, x = 1 << log2, 4 * uy, 4 * ux
        p = naive_intra.gather(samples, recon.zorder, x, y, n, 0, recon.bit_depth)
        p = naive_intra.smooth(p, n, mode, 0, recon.strong_intra, recon.bit_depth)
        block = naive_intra.predict(p, n, mode, 0, recon.bit_depth)
        pred = np.zeros(samples.shape, np.int64)
        pred[y : y + n, x : x + n] = [[block[i, j] for i in range(n)] for j in range(n)]
        error = pred[y : y + n, x : x + n] - samples[y : y + n, x : x + n]
        margin = model.spec.net.margin
        planes = naive.planes(model.inputs, samples, recon.zorder, x, y, n, mode, pred, qp, recon.bit_depth, margin)
        yield log2, mode, planes, error.T if 2 <= mode < 18 else error


@pytest.mark.parametrize("most", [12, 4000])
def test_learns_from_coded_blocks_and_their_surroundings(tmp_path, monkeypatch, most):
    path, model, seen = saved_model(tmp_path, split="both"), random_model(split="both"), []

    def watch(rc, learner, row):
        before = rc.value.pred.y.copy()
        caught = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(learner, "learn", lambda examples: caught.extend(examples) or 0)
            learn_from_row(rc, learner, row)
        np.testing.assert_array_equal(rc.value.pred.y, before)
        for example, (log2, mode, planes, error) in zip(
            caught, naive_examples(rc.value, row, 24, model, most), strict=True
        ):
            assert (example.log2, example.network) == (log2, 2 * (mode > 1) + (log2 > 3))
            np.testing.assert_array_equal(example.patch, planes)
            np.testing.assert_array_equal(example.error, error)
            seen.append((log2, 2 <= mode < 18))
        return learn_from_row(rc, learner, row)

    monkeypatch.setattr(codecsim.intra_learning, "learn_from_row", watch)
    settings = {"filter": "off", "intra_filter": "online", "intra_model": path, "intra_learn": {"blocks": most}}
    run_encoder(EncoderConfig("ai", 24, **settings), make_clip("edges", 88, 72, 1))
    assert {turned for _, turned in seen} == {False, True}
    assert len({log2 for log2, _ in seen}) > 2


def make_learner(**settings):
    model = random_model(split="size")
    packed = pack_nets(model.spec, model.weights)
    params = IntraParams(online=True, **settings)
    return IntraLearner(params, model.spec, model.weights, packed, 8, UNIT_LOG2), model, packed


def make_example(rng, log2, model, network=0):
    side = (1 << log2) + 2 * model.spec.net.margin
    patch = rng.integers(-900, 901, (model.spec.net.n_inputs, side, side)).astype(np.int16)
    return Example(network, log2, patch, rng.integers(-20, 21, (1 << log2,) * 2).astype(np.int16))


def test_a_step_is_that_of_the_naive_twin():
    learner, model, packed = make_learner(learning_rate=1e-3)
    rng = np.random.default_rng(3)
    spec = model.spec.net
    shape = (spec.n_inputs, spec.hidden, 1)
    twin = {"master": model.spec.parts(model.weights)[1].copy(), "powers": np.ones(2, np.float32)}
    twin |= {name: np.zeros_like(twin["master"]) for name in ("moment", "square")}
    for _ in range(3):
        example = make_example(rng, 4, model, network=1)
        assert learner.learn([example]) == 1
        loss = OUTPUT_BITS - UNIT_LOG2, BOUND_Q4 << (OUTPUT_BITS - UNIT_LOG2 - 4)
        error = example.error.astype(np.int64)[None]
        naive_engine.step(shape, twin, example.patch.astype(np.int64), error, loss, 0, (1e-3, 0.9, 0.999, 1e-8))
    first, _ = model.spec.parts(model.weights)
    wanted = pack_nets(model.spec, np.concatenate([first, twin["master"]]))
    for found, expected in zip(packed, wanted, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_returns_to_the_initial_weights_where_these_do_better():
    learner, model, packed = make_learner(learning_rate=0.02, reset_margin_q8=0)
    fresh = [part.copy() for part in packed]
    rng = np.random.default_rng(4)
    for _ in range(40):
        learner.learn([make_example(rng, 3, model)])
        if learner.snapshot()[0].steps == 1:  # began again with this step
            break
    else:
        pytest.fail("learning noise at a high rate never made it worse")
    never, *_ = make_learner(learning_rate=0.02, reset_margin_q8=1023)
    rng = np.random.default_rng(4)
    for k in range(10):
        never.learn([make_example(rng, 3, model)])
        assert never.snapshot()[0].steps == k + 1
    learner.reset()
    for found, expected in zip(packed, fresh, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_goes_back_to_a_snapshot():
    learner, model, packed = make_learner(learning_rate=1e-3)
    rng = np.random.default_rng(5)
    examples = [make_example(rng, 2 + k % 4, model, k % 2) for k in range(12)]
    learner.learn(examples)
    kept, digest, weights = learner.snapshot(), learner.digest(), [part.copy() for part in packed]
    learner.learn(examples)
    after = learner.digest()
    assert after != digest
    learner.restore(kept)
    assert learner.digest() == digest
    for found, expected in zip(packed, weights, strict=True):
        np.testing.assert_array_equal(found, expected)
    learner.learn(examples)
    assert learner.digest() == after


def test_parameters():
    assert IntraParams().pack() == (1,)
    for params in (IntraParams(False), IntraParams(online=True, learning_rate=3e-4, blocks=7, passes=2)):
        again = IntraParams.unpack(params.pack())
        assert again.pack() == params.pack()
        assert again.online == params.online
    for wrong in ({"blocks": 0}, {"passes": 9}, {"learning_rate": "fast"}, {"reset_margin_q8": 0.5}, {"online": 2}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            IntraParams(**wrong)
    for values in ((1, 1), (1, 1, 0x7FC00000, 128, 1, 4), (1, 1, 0, 0, 1, 4)):
        with pytest.raises(ConfigError):
            IntraParams.unpack(values)


def test_no_blocks_teach_nothing():
    learner, *_ = make_learner()
    before = learner.digest()
    assert learner.learn([]) == 0
    assert learner.digest() == before
    assert IntraFilter(IntraParams(), random_model(), 8).learner is None
