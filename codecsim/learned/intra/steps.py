"""Normative.  Kernels that train the networks of the intra filter, a row's blocks at a call.

Blocks of one network and size form groups of about 256 samples, in decoding order; each group is one step of the
optimiser, with the mean of its blocks' gradients.  A layer runs over all blocks of a group at once.  What is summed are
integers, so this changes no bit: the twin in the tests takes block by block.
"""

import numpy as np

from codecsim.kernels.jit import kernel
from codecsim.learned.engine.passes import BackwardJobs, Buffers, GradientBuffers, run_backward, run_forward
from codecsim.learned.engine.update import (
    ADAM,
    Learnt,
    Packed,
    Tables,
    Window,
    loss_gradient,
    optimise,
    pack_weights,
)


@kernel
def _emit(training, key, at, n, found):
    """Make a group of the blocks that wait under a key."""
    count = training.n_waiting[key]
    sizes = training.groups_of.size
    group = found.groups[n]
    group.network, group.size_idx, group.first, group.count = key // sizes, key % sizes, at, count
    for k in range(count):
        found.order[at + k] = training.waiting[key, k]
    training.n_waiting[key] = 0
    return at + count


@kernel
def form_groups(training, examples, count, found):
    """Group blocks of one network and size in decoding order: full groups as they fill up, then what is left.

    Parameters
    ----------
    training : bound Training
    examples : bound Examples, `count` of them
    found : bound Groups, written

    Returns
    -------
    int : groups
    """
    waiting, n_waiting, sizes = training.waiting, training.n_waiting, training.groups_of.size
    at, n = np.int64(0), np.int64(0)
    for example in range(count):
        key = examples.blocks[example].network * sizes + examples.blocks[example].log2 - 2
        waiting[key, n_waiting[key]] = example
        n_waiting[key] += 1
        if n_waiting[key] == training.groups_of[key % sizes]:
            at = _emit(training, key, at, n, found)
            n += 1
    while at < count:
        oldest = np.int64(-1)
        for key in range(n_waiting.size):
            if n_waiting[key] > 0 and (oldest < 0 or waiting[key, 0] < waiting[oldest, 0]):
                oldest = key
        at = _emit(training, oldest, at, n, found)
        n += 1
    return n


@kernel
def _load(training, examples, order, group, layout, flat):
    """Put the patches of a Group side by side into the planes of activations; into the flat ones too, if so told.

    order : of Groups
    """
    shape = training.shapes[layout]
    side, rs, cs = shape.side, shape.row, shape.plane
    start = training.starts[group.size_idx].activations
    for k in range(group.count):
        block = examples.blocks[order[group.first + k]]
        for c in range(0, training.n_inputs, 2):
            for y in range(side):
                at = block.start + (c * side + y) * side
                low = examples.patches[at : at + side]
                high = examples.patches[at + side * side : at + side * side + side]
                at = start // 2 + c // 2 * cs + y * rs + k * side
                both = training.activations32[at : at + side]
                for x in range(side):
                    both[x] = (np.int32(low[x]) & 0xFFFF) | (np.int32(high[x]) << 16)
                if flat:
                    at = start + c * cs + y * rs + k * side
                    to_low, to_high = training.flat[at : at + side], training.flat[at + cs : at + cs + side]
                    for x in range(side):
                        to_low[x] = low[x]
                        to_high[x] = high[x]


@kernel(unit=True)
def _forward(training, size, layout, jobs, weights, bias, plain):
    """Run a network on the loaded patches of a group into `training.outputs`; jobs : (hidden layers,) of LayerJob."""
    acc, here, end = training.accumulator, training.starts[size], training.starts[size + 1]
    x = training.activations[here.activations : end.activations]
    flat = training.flat[here.activations : end.activations]
    y = training.outputs[here.outputs : end.outputs]
    outputs = training.output_jobs[layout : layout + 1]
    run_forward(jobs, outputs, weights, bias, Buffers(x, flat, y, acc), plain, None)


@kernel
def _lost(training, examples, order, group, layout):
    """Absolute error of a Group's blocks with what stands in the outputs, in samples: below 2**24."""
    rs, side, shift = training.shapes[layout].row, training.shapes[layout].side, training.loss.sample_shift
    n, start, total = 4 << group.size_idx, training.starts[group.size_idx].outputs, np.int64(0)
    half = np.int32(1 << shift >> 1)
    for k in range(group.count):
        error = examples.errors[order[group.first + k]]
        for i in range(n):
            row = training.outputs[start + i * rs + k * side : start + i * rs + k * side + n]
            for j in range(n):
                total += abs(np.int32(error[i, j]) + ((np.int32(row[j]) + half) >> shift))
    return total


@kernel
def compare(training, examples, found, n_groups, lost, plain):
    """Absolute errors of the blocks with present and with initial weights.

    Parameters
    ----------
    training : bound Training, its present weights packed
    examples, found : bound Examples and Groups, `n_groups` of these
    lost : (networks, 2) int64, samples, written: with present, with initial weights
    plain : None, or an int for the kernels of ops_plain; what is not called is then not compiled
    """
    lost[:] = 0
    for k in range(n_groups):
        group = found.groups[k]
        network, size = group.network, group.size_idx
        layout = training.first_layout[size] + group.count - 1
        jobs = training.compare_jobs[layout]
        _load(training, examples, found.order, group, layout, False)
        _forward(training, size, layout, jobs, training.forward[network], training.bias[network], plain)
        lost[network, 0] += _lost(training, examples, found.order, group, layout)
        _forward(training, size, layout, jobs, training.initial_forward[network], training.initial_bias[network], plain)
        lost[network, 1] += _lost(training, examples, found.order, group, layout)


@kernel
def _start_gradients(training, examples, order, group, layout):
    """Gradients of the loss with respect to the outputs of a Group; zeros stand around them."""
    shape, size = training.shapes[layout], group.size_idx
    here, end = training.starts[size], training.starts[size + 1]
    paired, flat = training.gradients32, training.gradients_flat
    if training.latest[size] != group.count:  # others have stood elsewhere
        training.latest[size] = group.count
        flat[here.gradients : end.gradients] = 0
        paired[here.gradients // 2 : end.gradients // 2] = 0
    flat, paired = flat[here.gradients + shape.flat_start :], paired[here.gradients // 2 + shape.paired_start :]
    window = Window(0, 0, 4 << size)
    for k in range(group.count):
        y, error, right = training.outputs[here.outputs :], examples.errors[order[group.first + k]], k * shape.side
        loss_gradient(y[right:], shape.row, error, window, training.loss, flat[right:], paired[right:], 0)


@kernel(unit=True)
def _backward(training, network, size, layout, plain):
    """Gradients of all weights of a network into `training.gradient`, and their scales."""
    acc, here, end = training.accumulator, training.starts[size], training.starts[size + 1]
    x = training.flat[here.activations : end.activations]
    flat = training.gradients_flat[here.gradients : end.gradients]
    paired = training.gradients[here.gradients : end.gradients]
    training.gradient[:] = 0
    skip = training.skip_jobs[layout : layout + 1]
    jobs = BackwardJobs(training.gradient_jobs[layout], training.data_jobs[layout], skip)
    buffers = GradientBuffers(paired, flat, training.gradient, training.scales, training.no_bias, acc)
    weights, shifts, scale = training.backward[network], training.shifts[network], training.scales_of[size]
    run_backward(jobs, weights, shifts, x, buffers, scale, plain, None)


@kernel
def pack(training, network):
    """Lay out the present weights of a network for the engine's kernels."""
    forward, backward, bias = training.forward[network], training.backward[network], training.bias[network]
    packed = Packed(training.quantised, forward, backward, bias, training.shifts[network])
    tables = Tables(training.layers, training.forward_index, training.backward_index, training.bias_index)
    pack_weights(training.master[network], tables, packed)


@kernel
def train(training, examples, found, n_groups, plain):
    """One pass: for each group a step of the optimiser on its network, whose weights are then packed.

    Parameters
    ----------
    training : bound Training, its present weights packed; mutated
    examples, found : bound Examples and Groups, `n_groups` of these
    plain : as of `compare`
    """
    for k in range(n_groups):
        group = found.groups[k]
        network, size = group.network, group.size_idx
        layout = training.first_layout[size] + group.count - 1
        _load(training, examples, found.order, group, layout, True)
        jobs = training.hidden_jobs[layout]
        _forward(training, size, layout, jobs, training.forward[network], training.bias[network], plain)
        _start_gradients(training, examples, found.order, group, layout)
        _backward(training, network, size, layout, plain)
        moments = training.moment[network], training.square[network], training.powers[network]
        learnt = Learnt(training.master[network], *moments)
        optimise(ADAM, learnt, training.gradient, training.layers, training.scales, training.rates)
        pack(training, network)
