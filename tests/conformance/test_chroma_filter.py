"""With the chroma filter on, decoder and encoder hold the same pictures and the same learners."""

import numpy as np
import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.errors import ConfigError
from codecsim.tools.inter_chroma import InterChromaSettings
from tests.conformance.clips import make_clip
from tests.conformance.runs import check_own_decoder, run_encoder

SMALL = {"channels": 8, "tile_log2": 4}
SWITCHES = [
    {},
    {"channels": 16, "hidden_layers": 1, "tile_log2": 5},
    {"luma_addition": False},
    {"luma_detail": False},
    {"luma_addition": False, "luma_detail": False, "overlapped": False, "qp_plane": False, "high_pass": False},
    {"overlapped": False},
    {"luma_coded": False},
    {"average_q8": 0},
    {"loss": "l2"},
    {"reset": "auto", "reset_margin_q8": 0, "learning_rate": 0.5},
    {"reset": "never"},
    {"control": "never"},
    {"replay": 3, "jitter": 0},
]


def encode_chroma(chroma_learn, clip, config="ldp", qp=27, **options):
    settings = {"inter_luma": {"channels": 8}, "inter_chroma": {**SMALL, **chroma_learn}}
    options = {"preset": "fast", "chroma_filter": "online", **options}
    return run_encoder(EncoderConfig(config, qp, **options).with_settings(settings), clip)


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda switch: "-".join(f"{k}={v}" for k, v in switch.items()))
def test_switches(switch):
    run = encode_chroma(switch, make_clip("texture", 74, 42, 5), intra_period=3)
    check_own_decoder(run)
    steps = [report.chroma_trained_steps for report in run.reports if report.type == "P"]
    assert all(step is not None for step in steps)
    assert any(steps) == (switch.get("control") != "never")


@pytest.mark.parametrize("config", ["ldp", "ldb", "ra"])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_structures_depths_and_threads(config, bit_depth):
    """In pictures that end within blocks, over overlapped motion compensation, in two passes of the search."""
    options = {"obmc": True, "settings": {"hevc": {"internal_bit_depth": bit_depth}, "search": {"filter_passes": 2}}}
    run = encode_chroma({}, make_clip("zoom", 106, 54, 9), config, **options)
    for threads in (1, 2):
        check_own_decoder(run, threads)
    assert any(report.chroma_trained_steps for report in run.reports)
    assert any(report.chroma_used for report in run.reports)


def test_pictures_may_leave_it():
    """A net that learns far too fast makes chroma worse, and then the picture does not take it."""
    run = encode_chroma({"learning_rate": 0.9, "reset": "never"}, make_clip("texture", 72, 40, 8))
    check_own_decoder(run)
    assert {report.chroma_used for report in run.reports if report.type == "P"} == {False, True}


def test_the_hash_covers_it():
    """Pictures alike, another learner of chroma: the hash tells."""
    clip = make_clip("texture", 72, 40, 2)
    runs = [encode_chroma({"learning_rate": rate}, clip) for rate in (1e-3, 2e-3)]
    np.testing.assert_array_equal(runs[0].recon[1].u, runs[1].recon[1].u)
    assert runs[0].reports[1].learner_hash != runs[1].reports[1].learner_hash


def test_frozen_without_weights_is_the_identity():
    clip = make_clip("texture", 72, 40, 4)
    frozen = encode_chroma({}, clip, chroma_filter="frozen")
    off = run_encoder(EncoderConfig("ldp", 27, preset="fast", settings={"inter_luma": {"channels": 8}}), clip)
    check_own_decoder(frozen)
    assert [report.psnr_u for report in frozen.reports] == [report.psnr_u for report in off.reports]


def test_weights_that_ship():
    """They are what the filter begins with, unless told otherwise; the decoder finds them by itself."""
    clip = make_clip("texture", 72, 40, 3)
    config = EncoderConfig("ldp", 27, preset="fast", chroma_filter="frozen")
    trained, untrained = (
        run_encoder(config.with_settings({"inter_chroma": {"model": name}}), clip) for name in ("", "untrained")
    )
    for run in (trained, untrained):
        check_own_decoder(run)
    assert trained.reports[0].learner_hash != untrained.reports[0].learner_hash


def test_parameters_are_carried():
    params = InterChromaSettings(channels=8, luma_coded=False, learning_rate=1e-3)
    assert InterChromaSettings.from_stream(params.to_stream()) == params
    assert InterChromaSettings().to_stream() == ()


def test_wrong_settings():
    with pytest.raises(ConfigError, match="goes with the prediction filter, which is off"):
        EncoderConfig(filter="off", chroma_filter="online")
    with pytest.raises(ConfigError, match="further is 1; expected 0"):
        InterChromaSettings(further=1)
    with pytest.raises(ConfigError, match="which is off"):
        EncoderConfig(settings={"inter_chroma": {"model": "x"}})
