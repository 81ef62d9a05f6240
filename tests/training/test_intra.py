"""Samples and training of the intra filter, end to end and small."""

import dataclasses

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from codecsim.cli.train import command
from codecsim.errors import ConfigError, ModelError
from codecsim.hevc.tables import make_zorder
from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.intra.inputs import INPUTS
from codecsim.learned.intra.spec import IntraSpec
from codecsim.learned.model_files import INTRA, load_model
from codecsim.training import intra, intra_samples
from codecsim.training.intra import IntraNetwork, IntraTraining, Samples, train_intra, validate
from codecsim.training.intra_samples import BLOCKS, code_picture, take_samples, write_samples
from tests.conformance.clips import make_clip
from tests.reference import intra as naive_intra
from tests.reference import intra_filter as naive
from tests.reference import naive_engine

SPEC = IntraSpec(NetSpec(len(INPUTS), (("conv3", 8), ("conv1", 8))), "direction")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    video_format, frames = make_clip("film", 160, 128, 2)
    pictures = {qp: code_picture(frame, video_format, qp) for frame, qp in zip(frames, (24, 34), strict=True)}
    folder = tmp_path_factory.mktemp("samples")
    counts = write_samples(pictures, folder, scale=0.002)
    assert set(counts) == set(BLOCKS) and min(counts.values()) > 0
    return folder


def test_samples_are_what_the_filter_sees(folder):
    """The planes of the twin, and an error that the encoder has left."""
    video_format, frames = make_clip("film", 160, 128, 2)
    picture = code_picture(frames[0], video_format, 24)
    assert np.abs(picture.original.astype(int) - picture.recon).mean() < 6
    assert naive_intra.ANGLES[10] == 0
    write_samples({"one": picture}, folder / "one", scale=0.0001)
    planes, about = (np.load(folder / "one" / f"{name}_2.npy") for name in ("planes", "about"))
    assert len(planes) == 15 and (about[:, 0] == 24).all()
    zorder, found = make_zorder(32, 40), 0
    for y, x in np.argwhere(picture.size_log2 == 2):
        at = picture.recon, zorder, 4 * x, 4 * y, 4, int(picture.mode[y, x])
        wanted = naive.planes(INPUTS, *at, picture.pred, 24, 8, 4)
        found += int((planes == wanted).all((1, 2, 3)).any())
    assert found >= 15


@pytest.mark.parametrize("hidden", [(("conv3", 8), ("conv3", 16)), (("conv1", 8),)])
def test_the_network_is_the_engines(hidden):
    spec = NetSpec(len(INPUTS), hidden)
    torch.manual_seed(0)
    net = IntraNetwork(spec)
    with torch.no_grad():
        net.skip.normal_(0, 0.02)
    rng = np.random.default_rng(0)
    x = rng.integers(-1000, 1000, (len(INPUTS), 12, 14))
    layers = naive_engine.quantise(naive_engine.split(net.weights(), len(INPUTS), hidden))
    exact = naive_engine.forward(layers, x)[1][0] / 2**10
    with torch.no_grad():
        found = net(torch.from_numpy(x[None].astype(np.float32) / 1024))[0].numpy()
    assert np.abs(found).max() > 0.5
    np.testing.assert_allclose(found, exact, atol=0.1)  # the engine rounds activations, this one only weights


def test_training_lowers_the_cost_and_repeats(folder):
    training = IntraTraining(steps=150, seed=3)
    model = train_intra(SPEC, folder, training)
    assert model.kind == INTRA and model.inputs == INPUTS
    for everywhere, where_better, share in validate(model, folder).values():
        assert where_better < 1 and where_better <= everywhere and 0 < share <= 1
    untrained = train_intra(SPEC, folder, IntraTraining(steps=1, seed=3))
    after, before = (sum(cost[1] for cost in validate(each, folder).values()) for each in (model, untrained))
    assert after < before - 0.02
    short = IntraTraining(steps=5, seed=3)
    assert train_intra(SPEC, folder, short).digest == train_intra(SPEC, folder, short).digest
    assert train_intra(SPEC, folder, IntraTraining(steps=5, seed=4)).digest != model.digest


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(intra, "_EVERY", 10)
    training = IntraTraining(steps=30, seed=3)
    whole = train_intra(SPEC, folder, training)

    def stop(line):
        if line.startswith("network 1, step 20"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_intra(SPEC, folder, training, tmp_path, stop)
    said = []
    assert train_intra(SPEC, folder, training, tmp_path, said.append).digest == whole.digest
    assert said[:2] == ["network 0 goes on at step 30", "network 1 goes on at step 10"]
    with pytest.raises(ConfigError, match="other settings"):
        train_intra(SPEC, folder, IntraTraining(steps=31, seed=3), tmp_path)


def test_networks_trained_at_once_are_the_same_and_report(folder, capfd):
    training, said = IntraTraining(steps=2, seed=3), []
    model = train_intra(SPEC, folder, dataclasses.replace(training, jobs=2), report=said.append)
    assert model.digest == train_intra(SPEC, folder, training).digest
    assert sorted(line.split(":")[0] for line in said) == [f"network {k}, step 2 of 2" for k in range(2)]
    assert capfd.readouterr().out == ""


def test_a_training_ends_with_the_check_of_its_bits(folder, monkeypatch):
    seen = []
    monkeypatch.setattr(intra, "check_bits", seen.append)  # returns None: nothing changes
    with pytest.raises(ModelError, match="changes nothing"):
        train_intra(SPEC, folder, IntraTraining(steps=1))
    assert [model.spec for model in seen] == [SPEC]


def test_networks_share_no_sample(folder):
    seen = [{(log2, place) for log2, places in Samples(folder, SPEC, k) for place in places} for k in range(2)]
    assert not seen[0] & seen[1]
    assert len(seen[0] | seen[1]) == sum(len(np.load(folder / f"about_{log2}.npy")) for log2 in BLOCKS)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two that have blocks of all sizes."""
    folder = tmp_path_factory.mktemp("photos")
    for k in range(2):
        photo = np.random.default_rng(k).integers(0, 256, (24, 24, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
        photo[:, 96:] = 128
        cv2.imwrite(str(folder / f"{k}.png"), photo)
    return folder


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_pictures_are_coded_once_and_an_interruption_leaves_no_trace(tmp_path, photos):
    whole, again = tmp_path / "whole", tmp_path / "again"
    counts = take_samples([photos], whole, scale=0.002)
    coded = []

    def note(*picture):
        coded.append(picture)
        if len(coded) == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take_samples([photos], again, scale=0.002, on_picture=note)
    with pytest.raises(ConfigError, match="intra-samples makes them"):
        Samples(again, SPEC, 0)
    assert take_samples([photos], again, scale=0.002, on_picture=note) == counts
    assert len(coded) == 2 * 2 * 4 + 1  # photos, scales, QPs; the sixth twice
    assert files_of(again) == files_of(whole)
    assert take_samples([photos], again, scale=0.002, on_picture=note) == counts
    assert len(coded) == 17
    assert take_samples([photos / "1.png"], again, scale=0.001, on_picture=note) != counts  # of all that is there
    assert len(coded) == 17
    assert sum(len(Samples(again, SPEC, 0)._kept[log2][2]) for log2 in BLOCKS) < sum(counts.values())


def test_samples_that_are_not_whole_are_not_trained_on(tmp_path, photos, monkeypatch):
    take_samples([photos / "0.png"], tmp_path, scale=0.002)
    before = files_of(tmp_path)

    def stop(*blocks, write=intra_samples._write_size):
        if blocks[2] == 5:
            raise KeyboardInterrupt
        write(*blocks)

    with monkeypatch.context() as patch:
        patch.setattr(intra_samples, "_write_size", stop)
        with pytest.raises(KeyboardInterrupt):
            take_samples([photos / "0.png"], tmp_path, scale=0.001)
    with pytest.raises(ConfigError, match="intra-samples makes them"):
        Samples(tmp_path, SPEC, 0)
    take_samples([photos / "0.png"], tmp_path, scale=0.002)
    assert files_of(tmp_path) == before


def test_refuses_an_empty_folder(tmp_path):
    with pytest.raises(ConfigError, match="intra-samples makes them"):
        Samples(tmp_path, SPEC, 0)


def test_commands(tmp_path, photos):
    run = CliRunner().invoke
    made = run(command, ["intra-samples", str(photos / "0.png"), "-o", str(tmp_path / "s"), "--scale", "0.01"])
    assert made.exit_code == 0 and "blocks of 32" in made.output, made.output
    path = tmp_path / "model.safetensors"
    options = ["-o", str(path), "--steps", "2", "--validation", str(tmp_path / "s")]
    done = run(command, ["intra", str(tmp_path / "s"), *options])
    assert done.exit_code == 0 and load_model(path).digest.hex() in done.output, done.output
    assert "blocks of 4: " in done.output
