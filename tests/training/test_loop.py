"""Samples and training of the in-loop filter, end to end and small."""

import dataclasses
import itertools
import json

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from codecsim.cli.train import command
from codecsim.errors import ConfigError
from codecsim.formats.video import create_video
from codecsim.learned.loop.spec import LoopSpec
from codecsim.learned.model_files import LOOP, Model, load_model, save_model
from codecsim.training.loop import INPUTS, LoopTraining, _drop, _Run, train_loop
from codecsim.training.loop_data import LoopSamples
from codecsim.training.loop_optimiser import orthogonalise
from codecsim.training.loop_samples import Coding, split_frame, take_samples
from tests.conformance.clips import make_clip
from tests.learned.loop.test_loop_filter import draw_weights

SPEC = LoopSpec(8, 1, "plain", "all", 4)
SHORT = LoopTraining(steps=12, warm_up=2, batch=2, patch=16, drop_from=0.5, rounded_from=0.8)


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


def test_samples_with_the_filter_on_are_those_before_it(folder, tmp_path):
    """The same first picture as without it, since it has no references; other pictures after that."""
    plain, filtered = LoopSamples(folder), tmp_path / "filtered"
    words = ["loop-samples", str(folder.parent / "clip.y4m"), "-o", str(filtered), "--quiet"]
    words += ["--config", "ldp", "-q", "30"]
    for options in ("--filter off --loop-filter on", "--filter off"):
        done = CliRunner().invoke(command, [*words, "--options", options])
        assert done.exit_code == 0, done.output
    assert "2 encodings" in done.output
    found = LoopSamples(filtered)
    assert [about[1:3] for about in found.pictures] == [("ldp", 30)] * 6
    starts = (plain, 3), (found, 0), (found, 3)
    pictures = [[samples.load(k)[0] for k in range(first, first + 3)] for samples, first in starts]
    for a, b in itertools.combinations(pictures, 2):
        np.testing.assert_array_equal(a[0], b[0])
    same = [all(np.array_equal(x, y) for x, y in zip(pictures[0], other, strict=True)) for other in pictures[1:]]
    assert sorted(same) == [False, True]


def test_other_weights_in_the_same_file_make_other_samples(folder, tmp_path):
    path = tmp_path / "m.safetensors"
    words = ["loop-samples", str(folder.parent / "clip.y4m"), "-o", str(tmp_path / "s"), "--quiet", "--config", "ai"]
    words += ["-q", "30", "--options", f"--filter off --loop-filter {path}"]
    for count, seed in enumerate((1, 2, 2), 1):
        save_model(path, Model(LOOP, SPEC, draw_weights(SPEC, seed), INPUTS))
        done = CliRunner().invoke(command, words)
        assert f"{min(count, 2)} encodings" in done.output, done.output


@pytest.mark.parametrize(
    ("options", "said"),
    [("--set hevc.internal_bit_depth=10", "8 bits"), ("--qp 3", "cannot differ"), ("--bogus", "such option")],
)
def test_options_that_samples_cannot_have(folder, tmp_path, options, said):
    words = ["loop-samples", str(folder.parent / "clip.y4m"), "-o", str(tmp_path / "s"), "--options", options]
    done = CliRunner().invoke(command, words, standalone_mode=False)
    assert said in str(done.exception).lower() or said in str(done.exception)
    assert not (tmp_path / "s").exists()


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
    said, heard = [], []
    resumed, found = train_loop(SPEC, folder, SHORT, work=tmp_path, report=said.append)
    train_loop(SPEC, folder, SHORT, report=heard.append)
    assert said[0] == "goes on at step 8"
    assert said[1:] == heard[-1:]  # the error too is as if it had not been interrupted
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


def test_where_all_pictures_are_harmed_none_is_dropped(folder):
    run = _Run(SPEC, LoopSamples(folder), SHORT)
    run.mean = {name: torch.zeros_like(value) for name, value in run.mean.items()}
    run.mean["tail.bias"] += 2
    said = _drop(run)
    assert run.kept.tolist() == list(range(6))
    assert said == {"step": 0, "pictures": 6, "dropped": 0, "by_kind": {}}


def test_samples_of_more_pictures_are_others(folder, tmp_path):
    """Though the first picture is the same."""
    for frames in ("1", "2", "2"):
        words = ["loop-samples", str(folder.parent / "clip.y4m"), "-o", str(tmp_path), "--frames", frames, "--quiet"]
        done = CliRunner().invoke(command, [*words, "--config", "ai", "-q", "40"])
    assert "2 encodings" in done.output
    assert len(LoopSamples(tmp_path).pictures) == 3


def test_the_command_writes_a_model_that_codes(folder, tmp_path):
    output = tmp_path / "m.safetensors"
    words = ["loop", str(folder), "-o", str(output), "--validation", str(folder), "--steps", "3", "--channels", "8"]
    done = CliRunner().invoke(command, [*words, "--blocks", "1", "--quiet"])
    assert done.exit_code == 0, done.output
    assert load_model(output, LOOP).spec == LoopSpec(8, 1)
    assert set(json.loads(done.output.split("\n", 1)[1])["gains"]) == {"ai 30", "ldp 30"}
    assert torch.get_num_threads() >= 1


def test_photos_come_at_several_scales_and_take_turns_at_the_qps(tmp_path, monkeypatch):
    coded = []
    monkeypatch.setattr(
        "codecsim.training.loop_samples._take",
        lambda stem, source, video_format, frames, config: coded.append((source, frames[0].y.shape, config.qp)),
    )
    for name in ("a.png", "b.png"):
        assert cv2.imwrite(str(tmp_path / name), np.random.default_rng(0).integers(0, 256, (170, 200, 3), np.uint8))
    coding = Coding(("ldp",), (22, 27, 32, 37), scales=(1, 0.5), qps_each=2)
    take_samples([tmp_path], tmp_path / "samples", coding)
    whole, half = (168, 200), (80, 96)
    assert coded == [
        *(("a.png-1", whole, qp) for qp in (22, 32)), *(("a.png-0.5", half, qp) for qp in (27, 37)),
        *(("b.png-1", whole, qp) for qp in (27, 37)), *(("b.png-0.5", half, qp) for qp in (22, 32)),
    ]  # fmt: skip


def test_shares_of_pictures(folder):
    """Four intra pictures and two P; the first three have a source of their own."""
    samples = LoopSamples(folder)
    np.testing.assert_allclose(samples.shares(0.6, 1), [0.15] * 4 + [0.2] * 2)
    samples.pictures = [("photo" if k < 3 else "clip", *about[1:]) for k, about in enumerate(samples.pictures)]
    np.testing.assert_allclose(samples.shares(0.6, 1, [("ph*", 3)]), [0.18] * 3 + [0.06] + [0.2] * 2)
    samples._planes[4] = (samples._planes[4][1],) * 2  # no error
    np.testing.assert_allclose(samples.shares(0.5, 1), [0.125] * 4 + [0, 0.5])
    with pytest.raises(ConfigError, match="no samples are of a source 'none"):
        samples.shares(0.6, 1, [("none*", 2)])


@pytest.mark.parametrize("shape", [(8, 20), (20, 8)])
def test_steps_of_muon_have_one_size_in_all_directions(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape) * torch.logspace(-1, 1, shape[1])
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    found = torch.linalg.svdvals(orthogonalise(matrix))
    assert found.min() > 0.5 and found.max() < 1.3  # Jordan's iteration ends between 0.7 and 1.2
    own = u.T @ orthogonalise(matrix) @ vh.T  # diagonal: the singular vectors are those of the matrix
    torch.testing.assert_close(own, torch.diag(own.diag()), atol=2e-3, rtol=0)


def test_all_weights_are_trained_with_and_without_muon(folder):
    samples = LoopSamples(folder)
    for rate in (0, 0.02):
        run = _Run(LoopSpec(8, 1, "separable", "all", 4), samples, dataclasses.replace(SHORT, muon_rate=rate))
        before = {name: value.clone() for name, value in run.model.state_dict().items()}
        for _ in range(2):
            run.take_step()
        assert not any(torch.equal(value, before[name]) for name, value in run.model.state_dict().items())


def test_a_training_starts_from_a_model(folder, tmp_path):
    first, _ = train_loop(SPEC, folder, SHORT)
    save_model(tmp_path / "first.safetensors", first)
    rest = ["--start", str(tmp_path / "first.safetensors"), "--steps", "1", "--learning-rate", "0"]
    done = CliRunner().invoke(command, ["loop", str(folder), "-o", str(tmp_path / "m.safetensors"), *rest, "--quiet"])
    assert done.exit_code == 0, done.output
    assert load_model(tmp_path / "m.safetensors", LOOP).digest == first.digest


def test_no_samples(tmp_path):
    with pytest.raises(ConfigError, match="no samples of the in-loop filter"):
        LoopSamples(tmp_path)
