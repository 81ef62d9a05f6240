"""The learning of the intra filter told again: block by block, with a list of blocks instead of memory side by side."""

import hashlib
from typing import NamedTuple

import numpy as np

from codecsim.learned.engine import ops_vector
from codecsim.learned.engine.state import LearnerState
from codecsim.learned.engine.tile_net import Loss, Optimiser, PackedWeights, TileNet
from codecsim.learned.engine.weights import InitialWeights

GROUPS = {2: 16, 3: 4, 4: 1, 5: 1}  # blocks of a step, by log2 of their size


class Example(NamedTuple):
    """A block to learn from."""

    network: int
    log2: int
    patch: np.ndarray  # (n_inputs, side, side) int16
    error: np.ndarray  # (n, n) int16


def groups(examples):
    """((network, log2), list of Example) in the order of training."""
    waiting = {}
    for example in examples:
        key = (example.network, example.log2)
        waiting.setdefault(key, []).append(example)
        if len(waiting[key]) == GROUPS[example.log2]:
            yield key, waiting.pop(key)
    yield from waiting.items()


class NaiveIntraLearner:
    """Twin of IntraLearner, on lists of Example."""

    def __init__(self, params, model, bit_depth=8, unit_log2=4):
        spec, self.params = model.spec, params
        self.states = [LearnerState(InitialWeights(spec.net, part.copy())) for part in spec.parts(model.weights)]
        self.shift = 14 - unit_log2 - (bit_depth - 8)
        self.loss = Loss(self.shift, 64 << (14 - unit_log2 - 4))
        self.optimiser = Optimiser(0, np.array([params.learning_rate, 0.9, 0.999, 1e-8], np.float32))
        self.nets = {log2: TileNet(spec.net, 1 << log2, 1 << log2, train=True, ops=ops_vector) for log2 in GROUPS}
        self.packed = PackedWeights(spec.net)

    def learn(self, examples):
        if not examples:
            return 0
        for example in examples:
            state = self.states[example.network]
            state.online_loss += self.lost(example, state.master)
            state.initial_loss += self.lost(example, state.initial.master)
        for state in self.states:
            if state.online_loss * 256 > state.initial_loss * (256 + self.params.reset_margin_q8):
                state.reset()
        steps = 0
        for _ in range(self.params.passes):
            for (network, log2), group in groups(examples):
                self.train(self.nets[log2], self.states[network], group, GROUPS[log2])
                steps += 1
        return steps

    def lost(self, example, master):
        self.packed.update(master)
        net = self.nets[example.log2]
        net.load(example.patch, 0, 0)
        net.forward(self.packed)
        change = (net.output().astype(np.int64) + (1 << (self.shift - 1))) >> self.shift
        return int(np.abs(example.error + change).sum())

    def train(self, net, state, group, full):
        self.packed.update(state.master)
        for k, example in enumerate(group):
            net.load(example.patch, 0, 0)
            net.forward(self.packed)
            net.backward(self.packed, example.error, 0, 0, self.loss, add=k > 0)
        net.descend(state, self.packed, self.optimiser, full)
        state.steps += 1

    def weights(self):
        return np.concatenate([state.master for state in self.states])

    def digest(self):
        return hashlib.blake2b(b"".join(state.digest() for state in self.states), digest_size=16).digest()
