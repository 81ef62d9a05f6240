"""Samples and training of the in-loop filter, end to end and small."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from codecsim.cli.train import command
from codecsim.errors import ConfigError
from codecsim.formats.video import create_video
from codecsim.learned.loop_spec import LoopSpec
from codecsim.learned.model_files import LOOP, load_model
from codecsim.training.loop import LoopSamples, LoopTraining, _drop, _Run, train_loop
from codecsim.training.loop_samples import split_frame
from tests.conformance.clips import make_clip

SPEC = LoopSpec(8, 1, "plain", "all", 4)
SHORT = LoopTraining(steps=12, warm_up=2, batch=2, patch=16, rounded_from=0.5)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Samples of a small clip, as the command takes them."""
    base = tmp_path_factory.mktemp("loop")
    video_format, frames = make_clip("film", 80, 64, 3)
    with create_video(base / "clip.y4m", video_format) as write:
        for frame in frames:
            write(frame)
    words = ["loop-samples", str(base / "clip.y4m"), "-o", str(base / "samples"), "--config", "ai", "--config", "ldp"]
    for _ in range(2):  # the second time there is nothing left to do
        done = CliRunner().invoke(command, [*words, "-q", "30", "--quiet"])
        assert done.exit_code == 0 and "2 encodings" in done.output, done.output
    return base / "samples"


def test_samples_are_what_was_coded(folder):
    samples = LoopSamples(folder)
    assert [(config, qp, kind) for _, config, qp, kind, _ in samples.pictures] == [
        *[("ai", 30, 2)] * 3, ("ldp", 30, 2), *[("ldp", 30, 1)] * 2
    ]  # fmt: skip
    _, frames = make_clip("film", 80, 64, 3)
    for k, frame in enumerate(frames):
        decoded, original, _ = samples.load(k)
        np.testing.assert_array_equal(original, split_frame(frame))
        assert 0 < samples.errors(k)[0] == pytest.approx(((decoded[:4] - 1.0 * original[:4]) ** 2).mean())


def test_an_interrupted_training_goes_on(folder, tmp_path, monkeypatch):
    whole, _ = train_loop(SPEC, folder, SHORT)
    monkeypatch.setattr("codecsim.training.loop._EVERY", 4)
    taken = []

    def stop(self, take=_Run.take_step):
        if len(taken) == 9:
            raise KeyboardInterrupt
        taken.append(self.step)
        return take(self)

    with monkeypatch.context() as patch:
        patch.setattr(_Run, "take_step", stop)
        with pytest.raises(KeyboardInterrupt):
            train_loop(SPEC, folder, SHORT, work=tmp_path)
    resumed, found = train_loop(SPEC, folder, SHORT, work=tmp_path)
    np.testing.assert_array_equal(resumed.weights, whole.weights)
    with pytest.raises(ConfigError, match="other settings or samples"):
        train_loop(SPEC, folder, dataclasses.replace(SHORT, seed=1), work=tmp_path)
    assert found["dropping"]["pictures"] == 6


def test_pictures_that_are_harmed_are_dropped(folder):
    """A filter that adds a sample everywhere, which all pictures want but one."""
    samples = LoopSamples(folder)
    for k, (decoded, _) in enumerate(samples._planes):
        samples._planes[k] = decoded, decoded if k == 4 else np.minimum(decoded, 254) + np.uint8(1)
    run = _Run(SPEC, samples, SHORT)
    run.mean = {name: torch.zeros_like(value) for name, value in run.mean.items()}
    run.mean["tail.bias"] += 1 / 16
    said = _drop(run)
    assert run.kept.tolist() == [0, 1, 2, 3, 5]
    assert said["dropped"] == said["by_kind"]["config ldp"] == said["by_kind"]["QP 30"] == 1


def test_the_command_writes_a_model_that_codes(folder, tmp_path):
    output = tmp_path / "m.safetensors"
    words = ["loop", str(folder), "-o", str(output), "--validation", str(folder), "--steps", "3", "--channels", "8"]
    done = CliRunner().invoke(command, [*words, "--blocks", "1", "--quiet"])
    assert done.exit_code == 0, done.output
    assert load_model(output, LOOP).spec == LoopSpec(8, 1)
    assert set(json.loads(done.output.split("\n", 1)[1])["gains"]) == {"ai 30", "ldp 30"}
    assert torch.get_num_threads() >= 1


def test_no_samples(tmp_path):
    with pytest.raises(ConfigError, match="no samples of the in-loop filter"):
        LoopSamples(tmp_path)
