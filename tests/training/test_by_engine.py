"""Training of prediction filters by the engine."""

import json

import numpy as np
import pytest

from codecsim.cli import run
from codecsim.errors import ConfigError
from codecsim.formats.video import create_video
from codecsim.formats.y4m import write_y4m_frame, write_y4m_header
from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.engine.update import MASKED
from codecsim.learned.model_files import INTER_LUMA, load_model
from codecsim.picture.planes import Frame, VideoFormat
from codecsim.tools.inter_luma import InterLumaSettings
from codecsim.training import by_engine
from codecsim.training.by_engine import BLOCK, EngineTraining, block_errors, measure, train_filter
from codecsim.training.filter_samples import FilterSamples, take_samples
from tests.conformance.clips import make_clip

LAYERS = (("conv3", 8), ("conv3", 8))
SPEC = NetSpec(6, LAYERS)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    video_format, frames = make_clip("texture", 96, 64, 4)
    path = tmp_path_factory.mktemp("clips") / "clip.y4m"
    with path.open("wb") as file:
        write_y4m_header(file, video_format)
        for frame in frames:
            write_y4m_frame(file, frame)
    return path


@pytest.fixture(scope="module")
def luma_samples(tmp_path_factory, clip):
    folder = tmp_path_factory.mktemp("samples")
    assert take_samples("luma", [clip], folder, (32,), 4) == 2
    return folder


@pytest.fixture
def every_step(monkeypatch):
    """Keep a checkpoint each 100 steps."""
    monkeypatch.setattr(by_engine, "_EVERY", 100)


def samples_of(folder):
    return FilterSamples(folder, "luma", SPEC.margin)


def make_run(samples, **changes):
    return by_engine._Run(InterLumaSettings(**changes), SPEC, samples, EngineTraining())


def test_samples_are_taken_once(luma_samples, clip):
    said = []
    assert take_samples("luma", [clip], luma_samples, (32,), 4, said.append) == 2
    assert said == []
    samples = samples_of(luma_samples)
    assert len(samples) == 6  # inter pictures in ldp and ra
    assert {config for _, config, *_ in samples.about} == {"ldp", "ra"}
    with pytest.raises(ConfigError, match="no sample of chroma"):
        FilterSamples(luma_samples, "chroma", 3)


@pytest.mark.parametrize("kind", ["luma", "chroma"])
def test_clips_of_ten_bits_are_refused(tmp_path, kind):
    with create_video(tmp_path / "deep.y4m", VideoFormat(64, 64, 25, 10)) as write:
        write(Frame(*(np.full((n, n), 512, np.uint16) for n in (64, 32, 32))))
    with pytest.raises(ConfigError, match="deep.y4m: samples are taken from pictures of 8 bits"):
        take_samples(kind, [tmp_path / "deep.y4m"], tmp_path / "samples", (32,), 2)
    assert not any((tmp_path / "samples").iterdir())


@pytest.mark.parametrize("kind", ["luma", "chroma"])
def test_training_brings_the_prediction_closer_to_the_original(tmp_path, clip, luma_samples, kind):
    folder = luma_samples
    if kind == "chroma":
        folder = tmp_path / "samples"
        take_samples(kind, [clip], folder, (32,), 4)
    training = EngineTraining(steps=600, warm_up=50)
    model, found = train_filter(kind, LAYERS, folder, training, validation=folder)
    again, _ = train_filter(kind, LAYERS, folder, training)
    np.testing.assert_array_equal(model.weights, again.weights)
    assert found["validation"] == found["training"]
    assert found["training"]["everywhere"] < 0.999
    assert found["training"]["where_better"] <= found["training"]["everywhere"]


def test_blocks_that_the_filter_harms_are_dropped_and_said(luma_samples):
    samples = samples_of(luma_samples)
    run = make_run(samples, tile_log2=4)
    rng = np.random.default_rng(1)
    run.state.average[:] = rng.normal(0, 0.05, run.state.average.size)
    note = run.drop()
    harmed = {k: after >= before for k, before, after in block_errors(samples, SPEC, run.state.average)}
    assert note["blocks"] == 6 * 6  # pictures, blocks of 32x32 of 96x64
    assert 0 < note["dropped"] == sum(blocks.sum() for k, blocks in harmed.items() if not blocks.all())
    for k, blocks in harmed.items():
        np.testing.assert_array_equal(run.kept[k], ~blocks if not blocks.all() else True)
    by_kind = note["by_kind"]
    assert by_kind["source clip.y4m"] == by_kind["QP 32"] == note["dropped"]
    assert sum(n for kind, n in by_kind.items() if kind.startswith("config")) == note["dropped"]


def test_dropping_happens_when_it_should(luma_samples):
    training = EngineTraining(steps=40, warm_up=5, drop_at=(0.5, 0.75))
    _, found = train_filter("luma", LAYERS, luma_samples, training, validation=luma_samples)
    assert [note["step"] for note in found["dropping"]] == [20, 30]
    assert all("validation_before" in note for note in found["dropping"])


def test_a_dropped_block_is_not_learnt_from(luma_samples):
    samples = samples_of(luma_samples)
    run = make_run(samples)
    for kept in run.kept:
        kept[:] = False
    run.kept[2][1, 2] = True
    block = {*np.unique(samples[2][1][BLOCK : 2 * BLOCK, 2 * BLOCK : 3 * BLOCK])}
    for _ in range(20):
        _, error = run._draw()
        assert {*np.unique(error)} <= block | {MASKED}


def test_emphasis_draws_its_sources_more_often(luma_samples, tmp_path, capsys):
    samples = samples_of(luma_samples)
    samples.about = [("rare" if k == 4 else "others", *rest) for k, (_, *rest) in enumerate(samples.about)]
    emphasised = by_engine._Run(InterLumaSettings(), SPEC, samples, EngineTraining(emphasis=(("r*", 5.0), ("*", 2.0))))
    drawn = np.bincount([emphasised._draw_sample() for _ in range(4000)], minlength=6) / 4000
    np.testing.assert_allclose(drawn, [0.1, 0.1, 0.1, 0.1, 0.5, 0.1], atol=0.03)
    words = ["train", "luma", str(luma_samples), "-o", str(tmp_path / "luma.safetensors"), "--steps", "1"]
    assert run([*words, "--emphasis", "absent*", "2"]) == 2
    assert "no samples are of a source 'absent*'" in capsys.readouterr().err


def test_tiles_are_turned_with_their_inputs(luma_samples):
    samples = samples_of(luma_samples)
    run = make_run(samples, tile_log2=4)
    inner = slice(SPEC.margin, SPEC.margin + 16)
    for planes, error in (run._draw() for _ in range(20)):
        places = []
        for turn in range(8):
            back = [
                by_engine._turn(by_engine._turn(part, turn & 3), turn & 4) for part in (planes[0, inner, inner], error)
            ]
            places += [
                (k, y, x)
                for k, (whole, wanted) in enumerate(samples)
                for y in range(wanted.shape[0] - 15)
                for x in range(wanted.shape[1] - 15)
                if wanted[y, x] == back[1][0, 0]
                and np.array_equal(wanted[y : y + 16, x : x + 16], back[1])
                and np.array_equal(
                    whole[0, y + inner.start : y + inner.stop, x + inner.start : x + inner.stop], back[0]
                )
            ]
        assert places


def test_the_error_of_blocks_adds_up(luma_samples):
    samples = samples_of(luma_samples)
    weights = np.zeros(SPEC.n_weights, np.float32)
    for k, before, after in block_errors(samples, SPEC, weights):
        error = samples[k][1].astype(np.float64)
        assert before.sum() == np.sum(error[error != MASKED] ** 2)
        np.testing.assert_array_equal(before, after)  # weights of zero add nothing
    assert measure(samples, SPEC, weights)["everywhere"] == 1.0


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path, luma_samples, every_step):
    training = EngineTraining(steps=300, warm_up=50, drop_at=(0.2,))
    whole, found = train_filter("luma", LAYERS, luma_samples, training)

    def stop(line):
        if line.startswith("step 200"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_filter("luma", LAYERS, luma_samples, training, None, tmp_path, stop)
    said = []
    ended, again = train_filter("luma", LAYERS, luma_samples, training, None, tmp_path, said.append)
    assert said[0] == "goes on at step 100"  # the checkpoint of step 200 was not yet written when it was said
    np.testing.assert_array_equal(ended.weights, whole.weights)
    assert again == found
    with pytest.raises(ConfigError, match="other settings"):
        train_filter("luma", LAYERS, luma_samples, EngineTraining(steps=200), None, tmp_path)


def test_the_commands_write_a_model_of_the_default_filter(tmp_path, clip, capsys):
    samples, model = str(tmp_path / "samples"), str(tmp_path / "luma.safetensors")
    assert run(["train", "luma-samples", str(clip), "-o", samples, "--frames", "2", "-q", "32", "--quiet"]) == 0
    capsys.readouterr()
    assert run(["train", "luma", samples, "-o", model, "--steps", "20", "--quiet"]) == 0
    first, _, rest = capsys.readouterr().out.partition("\n")
    written = load_model(model, INTER_LUMA)
    assert written.digest.hex() in first
    assert {"dropping", "training"} == {*json.loads(rest)}
    assert (written.spec, written.inputs) == (InterLumaSettings().spec, InterLumaSettings().inputs)
    assert run(["train", "luma", str(tmp_path), "-o", model]) == 2


@pytest.mark.parametrize("layers", ["depthwise3:6", "conv3:12", "conv3", "conv5:8", "conv3:", "conv3:8,,conv3:8", ""])
def test_layers_that_there_are_not(tmp_path, luma_samples, layers, capsys):
    model = tmp_path / "luma.safetensors"
    assert run(["train", "luma", str(luma_samples), "-o", str(model), "--steps", "1", "--layers", layers]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and ("no such network" in error or "expected for example conv3:16,conv1:8" in error)
    assert not model.exists()


def test_layers_of_all_kinds(tmp_path, clip, luma_samples):
    """A filter of another shape is trained, and codes."""
    model, stream, decoded = (str(tmp_path / name) for name in ("luma.safetensors", "stream.bin", "decoded.y4m"))
    layers = "conv3:16, depthwise3:16,conv1:8,conv3:8"
    words = ["train", "luma", str(luma_samples), "-o", model, "--steps", "20", "--layers", layers, "--quiet"]
    assert run(words) == 0
    hidden = (("conv3", 16), ("depthwise3", 16), ("conv1", 8), ("conv3", 8))
    assert load_model(model, INTER_LUMA).spec == NetSpec(6, hidden)
    assert run(["encode", str(clip), "-o", stream, "--model", model, "--preset", "fast", "--quiet"]) == 0
    assert run(["decode", stream, "-o", decoded, "--model", model, "--quiet"]) == 0


def test_context_of_samples(luma_samples):
    """Whatever margin is asked for, the same samples stand behind it; too much is refused."""
    narrow, wide = (FilterSamples(luma_samples, "luma", margin) for margin in (2, 5))
    for (planes, error), (more, same) in zip(narrow, wide, strict=True):
        np.testing.assert_array_equal(error, same)
        assert planes.shape[1:] == (error.shape[0] + 4, error.shape[1] + 4)
        np.testing.assert_array_equal(planes, more[:, 3:-3, 3:-3])
    with pytest.raises(ConfigError, match="has 5 samples of context, the network needs 6"):
        train_filter("luma", (("conv3", 8),) * 5, luma_samples, EngineTraining(steps=1))
