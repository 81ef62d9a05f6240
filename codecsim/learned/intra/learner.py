"""Normative.  The intra prediction filter that learns, from the blocks with residual of a row of coding tree units.

Its networks, one or several of one shape (`IntraSpec`), are trained on blocks of 4, 8, 16 and 32 samples a side. Blocks
of one network and size form groups of about 256 samples; each group is one step of the optimiser.  What is a kernel's
work is in steps.py.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from codecsim.kernels.binding import Bound, bind
from codecsim.kernels.records import make_records
from codecsim.learned.engine import ops_plain
from codecsim.learned.engine.self_check import require_subnormals
from codecsim.learned.engine.spec import OUTPUT_BITS
from codecsim.learned.engine.state import LearnerState
from codecsim.learned.engine.tile_net import Loss, PackedWeights, engine_ops
from codecsim.learned.engine.weights import InitialWeights
from codecsim.learned.intra.memory import Block, Examples, Group, Groups, make_training
from codecsim.learned.intra.spec import IntraSpec
from codecsim.learned.intra.steps import compare, form_groups, pack, train
from codecsim.tools.intra import IntraSettings

BOUND_Q4 = 64  # of the Huber loss: errors of more than four 8-bit samples count by their absolute value
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
_LEARNT = ("master", "moment", "square", "powers")  # arrays that a LearnerState and a Training have alike


class IntraLearner:
    """State of the networks of an intra filter that learns.

    Parameters
    ----------
    params : IntraSettings
    spec : IntraSpec
    weights : (n,) float32, initial, of all networks
    packed : (weights, bias), each (networks, n) int32: what the kernels run, written to after each row
    bit_depth : int, 8..12
    unit_log2 : int, an output of 1.0 is 2**unit_log2 8-bit samples

    Attributes
    ----------
    table : (2, 4) int64, network by [has a direction, log2 of the size - 2]
    """

    def __init__(
        self,
        params: IntraSettings,
        spec: IntraSpec,
        weights: np.ndarray,
        packed: tuple[np.ndarray, np.ndarray],
        bit_depth: int,
        unit_log2: int,
    ):
        self.params, self.table = params, spec.table
        initial = [InitialWeights(spec.net, part.copy()) for part in spec.parts(weights)]
        self._states = [LearnerState(part) for part in initial]
        found = [PackedWeights(spec.net) for _ in initial]
        for packed_initial, part in zip(found, initial, strict=True):
            packed_initial.update(part.master)
        operands = np.stack([net.forward for net in found]), np.stack([net.bias for net in found])
        loss = Loss(OUTPUT_BITS - unit_log2 - (bit_depth - 8), BOUND_Q4 << (OUTPUT_BITS - unit_log2 - 4))
        rates = np.array([params.learning_rate, _BETA1, _BETA2, _EPSILON], np.float32)
        self._training = bind(make_training(spec, packed, operands, loss, rates))
        self._plain = 1 if engine_ops() is ops_plain else None
        self._lost = np.zeros((len(found), 2), np.int64)
        self._examples: Any = None
        self._groups: Any = None
        self._load_states()

    def room(self, blocks: int, samples: int) -> Bound:
        """Examples with room for so many blocks and samples of patches; they stay until the next call.

        Returns
        -------
        bound Examples
        """
        held = self._examples and self._examples.value
        if held is None or len(held.blocks) < blocks or held.patches.size < samples:
            if held is not None:
                blocks, samples = max(blocks, len(held.blocks)), max(samples, held.patches.size)
            errors = np.zeros((blocks, 32, 32), np.int16)
            self._examples = bind(Examples(make_records(Block, blocks), np.zeros(samples, np.int16), errors))
            self._groups = bind(Groups(np.zeros(blocks, np.int64), make_records(Group, blocks)))
        return self._examples

    def learn(self, examples: Bound, count: int) -> int:
        """Learn from blocks.

        Parameters
        ----------
        examples : bound Examples, of `room`
        count : int, how many it holds

        Returns
        -------
        int : steps of the optimiser

        Raises
        ------
        ModelError : where this thread flushes subnormal numbers to zero
        """
        if not count:
            return 0
        require_subnormals()
        training, groups = self._training, self._groups
        n_groups = form_groups(training, examples, count, groups)
        compare(training, examples, groups, n_groups, self._lost, self._plain)
        self._return_where_worse()
        for _ in range(self.params.passes):
            train(training, examples, groups, n_groups, self._plain)
        self._save_states()
        steps = np.bincount(groups.value.groups.network[:n_groups], minlength=len(self._states)) * self.params.passes
        for state, more in zip(self._states, steps.tolist(), strict=True):
            state.steps += more
        return n_groups * self.params.passes

    def _return_where_worse(self) -> None:
        """Take in how present and initial weights do; return to the initial ones where these have done better."""
        for network, (state, lost) in enumerate(zip(self._states, self._lost.tolist(), strict=True)):
            state.online_loss += lost[0]
            state.initial_loss += lost[1]
            if state.online_loss * 256 > state.initial_loss * (256 + self.params.reset_margin_q8):
                state.reset()
                self._load_state(network)

    def _load_state(self, network: int) -> None:
        """Show the kernels the state of a network."""
        for name in _LEARNT:
            getattr(self._training.value, name)[network] = getattr(self._states[network], name)
        pack(self._training, network)

    def _load_states(self) -> None:
        for network in range(len(self._states)):
            self._load_state(network)

    def _save_states(self) -> None:
        """Take over what the kernels have learnt."""
        for network, state in enumerate(self._states):
            for name in _LEARNT:
                getattr(state, name)[:] = getattr(self._training.value, name)[network]

    def reset(self) -> None:
        """Return to the initial weights."""
        for state in self._states:
            state.reset()
        self._load_states()

    def snapshot(self) -> list[LearnerState]:
        """What `restore` goes back to."""
        return [state.copy() for state in self._states]

    def restore(self, snapshot: Sequence[LearnerState]) -> None:
        """Go back to what `snapshot` returned."""
        self._states = [state.copy() for state in snapshot]
        self._load_states()

    def digest(self) -> bytes:
        """16 bytes that name the state."""
        return hashlib.blake2b(b"".join(state.digest() for state in self._states), digest_size=16).digest()
