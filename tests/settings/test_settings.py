"""Settings: what they may be, how they are written, and how a stream carries them."""

import contextlib
import dataclasses

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from codecsim.codec.config import GROUPS, HevcSettings, find_setting, read_settings
from codecsim.codec.presets import SearchSettings
from codecsim.errors import ConfigError
from codecsim.settings.by_qp import read_by_qp, value_at
from codecsim.settings.values import written
from codecsim.settings.wire import pack, read_changes, unpack, words_of, write_changes
from codecsim.tools import TOOLS
from codecsim.tools.inter_chroma import InterChromaSettings
from codecsim.tools.inter_luma import InterLumaSettings
from codecsim.tools.intra import IntraSettings
from codecsim.tools.learner import Control, LossKind, Method, Reset

TRUTH = {True: True, "true": True, "On": True, "1": True, False: False, "FALSE": False, "off": False, "0": False}
ALL = [declared for kind in GROUPS.values() for declared in kind.declared()]
WORDS = words_of(InterLumaSettings)
USUAL = pack(InterLumaSettings())


@pytest.mark.parametrize("declared", ALL, ids=lambda declared: declared.full_name)
def test_every_setting_is_declared_whole(declared):
    assert declared.help.endswith(".") and "\n" not in declared.help
    assert declared.read(declared.default) == declared.default
    assert declared.read(written(declared.default)) == declared.default
    assert declared.expected
    assert declared.by_mode or find_setting(declared.full_name) is declared
    for value in declared.allowed:
        assert declared.read(value) == declared.read(written(value)) == value
    if declared.low is not None and declared.kind in (int, float):
        ends = {declared.low: declared.above, declared.high: declared.below}
        assert all(declared.read(end) == pytest.approx(end) for end, is_open in ends.items() if not is_open)
        for wrong in (declared.low - 1, declared.high * 2 + 1):
            with pytest.raises(ConfigError, match=f"{declared.name} is .*; expected"):
                declared.read(wrong)


def test_groups_have_the_names_of_tools():
    assert {tool.name for tool in TOOLS if tool.settings} == {*GROUPS} - {"hevc", "search"}
    assert all(kind.group == name for name, kind in GROUPS.items())


@pytest.mark.parametrize("declared", [d for d in ALL if d.kind is bool], ids=lambda declared: declared.full_name)
def test_truth(declared):
    for text, value in TRUTH.items():
        assert declared.read(text) is value
    for wrong in (7, 0.5, "yes", "", None):
        with pytest.raises(ConfigError, match=f"{declared.full_name} is {wrong!r}; expected true or false"):
            declared.read(wrong)


def test_values_may_be_texts():
    assert InterLumaSettings(
        channels="8", loss="l2", control="Threshold", threshold_q8="1,2,3,4", learning_rate="1e-3", qp_plane="0"
    ) == InterLumaSettings(
        channels=8, loss=LossKind.L2, control=Control.THRESHOLD, threshold_q8=(1, 2, 3, 4), learning_rate=1e-3,
        qp_plane=False,
    )  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"channels": 24}, "inter_luma.channels is 24; expected one of 8, 16, 32"),
        ({"hidden_layers": 5}, "hidden_layers is 5; expected 1..4"),
        ({"further": 4}, "further is 4; expected 0..3"),
        ({"tile_log2": 3}, "tile_log2 is 3; expected 4..7"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0; expected 0..1"),
        ({"learning_rate": 1.5}, "learning_rate is 1.5"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"beta1": 1.0}, "beta1 is 1.0; expected a number from 0 below 1"),
        ({"epsilon": 0.0}, "epsilon is 0.0; expected a number above 0"),
        ({"control": 4}, "control is 4; expected one of always, threshold, never, signalled"),
        ({"loss": "l3"}, "loss is 'l3'; expected one of huber, l2, l1"),
        ({"experts": "best"}, "experts is 'best'; expected some of initial, online, rls, mix"),
        ({"experts": 0}, "experts is 0"),
        ({"experts": 16}, "experts is 16"),
        ({"channels": "many"}, "channels is 'many'"),
        ({"hidden_layers": 2.5}, "hidden_layers is 2.5; expected 1..4"),
        ({"hidden_layers": True}, "hidden_layers is True"),
        ({"hidden_layers": "\u0662"}, "hidden_layers is"),
        ({"learning_rate": "fast"}, "learning_rate is 'fast'"),
        ({"learning_rate": 1e300}, "learning_rate is 1e"),
        ({"threshold_q8": 3}, "threshold_q8 is 3; expected 4 whole numbers 0..16777215"),
        ({"threshold_q8": (1, 2)}, "threshold_q8 is .*; expected 4 whole numbers"),
        ({"threshold_q8": (1, 2, 3, 2**24)}, "threshold_q8 is"),
        ({"replay": 0}, "replay is 0; expected 1..8"),
    ],
)
def test_values_out_of_range(wrong, message):
    with pytest.raises(ConfigError, match=message):
        InterLumaSettings(**wrong)


def test_most_input_planes():
    assert len(InterLumaSettings(further=3, block_size="input", high_pass=True).inputs) == 8


@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "1e400", 10**400, float("nan"), None, "many", 1.5])
def test_whole_numbers(value):
    with pytest.raises(ConfigError, match=r"blocks is .*; expected 1..4095"):
        IntraSettings(blocks=value)


def test_chroma_has_no_further_predictions():
    with pytest.raises(ConfigError, match="inter_chroma.further is 1; expected 0"):
        InterChromaSettings(further=1)


@pytest.mark.parametrize("overlapped", [False, True])
@pytest.mark.parametrize("further", range(4))
def test_auxiliary_planes_are_counted(overlapped, further):
    settings = InterLumaSettings(overlapped=overlapped, further=further)
    assert len(settings.inputs) == 3 + overlapped + further  # the prediction, its high pass, the QP
    assert settings.spec.n_inputs in (len(settings.inputs), len(settings.inputs) + 1)
    assert settings.spec.n_inputs % 2 == 0


@pytest.mark.parametrize("kind", [InterLumaSettings, InterChromaSettings, IntraSettings])
def test_words_have_the_bits_that_are_declared(kind):
    for word, usual in zip(words_of(kind), pack(kind()), strict=True):
        assert 0 <= word.low <= usual <= word.high < 1 << word.declared.bits


def test_pack_and_unpack_are_inverse():
    settings = InterLumaSettings(
        channels=32, hidden_layers=1, high_pass=False, overlapped=False, further=2, qp_plane=False,
        loss=LossKind.L2, method=Method.SGD, learning_rate=0.0123, control=Control.THRESHOLD,
        threshold_q8=(1, 2, 3, 2**24 - 1), reset=Reset.AUTO,
    )  # fmt: skip
    assert unpack(InterLumaSettings, pack(settings)) == settings
    assert unpack(InterLumaSettings, USUAL) == InterLumaSettings()


@st.composite
def any_settings(draw):
    """InterLumaSettings with a random set of words changed."""
    packed = list(USUAL)
    for k in draw(st.sets(st.integers(0, len(WORDS) - 1))):
        packed[k] = draw(st.integers(WORDS[k].low, WORDS[k].high))
    try:
        return unpack(InterLumaSettings, packed)
    except ConfigError:
        assume(False)


@given(any_settings())
def test_changes_are_inverted(settings):
    values = write_changes(settings)
    assert read_changes(InterLumaSettings, values) == settings
    assert all(type(value) is int and 0 <= value < 1 << 32 for value in values)


def test_usual_settings_take_no_room():
    assert InterLumaSettings().to_stream() == ()
    assert InterLumaSettings.from_stream(()) == InterLumaSettings.from_stream((0,)) == InterLumaSettings()
    assert InterLumaSettings(channels=32, qp_plane=False).to_stream() == (0b100001, 0, 32, 0)


@pytest.mark.parametrize(
    "values",
    [
        (1, 0),  # too few values
        (1, 0, 16, 16),  # too many
        (0, 0, 5),
        (3, 0, 8),
        (0, 1 << len(WORDS) - 32, 1),  # no such word
        (0, 1 << 31, 1),
        (0xFFFFFFFF, 0xFFFFFFFF, *USUAL, *[0] * (64 - len(USUAL))),
        tuple(USUAL),  # without a mask
    ],
)
def test_masks_that_do_not_fit(values):
    with pytest.raises(ConfigError, match="do not fit the mask"):
        read_changes(InterLumaSettings, values)


@pytest.mark.parametrize("values", [(1, 0, 24), (1, 0, 64), (1 << 3, 0, 2), (1 << 4, 0, 4), (1 << 14, 0, 0x7F800000)])
def test_words_out_of_range(values):
    with pytest.raises(ConfigError):
        read_changes(InterLumaSettings, values)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=6))
def test_any_words_end_in_settings_or_a_clear_error(values):
    with contextlib.suppress(ConfigError):
        settings = read_changes(InterLumaSettings, tuple(values))
        assert read_changes(InterLumaSettings, write_changes(settings)) == settings


@given(st.lists(st.integers(0, 2**32 - 1), min_size=len(USUAL) - 1, max_size=len(USUAL)))
def test_any_numbers_end_in_settings_or_a_clear_error(values):
    with contextlib.suppress(ConfigError):
        assert pack(unpack(InterLumaSettings, values)) == values


def test_the_intra_filter_carries_what_it_needs():
    assert IntraSettings().to_stream() == (1,)
    for settings in (
        IntraSettings(inter_pictures=False),
        IntraSettings(online=True, learning_rate=3e-4, blocks=7, passes=2),
    ):
        assert IntraSettings.from_stream(settings.to_stream()) == settings
    for values in ((), (1, 1), (1, 1, 0x7FC00000, 128, 1, 4), (1, 1, 0, 0, 1, 4), (2,)):
        with pytest.raises(ConfigError):
            IntraSettings.from_stream(values)


EPOCHS, CHANNELS = find_setting("inter_luma.epochs_q2"), find_setting("inter_luma.channels")
LOSS, RATE = find_setting("inter_luma.loss"), find_setting("inter_luma.learning_rate")


def at(declared, by_qp, qp):
    return value_at(declared, read_by_qp(declared, by_qp), qp)


def test_values_by_qp():
    assert [at(EPOCHS, {22: 4, "32": 9}, qp) for qp in (20, 22, 27, 51)] == [4, 4, 7, 9]  # 6.5: halves up
    assert at(CHANNELS, {22: 8, 32: 16}, 27) == 8  # of two as near the lower QP's
    assert at(CHANNELS, {22: 8, 32: 16}, 28) == 16
    assert [at(LOSS, {22: "l1", 27: "huber"}, qp) for qp in (24, 25)] == [LossKind.L1, LossKind.HUBER]
    assert at(RATE, {27: 1e-3, 37: 2e-3}, 32) == pytest.approx(1.5e-3, rel=1e-6)
    assert at(RATE, {27: 1e-3, 37: 2e-3}, 51) == pytest.approx(2e-3, rel=1e-6)
    assert value_at(EPOCHS, 7, 30) == 7


@given(st.dictionaries(st.integers(0, 51), st.integers(0, 255), min_size=1, max_size=5), st.integers(0, 51))
def test_integers_between_two_qps_lie_between_their_values(by_qp, qp):
    found = at(EPOCHS, by_qp, qp)
    below, above = [q for q in by_qp if q <= qp], [q for q in by_qp if q >= qp]
    ends = [by_qp[max(below) if below else min(above)], by_qp[min(above) if above else max(below)]]
    assert min(ends) <= found <= max(ends) and isinstance(found, int)
    assert qp not in by_qp or found == by_qp[qp]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": 8}, r"no setting 'channels' \(did you mean 'inter_luma.channels'\?\)"),
        ({"inter_lume.channels": 8}, r"no setting 'inter_lume.channels' \(did you mean 'inter_luma'\?\)"),
        (
            {"inter_luma.chanels": 8},
            r"no setting 'inter_luma.chanels' \(did you mean 'channels'\?\); inter_",
        ),
        ({"intra.online": True}, "no setting 'intra.online'"),
        ({"inter_luma.replay": {}}, "inter_luma.replay has no values; expected values by QP"),
        ({"inter_luma.replay": {"low": 1}}, "inter_luma.replay has the key 'low'"),
        ({"inter_luma.replay": {"52": 1}}, "inter_luma.replay has the key '52'"),
        ({"search.range": {"22": 64}}, "search.range is"),
    ],
)
def test_names_and_keys_that_are_wrong(settings, message):
    with pytest.raises(ConfigError, match=message):
        read_settings(settings)


def test_settings_may_stand_in_tables():
    nested = {"search": {"range": "32"}, "inter_luma": {"replay": {"22": 1, "37": 2}}}
    flat = {"search.range": 32, "inter_luma.replay": {22: 1, 37: 2}}
    assert read_settings(nested) == read_settings(flat) == flat


def test_groups_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        SearchSettings().range = 8
    assert HevcSettings().with_changes(qp_group="8").qp_group == 8
