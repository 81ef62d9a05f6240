"""Training of the in-loop filter's weights with torch.

The loss is the squared error that is left, as a share of what the decoded picture has: each picture counts alike,
whatever its QP.  What is kept is a running mean of the weights.  Late in the training, pictures that the filter makes
worse are dropped; in its last part the network is rounded as the integers are, with the gradient passed through.
Most of the first layer's filters start without response to flat areas, and larger, since corrections hang on detail.
Chroma's weight grows from first to last: its errors are the easier to learn, and would take what luma needs.
"""

import dataclasses
import math
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from codecsim.errors import ConfigError, ModelError
from codecsim.learned.engine.update import MASTER_LIMIT
from codecsim.learned.loop.spec import LoopSpec
from codecsim.learned.model_files import LOOP, Model
from codecsim.training.logs import count_by_kind, tensorboard
from codecsim.training.loop_data import LoopSamples
from codecsim.training.loop_model import INPUT_SCALE, OUTPUT_SCALE, LoopModel, check_bits
from codecsim.training.loop_optimiser import Optimisers

INPUTS = ("y00", "y01", "y10", "y11", "cb", "cr")
_MEMORY = 0.999  # of the running mean of the weights, once there are enough steps
_DETAIL_GAIN, _FLAT_GAIN = 4.0, 0.3  # of the first layer at the start
_CHECKPOINT = "checkpoint.pt"
_EVERY = 500  # steps between checkpoints
_LEAST_ERROR = 0.3  # added to a picture's mean squared error, which its loss is divided by


@dataclasses.dataclass(frozen=True)
class LoopTraining:
    """Settings of a training."""

    steps: int = 11_000
    learning_rate: float = 2e-3  # of Adam, at its highest
    muon_rate: float = 0.0  # of Muon, at its highest, such as 0.02; 0: Adam for all weights
    warm_up: int = 200  # steps
    batch: int = 8
    patch: int = 64  # side in samples of the six planes: 128 of luma
    chroma_weights: tuple[float, float] = (0.08, 0.2)  # of a chroma plane's loss, against 1 of luma: first and last
    intra_share: float = 0.6  # of the patches that come from intra pictures
    size_power: float = 0.75  # of a picture's number of samples, for how often it is drawn
    emphasis: tuple = ()  # (pattern of sources, factor), for how often theirs are drawn
    drop_from: float = 0.7  # share of the steps after which harmed pictures are dropped
    rounded_from: float = 0.95  # share of the steps from which on the network is rounded
    precision: str = "bfloat16"  # of the convolutions until then, or float32: twice the time
    seed: int = 0
    device: str = "cpu"


class _Run:
    """A training that can be stopped and gone on with."""

    def __init__(self, spec: LoopSpec, samples: LoopSamples, training: LoopTraining, start: np.ndarray | None = None):
        torch.manual_seed(training.seed)
        self.samples, self.training, self.step = samples, training, 0
        self.model = LoopModel(spec)
        if start is None:
            start_from_detail(self.model)
        else:
            self.model.load_canonical(start)
        self.model.to(training.device, memory_format=torch.channels_last)
        self.mean = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.optimiser = Optimisers(self.model, training.learning_rate, training.muon_rate)
        self.rng = np.random.default_rng(training.seed)
        self.growth = np.zeros(6)  # of each plane's squared error, running mean
        self.kept = np.arange(len(samples.pictures))
        self.errors = np.stack([samples.errors(int(k)) for k in self.kept])
        self.shares = samples.shares(training.intra_share, training.size_power, training.emphasis)

    def state(self) -> dict[str, Any]:
        """All that the rest of the training depends on."""
        return {
            "settings": (self.model.spec, self.training, self.samples.pictures),
            "step": self.step,
            "model": self.model.state_dict(),
            "mean": self.mean,
            "optimiser": self.optimiser.state_dict(),
            "rng": self.rng.bit_generator.state,
            "kept": self.kept.tolist(),
            "growth": self.growth,
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state` returned.

        Raises
        ------
        ConfigError : it is of another training
        """
        if state["settings"] != self.state()["settings"]:
            raise ConfigError("the checkpoint is of a training with other settings or samples; name another folder")
        self.step, self.mean = state["step"], state["mean"]
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.rng.bit_generator.state = state["rng"]
        self.kept = np.array(state["kept"])
        self.growth = state.get("growth", self.growth)

    def averaged(self, exact: bool = True) -> LoopModel:
        """The model with the running mean of its weights, rounded or not."""
        model = LoopModel(self.model.spec).to(self.training.device, memory_format=torch.channels_last)
        model.load_state_dict(self.mean)
        model.exact = exact
        return model

    def batch(self) -> Iterator[Any]:
        """Decoded and original patches, features, errors of their pictures."""
        drawn, shares = [], self.shares[self.kept]
        for k in self.rng.choice(self.kept, self.training.batch, p=shares / shares.sum()):
            patches = self.samples.patch(k, self.rng, self.training.patch)
            drawn.append((*patches, self.samples.load(k)[2], torch.from_numpy(self.errors[k])))
        return (torch.stack(part).to(self.training.device) for part in zip(*drawn, strict=True))

    def plane_weights(self) -> torch.Tensor:
        """(6,) tensor, their shares in the loss at this step."""
        first, last = self.training.chroma_weights
        chroma = first + (last - first) * self.step / self.training.steps
        weights = torch.tensor([1.0] * 4 + [chroma] * 2, device=self.training.device)
        return weights / weights.sum()

    def take_step(self) -> None:
        """One step, whose growth of each plane's squared error, as shares of its picture's, goes into `growth`."""
        training, done = self.training, self.step / self.training.steps
        self.model.exact = done >= training.rounded_from
        decoded, original, features, errors = self.batch()
        change = _change(self.model, decoded, features, training.precision)
        weights = 1 / (errors + _LEAST_ERROR)
        left = ((decoded + change - original) ** 2).mean((2, 3)) * weights
        before = ((decoded - original) ** 2).mean((2, 3)) * weights
        (left * self.plane_weights()).sum(1).mean().backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 0.5)
        self.optimiser.step(min(1, (self.step + 1) / training.warm_up) * (0.5 + 0.5 * math.cos(math.pi * done)))
        self.step += 1
        keep = min(_MEMORY, self.step / (self.step + 20))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.mean[name].lerp_(value, 1 - keep)
        growth = (left - before).detach().mean(0).cpu().numpy()
        self.growth = self.growth + (growth - self.growth) / min(self.step, 200)


def _change(model: LoopModel, decoded: torch.Tensor, features: torch.Tensor, precision: str) -> torch.Tensor:
    """(n, 6, h, w) what a model adds to samples; without rounding, convolutions have this precision."""
    low = precision == "bfloat16" and not model.exact
    planes = ((decoded - 128) * INPUT_SCALE).contiguous(memory_format=torch.channels_last)
    with torch.autocast(decoded.device.type, torch.bfloat16, enabled=low):
        return model(planes, features).float() * OUTPUT_SCALE


def start_from_detail(model: LoopModel) -> None:
    """Take the response to flat areas from 7 of 8 filters of the first layer, of luma and each chroma apart."""
    with torch.no_grad():
        weight = model.head.weight
        count = len(weight) * 7 // 8
        detail = weight[:count].clone()
        detail[:, :4] -= detail[:, :4].mean((1, 2, 3), keepdim=True)
        detail[:, 4:] -= detail[:, 4:].mean((2, 3), keepdim=True)
        weight[:count], weight[count:] = _DETAIL_GAIN * detail, _FLAT_GAIN * weight[count:]


def measure(
    model: LoopModel, samples: LoopSamples, places: np.ndarray | None = None, precision: str = "float32"
) -> np.ndarray:
    """(n, 3) gain of each picture in dB, of luma, Cb and Cr, when the filter is on everywhere."""
    device = next(model.parameters()).device
    gains = []
    with torch.no_grad():
        for k in range(len(samples.pictures)) if places is None else places:
            decoded, original, features = samples.load(k)
            x = torch.from_numpy(decoded.astype(np.float32)).to(device)
            change = _change(model, x[None], features[None].to(device), precision)[0]
            found = torch.clamp(torch.floor(x + change + 0.5), 0, 255).cpu().numpy()
            left = ((found - original) ** 2).mean((1, 2))
            before = samples.errors(k)
            pairs = ((before[0], left[:4].mean()), (before[4], left[4]), (before[5], left[5]))
            gains.append([10 * math.log10(max(a, 1e-3) / max(b, 1e-3)) for a, b in pairs])
    return np.array(gains)


def gains_by_encoding(model: LoopModel, samples: LoopSamples) -> dict[str, list[float]]:
    """Mean gain in dB of luma, Cb and Cr, by (configuration, QP)."""
    gains = measure(model, samples)
    found: dict[Any, Any] = {}
    for (_, config, qp, *_), gain in zip(samples.pictures, gains, strict=True):
        found.setdefault(f"{config} {qp}", []).append(gain)
    means = {key: np.mean(np.array(rows), 0).round(3) for key, rows in sorted(found.items())}
    return {key: [float(gain) for gain in mean] for key, mean in means.items()}


def _drop(run: _Run) -> dict[str, Any]:
    """Leave out the pictures whose luma the filter makes worse, unless that is all; returns what is said about them."""
    harmed = measure(run.averaged(False), run.samples, run.kept, run.training.precision)[:, 0] < 0
    if harmed.all():
        harmed[:] = False  # nothing would be left to learn from
    dropped, before = run.kept[harmed], len(run.kept)
    run.kept = run.kept[~harmed]
    about = [run.samples.pictures[k] for k in dropped]
    kinds = count_by_kind([(config, qp, source) for source, config, qp, *_ in about])
    return {"step": run.step, "pictures": before, "dropped": len(dropped), "by_kind": kinds}


def train_loop(
    spec: LoopSpec,
    folder: str | os.PathLike,
    training: LoopTraining,
    validation: str | None = None,
    work: str | os.PathLike | None = None,
    start: np.ndarray | None = None,
    report: Callable[..., Any] = lambda line: None,
) -> tuple[Model, dict[str, dict[str, Any]]]:
    """Train an in-loop filter.

    Parameters
    ----------
    spec : LoopSpec
    folder : of samples
    training : LoopTraining
    validation : folder of samples of other material, or None
    work : folder of the checkpoint, with which an interrupted training goes on, and of TensorBoard's files; or None
    start : (spec.n_weights,) float32 to start from, or None

    Returns
    -------
    Model, and a dict: gains in dB on the validation samples before and after dropping, and what was dropped

    Raises
    ------
    ModelError : the integers do not give what torch gives
    """
    torch.set_num_threads(1)
    run, others = _Run(spec, LoopSamples(folder), training, start), LoopSamples(validation) if validation else None
    found: dict[str, Any] = {}
    writer: Any = None
    if work is not None:
        work = pathlib.Path(work)
        writer = tensorboard(work)
        if (work / _CHECKPOINT).exists():
            state = torch.load(work / _CHECKPOINT, weights_only=False)
            found = state.pop("found")
            run.resume(state)
            report(f"goes on at step {run.step}")
    drop_at = int(training.drop_from * training.steps)
    while run.step < training.steps:
        if run.step == drop_at and "dropping" not in found:
            found["dropping"] = _drop(run)
            if others:
                found["before_dropping"] = gains_by_encoding(run.averaged(), others)
            report(f"dropped {found['dropping']['dropped']} of {found['dropping']['pictures']} pictures")
        run.take_step()
        if run.step % _EVERY == 0 or run.step == training.steps:
            losses = {"luma": run.growth[:4].mean(), "cb": run.growth[4], "cr": run.growth[5]}
            said = ", ".join(f"{plane} {100 * loss:+.2f} %" for plane, loss in losses.items())
            report(f"step {run.step} of {training.steps}: error {said}")
            for plane, loss in losses.items() if writer is not None else ():
                writer.add_scalar(f"error/{plane}", loss, run.step)
            if work is not None:
                torch.save({**run.state(), "found": found}, work / f"{_CHECKPOINT}.new")
                (work / f"{_CHECKPOINT}.new").replace(work / _CHECKPOINT)
    model = run.averaged().cpu()
    if others:
        found["gains"] = gains_by_encoding(model, others)
        if writer:
            for key, (luma, *_) in found["gains"].items():
                writer.add_scalar(f"validation/{key}", luma, run.step)
    weights = model.canonical().clip(-MASTER_LIMIT, MASTER_LIMIT)
    model.load_canonical(weights)
    if not check_bits(model):
        raise ModelError("the trained in-loop filter changes nothing")
    return Model(LOOP, spec, weights, INPUTS, "loop-filter"), found


def usual_spec() -> LoopSpec:
    """The network that ships: 82,022 parameters."""
    return LoopSpec(32, 4, "plain", "all", 16)
