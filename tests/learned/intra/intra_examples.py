"""Blocks for the learner of the intra filter in tests."""

import numpy as np

from tests.reference.intra_learner import Example


def learn(learner, examples):
    """Let an IntraLearner learn from a list of Example."""
    held = learner.room(len(examples), sum(example.patch.size for example in examples))
    at, arrays = 0, held.value
    for k, example in enumerate(examples):
        n, size = 1 << example.log2, example.patch.size
        arrays.blocks[k] = example.network, example.log2, at
        arrays.patches[at : at + size] = example.patch.ravel()
        arrays.errors[k, :n, :n] = example.error
        at += size
    return learner.learn(held, len(examples))


def held_examples(examples, count, n_inputs, margin):
    """List of Example of what bound Examples hold."""
    found = []
    for (network, log2, at), error in zip(examples.value.blocks[:count].tolist(), examples.value.errors, strict=False):
        n, side = 1 << log2, (1 << log2) + 2 * margin
        patch = examples.value.patches[at : at + n_inputs * side * side].reshape(n_inputs, side, side)
        found.append(Example(network, log2, patch.copy(), error[:n, :n].copy()))
    return found


def random_example(rng, log2, model, network=0):
    """A block of noise."""
    side = (1 << log2) + 2 * model.spec.net.margin
    patch = rng.integers(-900, 901, (model.spec.net.n_inputs, side, side)).astype(np.int16)
    return Example(network, log2, patch, rng.integers(-20, 21, (1 << log2,) * 2).astype(np.int16))
