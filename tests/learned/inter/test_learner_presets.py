"""Presets of the learners: what is read, what follows at a QP, and how bad files are refused."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecsim.codec.config import EncoderConfig
from codecsim.errors import ConfigError
from codecsim.experiments.encoder_options import encoder_config
from codecsim.learned.inter.chroma_params import ChromaParams
from codecsim.learned.inter.chroma_stream import ChromaStream
from codecsim.learned.inter.learner_presets import load_preset, read_preset, settings_at, shipped_presets
from codecsim.learned.inter.params import Control, LearnParams, LossKind, Reset
from codecsim.learned.inter.stream import learn_params
from tests.conformance.clips import make_clip
from tests.conformance.runs import check_own_decoder, run_encoder

TEXT = """\
name = "trial"
description = "for the tests"

[luma]
control = "threshold"
epochs_q2 = { 22 = 4, 32 = 9 }
learning_rate = { 27 = 1e-3, 37 = 2e-3 }
tile_threshold_q8 = [1, 2, 3, 4]
loss = { 22 = "l1", 27 = "huber" }

[chroma]
replay = 1

[tuned]
clips = ["a", "b"]
"""


@pytest.fixture
def preset(tmp_path):
    path = tmp_path / "trial.toml"
    path.write_text(TEXT)
    return str(path)


def test_a_preset_is_read(preset):
    found = read_preset(preset)
    assert (found.name, found.description) == ("trial", "for the tests")
    assert found.luma["epochs_q2"] == {22: 4, 32: 9}
    assert found.chroma == {"replay": 1}
    assert found.tuned == {"clips": ["a", "b"]}


def test_settings_follow_the_base_qp():
    settings = {
        "epochs_q2": {22: 4, 32: 9},
        "learning_rate": {27: 1e-3, 37: 2e-3},
        "loss": {22: "l1", 27: "huber"},
        "channels": {22: 8, 32: 16},
        "replay": 2,
    }
    assert settings_at(settings, 20) == {
        "epochs_q2": 4, "learning_rate": 1e-3, "loss": "l1", "channels": 8, "replay": 2,
    }  # fmt: skip
    at_27 = settings_at(settings, 27)
    assert at_27["epochs_q2"] == 7  # 6.5, halves up
    assert at_27["channels"] == 8  # of two as near the lower QP's
    assert settings_at(settings, 28)["channels"] == 16
    assert settings_at(settings, 24)["loss"] == "l1"
    assert settings_at(settings, 25)["loss"] == "huber"
    assert settings_at(settings, 32)["learning_rate"] == pytest.approx(1.5e-3, rel=1e-12)
    assert settings_at(settings, 51)["learning_rate"] == 2e-3


@given(
    st.dictionaries(st.integers(0, 51), st.integers(0, 255), min_size=1, max_size=5),
    st.integers(0, 51),
)
def test_integers_between_two_qps_lie_between_their_values(by_qp, qp):
    found = settings_at({"epochs_q2": by_qp}, qp)["epochs_q2"]
    below, above = [q for q in by_qp if q <= qp], [q for q in by_qp if q >= qp]
    ends = [by_qp[max(below) if below else min(above)], by_qp[min(above) if above else max(below)]]
    assert min(ends) <= found <= max(ends)
    assert isinstance(found, int)
    if qp in by_qp:
        assert found == by_qp[qp]


def test_the_encoder_takes_the_settings_of_its_qp(preset):
    for qp, epochs, loss in ((22, 4, LossKind.L1), (37, 9, LossKind.HUBER)):
        config = encoder_config(learn_preset=preset, qp=qp, chroma_filter="online")
        params = learn_params(config)
        assert (params.epochs_q2, params.loss, params.control) == (epochs, loss, Control.THRESHOLD)
        assert ChromaStream.from_config(config).params == ChromaParams(replay=1)
    assert learn_params(encoder_config(learn_preset=preset, filter="frozen")).control == Control.NEVER


def test_options_win_over_the_preset(preset):
    config = encoder_config(
        learn_preset=preset, qp=22, learn="always", learning_rate=0.5, reset="auto", learner=["epochs_q2=1"]
    )
    params = learn_params(config)
    assert (params.control, params.learning_rate, params.epochs_q2) == (Control.ALWAYS, 0.5, 1)
    assert (params.reset, params.loss) == (Reset.AUTO, LossKind.L1)
    threshold = learn_params(encoder_config(learn_preset=preset, loss_threshold=1.0)).threshold_q8
    assert threshold == (256,) * 4
    with pytest.raises(ConfigError, match="--loss-threshold needs"):
        encoder_config(learn_preset=preset, learn="always", loss_threshold=1.0)


def test_a_stream_made_with_a_preset_is_the_one_made_with_its_settings(preset):
    clip = make_clip("texture", 64, 64, 3)
    with_preset = run_encoder(encoder_config(learn_preset=preset, qp=32), clip)
    settings = settings_at(read_preset(preset).luma, 32)
    spelled_out = run_encoder(EncoderConfig(qp=32, learn=settings), clip)
    assert with_preset.data == spelled_out.data
    assert with_preset.data != run_encoder(EncoderConfig(qp=32), clip).data
    check_own_decoder(with_preset)


@pytest.mark.parametrize("name", shipped_presets())
def test_presets_that_ship_load(name):
    preset = load_preset(name)
    assert preset.name == name
    assert preset.description
    assert preset.luma
    assert preset.tuned  # where it comes from


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("[luma]\nepochs_q2 = 256\n", "line 2: learned tools: epochs_q2 is 256; expected 0..255"),
        ("[luma]\n\nepoch = 1\n", "line 3: no setting 'epoch'; expected one of channels, "),
        ("[luma]\ncontrol = 'often'\n", "line 2: .*control is 'often'; expected always or threshold or never"),
        ("[chroma]\nfurther = 1\n", "line 2: .*expected further=0"),
        ("[luma]\nreplay = { 22 = 1, low = 2 }\n", "line 2: replay has the key 'low'; expected values by QP"),
        ("[luma]\nreplay = { 22 = 1, 52 = 2 }\n", "line 2: replay has the key '52'"),
        ("[luma]\nreplay = {}\n", "line 2: replay has no values"),
        ("[luma]\nreplay = { 22 = 1, 32 = 9 }\n", "line 2: .*replay is 9; expected 1..8"),
        ("[luma]\nfurther = 3\nchannels = 24\n", "line 3: .*channels is 24; expected 8, 16 or 32"),
        ("[luma]\ntile_threshold_q8 = [1, 2]\n", "line 2: .*needs 4 values, has 2"),
        ("\n[lumma]\n", "line 2: unknown section 'lumma'; expected one of name, description, luma, chroma, tuned"),
        ("luma = 3\n", "line 1: luma is 3; expected a table"),
        ("name = 3\n", "line 1: name is 3; expected a text"),
        ("[luma\n", "is no TOML: .*line 1"),
    ],
)
def test_bad_files_name_the_line_and_what_is_allowed(tmp_path, wrong, message):
    path = tmp_path / "bad.toml"
    path.write_text(wrong)
    with pytest.raises(ConfigError, match=message) as raised:
        load_preset(str(path))
    assert str(raised.value).startswith(str(path))


def test_no_such_preset_says_which_there_are():
    with pytest.raises(ConfigError, match="no learner preset 'none'") as raised:
        load_preset("none")
    assert all(name in str(raised.value) for name in shipped_presets())


def test_settings_without_mappings_stay_as_they_are():
    settings = dataclasses.asdict(LearnParams())
    assert settings_at(settings, 30) == settings
