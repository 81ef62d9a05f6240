"""Normative.  The filter of intra luma prediction: P' = clip(P + net(patch)), transform block by transform block.

Encoder and decoder call `filter_block` in the midst of reconstruction, so all that it needs stands ready in `IntraNet`:
quantised weights, the jobs of the engine's kernels for the four sizes of blocks, and working memory.
"""

from typing import NamedTuple

import numpy as np

from codecsim.errors import ConfigError
from codecsim.hevc.intra import REFS_SHAPE
from codecsim.hevc.tables import DC
from codecsim.kernels.jit import kernel
from codecsim.kernels.records import make_record, stack
from codecsim.learned.engine import ops_vector
from codecsim.learned.engine.passes import Buffers, run_forward
from codecsim.learned.engine.self_check import check_engine
from codecsim.learned.engine.spec import CONV1, CONV3, OUTPUT_BITS, NetSpec
from codecsim.learned.engine.tile_net import PackedWeights, TileNet, engine_ops
from codecsim.learned.engine.update import gather_tile
from codecsim.learned.intra.inputs import (
    INPUTS,
    MAX_MARGIN,
    NO_PLANE,
    PATCH_SIDE,
    fill_patch,
    is_transposed,
)
from codecsim.learned.intra.learner import IntraLearner
from codecsim.learned.intra.spec import IntraSpec

UNIT_LOG2 = 4  # an output of 1.0 is 2**4 8-bit samples
BLOCK_LOG2 = (2, 3, 4, 5)  # of transform blocks
_UNUSED_SPEC = NetSpec(2, ((CONV3, 8),))


class Strides:
    """How far apart planes and rows of planes are."""

    planes: int
    rows: int


class IntraNet(NamedTuple):
    """What the kernels know of the filter.  Jobs and strides are by log2 of the block's size, from 2 on."""

    qp: int  # of the slice
    bit_depth: int
    margin: int
    split: np.ndarray  # (2, 4) int64: which network, by [has a direction, log2 - 2]
    vector: int  # which of the engine's kernels run
    inputs: np.ndarray  # (n_inputs,) int64, kinds of input planes
    weights: np.ndarray  # (networks, n) int32, packed
    bias: np.ndarray  # (networks, n) int32
    hidden_jobs: np.ndarray  # (4, hidden layers) of packing.LayerJob
    output_jobs: np.ndarray  # (4,) of packing.OutputJob
    strides: np.ndarray  # (4,) of Strides
    paired: np.ndarray  # int16 activations
    paired32: np.ndarray  # the same memory
    flat: np.ndarray  # (1,) int16, never touched
    y: np.ndarray  # int16 output
    acc: np.ndarray  # (256,) int32
    patch: np.ndarray  # (n_inputs, PATCH_SIDE, PATCH_SIDE) int16
    samples: np.ndarray  # (PATCH_SIDE, PATCH_SIDE) int16
    place: np.ndarray  # (PATCH_SIDE, PATCH_SIDE) int16
    other: np.ndarray  # (32, 32) uint16, a further prediction
    line: np.ndarray  # REFS_SHAPE int32


def make_intra_net(spec, inputs, packed, qp, bit_depth):
    """`IntraNet` of an IntraSpec.

    inputs : kinds of planes; packed : (weights, bias), each (networks, n) int32, looked at when a net runs
    """
    split, spec = spec.table, spec.net
    nets = [TileNet(spec, 1 << log2, 1 << log2) for log2 in BLOCK_LOG2]
    jobs = [net.jobs for net in nets]
    largest = nets[-1]
    return IntraNet(
        qp=qp,
        bit_depth=bit_depth,
        margin=spec.margin,
        split=split,
        vector=int(engine_ops() is ops_vector),
        inputs=np.array(inputs, np.int64),
        weights=packed[0],
        bias=packed[1],
        hidden_jobs=stack(hidden for hidden, _ in jobs),
        output_jobs=stack(output[0] for _, output in jobs),
        strides=stack(make_record(Strides, planes=net.plane, rows=net.stride) for net in nets),
        paired=largest.paired,
        paired32=largest.paired.view(np.int32),
        flat=np.zeros(1, np.int16),
        y=largest.y,
        acc=np.zeros(256, np.int32),
        patch=np.zeros((spec.n_inputs, PATCH_SIDE, PATCH_SIDE), np.int16),
        samples=np.zeros((PATCH_SIDE, PATCH_SIDE), np.int16),
        place=np.zeros((PATCH_SIDE, PATCH_SIDE), np.int16),
        other=np.zeros((32, 32), np.uint16),
        line=np.zeros(REFS_SHAPE, np.int32),
    )


def unused_intra_net():
    """An `IntraNet` for codecs without the filter."""
    spec = IntraSpec(_UNUSED_SPEC)
    return make_intra_net(spec, (NO_PLANE,) * 2, pack_nets(spec, np.zeros(spec.n_weights, np.float32)), 0, 8)


def pack_nets(spec, weights):
    """Weights and biases of all networks of an IntraSpec, each (networks, n) int32, for the kernels."""
    packed = []
    for part in spec.parts(weights):
        packed.append(PackedWeights(spec.net))
        packed[-1].update(part)
    return np.stack([net.forward for net in packed]), np.stack([net.bias for net in packed])


@kernel
def _run(net, which, size):
    """Network `which` on the inputs in `net.paired`, into `net.y`."""
    buffers = Buffers(net.paired, net.flat, net.y, net.acc)
    hidden, outputs = net.hidden_jobs[size], net.output_jobs[size : size + 1]
    if net.vector:
        run_forward(hidden, outputs, net.weights[which], net.bias[which], buffers, None, None)
    else:
        run_forward(hidden, outputs, net.weights[which], net.bias[which], buffers, 1, None)


@kernel(unit=True)
def filter_block(net, around, tb, mode, refs, pred):
    """Replace the prediction of a luma block by the filtered one; parameters as of inputs.fill_patch.

    pred : (h, w) uint16, mutated
    """
    y, x, n, size = tb.y, tb.x, 1 << tb.log2, tb.log2 - 2
    fill_patch(net, around, tb, mode, refs, pred)
    cs, rs = net.strides[size].planes, net.strides[size].rows
    gather_tile(net.patch, (0, 0), rs, rs, cs, net.paired32, net.flat, False)
    _run(net, net.split[int(mode > DC), size], size)
    shift = OUTPUT_BITS - UNIT_LOG2 - (net.bit_depth - 8)
    half, largest = np.int32(1 << (shift - 1)), np.int32((1 << net.bit_depth) - 1)
    transposed = is_transposed(mode)
    for j in range(n):
        for i in range(n):
            at = i * rs + j if transposed else j * rs + i
            value = np.int32(pred[y + j, x + i]) + ((np.int32(net.y[at]) + half) >> shift)
            pred[y + j, x + i] = min(max(value, np.int32(0)), largest)


class IntraFilter:
    """The filter of one sequence.

    Parameters
    ----------
    params : IntraSettings
    model : Model of kind INTRA
    bit_depth : int, 8..12

    Raises
    ------
    ConfigError : for a model that this filter cannot run
    ModelError : where this machine does not compute as the format demands

    Attributes
    ----------
    learner : IntraLearner, or None where it does not learn
    """

    def __init__(self, params, model, bit_depth):
        check_engine()
        self.params, self.spec, self.bit_depth = params, model.spec, bit_depth
        self._inputs = input_kinds(model)
        self._packed = pack_nets(self.spec, model.weights)
        self.learner = None
        if params.online:
            self.learner = IntraLearner(params, self.spec, model.weights, self._packed, bit_depth, UNIT_LOG2)

    def net(self, qp):
        """`IntraNet` for a picture of slice QP `qp`."""
        return make_intra_net(self.spec, self._inputs, self._packed, qp, self.bit_depth)


def input_kinds(model):
    """Kinds of the input planes of a Model.

    Raises
    ------
    ConfigError : it is no model for this filter
    """
    spec = model.spec.net
    unknown = [name for name in model.inputs if name not in INPUTS]
    if unknown or len(model.inputs) + len(model.inputs) % 2 != spec.n_inputs:
        raise ConfigError(
            f"model {model.name}: {len(model.inputs)} inputs for a network of {spec.n_inputs}; "
            f"expected names of {', '.join(INPUTS)}" + (f", not {unknown[0]}" if unknown else "")
        )
    if spec.n_outputs != 1 or spec.margin > MAX_MARGIN or any(kind not in (CONV3, CONV1) for kind, _ in spec.hidden):
        raise ConfigError(
            f"model {model.name}: {spec}; the intra filter runs conv3 and conv1, one output, margin up to {MAX_MARGIN}"
        )
    kinds = [INPUTS.index(name) for name in model.inputs]
    return (*kinds, *(NO_PLANE,) * (spec.n_inputs - len(kinds)))
