"""Models of the intra filter for tests: small and random."""

import numpy as np

from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.intra.inputs import INPUTS
from codecsim.learned.intra.spec import IntraSpec
from codecsim.learned.model_files import INTRA, Model, save_model


def random_model(seed=0, inputs=INPUTS, hidden=(("conv3", 8), ("conv1", 16)), size=0.03, split="none"):
    """A model that changes most blocks a little."""
    spec = IntraSpec(NetSpec(len(inputs) + len(inputs) % 2, hidden), split)
    weights = np.random.default_rng(seed).normal(0, size, spec.n_weights).clip(-3.9, 3.9).astype(np.float32)
    return Model(INTRA, spec, weights, inputs)


def saved_model(folder, **settings):
    """Path of the file of a random model."""
    path = folder / "intra.safetensors"
    save_model(path, random_model(**settings))
    return str(path)
