"""Training of the in-loop filter's weights with torch.

The loss is the squared error that is left, as a share of what the decoded picture has: each picture counts alike,
whatever its QP.  What is kept is a running mean of the weights.  In the last part of the training the network is
rounded as the integers are, with the gradient passed through, and pictures that the filter makes worse are dropped.
Most of the first layer's filters start without response to flat areas, and larger, since corrections hang on detail.
"""

import dataclasses
import json
import math
import pathlib

import numpy as np
import torch

from codecsim.errors import ConfigError, ModelError
from codecsim.learned.loop_spec import LoopSpec
from codecsim.learned.model_files import LOOP, Model
from codecsim.learned.update import MASTER_LIMIT
from codecsim.training.loop_model import INPUT_SCALE, OUTPUT_SCALE, LoopModel, check_bits, feature_vector

INPUTS = ("y00", "y01", "y10", "y11", "cb", "cr")
_MEMORY = 0.999  # of the running mean of the weights, once there are enough steps
_DETAIL_GAIN, _FLAT_GAIN = 4.0, 0.3  # of the first layer at the start
_CHECKPOINT = "checkpoint.pt"
_EVERY = 500  # steps between checkpoints


@dataclasses.dataclass(frozen=True)
class LoopTraining:
    """Settings of a training."""

    steps: int = 11_000
    learning_rate: float = 2e-3  # at its highest
    warm_up: int = 300  # steps
    batch: int = 8
    patch: int = 64  # side in samples of the six planes: 128 of luma
    chroma_weight: float = 0.08  # of a chroma plane's loss, against 1 of each luma plane
    rounded_from: float = 0.8  # share of the steps from which on the network is rounded, and harmed pictures dropped
    seed: int = 0
    device: str = "cpu"


class LoopSamples:
    """Pictures in a folder that loop_samples has written.

    Attributes
    ----------
    pictures : list of (source, config, QP of the encoding, slice type, slice QP)
    """

    def __init__(self, folder):
        self.pictures, self._planes = [], []
        for file in sorted(pathlib.Path(folder).glob("*.json")):
            about, stem = json.loads(file.read_text()), str(file.with_suffix(""))
            decoded, original = (np.load(f"{stem}.{name}.npy", mmap_mode="r") for name in ("decoded", "original"))
            for k, (slice_type, qp) in enumerate(about["pictures"]):
                self.pictures.append((about["source"], about["config"], about["qp"], slice_type, qp))
                self._planes.append((decoded[k], original[k]))
        if not self.pictures:
            raise ConfigError(f"{folder}: no samples of the in-loop filter; codecsim train loop-samples makes them")

    def load(self, k):
        """(6, h, w) uint8 decoded and original planes of picture k, and the features of its slice."""
        *_, slice_type, qp = self.pictures[k]
        return *self._planes[k], feature_vector(qp, slice_type)

    def errors(self, k):
        """(6,) mean squared error of the planes of picture k, the same for the four of luma."""
        decoded, original = self._planes[k]
        error = ((decoded.astype(np.float32) - original) ** 2).mean((1, 2))
        return np.concatenate([np.full(4, error[:4].mean()), error[4:]]).astype(np.float32)


class _Run:
    """A training that can be stopped and gone on with."""

    def __init__(self, spec, samples, training):
        torch.manual_seed(training.seed)
        self.samples, self.training, self.step = samples, training, 0
        self.model = LoopModel(spec)
        start_from_detail(self.model)
        self.model.to(training.device)
        self.mean = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.optimiser = torch.optim.Adam(self.model.parameters(), training.learning_rate, betas=(0.9, 0.99))
        self.rng = np.random.default_rng(training.seed)
        self.kept = np.arange(len(samples.pictures))
        self.errors = np.stack([samples.errors(k) for k in self.kept])
        self.plane_weights = torch.tensor([1.0] * 4 + [training.chroma_weight] * 2, device=training.device)

    def state(self):
        """All that the rest of the training depends on."""
        return {
            "settings": (self.model.spec, self.training, self.samples.pictures),
            "step": self.step,
            "model": self.model.state_dict(),
            "mean": self.mean,
            "optimiser": self.optimiser.state_dict(),
            "rng": self.rng.bit_generator.state,
            "kept": self.kept.tolist(),
        }

    def resume(self, state):
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

    def averaged(self):
        """The model with the running mean of its weights, rounded."""
        model = LoopModel(self.model.spec).to(self.training.device)
        model.load_state_dict(self.mean)
        model.exact = True
        return model

    def batch(self):
        """Decoded and original patches, features, errors of their pictures."""
        drawn, side = [], self.training.patch
        for k in self.rng.choice(self.kept, self.training.batch):
            decoded, original, features = self.samples.load(k)
            h, w = decoded.shape[1:]
            y, x = self.rng.integers(max(h - side, 0) + 1), self.rng.integers(max(w - side, 0) + 1)
            flips = self.rng.integers(8)
            patches = [_turn(_cut(planes, y, x, side), flips) for planes in (decoded, original)]
            drawn.append((*map(torch.from_numpy, patches), features, torch.from_numpy(self.errors[k])))
        return (torch.stack(part).to(self.training.device) for part in zip(*drawn, strict=True))

    def take_step(self):
        """One step; returns the loss, less what it would be without the filter."""
        training = self.training
        done = self.step / training.steps
        rate = training.learning_rate * min(1, (self.step + 1) / training.warm_up)
        for group in self.optimiser.param_groups:
            group["lr"] = rate * (0.5 + 0.5 * math.cos(math.pi * done)) + 1e-6
        self.model.exact = done >= training.rounded_from
        decoded, original, features, errors = self.batch()
        change = self.model((decoded - 128) * INPUT_SCALE, features) * OUTPUT_SCALE
        weights = self.plane_weights / self.plane_weights.sum() / (errors + 0.3)
        left = ((decoded + change - original) ** 2).mean((2, 3))
        before = ((decoded - original) ** 2).mean((2, 3))
        loss = (left * weights).sum(1).mean()
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 0.5)
        self.optimiser.step()
        self.step += 1
        keep = min(_MEMORY, self.step / (self.step + 20))
        with torch.no_grad():
            for name, value in self.model.state_dict().items():
                self.mean[name].lerp_(value, 1 - keep)
        return loss.item() - float((before * weights).sum(1).mean())


def start_from_detail(model):
    """Take the response to flat areas from 7 of 8 filters of the first layer, of luma and each chroma apart."""
    with torch.no_grad():
        weight = model.head.weight
        count = len(weight) * 7 // 8
        detail = weight[:count].clone()
        detail[:, :4] -= detail[:, :4].mean((1, 2, 3), keepdim=True)
        detail[:, 4:] -= detail[:, 4:].mean((2, 3), keepdim=True)
        weight[:count], weight[count:] = _DETAIL_GAIN * detail, _FLAT_GAIN * weight[count:]


def _cut(planes, y, x, side):
    """float32 patch of (6, h, w) planes, mirrored where they are smaller than it."""
    patch = planes[:, y : y + side, x : x + side].astype(np.float32)
    missing = side - patch.shape[1], side - patch.shape[2]
    return np.pad(patch, ((0, 0), (0, missing[0]), (0, missing[1])), "symmetric") if any(missing) else patch


def _turn(planes, flips):
    """Planes of the picture mirrored (bits 0, 1) and transposed (bit 2)."""
    if flips & 1:
        planes = planes[[1, 0, 3, 2, 4, 5], :, ::-1]
    if flips & 2:
        planes = planes[[2, 3, 0, 1, 4, 5], ::-1]
    if flips & 4:
        planes = planes[[0, 2, 1, 3, 4, 5]].transpose(0, 2, 1)
    return np.ascontiguousarray(planes)


def measure(model, samples, places=None):
    """(n, 3) gain of each picture in dB, of luma, Cb and Cr, when the filter is on everywhere."""
    device = next(model.parameters()).device
    gains = []
    with torch.no_grad():
        for k in range(len(samples.pictures)) if places is None else places:
            decoded, original, features = samples.load(k)
            x = torch.from_numpy(decoded.astype(np.float32)).to(device)
            change = model(((x - 128) * INPUT_SCALE)[None], features[None].to(device))[0] * OUTPUT_SCALE
            found = torch.clamp(torch.floor(x + change + 0.5), 0, 255).cpu().numpy()
            left = ((found - original) ** 2).mean((1, 2))
            before = samples.errors(k)
            pairs = ((before[0], left[:4].mean()), (before[4], left[4]), (before[5], left[5]))
            gains.append([10 * math.log10(max(a, 1e-3) / max(b, 1e-3)) for a, b in pairs])
    return np.array(gains)


def gains_by_encoding(model, samples):
    """Mean gain in dB of luma, Cb and Cr, by (configuration, QP)."""
    gains, found = measure(model, samples), {}
    for (_, config, qp, *_), gain in zip(samples.pictures, gains, strict=True):
        found.setdefault(f"{config} {qp}", []).append(gain)
    return {key: np.round(np.mean(rows, 0), 3).tolist() for key, rows in sorted(found.items())}


def _drop(run):
    """Leave out the pictures whose luma the filter makes worse; returns what is said about them."""
    harmed = measure(run.averaged(), run.samples, run.kept)[:, 0] < 0
    dropped, before = run.kept[harmed], len(run.kept)
    if not harmed.all():
        run.kept = run.kept[~harmed]
    kinds = {}
    for k in dropped:
        source, config, qp, *_ = run.samples.pictures[k]
        for kind in (f"config {config}", f"QP {qp}", f"source {source}"):
            kinds[kind] = kinds.get(kind, 0) + 1
    return {"pictures": before, "dropped": len(dropped), "by_kind": dict(sorted(kinds.items()))}


def train_loop(spec, folder, training, validation=None, work=None, report=lambda line: None):
    """Train an in-loop filter.

    Parameters
    ----------
    spec : LoopSpec
    folder : of samples
    training : LoopTraining
    validation : folder of samples of other material, or None
    work : folder of the checkpoint, with which an interrupted training goes on, and of TensorBoard's files; or None

    Returns
    -------
    Model, and a dict: gains in dB on the validation samples before and after dropping, and what was dropped

    Raises
    ------
    ModelError : the integers do not give what torch gives
    """
    torch.set_num_threads(1)
    run, others = _Run(spec, LoopSamples(folder), training), LoopSamples(validation) if validation else None
    found, writer = {}, None
    if work is not None:
        work = pathlib.Path(work)
        work.mkdir(parents=True, exist_ok=True)
        writer = _tensorboard(work)
        if (work / _CHECKPOINT).exists():
            state = torch.load(work / _CHECKPOINT, weights_only=False)
            found = state.pop("found")
            run.resume(state)
    drop_at = int(training.rounded_from * training.steps)
    mean = 0.0
    while run.step < training.steps:
        if run.step == drop_at and "dropping" not in found:
            found["dropping"] = _drop(run)
            if others:
                found["before_dropping"] = gains_by_encoding(run.averaged(), others)
            report(f"dropped {found['dropping']['dropped']} of {found['dropping']['pictures']} pictures")
        mean += 0.01 * (run.take_step() - mean)
        if run.step % _EVERY == 0 or run.step == training.steps:
            report(f"step {run.step} of {training.steps}: {mean:.4f}")
            if writer:
                writer.add_scalar("loss", mean, run.step)
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


def _tensorboard(folder):
    """Writer of TensorBoard's files, or None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(folder)


def usual_spec():
    """The network that ships: 82,022 parameters."""
    return LoopSpec(32, 4, "plain", "all", 16)
