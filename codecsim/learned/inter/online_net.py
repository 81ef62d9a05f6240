"""Normative.  The net that learns: its weights, how it filters a picture, how it is trained."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from codecsim.learned.engine.self_check import require_subnormals
from codecsim.learned.engine.spec import OUTPUT_BITS
from codecsim.learned.engine.state import LearnerState, Sample
from codecsim.learned.engine.tile_net import Loss, Optimiser, PackedWeights, TileNet, picture_tiling
from codecsim.learned.engine.update import MASKED, update_average
from codecsim.learned.engine.weights import InitialWeights
from codecsim.learned.inter.controller import (
    TrainingStep,
    epochs_of_picture,
    hot_tiles,
    lossy_tiles,
    observe_loss,
    plan_training,
    should_train,
)
from codecsim.learned.inter.inputs import add_output, add_tile_losses, measure_error
from codecsim.learned.learner import LearnReport
from codecsim.tools.learner import Control, LearnerSettings, LossKind

UNIT_LOG2 = 4  # an output of 1.0 is 2**4 8-bit samples; measured: 3 and 5 learn no faster
L2_BOUND = (1 << 16) - 1  # 64 8-bit samples of Q14 output


class PictureShape(NamedTuple):
    """Of the component that is filtered."""

    width: int
    height: int
    bit_depth: int


class Taught(NamedTuple):
    """What the net learns from: a picture with its inputs, and what has been made of it."""

    pred: np.ndarray  # (h, w) uint16
    planes: np.ndarray  # (n_inputs, ...) int16 of Canvas
    online: np.ndarray  # (h, w) uint16, what the net made of it
    initial: np.ndarray | None  # what it made with its initial weights, if that is known
    target: np.ndarray  # (h, w) uint16
    coded: np.ndarray  # (h // 4, w // 4) uint8
    qp: int


def _loss_bound(params: LearnerSettings) -> int:
    """Largest error that the loss of LearnerSettings tells from larger ones, in Q14 of the output."""
    if params.loss == LossKind.L2:
        return L2_BOUND
    return (1 if params.loss == LossKind.L1 else params.huber_bound_q4) << (OUTPUT_BITS - UNIT_LOG2 - 4)


class OnlineNet:
    """P' = clip(P + net(inputs)), and training on tiles of the last pictures.

    Parameters
    ----------
    params : LearnerSettings
    shape : PictureShape
    initial : InitialWeights
    threads : of `run`; does not change results

    Attributes
    ----------
    state : LearnerState
    plane_shape : of the input planes, margins included
    """

    def __init__(self, params: LearnerSettings, shape: PictureShape, initial: InitialWeights, threads: int = 1) -> None:
        self.params, self.shape, self.spec = params, shape, initial.spec
        self._sample_shift = OUTPUT_BITS - UNIT_LOG2 - (shape.bit_depth - 8)
        size = 1 << params.tile_log2
        self._grid = (-(-shape.height // size) * size, -(-shape.width // size) * size)
        waits = params.control == Control.THRESHOLD
        tiles = (self._grid[0] // size, self._grid[1] // size) if waits else (0, 0)
        self.state = LearnerState(initial, params.average_q8 > 0, tiles)
        self._rows, self._columns, tile_h, tile_w = picture_tiling(shape.height, shape.width)
        margin = 2 * self.spec.margin
        self.plane_shape = (
            max(self._grid[0], self._rows * tile_h) + margin,
            max(self._grid[1], self._columns * tile_w) + margin,
        )
        self._nets = [TileNet(self.spec, tile_h, tile_w) for _ in range(max(1, threads))]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._train_net = TileNet(self.spec, size, size, train=True)
        self._packed, self._train_packed = PackedWeights(self.spec), PackedWeights(self.spec)
        self._loss = Loss(self._sample_shift, _loss_bound(params), 8 - params.uncoded_q7.bit_length())
        self._optimiser = Optimiser(int(params.method), np.array(params.rates, np.float32))
        self._sums, self._compiled = np.zeros(2, np.int64), False

    def run(self, master: np.ndarray, pred: np.ndarray, planes: np.ndarray) -> np.ndarray:
        """The prediction filtered with the weights `master`."""
        filtered = np.empty_like(pred)
        self._packed.update(master)
        tiles = [(i, j) for i in range(self._rows) for j in range(self._columns)]
        if self._pool is None or not self._compiled:  # the first picture compiles kernels: in one thread only
            self._run_tiles(self._nets[0], tiles, pred, planes, filtered)
            self._compiled = True
        else:
            jobs = [
                self._pool.submit(self._run_tiles, net, tiles[k :: len(self._nets)], pred, planes, filtered)
                for k, net in enumerate(self._nets)
            ]
            for job in jobs:
                job.result()
        return filtered

    def _run_tiles(
        self, net: TileNet, tiles: Sequence[tuple[int, int]], pred: np.ndarray, planes: np.ndarray, filtered: np.ndarray
    ) -> None:
        width, height, bit_depth = self.shape
        largest = (1 << bit_depth) - 1
        for i, j in tiles:
            y0, x0 = i * net.height, j * net.width
            rows, columns = min(net.height, height - y0), min(net.width, width - x0)
            if rows > 0 and columns > 0:
                net.load(planes, y0, x0)
                net.forward(self._packed)
                add_output(net.y, net.stride, pred, (y0, x0), (rows, columns), self._sample_shift, largest, filtered)

    def learn(self, taught: Taught) -> LearnReport:
        """Learn from a picture.

        Raises
        ------
        ModelError : where this thread flushes subnormal numbers to zero
        """
        state, params, coded, qp = self.state, self.params, taught.coded, taught.qp
        width, height, bit_depth = self.shape
        error = np.full(self._grid, MASKED, np.int16)
        online, initial = self._measure(taught, taught.online, error)
        if not state.initial.is_identity:
            made = taught.initial
            if made is None:
                made = self.run(state.initial.master, taught.pred, taught.planes)
            initial, _ = self._measure(taught, made, error)
        reset = observe_loss(params, state, online, initial)
        if params.control == Control.THRESHOLD:
            add_tile_losses(taught.online, taught.target, coded, params.tile_log2, state.tile_losses)
        tiles = lossy_tiles(params, state, hot_tiles(params, coded), qp, bit_depth)
        state.replay = (Sample(taught.planes, error, tiles), *state.replay)[: params.replay]
        state.pictures += 1
        epochs_q2 = epochs_of_picture(params, state, qp)
        accumulated, steps, group = state.waiting_loss, [], 1 << params.tiles_log2
        if should_train(params, state, qp, width * height, bit_depth):
            require_subnormals()
            state.waiting_loss = 0
            steps = plan_training(params, state, self._grid, epochs_q2)
            for first in range(0, len(steps), group):
                self.train(steps[first : first + group])
        return LearnReport(len(steps), accumulated, reset)

    def _measure(self, taught: Taught, filtered: np.ndarray, error: np.ndarray) -> tuple[int, int]:
        """Absolute errors over coded samples of a filtered prediction, and of the prediction; see measure_error."""
        uncoded = self.params.uncoded_q7
        measure_error(taught.pred, filtered, taught.target, taught.coded, uncoded, error, self._sums)
        return int(self._sums[0]), int(self._sums[1])

    def train(self, steps: Sequence[TrainingStep]) -> None:
        """One step of the optimiser, on the tiles of a list of TrainingStep."""
        state, net, packed = self.state, self._train_net, self._train_packed
        packed.update(state.master)
        for k, step in enumerate(steps):
            sample = state.replay[step.picture]
            net.load(sample.planes, step.y0, step.x0)
            net.forward(packed)
            net.backward(packed, sample.error, step.y0, step.x0, self._loss, add=k > 0)
        net.descend(state, packed, self._optimiser, 1 << self.params.tiles_log2)
        if state.average is not None:
            update_average(state.average, state.master, np.float32(self.params.average_q8 / 256))
        state.steps += len(steps)
