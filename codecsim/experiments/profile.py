"""What a model costs: parameters, memory, multiply-accumulates, time.

A kind of model is profiled by its entry in PROFILERS, a function of (model, settings) that returns a `Profile`.
"""

import dataclasses
import importlib.util
import math
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from codecsim.learned.engine.complexity import block_macs, forward_macs, step_macs
from codecsim.learned.engine.self_check import check_engine
from codecsim.learned.engine.spec import Layer, NetSpec
from codecsim.learned.engine.state import LearnerState
from codecsim.learned.engine.tile_net import Loss, Optimiser, PackedWeights, TileNet, picture_tiling
from codecsim.learned.loop.filter import LoopFilter
from codecsim.learned.loop.spec import LoopLayer
from codecsim.learned.model_files import INTER_CHROMA, INTER_LUMA, INTRA, LOOP, Model
from codecsim.picture.planes import Picture
from codecsim.syntax.headers import SLICE_I
from codecsim.tools.inter_luma import InterLumaSettings
from codecsim.tools.learner import LearnerSettings

PICTURES = {"CIF": (352, 288), "1080p": (1920, 1080)}
INTRA_BLOCK = 16  # samples a side of the transform blocks for which intra models are profiled


class ProfileSettings(NamedTuple):
    """What a profile is taken for."""

    params: InterLumaSettings  # tile, epochs, replay and averaging of training
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


@dataclasses.dataclass
class PictureCost:
    """A picture of some size, on one thread of this machine's processor; all of it trained on."""

    picture: str
    width: int  # of the plane or planes that the model filters
    height: int
    inference_ms: float
    activations_bytes: int  # input planes and the tile in work
    training_ms: float | None = None  # None: the model does not learn
    training_steps: int | None = None
    training_bytes: int | None = None  # optimiser, gradients, replayed pictures
    device_inference_ms: float | None = None
    device_training_ms: float | None = None


@dataclasses.dataclass
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
    layers: list[LayerCost]
    pictures: list[PictureCost]
    training_kmac: float | None = None  # the same for training after a picture, all of it; None: does not learn
    epochs: float | None = None  # of that training
    block: int | None = None  # samples a side of the blocks that are filtered one by one; None: large tiles
    device: str | None = None


def profile_model(model: Model, settings: ProfileSettings) -> Profile:
    """Measure a model on this machine."""
    return PROFILERS[model.kind](model, settings)


def profile_learning_net(model: Model, settings: ProfileSettings, shrink: int = 1) -> Profile:
    """Profile of a network that learns, whose shape is a NetSpec.

    shrink : int, how many times smaller than luma the filtered planes are, in each direction
    """
    spec, params = model.spec, settings.params
    epochs, side = params.epochs_q2 / 4, 1 << params.tile_log2
    profile = profile_net(model, settings, [(width // shrink, height // shrink) for width, height in PICTURES.values()])
    training = _Training(model, params)
    for cost in profile.pictures:
        tiles = -(-cost.height // side) * -(-cost.width // side)
        cost.training_steps = params.epochs_q2 * tiles // 4
        cost.training_ms = training.step_ms * cost.training_steps
        cost.training_bytes = training.nbytes(cost.height, cost.width)
        if profile.device:
            step = device_times(spec, (side, side), settings.device, training=True)
            cost.device_training_ms = 1000 * step * cost.training_steps
    profile.training_kmac, profile.epochs = epochs * step_macs(spec) / 1000, epochs
    return profile


def profile_net(
    model: Model, settings: ProfileSettings, sizes: Iterable[tuple[int, int]], block: int | None = None
) -> Profile:
    """Profile of a network that does not learn, whose shape is a NetSpec.

    sizes : (width, height) of the planes that it filters, for each of PICTURES
    block : int, samples a side of the blocks that it filters one by one, each with its context; None: large tiles
    """
    spec = model.spec
    check_engine([spec])
    device = _device(settings.device)
    packed = PackedWeights(spec)
    packed.update(model.weights)
    pictures = []
    for name, (width, height) in zip(PICTURES, sizes, strict=True):
        seconds, used = _infer(spec, packed, width, height, block)
        cost = PictureCost(name, width, height, 1000 * seconds, used)
        if device:
            cost.device_inference_ms = 1000 * device_times(spec, (width, height), settings.device)
        pictures.append(cost)
    macs = forward_macs(spec) if block is None else block_macs(spec, block)
    return Profile(
        **_describe(model),
        weights_bytes=packed.forward.nbytes + packed.bias.nbytes,
        inference_kmac=macs / 1000,
        layers=_layers(spec),
        pictures=pictures,
        block=block,
        device=device,
    )


def _describe(model: Model) -> dict[str, Any]:
    """Fields of a Profile that say which model it is of."""
    return {
        "model": model.name,
        "kind": model.kind,
        "digest": model.digest.hex(),
        "architecture": str(model.spec),
        "inputs": model.inputs,
        "parameters": model.spec.n_weights,
    }


def _layers(spec: NetSpec) -> list[LayerCost]:
    *hidden, last = spec.layers
    found = [
        LayerCost(f"hidden {i}", layer.kind, layer.n_in, layer.n_out, layer.end - layer.weights, _kmac(layer))
        for i, layer in enumerate(hidden)
    ]
    return [*found, LayerCost("output", "conv3 + 5x5", last.n_in, last.n_out, last.end - last.weights, _kmac(last))]


def _kmac(layer: Layer) -> float:
    return (layer.bias - layer.weights) / 1000


def _noise(*shape: Any, limit: int) -> np.ndarray:
    return np.random.default_rng(0).integers(-limit, limit + 1, shape).astype(np.int16)


def _infer(spec: NetSpec, packed: PackedWeights, width: int, height: int, block: int | None) -> tuple[float, int]:
    """Seconds of a picture's inference, and bytes of its planes and of the tile in work."""
    rows, columns, tile_h, tile_w = picture_tiling(height, width)
    if block:
        rows, columns, tile_h, tile_w = -(-height // block), -(-width // block), block, block
    net, edge = TileNet(spec, tile_h, tile_w), 2 * spec.margin
    planes = _noise(spec.n_inputs, rows * tile_h + edge, columns * tile_w + edge, limit=500)

    def infer() -> None:
        for i in range(rows):
            for j in range(columns):
                net.load(planes, i * tile_h, j * tile_w)
                net.forward(packed)

    return least_seconds(infer), planes.nbytes + net.nbytes


class _Training:
    """Training of a model on tiles of noise: what a step takes, and what has to be kept."""

    def __init__(self, model: Model, params: LearnerSettings):
        self._spec, self._params = model.spec, params
        side = 1 << params.tile_log2
        self._net, self._packed = TileNet(model.spec, side, side, train=True), PackedWeights(model.spec)
        self._state = LearnerState(model.initial(), params.average_q8 > 0)
        places, edge = 8, side + 2 * model.spec.margin
        planes = _noise(model.spec.n_inputs, edge, edge + places, limit=500)
        error = _noise(model.spec.n_outputs, side, side + places, limit=8)
        loss, optimiser = (
            Loss(10, params.huber_bound_q4 << 6),
            Optimiser(int(params.method), np.array(params.rates, np.float32)),
        )

        def train() -> None:
            for x0 in range(places):
                self._net.load(planes, 0, x0)
                self._net.step(self._state, self._packed, error, 0, x0, loss, optimiser)

        self.step_ms = 1000 * least_seconds(train) / places

    def nbytes(self, height: int, width: int) -> int:
        """Bytes of weights, moments, gradients, the tile in work and the pictures to draw tiles from."""
        state, side, edge = self._state, 1 << self._params.tile_log2, 2 * self._spec.margin
        arrays = (state.master, state.moment, state.square, state.powers, state.average)
        rows, columns = (-(-size // side) * side for size in (height, width))
        replayed = 2 * (self._spec.n_inputs * (rows + edge) * (columns + edge) + self._spec.n_outputs * rows * columns)
        kept = sum(array.nbytes for array in arrays if array is not None)
        return kept + self._net.nbytes + self._packed.nbytes + self._params.replay * replayed


def _device(device: str | None) -> str | None:
    """Name of the device of torch that is to be timed, None where it or torch is not there."""
    if device is None or importlib.util.find_spec("torch") is None:
        return None
    from codecsim.training.device_times import device_name

    return device_name(device)


def device_times(spec: NetSpec, size: tuple[int, int], device: str | None, training: bool = False) -> float:
    """Seconds that torch takes on a device for a picture or, with `training`, for a step on a tile of a size."""
    from codecsim.training.device_times import inference_seconds, step_seconds

    assert device is not None
    width, height = size
    return step_seconds(spec, width, device) if training else inference_seconds(spec, width, height, device)


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


def profile_intra(model: Model, settings: ProfileSettings) -> Profile:
    """Profile of the intra filter, one transform block after another; each passes through one network of one shape."""
    spec = model.spec
    one = Model(INTER_LUMA, spec.net, spec.parts(model.weights)[0], model.inputs, model.name)
    found = profile_net(one, settings, PICTURES.values(), INTRA_BLOCK)
    return dataclasses.replace(found, **_describe(model), weights_bytes=found.weights_bytes * spec.n_nets)


def profile_loop(model: Model, settings: ProfileSettings) -> Profile:
    """Profile of the in-loop filter, whole pictures of all three components; kMAC are for a luma sample."""
    spec, pictures = model.spec, []
    for name, (width, height) in PICTURES.items():
        coded = -(-width // 8) * 8, -(-height // 8) * 8
        loop_filter, picture = LoopFilter(spec, model.weights, *coded), Picture(*coded)
        for plane in picture.planes:
            plane[:] = 128 + _noise(*plane.shape, limit=100)
        seconds = least_seconds(lambda run=loop_filter.run, planes=picture.planes: run(planes, 32, SLICE_I))
        pictures.append(PictureCost(name, width, height, 1000 * seconds, loop_filter.nbytes))
    named = [("head", spec.head), *((f"block {k}", layer) for k in range(spec.blocks) for layer in spec.residual)]
    layers = [
        LayerCost(name, layer.kind, layer.n_in, layer.n_out, _parameters(layer), _parameters(layer, biases=0) / 4000)
        for name, layer in (*named, ("tail", spec.tail))
    ]
    return Profile(
        **_describe(model),
        weights_bytes=2 * spec.n_weights,
        inference_kmac=spec.macs / 1000,
        layers=layers,
        pictures=pictures,
    )


def _parameters(layer: LoopLayer, biases: int = 1) -> int:
    """Weights of a LoopLayer, and its biases."""
    return math.prod(layer.weight_shape) + biases * layer.n_out


PROFILERS: dict[str, Callable[[Model, ProfileSettings], Profile]] = {
    INTER_LUMA: profile_learning_net,
    INTER_CHROMA: lambda model, settings: profile_learning_net(model, settings, shrink=2),
    INTRA: profile_intra,
    LOOP: profile_loop,
}
