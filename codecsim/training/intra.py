"""Training of the intra prediction filter's weights with torch.

The loss is what the coder pays for: the sum of absolute DCT coefficients of what the prediction leaves, in steps of the
quantiser.  The encoder switches the filter off where it harms, so after a while such blocks count less.  Weights are
rounded as the engine rounds them, with the gradient passed through.
"""

import dataclasses
import math
import pathlib
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from codecsim.errors import ConfigError
from codecsim.learned.intra_filter import UNIT_LOG2
from codecsim.learned.intra_inputs import INPUTS, MAX_MARGIN
from codecsim.learned.intra_spec import IntraSpec
from codecsim.learned.model_files import INTRA, Model
from codecsim.learned.spec import ACT_BITS, CONV3, WEIGHT_BITS, NetSpec
from codecsim.learned.update import MASTER_LIMIT

SIZES = (2, 3, 4, 5)
_BATCH = 16384  # samples of prediction
_HARMFUL = 0.3  # weight of blocks that the filter makes worse, behind the first part of the training
_WARM_UP = 100  # steps
_BLOCKS_AT_ONCE = 2000  # in validation


@dataclasses.dataclass(frozen=True)
class IntraTraining:
    """Settings of a training."""

    steps: int = 16_000  # of each network
    learning_rate: float = 2e-3  # at its highest
    seed: int = 0
    jobs: int = 1  # networks trained at a time; no part of the result


class IntraNetwork(nn.Module):
    """One network of the filter, as a NetSpec says: real inputs (n, inputs, h, w) to samples of 8 bits (n, h', w')."""

    def __init__(self, spec):
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

    def forward(self, x):
        """The change of the prediction."""
        margin, lead = self.spec.margin, self.spec.margin - 1 - self.spec.reach
        y = _crop(x, lead)
        for layer in self.hidden:
            y = functional.leaky_relu(functional.conv2d(y, _round(layer.weight), layer.bias), 0.125)
        y = functional.conv2d(y, _round(self.output.weight), self.output.bias)
        y = y + functional.conv2d(_crop(x, margin - 2), _round(self.skip))
        return y[:, 0] * (1 << UNIT_LOG2)

    def weights(self):
        """(n,) float32 in canonical order, within what the engine can hold."""
        parts = [part for layer in self.hidden for part in (layer.weight, layer.bias)]
        parts += [self.output.weight, self.skip, self.output.bias]
        whole = np.concatenate([part.detach().numpy().ravel() for part in parts]).astype(np.float32)
        return whole.clip(-MASTER_LIMIT, MASTER_LIMIT)


def _crop(x, n):
    return x[:, :, n : x.shape[2] - n, n : x.shape[3] - n]


def _round(weights):
    rounded = torch.round(weights * (1 << WEIGHT_BITS)) / (1 << WEIGHT_BITS)
    return weights + (rounded - weights).detach()


def _dct(n):
    k, x = np.arange(n)[:, None], np.arange(n)
    basis = np.cos(np.pi * (2 * x + 1) * k / (2 * n)) * math.sqrt(2 / n)
    basis[0] /= math.sqrt(2)
    return torch.tensor(basis, dtype=torch.float32)


class Samples:
    """Samples in a folder (see intra_samples), of the blocks that one network of a split sees."""

    def __init__(self, folder, spec, which):
        self._margin, self._kept = spec.net.margin, {}
        self._basis = {log2: _dct(1 << log2) for log2 in SIZES}
        for log2 in SIZES:
            files = [pathlib.Path(folder) / f"{name}_{log2}.npy" for name in ("planes", "error", "about")]
            if not all(file.is_file() for file in files):
                raise ConfigError(f"{folder}: no samples of the intra filter; codecsim train intra-samples makes them")
            planes, error, about = (np.load(file, mmap_mode="r") for file in files)
            seen = np.flatnonzero(spec.table[(about[:, 1] > 1).astype(int), log2 - 2] == which)
            if seen.size:
                self._kept[log2] = planes, error, np.array(about), seen

    def __iter__(self):
        """(log2, places of the blocks) of each size."""
        return iter((log2, kept[3]) for log2, kept in self._kept.items())

    def load(self, log2, places):
        """Inputs, errors of the prediction and slice QPs of some blocks."""
        planes, error, about, _ = self._kept[log2]
        cut = slice(MAX_MARGIN - self._margin, (1 << log2) + MAX_MARGIN + self._margin)
        inputs = torch.from_numpy(planes[places][:, :, cut, cut].astype(np.float32) / (1 << ACT_BITS))
        qp = torch.from_numpy(about[places, 0].astype(np.float32))
        return inputs, torch.from_numpy(error[places].astype(np.float32)), qp

    def cost(self, log2, error, qp):
        """Sum of absolute coefficients of each block, in steps of the quantiser at QP 32."""
        basis = self._basis[log2]
        return (basis @ error @ basis.T).abs().sum((1, 2)) / 2 ** ((qp - 32) / 6)


def train_network(spec, which, folder, training, report=lambda line: None):
    """Train network `which` of an IntraSpec; returns its (n,) float32 weights."""
    torch.set_num_threads(1)
    torch.manual_seed(1000 * training.seed + which)
    rng = np.random.default_rng((training.seed, which))
    samples, net = Samples(folder, spec, which), IntraNetwork(spec.net)
    optimiser = torch.optim.Adam(net.parameters(), training.learning_rate, betas=(0.9, 0.99))
    sizes, places = zip(*samples, strict=True)
    share = np.array([len(found) << 2 * log2 for log2, found in zip(sizes, places, strict=True)], float)
    mean = 0.0
    for step in range(training.steps):
        done = step / training.steps
        rate = training.learning_rate * min(1, (step + 1) / _WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * done))
        for group in optimiser.param_groups:
            group["lr"] = rate
        k = int(rng.choice(len(sizes), p=share / share.sum()))
        log2 = sizes[k]
        drawn = np.sort(rng.choice(places[k], max(4, _BATCH >> 2 * log2)))
        inputs, error, qp = samples.load(log2, drawn)
        change = samples.cost(log2, error - net(inputs), qp) - samples.cost(log2, error, qp)
        if done > 0.15:
            change = torch.where(change > 0, _HARMFUL * change, change)
        loss = change.mean() / (1 << 2 * log2)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        mean += 0.002 * (loss.item() - mean)
        if (step + 1) % 1000 == 0:
            report(f"network {which}, step {step + 1} of {training.steps}: {mean:.4f}")
    return net.weights()


def validate(model, folder):
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


def _network(spec, weights):
    """IntraNetwork with weights in canonical order."""
    net, at = IntraNetwork(spec), 0
    parts = [part for layer in net.hidden for part in (layer.weight, layer.bias)]
    with torch.no_grad():
        for part in (*parts, net.output.weight, net.skip, net.output.bias):
            size = part.numel()
            part.copy_(torch.from_numpy(weights[at : at + size].copy()).reshape(part.shape))
            at += size
    return net


def train_intra(spec, folder, training, report=lambda line: None):
    """Train all networks of an IntraSpec on the samples in a folder; returns a Model with all of INPUTS."""
    if spec.net.n_inputs != len(INPUTS):
        raise ConfigError(f"the samples have {len(INPUTS)} inputs, the network {spec.net.n_inputs}")
    jobs = [(spec, which, folder, training) for which in range(spec.n_nets)]
    if training.jobs == 1:
        found = [train_network(*job, report) for job in jobs]
    else:
        with ProcessPoolExecutor(training.jobs, get_context("spawn")) as pool:
            found = [future.result() for future in [pool.submit(train_network, *job, print) for job in jobs]]
    return Model(INTRA, spec, np.concatenate(found), INPUTS)


def usual_spec():
    """IntraSpec of the weights that ship."""
    return IntraSpec(NetSpec(len(INPUTS), ((CONV3, 16),) * 3), "direction")
