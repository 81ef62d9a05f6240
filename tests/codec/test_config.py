"""Settings of an encoding: what is refused, and how single ones of the search replace those of a preset."""

import dataclasses
import re

import pytest

from codecsim.codec.config import PRESETS, EncoderConfig, Preset
from codecsim.errors import ConfigError
from codecsim.experiments.encoder_options import encoder_config
from codecsim.experiments.runs import plain
from tests.conformance.clips import make_clip
from tests.conformance.runs import run_encoder

FIELDS = {field.name: field for field in dataclasses.fields(Preset)}


@pytest.mark.parametrize("preset", PRESETS)
def test_without_overrides_the_preset_rules(preset):
    assert EncoderConfig(preset=preset).search_effort == PRESETS[preset]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", FIELDS)
def test_an_override_changes_one_field(preset, name):
    own = getattr(PRESETS[preset], name)
    for value in FIELDS[name].metadata["allowed"]:
        for given in (value, str(value)):
            found = EncoderConfig(preset=preset, effort={name: given}).search_effort
            assert dataclasses.replace(found, **{name: own}) == PRESETS[preset]
            assert getattr(found, name) == value
            assert type(getattr(found, name)) is FIELDS[name].type


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_keep_to_what_is_allowed(preset):
    values = dataclasses.asdict(PRESETS[preset])
    assert EncoderConfig(effort=values).search_effort == PRESETS[preset]


def test_every_field_says_what_it_does():
    assert [
        name for name, field in FIELDS.items() if not (field.metadata.get("doc") and field.metadata["allowed"])
    ] == []


@pytest.mark.parametrize("text, value", [("false", False), ("OFF", False), ("0", False), ("True", True), ("on", True)])
def test_words_for_truth(text, value):
    assert EncoderConfig(effort={"sao": text}).search_effort.sao is value


@pytest.mark.parametrize(
    "name, value",
    [("sao", "maybe"), ("sao", 2), ("merge_rd", 0), ("merge_rd", "6"), ("merge_rd", "two"), ("merge_rd", 1.5)]
    + [("merge_rd", True), ("merge_rd", "-1"), ("merge_rd", None), ("merge_rd", "\u0662"), ("transform_depth", 3)],
)
def test_bad_values_are_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} is .*; expected "):
        EncoderConfig(effort={name: value})


def test_unknown_fields_are_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"'patience'.*merge_rd, .*sao"):
        EncoderConfig(effort={"patience": 1})


def test_command_line():
    config = encoder_config(preset="slow", effort=("sao=off", "merge_rd=4"))
    assert config.search_effort == dataclasses.replace(PRESETS["slow"], sao=False, merge_rd=4)
    assert plain(config)["effort"] == {"sao": False, "merge_rd": 4}


def test_the_encoder_obeys():
    """All fields of a preset given one by one make the stream of that preset, which differs from the other's."""
    clip = make_clip("texture", 72, 56, 3)
    slow, fast = (EncoderConfig(filter="off", preset=preset) for preset in ("slow", "fast"))
    mixed = dataclasses.replace(slow, effort=dataclasses.asdict(PRESETS["fast"]))
    first, second, third = (run_encoder(config, clip).data for config in (slow, mixed, fast))
    assert second == third != first


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"filter": "off", "learn": "always", "learning_rate": 0.1},
            "settings of the learner (control, learning_rate) are for the prediction filter, which is off",
        ),
        ({"filter": "off", "learner": ("channels=8",)}, "(channels) are for the prediction filter, which is off"),
        ({"filter": "off", "reset": "auto"}, "(reset) are for the prediction filter, which is off"),
        ({"chroma_learner": ("channels=8",)}, "learner of chroma (channels) are for the chroma filter, which is off"),
        ({"intra_learner": ("passes=2",)}, "intra prediction (passes) are for the intra filter, which is off"),
        ({"filter": "frozen", "learn": "always"}, "control is a setting of how a filter learns, but --filter frozen"),
        ({"filter": "frozen", "learner": ("control=0",)}, "control is a setting of how a filter learns"),
        ({"filter": "frozen", "learning_rate": 0.1}, "learning_rate is a setting of how a filter learns"),
        ({"chroma_filter": "frozen", "chroma_learner": ("learning_rate=0.1",)}, "but --chroma-filter frozen never"),
        ({"intra_filter": "frozen", "intra_learner": ("passes=2",)}, "but --intra-filter frozen never does"),
    ],
    ids=str,
)
def test_settings_that_nothing_would_look_at_are_refused(options, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        encoder_config(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"filter": "frozen", "learn": "never", "learner": ("channels=8", "experts=online"), "model": "untrained"},
        {"filter": "frozen", "learner": ("control=NEVER", "experts=rls"), "reset": "never"},
        {"intra_filter": "frozen", "intra_learner": ("inter_pictures=off",)},
        {"chroma_filter": "online", "chroma_learner": ("learning_rate=0.1",)},
    ],
    ids=str,
)
def test_settings_that_count_are_taken(options):
    assert encoder_config(**options)


def test_settings_of_a_preset_count_where_their_filter_is_on(tmp_path):
    preset = tmp_path / "p.toml"
    preset.write_text('[luma]\ncontrol = "threshold"\n[chroma]\nreplay = 1\n')
    assert encoder_config(learn_preset=preset, filter="off") == EncoderConfig(filter="off")
    assert encoder_config(learn_preset=preset) == EncoderConfig(learn={"control": "threshold"})
    both = EncoderConfig(chroma_filter="frozen", learn={"control": "threshold"}, chroma_learn={"replay": 1})
    assert encoder_config(learn_preset=preset, chroma_filter="frozen") == both
