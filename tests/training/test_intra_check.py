"""The check of trained intra filters, on models of all splits, and on such as it must refuse."""

import dataclasses

import numpy as np
import pytest

from codecsim.errors import ModelError
from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.intra.filter import IntraFilter
from codecsim.learned.intra.inputs import INPUTS
from codecsim.learned.model_files import load_model
from codecsim.training import intra_check
from codecsim.training.intra_check import check_bits, exact_output
from tests.learned.intra.intra_models import random_model
from tests.reference import naive_engine


def test_the_model_that_ships_is_what_torch_says():
    assert check_bits(load_model("prediction-intra")) > 100_000


@pytest.mark.parametrize("engine", ["vector", "plain"])
@pytest.mark.parametrize("split", ["none", "both"])
def test_other_shapes_and_large_weights(engine, split, monkeypatch):
    monkeypatch.setenv("CODECSIM_ENGINE", engine)
    for hidden, size in (((("conv3", 8), ("conv1", 16)), 0.05), ((("conv1", 8),), 2.0)):
        assert check_bits(random_model(3, hidden=hidden, size=size, split=split), blocks=40) > 0


@pytest.mark.parametrize("hidden", [(("conv3", 64), ("conv3", 64)), (("conv1", 8),)])
def test_torch_is_the_twin_of_the_engine_with_sums_beyond_32_bits_too(hidden):
    rng = np.random.default_rng(1)
    spec = NetSpec(len(INPUTS), hidden)
    side = 6 + 2 * spec.margin
    planes = rng.integers(-8191, 8192, (len(INPUTS), side, side))
    for size in (0.02, 1, 3.9):
        weights = rng.uniform(-size, size, spec.n_weights).astype(np.float32)
        layers = naive_engine.quantise(naive_engine.split(weights, len(INPUTS), hidden))
        wanted = naive_engine.forward(layers, planes)[1][0]
        np.testing.assert_array_equal(exact_output(spec, weights, planes).numpy(), wanted)


def test_a_weight_that_is_one_step_off_is_found(monkeypatch):
    model = random_model(split="direction")
    layers = model.spec.net.layers
    for k in (layers[0].weights, layers[-1].skip + 12):
        other = model.weights.copy()
        other[model.spec.net.n_weights + k] += 2.0**-13
        wrong = dataclasses.replace(model, weights=other)
        with monkeypatch.context() as patch:
            patch.setattr(intra_check, "IntraFilter", lambda p, m, depth, wrong=wrong: IntraFilter(p, wrong, depth))
            with pytest.raises(ModelError, match="differ"):
                check_bits(model)
