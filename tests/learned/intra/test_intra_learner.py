"""The intra filter that learns: what it learns from, its steps, its return to the initial weights."""

import numpy as np
import pytest

import codecsim.codec.intra_rows
from codecsim.codec.config import EncoderConfig
from codecsim.codec.intra_rows import learn_from_row
from codecsim.errors import ConfigError
from codecsim.learned.engine.spec import OUTPUT_BITS
from codecsim.learned.engine.tile_net import Loss
from codecsim.learned.intra.filter import UNIT_LOG2, IntraFilter, pack_nets
from codecsim.learned.intra.learner import BOUND_Q4, IntraLearner
from codecsim.picture.blocks import MODE_INTRA
from codecsim.picture.planes import PAD_Y
from codecsim.tools.intra import IntraSettings
from tests.conformance.clips import make_clip
from tests.conformance.runs import run_encoder
from tests.learned.engine.test_engine import ENGINES, compare_training, random_case
from tests.learned.intra.intra_examples import held_examples, learn, random_example
from tests.learned.intra.intra_models import random_model, saved_model
from tests.reference import intra as naive_intra
from tests.reference import intra_filter as naive
from tests.reference import naive_engine
from tests.reference.intra_learner import NaiveIntraLearner

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
        caught, net = [], model.spec.net

        def take(examples, count):
            caught.extend(held_examples(examples, count, net.n_inputs, net.margin))
            return 0

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(learner, "learn", take)
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

    monkeypatch.setattr(codecsim.codec.intra_rows, "learn_from_row", watch)
    settings = {"filter": "off", "intra_filter": "online", "settings": {"intra": {"model": path, "blocks": most}}}
    run = run_encoder(EncoderConfig("ai", 24, **settings), make_clip("edges", 88, 72, 1))
    assert run.reports[0].intra_trained_samples == sum(4**log2 for log2, _ in seen)
    assert {turned for _, turned in seen} == {False, True}
    assert len({log2 for log2, _ in seen}) > 2


def make_learner(**settings):
    model = random_model(split="size")
    packed = pack_nets(model.spec, model.weights)
    params = IntraSettings(online=True, **settings)
    return IntraLearner(params, model.spec, model.weights, packed, 8, UNIT_LOG2), model, packed


@pytest.mark.parametrize(("engine", "split"), [("vector", "none"), ("vector", "both"), ("plain", "both")])
@pytest.mark.parametrize(
    "hidden", [(("conv3", 16),) * 3, (("conv3", 8), ("conv1", 16)), (("conv1", 8),)], ids=["deep", "mixed", "flat"]
)
def test_rows_equal_the_twin_that_takes_block_by_block(hidden, split, engine, monkeypatch):
    """Groups that are full and such that are not, several passes, resets and none, sizes in any order."""
    monkeypatch.setenv("CODECSIM_ENGINE", engine)
    rng = np.random.default_rng(6)
    runs = ((8, 0.03, {"passes": 2, "reset_margin_q8": 1023}), (10, 0.001, {"reset_margin_q8": 0}))
    for depth, weights, settings in runs:
        model = random_model(hidden=hidden, split=split, size=weights)
        params = IntraSettings(online=True, learning_rate=0.02, **settings)
        packed = pack_nets(model.spec, model.weights)
        learner = IntraLearner(params, model.spec, model.weights, packed, depth, UNIT_LOG2)
        twin, resets, resetting = NaiveIntraLearner(params, model, depth), 0, settings["reset_margin_q8"] == 0
        for count in (20, 1, 30, 3, 70):
            sizes = rng.choice(4, count, p=(0.5, 0.3, 0.1, 0.1)) + 2
            examples = [random_example(rng, int(n), model, int(rng.integers(model.spec.n_nets))) for n in sizes]
            if resetting and count != 20:  # what has been learnt from noise is worse than almost nothing
                examples = [example._replace(error=np.zeros_like(example.error)) for example in examples]
            before = [state.online_loss for state in twin.states]
            assert learn(learner, examples) == twin.learn(examples)
            resets += any(new.online_loss < old for new, old in zip(twin.states, before, strict=True))
            assert learner.digest() == twin.digest()
            for found, expected in zip(packed, pack_nets(model.spec, twin.weights()), strict=True):
                np.testing.assert_array_equal(found, expected)
        assert (resets > 0) == resetting


def test_the_largest_numbers_equal_the_twin():
    """Extreme weights, inputs and errors in full groups side by side: nothing leaks from block to block."""
    model = random_model(hidden=(("conv3", 16),) * 3, size=3.0)
    params = IntraSettings(online=True, learning_rate=0.5, reset_margin_q8=1023)
    packed = pack_nets(model.spec, model.weights)
    learner = IntraLearner(params, model.spec, model.weights, packed, 8, UNIT_LOG2)
    twin, rng = NaiveIntraLearner(params, model), np.random.default_rng(7)
    for log2 in (2, 3, 5, 2, 4, 2, 3):
        examples = []
        for _ in range(19):
            example = random_example(rng, log2, model)
            signs = rng.integers(0, 2, example.patch.shape) * 2 - 1, rng.integers(0, 2, example.error.shape) * 2 - 1
            examples.append(
                example._replace(patch=(8191 * signs[0]).astype(np.int16), error=(255 * signs[1]).astype(np.int16))
            )
        assert learn(learner, examples) == twin.learn(examples)
        assert learner.digest() == twin.digest()


def test_a_step_is_that_of_the_naive_twin():
    learner, model, packed = make_learner(learning_rate=1e-3)
    rng = np.random.default_rng(3)
    spec = model.spec.net
    shape = (spec.n_inputs, spec.hidden, 1)
    twin = {"master": model.spec.parts(model.weights)[1].copy(), "powers": np.ones(2, np.float32)}
    twin |= {name: np.zeros_like(twin["master"]) for name in ("moment", "square")}
    for _ in range(3):
        example = random_example(rng, 4, model, network=1)
        assert learn(learner, [example]) == 1
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
        learn(learner, [random_example(rng, 3, model)])
        if learner.snapshot()[0].steps == 1:  # began again with this step
            break
    else:
        pytest.fail("learning noise at a high rate never made it worse")
    never, *_ = make_learner(learning_rate=0.02, reset_margin_q8=1023)
    rng = np.random.default_rng(4)
    for k in range(10):
        learn(never, [random_example(rng, 3, model)])
        assert never.snapshot()[0].steps == k + 1
    learner.reset()
    for found, expected in zip(packed, fresh, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_goes_back_to_a_snapshot():
    learner, model, packed = make_learner(learning_rate=1e-3)
    rng = np.random.default_rng(5)
    examples = [random_example(rng, 2 + k % 4, model, k % 2) for k in range(12)]
    learn(learner, examples)
    kept, digest, weights = learner.snapshot(), learner.digest(), [part.copy() for part in packed]
    learn(learner, examples)
    after = learner.digest()
    assert after != digest
    learner.restore(kept)
    assert learner.digest() == digest
    for found, expected in zip(packed, weights, strict=True):
        np.testing.assert_array_equal(found, expected)
    learn(learner, examples)
    assert learner.digest() == after


def test_parameters():
    assert IntraSettings().to_stream() == (1,)
    for params in (
        IntraSettings(inter_pictures=False),
        IntraSettings(online=True, learning_rate=3e-4, blocks=7, passes=2),
    ):
        again = IntraSettings.from_stream(params.to_stream())
        assert again.to_stream() == params.to_stream()
        assert again.online == params.online
    for wrong in ({"blocks": 0}, {"passes": 9}, {"learning_rate": "fast"}, {"reset_margin_q8": 0.5}, {"online": 2}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            IntraSettings(**wrong)
    for values in ((1, 1), (1, 1, 0x7FC00000, 128, 1, 4), (1, 1, 0, 0, 1, 4)):
        with pytest.raises(ConfigError):
            IntraSettings.from_stream(values)


def test_no_blocks_teach_nothing():
    learner, *_ = make_learner()
    before = learner.digest()
    assert learn(learner, []) == 0
    assert learner.digest() == before
    assert IntraFilter(IntraSettings(), random_model(), 8).learner is None
