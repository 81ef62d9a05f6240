"""Normative.  Initial weights of networks."""

import functools
import hashlib
import math
from dataclasses import dataclass, replace

import numpy as np

from codecsim.learned.engine.spec import CONV3, DEPTHWISE3, KINDS, SKIP, WEIGHT_BITS, NetSpec

_SEED = 0x636F6465_6373696D


def split_mix(count: int) -> np.ndarray:
    """The first `count` outputs of SplitMix64 from a fixed seed, (count,) uint64.

    Source: Steele, Lea, Flood, Fast splittable pseudorandom number generators, OOPSLA 2014.
    """
    z = np.uint64(_SEED) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@dataclass(frozen=True, eq=False)
class InitialWeights:
    """Weights that learning starts from.

    Parameters
    ----------
    spec : NetSpec
    master : (spec.n_weights,) float32 in canonical order, read-only
    """

    spec: NetSpec
    master: np.ndarray

    @property
    def is_identity(self) -> bool:
        """Whether the output is zero for every input."""
        return not self.master[self.spec.layers[-1].weights :].any()

    def digest(self) -> bytes:
        """16 bytes that name these weights."""
        data = np.array(_shape_numbers(self.spec), "<i4").tobytes() + self.master.astype("<f4").tobytes()
        return hashlib.blake2b(data, digest_size=16).digest()


def with_more_inputs(initial: InitialWeights, used: int, n_inputs: int) -> InitialWeights:
    """The same network with further inputs, which it does not look at yet.

    Parameters
    ----------
    initial : InitialWeights
    used : int, inputs that it looks at; those behind them, which may be there for an even number, give way
    n_inputs : int, at least as many as it has, and equal to them where a depthwise layer comes first

    Returns
    -------
    InitialWeights
    """
    old, new = initial.spec, replace(initial.spec, n_inputs=n_inputs)
    master = np.zeros(new.n_weights, np.float32)
    for before, after in zip(old.layers, new.layers, strict=True):
        weights = initial.master[before.weights : before.skip].reshape(before.weight_shape)
        skip = initial.master[before.skip : before.bias].reshape(before.n_out, -1, SKIP, SKIP)
        kept = np.zeros(after.weight_shape, np.float32)
        if before.weights > 0:
            kept[:] = weights
        elif before.kind == DEPTHWISE3:
            kept[:used] = weights[:used]
        else:
            kept[:, :used] = weights[:, :used]
        kept_skip = np.zeros((after.n_out, n_inputs if skip.size else 0, SKIP, SKIP), np.float32)
        kept_skip[:, :used] = skip[:, :used]
        bias = initial.master[before.bias : before.end]
        master[after.weights : after.end] = np.concatenate([kept.ravel(), kept_skip.ravel(), bias])
    master.flags.writeable = False
    return InitialWeights(new, master)


def _shape_numbers(spec: NetSpec) -> tuple[int, ...]:
    """Integers that tell a network's shape from every other: three of a chain of equal 3x3 layers, else more."""
    kinds, widths = zip(*spec.hidden, strict=True)
    if {*kinds} == {CONV3} and len({*widths}) == 1 and spec.n_outputs == 1:
        return spec.n_inputs, widths[0], len(widths)
    layers = [number for kind, width in spec.hidden for number in (KINDS.index(kind), width)]
    return -1, spec.n_inputs, spec.n_outputs, *layers


@functools.cache
def builtin_weights(spec: NetSpec) -> InitialWeights:
    """Weights to start without training: pseudo-random hidden layers, a last layer of zeros, so the output is zero.

    A hidden weight is uniform over the integers within +-sqrt(6 / fan-in) in Q13 (He et al. 2015), exactly so on any
    machine.
    """
    master = np.zeros(spec.n_weights, np.float32)
    random = (split_mix(spec.n_weights) >> np.uint64(40)).astype(np.int64)
    for layer in spec.layers[:-1]:
        bound = math.isqrt((6 << (2 * WEIGHT_BITS)) // (layer.inputs_of_output * layer.side**2))
        drawn = (random[layer.weights : layer.bias] * (2 * bound + 1) >> 24) - bound
        master[layer.weights : layer.bias] = drawn.astype(np.float32) / np.float32(1 << WEIGHT_BITS)
    master.flags.writeable = False
    return InitialWeights(spec, master)
