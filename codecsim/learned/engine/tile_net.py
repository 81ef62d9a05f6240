"""Normative.  A network on a tile: forward, backward, training step.

The kernels come from ops_vector or ops_plain, chosen once by the environment variable CODECSIM_ENGINE (`vector`, the
default, or `plain`); both give the same bits.
"""

import os
from typing import Any, NamedTuple

import numpy as np

from codecsim.errors import ConfigError
from codecsim.kernels.records import make_record, make_records, stack
from codecsim.learned.engine import ops_plain, ops_vector
from codecsim.learned.engine.packing import (
    FLAT,
    PAIRED,
    GradientJob,
    LayerJob,
    OutputJob,
    gradient_job,
    layer_job,
    packing,
    plane_stride,
)
from codecsim.learned.engine.passes import BackwardJobs, Buffers, GradientBuffers, run_backward, run_forward
from codecsim.learned.engine.spec import ACT_BITS, DEPTHWISE3, KINDS, OUTPUT_BITS, NetSpec
from codecsim.learned.engine.state import LearnerState
from codecsim.learned.engine.update import (
    Learnt,
    LossScale,
    Packed,
    Tables,
    Window,
    gather_tile,
    gradient_shift,
    loss_gradient,
    optimise,
    pack_weights,
)

_OPS = {"vector": ops_vector, "plain": ops_plain}


def engine_ops(name: str | None = None) -> Any:
    """Kernel module by name, or the one the environment chooses.

    Raises
    ------
    ConfigError : for an unknown name
    """
    name = name or os.environ.get("CODECSIM_ENGINE") or "vector"
    if name not in _OPS:
        raise ConfigError(f"CODECSIM_ENGINE: no engine named {name!r}; there are: {', '.join(_OPS)}")
    return _OPS[name]


def picture_tiling(height: int, width: int) -> tuple[int, int, int, int]:
    """Equal tiles for a pass over a whole picture: (rows, columns, height of a tile, width of a tile).

    Not normative: about 64x128 samples fit the second-level cache.
    """
    rows, columns = max(1, round(height / 64)), max(1, round(width / 128))
    return rows, columns, -(-height // (rows * 4)) * 4, -(-width // (columns * 8)) * 8


def _bytes_of(thing: object) -> int:
    """Bytes in the arrays that an object holds."""
    return sum(value.nbytes for value in vars(thing).values() if isinstance(value, np.ndarray) and value.base is None)


class PackedWeights:
    """Quantised weights in the layout of the kernels (packing.Packing), and the gradients' shifts."""

    def __init__(self, spec: NetSpec):
        self.spec, self.tables = spec, packing(spec)
        self.quantised = np.zeros(spec.n_weights + 1, np.int32)
        self.forward = np.zeros(self.tables.forward.shape[1], np.int32)
        self.backward = np.zeros(self.tables.backward.shape[1], np.int32)
        self.bias = np.zeros(self.tables.bias.size, np.int32)
        self.shifts = np.zeros(len(spec.layers), np.int64)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return _bytes_of(self)

    def update(self, master: np.ndarray) -> None:
        """Take over `master`, (n,) float32 canonical weights."""
        t = self.tables
        packed = Packed(self.quantised, self.forward, self.backward, self.bias, self.shifts)
        pack_weights(master, Tables(t.layers, t.forward, t.backward, t.bias), packed)


class Loss(NamedTuple):
    """Integer form of the loss."""

    sample_shift: int  # one sample is 2**sample_shift of the output
    bound: int  # errors are clipped to +-bound of the output
    light: int = 0  # samples marked by update.LIGHT weigh 2**-light


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
    plane : int, distance of planes; by default the least
    """

    def __init__(self, spec: NetSpec, height: int, width: int, train: bool = False, ops: Any = None, plane: int = 0):
        self.spec, self.height, self.width, self.train = spec, height, width, train
        margin, self._layers, self._tables = spec.margin, spec.layers, packing(spec)
        self.rows, self.stride = height + 2 * margin, width + 2 * margin
        self._front = 2 * self.stride + 16  # zeros before each plane of gradients
        self.plane = plane or plane_stride(self.rows * self.stride + self._front + 4 * self.stride + 256)
        kinds = [layer.kind for layer in self._layers]
        plain = 1 if (ops or engine_ops()) is ops_plain else None
        self._kernels = plain, 1 if DEPTHWISE3 in kinds else None  # as passes.py has them
        self._flat_inputs = train or kinds[0] == DEPTHWISE3
        n_acts = sum(layer.n_in for layer in self._layers)
        slack = 2 * self.plane
        self.paired = np.zeros(n_acts * self.plane + slack, np.int16)
        self.flat = np.zeros(n_acts * self.plane + slack if train or DEPTHWISE3 in kinds else 1, np.int16)
        self.y_plane = self.rows * self.stride + 1024
        self.y = np.zeros(spec.n_outputs * self.y_plane, np.int16)
        self._paired32 = self.paired.view(np.int32)
        self._act_base = np.cumsum([0, *(layer.n_in for layer in self._layers[:-1])]) * self.plane
        # what the first layer leaves out at the top and left, in a net whose hidden layers need less than the 5x5 path
        self._lead = margin - 1 - spec.reach
        scratch = np.zeros(256, np.int32)
        self._buffers = Buffers(self.paired, self.flat, self.y, scratch)
        self._hidden, self._outputs = self._forward_jobs()
        if train:
            widths = [layer.n_out for layer in self._layers[:-1]] + [2]
            self._grad_base = np.cumsum([0, *widths]) * self.plane
            self.grad_paired = np.zeros(self._grad_base[-1] + slack, np.int16)
            self.grad_flat = np.zeros(self._grad_base[-1] + slack, np.int16)
            self._grad_paired32 = self.grad_paired.view(np.int32)
            self.gradient = np.zeros(spec.n_weights, np.int64)
            self._scales = np.zeros(len(self._layers), np.float64)
            into = self.grad_paired, self.grad_flat, self.gradient, self._scales
            self._gradient_buffers = GradientBuffers(*into, np.zeros(max(widths), np.int32), scratch)
            self._backward = self._backward_jobs()

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return _bytes_of(self)

    def _planes(self, layer: int) -> tuple[int, int, int]:
        """Plane stride, row stride, flat positions of the output of `layer`."""
        taken = self._lead + sum(x.side // 2 for x in self._layers[: layer + 1])
        return self.plane, self.stride, self.stride * (self.rows - 2 * taken)

    def _first_position(self, layer: int) -> int:
        """Flat position where the planes that enter `layer` begin."""
        return self._lead * (self.stride + 1) if layer == 0 else 0

    def _reads_flat(self, layer: int) -> bool:
        return self._layers[layer].kind == DEPTHWISE3

    def _forward_jobs(self) -> tuple[np.ndarray, np.ndarray]:
        """Jobs of the hidden layers and of the outputs."""
        spec, tables, base = self.spec, self._tables, self._act_base
        hidden, outputs = make_records(LayerJob, len(self._layers) - 1), make_records(OutputJob, spec.n_outputs)
        for i, layer in enumerate(self._layers[:-1]):
            step = 1 if self._reads_flat(i) else 2
            forms = FLAT if self._reads_flat(i + 1) else PAIRED
            hidden[i] = layer_job(
                layer.n_out, layer.n_in, self._planes(i), forms | (FLAT if self.train else 0),
                x=base[i] + step * self._first_position(i), w=tables.forward_start[i], bias=tables.bias_start[i],
                to_paired=base[i + 1], to_flat=base[i + 1],
            )  # fmt: skip
            hidden[i].kind = KINDS.index(layer.kind)
        last, n_in = len(self._layers) - 1, self._layers[-1].n_in
        self._centre = (spec.margin - 2) * (self.stride + 1)
        for output in range(spec.n_outputs):
            cs, rs, n = self._planes(last)
            outputs[output] = make_record(
                OutputJob,
                x=base[last], w=tables.forward_start[last] + output * (n_in // 2) * 9,
                skip_x=2 * self._centre, skip_w=tables.skip_start + output * (spec.n_inputs // 2) * 25,
                bias=tables.bias_start[last] + output, out=output * self.y_plane,
                n_pairs=n_in // 2, n_skip_pairs=spec.n_inputs // 2, cs=cs, rs=rs, n=n,
            )  # fmt: skip
        return np.asarray(hidden), np.asarray(outputs)

    def _backward_jobs(self) -> BackwardJobs:
        """The `BackwardJobs`."""
        spec, tables, front = self.spec, self._tables, self._front
        reach = 2 * self.stride + 2
        last, acts, grads = len(self._layers) - 1, self._act_base, self._grad_base
        gradients, data = make_records(GradientJob, last + 1), make_records(LayerJob, last + 1)
        for i, layer in enumerate(self._layers):
            x, counts = acts[i] + self._first_position(i), (layer.n_out, layer.n_in)
            gradients[i] = gradient_job(x, grads[i] + front, layer.weights, counts, self._planes(i))
            gradients[i].bias, gradients[i].kind = layer.bias, KINDS.index(layer.kind)
            if i:
                step = 1 if self._reads_flat(i) else 2
                forms = FLAT if self._reads_flat(i - 1) else FLAT | PAIRED
                data[i] = layer_job(
                    layer.n_in, layer.n_out + layer.n_out % 2, self._planes(i - 1), forms,
                    x=grads[i] + step * (front - (reach if layer.side == 3 else 0)), w=tables.backward_start[i],
                    to_paired=grads[i - 1] + 2 * front, to_flat=grads[i - 1] + front, mask=acts[i],
                )  # fmt: skip
                data[i].kind = KINDS.index(layer.kind)
        counts, skip = (spec.n_outputs, spec.n_inputs), self._layers[-1].skip
        of_skip = gradient_job(self._centre, grads[last] + front, skip, counts, self._planes(last))
        return BackwardJobs(*map(np.asarray, (gradients, data, stack([of_skip]))))

    @property
    def jobs(self) -> tuple[np.ndarray, np.ndarray]:
        """Jobs of `forward`: of the hidden layers, (n,) of LayerJob, and of the outputs, (n_outputs,) of OutputJob."""
        return self._hidden, self._outputs

    @property
    def training_jobs(self) -> BackwardJobs:
        """The `BackwardJobs`."""
        return self._backward

    @property
    def gradient_places(self) -> tuple[int, int]:
        """Where the gradient of the output begins: offsets in `grad_flat` and in `grad_paired` as int32."""
        at = int(self._grad_base[-2])
        return at + self._front, at // 2 + self._front

    def load(self, planes: np.ndarray, y0: int, x0: int) -> None:
        """Take the inputs of the tile whose output corner is (y0, x0).

        planes : (n_inputs, h, w) int16, with `spec.margin` samples before the picture's first row and column
        """
        buffers = self._paired32, self.flat, self._flat_inputs
        gather_tile(planes, (y0, x0), self.rows, self.stride, self.plane, *buffers)

    def forward(self, packed: PackedWeights) -> None:
        """Run the net on the loaded inputs into `y`: flat int16 Q14, rows of `stride`, outputs `y_plane` apart."""
        run_forward(self._hidden, self._outputs, packed.forward, packed.bias, self._buffers, *self._kernels)

    def output(self, index: int = 0) -> np.ndarray:
        """(height, width) int16 view of an output."""
        found = self.y[index * self.y_plane :][: self.height * self.stride]
        return found.reshape(self.height, self.stride)[:, : self.width]

    def backward(
        self, packed: PackedWeights, error: np.ndarray, y0: int, x0: int, loss: Loss, add: bool = False
    ) -> None:
        """Gradients of the loss into `gradient` (n,) int64 and their scales.

        error : (h, w) int16, or (n_outputs, h, w): prediction minus target, or update.MASKED
        y0, x0 : int, the tile's corner in it
        add : bool, add to the gradients that are there, of the same weights
        """
        shift = gradient_shift(loss.bound)
        window, loss_scale = Window(y0, x0, self.height), LossScale(loss.sample_shift, loss.bound, shift, loss.light)
        flat_at, paired_at = self.gradient_places
        paired = self._grad_paired32[paired_at:]
        for output, plane in enumerate(error[None] if error.ndim == 2 else error):
            y, flat = self.y[output * self.y_plane :], self.grad_flat[flat_at + output * self.plane :]
            loss_gradient(y, self.stride, plane, window, loss_scale, flat, paired, output)
        if not add:
            self.gradient[:] = 0
        # mean over the tile of half the squared output error, summed over outputs
        scale = 2.0 ** (shift - OUTPUT_BITS - ACT_BITS) / (self.height * self.width)
        weights, shifts = packed.backward, packed.shifts
        run_backward(self._backward, weights, shifts, self.flat, self._gradient_buffers, scale, *self._kernels)

    def step(
        self,
        state: LearnerState,
        packed: PackedWeights,
        error: np.ndarray,
        y0: int,
        x0: int,
        loss: Loss,
        optimiser: Optimiser,
    ) -> None:
        """One training step on the loaded inputs: forward, backward, update of `state` in place.

        state : LearnerState (its `master`, `moment`, `square`, `powers`)
        """
        packed.update(state.master)
        self.forward(packed)
        self.backward(packed, error, y0, x0, loss)
        self.descend(state, packed, optimiser)

    def descend(self, state: LearnerState, packed: PackedWeights, optimiser: Optimiser, tiles: int = 1) -> None:
        """Update `state` in place with the mean of the gradients of so many tiles, a power of two."""
        learnt = Learnt(state.master, state.moment, state.square, state.powers)
        layers, scales = packed.tables.layers, self._scales / tiles
        optimise(optimiser.method, learnt, self.gradient, layers, scales, optimiser.rates)
