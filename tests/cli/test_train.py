"""What `codecsim train` says before it starts to work, and the cards of its models."""

import hashlib
import re
import shlex
import sys

import cv2
import numpy as np
import pytest

from codecsim.cli import run
from codecsim.formats.video import create_video
from codecsim.learned.engine.complexity import inference_kmac
from codecsim.learned.model_files import load_model
from tests.conformance.clips import make_clip

TRAININGS = "luma", "chroma", "intra", "loop"


@pytest.mark.parametrize("kind", TRAININGS)
def test_an_output_that_cannot_be_is_told_first(kind, tmp_path, capsys):
    """Before the samples are looked for, of which there are none."""
    (tmp_path / "file").touch()
    refused = (tmp_path, "is a folder"), (tmp_path / "file" / "x", "file/x"), ("-", "standard output has the report")
    for output, message in refused:
        assert run(["train", kind, str(tmp_path / "none"), "-o", str(output)]) > 0
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["intra", "loop"])
def test_without_torch(kind, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "codecsim.training.device_times", raising=False)
    assert run(["train", kind, str(tmp_path), "-o", str(tmp_path / "model")]) == 2
    assert "pip install '.[train]'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["intra", "loop"])
def test_without_cuda(kind, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert run(["train", kind, str(tmp_path), "-o", str(tmp_path / "model"), "--device", "cuda"]) == 2
    assert "--device cuda: torch finds no such device here" in capsys.readouterr().err


@pytest.fixture(scope="module")
def material(tmp_path_factory):
    """Folder of a clip and a photo."""
    folder = tmp_path_factory.mktemp("material")
    video_format, frames = make_clip("film", 80, 64, 3)
    with create_video(folder / "clip one.y4m", video_format) as write:
        for frame in frames:
            write(frame)
    photo = np.random.default_rng(0).integers(0, 256, (24, 24, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    assert cv2.imwrite(str(folder / "photo.png"), photo)
    return folder


SAMPLES = {
    "luma": ["clip one.y4m", "-q", "32", "--frames", "3"],
    "chroma": ["clip one.y4m", "-q", "32", "--frames", "3"],
    "intra": ["photo.png", "--scale", "0.01"],
    "loop": ["clip one.y4m", "--config", "ldp", "-q", "32"],
}
OPTIONS = {
    "luma": ["--layers", "conv3:8,conv1:8", "--validation", "samples of it"],
    "chroma": ["--no-dropping", "--emphasis", "clip*", "2.0"],
    "intra": ["--validation", "samples of it"],
    "loop": ["--channels", "8", "--blocks", "1", "--chroma-weights", "0.1", "0.2", "--emphasis", "clip*", "2.5",
             "--precision", "float32", "--emphasis", "*one*", "3.0", "--validation", "samples of it"],
}  # fmt: skip
SAID = {
    "luma": ["| clip one.y4m | 2 | 4 | ldp, ra | 32 |", "| validation samples |", "of 24 blocks."],
    "chroma": ["| clip one.y4m | 1 | 4 | ldp | 32 |", "has trained it", "| drop at | () |"],
    "intra": ["| photo.png | 8 | 8 | ai | 20, 21, 25, 26, 30, 31, 35, 36 |", "| 8x8 | ", "kMAC", "torch 2."],
    "loop": ["| clip one.y4m | 1 | 3 | ldp | 32 |", "| ldp 32 | ", "After 2 steps", "| muon rate | 0.0 |"],
}


@pytest.mark.parametrize("kind", TRAININGS)
def test_a_card_says_what_made_the_model(kind, material, tmp_path, capsys, monkeypatch):
    """Its command makes the same model again."""
    monkeypatch.chdir(tmp_path)
    clip, *rest = SAMPLES[kind]
    assert run(["train", f"{kind}-samples", str(material / clip), "-o", "samples of it", *rest, "--quiet"]) == 0
    words = ["train", kind, "samples of it", "-o", "it.safetensors", "--steps", "3", "--seed", "5", *OPTIONS[kind]]
    assert run(words) == 0
    assert "codecsim: card: it.card.md" in capsys.readouterr().err
    card, weights = (tmp_path / "it.card.md").read_text(), (tmp_path / "it.safetensors").read_bytes()
    model = load_model("it.safetensors")
    rows = dict(re.findall(r"^\| ([^|]+) \| ([^|]+) \|$", card, re.MULTILINE))
    assert card.startswith("# it.safetensors\n")
    assert rows["kind"] == f"`{model.kind}`" and rows["digest"] == model.digest.hex()
    assert rows["sha256 of the file"] == hashlib.sha256(weights).hexdigest()
    assert rows["steps"] == "3" and rows["seed"] == "5"
    assert rows["size"].startswith(f"{model.spec.n_weights:,} parameters, ")
    if kind == "luma":
        assert rows["size"].endswith(f", {inference_kmac(model.spec):.2f} kMAC a luma sample")
    for part in SAID[kind]:
        assert part in card
    (command,) = re.findall(r"```sh\n(.*)\n```", card)
    assert set(words) <= {*shlex.split(command)}
    (tmp_path / "it.safetensors").unlink()
    assert run([*shlex.split(command)[1:], "--quiet"]) == 0
    assert (tmp_path / "it.safetensors").read_bytes() == weights
    assert capsys.readouterr().err == ""


def test_no_card_takes_the_place_of_another(material, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "it.card.md").write_text("# it.other\n\nMine.\n")
    for kind in TRAININGS:
        assert run(["train", kind, "none", "-o", "it.safetensors"]) == 2
        assert "it.card.md: would be the card of it.safetensors, but is not" in capsys.readouterr().err
    assert (tmp_path / "it.card.md").read_text().endswith("Mine.\n")
