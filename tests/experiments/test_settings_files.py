"""Files of settings: what is read, what follows at a QP, and how bad files are refused."""

import pytest

from codecsim.codec.active_tools import resolve_tools
from codecsim.codec.config import EncoderConfig
from codecsim.errors import ConfigError
from codecsim.experiments.encoder_options import options_of
from codecsim.experiments.settings_files import load_settings, read_settings_file, shipped_settings
from codecsim.tools import INTER_CHROMA, INTER_LUMA
from codecsim.tools.inter_chroma import InterChromaSettings
from codecsim.tools.learner import Control, LossKind, Reset
from tests.conformance.clips import make_clip
from tests.conformance.runs import check_own_decoder, run_encoder

TEXT = """\
name = "trial"
description = "for the tests"

[inter_luma]
control = "threshold"
epochs_q2 = { 22 = 4, 32 = 9 }
learning_rate = { 27 = 1e-3, 37 = 2e-3 }
tile_threshold_q8 = [1, 2, 3, 4]
loss = { 22 = "l1", 27 = "huber" }

[inter_chroma]
replay = 1

[tuned]
clips = ["a", "b"]
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "trial.toml"
    path.write_text(TEXT)
    return str(path)


def luma_of(config):
    return resolve_tools(config)[INTER_LUMA].settings


def test_a_file_is_read(file):
    found = read_settings_file(file)
    assert (found.name, found.description) == ("trial", "for the tests")
    assert found.settings["inter_luma.epochs_q2"] == {22: 4, 32: 9}
    assert found.settings["inter_chroma.replay"] == 1
    assert found.tuned == {"clips": ["a", "b"]}


def test_the_encoder_takes_the_settings_of_its_qp(file):
    for qp, epochs, loss in ((22, 4, LossKind.L1), (37, 9, LossKind.HUBER)):
        config = options_of(settings_file=file, qp=qp, chroma_filter="online").config()
        found = luma_of(config)
        assert (found.epochs_q2, found.loss, found.control) == (epochs, loss, Control.THRESHOLD)
        assert resolve_tools(config)[INTER_CHROMA].settings == InterChromaSettings(replay=1)
    assert luma_of(options_of(settings_file=file, filter="frozen").config()).control == Control.NEVER


def test_options_win_over_the_file(file):
    given = [f"inter_luma.{pair}" for pair in ("control=always", "learning_rate=0.5", "reset=auto", "epochs_q2=1")]
    found = luma_of(options_of(given, file, qp=22).config())
    assert (found.control, found.learning_rate, found.epochs_q2) == (Control.ALWAYS, 0.5, 1)
    assert (found.reset, found.loss) == (Reset.AUTO, LossKind.L1)


def test_settings_count_where_their_tool_is_on(file):
    assert options_of(settings_file=file, filter="off").config() == EncoderConfig(filter="off")
    luma = {name: v for name, v in read_settings_file(file).settings.items() if name.startswith("inter_luma.")}
    assert options_of(settings_file=file).config() == EncoderConfig(settings=luma)
    both = EncoderConfig(chroma_filter="frozen", settings={**luma, "inter_chroma.replay": 1})
    assert options_of(settings_file=file, chroma_filter="frozen").config() == both


def test_a_stream_made_with_a_file_is_the_one_made_with_its_settings(file):
    clip = make_clip("texture", 64, 64, 3)
    with_file = run_encoder(options_of(settings_file=file, qp=32).config(), clip)
    settings = EncoderConfig(qp=32, settings={"inter_luma": {}}).settings | {
        "inter_luma.control": "threshold",
        "inter_luma.epochs_q2": 9,
        "inter_luma.learning_rate": 1.5e-3,
        "inter_luma.tile_threshold_q8": (1, 2, 3, 4),
    }
    assert with_file.data == run_encoder(EncoderConfig(qp=32, settings=settings), clip).data
    assert with_file.data != run_encoder(EncoderConfig(qp=32), clip).data
    check_own_decoder(with_file)


@pytest.mark.parametrize("name", shipped_settings())
def test_files_that_ship_load(name):
    found = load_settings(name)
    assert found.name == name
    assert found.description and found.settings
    assert found.tuned  # where it comes from


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("[inter_luma]\nepochs_q2 = 256\n", "line 2: inter_luma.epochs_q2 is 256; expected 0..255"),
        ("[inter_luma]\n\nepoch = 1\n", "line 3: no setting 'inter_luma.epoch' .*; inter_luma has model, channels, "),
        ("[inter_luma]\ncontrol = 'often'\n", "line 2: .*control is 'often'; expected one of always, threshold, never"),
        ("[inter_chroma]\nfurther = 1\n", "line 1: .*further is 1; expected 0"),
        ("[inter_luma]\nreplay = { 22 = 1, low = 2 }\n", "line 2: .*replay has the key 'low'; expected values by QP"),
        ("[inter_luma]\nreplay = { 22 = 1, 52 = 2 }\n", "line 2: .*replay has the key '52'"),
        ("[inter_luma]\nreplay = {}\n", "line 2: .*replay has no values"),
        ("[inter_luma]\nreplay = { 22 = 1, 32 = 9 }\n", "line 2: .*replay is 9; expected 1..8"),
        ("[inter_luma]\nfurther = 3\nchannels = 24\n", "line 3: .*channels is 24; expected one of 8, 16, 32"),
        ("[inter_luma]\ntile_threshold_q8 = [1, 2]\n", "line 2: .*expected 4 whole numbers"),
        ("\n[inter_lumma]\n", "line 2: unknown section 'inter_lumma'; expected one of name, description, hevc, search"),
        ("inter_luma = 3\n", "line 1: inter_luma is 3; expected a table"),
        ("name = 3\n", "line 1: name is 3; expected a text"),
        ("[inter_luma\n", "is no TOML: .*line 1"),
    ],
)
def test_bad_files_name_the_line_and_what_is_allowed(tmp_path, wrong, message):
    path = tmp_path / "bad.toml"
    path.write_text(wrong)
    with pytest.raises(ConfigError, match=message) as raised:
        load_settings(str(path))
    assert str(raised.value).startswith(str(path))


def test_no_such_file_says_which_there_are():
    with pytest.raises(ConfigError, match="no settings 'none'") as raised:
        load_settings("none")
    assert all(name in str(raised.value) for name in shipped_settings())
