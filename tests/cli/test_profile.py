"""`codecsim profile`: the figures agree with the network, and both forms of output hold them."""

import json
import math

import numpy as np
import pytest

from codecsim.cli import run
from codecsim.experiments import profile
from codecsim.experiments.profile import ProfileSettings, profile_model
from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.intra.spec import IntraSpec
from codecsim.learned.model_files import INTER_CHROMA, INTER_LUMA, INTRA, Model, load_model, save_model
from codecsim.tools.inter_luma import InterLumaSettings

SPEC = NetSpec(4, (("conv1", 8), ("depthwise3", 8), ("conv3", 16)), 2)
KMAC = [4 * 8 / 1000, 9 * 8 / 1000, 9 * 8 * 16 / 1000, (9 * 16 * 2 + 25 * 4 * 2) / 1000]
STEP_KMAC = 2 * sum(KMAC) + KMAC[1] + KMAC[2] + 9 * 16 * 2 / 1000


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    monkeypatch.setattr(profile, "PICTURES", {"small": (96, 64), "odd": (100, 52)})


def make_model(kind):
    spec = IntraSpec(SPEC, "direction") if kind == INTRA else SPEC
    return Model(kind, spec, np.zeros(spec.n_weights, np.float32), ("prediction",), "mine")


@pytest.mark.parametrize(("kind", "size"), [(INTER_LUMA, (96, 64)), (INTER_CHROMA, (48, 32))])
def test_figures(kind, size):
    params = InterLumaSettings(epochs_q2=6, tile_log2=4)
    found = profile_model(make_model(kind), ProfileSettings(params))
    assert [layer.kmac_per_pixel for layer in found.layers] == KMAC
    assert sum(layer.parameters for layer in found.layers) == found.parameters == SPEC.n_weights
    assert found.inference_kmac == pytest.approx(sum(KMAC))
    assert found.training_kmac == pytest.approx(1.5 * STEP_KMAC)
    assert 2 * SPEC.n_weights < found.weights_bytes < 3 * SPEC.n_weights + 100
    first = found.pictures[0]
    assert (first.width, first.height) == size
    assert first.training_steps == 1.5 * size[0] * size[1] / 256
    assert 0 < first.inference_ms < first.training_ms
    assert first.activations_bytes > 2 * SPEC.n_inputs * size[0] * size[1]
    assert first.training_bytes > 16 * SPEC.n_weights + 2 * 2 * 5 * size[0] * size[1]  # floats; two pictures
    assert first.device_inference_ms is None
    assert found.device is None


def test_a_model_that_filters_blocks_and_does_not_learn():
    found = profile_model(make_model(INTRA), ProfileSettings(InterLumaSettings()))
    around = [(16 + 2 * n) ** 2 / 256 for n in (3, 2, 1, 0)]
    assert found.block == 16
    assert found.parameters == 2 * SPEC.n_weights < found.weights_bytes
    assert found.inference_kmac == pytest.approx(sum(k * n for k, n in zip(KMAC, around, strict=True)))
    assert (found.training_kmac, found.epochs, found.pictures[0].training_ms) == (None, None, None)
    assert found.pictures[0].inference_ms > 0


def test_without_epochs_nothing_is_trained():
    found = profile_model(make_model(INTER_LUMA), ProfileSettings(InterLumaSettings(epochs_q2=0)))
    assert (found.training_kmac, found.pictures[0].training_steps, found.pictures[0].training_ms) == (0, 0, 0)


def test_a_device_of_torch():
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    found = profile_model(make_model(INTER_LUMA), ProfileSettings(InterLumaSettings(), "cpu"))
    assert found.device == "CPU"
    assert found.pictures[0].device_inference_ms > 0
    assert found.pictures[0].device_training_ms > 0
    if not torch.cuda.is_available():
        assert profile_model(make_model(INTER_LUMA), ProfileSettings(InterLumaSettings(), "cuda")).device is None


def test_the_float_network_is_the_engines():
    """What torch is timed on has the shape and, but for rounding, the values of the engine's network."""
    torch = pytest.importorskip("torch")
    from codecsim.learned.engine.tile_net import PackedWeights, TileNet
    from codecsim.training.device_times import FloatNet

    random = np.random.default_rng(0)
    master = random.normal(scale=0.2, size=SPEC.n_weights).astype(np.float32)
    planes = random.integers(-1000, 1000, (4, 8 + 2 * SPEC.margin, 8 + 2 * SPEC.margin)).astype(np.int16)
    net, packed, float_net = TileNet(SPEC, 8, 8), PackedWeights(SPEC), FloatNet(SPEC)
    packed.update(master)
    net.load(planes, 0, 0)
    net.forward(packed)
    layers = [*float_net.hidden, float_net.last]
    with torch.no_grad():
        for layer, place in zip(layers, SPEC.layers, strict=True):
            layer.weight[:] = torch.from_numpy(master[place.weights : place.skip]).reshape(layer.weight.shape)
            layer.bias[:] = torch.from_numpy(master[place.bias : place.end])
        skip = SPEC.layers[-1]
        float_net.skip.weight[:] = torch.from_numpy(master[skip.skip : skip.bias]).reshape(2, 4, 5, 5)
        wanted = float_net(torch.from_numpy(planes / np.float32(1024))[None])[0].numpy().clip(-2, 2)
    found = np.stack([net.output(k) for k in range(2)]) / 2**14
    assert np.abs(found - wanted).max() < 0.01
    assert np.abs(wanted).max() > 0.3


@pytest.mark.parametrize("model", [INTER_LUMA, INTRA, "built-in"])
def test_table_and_json(model, tmp_path, capsys):
    arguments = ["profile", "--no-device", "--set", "inter_luma.epochs_q2=8"]
    if model != "built-in":
        save_model(tmp_path / "m", make_model(model))
        arguments.append(str(tmp_path / "m"))
    assert run(arguments) == 0
    table = capsys.readouterr().out
    assert run([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for text in (found["digest"], f"{found['parameters']} parameters", "small (96x64)", "output"):
        assert text in table
    assert found["epochs"] == (None if model == INTRA else 2)
    assert ("training" in table) == ("training steps" in table) == (model != INTRA)
    assert ("in blocks of 16x16" in table) == (model == INTRA)
    assert max(map(len, table.splitlines()[4:])) <= 80


def test_a_model_that_is_not_there(capsys):
    assert run(["profile", "nowhere"]) == 2
    assert "no model 'nowhere'" in capsys.readouterr().err


def test_an_in_loop_model_is_profiled_by_whole_pictures():
    model = load_model("loop-filter")
    found = profile_model(model, ProfileSettings(InterLumaSettings()))
    gates = sum(math.prod(shape) for name, shape in model.tensors if "squeeze" in name or "excite" in name)
    assert sum(layer.parameters for layer in found.layers) + gates == found.parameters == model.spec.n_weights
    assert found.inference_kmac == pytest.approx(sum(layer.kmac_per_pixel for layer in found.layers))
    assert found.training_kmac is None and all(cost.inference_ms > 0 for cost in found.pictures)
