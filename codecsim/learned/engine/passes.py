"""Normative.  All layers of a network in one call: its outputs, and the gradients of its weights.

`plain` is None, or an int for the kernels of ops_plain; `depthwise` is None, or an int for a network that has such
layers.  What is not called is then not compiled.
"""

from typing import NamedTuple

import numpy as np

from codecsim.kernels.jit import kernel
from codecsim.learned.engine import ops_plain, ops_vector
from codecsim.learned.engine.packing import Operands
from codecsim.learned.engine.spec import CONV1, CONV3, KINDS, WEIGHT_BITS
from codecsim.learned.engine.update import bias_gradients

_CONV3, _CONV1 = KINDS.index(CONV3), KINDS.index(CONV1)


class Buffers(NamedTuple):
    """Memory of a forward pass."""

    paired: np.ndarray  # int16 activations of all layers
    flat: np.ndarray  # the same, where a layer reads them so or the network learns
    y: np.ndarray  # int16 outputs
    scratch: np.ndarray  # (256,) int32


class GradientBuffers(NamedTuple):
    """Memory of a backward pass."""

    paired: np.ndarray  # int16 gradients of all activations
    flat: np.ndarray  # the same
    weights: np.ndarray  # (n,) int64 gradients of weights, which are added to
    scales: np.ndarray  # (n_layers,) float64, written: what a gradient of a weight stands for
    zeros: np.ndarray  # int32, as many as a layer has inputs
    scratch: np.ndarray  # (256,) int32


class BackwardJobs(NamedTuple):
    """What a backward pass does."""

    gradients: np.ndarray  # (n_layers,) of GradientJob
    data: np.ndarray  # (n_layers,) of LayerJob, to the gradients of a layer's inputs; the first is unused
    skip: np.ndarray  # (1,) of GradientJob, of the 5x5 path


@kernel(unit=True)
def run_forward(hidden, outputs, weights, bias, buffers, plain, depthwise):
    """Run a network on the inputs in its buffers.

    Parameters
    ----------
    hidden, outputs : arrays of LayerJob and of OutputJob
    weights, bias : packed
    buffers : Buffers
    """
    x, flat, y, scratch = buffers
    from_paired, from_flat = Operands(x, weights, bias, x, flat, flat), Operands(flat, weights, bias, x, flat, flat)
    for k in range(hidden.size):
        job = hidden[k]
        if plain is None:
            if job.kind == _CONV3:
                ops_vector.forward_conv3(from_paired, job, WEIGHT_BITS, scratch)
            elif job.kind == _CONV1:
                ops_vector.forward_conv1(from_paired, job, WEIGHT_BITS, scratch)
            elif depthwise is not None:
                ops_vector.forward_depthwise3(from_flat, job, WEIGHT_BITS, scratch)
        elif job.kind == _CONV3:
            ops_plain.forward_conv3(from_paired, job, WEIGHT_BITS, scratch)
        elif job.kind == _CONV1:
            ops_plain.forward_conv1(from_paired, job, WEIGHT_BITS, scratch)
        elif depthwise is not None:
            ops_plain.forward_depthwise3(from_flat, job, WEIGHT_BITS, scratch)
    for k in range(outputs.size):
        if plain is None:
            ops_vector.output(x, weights, bias, y, outputs[k], scratch)
        else:
            ops_plain.output(x, weights, bias, y, outputs[k], scratch)


@kernel
def _layer_gradient(job, is_last, x, g, dw, plain, depthwise):
    """Gradients of a layer's weights."""
    if plain is None:
        if is_last:
            ops_vector.gradient_output(x, g, dw, job)
        elif job.kind == _CONV3:
            ops_vector.gradient_conv3(x, g, dw, job)
        elif job.kind == _CONV1:
            ops_vector.gradient_conv1(x, g, dw, job)
        elif depthwise is not None:
            ops_vector.gradient_depthwise3(x, g, dw, job)
    elif is_last:
        ops_plain.gradient_output(x, g, dw, job)
    elif job.kind == _CONV3:
        ops_plain.gradient_conv3(x, g, dw, job)
    elif job.kind == _CONV1:
        ops_plain.gradient_conv1(x, g, dw, job)
    elif depthwise is not None:
        ops_plain.gradient_depthwise3(x, g, dw, job)


@kernel
def _layer_backward(job, shift, from_paired, from_flat, scratch, plain, depthwise):
    """Gradients of a layer's inputs."""
    if plain is None:
        if job.kind == _CONV3:
            ops_vector.backward_conv3(from_paired, job, shift, scratch)
        elif job.kind == _CONV1:
            ops_vector.backward_conv1(from_paired, job, shift, scratch)
        elif depthwise is not None:
            ops_vector.backward_depthwise3(from_flat, job, shift, scratch)
    elif job.kind == _CONV3:
        ops_plain.backward_conv3(from_paired, job, shift, scratch)
    elif job.kind == _CONV1:
        ops_plain.backward_conv1(from_paired, job, shift, scratch)
    elif depthwise is not None:
        ops_plain.backward_depthwise3(from_flat, job, shift, scratch)


@kernel(unit=True)
def run_backward(jobs, weights, shifts, x, buffers, scale, plain, depthwise):
    """Gradients of all weights of a network, from those of its outputs that stand in the buffers.

    Parameters
    ----------
    jobs : BackwardJobs
    weights, shifts : of update.Packed: what goes backward, and the shifts of gradients
    x : flat activations
    buffers : GradientBuffers
    scale : float, what a gradient of an output stands for
    """
    paired, g, dw, scales, zeros, scratch = buffers
    from_paired, from_flat = Operands(paired, weights, zeros, paired, g, x), Operands(g, weights, zeros, paired, g, x)
    if plain is None:
        ops_vector.gradient_skip(x, g, dw, jobs.skip[0])
    else:
        ops_plain.gradient_skip(x, g, dw, jobs.skip[0])
    last = jobs.gradients.size - 1
    for k in range(last, -1, -1):
        _layer_gradient(jobs.gradients[k], k == last, x, g, dw, plain, depthwise)
        bias_gradients(g, dw, jobs.gradients[k])
        scales[k] = scale
        if k > 0:
            _layer_backward(jobs.data[k], shifts[k], from_paired, from_flat, scratch, plain, depthwise)
            scale *= float(1 << shifts[k]) / (1 << WEIGHT_BITS)
