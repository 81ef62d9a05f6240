"""Training of inter prediction filters by the integer engine itself: what is trained is what runs.

A block may do without the filter, so blocks that it makes worse need not be learnt from: several times in the training
the blocks of all samples that it harms are dropped until the next time, and it becomes better at the others.
"""

import dataclasses
import io
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from codecsim.errors import ConfigError
from codecsim.formats.output import atomic_output
from codecsim.learned.engine.spec import OUTPUT_BITS, NetSpec
from codecsim.learned.engine.state import LearnerState
from codecsim.learned.engine.tile_net import Loss, Optimiser, PackedWeights, TileNet
from codecsim.learned.engine.update import ADAM, MASKED, update_average
from codecsim.learned.engine.weights import builtin_weights
from codecsim.learned.inter.online_net import UNIT_LOG2
from codecsim.learned.model_files import Model
from codecsim.tools.learner import LearnerSettings
from codecsim.training.emphasis import emphasise
from codecsim.training.filter_samples import KINDS, FilterSamples
from codecsim.training.logs import count_by_kind, tensorboard

BLOCK = 32  # side of the blocks that are dropped: those that choose in the stream
_AVERAGE = np.float32(1 / 1024)
_CHECKPOINT = "checkpoint.npz"
_EVERY = 25_000  # steps between checkpoints
_STATE = ("master", "moment", "square", "powers", "average")


@dataclasses.dataclass(frozen=True)
class EngineTraining:
    """Settings of a training."""

    steps: int = 450_000  # each on one tile
    learning_rate: float = 2e-3  # at its highest
    warm_up: int = 500  # steps
    drop_at: tuple = (0.25, 0.5, 0.75)  # shares of the steps after which harmed blocks are dropped; (): never
    seed: int = 0
    emphasis: tuple = ()  # (pattern of sources, factor), for how often theirs are drawn


class _Run:
    """A training that can be stopped and gone on with."""

    def __init__(self, params: LearnerSettings, spec: NetSpec, samples: FilterSamples, training: EngineTraining):
        self.spec, self.samples, self.training, self.step = spec, samples, training, 0
        self.size = 1 << params.tile_log2
        self.rng = np.random.default_rng(training.seed)
        self.state = LearnerState(builtin_weights(spec), averaging=True)
        self.kept = [np.ones(_blocks(error), bool) for _, error in samples]
        self._packed = PackedWeights(spec)
        self._net = TileNet(spec, self.size, self.size, train=True)
        self._loss = Loss(OUTPUT_BITS - UNIT_LOG2, params.huber_bound_q4 << (OUTPUT_BITS - UNIT_LOG2 - 4))
        self._side = self.size + 2 * spec.margin
        self._ends: np.ndarray | None = None  # of the samples' shares, one behind the other
        if training.emphasis:
            sources = [source for source, *_ in samples.about]
            self._ends = np.cumsum(emphasise(np.full(len(samples), 1 / len(samples)), sources, training.emphasis))
        self._inputs = np.zeros((spec.n_inputs, self._net.rows, self._net.stride), np.int16)
        self._settings = repr((params, spec, training, samples.about))

    def take_step(self) -> None:
        """Learn from one tile."""
        training = self.training
        planes, error = self._draw()
        done = self.step / training.steps
        rate = training.learning_rate * min(1, (self.step + 1) / training.warm_up)
        rate *= 0.5 + 0.5 * np.cos(np.pi * done)
        optimiser = Optimiser(ADAM, np.array([rate + 1e-6, 0.9, 0.999, 1e-8], np.float32))
        self._net.load(planes, 0, 0)
        self._net.step(self.state, self._packed, error, 0, 0, self._loss, optimiser)
        update_average(self.state.average, self.state.master, _AVERAGE)
        self.step += 1

    def _draw(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs and errors of a tile, mirrored or turned at random; blocks that were dropped are masked."""
        while True:
            k = self._draw_sample()
            planes, error = self.samples[k]
            y0, x0 = (int(self.rng.integers(n - self.size + 1)) for n in error.shape)
            turn = int(self.rng.integers(8))
            rows, columns = (np.arange(at, at + self.size) // BLOCK for at in (y0, x0))
            kept = self.kept[k][rows[:, None], columns]
            if kept.any():
                tile = np.where(kept, error[y0 : y0 + self.size, x0 : x0 + self.size], np.int16(MASKED))
                side = self._side
                self._inputs[:, :side, :side] = _turn(planes[:, y0 : y0 + side, x0 : x0 + side], turn)
                return self._inputs, np.ascontiguousarray(_turn(tile, turn))

    def _draw_sample(self) -> int:
        if self._ends is None:
            return int(self.rng.integers(len(self.samples)))  # as the weights that ship without emphasis were trained
        return int(np.searchsorted(self._ends[:-1], self.rng.random() * self._ends[-1], side="right"))

    def drop(self) -> dict[str, Any]:
        """Drop the blocks that the filter now makes worse, and take back the others.

        Returns
        -------
        dict : how many of how many, and how many by structure, QP and source
        """
        total = 0
        kinds: list[tuple[str, int, str]] = []
        for k, before, after in block_errors(self.samples, self.spec, self.state.weights):
            used, self.kept[k] = before > 0, after < before
            if not self.kept[k].any():
                self.kept[k] |= used  # where all are harmed nothing can be told
            total += int(np.count_nonzero(used))
            source, config, qp, _ = self.samples.about[k]
            kinds += [(config, qp, source)] * int(np.count_nonzero(used & ~self.kept[k]))
        if not any(kept.any() for kept in self.kept):
            raise ConfigError("no block of the samples is coded by inter prediction")
        return {"step": self.step, "blocks": int(total), "dropped": len(kinds), "by_kind": count_by_kind(kinds)}

    def save(self, path: pathlib.Path, found: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        """Write all that the rest of the training depends on, and what has been found."""
        arrays = {name: getattr(self.state, name) for name in _STATE}
        arrays["kept"] = np.concatenate([kept.ravel() for kept in self.kept])
        rest = {"settings": self._settings, "step": self.step, "rng": self.rng.bit_generator.state, "found": found}
        packed = io.BytesIO()
        np.savez(packed, rest=json.dumps(rest), **arrays)
        with atomic_output(str(path)) as file:
            file.write(packed.getvalue())

    def resume(self, path: pathlib.Path) -> dict[str, list[dict[str, Any]]]:
        """Go on from what `save` wrote; returns what had been found.

        Raises
        ------
        ConfigError : it is of another training
        """
        with np.load(path) as stored:
            rest = json.loads(str(stored["rest"]))
            if rest["settings"] != self._settings:
                raise ConfigError(f"{path}: is of a training with other settings or samples; name another folder")
            for name in _STATE:
                setattr(self.state, name, stored[name])
            ends = np.cumsum([kept.size for kept in self.kept])[:-1]
            parts = np.split(stored["kept"], ends)
            self.kept = [part.reshape(kept.shape) for part, kept in zip(parts, self.kept, strict=True)]
        self.step, self.rng.bit_generator.state = rest["step"], rest["rng"]
        return rest["found"]


def _turn(planes: np.ndarray, turn: int) -> np.ndarray:
    """Planes of (..., h, w) mirrored (bits 0, 1) and transposed (bit 2)."""
    planes = planes[..., ::-1] if turn & 1 else planes
    planes = planes[..., ::-1, :] if turn & 2 else planes
    return planes.swapaxes(-1, -2) if turn & 4 else planes


def _blocks(error: np.ndarray) -> tuple[int, ...]:
    """Rows and columns of the blocks of a plane of errors."""
    return tuple(-(-n // BLOCK) for n in error.shape)


def block_errors(
    samples: FilterSamples, spec: NetSpec, weights: np.ndarray
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Squared error of the blocks of samples.

    Parameters
    ----------
    samples : FilterSamples with the margin of the network
    spec : NetSpec
    weights : (n,) float32

    Yields
    ------
    index, before, after : of the sample; (rows, columns) float64 of each block without and with the filter
    """
    packed = PackedWeights(spec)
    packed.update(weights)
    nets: dict[Any, Any] = {}
    for k, (planes, error) in enumerate(samples):
        h, w = error.shape
        net = nets.setdefault((h, w), TileNet(spec, h, w))
        net.load(np.ascontiguousarray(planes), 0, 0)
        net.forward(packed)
        used = error != MASKED
        e = np.where(used, error, 0).astype(np.float64)
        found = np.where(used, np.rint(net.output() / 2.0 ** (OUTPUT_BITS - UNIT_LOG2)), 0)
        yield k, _block_sums(e * e), _block_sums((e + found) ** 2)


def _block_sums(values: np.ndarray) -> np.ndarray:
    rows, columns = _blocks(values)
    h, w = values.shape
    whole = np.zeros((rows * BLOCK, columns * BLOCK))
    whole[:h, :w] = values
    return whole.reshape(rows, BLOCK, columns, BLOCK).sum((1, 3))


def measure(samples: FilterSamples, spec: NetSpec, weights: np.ndarray) -> dict[str, float]:
    """What weights leave of the squared error of the prediction.

    Returns
    -------
    dict of 'everywhere', 'where_better' (each block of 32x32 takes the filter where that is better) and the latter by
    structure and QP, each a share
    """
    sums: dict[Any, Any] = {}
    for k, before, after in block_errors(samples, spec, weights):
        _, config, qp, _ = samples.about[k]
        best = np.minimum(before, after).sum()
        for key in ("everywhere", "where_better", f"{config} {qp}"):
            total = sums.setdefault(key, [0.0, 0.0])
            total[0] += before.sum()
            total[1] += after.sum() if key == "everywhere" else best
    return {key: round(after / max(before, 1.0), 4) for key, (before, after) in sorted(sums.items())}


def train_filter(
    kind: str,
    layers: tuple[tuple[str, int], ...],
    folder: str | os.PathLike,
    training: EngineTraining,
    validation: str | os.PathLike | None = None,
    work: str | os.PathLike | None = None,
    report: Callable[..., Any] = lambda line: None,
) -> tuple[Model, dict[str, Any]]:
    """Train a filter of inter prediction.

    Parameters
    ----------
    kind : str, a key of filter_samples.KINDS
    layers : pairs of kind and channels, the network's hidden layers as of NetSpec
    folder : of samples
    training : EngineTraining
    validation : folder of samples of other clips, or None
    work : folder of the checkpoint, with which an interrupted training goes on, and of TensorBoard's files; or None

    Returns
    -------
    Model, whose weights are the running mean of the last ones, and a dict: for each time that blocks were dropped what
    was dropped and the error left on the validation samples then; and at the end

    Raises
    ------
    ConfigError : no samples, or those of another filter; a checkpoint of another training; no such network, or one that
        needs more context than the samples have; emphasis on what is not there
    """
    params = KINDS[kind].params()  # for inputs, size of tiles and loss
    try:
        spec = NetSpec(params.spec.n_inputs, layers)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    run = _Run(params, spec, FilterSamples(folder, kind, spec.margin), training)
    others = FilterSamples(validation, kind, spec.margin) if validation else None
    found: dict[str, Any] = {"dropping": []}
    writer = None
    checkpoint = None
    if work is not None:
        writer, checkpoint = tensorboard(work), pathlib.Path(work) / _CHECKPOINT
        if checkpoint.exists():
            found = run.resume(checkpoint)
            report(f"goes on at step {run.step}")
    drop_at = {int(share * training.steps) for share in training.drop_at}
    while run.step < training.steps:
        if run.step in drop_at and run.step not in [note["step"] for note in found["dropping"]]:
            found["dropping"].append(_drop(run, others, report))
        run.take_step()
        if run.step % _EVERY == 0 or run.step == training.steps:
            report(f"step {run.step} of {training.steps}")
            if others:
                left = measure(others, spec, run.state.weights)
                if writer:
                    for name in ("everywhere", "where_better"):
                        writer.add_scalar(f"validation/{name}", left[name], run.step)
            if checkpoint:
                run.save(checkpoint, found)
    weights = run.state.weights
    found["training"] = measure(run.samples, spec, weights)
    if others:
        found["validation"] = measure(others, spec, weights)
    return Model(KINDS[kind].kind, spec, weights, params.inputs), found


def _drop(run: _Run, others: FilterSamples | None, report: Callable[..., Any]) -> dict[str, Any]:
    note = run.drop()
    if others:
        note["validation_before"] = measure(others, run.spec, run.state.weights)
    report(f"step {run.step}: dropped {note['dropped']} of {note['blocks']} blocks")
    return note
