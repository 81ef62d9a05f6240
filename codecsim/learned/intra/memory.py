"""Normative.  Memory of the intra filter's learning: blocks to learn from, weights, and jobs of the engine's kernels.

A layout is a size of blocks and how many of them stand side by side in the engine's planes, each with its own margin.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from codecsim.kernels.records import make_record, make_records, stack
from codecsim.learned.engine.packing import PAIRED, packing
from codecsim.learned.engine.spec import ACT_BITS, OUTPUT_BITS, NetSpec
from codecsim.learned.engine.tile_net import Loss, TileNet
from codecsim.learned.engine.update import LossScale, gradient_shift
from codecsim.learned.intra.spec import IntraSpec

SIZES_LOG2 = (2, 3, 4, 5)  # of blocks
GROUPS = (16, 4, 1, 1)  # blocks of a step, by size: 2**8 samples, and those of 32x32 alone


class Block:
    """A block to learn from."""

    network: int
    log2: int  # of its size
    start: int  # of its patch


class Group:
    """Blocks that train together."""

    network: int
    size_idx: int  # into SIZES_LOG2
    first: int  # in Groups.order
    count: int


class Shape:
    """Of a layout."""

    side: int  # of a patch
    row: int  # strides of rows and of planes
    plane: int
    flat_start: int  # where gradients begin, in flat and in paired planes
    paired_start: int


class Starts:
    """Where the memory of a size of blocks begins."""

    activations: int
    gradients: int
    outputs: int


class Examples(NamedTuple):
    """Blocks to learn from, in decoding order; arrays may be longer than what they hold."""

    blocks: np.ndarray  # (n,) of Block
    patches: np.ndarray  # int16: one after another, each (n_inputs, side, side), of intra.inputs.fill_patch
    errors: np.ndarray  # (n, 32, 32) int16: at the top left prediction minus reconstruction, turned as the patch is


class Training(NamedTuple):
    """Networks that learn, and memory for it."""

    master: np.ndarray  # (networks, n) float32
    moment: np.ndarray  # (networks, n) float32
    square: np.ndarray  # (networks, n) float32
    powers: np.ndarray  # (networks, 2) float32
    forward: np.ndarray  # (networks, ...) int32, packed
    bias: np.ndarray  # (networks, ...) int32
    backward: np.ndarray  # (networks, ...) int32, packed for the gradients of activations
    shifts: np.ndarray  # (networks, n_layers) int64
    initial_forward: np.ndarray  # (networks, ...) int32
    initial_bias: np.ndarray  # (networks, ...) int32
    # what is read only
    layers: np.ndarray  # these four: tables of packing.Packing
    forward_index: np.ndarray
    backward_index: np.ndarray
    bias_index: np.ndarray
    n_inputs: int
    first_layout: np.ndarray  # (sizes,) int64: the layout of one block; those of more follow
    shapes: np.ndarray  # (layouts,) of Shape
    compare_jobs: np.ndarray  # (layouts, hidden layers) of packing.LayerJob
    hidden_jobs: np.ndarray  # the same
    output_jobs: np.ndarray  # (layouts,) of packing.OutputJob
    gradient_jobs: np.ndarray  # (layouts, n_layers) of packing.GradientJob
    data_jobs: np.ndarray  # (layouts, n_layers) of packing.LayerJob
    skip_jobs: np.ndarray  # (layouts,) of packing.GradientJob
    starts: np.ndarray  # (sizes + 1,) of Starts
    groups_of: np.ndarray  # (sizes,) int64: GROUPS
    loss: LossScale
    scales_of: np.ndarray  # (sizes,) float64: a gradient of the last layer to float
    rates: np.ndarray  # (4,) float32: learning rate, beta1, beta2, epsilon
    # memory for what is in work
    activations: np.ndarray  # paired int16, and its int32 view
    activations32: np.ndarray
    flat: np.ndarray  # int16 of the same size
    gradients: np.ndarray  # paired int16, and its int32 view
    gradients32: np.ndarray
    gradients_flat: np.ndarray  # int16 of the same size
    outputs: np.ndarray  # int16
    latest: np.ndarray  # (sizes,) int64: how many blocks stood in the gradients' memory last
    quantised: np.ndarray  # (n + 1,) int32
    gradient: np.ndarray  # (n,) int64
    scales: np.ndarray  # (n_layers,) float64
    no_bias: np.ndarray  # int32 zeros
    accumulator: np.ndarray  # (256,) int32
    waiting: np.ndarray  # (networks * sizes, 16) int64: blocks that have no group yet
    n_waiting: np.ndarray  # (networks * sizes,) int64


class Groups(NamedTuple):
    """Which blocks train together."""

    order: np.ndarray  # (n,) int64: blocks, group by group
    groups: np.ndarray  # (n,) of Group


def _layouts(spec: NetSpec) -> Iterator[tuple[int, TileNet, int]]:
    """(size, TileNet, samples a side of a patch) of every number of blocks that may stand side by side."""
    for size, most in enumerate(GROUPS):
        n = 1 << SIZES_LOG2[size]
        side, widest = n + 2 * spec.margin, None
        for count in range(most, 0, -1):
            net = TileNet(spec, n, count * side - 2 * spec.margin, train=True, plane=widest.plane if widest else 0)
            widest = widest or net
            yield size, net, side


def _shape(tile: TileNet, side: int) -> Shape:
    flat, paired = tile.gradient_places
    return make_record(Shape, side=side, row=tile.stride, plane=tile.plane, flat_start=flat, paired_start=paired)


def make_training(
    spec: IntraSpec,
    packed: tuple[np.ndarray, np.ndarray],
    initial: tuple[np.ndarray, np.ndarray],
    loss: Loss,
    rates: np.ndarray,
) -> Training:
    """`Training` of an IntraSpec, whose weights are to be set.

    Parameters
    ----------
    packed : (weights, bias), each (networks, n) int32: where the present weights go
    initial : (weights, bias) alike, of the initial weights
    loss : engine.Loss
    rates : (4,) float32, of Adam
    """
    tables, n_nets, net = packing(spec.net), spec.n_nets, spec.net
    sizes, nets, sides = zip(*sorted(_layouts(net), key=lambda layout: (layout[0], layout[1].width)), strict=True)
    hidden, output = zip(*(tile.jobs for tile in nets), strict=True)
    gradient, data, skip = zip(*(tile.training_jobs for tile in nets), strict=True)
    hidden = stack(hidden)
    alone = hidden.copy()
    alone.forms[:] = PAIRED
    last = [max(k for k, size in enumerate(sizes) if size == wanted) for wanted in range(len(GROUPS))]
    starts = make_records(Starts, len(GROUPS) + 1)
    starts.activations[1:] = np.cumsum([nets[k].paired.size for k in last])
    starts.gradients[1:] = np.cumsum([nets[k].grad_flat.size for k in last])
    starts.outputs[1:] = np.cumsum([nets[k].y.size for k in last])
    activations, gradients = np.zeros(starts[-1].activations, np.int16), np.zeros(starts[-1].gradients, np.int16)
    shift, n, n_layers = gradient_shift(loss.bound), net.n_weights, len(net.layers)

    def floats(n: int) -> np.ndarray:
        return np.zeros((n_nets, n), np.float32)

    return Training(
        master=floats(n), moment=floats(n), square=floats(n), powers=floats(2),
        forward=packed[0], bias=packed[1],
        backward=np.zeros((n_nets, tables.backward.shape[1]), np.int32),
        shifts=np.zeros((n_nets, n_layers), np.int64),
        initial_forward=initial[0], initial_bias=initial[1],
        layers=tables.layers, forward_index=tables.forward, backward_index=tables.backward, bias_index=tables.bias,
        n_inputs=net.n_inputs,
        first_layout=np.array([sizes.index(size) for size in range(len(GROUPS))], np.int64),
        shapes=stack(_shape(tile, side) for tile, side in zip(nets, sides, strict=True)),
        compare_jobs=alone, hidden_jobs=hidden, output_jobs=stack(jobs[0] for jobs in output),
        gradient_jobs=stack(gradient), data_jobs=stack(data), skip_jobs=stack(jobs[0] for jobs in skip),
        starts=starts,
        groups_of=np.array(GROUPS, np.int64),
        loss=LossScale(loss.sample_shift, loss.bound, shift, 0),
        scales_of=np.array(
            [2.0 ** (shift - OUTPUT_BITS - ACT_BITS - 2 * log2) / most
             for log2, most in zip(SIZES_LOG2, GROUPS, strict=True)]
        ),
        rates=rates,
        activations=activations, activations32=activations.view(np.int32), flat=np.zeros_like(activations),
        gradients=gradients, gradients32=gradients.view(np.int32), gradients_flat=np.zeros_like(gradients),
        outputs=np.zeros(starts[-1].outputs, np.int16),
        latest=np.zeros(len(GROUPS), np.int64),
        quantised=np.zeros(n + 1, np.int32),
        gradient=np.zeros(n, np.int64),
        scales=np.zeros(n_layers),
        no_bias=np.zeros(max(layer.n_out for layer in net.layers) + 1, np.int32),
        accumulator=np.zeros(256, np.int32),
        waiting=np.zeros((n_nets * len(GROUPS), max(GROUPS)), np.int64),
        n_waiting=np.zeros(n_nets * len(GROUPS), np.int64),
    )  # fmt: skip
