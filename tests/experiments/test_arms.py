"""Arms are what the command line would make of their options."""

import shlex

import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.errors import ConfigError
from codecsim.experiments.arms import DEFAULT_ARM, read_arm, read_arms


def test_options_are_those_of_encode():
    options = "--preset fast --filter frozen --set search.merge_rd=4 --set inter_luma.channels=8 --intra-period 2"
    arm = read_arm(f"thin: {options}")
    assert arm.name == "thin"
    settings = {"search.merge_rd": 4, "inter_luma.channels": 8}
    assert arm.encoder_config("ldp", 27, 5) == EncoderConfig(
        "ldp", 27, 5, "fast", intra_period=2, filter="frozen", settings=settings
    )
    assert read_arm(f"thin: {' '.join(arm.given.words())}").given == arm.given


def test_values_by_qp():
    arm = read_arm("x: --set 'inter_luma.epochs_q2=22:4 37:12'")
    assert arm.given.settings == {"inter_luma.epochs_q2": {22: 4, 37: 12}}
    assert read_arm(f"x: {shlex.join(arm.given.words())}").given == arm.given


def test_the_default_arm_is_standard():
    assert read_arm(DEFAULT_ARM).encoder_config("ldp", 32, 1) == EncoderConfig("ldp", 32, 1, filter="off")


def test_all_intra_arms_that_differ_in_inter_tools_only_are_one():
    luma = "channels=8 control=threshold threshold_q8=2,2,2,2 learning_rate=0.1 reset=auto model=untrained"
    tools = " ".join(f"--set inter_luma.{pair}" for pair in luma.split())
    chroma = "--obmc --chroma-filter online --set inter_chroma.replay=1 --settings light-ra"
    first, second = read_arms(["off: --filter off", f"on: {tools} {chroma}"])
    assert first.encoder_config("ai", 32, 1) == second.encoder_config("ai", 32, 1)
    assert first.encoder_config("ldp", 32, 1) != second.encoder_config("ldp", 32, 1)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "expected NAME: OPTIONS"),
        ("--filter off", "expected NAME: OPTIONS"),
        ("two words: --filter off", "expected NAME: OPTIONS"),
        ("x: --no-such-option", "arm 'x': .*no-such-option"),
        ("x: --filter maybe", "arm 'x': .*maybe"),
        ("x: --set search.patience=1", "arm 'x': .*patience.*merge_rd"),
        ("x: --set search.merge_rd=9", "arm 'x': search.merge_rd is '9'; expected 1..5"),
        ("x: --set inter_luma.channels=9", "arm 'x': .*channels"),
        (
            "x: --filter off --set inter_luma.channels=8",
            "arm 'x': .*channels is a setting of the prediction filter, which is off",
        ),
        ("x: clip.y4m", "arm 'x': .*clip.y4m"),
        ("x: --model 'open", "arm 'x': "),
        ("x: --qp 3", "arm 'x': qp cannot"),
        ("x: --config ai", "arm 'x': config cannot"),
        ("x: --frames 3", "arm 'x': frames cannot"),
        ("x: -o other", "arm 'x': .*-o"),
        ("x: --recon r.y4m", "arm 'x': .*--recon"),
        ("x: --json", "arm 'x': .*--json"),
        ("x: --help", "arm 'x': .*--help"),
    ],
)
def test_bad_arms_are_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        read_arm(text)


def test_names_must_differ():
    with pytest.raises(ConfigError, match="name 'a'"):
        read_arms(["a: --filter off", "a: --filter online"])
