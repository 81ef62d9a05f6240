"""Normative.  A network on a tile: forward, backward, training step.

The kernels come from ops_vector or ops_plain, chosen once by the environment variable CODECSIM_ENGINE (`vector`, the
default, or `plain`); both give the same bits.
"""

import os
from typing import NamedTuple

import numpy as np

from codecsim.errors import ConfigError
from codecsim.learned import ops_plain, ops_vector
from codecsim.learned.spec import ACT_BITS, LANES, OUTPUT_BITS, WEIGHT_BITS, packing
from codecsim.learned.update import (
    bias_gradients,
    gather_tile,
    gradient_shift,
    loss_gradient,
    optimise,
    pack_weights,
)

_OPS = {"vector": ops_vector, "plain": ops_plain}


def engine_ops(name=None):
    """Kernel module by name, or the one the environment chooses.

    Raises
    ------
    ConfigError : for an unknown name
    """
    name = name or os.environ.get("CODECSIM_ENGINE") or "vector"
    if name not in _OPS:
        raise ConfigError(f"CODECSIM_ENGINE: no engine named {name!r}; there are: {', '.join(_OPS)}")
    return _OPS[name]


class PackedWeights:
    """Quantised weights in the layout of the kernels (spec.Packing), and the gradients' shifts."""

    def __init__(self, spec):
        self.spec, self.tables = spec, packing(spec)
        self.quantised = np.zeros(spec.n_weights + 1, np.int32)
        self.forward = np.zeros(self.tables.forward.shape[1], np.int32)
        self.backward = np.zeros(self.tables.backward.shape[1], np.int32)
        self.bias = np.zeros(self.tables.bias.size, np.int32)
        self.shifts = np.zeros(len(spec.layers), np.int64)

    def update(self, master):
        """Take over `master`, (n,) float32 canonical weights."""
        t = self.tables
        pack_weights(
            master, t.layers, t.forward, t.backward, t.bias,
            self.quantised, self.forward, self.backward, self.bias, self.shifts,
        )  # fmt: skip


class Loss(NamedTuple):
    """Integer form of the loss: one sample is 2**sample_shift of the output, errors are clipped to +-bound of it."""

    sample_shift: int
    bound: int


class Optimiser(NamedTuple):
    """Method (update.ADAM or SGD) and float32 [learning rate, beta1, beta2, epsilon]."""

    method: int
    rates: np.ndarray


class TileNet:
    """Buffers and kernels for tiles of one size.

    Parameters
    ----------
    spec : NetSpec
    height, width : int, samples of output
    train : bool, whether `backward` will be called
    ops : module, ops_vector or ops_plain (default: `engine_ops()`)
    """

    def __init__(self, spec, height, width, train=False, ops=None):
        self.spec, self.height, self.width, self.train = spec, height, width, train
        self.ops = ops or engine_ops()
        margin = spec.margin
        self.rows, self.stride = height + 2 * margin, width + 2 * margin
        self._front = 2 * self.stride + 16  # zeros before each plane of gradients
        self.plane = -(-(self.rows * self.stride + self._front + 4 * self.stride + 256) // 64) * 64
        n_acts = spec.n_inputs + spec.hidden_layers * spec.channels
        slack = 2 * self.plane
        self.paired = np.zeros(n_acts * self.plane + slack, np.int16)
        self.flat = np.zeros(n_acts * self.plane + slack if train else 1, np.int16)
        self.y = np.zeros(self.rows * self.stride + 1024, np.int16)
        self._scratch = np.zeros(256, np.int32)
        self._paired32 = self.paired.view(np.int32)
        self._forward_jobs()
        if train:
            n_grads = spec.hidden_layers * spec.channels + 2
            self.grad_paired = np.zeros(n_grads * self.plane + slack, np.int16)
            self.grad_flat = np.zeros(n_grads * self.plane + slack, np.int16)
            self._grad_paired32 = self.grad_paired.view(np.int32)
            self.gradient = np.zeros(spec.n_weights, np.int64)
            self._zeros = np.zeros(spec.channels, np.int32)
            self._scales = np.zeros(len(spec.layers), np.float64)
            self._backward_jobs()

    def _base(self, layer):
        """Offset of the planes that enter `layer`."""
        return 0 if layer == 0 else (self.spec.n_inputs + (layer - 1) * self.spec.channels) * self.plane

    def _positions(self, layer):
        """Flat positions of the output of `layer`."""
        return self.stride * (self.rows - 2 * (layer + 1))

    def _forward_jobs(self):
        spec, tables, cs, rs = self.spec, packing(self.spec), self.plane, self.stride
        self._hidden_jobs = []
        for i, layer in enumerate(spec.layers[:-1]):
            out = self._base(i + 1)
            job = [self._base(i), tables.forward_start[i], i * spec.channels, out, out if self.train else 0, 0]
            job += [layer.n_out // LANES, layer.n_in // 2, cs, rs, self._positions(i), int(self.train)]
            self._hidden_jobs.append(np.array(job, np.int64))
        last = spec.hidden_layers
        centre = (spec.margin - 2) * (rs + 1)
        job = [self._base(last), tables.forward_start[last], 2 * centre, tables.skip_start, last * spec.channels, 0]
        job += [spec.channels // 2, spec.n_inputs // 2, cs, rs, self._positions(last)]
        self._output_job = np.array(job, np.int64)
        self._centre = centre

    def _backward_jobs(self):
        spec, tables, cs, rs, front = self.spec, packing(self.spec), self.plane, self.stride, self._front
        last, channels = spec.hidden_layers, spec.channels
        self._backward, self._gradients = {}, {}
        for i, layer in enumerate(spec.layers):
            g = i * channels * cs  # gradient planes of the output of layer i
            job = [self._base(i), g + front, layer.weights, layer.n_out, layer.n_in, cs, rs, self._positions(i)]
            self._gradients[i] = np.array(job, np.int64)
            if i:
                into = (i - 1) * channels * cs
                job = [g + 2 * (front - 2 * rs - 2), tables.backward_start[i], 0, into + 2 * front, into + front]
                job += [self._base(i), channels // LANES, (layer.n_out + 1) // 2, cs, rs, self._positions(i - 1), 1]
                self._backward[i] = np.array(job, np.int64)
        job = [self._centre, last * channels * cs + front, spec.layers[-1].skip, 1, spec.n_inputs, cs, rs]
        self._skip_job = np.array([*job, self._positions(last)], np.int64)
        self._loss_at = (last * channels * cs + front, last * channels * cs // 2 + front)

    def load(self, planes, y0, x0):
        """Take the inputs of the tile whose output corner is (y0, x0).

        planes : (n_inputs, h, w) int16, with `spec.margin` samples before the picture's first row and column
        """
        gather_tile(planes, y0, x0, self.rows, self.stride, self.plane, self._paired32, self.flat, self.train)

    def forward(self, packed):
        """Run the net on the loaded inputs into `y`: flat int16 Q14, rows of `stride`."""
        for job in self._hidden_jobs:
            self.ops.hidden(
                self.paired, packed.forward, packed.bias, self.paired, self.flat, job, WEIGHT_BITS, self._scratch
            )
        self.ops.output(self.paired, packed.forward, packed.bias, self.y, self._output_job, self._scratch)

    def output(self):
        """(height, width) int16 view of the output."""
        return self.y[: self.height * self.stride].reshape(self.height, self.stride)[:, : self.width]

    def backward(self, packed, error, y0, x0, loss):
        """Gradients of the loss into `gradient` (n,) int64 and their scales.

        error : (h, w) int16, prediction minus target, or update.MASKED; (y0, x0) the tile's corner in it
        """
        last, shift = self.spec.hidden_layers, gradient_shift(loss.bound)
        flat_at, paired_at = self._loss_at
        loss_gradient(
            self.y, self.stride, error, y0, x0, self.height, loss.sample_shift, loss.bound, shift,
            self.grad_flat, flat_at, self._grad_paired32, paired_at,
        )  # fmt: skip
        self.gradient[:] = 0
        # mean over the tile of half the squared output error
        scale = 2.0 ** (shift - OUTPUT_BITS - ACT_BITS) / (self.height * self.width)
        self.ops.gradients_skip(self.flat, self.grad_flat, self.gradient, self._skip_job)
        for i in range(last, -1, -1):
            layer, job = self.spec.layers[i], self._gradients[i]
            gradients = self.ops.gradients_output if i == last else self.ops.gradients_hidden
            gradients(self.flat, self.grad_flat, self.gradient, job)
            bias_gradients(self.grad_flat, job[1], self.plane, layer.n_out, job[7], self.gradient, layer.bias)
            self._scales[i] = scale
            if i:
                self.ops.backward(
                    self.grad_paired, packed.backward, self._zeros, self.grad_paired, self.grad_flat, self.flat,
                    self._backward[i], packed.shifts[i], self._scratch,
                )  # fmt: skip
                scale *= 2.0 ** (int(packed.shifts[i]) - WEIGHT_BITS)

    def step(self, state, packed, error, y0, x0, loss, optimiser):
        """One training step on the loaded inputs: forward, backward, update of `state` in place.

        state : LearnerState (its `master`, `moment`, `square`, `powers`)
        """
        packed.update(state.master)
        self.forward(packed)
        self.backward(packed, error, y0, x0, loss)
        optimise(
            optimiser.method, state.master, state.moment, state.square, state.powers, self.gradient,
            packed.tables.layers, self._scales, optimiser.rates,
        )  # fmt: skip
