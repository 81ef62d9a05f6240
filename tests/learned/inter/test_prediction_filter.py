"""The filter of inter prediction, as encoder and decoder use it."""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from codecsim.errors import ConfigError, ModelError
from codecsim.learned.engine import complexity, self_check
from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.engine.weights import InitialWeights, builtin_weights
from codecsim.tools.inter_luma import InterLumaSettings
from codecsim.tools.learner import Control, LossKind, Method, Order, Reset
from tests.learned.inter.running import Running
from tests.learned.inter.settings import PLAIN
from tests.reference import naive_engine

SMALL = dataclasses.replace(PLAIN, channels=8, tile_log2=5, epochs_q2=16)


def picture(seed, height, width, bit_depth=8):
    """A prediction that is a blurred, noisy copy of the reconstruction, and that reconstruction."""
    rng = np.random.default_rng(seed)
    top, scale = (1 << bit_depth) - 1, 1 << (bit_depth - 8)
    coarse = rng.integers(100, 124, (height // 4 + 2, width // 4 + 2)) * scale
    recon = np.kron(coarse, np.ones((4, 4), np.int64))[:height, :width]
    pred = (2 * recon + np.roll(recon, 1, 1) + np.roll(recon, 1, 0)) // 4
    pred += rng.integers(-1, 2, pred.shape) * scale
    return pred.clip(0, top).astype(np.uint16), recon.astype(np.uint16)


def everywhere(height, width):
    return np.ones((height // 4, width // 4), np.uint8)


@pytest.mark.parametrize("size", [(8, 8), (16, 40), (130, 66), (264, 132), (4, 4)])
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize(
    ("params", "epochs", "tile"), [(PLAIN, 2, 64), (InterLumaSettings(), 4, 32)], ids=["plain", "usual"]
)
def test_starts_as_identity(size, bit_depth, params, epochs, tile):
    height, width = size[0] // 4 * 4, size[1] // 4 * 4
    pred, recon = picture(0, height, width, bit_depth)
    learner = Running(params, width, height, bit_depth)
    np.testing.assert_array_equal(learner.predict(pred, (recon, pred), 30)[0], pred)
    report = learner.learn(recon, everywhere(height, width))
    assert report.trained_steps == epochs * -(-height // tile) * -(-width // tile)
    assert report.accumulated_loss == np.abs(pred.astype(int) - recon).sum()


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"loss": LossKind.L2},
        {"method": Method.SGD, "learning_rate": 2.0**-6},
        {"channels": 16, "hidden_layers": 3},
        {"channels": 32, "hidden_layers": 1},
        {"high_pass": False, "qp_plane": False},
        {"replay": 2},
        {"average_q8": 20, "learning_rate": 4e-3},
    ],
    ids=str,
)
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_learning_reduces_error(change, bit_depth):
    learner = Running(dataclasses.replace(SMALL, **change), 96, 64, bit_depth)
    for k in range(14):
        pred, recon = picture(k, 64, 96, bit_depth)
        filtered = learner.predict(pred, (), 30)[0]
        learner.learn(recon, everywhere(64, 96))
    before, after = (np.abs(p.astype(int) - recon).sum() for p in (pred, filtered))
    assert after < 0.85 * before


def test_auxiliary_planes_help():
    """An auxiliary prediction that errs the other way can be learnt at once."""
    errors = []
    for further in (0, 2):
        learner = Running(dataclasses.replace(SMALL, further=further), 96, 64)
        for k in range(10):
            pred, recon = picture(k, 64, 96)
            other = (2 * recon.astype(int) - pred).clip(0, 255).astype(np.uint16)
            filtered = learner.predict(pred, (other, pred)[:further], 30)[0]
            learner.learn(recon, everywhere(64, 96))
        errors.append(np.abs(filtered.astype(int) - recon).sum())
    assert errors[1] < 0.6 * errors[0]


def test_two_sides_and_thread_counts_agree():
    sides = [Running(SMALL, 200, 72, threads=threads) for threads in (1, 1, 2, 3)]
    for k in range(5):
        pred, recon = picture(k, 72, 200)
        coded = np.random.default_rng(k).integers(0, 2, (18, 50)).astype(np.uint8)
        outputs = {side.predict(pred, (), 30 + k)[0].tobytes() for side in sides}
        reports = {side.learn(recon, coded) for side in sides}
        assert len(outputs) == len(reports) == len({side.digest() for side in sides}) == 1
        if k == 2:
            for side in sides:
                side.reset()


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("params", [PLAIN, dataclasses.replace(PLAIN, further=1), InterLumaSettings()], ids=str)
def test_prediction_equals_naive_twin(params, bit_depth):
    """Input planes, borders, tiles, output rounding: told again in NumPy."""
    height, width, qp = 72, 136, 37
    learner = Running(params, width, height, bit_depth)
    for k in range(2):
        pred, recon = picture(k, height, width, bit_depth)
        aux = (np.roll(recon, 1, 0), np.roll(recon, 2, 1))[: len(learner.needs)]
        expected = naive_filter(learner.state.weights, params, pred, aux, qp, bit_depth)
        np.testing.assert_array_equal(learner.predict(pred, aux, qp)[0], expected)
        learner.learn(recon, everywhere(height, width))
    assert (expected != pred).any()


def naive_filter(master, params, pred, aux, qp, bit_depth, *further):
    scale = 1 << (bit_depth - 8)  # samples in one of 8 bits
    p, taps = pred.astype(np.int64), (2, 4, 8, 11, 14, 11, 8, 4, 2)
    padded = np.pad(p, 4, mode="edge")
    h, w = p.shape
    blur = sum(a * b * padded[i : i + h, j : j + w] for i, a in enumerate(taps) for j, b in enumerate(taps))
    high_pass = (4096 * p - blur + 32 * scale) // (64 * scale)
    planes = [8 * (p - 128 * scale) // scale, np.clip(high_pass, -8191, 8191)]
    planes += [np.clip(64 // scale * (plane.astype(np.int64) - p), -8191, 8191) for plane in aux]
    planes += [np.full_like(p, 128 * (qp - 32)), *further]
    if len(planes) % 2:
        planes.append(np.zeros_like(p))
    margin = params.spec.margin
    x = np.pad(np.stack(planes), ((0, 0), (margin, margin), (margin, margin)), mode="edge")
    shape = naive_engine.plain(len(planes), params.channels, params.hidden_layers)
    _, (y,) = naive_engine.forward(naive_engine.quantise(naive_engine.split(master, *shape)), x)
    return np.clip(p + (y + 512 // scale) // (1024 // scale), 0, (1 << bit_depth) - 1)


def test_average_of_weights():
    learner = Running(dataclasses.replace(SMALL, average_q8=64), 32, 32)
    state = learner.state
    average, seen = state.master.copy(), []
    train = learner.net.train

    def watch(step):
        nonlocal average
        train(step)
        average = average + np.float32(0.25) * (state.master - average)
        seen.append(step)

    learner.net.train = watch
    pred, recon = picture(0, 32, 32)
    learner.predict(pred, (), 30)
    learner.learn(recon, everywhere(32, 32))
    assert len(seen) == 4
    np.testing.assert_array_equal(state.average, average)
    assert state.weights is state.average
    twin = state.copy()
    twin.average[0] += 1
    assert twin.digest() != state.digest()
    state.reset()
    np.testing.assert_array_equal(state.average, state.initial.master)


def test_samples_without_residual_teach_nothing():
    pred, recon = picture(0, 64, 64)
    coded = np.zeros((16, 16), np.uint8)
    coded[4:10, 3:9] = 1
    digests = set()
    for fill in (0, 200):
        learner = Running(SMALL, 64, 64)
        learner.predict(pred, (), 30)
        mask = np.kron(coded, np.ones((4, 4))) > 0
        learner.learn(np.where(mask, recon, fill).astype(np.uint16), coded)
        digests.add(learner.digest())
    assert len(digests) == 1


def test_nothing_coded_trains_nothing():
    learner = Running(SMALL, 64, 64)
    pred, recon = picture(0, 64, 64)
    learner.predict(pred, (), 30)
    report = learner.learn(recon, np.zeros((16, 16), np.uint8))
    assert report == (0, 0, False, 0)
    np.testing.assert_array_equal(learner.state.master, learner.state.initial.master)


def test_threshold_trains_on_what_it_waited_for():
    params = dataclasses.replace(SMALL, control=Control.THRESHOLD, threshold_q8=(2**24 - 1,) * 4)
    learner = Running(params, 64, 64)
    losses = []
    for k in range(3):
        pred, recon = picture(k, 64, 64)
        learner.predict(pred, (), 30)
        report = learner.learn(recon, everywhere(64, 64))
        assert report.trained_steps == 0
        losses.append(report.accumulated_loss)
    assert losses[0] < losses[1] < losses[2]
    learner.net.params = dataclasses.replace(params, threshold_q8=(1,) * 4)
    learner.predict(pred, (), 30)
    assert learner.learn(recon, everywhere(64, 64)).trained_steps > 0
    assert learner.state.waiting_loss == 0


def test_reset_at_idr():
    pred, recon = picture(0, 64, 64)
    fresh = Running(SMALL, 64, 64).digest()
    for reset, same in ((Reset.IDR, True), (Reset.AUTO, True), (Reset.NEVER, False)):
        learner = Running(dataclasses.replace(SMALL, reset=reset), 64, 64)
        learner.predict(pred, (), 30)
        learner.learn(recon, everywhere(64, 64))
        assert learner.digest() != fresh
        learner.reset()
        assert (learner.digest() == fresh) == same


@pytest.mark.parametrize("experts", ["online", "online,rls,mix"])
def test_a_snapshot_brings_all_back(experts):
    params = dataclasses.replace(SMALL, control=Control.SIGNALLED, experts=experts)
    learner = Running(params, 64, 64)
    for k in range(2):
        pred, recon = picture(k, 64, 64)
        learner.obey(Order.TRAIN)
        learner.predict(pred, (), 30)
        learner.learn(recon, everywhere(64, 64))
        recon[:] = 0  # the lesson is a copy
    kept, found = learner.snapshot(), {}
    for order in (*Order, *Order):
        learner.restore(kept)
        assert learner.has_lesson
        learner.obey(order)
        learner.obey(order)
        assert not learner.has_lesson
        digest = learner.digest(), learner.predict(pred, (), 30)[-1].tobytes()
        assert found.setdefault(order, digest) == digest
    assert len({*found.values()}) == 3
    assert found[Order.RESET][0] == Running(params, 64, 64).digest()


def test_automatic_reset_when_the_scene_turns_against_the_net():
    params = dataclasses.replace(SMALL, reset=Reset.AUTO, reset_memory_log2=1, control=Control.ALWAYS)
    learner = Running(params, 96, 64)
    resets = []
    for k in range(12):
        pred, recon = picture(k, 64, 96)
        if k >= 8:  # what was blurred is now too sharp
            pred, recon = recon, pred
        learner.predict(pred, (), 30)
        resets.append(learner.learn(recon, everywhere(64, 96)).reset)
    assert resets[8:].count(True) == 1
    assert not any(resets[:8])


def test_initial_weights_other_than_the_identity():
    spec = SMALL.spec
    master = builtin_weights(spec).master.copy()
    master[spec.layers[-1].bias] = 1.0  # adds 16 samples everywhere
    initial = InitialWeights(spec, master)
    assert not initial.is_identity
    assert initial.digest() != builtin_weights(spec).digest()
    learner = Running(dataclasses.replace(SMALL, control=Control.NEVER), 64, 64, initial=initial)
    pred = np.full((64, 64), 100, np.uint16)
    np.testing.assert_array_equal(learner.predict(pred, (), 30)[0], pred + 16)
    learner.learn(pred, everywhere(64, 64))
    assert learner.state.initial_loss == learner.state.online_loss == 16 * 64 * 64
    with pytest.raises(ConfigError, match="initial weights"):
        Running(InterLumaSettings(further=3), 64, 64, initial=initial)


def test_wrong_use():
    learner = Running(SMALL, 64, 32)
    with pytest.raises(ConfigError, match="expected 32x64 uint16"):
        learner.predict(np.zeros((64, 32), np.uint16), (), 30)
    with pytest.raises(ConfigError, match="overlapped, further_1 are needed, but are not given"):
        Running(InterLumaSettings(), 64, 32).predict(np.zeros((32, 64), np.uint16), (), 30)
    with pytest.raises(ConfigError, match="no input plane 'colour'"):
        Running(SMALL, 64, 32, inputs=("prediction", "colour"))
    with pytest.raises(ConfigError, match="no filter for 66x32"):
        Running(SMALL, 66, 32)


def test_self_check_notices_other_arithmetic(monkeypatch):
    self_check.check_engine()
    self_check._check_training.cache_clear()
    monkeypatch.setattr(self_check, "GOLDEN", "0" * 32)
    with pytest.raises(ModelError, match="self-check of the learning engine failed"):
        self_check.check_engine()
    monkeypatch.undo()
    monkeypatch.setattr(self_check, "GOLDEN_MIXED", "0" * 32)
    self_check.check_engine([NetSpec.plain(4, 16, 2)])
    for spec in (NetSpec(2, (("conv1", 8),)), NetSpec.plain(2, 8, 1, n_outputs=2)):
        with pytest.raises(ModelError, match="self-check of the learning engine failed"):
            self_check.check_engine([spec])
    self_check._check_training.cache_clear()
    monkeypatch.setattr(self_check, "keeps_subnormals", lambda: False)
    with pytest.raises(ModelError, match="subnormal"):
        self_check.check_engine()
    self_check._check_training.cache_clear()


def test_flushing_subnormals_is_noticed_later_too():
    torch = pytest.importorskip("torch")
    learner = Running(SMALL, 64, 64)
    pred, recon = picture(0, 64, 64)
    learner.predict(pred, (), 30)
    if not torch.set_flush_denormal(True):
        pytest.skip("this processor cannot flush")
    try:
        with pytest.raises(ModelError, match="subnormal"):
            learner.learn(recon, everywhere(64, 64))
    finally:
        torch.set_flush_denormal(False)


def test_complexity_counts_what_the_layers_do():
    params = InterLumaSettings()
    forward = 6 * 16 * 9 + 16 * 16 * 9 + 16 * 9 + 6 * 25
    assert complexity.inference_kmac(params.spec) == forward / 1000
    backward = 16 * 16 * 9 + 16 * 9
    assert complexity.step_macs(params.spec) == 2 * forward + backward
    assert complexity.training_kmac(params.spec, params, 6, 2 * 64 * 64) == 0.75 * (2 * forward + backward) / 1000


CACHE_PROBE = """
import json, sys, numpy
from codecsim.kernels.linking import _dispatchers
from codecsim.tools.inter_luma import InterLumaSettings
from codecsim.learned.inter.prediction_filter import PredictionFilter
from codecsim.learned.learner import LearnerInputs
learner = PredictionFilter(InterLumaSettings(), 64, 64)
plane = numpy.zeros((64, 64), numpy.uint16)
_, lesson = learner.predict(LearnerInputs(plane, {"overlapped": plane, "further_1": plane}, 30, 8))
learner.learn(lesson, plane, numpy.ones((16, 16), numpy.uint8))
kernels = {kernel.name: made for kernel, made in _dispatchers.items() if kernel.name.startswith("codecsim.learned")}
misses = [name for name, kernel in kernels.items() if kernel.stats.cache_misses]
hits = [name for name, kernel in kernels.items() if kernel.stats.cache_hits]
print(json.dumps([misses, hits, "torch" in sys.modules]))
"""


@pytest.mark.parametrize("engine", ["vector", "plain"])
def test_second_process_finds_every_kernel_in_the_cache(engine):
    root = pathlib.Path(__file__).parents[3]
    environment = {**os.environ, "PYTHONPATH": str(root), "CODECSIM_ENGINE": engine}
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", CACHE_PROBE], env=environment, capture_output=True, text=True)
        misses, hits, torch = json.loads(done.stdout)
    assert not misses
    assert len(hits) > 15
    assert not torch
