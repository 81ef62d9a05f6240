"""Model files: what is written is read again, what cannot be is refused, what is asked for is found."""

import dataclasses
import json
import os
import pathlib
import re
import shlex

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from codecsim.cli import run
from codecsim.codec.active_tools import resolve_tools
from codecsim.codec.config import EncoderConfig
from codecsim.errors import ConfigError, FormatError, ModelError
from codecsim.formats.video import create_video
from codecsim.learned import model_files
from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.engine.weights import InitialWeights, builtin_weights
from codecsim.learned.model_files import (
    INTER_CHROMA,
    INTER_LUMA,
    WEIGHTS_FILE,
    Model,
    find_model,
    load_model,
    save_model,
    shipped_models,
)
from codecsim.picture.planes import Frame, VideoFormat
from codecsim.tools import INTER_LUMA as INTER_LUMA_TOOL
from codecsim.tools.inter_luma import InterLumaSettings

README = (pathlib.Path(__file__).parents[2] / "models" / "README.md").read_text()
MIXED = NetSpec(4, (("conv1", 16), ("depthwise3", 16), ("conv3", 8)), 2)


def make_model(seed=0, spec=MIXED, kind=INTER_LUMA):
    weights = np.random.default_rng(seed).normal(scale=0.1, size=spec.n_weights).astype(np.float32)
    return Model(kind, spec, weights, ("prediction", "high_pass", "qp"))


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Models that ship: one with versions v1, v9, v10 and another of chroma."""
    monkeypatch.setattr(model_files, "resource_folder", lambda name: tmp_path / name)
    models = {f"ours/v{k}": make_model(k) for k in (10, 1, 9)} | {"chroma/1": make_model(5, kind=INTER_CHROMA)}
    for name, model in models.items():
        save_model(tmp_path / "models" / name / WEIGHTS_FILE, model)
    return models


@pytest.mark.parametrize("spec", [MIXED, NetSpec.plain(6, 32, 2), NetSpec(16, (("conv1", 64),))], ids=str)
def test_round_trip(tmp_path, spec):
    model = make_model(spec=spec)
    save_model(tmp_path / "a" / "net.safetensors", model)
    found = load_model(tmp_path / "a" / "net.safetensors")
    assert (found.kind, found.spec, found.inputs, found.digest) == (model.kind, spec, model.inputs, model.digest)
    np.testing.assert_array_equal(found.weights, model.weights)
    assert found.digest == InitialWeights(spec, model.weights).digest() == found.initial().digest()
    with pytest.raises(ValueError, match="read-only"):
        found.weights[0] = 1


def test_weights_bring_the_settings_they_like(tmp_path):
    """Defaults of an encoding, which its own settings override; the stream carries them, so a decoder needs none."""
    settings = InterLumaSettings()
    weights = builtin_weights(settings.spec).master
    liked = {"replay": 3, "learning_rate": 1e-3, "loss": "l1", "threshold_q8": [1, 2, 3, 4]}
    path = tmp_path / "liked.safetensors"
    save_model(path, Model(INTER_LUMA, settings.spec, weights, settings.inputs, learner=liked))
    assert load_model(path).learner == liked
    config = EncoderConfig(settings={"inter_luma": {"model": str(path), "replay": 4}})
    found = resolve_tools(config)[INTER_LUMA_TOOL].settings
    wanted = dataclasses.replace(settings, model=found.model, **{**liked, "replay": 4})
    assert found == wanted


def test_planes_that_no_setting_switches_are_part_of_the_name():
    """A stream says of them nothing but the digest of the weights."""
    spec = NetSpec.plain(4, 8, 1)
    weights, usual = builtin_weights(spec).master, ("prediction", "high_pass", "qp")
    assert Model(INTER_LUMA, spec, weights, usual).digest == builtin_weights(spec).digest()
    names = [usual, (*usual, "luma_detail"), ("luma_detail", *usual)]
    assert len({Model(INTER_LUMA, spec, weights, inputs).digest for inputs in names}) == 3
    assert len({Model(INTER_CHROMA, spec, weights, inputs).digest for inputs in names}) == 1


def test_tensors_stand_in_canonical_order(tmp_path):
    model = make_model()
    save_model(tmp_path / "net.safetensors", model)
    tensors = load_file(tmp_path / "net.safetensors")
    layers = MIXED.layers
    assert tensors["hidden.1.weight"].shape == (16, 1, 3, 3)
    np.testing.assert_array_equal(tensors["hidden.1.bias"], model.weights[layers[1].bias : layers[1].end])
    np.testing.assert_array_equal(tensors["output.skip"].ravel(), model.weights[layers[-1].skip : layers[-1].bias])


def test_outputs_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_bytes(b"kept")
    for path, message in ((tmp_path, "is a folder"), (tmp_path / "file" / "x", "file/x: cannot be written")):
        with pytest.raises(FormatError, match=message):
            save_model(path, make_model())
    assert (tmp_path / "file").read_bytes() == b"kept"


def test_a_pipe_stays_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    spec = NetSpec(2, (("conv1", 8),))
    save_model(tmp_path / "pipe", make_model(spec=spec))
    read = os.read(reader, 1 << 16)
    os.close(reader)
    save_model(tmp_path / "file", make_model(spec=spec))
    assert (tmp_path / "pipe").is_fifo()
    assert read == (tmp_path / "file").read_bytes()


def rewrite(path, change_header=None, change_tensors=None, raw=None):
    """Write a good model with something changed."""
    save_model(path, make_model())
    tensors = load_file(path)
    with model_files.safe_open(path, "np") as file:
        header = json.loads(file.metadata()["codecsim"])
    header |= change_header or {}
    for name, tensor in (change_tensors or {}).items():
        tensors[name] = tensor
    save_file(
        {name: tensor for name, tensor in tensors.items() if tensor is not None},
        path,
        metadata={"codecsim": json.dumps(header) if raw is None else raw},
    )


NET = {"n_inputs": 4, "hidden": [["conv1", 16], ["depthwise3", 16], ["conv3", 8]], "n_outputs": 2}


@pytest.mark.parametrize(
    ("header", "tensors", "raw", "message"),
    [
        ({"format": 2}, {}, None, "not a model of format 1"),
        ({"kind": "sound"}, {}, None, "not a model of format 1 and a kind of inter_luma"),
        ({}, {}, "[1]", "not a model of format 1"),
        ({}, {}, "{", "no model of codecsim"),
        ({"digest": "0" * 32}, {}, None, "the file says 0000"),
        ({"inputs": "qp"}, {}, None, "expected a list of names"),
        ({"inputs": [1]}, {}, None, "expected a list of names"),
        ({"learner": ["replay"]}, {}, None, "learner is .*; expected an object of settings"),
        ({"learner": {"replay": {"at": 1}}}, {}, None, "learner is .*; expected an object of settings"),
        ({"architecture": []}, {}, None, "an architecture that cannot be"),
        ({"architecture": {"n_inputs": 4}}, {}, None, "an architecture that cannot be: 'hidden'"),
        ({"architecture": NET | {"hidden": [["conv9", 8]]}}, {}, None, "layers are conv3, conv1, depthwise3"),
        ({"architecture": NET | {"hidden": [["conv3"]]}}, {}, None, "an architecture that cannot be"),
        ({"architecture": NET | {"hidden": 3}}, {}, None, "an architecture that cannot be"),
        ({"architecture": NET | {"n_inputs": "many"}}, {}, None, "an architecture that cannot be"),
        ({"architecture": NET | {"n_outputs": 1}}, {}, None, "output.weight is float32"),
        ({"architecture": NET | {"hidden": NET["hidden"][:2]}}, {}, None, "tensors missing, or too many"),
        ({}, {"hidden.0.bias": None}, None, "tensors missing, or too many.*hidden.0.bias"),
        ({}, {"more": np.zeros(3, np.float32)}, None, "tensors missing, or too many.*more"),
        ({}, {"hidden.0.bias": np.zeros(16)}, None, "hidden.0.bias is float64"),
        ({}, {"hidden.0.bias": np.zeros((16, 1), np.float32)}, None, r"expected float32 \(16,\)"),
        ({}, {"hidden.0.bias": np.full(16, np.nan, np.float32)}, None, "no numbers within"),
        ({}, {"hidden.0.bias": np.full(16, 4, np.float32)}, None, "no numbers within"),
    ],
)
def test_files_that_are_refused(tmp_path, header, tensors, raw, message):
    rewrite(tmp_path / "bad.safetensors", header, tensors, raw)
    with pytest.raises(ModelError, match=message) as refusal:
        load_model(tmp_path / "bad.safetensors")
    assert "bad.safetensors" in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"no tensors here", b"\xff" * 64])
def test_files_that_are_something_else(tmp_path, content):
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(ModelError, match="no model of codecsim"):
        load_model(tmp_path / "other")


def test_any_damage_is_told_as_such(tmp_path):
    path = tmp_path / "net.safetensors"
    save_model(path, make_model())
    good, refused, random = path.read_bytes(), 0, np.random.default_rng(3)
    for _ in range(60):
        bad = bytearray(good)
        bad[random.integers(len(bad))] ^= 1 << random.integers(8)
        path.write_bytes(bad[: random.integers(len(bad))] if random.random() < 0.3 else bad)
        try:
            found = load_model(path)
        except ModelError:
            refused += 1
        else:  # a name of an input is all that may be wrong
            assert found.digest == make_model().digest
    assert refused > 50


def test_weights_of_another_number():
    with pytest.raises(ModelError, match=r"needs \(\d+,\)"):
        Model(INTER_LUMA, MIXED, np.zeros(3), ("prediction",))


def test_names(shelf, tmp_path):
    assert list(shipped_models()["ours"]) == ["v1", "v9", "v10"]
    for name, same in (("ours", "ours/v10"), ("ours/v9", "ours/v9"), (shelf["ours/v1"].digest.hex()[:9], "ours/v1")):
        assert load_model(name, INTER_LUMA).digest == shelf[same].digest
    assert load_model(tmp_path / "models" / "ours" / "v1").digest == shelf["ours/v1"].digest
    with pytest.raises(ConfigError, match="no model 'theirs'.*those are: chroma/1, ours/v1, ours/v9, ours/v10"):
        load_model("theirs")
    with pytest.raises(ConfigError, match="no model 'ours/v2'"):
        load_model("ours/v2")
    with pytest.raises(ConfigError, match="of kind inter_chroma; expected inter_luma"):
        load_model("chroma", INTER_LUMA)


def test_found_by_digest(shelf, tmp_path):
    for model in shelf.values():
        assert find_model(model.digest, model.kind).weights.tobytes() == model.weights.tobytes()
    mine = make_model(77)
    with pytest.raises(ModelError, match=f"needs weights of kind inter_luma with the digest {mine.digest.hex()}"):
        find_model(mine.digest, INTER_LUMA)
    (tmp_path / "mine" / "deep").mkdir(parents=True)
    (tmp_path / "mine" / "other.safetensors").write_bytes(b"something else")
    rewrite(tmp_path / "mine" / "a.safetensors")
    save_model(tmp_path / "mine" / "deep" / "b.safetensors", mine)
    for place in (tmp_path / "mine", tmp_path / "mine" / "deep" / "b.safetensors"):
        assert find_model(mine.digest, INTER_LUMA, [place]).digest == mine.digest
    with pytest.raises(ModelError, match="of kind inter_chroma"):
        find_model(mine.digest, INTER_CHROMA, [tmp_path / "mine"])
    with pytest.raises(ConfigError, match="no model '.*nowhere'"):
        find_model(mine.digest, INTER_LUMA, [tmp_path / "nowhere"])


def test_shipped_models_are_whole():
    """Every model that ships loads, and its card names its digest."""
    for paths in shipped_models().values():
        for path in paths.values():
            model = load_model(path)
            assert model.digest.hex() in (path.parent / "card.md").read_text()


def write_video(path):
    """Texture that moves by fractions of a sample, where a filter finds something to do."""
    y, x = np.mgrid[:64, :96]
    with create_video(path, VideoFormat(96, 64, 25)) as write:
        for i in range(5):
            u, v = x + 0.4 * i, y + 0.3 * i
            luma = 120 + 50 * np.sin(u * u / 90) + 40 * np.cos(v / 2.1 + u / 7)
            luma = luma.clip(0, 255).astype(np.uint8)
            write(Frame(luma, luma[::2, ::2] // 2 + 60, luma[1::2, 1::2] // 3 + 80))


def test_a_model_made_by_someone_else_codes_and_learns(tmp_path, monkeypatch, capsys):
    """The examples of models/README.md, as they stand there."""
    monkeypatch.chdir(tmp_path)
    write_video(tmp_path / "clip.y4m")
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert "codecsim" not in re.sub('"codecsim"', "", program)
    exec(program, {})
    (shell,) = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    encode, decode = (shlex.split(line)[1:] for line in shell.splitlines())
    assert run([*encode, "--json", "--recon", "recon.y4m"]) == 0
    result = json.loads(capsys.readouterr().out)
    model = load_model("my_model.safetensors")
    assert model.spec.hidden == (("conv1", 16), ("depthwise3", 16), ("conv3", 8))
    assert result["encoder"]["weights"]["inter_luma"] == model.digest.hex()
    assert sum(picture.get("trained_steps", 0) for picture in result["pictures"]) > 20
    assert max(picture.get("filtered_share", 0) for picture in result["pictures"]) > 0
    assert run(decode) == 0
    assert (tmp_path / "decoded.y4m").read_bytes() == (tmp_path / "recon.y4m").read_bytes()
    assert run([*decode[:-1], "."]) == 0
    capsys.readouterr()
    assert run(decode[:-2]) == 1
    assert f"needs weights of kind inter_luma with the digest {model.digest.hex()}" in capsys.readouterr().err
    assert run(["info", "clip.bin", "--model", "my_model.safetensors"]) == 0
    assert model.digest.hex() in capsys.readouterr().out


def test_a_model_for_other_inputs_says_what_to_set(tmp_path, capsys):
    spec = NetSpec.plain(4, 8, 1)
    save_model(tmp_path / "m", Model(INTER_LUMA, spec, builtin_weights(spec).master, ("prediction", "high_pass", "qp")))
    command = ["encode", "none.y4m", "-o", "x", "--model", str(tmp_path / "m")]
    assert run(command) == 2
    message = capsys.readouterr().err
    assert "it takes prediction, high_pass, qp to 1 output" in message
    settings = re.findall(r"--set (\S+)", message)
    for setting in settings:
        command += ["--set", setting]
    assert run(command) == 1
    assert "none.y4m" in capsys.readouterr().err
    assert run([*command, "--filter", "off"]) == 2
