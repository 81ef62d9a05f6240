"""Normative.  Layout of quantised weights for the kernels, and the jobs that tell kernels where things stand.

Each operand of a kernel is an int32 that holds two int16 weights, ``low | high << 16``:

    convolution  [block of 8 outputs][pair of inputs][tap][8]
    depthwise3   [channel][row][4] of (w0, w1), (w2, 0) for even samples and (0, w0), (w1, w2) for odd ones
    output       [output][pair of inputs][tap], and for its 5x5 path [output][pair][25]
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from codecsim.kernels.records import make_record, make_records
from codecsim.learned.engine.spec import DEPTHWISE3, LANES, LEAK_SHIFT, SKIP, Layer, NetSpec

PAIRED, FLAT = 1, 2  # forms in which a layer writes its planes, to be added


class Operands(NamedTuple):
    """What the kernel of a layer reads and writes, see ops_plain: one-dimensional arrays."""

    x: np.ndarray  # int16 planes
    w: np.ndarray  # int32 packed weights
    bias: np.ndarray  # int32
    paired: np.ndarray  # int16 planes, written
    flat: np.ndarray  # the same
    mask: np.ndarray  # int16 flat planes: forward activations, of backward kernels


class LayerJob:
    """Of a layer: its kind, where its planes and weights begin in each of the Operands, and counts."""

    kind: int  # index into spec.KINDS
    x: int
    w: int
    bias: int
    to_paired: int
    to_flat: int
    mask: int
    n_out: int  # a multiple of 8, depthwise: of 2
    n_in: int  # even; depthwise: unused
    cs: int  # distance of planes
    rs: int  # distance of rows
    n: int  # flat positions to produce
    forms: int  # to write: sum of PAIRED and FLAT
    leak: int  # shift of what is not positive: 3 leaky rectifier, 0 none, 31 rectifier


class OutputJob:
    """Of an output: where things begin, and counts."""

    x: int  # hidden planes
    w: int
    skip_x: int  # input planes
    skip_w: int
    bias: int
    out: int
    n_pairs: int  # of hidden channels
    n_skip_pairs: int  # of inputs
    cs: int
    rs: int
    n: int


class GradientJob:
    """Of a gradient of weights: the layer's kind, where things begin, and counts."""

    kind: int  # index into spec.KINDS
    x: int
    g: int
    dw: int
    bias: int  # of the gradients of biases
    n_out: int
    n_in: int
    cs: int
    rs: int
    n: int


class LayerTable:
    """A layer's canonical weights, and what the shift of its gradients follows from."""

    n_in: int
    n_out: int
    start: int  # its weights
    end: int  # one past its biases
    taps: int  # of a filter
    depthwise: int  # or not
    headroom: int  # bits


def conv_pairs(weights: np.ndarray) -> np.ndarray:
    """Pairs of operands of a convolution.

    weights : (n_out, n_in, k, k) array, n_out a multiple of 8, n_in even

    Returns
    -------
    (2, n) array: low and high halves
    """
    n_out, n_in = weights.shape[:2]
    blocks = weights.reshape(n_out // LANES, LANES, n_in // 2, 2, -1).transpose(3, 0, 2, 4, 1)
    return blocks.reshape(2, -1)


def depthwise_pairs(weights: np.ndarray, zero: int = 0) -> np.ndarray:
    """Pairs of operands of a depthwise layer.

    weights : (channels, 3, 3) array; zero : what to fill with

    Returns
    -------
    (2, 12 * channels) array: low and high halves
    """
    w0, w1, w2 = weights[:, :, 0], weights[:, :, 1], weights[:, :, 2]
    none = np.full_like(w0, zero)
    low, high = np.stack([w0, w2, none, w1], axis=-1), np.stack([w1, none, w0, w2], axis=-1)
    return np.stack([low.ravel(), high.ravel()])


def join_pairs(pairs: np.ndarray) -> np.ndarray:
    """(2, n) weights within +-32767 -> (n,) int32 operands."""
    low, high = np.asarray(pairs, np.int64)
    return ((low & 0xFFFF) | (high << 16)).astype(np.uint32).view(np.int32)


def plane_stride(samples: int) -> int:
    """Distance of planes that hold so many samples.  Not normative.

    An odd multiple of 16, so that pairs of planes, read together, begin in different sets of a first-level cache.
    """
    return 16 * (-(-samples // 16) | 1)


def layer_job(
    n_out: int, n_in: int, planes: tuple[int, int, int], forms: int = PAIRED, leak: int = LEAK_SHIFT, **starts: Any
) -> LayerJob:
    """`LayerJob` of a layer, but for its kind.

    Parameters
    ----------
    n_out, n_in : int, channels: n_out a multiple of 8 (depthwise3: even, and n_in is ignored), n_in even
    planes : (plane stride, row stride, flat positions to produce)
    forms : int, sum of PAIRED and FLAT
    leak : int, 0..31, shift of accumulators that are not positive: 3 leaky rectifier, 0 none, 31 rectifier
    starts : offsets `x`, `w`, `bias`, `to_paired`, `to_flat`, `mask` into the Operands, 0 if not given
    """
    unknown = starts.keys() - {"x", "w", "bias", "to_paired", "to_flat", "mask"}
    if unknown:
        raise TypeError(f"unknown offsets: {', '.join(unknown)}")
    cs, rs, n = planes
    counts = {"n_out": n_out, "n_in": n_in, "cs": cs, "rs": rs, "n": n, "forms": forms, "leak": leak}
    return make_record(LayerJob, **starts, **counts)


def gradient_job(x: int, g: int, dw: int, counts: tuple[int, int], planes: tuple[int, int, int]) -> GradientJob:
    """`GradientJob` of a layer, but for its kind and biases.

    Parameters
    ----------
    x, g, dw : int, where things begin
    counts : (outputs, inputs)
    planes : (plane stride, row stride, flat positions)
    """
    (n_out, n_in), (cs, rs, n) = counts, planes
    return make_record(GradientJob, x=x, g=g, dw=dw, n_out=n_out, n_in=n_in, cs=cs, rs=rs, n=n)


class Packing(NamedTuple):
    """Index tables from quantised canonical weights to the operands of the kernels.

    An index of n_weights means zero.

    forward  : hidden layers in order, then the output's weights, then its 5x5 path
    backward : all layers but the first, inputs and outputs exchanged and filters mirrored
    bias     : hidden layers in order, then the output's
    """

    forward: np.ndarray  # (2, n) int32: low half, high half
    forward_start: tuple  # offset of each layer
    skip_start: int
    backward: np.ndarray  # (2, n) int32
    backward_start: tuple  # offset of each layer (first entry unused)
    bias: np.ndarray  # (n,) int32
    bias_start: tuple  # offset of each layer
    layers: np.ndarray  # (n_layers,) of LayerTable


def _backward_pairs(layer: Layer, index: np.ndarray, zero: int) -> np.ndarray:
    """Operands of the gradient with respect to a layer's inputs, from those of the layer."""
    mirrored = index[:, :, ::-1, ::-1]
    if layer.kind == DEPTHWISE3:
        return depthwise_pairs(mirrored[:, 0], zero)
    mirrored = mirrored.transpose(1, 0, 2, 3)
    if layer.n_out % 2:
        mirrored = np.concatenate([mirrored, np.full_like(mirrored, zero)], axis=1)
    return conv_pairs(mirrored)


def _starts(parts: Sequence[np.ndarray]) -> tuple[int, ...]:
    return tuple(np.cumsum([0, *(part.shape[-1] for part in parts)]).tolist())


@functools.cache
def packing(spec: NetSpec) -> Packing:
    """Index tables of `spec`, see `Packing`."""
    zero, layers = spec.n_weights, spec.layers
    forward, backward = [], [np.zeros((2, 0), np.int64)]
    for layer in layers:
        index = np.arange(layer.weights, layer.skip).reshape(layer.weight_shape)
        if layer is layers[-1]:
            forward.append(index.reshape(-1, 2, 9).transpose(1, 0, 2).reshape(2, -1))
        else:
            forward.append(depthwise_pairs(index[:, 0], zero) if layer.kind == DEPTHWISE3 else conv_pairs(index))
        if layer is not layers[0]:
            backward.append(_backward_pairs(layer, index, zero))
    last = layers[-1]
    forward.append(np.arange(last.skip, last.bias).reshape(-1, 2, SKIP * SKIP).transpose(1, 0, 2).reshape(2, -1))
    bias = [np.arange(layer.bias, layer.end) for layer in layers]
    *forward_start, skip_start, _ = _starts(forward)
    # sums over many channels seldom add up with one sign: three bits finer than the worst case, and clipped
    headroom = [1 if layer.kind == DEPTHWISE3 or layer is last else 3 for layer in layers]
    table = make_records(LayerTable, len(layers))
    for row, x, bits in zip(table, layers, headroom, strict=True):
        row.n_in, row.n_out, row.start, row.end = x.n_in, x.n_out, x.weights, x.end
        row.taps, row.depthwise, row.headroom = x.side**2, x.kind == DEPTHWISE3, bits
    return Packing(
        np.ascontiguousarray(np.concatenate(forward, axis=1), np.int32),
        tuple(forward_start),
        skip_start,
        np.ascontiguousarray(np.concatenate(backward, axis=1), np.int32),
        _starts(backward)[:-1],
        np.concatenate(bias).astype(np.int32),
        _starts(bias)[:-1],
        np.asarray(table),
    )
