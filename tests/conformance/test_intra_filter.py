"""With the intra prediction filter on, decoder and encoder hold the same pictures."""

import io

import numpy as np
import pytest

from codecsim.codec.active_tools import ActiveTool
from codecsim.codec.config import EncoderConfig
from codecsim.codec.decoder import decode
from codecsim.errors import ConfigError, ModelError
from codecsim.learned.intra.learner import IntraLearner
from codecsim.picture.blocks import MODE_INTRA, PART_NxN
from codecsim.syntax.headers import SLICE_I
from codecsim.tools import INTRA
from codecsim.tools.intra import IntraSettings
from tests.conformance.clips import make_clip
from tests.conformance.random_syntax import random_stream
from tests.conformance.runs import assert_same_pictures, check_own_decoder, run_encoder
from tests.learned.intra.intra_models import random_model, saved_model


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return saved_model(tmp_path_factory.mktemp("models"), split="direction")


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("film", {}),
        ("edges", {"qp": 20, "preset": "slow"}),
        ("texture", {"qp": 24, "settings": {"hevc": {"transform_skip": False}}}),
        ("edges", {"settings": {"hevc": {"internal_bit_depth": 10, "adaptive_qp": 6, "qp_group": 8}}}),
        ("texture", {"preset": "fast", "settings": {"search": {"transform_depth": 2, "intra_filter_modes": True}}}),
    ],
    ids=str,
)
def test_all_intra(content, options, model):
    settings = {"qp": 30, "filter": "off", "intra_filter": "frozen", **options, "settings": {"intra": {"model": model}}}
    run = run_encoder(EncoderConfig("ai", **settings), make_clip(content, 90, 70, 2))
    check_own_decoder(run, models=[model])


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ("ai", {"filter": "off"}),
        (
            "ai",
            {"filter": "off", "settings": {"hevc": {"internal_bit_depth": 10}, "intra": {"passes": 3, "blocks": 40}}},
        ),
        ("ldp", {"filter": "off"}),
        ("ldp", {"loop_filter": "on", "settings": {"inter_luma": {"channels": 8, "tile_log2": 4, "epochs_q2": 4}}}),
    ],
    ids=str,
)
def test_learning_online(config, options, model):
    settings = {"qp": 27, "intra_filter": "online", **options, "settings": {"intra": {"model": model}}}
    run = run_encoder(EncoderConfig(config, **settings), make_clip("edges", 72, 136, 3))
    check_own_decoder(run, models=[model])
    steps = [report.intra_trained_steps for report in run.reports]
    assert steps[0] > 0
    assert all((n or 0) > 0 for n in steps) if config == "ai" else steps[1:] == [None] * (len(steps) - 1)
    assert len({report.learner_hash for report in run.reports}) > 1 or config == "ldp"


def test_the_search_learns_what_the_reconstruction_learns(monkeypatch, model):
    """Each row is decided with the weights with which it is then reconstructed."""
    seen = []
    learn = IntraLearner.learn

    def watch(learner, examples, count):
        steps = learn(learner, examples, count)
        seen.append((steps, learner.digest()))
        return steps

    monkeypatch.setattr(IntraLearner, "learn", watch)
    settings = {"qp": 27, "filter": "off", "intra_filter": "online", "settings": {"intra": {"model": model}}}
    run_encoder(EncoderConfig("ai", **settings), make_clip("edges", 72, 136, 2))
    rows = 3
    assert len(seen) == 2 * 2 * rows
    for k in (0, 2 * rows):
        assert seen[k : k + rows] == seen[k + rows : k + 2 * rows]
    assert len(set(seen)) == 2 * rows


@pytest.mark.parametrize("inter_pictures", [True, False])
@pytest.mark.parametrize(
    "options",
    [{"config": "ldp", "filter": "off"}, {"config": "ldp", "obmc": True}, {"config": "ra", "filter": "off"}],
    ids=str,
)
def test_inter(options, inter_pictures, model):
    learn = {} if "filter" in options else {"channels": 8, "tile_log2": 4, "epochs_q2": 4}
    settings = {"inter_luma": learn, "intra": {"model": model, "inter_pictures": inter_pictures}}
    config = EncoderConfig(qp=27, intra_filter="frozen", **options).with_settings(settings)
    check_own_decoder(run_encoder(config, make_clip("cut", 72, 56, 6)), threads=2, models=[model])


def test_random_decisions(model):
    """All sizes, partitions and modes, switched on and off by picture."""
    seen = set()

    def watch(codec, header):
        blocks = codec.blocks
        intra = blocks.pred_mode == MODE_INTRA
        filtered = intra & (blocks.intra_filter > 0)
        if not codec.slice.syntax.intra_filter_on:
            assert not filtered.any()
            seen.add("off")
        kinds = {"inter": header.slice_type != SLICE_I, "parts": (filtered & (blocks.part_mode == PART_NxN)).any()}
        seen.update(name for name, there in kinds.items() if there and filtered.any())
        seen.update(f"size {log2}" for log2 in np.unique(blocks.tu_log2[filtered]))
        seen.update({"mixed"} if filtered.any() and (intra & ~filtered).any() else {})

    for seed in range(12):
        intra = ActiveTool(INTRA, IntraSettings(inter_pictures=seed % 3 > 0), random_model(split="direction"))
        run = random_stream(seed, obmc=bool(seed % 2), watch=watch, intra=intra)
        assert_same_pictures([p.frame for p in decode(io.BytesIO(run.data), models=[model])], run.recon)
    assert seen == {"off", "inter", "parts", "mixed", *(f"size {log2}" for log2 in (2, 3, 4, 5))}


def test_the_stream_names_its_weights(model, tmp_path):
    config = EncoderConfig("ai", 32, filter="off", intra_filter="frozen", settings={"intra": {"model": model}})
    run = run_encoder(config, make_clip("film", 32, 32, 1))
    with pytest.raises(ModelError, match=random_model(split="direction").digest.hex()):
        list(decode(io.BytesIO(run.data)))
    other = saved_model(tmp_path, seed=7)
    with pytest.raises(ModelError):
        list(decode(io.BytesIO(run.data), models=[other]))
    assert len(list(decode(io.BytesIO(run.data), models=[other, model]))) == 1


def test_refuses_a_model_without_the_filter(model):
    with pytest.raises(ConfigError, match="is off"):
        EncoderConfig("ai", settings={"intra": {"model": model}})
