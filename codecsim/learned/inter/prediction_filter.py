"""Normative.  The filter of inter prediction that learns from each picture, alike in encoder and decoder."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from codecsim.errors import ConfigError
from codecsim.learned.engine.self_check import check_engine, require_subnormals
from codecsim.learned.engine.spec import OUTPUT_BITS
from codecsim.learned.engine.state import LearnerState, Sample
from codecsim.learned.engine.tile_net import Loss, Optimiser, PackedWeights, TileNet, picture_tiling
from codecsim.learned.engine.update import MASKED, update_average
from codecsim.learned.engine.weights import builtin_weights
from codecsim.learned.inter.controller import (
    epochs_of_picture,
    hot_tiles,
    lossy_tiles,
    observe_loss,
    plan_training,
    should_train,
)
from codecsim.learned.inter.inputs import (
    CODED,
    add_output,
    add_tile_losses,
    extend_plane,
    fill_block_size,
    fill_difference,
    fill_high_pass,
    fill_prediction,
    fill_qp,
    measure_error,
)
from codecsim.learned.inter.rls import DIFFERENCE_SIDE, PREDICTION_SIDE, LinearFilter, feature_planes
from codecsim.tools.learner import BlockSize, Control, Expert, LossKind, Order, Reset

UNIT_LOG2 = 4  # an output of 1.0 is 2**4 8-bit samples; measured: 3 and 5 learn no faster
L2_BOUND = (1 << 16) - 1  # 64 8-bit samples of Q14 output


class LearnReport(NamedTuple):
    """What `PredictionFilter.learn` did."""

    trained_steps: int
    accumulated_loss: int  # absolute error in samples, since the last training
    reset: bool
    fitted_samples: int = 0  # that the linear filters took in


_NOTHING_LEARNT = LearnReport(0, 0, False)


class Lesson(NamedTuple):
    """A filtered picture from which a learner with Control.SIGNALLED learns if it is ordered to."""

    pending: "_Pending"
    recon: np.ndarray  # (h, w) uint16
    coded: np.ndarray  # (h // 4, w // 4) uint8
    qp: int


class _Pending(NamedTuple):
    pred: np.ndarray
    outputs: dict  # Expert to what it made of `pred`
    planes: np.ndarray
    features: np.ndarray | None  # planes of features for linear filters


def choose_experts(params, initial):
    """The experts of a stream: those that its parameters name, less an initial net that adds nothing.

    Without training the net stays as it began, and the identity is what a block without filter has.

    Parameters
    ----------
    params : InterLumaSettings
    initial : InitialWeights

    Returns
    -------
    tuple of Expert, at least one
    """
    named = tuple(expert for expert in Expert if expert & params.experts)
    stays = Expert.ONLINE in named and params.control == Control.NEVER
    useful = tuple(expert for expert in named if expert != Expert.INITIAL or not (stays or initial.is_identity))
    return useful or named


def linear_sides(params, experts):
    """Squares of taps, as LinearFilter takes them, of each expert that is one, by Expert."""
    sides = (PREDICTION_SIDE, *(DIFFERENCE_SIDE,) * params.n_aux)
    inputs = {Expert.RLS: sides, Expert.MIX: (*sides, 1)}
    return {expert: inputs[expert] for expert in experts if expert in inputs}


def make_linear_filters(params, experts, size, bit_depth):
    """LinearFilter of each expert that is one, by Expert, for pictures of `size` (width, height)."""
    return {expert: LinearFilter(*size, bit_depth, sides) for expert, sides in linear_sides(params, experts).items()}


def _loss_bound(params):
    """Largest error that the loss of InterLumaSettings tells from larger ones, in Q14 of the output."""
    if params.loss == LossKind.L2:
        return L2_BOUND
    return (1 if params.loss == LossKind.L1 else params.huber_bound_q4) << (OUTPUT_BITS - UNIT_LOG2 - 4)


class PredictionFilter:
    """P' = clip(P + net(inputs)) and other experts; then they learn from the reconstruction.

    Parameters
    ----------
    params : InterLumaSettings
    width, height : int, coded luma size in samples, multiples of 4
    bit_depth : int, 8..12
    initial : InitialWeights, which decide the network's shape; default the built-in ones for params.spec, with which
        the filter is the identity
    threads : int, of `predict`; does not change results

    Raises
    ------
    ConfigError : for an impossible size or depth, or weights for other inputs
    ModelError : where this machine does not compute as the format demands

    Attributes
    ----------
    experts : tuple of Expert, what the choice of a block has for 1, 2, ...
    names : tuple of str, theirs
    """

    wants_blocks = False  # but their areas

    def __init__(self, params, width, height, bit_depth=8, initial=None, threads=1):
        if width < 4 or height < 4 or width % 4 or height % 4 or not 8 <= bit_depth <= 12:
            raise ConfigError(f"learned tools: no filter for {width}x{height} at {bit_depth} bits")
        initial = initial or builtin_weights(params.spec)
        if initial.spec.n_inputs != params.spec.n_inputs or initial.spec.n_outputs != 1:
            raise ConfigError(
                f"learned tools: the initial weights are for {initial.spec}; "
                f"expected {params.spec.n_inputs} inputs and 1 output"
            )
        check_engine([initial.spec])
        self.params, self.width, self.height, self.bit_depth = params, width, height, bit_depth
        self.spec = initial.spec
        self.experts = choose_experts(params, initial)
        self.names = tuple(expert.name.lower() for expert in self.experts)
        self._linear = make_linear_filters(params, self.experts, (width, height), bit_depth)
        self._sample_shift = OUTPUT_BITS - UNIT_LOG2 - (bit_depth - 8)
        size = 1 << params.tile_log2
        self._grid = (-(-height // size) * size, -(-width // size) * size)
        waits = params.control == Control.THRESHOLD
        tiles = (self._grid[0] // size, self._grid[1] // size) if waits else (0, 0)
        self.state = LearnerState(initial, params.average_q8 > 0, tiles)
        self._rows, self._columns, tile_h, tile_w = picture_tiling(height, width)
        margin = 2 * self.spec.margin
        self._plane_shape = (
            max(self._grid[0], self._rows * tile_h) + margin,
            max(self._grid[1], self._columns * tile_w) + margin,
        )
        self._nets = [TileNet(self.spec, tile_h, tile_w) for _ in range(max(1, threads))]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None
        self._train_net = TileNet(self.spec, size, size, train=True)
        self._packed, self._train_packed = PackedWeights(self.spec), PackedWeights(self.spec)
        self._loss = Loss(self._sample_shift, _loss_bound(params), 8 - params.uncoded_q7.bit_length())
        self._optimiser = Optimiser(int(params.method), np.array(params.rates, np.float32))
        self._blur_rows = np.zeros((height, width), np.int32)
        self._sums = np.zeros(2, np.int64)
        self._pending, self._compiled = None, False
        self._lesson, self._obeyed = None, _NOTHING_LEARNT

    def predict(self, pred_y, aux, qp, areas=None):
        """Filter a picture's prediction, and keep the inputs for `learn`.

        Parameters
        ----------
        pred_y : (height, width) uint16
        aux : tuple of params.n_aux (height, width) uint16 further predictions
        qp : int, of the picture
        areas : (height // 4, width // 4) uint8 of size_classes.block_areas; needed with BlockSize.INPUT

        Returns
        -------
        list of (height, width) uint16, one for each of `experts`

        Raises
        ------
        ConfigError : for a wrong number or shape of planes
        """
        for plane in (pred_y, *aux):
            if plane.shape != (self.height, self.width) or plane.dtype != np.uint16:
                raise ConfigError(f"learned tools: expected {self.height}x{self.width} uint16, got {plane.shape}")
        if len(aux) != self.params.n_aux:
            raise ConfigError(f"learned tools: expected {self.params.n_aux} auxiliary planes, got {len(aux)}")
        if self.params.block_size == BlockSize.INPUT and areas is None:
            raise ConfigError("learned tools: the sizes of blocks are an input, but are not given")
        pred = np.ascontiguousarray(pred_y).copy()
        planes = self._inputs(pred, [np.ascontiguousarray(plane) for plane in aux], qp, areas)
        outputs, features = {}, None
        if Expert.INITIAL in self.experts:
            outputs[Expert.INITIAL] = self._run(self.state.initial.master, pred, planes)
        if {Expert.ONLINE, Expert.MIX} & {*self.experts}:
            outputs[Expert.ONLINE] = self._run(self.state.weights, pred, planes)
        if self._linear:
            net = (outputs[Expert.ONLINE],) if Expert.MIX in self._linear else ()
            features = feature_planes(pred, (*aux, *net), self.bit_depth)
        for expert, linear in self._linear.items():
            outputs[expert] = linear.predict(features, outputs[Expert.ONLINE] if expert == Expert.MIX else pred)
        self._pending = _Pending(pred, outputs, planes, features)
        return [outputs[expert].copy() for expert in self.experts]

    def output(self, expert):
        """What an Expert made of the picture that `predict` saw last, (height, width) uint16, until `learn`.

        None where it did not run.
        """
        return self._pending.outputs.get(expert) if self._pending else None

    def learn(self, recon_y, coded, qp):
        """Learn from the reconstruction of the picture that `predict` saw last; if it is signalled, when ordered to.

        Parameters
        ----------
        recon_y : (height, width) uint16, before in-loop filters
        coded : (height // 4, width // 4) uint8, inputs.CODED or UNCODED in units of inter blocks, else 0
        qp : int, of the picture

        Returns
        -------
        LearnReport; with Control.SIGNALLED of the order before this picture

        Raises
        ------
        ConfigError : without a predict() before it
        ModelError : where this thread flushes subnormal numbers to zero
        """
        if self._pending is None:
            raise ConfigError("learned tools: learn() needs the inputs of a predict() before it")
        coded, recon = np.ascontiguousarray(coded, np.uint8), np.ascontiguousarray(recon_y, np.uint16)
        lesson, self._pending = Lesson(self._pending, recon, coded, qp), None
        if self.params.control != Control.SIGNALLED:
            return self._learn(lesson)
        self._lesson = lesson._replace(recon=recon.copy(), coded=coded.copy())
        report, self._obeyed = self._obeyed, _NOTHING_LEARNT
        return report

    @property
    def has_lesson(self):
        """Whether a picture waits for an order."""
        return self._lesson is not None

    def obey(self, order):
        """Before `predict`: do what the stream orders; without Control.SIGNALLED nothing.

        Once TRAIN or HOLD has been obeyed the lesson is gone, and repeating it does nothing.

        Parameters
        ----------
        order : Order

        Raises
        ------
        ModelError : as `learn`
        """
        if self.params.control != Control.SIGNALLED:
            return
        lesson, self._lesson = self._lesson, None
        if order == Order.RESET:
            self._start_again()
            self._obeyed = LearnReport(0, 0, True)
        elif order == Order.TRAIN and lesson is not None:
            self._obeyed = self._learn(lesson)

    def _learn(self, lesson):
        """Learn from a Lesson; returns LearnReport."""
        (pending, recon, coded, qp), state, params = lesson, self.state, self.params
        error = np.full(self._grid, MASKED, np.int16)
        is_coded = (coded == CODED).astype(np.uint8)
        fitted = 16 * int(np.count_nonzero(is_coded)) if self._linear else 0
        for expert, linear in self._linear.items():
            base = pending.outputs[Expert.ONLINE] if expert == Expert.MIX else pending.pred
            linear.learn(pending.features, base, pending.outputs[expert], recon, is_coded)
        if Expert.ONLINE not in pending.outputs:  # nobody asks for the net to be trained
            return LearnReport(0, 0, False, fitted)
        measure_error(pending.pred, pending.outputs[Expert.ONLINE], recon, coded, params.uncoded_q7, error, self._sums)
        online, initial = int(self._sums[0]), int(self._sums[1])
        if not state.initial.is_identity:
            with_initial = pending.outputs.get(Expert.INITIAL)
            if with_initial is None:
                with_initial = self._run(state.initial.master, pending.pred, pending.planes)
            measure_error(pending.pred, with_initial, recon, coded, params.uncoded_q7, error, self._sums)
            initial = int(self._sums[0])
        reset = observe_loss(params, state, online, initial)
        if params.control == Control.THRESHOLD:
            add_tile_losses(pending.outputs[Expert.ONLINE], recon, coded, params.tile_log2, state.tile_losses)
        tiles = lossy_tiles(params, state, hot_tiles(params, coded), qp, self.bit_depth)
        state.replay = (Sample(pending.planes, error, tiles), *state.replay)[: params.replay]
        state.pictures += 1
        epochs_q2 = epochs_of_picture(params, state, qp)
        accumulated, steps, group = state.waiting_loss, [], 1 << params.tiles_log2
        if should_train(params, state, qp, self.width * self.height, self.bit_depth):
            require_subnormals()
            state.waiting_loss = 0
            steps = plan_training(params, state, self._grid, epochs_q2)
            for first in range(0, len(steps), group):
                self._train(steps[first : first + group])
        return LearnReport(len(steps), accumulated, reset, fitted)

    def _train(self, steps):
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

    def reset(self):
        """At an IDR: return to the initial weights; with Reset.NEVER only forget the pictures before it."""
        self._pending, self._lesson, self._obeyed = None, None, _NOTHING_LEARNT
        if self.params.reset == Reset.NEVER:
            self.state.replay = ()
        else:
            self._start_again()

    def _start_again(self):
        self.state.reset()
        for linear in self._linear.values():
            linear.reset()

    def snapshot(self):
        """All that has been learnt, and the lesson that waits, for `restore`."""
        linear = {expert: one.snapshot() for expert, one in self._linear.items()}
        return self.state.copy(), linear, self._lesson, self._obeyed

    def restore(self, snapshot):
        """Be as at a `snapshot`, which may be used again."""
        state, linear, self._lesson, self._obeyed = snapshot
        self.state = state.copy()
        for expert, one in self._linear.items():
            one.restore(linear[expert])

    def digest(self):
        """16 bytes that name the learner's state; whether a lesson waits counts, like replay pictures it itself not."""
        parts = (self.state.digest(), *(linear.digest() for linear in self._linear.values()))
        if self.params.control == Control.SIGNALLED:
            parts = (*parts, bytes([self.has_lesson]))
        if len(parts) == 1:
            return parts[0]
        return hashlib.blake2b(b"".join(parts), digest_size=16).digest()

    def _inputs(self, pred, aux, qp, areas):
        planes = np.zeros((self.spec.n_inputs, *self._plane_shape), np.int16)
        margin, depth = self.spec.margin, self.bit_depth
        fill_prediction(pred, margin, depth, planes)
        used = 1
        if self.params.high_pass:
            fill_high_pass(pred, margin, depth, self._blur_rows, planes, used)
            used += 1
        for plane in aux:
            fill_difference(plane, pred, margin, depth, planes, used)
            used += 1
        if self.params.qp_plane:
            fill_qp(qp, planes, used)
            used += 1
        if self.params.block_size == BlockSize.INPUT:
            fill_block_size(areas, margin, planes, used)
            used += 1
        for i in range(used):
            extend_plane(planes, i, margin, self.height, self.width)
        return planes

    def _run(self, master, pred, planes):
        """Prediction filtered with the weights `master`."""
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

    def _run_tiles(self, net, tiles, pred, planes, filtered):
        largest = (1 << self.bit_depth) - 1
        for i, j in tiles:
            y0, x0 = i * net.height, j * net.width
            rows, columns = min(net.height, self.height - y0), min(net.width, self.width - x0)
            if rows > 0 and columns > 0:
                net.load(planes, y0, x0)
                net.forward(self._packed)
                add_output(net.y, net.stride, pred, (y0, x0), (rows, columns), self._sample_shift, largest, filtered)
