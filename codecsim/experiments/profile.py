"""What a model costs: parameters, memory, multiply-accumulates, time.

A kind of model is profiled by its entry in PROFILERS, a function of (model, settings) that returns a `Profile`.
"""

import dataclasses
import importlib.util
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from codecsim.learned.complexity import forward_macs, step_macs
from codecsim.learned.engine import Loss, Optimiser, PackedWeights, TileNet, picture_tiling
from codecsim.learned.model_files import INTER_CHROMA, INTER_LUMA, INTRA, Model
from codecsim.learned.params import LearnParams
from codecsim.learned.self_check import check_engine
from codecsim.learned.state import LearnerState

PICTURES = {"CIF": (352, 288), "1080p": (1920, 1080)}
_TIMED_STEPS = 32


class ProfileSettings(NamedTuple):
    """What a profile is taken for."""

    params: LearnParams  # tile, epochs, replay and averaging of training
    device: str | None = None  # of torch, to be timed too


@dataclasses.dataclass(frozen=True)
class LayerCost:
    """One layer of a network."""

    layer: str
    kind: str
    inputs: int
    outputs: int
    parameters: int
    kmac_per_pixel: float  # of inference


@dataclasses.dataclass(frozen=True)
class PictureCost:
    """A picture of some size, on one thread of this machine's processor; all of it trained on."""

    picture: str
    width: int  # of the plane or planes that the model filters
    height: int
    inference_ms: float
    training_ms: float | None  # None: the model does not learn
    training_steps: int
    activations_bytes: int  # input planes and the tile in work
    training_bytes: int  # optimiser, gradients, replayed pictures
    device_inference_ms: float | None = None
    device_training_ms: float | None = None


@dataclasses.dataclass(frozen=True)
class Profile:
    """What a model costs."""

    model: str
    kind: str
    digest: str
    architecture: str
    inputs: tuple
    parameters: int
    weights_bytes: int  # as the engine holds them for inference
    inference_kmac: float  # thousand multiply-accumulates a pixel of what the model filters
    training_kmac: float | None  # the same for training after a picture, all of it, at `epochs`
    epochs: float
    layers: list[LayerCost]
    pictures: list[PictureCost]
    device: str | None = None


def profile_model(model: Model, settings: ProfileSettings) -> Profile:
    """Measure a model on this machine."""
    return PROFILERS[model.kind](model, settings)


def profile_learning_net(model: Model, settings: ProfileSettings, shrink: int = 1) -> Profile:
    """Profile of a network that learns, whose shape is a NetSpec.

    shrink : int, how many times smaller than luma the filtered planes are, in each direction
    """
    spec, params = model.spec, settings.params
    check_engine([spec])
    epochs = params.epochs_q2 / 4
    device = _device(settings.device)
    packed = PackedWeights(spec)
    packed.update(model.weights)
    return Profile(
        model=model.name,
        kind=model.kind,
        digest=model.digest.hex(),
        architecture=str(spec),
        inputs=model.inputs,
        parameters=spec.n_weights,
        weights_bytes=packed.forward.nbytes + packed.bias.nbytes,
        inference_kmac=forward_macs(spec) / 1000,
        training_kmac=epochs * step_macs(spec) / 1000,
        epochs=epochs,
        layers=_layers(spec),
        pictures=[
            _picture(model, packed, settings, name, (width // shrink, height // shrink), device)
            for name, (width, height) in PICTURES.items()
        ],
        device=device,
    )


def _layers(spec):
    *hidden, last = spec.layers
    found = [
        LayerCost(f"hidden {i}", layer.kind, layer.n_in, layer.n_out, layer.end - layer.weights, _kmac(layer))
        for i, layer in enumerate(hidden)
    ]
    return [*found, LayerCost("output", "conv3 + 5x5", last.n_in, last.n_out, last.end - last.weights, _kmac(last))]


def _kmac(layer):
    return (layer.bias - layer.weights) / 1000


def _picture(model, packed, settings, name, size, device):
    """PictureCost of one size."""
    spec, params, (width, height) = model.spec, settings.params, size
    rows, columns, tile_h, tile_w = picture_tiling(height, width)
    side, edge = 1 << params.tile_log2, 2 * spec.margin
    tiles = -(-height // side) * -(-width // side)
    steps = params.epochs_q2 * tiles // 4
    net, training = TileNet(spec, tile_h, tile_w), TileNet(spec, side, side, train=True)
    shape = max(rows * tile_h, -(-height // side) * side) + edge, max(columns * tile_w, -(-width // side) * side) + edge
    random = np.random.default_rng(0)
    planes = random.integers(-500, 500, (spec.n_inputs, *shape)).astype(np.int16)
    state = LearnerState(model.initial(), params.average_q8 > 0)
    error = random.integers(-8, 9, (spec.n_outputs, *shape)).astype(np.int16)
    own = PackedWeights(spec)
    loss, optimiser = Loss(10, params.huber_bound_q4 << 6), Optimiser(int(params.method), params.rates)

    def infer():
        for i in range(rows):
            for j in range(columns):
                net.load(planes, i * tile_h, j * tile_w)
                net.forward(packed)

    def train():
        for k in range(_TIMED_STEPS):
            y0, x0 = k % (shape[0] // side) * side, k // 3 % (shape[1] // side) * side
            y0, x0 = min(y0, shape[0] - side - edge), min(x0, shape[1] - side - edge)
            training.load(planes, y0, x0)
            training.step(state, own, error, y0, x0, loss, optimiser)

    cost = PictureCost(
        name,
        width,
        height,
        inference_ms=1000 * least_seconds(infer),
        training_ms=1000 * least_seconds(train) * steps / _TIMED_STEPS if steps else 0.0,
        training_steps=steps,
        activations_bytes=planes.nbytes + net.nbytes,
        training_bytes=_state_bytes(state)
        + own.nbytes
        + training.nbytes
        + params.replay * (planes.nbytes + error.nbytes),
    )
    if device is None:
        return cost
    from codecsim.training.device_times import device_times

    seconds = device_times(spec, width, height, side, settings.device)
    return dataclasses.replace(
        cost, device_inference_ms=1000 * seconds["inference"], device_training_ms=1000 * seconds["step"] * steps
    )


def _state_bytes(state):
    arrays = (state.master, state.moment, state.square, state.powers, state.average)
    return sum(array.nbytes for array in arrays if array is not None)


def _device(device):
    """Name of the device of torch that is to be timed, None where it or torch is not there."""
    if device is None or importlib.util.find_spec("torch") is None:
        return None
    from codecsim.training.device_times import device_name

    return device_name(device)


def least_seconds(function: Callable, runs: int = 5, budget: float = 1.0) -> float:
    """Processor time of the fastest of some calls; fewer where they take longer than the budget in seconds."""
    function()
    least, spent = float("inf"), 0.0
    while runs and spent < budget:
        start = time.thread_time()
        function()
        taken = time.thread_time() - start
        least, spent, runs = min(least, taken), spent + taken, runs - 1
    return least


PROFILERS: dict[str, Callable[[Model, ProfileSettings], Profile]] = {
    INTER_LUMA: profile_learning_net,
    INTRA: profile_learning_net,
    INTER_CHROMA: lambda model, settings: profile_learning_net(model, settings, shrink=2),
}
