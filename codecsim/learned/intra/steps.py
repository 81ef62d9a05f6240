"""Normative.  Kernels that train the networks of the intra filter, a row's blocks at a call.

Blocks of one network and size form groups of about 256 samples, in decoding order; each group is one step of the
optimiser, with the mean of its blocks' gradients.  A layer runs over all blocks of a group at once.  What is summed are
integers, so this changes no bit: the twin in the tests takes block by block.
"""

import numpy as np

from codecsim.kernels.jit import kernel
from codecsim.learned.engine import ops_plain, ops_vector
from codecsim.learned.engine.spec import WEIGHT_BITS
from codecsim.learned.engine.update import ADAM, bias_gradients, loss_gradient, optimise, pack_weights
from codecsim.learned.intra.memory import (
    COUNT,
    FIRST,
    FLAT_START,
    LOG2,
    NETWORK,
    PAIR_START,
    PLANE,
    ROW,
    SIDE,
    SIZE,
    START,
)


@kernel
def _emit(training, key, at, n, found):
    """Make a group of the blocks that wait under a key."""
    count = training.n_waiting[key]
    sizes = training.groups_of.size
    found.groups[n, NETWORK], found.groups[n, SIZE] = key // sizes, key % sizes
    found.groups[n, FIRST], found.groups[n, COUNT] = at, count
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
        key = examples.blocks[example, NETWORK] * sizes + examples.blocks[example, LOG2] - 2
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
def _load(training, examples, found, group, layout, flat):
    """Put the patches of a group side by side into the planes of activations; into the flat ones too, if so told."""
    shape = training.shapes[layout]
    side, rs, cs = shape[SIDE], shape[ROW], shape[PLANE]
    size, first, count = found.groups[group, SIZE], found.groups[group, FIRST], found.groups[group, COUNT]
    start = training.starts[size, 0]
    for k in range(count):
        block = examples.blocks[found.order[first + k]]
        for c in range(0, training.n_inputs, 2):
            for y in range(side):
                at = block[START] + (c * side + y) * side
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
    """Run a network on the loaded patches of a group into `training.outputs`; jobs : (hidden layers, 13)."""
    acc, starts = training.accumulator, training.starts
    x = training.activations[starts[size, 0] : starts[size + 1, 0]]
    flat = training.flat[starts[size, 0] : starts[size + 1, 0]]
    y = training.outputs[starts[size, 2] : starts[size + 1, 2]]
    for layer in range(jobs.shape[0]):
        if training.kinds[layer] == 3:
            if plain is None:
                ops_vector.forward_conv3(x, weights, bias, x, flat, jobs[layer], WEIGHT_BITS, acc)
            else:
                ops_plain.forward_conv3(x, weights, bias, x, flat, jobs[layer], WEIGHT_BITS, acc)
        elif plain is None:
            ops_vector.forward_conv1(x, weights, bias, x, flat, jobs[layer], WEIGHT_BITS, acc)
        else:
            ops_plain.forward_conv1(x, weights, bias, x, flat, jobs[layer], WEIGHT_BITS, acc)
    if plain is None:
        ops_vector.output(x, weights, bias, y, training.output_jobs[layout], acc)
    else:
        ops_plain.output(x, weights, bias, y, training.output_jobs[layout], acc)


@kernel
def _lost(training, examples, found, group, layout):
    """Absolute error of a group's blocks with what stands in the outputs, in samples: below 2**24."""
    rs, side, shift = training.shapes[layout, ROW], training.shapes[layout, SIDE], training.sample_shift
    size, first, count = found.groups[group, SIZE], found.groups[group, FIRST], found.groups[group, COUNT]
    n, start, total = 4 << size, training.starts[size, 2], np.int64(0)
    half = np.int32(1 << shift >> 1)
    for k in range(count):
        error = examples.errors[found.order[first + k]]
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
    for group in range(n_groups):
        network, size = found.groups[group, NETWORK], found.groups[group, SIZE]
        layout = training.first_layout[size] + found.groups[group, COUNT] - 1
        jobs = training.compare_jobs[layout]
        _load(training, examples, found, group, layout, False)
        _forward(training, size, layout, jobs, training.forward[network], training.bias[network], plain)
        lost[network, 0] += _lost(training, examples, found, group, layout)
        _forward(training, size, layout, jobs, training.initial_forward[network], training.initial_bias[network], plain)
        lost[network, 1] += _lost(training, examples, found, group, layout)


@kernel
def _start_gradients(training, examples, found, group, layout):
    """Gradients of the loss with respect to the outputs of a group; zeros stand around them."""
    shape = training.shapes[layout]
    size, first, count = found.groups[group, SIZE], found.groups[group, FIRST], found.groups[group, COUNT]
    starts, side, rs = training.starts, shape[SIDE], shape[ROW]
    paired, flat = training.gradients32, training.gradients_flat
    if training.latest[size] != count:  # others have stood elsewhere
        training.latest[size] = count
        flat[starts[size, 1] : starts[size + 1, 1]] = 0
        paired[starts[size, 1] // 2 : starts[size + 1, 1] // 2] = 0
    f0, p0, y0 = starts[size, 1] + shape[FLAT_START], starts[size, 1] // 2 + shape[PAIR_START], starts[size, 2]
    for k in range(count):
        loss_gradient(
            training.outputs[y0 + k * side :], rs, examples.errors[found.order[first + k]], 0, 0, 4 << size,
            training.sample_shift, training.bound, training.clip_shift, 0,
            flat, f0 + k * side, paired, p0 + k * side, 0,
        )  # fmt: skip


@kernel(unit=True)
def _backward(training, network, size, layout, plain):
    """Gradients of all weights of a network into `training.gradient`, and their scales."""
    starts, acc = training.starts, training.accumulator
    x = training.flat[starts[size, 0] : starts[size + 1, 0]]
    flat = training.gradients_flat[starts[size, 1] : starts[size + 1, 1]]
    paired = training.gradients[starts[size, 1] : starts[size + 1, 1]]
    gradient, layers, shifts = training.gradient, training.layers, training.shifts[network]
    w, bias = training.backward[network], training.no_bias
    gradient[:] = 0
    last = training.kinds.size - 1
    if plain is None:
        ops_vector.gradient_skip(x, flat, gradient, training.skip_jobs[layout])
    else:
        ops_plain.gradient_skip(x, flat, gradient, training.skip_jobs[layout])
    scale = training.scales_of[size]
    for layer in range(last, -1, -1):
        job, data = training.gradient_jobs[layout, layer], training.data_jobs[layout, layer]
        wide = training.kinds[layer] == 3
        if plain is None:
            if layer == last:
                ops_vector.gradient_output(x, flat, gradient, job)
            elif wide:
                ops_vector.gradient_conv3(x, flat, gradient, job)
            else:
                ops_vector.gradient_conv1(x, flat, gradient, job)
        elif layer == last:
            ops_plain.gradient_output(x, flat, gradient, job)
        elif wide:
            ops_plain.gradient_conv3(x, flat, gradient, job)
        else:
            ops_plain.gradient_conv1(x, flat, gradient, job)
        n_out = layers[layer, 1]
        bias_gradients(flat, job[1], job[5], n_out, job[7], gradient, layers[layer, 3] - n_out)
        training.scales[layer] = scale
        if layer:
            shift = shifts[layer]
            if plain is None:
                if wide:
                    ops_vector.backward_conv3(paired, w, bias, paired, flat, x, data, shift, acc)
                else:
                    ops_vector.backward_conv1(paired, w, bias, paired, flat, x, data, shift, acc)
            elif wide:
                ops_plain.backward_conv3(paired, w, bias, paired, flat, x, data, shift, acc)
            else:
                ops_plain.backward_conv1(paired, w, bias, paired, flat, x, data, shift, acc)
            scale *= training.halvings[shift]


@kernel
def pack(training, network):
    """Lay out the present weights of a network for the engine's kernels."""
    pack_weights(
        training.master[network], training.layers, training.forward_index, training.backward_index,
        training.bias_index, training.quantised, training.forward[network], training.backward[network],
        training.bias[network], training.shifts[network],
    )  # fmt: skip


@kernel
def train(training, examples, found, n_groups, plain):
    """One pass: for each group a step of the optimiser on its network, whose weights are then packed.

    Parameters
    ----------
    training : bound Training, its present weights packed; mutated
    examples, found : bound Examples and Groups, `n_groups` of these
    plain : as of `compare`
    """
    for group in range(n_groups):
        network, size = found.groups[group, NETWORK], found.groups[group, SIZE]
        layout = training.first_layout[size] + found.groups[group, COUNT] - 1
        _load(training, examples, found, group, layout, True)
        jobs = training.hidden_jobs[layout]
        _forward(training, size, layout, jobs, training.forward[network], training.bias[network], plain)
        _start_gradients(training, examples, found, group, layout)
        _backward(training, network, size, layout, plain)
        optimise(
            ADAM, training.master[network], training.moment[network], training.square[network],
            training.powers[network], training.gradient, training.layers, training.scales, training.rates,
        )  # fmt: skip
        pack(training, network)
