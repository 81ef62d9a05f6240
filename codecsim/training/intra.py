"""Training of the intra prediction filter's weights with torch.

The loss is what the coder pays for: the sum of absolute DCT coefficients of what the prediction leaves, in steps of the
quantiser.  The encoder switches the filter off where it harms, so after a while such blocks count less.  Weights are
rounded as the engine rounds them, with the gradient passed through.
"""

import dataclasses
import math
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from codecsim.errors import ConfigError, ModelError
from codecsim.learned.engine.spec import ACT_BITS, CONV3, WEIGHT_BITS, NetSpec
from codecsim.learned.engine.update import MASTER_LIMIT
from codecsim.learned.intra.filter import UNIT_LOG2
from codecsim.learned.intra.inputs import INPUTS, MAX_MARGIN
from codecsim.learned.intra.spec import IntraSpec
from codecsim.learned.model_files import INTRA, Model
from codecsim.training.intra_check import check_bits
from codecsim.training.intra_samples import DRAWN
from codecsim.training.logs import tensorboard

SIZES = (2, 3, 4, 5)
_BATCH = 16384  # samples of prediction
_HARMFUL = 0.3  # weight of blocks that the filter makes worse, behind the first part of the training
_DROP_FROM = 0.15  # share of the steps that is that part
_EVERY = 1000  # steps between checkpoints
_WARM_UP = 100  # steps
_BLOCKS_AT_ONCE = 2000  # in validation


@dataclasses.dataclass(frozen=True)
class IntraTraining:
    """Settings of a training."""

    steps: int = 16_000  # of each network
    learning_rate: float = 2e-3  # at its highest
    seed: int = 0
    device: str = "cpu"
    jobs: int = 1  # networks trained at a time; no part of the result


class IntraNetwork(nn.Module):
    """One network of the filter, as a NetSpec says: real inputs (n, inputs, h, w) to samples of 8 bits (n, h', w')."""

    def __init__(self, spec: NetSpec):
        super().__init__()
        self.spec = spec
        widths = [spec.n_inputs, *(channels for _, channels in spec.hidden)]
        sides = [3 if kind == CONV3 else 1 for kind, _ in spec.hidden]
        self.hidden = nn.ModuleList(
            nn.Conv2d(n_in, n_out, side) for n_in, n_out, side in zip(widths, widths[1:], sides, strict=False)
        )
        self.output = nn.Conv2d(widths[-1], 1, 3)
        self.skip = nn.Parameter(torch.zeros(1, spec.n_inputs, 5, 5))
        with torch.no_grad():
            self.output.weight *= 0.1
            self.output.bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The change of the prediction."""
        margin, lead = self.spec.margin, self.spec.margin - 1 - self.spec.reach
        y = _crop(x, lead)
        for layer in self.hidden:
            y = functional.leaky_relu(functional.conv2d(y, _round(layer.weight), layer.bias), 0.125)
        y = functional.conv2d(y, _round(self.output.weight), self.output.bias)
        y = y + functional.conv2d(_crop(x, margin - 2), _round(self.skip))
        return y[:, 0] * (1 << UNIT_LOG2)

    def weights(self) -> np.ndarray:
        """(n,) float32 in canonical order, within what the engine can hold."""
        parts = [part for layer in self.hidden for part in (layer.weight, layer.bias)]
        parts += [self.output.weight, self.skip, self.output.bias]
        whole = np.concatenate([part.detach().cpu().numpy().ravel() for part in parts]).astype(np.float32)
        return whole.clip(-MASTER_LIMIT, MASTER_LIMIT)


def _crop(x: torch.Tensor, n: int) -> torch.Tensor:
    return x[:, :, n : x.shape[2] - n, n : x.shape[3] - n]


def _round(weights: torch.Tensor) -> torch.Tensor:
    rounded = torch.round(weights * (1 << WEIGHT_BITS)) / (1 << WEIGHT_BITS)
    return weights + (rounded - weights).detach()


def _dct(n: int) -> torch.Tensor:
    k, x = np.arange(n)[:, None], np.arange(n)
    basis = np.cos(np.pi * (2 * x + 1) * k / (2 * n)) * math.sqrt(2 / n)
    basis[0] /= math.sqrt(2)
    return torch.tensor(basis, dtype=torch.float32)


class Samples:
    """Samples in a folder (see intra_samples), of the blocks that one network of a split sees."""

    def __init__(self, folder: str | os.PathLike, spec: IntraSpec, which: int):
        self._margin, self._kept = spec.net.margin, {}
        self._basis = {log2: _dct(1 << log2) for log2 in SIZES}
        if not (pathlib.Path(folder) / DRAWN).is_file():
            raise ConfigError(f"{folder}: no samples of the intra filter; codecsim train intra-samples makes them")
        for log2 in SIZES:
            files = [pathlib.Path(folder) / f"{name}_{log2}.npy" for name in ("planes", "error", "about")]
            planes, error, about = (np.load(file, mmap_mode="r") for file in files)
            seen = np.flatnonzero(spec.table[(about[:, 1] > 1).astype(int), log2 - 2] == which)
            if seen.size:
                self._kept[log2] = planes, error, np.array(about), seen

    def __iter__(self) -> Iterator[Any]:
        """(log2, places of the blocks) of each size."""
        return iter((log2, kept[3]) for log2, kept in self._kept.items())

    def load(self, log2: int, places: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Inputs, errors of the prediction and slice QPs of some blocks."""
        planes, error, about, _ = self._kept[log2]
        cut = slice(MAX_MARGIN - self._margin, (1 << log2) + MAX_MARGIN + self._margin)
        inputs = torch.from_numpy(planes[places][:, :, cut, cut].astype(np.float32) / (1 << ACT_BITS))
        qp = torch.from_numpy(about[places, 0].astype(np.float32))
        return inputs, torch.from_numpy(error[places].astype(np.float32)), qp

    def cost(self, log2: int, error: torch.Tensor, qp: torch.Tensor) -> torch.Tensor:
        """Sum of absolute coefficients of each block, in steps of the quantiser at QP 32."""
        basis = self._basis[log2].to(error.device)
        return (basis @ error @ basis.T).abs().sum((1, 2)) / 2 ** ((qp - 32) / 6)


class _Run:
    """A training of one network that can be stopped and gone on with."""

    def __init__(self, spec: IntraSpec, which: int, folder: str | os.PathLike, training: IntraTraining):
        torch.set_num_threads(1)
        torch.manual_seed(1000 * training.seed + which)
        self.training, self.step, self.mean = training, 0, 0.0
        self._rng = np.random.default_rng((training.seed, which))
        self._samples, self.net = Samples(folder, spec, which), IntraNetwork(spec.net).to(training.device)
        self._optimiser = torch.optim.Adam(self.net.parameters(), training.learning_rate, betas=(0.9, 0.99))
        self._sizes, self._places = zip(*self._samples, strict=True)
        share = np.array([len(found) << 2 * log2 for log2, found in self._samples], float)
        self._share = share / share.sum()
        settings = dataclasses.replace(training, jobs=1)
        self._settings = repr((spec, which, settings, [len(found) for found in self._places]))

    def take_step(self) -> float:
        """One step on blocks of one size; returns the share of them that the filter makes worse."""
        training = self.training
        done = self.step / training.steps
        rate = training.learning_rate * min(1, (self.step + 1) / _WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * done))
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        k = int(self._rng.choice(len(self._sizes), p=self._share))
        log2 = self._sizes[k]
        drawn = np.sort(self._rng.choice(self._places[k], max(4, _BATCH >> 2 * log2)))
        inputs, error, qp = (part.to(training.device) for part in self._samples.load(log2, drawn))
        change = self._samples.cost(log2, error - self.net(inputs), qp) - self._samples.cost(log2, error, qp)
        harmed = float((change > 0).float().mean())
        if done > _DROP_FROM:
            change = torch.where(change > 0, _HARMFUL * change, change)
        loss = change.mean() / (1 << 2 * log2)
        self._optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self._optimiser.step()
        self.mean += 0.002 * (loss.item() - self.mean)
        self.step += 1
        return harmed

    def save(self, path: pathlib.Path) -> None:
        """Write all that the rest of the training depends on."""
        state = {"settings": self._settings, "step": self.step, "mean": self.mean, "net": self.net.state_dict()}
        state |= {"optimiser": self._optimiser.state_dict(), "rng": self._rng.bit_generator.state}
        torch.save(state, f"{path}.new")
        pathlib.Path(f"{path}.new").replace(path)

    def resume(self, path: pathlib.Path) -> None:
        """Go on from what `save` wrote.

        Raises
        ------
        ConfigError : it is of another training
        """
        state = torch.load(path, weights_only=False)
        if state["settings"] != self._settings:
            raise ConfigError(f"{path}: is of a training with other settings or samples; name another folder")
        self.step, self.mean = state["step"], state["mean"]
        self.net.load_state_dict(state["net"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._rng.bit_generator.state = state["rng"]


# (spec, which network, folder of samples, settings, folder of the checkpoint or None)
_Job = tuple[IntraSpec, int, str | os.PathLike, IntraTraining, str | os.PathLike | None]


def train_network(
    job: _Job,
    report: Callable[..., Any] = lambda line: None,
) -> np.ndarray:
    """Train one network of an IntraSpec; returns its (n,) float32 weights.

    Parameters
    ----------
    job : (IntraSpec, which network, folder of samples, IntraTraining, folder of the checkpoint or None)
    """
    spec, which, folder, training, work = job
    run = _Run(spec, which, folder, training)
    writer = checkpoint = None
    if work is not None:
        writer, checkpoint = tensorboard(work), pathlib.Path(work) / f"network-{which}.pt"
        if checkpoint.exists():
            run.resume(checkpoint)
            report(f"network {which} goes on at step {run.step}")
    harmed = 0.0
    while run.step < training.steps:
        harmed += 0.01 * (run.take_step() - harmed)
        if run.step % _EVERY == 0 or run.step == training.steps:
            report(f"network {which}, step {run.step} of {training.steps}: {run.mean:.4f}, {harmed:.0%} made worse")
            if writer:
                writer.add_scalar(f"loss/{which}", run.mean, run.step)
                writer.add_scalar(f"made_worse/{which}", harmed, run.step)
            if checkpoint:
                run.save(checkpoint)
    return run.net.weights()


def validate(model: Model, folder: str | os.PathLike) -> dict[int, tuple[float, float, float]]:
    """What the filter leaves of the cost of validation samples, block by block where it helps.

    Returns
    -------
    dict of log2 to (everywhere, where it helps, share of blocks where it helps)
    """
    torch.set_num_threads(1)
    sums = {log2: np.zeros(5) for log2 in SIZES}
    for which, weights in enumerate(model.spec.parts(model.weights)):
        net = _network(model.spec.net, weights)
        samples = Samples(folder, model.spec, which)
        for log2, places in samples:
            for start in range(0, len(places), _BLOCKS_AT_ONCE):
                inputs, error, qp = samples.load(log2, places[start : start + _BLOCKS_AT_ONCE])
                with torch.no_grad():
                    on, off = samples.cost(log2, error - net(inputs), qp), samples.cost(log2, error, qp)
                better = torch.minimum(on, off)
                sums[log2] += [float(off.sum()), float(on.sum()), float(better.sum()), int((on < off).sum()), len(off)]
    return {log2: (s[1] / s[0], s[2] / s[0], s[3] / s[4]) for log2, s in sums.items() if s[4]}


def _network(spec: NetSpec, weights: np.ndarray) -> IntraNetwork:
    """IntraNetwork with weights in canonical order."""
    net, at = IntraNetwork(spec), 0
    parts = [part for layer in net.hidden for part in (layer.weight, layer.bias)]
    with torch.no_grad():
        for part in (*parts, net.output.weight, net.skip, net.output.bias):
            size = part.numel()
            part.copy_(torch.from_numpy(weights[at : at + size].copy()).reshape(part.shape))
            at += size
    return net


def train_intra(
    spec: IntraSpec,
    folder: str | os.PathLike,
    training: IntraTraining,
    work: str | os.PathLike | None = None,
    report: Callable[..., Any] = lambda line: None,
) -> Model:
    """Train all networks of an IntraSpec on the samples in a folder; returns a Model with all of INPUTS.

    work : folder of checkpoints, with which an interrupted training goes on, and of TensorBoard's files; or None

    Raises
    ------
    ConfigError : no samples, or those of other inputs; a checkpoint of another training
    ModelError : the integers do not give what torch gives
    """
    if spec.net.n_inputs != len(INPUTS):
        raise ConfigError(f"the samples have {len(INPUTS)} inputs, the network {spec.net.n_inputs}")
    jobs = [(spec, which, folder, training, work) for which in range(spec.n_nets)]
    if training.jobs == 1:
        found = [train_network(job, report) for job in jobs]
    else:
        found = _train_at_once(jobs, training.jobs, report)
    model = Model(INTRA, spec, np.concatenate(found), INPUTS)
    if not check_bits(model):
        raise ModelError("the trained intra filter changes nothing")
    return model


def _train_at_once(
    jobs: Sequence[_Job],
    count: int,
    report: Callable[..., Any],
) -> list[np.ndarray]:
    """What `train_network` returns for each job, `count` processes at a time; this one reports what they say."""
    context = get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(count, context) as pool:
        lines = manager.Queue()
        futures = [pool.submit(train_network, job, lines.put) for job in jobs]
        for future in futures:
            future.add_done_callback(lambda _: lines.put(None))
        for _ in futures:  # each ends with None
            for line in iter(lines.get, None):
                report(line)
        return [future.result() for future in futures]


def usual_spec() -> IntraSpec:
    """IntraSpec of the weights that ship."""
    return IntraSpec(NetSpec(len(INPUTS), ((CONV3, 16),) * 3), "direction")
