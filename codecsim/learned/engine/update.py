"""Normative.  Quantised weights, loss gradients and the optimisers: everything of a training step that is elementwise.

Floats are IEEE 754 single precision, added, subtracted, multiplied, divided and square-rooted one by one in the order
written; nothing is summed in floating point.
"""

from typing import NamedTuple

import numpy as np

from codecsim.kernels.jit import kernel
from codecsim.learned.engine.spec import ACT_BITS, GRAD_CLIP, WEIGHT_BITS, WEIGHT_CLIP

ADAM, SGD = 0, 1
MASTER_LIMIT = WEIGHT_CLIP / 2**WEIGHT_BITS  # master weights stay where their quantised form can follow
MASKED = -32768  # marks, in a plane of errors, samples that stay out of the loss
LIGHT = 1 << 14  # added, in a plane of errors, to those of samples that weigh less


class Tables(NamedTuple):
    """Tables of packing.Packing."""

    layers: np.ndarray
    forward: np.ndarray
    backward: np.ndarray
    bias: np.ndarray


class Packed(NamedTuple):
    """Quantised weights in the layout of the kernels."""

    quantised: np.ndarray  # (n + 1,) int32, scratch: Q13 weights, and a zero
    forward: np.ndarray  # int32
    backward: np.ndarray  # int32
    bias: np.ndarray  # int32
    shifts: np.ndarray  # (n_layers,) int64: of the gradients that pass back through a layer (first entry unused)


class Learnt(NamedTuple):
    """What a step of the optimiser changes."""

    master: np.ndarray  # (n,) float32
    moment: np.ndarray  # (n,) float32
    square: np.ndarray  # (n,) float32
    powers: np.ndarray  # (2,) float32: running powers of the two betas


class Window(NamedTuple):
    """`size` x `size` samples from [y, x] of a plane of errors."""

    y: int
    x: int
    size: int


class LossScale(NamedTuple):
    """Integer form of the loss, and how its gradient is scaled."""

    sample_shift: int  # one sample is 2**sample_shift of the output, at most 2**14
    bound: int  # 1..2**29
    shift: int  # of `gradient_shift`
    light: int  # 0..7


@kernel(unit=True)
def pack_weights(master, tables, packed):
    """Quantise the master weights and lay them out for the convolutions.

    Parameters
    ----------
    master : (n,) float32, within +-MASTER_LIMIT
    tables : Tables
    packed : Packed, written

    Notes
    -----
    A shift follows from the largest L1 norm of the weights that one input has, at most 576 * 32767: 1..22 bits.
    """
    layers, bias_index = tables.layers, tables.bias
    quantised, forward, backward, bias, shifts = packed
    n = master.size
    for i in range(n):
        quantised[i] = np.int32(np.rint(master[i] * np.float32(1 << WEIGHT_BITS)))
    quantised[n] = 0
    low, high = tables.forward[0], tables.forward[1]
    for i in range(forward.size):
        forward[i] = (quantised[low[i]] & 0xFFFF) | (quantised[high[i]] << 16)
    low, high = tables.backward[0], tables.backward[1]
    for i in range(backward.size):
        backward[i] = (quantised[low[i]] & 0xFFFF) | (quantised[high[i]] << 16)
    for i in range(bias.size):
        bias[i] = np.int32(np.rint(np.float64(master[bias_index[i]]) * np.float64(1 << (WEIGHT_BITS + ACT_BITS))))
    for k in range(1, layers.size):
        layer = layers[k]
        largest = np.int64(1)
        for ci in range(layer.n_in):
            norm = np.int64(0)
            for co in range(1 if layer.depthwise else layer.n_out):
                at = layer.start + (ci if layer.depthwise else co * layer.n_in + ci) * layer.taps
                filter_taps = quantised[at : at + layer.taps]
                for tap in range(layer.taps):
                    norm += abs(filter_taps[tap])
            largest = max(largest, norm)
        bits = np.int64(0)
        while largest > 0:
            largest >>= 1
            bits += 1
        shifts[k] = max(np.int64(1), bits - layer.headroom)


@kernel
def gather_tile(planes, at, rows, rs, cs, paired, flat, write_flat):
    """Copy a tile of the input planes into a net's buffers.

    Parameters
    ----------
    planes : (n_inputs, h, w) int16
    at : (int, int), row and column of the tile's corner
    rows, rs : int, the tile's rows and columns
    cs : int, distance of planes in the buffers
    paired : int32 view of a paired buffer, written; flat : int16, written where `write_flat`
    """
    y0, x0 = at
    for c in range(0, planes.shape[0], 2):
        for y in range(rows):
            to = c // 2 * cs + y * rs
            both = paired[to : to + rs]
            low, high = planes[c, y0 + y][x0 : x0 + rs], planes[c + 1, y0 + y][x0 : x0 + rs]
            for x in range(rs):
                both[x] = (np.int32(low[x]) & 0xFFFF) | (np.int32(high[x]) << 16)
            if write_flat:
                to = c * cs + y * rs
                to_low, to_high = flat[to : to + rs], flat[to + cs : to + cs + rs]
                for x in range(rs):
                    to_low[x] = low[x]
                    to_high[x] = high[x]


@kernel(unit=True)
def loss_gradient(y, rs, error, window, loss, flat, paired, output):
    """Gradient of the loss of a tile with respect to one of the net's outputs.

    e = error + y, clipped to +-bound, rounded down by `shift` bits so that it fits +-4095, or up by -`shift` bits so
    that it fills them; rounded down by `light` more bits where the sample weighs less; 0 where masked.

    Parameters
    ----------
    y : flat int16 Q14 outputs, rows of `rs`, those of this output first
    error : (h, w) int16, prediction minus target in samples, that plus LIGHT, or MASKED; the tile is at `window`
    loss : LossScale
    flat : flat int16, written; paired : int32 view of the paired buffer, written; both from the tile's corner on
    output : int, 0 or 1: which of the two channels of the pair; 0 comes first and clears the other
    """
    y0, x0, size = window
    down, up = np.int32(max(loss.shift, 0)), np.int32(max(-loss.shift, 0))
    half, light_half, faint = np.int32((1 << down) >> 1), np.int32((1 << loss.light) >> 1), np.int32(loss.light)
    keep, place = np.int32(0xFFFF * output), np.int32(16 * output)
    limit, scale = np.int32(loss.bound), np.int32(1 << loss.sample_shift)
    for i in range(size):
        row, outputs = error[y0 + i][x0 : x0 + size], y[i * rs : i * rs + size]
        to_flat, to_pair = flat[i * rs : i * rs + size], paired[i * rs : i * rs + size]
        for j in range(size):
            d = np.int32(row[j])
            is_light = d > LIGHT >> 1
            e = np.int32((d - LIGHT if is_light else d) * scale + np.int32(outputs[j]))
            e = np.int32(min(max(e, -limit), limit) + half) >> down << up
            e = np.int32(min(max(e, -GRAD_CLIP), GRAD_CLIP))
            e = np.int32(e + light_half) >> faint if is_light else e
            e = np.int32(0) if d == MASKED else np.int32(e)
            to_flat[j] = e
            to_pair[j] = (to_pair[j] & keep) | (e & 0xFFFF) << place


@kernel(unit=True)
def bias_gradients(g, dw, job):
    """Of a GradientJob: dw[bias + co] += sum of g[co] << 10, at the scale of the weights'.  n * 4095 < 2**31."""
    for co in range(job.n_out):
        total = np.int32(0)
        at = job.g + co * job.cs
        row = g[at : at + job.n]
        for p in range(job.n):
            total = np.int32(total + np.int32(row[p]))
        dw[job.bias + co] += np.int64(total) << ACT_BITS


@kernel(unit=True)
def optimise(method, learnt, gradient, layers, scales, rates):
    """One step of Adam or of SGD with momentum, in place.

    Parameters
    ----------
    method : int, ADAM or SGD
    learnt : Learnt
    gradient : (n,) int64; scales : (n_layers,) float64 powers of two, gradient to float
    layers : table of packing.Packing
    rates : (4,) float32: learning rate, beta1 (or momentum), beta2, epsilon
    """
    master, moment, square, powers = learnt
    one, limit = np.float32(1), np.float32(MASTER_LIMIT)
    rate, beta1, beta2, epsilon = rates[0], rates[1], rates[2], rates[3]
    rest1, rest2 = one - beta1, one - beta2
    powers[0] = powers[0] * beta1
    powers[1] = powers[1] * beta2
    step, unbias = rate / (one - powers[0]), one / (one - powers[1])
    for layer in range(layers.size):
        scale = scales[layer]
        for i in range(layers[layer].start, layers[layer].end):
            g = np.float32(np.float64(gradient[i]) * scale)
            if method == ADAM:
                moment[i] = beta1 * moment[i] + rest1 * g
                square[i] = beta2 * square[i] + rest2 * (g * g)
                w = master[i] - step * moment[i] / (np.sqrt(square[i] * unbias) + epsilon)
            else:
                moment[i] = beta1 * moment[i] + g
                w = master[i] - rate * moment[i]
            master[i] = min(max(w, -limit), limit)


@kernel
def update_average(average, master, rate):
    """average += rate * (master - average), all float32."""
    for i in range(average.size):
        average[i] = average[i] + rate * (master[i] - average[i])


@kernel
def subnormal_product(value):
    """value[0] * value[1] into value[2]: zero on a processor set to flush subnormals."""
    value[2] = value[0] * value[1]


def gradient_shift(bound):
    """Right shift that brings +-bound into +-4095 so that it fills them; below 0 it is a left shift."""
    return bound.bit_length() - GRAD_CLIP.bit_length()
