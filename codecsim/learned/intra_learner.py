"""Normative.  The intra prediction filter that learns, from the blocks with residual of a row of coding tree units.

Its networks, one or several of one shape (`IntraSpec`), are trained on blocks of 4, 8, 16 and 32 samples a side. Blocks
of one network and size form groups of about 256 samples; each group is one step of the optimiser.
"""

import hashlib
from typing import NamedTuple

import numpy as np

from codecsim.learned.engine import Loss, Optimiser, PackedWeights, TileNet
from codecsim.learned.self_check import require_subnormals
from codecsim.learned.spec import OUTPUT_BITS
from codecsim.learned.state import LearnerState
from codecsim.learned.update import ADAM
from codecsim.learned.weights import InitialWeights

BOUND_Q4 = 64  # of the Huber loss: errors of more than four 8-bit samples count by their absolute value
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
_GROUPS = {2: 16, 3: 4, 4: 1, 5: 1}  # blocks of a step, by log2 of their size


class Example(NamedTuple):
    """A block to learn from."""

    network: int  # which of the filter's
    log2: int  # of its size
    patch: np.ndarray  # (n_inputs, side, side) int16, of intra_inputs.fill_patch
    error: np.ndarray  # (n, n) int16, prediction minus reconstruction, turned as the patch is


class IntraLearner:
    """State of the networks of an intra filter that learns.

    Parameters
    ----------
    params : IntraParams
    spec : IntraSpec
    weights : (n,) float32, initial, of all networks
    packed : (weights, bias), each (networks, n) int32: what the kernels run, written to after each row
    bit_depth : int, 8..12
    unit_log2 : int, an output of 1.0 is 2**unit_log2 8-bit samples

    Attributes
    ----------
    table : (2, 4) int64, network by [has a direction, log2 of the size - 2]
    """

    def __init__(self, params, spec, weights, packed, bit_depth, unit_log2):
        self.params, self.table = params, spec.table
        self._running = packed
        self._shift = OUTPUT_BITS - unit_log2 - (bit_depth - 8)
        initial = [InitialWeights(spec.net, part.copy()) for part in spec.parts(weights)]
        self._states = [LearnerState(weights) for weights in initial]
        self._packed = [PackedWeights(spec.net) for _ in initial]
        self._initial = [PackedWeights(spec.net) for _ in initial]
        for packed_initial, weights in zip(self._initial, initial, strict=True):
            packed_initial.update(weights.master)
        self._nets = {log2: TileNet(spec.net, 1 << log2, 1 << log2, train=True) for log2 in _GROUPS}
        self._loss = Loss(self._shift, BOUND_Q4 << (OUTPUT_BITS - unit_log2 - 4))
        rates = [params.learning_rate, _BETA1, _BETA2, _EPSILON]
        self._optimiser = Optimiser(ADAM, np.array(rates, np.float32))
        self._show_weights()

    def learn(self, examples):
        """Learn from blocks.

        Parameters
        ----------
        examples : list of Example, in decoding order

        Returns
        -------
        int : steps of the optimiser

        Raises
        ------
        ModelError : where this thread flushes subnormal numbers to zero
        """
        if not examples:
            return 0
        require_subnormals()
        self._compare(examples)
        steps = 0
        for _ in range(self.params.passes):
            for (network, log2), group in _groups(examples):
                self._train(network, log2, group)
                steps += 1
        self._show_weights()
        return steps

    def _compare(self, examples):
        """Take in how present and initial weights do; return to the initial ones where these have done better."""
        for example in examples:
            state = self._states[example.network]
            state.online_loss += self._lost(example, self._packed[example.network])
            state.initial_loss += self._lost(example, self._initial[example.network])
        for state, packed in zip(self._states, self._packed, strict=True):
            if state.online_loss * 256 > state.initial_loss * (256 + self.params.reset_margin_q8):
                state.reset()
                packed.update(state.master)

    def _lost(self, example, packed):
        """Absolute error of a block, in samples."""
        net = self._nets[example.log2]
        net.load(example.patch, 0, 0)
        net.forward(packed)
        change = (net.output().astype(np.int64) + (1 << (self._shift - 1))) >> self._shift
        return int(np.abs(example.error + change).sum())

    def _train(self, network, log2, group):
        """One step of a network on blocks of one size."""
        net, state, packed = self._nets[log2], self._states[network], self._packed[network]
        packed.update(state.master)
        for k, example in enumerate(group):
            net.load(example.patch, 0, 0)
            net.forward(packed)
            net.backward(packed, example.error, 0, 0, self._loss, add=k > 0)
        net.descend(state, packed, self._optimiser, _GROUPS[log2])
        state.steps += 1

    def _show_weights(self):
        """Let the kernels run the present weights."""
        for k, (state, packed) in enumerate(zip(self._states, self._packed, strict=True)):
            packed.update(state.master)
            for all_networks, own in zip(self._running, (packed.forward, packed.bias), strict=True):
                all_networks[k] = own

    def reset(self):
        """Return to the initial weights."""
        for state in self._states:
            state.reset()
        self._show_weights()

    def snapshot(self):
        """What `restore` goes back to."""
        return [state.copy() for state in self._states]

    def restore(self, snapshot):
        """Go back to what `snapshot` returned."""
        self._states = [state.copy() for state in snapshot]
        self._show_weights()

    def digest(self):
        """16 bytes that name the state."""
        return hashlib.blake2b(b"".join(state.digest() for state in self._states), digest_size=16).digest()


def _groups(examples):
    """Blocks of one network and size, in groups: ((network, log2), list of Example)."""
    waiting = {}
    for example in examples:
        key = (example.network, example.log2)
        group = waiting.setdefault(key, [])
        group.append(example)
        if len(group) == _GROUPS[example.log2]:
            yield key, waiting.pop(key)
    yield from waiting.items()
