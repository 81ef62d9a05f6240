"""Normative.  The in-loop filter: a network over a whole decoded picture.  Its meaning is stated in spec.py."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np

from codecsim.learned.engine.packing import (
    FLAT,
    PAIRED,
    Operands,
    conv_pairs,
    depthwise_pairs,
    join_pairs,
    layer_job,
    plane_stride,
)
from codecsim.learned.engine.self_check import check_engine
from codecsim.learned.engine.spec import (
    ACT_BITS,
    ACT_CLIP,
    DEPTHWISE3,
    LANES,
    LEAK_SHIFT,
    WEIGHT_BITS,
    WEIGHT_CLIP,
    NetSpec,
)
from codecsim.learned.engine.tile_net import engine_ops
from codecsim.learned.loop.planes import (
    add_gated,
    clear_borders,
    correct_picture,
    load_picture,
    pair_planes,
    unit_sums,
)
from codecsim.learned.loop.spec import GATE_BITS, LoopLayer, LoopSpec, slice_features
from codecsim.picture.planes import Planes

_OVERSHOOT = 256  # samples that a layer's kernel may write or read beyond its last


def quantise_weights(weights: np.ndarray) -> np.ndarray:
    """float32 weights as int64 Q13, clipped to +-32767."""
    scaled = np.rint(np.asarray(weights, np.float64) * (1 << WEIGHT_BITS))
    return np.clip(scaled, -WEIGHT_CLIP, WEIGHT_CLIP).astype(np.int64)


def quantise_biases(biases: np.ndarray) -> np.ndarray:
    """float32 biases as int64 at the accumulator's scale."""
    return np.rint(np.asarray(biases, np.float64) * (1 << (WEIGHT_BITS + ACT_BITS))).astype(np.int64)


def split_weights(spec: LoopSpec, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Dict of name to array of the (n,) canonical weights of a LoopSpec."""
    found, at = {}, 0
    for name, shape in spec.tensors:
        size = int(np.prod(shape))
        found[name] = weights[at : at + size].reshape(shape)
        at += size
    return found


def read_form(layer: LoopLayer) -> int:
    """Form, PAIRED or FLAT, in which a LoopLayer reads its planes."""
    return FLAT if layer.kind == DEPTHWISE3 else PAIRED


class _Convolution:
    """A LoopLayer with its weights as operands."""

    def __init__(self, layer: LoopLayer, weight: np.ndarray, bias: np.ndarray, form: int):
        quantised, n_in = quantise_weights(weight), layer.n_in
        self.kind, self.form = layer.kind, form
        self.n_out = -(-layer.n_out // LANES) * LANES
        if layer.kind == DEPTHWISE3:
            pairs = depthwise_pairs(quantised[:, 0])
        else:
            full = np.zeros((self.n_out, *quantised.shape[1:]), np.int64)
            full[: layer.n_out] = quantised
            pairs = conv_pairs(full)
        self.operands = join_pairs(pairs)
        self.bias = np.zeros(self.n_out, np.int32)
        self.bias[: layer.n_out] = quantise_biases(bias)
        self.n_in, self.leak = n_in, LEAK_SHIFT if layer.leaky else 0


class _Dense:
    """A dense layer."""

    def __init__(self, weight: np.ndarray, bias: np.ndarray, leaky: bool):
        self.weight, self.bias, self.leaky = quantise_weights(weight), quantise_biases(bias), leaky

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(n_in,) int64 Q10 to (n_out,)."""
        acc = self.bias + (self.weight * x).sum(axis=1)
        if self.leaky:
            acc = np.where(acc > 0, acc, acc >> LEAK_SHIFT)
        return np.clip((acc + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS, -ACT_CLIP, ACT_CLIP)


class LoopFilter:
    """The network of an in-loop filter for pictures of one size.

    Parameters
    ----------
    spec : LoopSpec
    weights : (spec.n_weights,) float32 in canonical order
    width, height : int, coded luma size, multiples of 8
    bit_depth : int, 8 or 10
    threads : int; does not change results

    Raises
    ------
    ModelError : where this machine does not compute as the format demands
    """

    def __init__(
        self, spec: LoopSpec, weights: np.ndarray, width: int, height: int, bit_depth: int = 8, threads: int = 1
    ):
        check_engine([NetSpec(LANES, tuple((layer.kind, LANES) for layer in spec.residual))])
        self.spec, self._bit_depth, self._threads = spec, bit_depth, max(1, threads)
        self._ops = engine_ops()
        self._height, self._width = height // 2, width // 2
        self._rs, self._rows = self._width + 2, self._height + 2
        self._cs = plane_stride(self._rows * self._rs + 2 * _OVERSHOOT)
        self._bands = [self._height * k // self._threads for k in range(self._threads + 1)]
        self._pool = ThreadPoolExecutor(self._threads) if self._threads > 1 else None
        self._scratch = [np.zeros(_OVERSHOOT, np.int32) for _ in range(self._threads)]
        size = spec.channels * self._cs + 4 * _OVERSHOOT
        self._stream, self._first, self._second = (np.zeros(size, np.int16) for _ in range(3))
        self._input = np.zeros(LANES * self._cs + 4 * _OVERSHOOT, np.int16)
        self._sums, self._plain = np.zeros(spec.channels, np.int64), np.full(spec.channels, 1 << GATE_BITS, np.int32)
        self._corrected = Planes(
            np.zeros((height, width), np.uint16), *(np.zeros((height // 2, width // 2), np.uint16) for _ in range(2))
        )
        self._build(split_weights(spec, weights))

    def _build(self, tensors: Mapping[str, np.ndarray]) -> None:
        spec = self.spec

        def convolution(name: str, layer: LoopLayer, form: int) -> Any:
            return _Convolution(layer, tensors[f"{name}.weight"], tensors[f"{name}.bias"], form)

        self._form = read_form(spec.residual[0])
        forms = [*(read_form(layer) for layer in spec.residual[1:]), self._form]
        self._head = convolution("head", spec.head, self._form)
        self._blocks = []
        for k, gated in enumerate(spec.gated):
            layers = [
                convolution(f"blocks.{k}.residual.{i}", layer, form)
                for i, (layer, form) in enumerate(zip(spec.residual, forms, strict=True))
            ]
            gate = None
            if gated:
                gate = [
                    _Dense(tensors[f"blocks.{k}.{name}.weight"], tensors[f"blocks.{k}.{name}.bias"], name == "squeeze")
                    for name in ("squeeze", "excite")
                ]
            self._blocks.append((layers, gate))
        self._tail = convolution("tail", spec.tail, FLAT)

    def run(self, planes: Planes, qp: int, slice_type: int) -> Planes:
        """Filter a picture.

        Parameters
        ----------
        planes : picture.Planes with their borders, before the filter
        qp : int, SliceQpY; slice_type : int, 0 B, 1 P, 2 I

        Returns
        -------
        Planes without borders, of the coded size; they stay until the next call
        """
        load_picture(planes, self._input, self._cs, self._rs, self._bit_depth)
        self._convolve(self._head, self._input, self._stream)
        features = slice_features(qp, slice_type)
        for layers, gate in self._blocks:
            source, target, other = self._stream, self._first, self._second
            for layer in layers:
                self._convolve(layer, source, target)
                source, target, other = target, other, target
            self._add(source, gate, features)
        source, target = self._stream, self._second
        if self._form == FLAT:
            source = self._first
            pair_planes(self._stream, source, self.spec.channels // 2, self._cs, self._rows * self._rs)
        self._convolve(self._tail, source, target)
        correct_picture(planes, target, self._cs, self._rs, self._bit_depth, self._corrected)
        return self._corrected

    @property
    def nbytes(self) -> int:
        """Bytes of the planes in work."""
        planes = (self._stream, self._first, self._second, self._input, *self._corrected)
        return sum(plane.nbytes for plane in planes)

    def _spread(self, work: Callable[..., Any]) -> None:
        """Call work(thread) for every thread."""
        if self._pool is None:
            work(0)
        else:
            list(self._pool.map(work, range(self._threads)))

    def _convolve(self, layer: _Convolution, source: np.ndarray, target: np.ndarray) -> None:
        """A layer over the whole picture, zeros around it.

        Threads share rows.  Each may write past its own last row, but then what the next one writes there too.
        """
        kernel = getattr(self._ops, f"forward_{layer.kind}")
        rs, form = self._rs, layer.form
        centre = rs + 1
        reach = 0 if layer.kind == "conv1" else 1
        span_in = 1 if layer.kind == DEPTHWISE3 else 2

        def work(thread: int) -> None:
            top, bottom = self._bands[thread], self._bands[thread + 1]
            at = top * rs + centre
            job = layer_job(
                layer.n_out, layer.n_in, (self._cs, rs, (bottom - top) * rs), form, layer.leak,
                x=span_in * (at - reach * centre), to_paired=2 * at, to_flat=at,
            )  # fmt: skip
            operands = Operands(source, layer.operands, layer.bias, target, target, target)
            kernel(operands, job, WEIGHT_BITS, self._scratch[thread])

        self._spread(work)
        span = 2 if form == PAIRED else 1
        clear_borders(target, layer.n_out // span, span * self._cs, span, self._rows, rs)

    def _add(self, residual: np.ndarray, gate: Sequence[_Dense] | None, features: Sequence[int]) -> None:
        """Add a block's gated residual to the stream."""
        span = 2 if self._form == PAIRED else 1
        layout = (span * self._cs, span, self._rows * self._rs)
        shares = list(pairwise(self.spec.channels // span * k // self._threads for k in range(self._threads + 1)))
        gates = self._plain
        if gate is not None:
            self._spread(lambda thread: unit_sums(residual, *shares[thread], *layout, self._sums))
            count = self._height * self._width
            means = (2 * self._sums + count) // (2 * count)
            squeeze, excite = gate
            z = excite(squeeze(np.concatenate([means, np.array(features, np.int64)])))
            gates = np.clip(z + (1 << GATE_BITS), 0, 2 << GATE_BITS).astype(np.int32)
        self._spread(lambda thread: add_gated(self._stream, residual, *shares[thread], *layout, gates))
