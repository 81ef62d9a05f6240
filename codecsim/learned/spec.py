"""Normative.  Shape of a network, its number formats, and the canonical order of its weights.

A network is a chain of 3x3 convolutions, ``n_inputs -> C -> ... -> C -> 1``, with a leaky rectifier after each hidden
layer, and a 5x5 linear path from the inputs to the accumulator of the last layer.  Convolutions are "valid": an output
tile of (h, w) needs inputs of (h + 2 R, w + 2 R), R = `NetSpec.margin`.

Number formats (Qn: a value v is stored as v * 2**n)
    activations  int16 Q10, clipped to +-8191          weights    int16 Q13, clipped to +-32767
    accumulators int32 Q23, modulo 2**32               biases     int32 Q23
    output       int16 Q14, clipped to +-32767         gradients  int16, clipped to +-4095

Canonical order of the master weights, one float32 vector:
    for each hidden layer   weights [co][ci][ky][kx], then biases [co]
    for the last layer      weights [ci][ky][kx], skip weights [input][5][5], then the bias
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

ACT_BITS = 10
ACT_CLIP = 8191
WEIGHT_BITS = 13
WEIGHT_CLIP = 32767
OUTPUT_BITS = 14
OUTPUT_CLIP = 32767
OUTPUT_SHIFT = ACT_BITS + WEIGHT_BITS - OUTPUT_BITS
GRAD_CLIP = 4095
LEAK_SHIFT = 3
SKIP = 5
LANES = 8  # output channels that stand together in packed weights


class Layer(NamedTuple):
    """Where a layer's parameters stand in the canonical vector."""

    n_in: int
    n_out: int
    weights: int
    skip: int  # equals `bias` in a layer without a skip path
    bias: int
    end: int


@dataclass(frozen=True)
class NetSpec:
    """Shape of a network.

    Parameters
    ----------
    n_inputs : int, 2..8, even
    channels : int, 8, 16 or 32: width of the hidden layers
    hidden_layers : int, 1..4
    """

    n_inputs: int
    channels: int = 16
    hidden_layers: int = 3

    def __post_init__(self):
        if (
            self.n_inputs not in (2, 4, 6, 8)
            or self.channels not in (8, 16, 32)
            or self.hidden_layers not in range(1, 5)
        ):
            raise ValueError(f"no such network: {self}")

    @property
    def margin(self):
        """Samples of context on each side of the output."""
        return self.hidden_layers + 1

    @property
    def layers(self):
        """Tuple of `Layer`, hidden layers first, the output layer last."""
        found, start, n_in = [], 0, self.n_inputs
        for _ in range(self.hidden_layers):
            bias = start + n_in * self.channels * 9
            found.append(Layer(n_in, self.channels, start, bias, bias, bias + self.channels))
            start, n_in = bias + self.channels, self.channels
        skip = start + n_in * 9
        bias = skip + self.n_inputs * SKIP * SKIP
        found.append(Layer(n_in, 1, start, skip, bias, bias + 1))
        return tuple(found)

    @property
    def n_weights(self):
        """Length of the canonical vector."""
        return self.layers[-1].end


class Packing(NamedTuple):
    """Index tables from quantised canonical weights to the operands of the kernels.

    Each operand is an int32 that holds two int16 weights, ``low | high << 16``.  An index of n_weights means zero.

    forward  : per hidden layer [block of 8 outputs][pair of inputs][tap][8], then output [pair][tap], skip [pair][25]
    backward : per layer but the first [block of 8 inputs][pair of outputs][mirrored tap][8]
    bias     : hidden layers in order, then the output's
    """

    forward: np.ndarray  # (2, n) int32: low half, high half
    forward_start: tuple  # offset of each layer
    skip_start: int
    backward: np.ndarray  # (2, n) int32
    backward_start: tuple  # offset of each layer (first entry unused)
    bias: np.ndarray  # (n,) int32
    layers: np.ndarray  # (n_layers, 5) int64: n_in, n_out, weights, bias, end


def _pairs(index):
    """(a, b, ky, kx) indices -> low and high halves, each [block of 8 a][pair of b][tap][8]."""
    n_a, n_b = index.shape[:2]
    blocks = index.reshape(n_a // LANES, LANES, n_b // 2, 2, -1).transpose(3, 0, 2, 4, 1)
    return blocks.reshape(2, -1)


@functools.cache
def packing(spec):
    """Index tables of `spec`, see `Packing`."""
    zero = spec.n_weights
    forward, forward_start, backward, backward_start, bias = [], [], [], [], []
    for layer in spec.layers[:-1]:
        index = np.arange(layer.weights, layer.bias).reshape(layer.n_out, layer.n_in, 3, 3)
        forward_start.append(sum(part.shape[1] for part in forward))
        forward.append(_pairs(index))
        backward_start.append(sum(part.shape[1] for part in backward))
        if layer.weights:
            backward.append(_pairs(index.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]))
        bias.append(np.arange(layer.bias, layer.end))
    last = spec.layers[-1]
    forward_start.append(sum(part.shape[1] for part in forward))
    backward_start.append(sum(part.shape[1] for part in backward))
    index = np.arange(last.weights, last.skip).reshape(1, last.n_in, 3, 3)
    forward.append(index.reshape(-1, 2, 9).transpose(1, 0, 2).reshape(2, -1))
    skip_start = sum(part.shape[1] for part in forward)
    forward.append(np.arange(last.skip, last.bias).reshape(-1, 2, SKIP * SKIP).transpose(1, 0, 2).reshape(2, -1))
    mirrored = index.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    backward.append(_pairs(np.concatenate([mirrored, np.full_like(mirrored, zero)], axis=1)))
    bias.append(np.arange(last.bias, last.end))
    table = np.array([(x.n_in, x.n_out, x.weights, x.bias, x.end) for x in spec.layers], np.int64)
    return Packing(
        np.ascontiguousarray(np.concatenate(forward, axis=1), np.int32),
        tuple(forward_start),
        skip_start,
        np.ascontiguousarray(np.concatenate(backward, axis=1), np.int32),
        tuple(backward_start),
        np.concatenate(bias).astype(np.int32),
        table,
    )
