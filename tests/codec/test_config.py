"""Settings of an encoding: what is refused, and how single ones of the search replace those of a preset."""

import dataclasses
import re

import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.codec.presets import PRESETS, SearchSettings
from codecsim.errors import ConfigError
from codecsim.experiments.encoder_options import options_of
from codecsim.experiments.runs import plain
from tests.conformance.clips import make_clip
from tests.conformance.runs import run_encoder

DECLARED = {declared.name: declared for declared in SearchSettings.declared()}


@pytest.mark.parametrize("preset", PRESETS)
def test_without_overrides_the_preset_rules(preset):
    assert EncoderConfig(preset=preset).search == PRESETS[preset]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("name", DECLARED)
def test_an_override_changes_one_field(preset, name):
    declared, own = DECLARED[name], getattr(PRESETS[preset], name)
    values = declared.allowed or ((False, True) if declared.kind is bool else range(declared.low, declared.high + 1))
    for value in values:
        for given in (value, str(value)):
            found = EncoderConfig(preset=preset, settings={"search": {name: given}}).search
            assert dataclasses.replace(found, **{name: own}) == PRESETS[preset]
            assert getattr(found, name) == value
            assert type(getattr(found, name)) is declared.kind


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_keep_to_what_is_allowed(preset):
    values = dataclasses.asdict(PRESETS[preset])
    assert EncoderConfig(settings={"search": values}).search == PRESETS[preset]


@pytest.mark.parametrize("text, value", [("false", False), ("OFF", False), ("0", False), ("True", True), ("on", True)])
def test_words_for_truth(text, value):
    assert EncoderConfig(settings={"search": {"sao": text}}).search.sao is value


@pytest.mark.parametrize(
    "name, value",
    [("sao", "maybe"), ("sao", 2), ("merge_rd", 0), ("merge_rd", "6"), ("merge_rd", "two"), ("merge_rd", 1.5)]
    + [("merge_rd", True), ("merge_rd", "-1"), ("merge_rd", None), ("merge_rd", "\u0662"), ("transform_depth", 3)],
)
def test_bad_values_are_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} is .*; expected "):
        EncoderConfig(settings={"search": {name: value}})


def test_unknown_fields_are_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"'search.patience'; search has merge_rd, .*sao"):
        EncoderConfig(settings={"search": {"patience": 1}})


def test_command_line():
    config = options_of(("search.sao=off", "search.merge_rd=4"), preset="slow").config()
    assert config.search == dataclasses.replace(PRESETS["slow"], sao=False, merge_rd=4)
    assert plain(config)["settings"] == {"search.merge_rd": 4, "search.sao": False}


def test_the_encoder_obeys():
    """All fields of a preset given one by one make the stream of that preset, which differs from the other's."""
    clip = make_clip("texture", 72, 56, 3)
    slow, fast = (EncoderConfig(filter="off", preset=preset) for preset in ("slow", "fast"))
    mixed = dataclasses.replace(slow, settings={"search": dataclasses.asdict(PRESETS["fast"])})
    first, second, third = (run_encoder(config, clip).data for config in (slow, mixed, fast))
    assert second == third != first


@pytest.mark.parametrize(
    ("settings", "modes", "message"),
    [
        (
            {"inter_luma.channels": 8},
            {"filter": "off"},
            "inter_luma.channels is a setting of the prediction filter, which",
        ),
        ({"inter_chroma.channels": 8}, {}, "inter_chroma.channels is a setting of the chroma filter, which is off"),
        ({"intra.passes": 2}, {}, "intra.passes is a setting of the intra filter, which is off (--intra-filter)"),
        (
            {"inter_luma.control": "always"},
            {"filter": "frozen"},
            "inter_luma.control is a setting of how a filter learns",
        ),
        ({"inter_luma.learning_rate": 0.1}, {"filter": "frozen"}, "but --filter frozen never does"),
        ({"inter_chroma.learning_rate": 0.1}, {"chroma_filter": "frozen"}, "but --chroma-filter frozen never does"),
        ({"intra.passes": 2}, {"intra_filter": "frozen"}, "but --intra-filter frozen never does"),
        (
            {},
            {"filter": "off", "chroma_filter": "online"},
            "the chroma filter goes with the prediction filter, which is",
        ),
        ({}, {"oracle": "original", "filter": "frozen"}, "oracle 'original' needs the prediction filter online"),
        ({}, {"oracle": "weights", "config": "ai"}, "needs the prediction filter on, in pictures between others"),
        ({}, {"intra_period": 12, "config": "ra"}, "intra_period is 12; in ra expected a multiple of 8"),
    ],
    ids=str,
)
def test_settings_that_nothing_would_look_at_are_refused(settings, modes, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        EncoderConfig(**modes, settings=settings)


@pytest.mark.parametrize(
    ("settings", "modes"),
    [
        ({"control": "never", "channels": 8, "experts": "online", "model": "untrained"}, {"filter": "frozen"}),
        ({"control": "NEVER", "experts": "rls", "reset": "never"}, {"filter": "frozen"}),
        ({}, {"chroma_filter": "online"}),
    ],
    ids=str,
)
def test_settings_that_count_are_taken(settings, modes):
    assert EncoderConfig(**modes, settings={"inter_luma": settings})
