"""Arms are what the command line would make of their options."""

import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.errors import ConfigError
from codecsim.experiments.arms import DEFAULT_ARM, read_arm, read_arms


def test_options_are_those_of_encode():
    arm = read_arm("thin: --preset fast --filter frozen --effort merge_rd=4 --learner channels=8 --intra-period 2")
    assert arm.name == "thin"
    assert arm.encoder_config("ldp", 27, 5) == EncoderConfig(
        "ldp", 27, 5, "fast", {"merge_rd": 4}, intra_period=2, filter="frozen", learn={"channels": "8"}
    )


def test_the_default_arm_is_standard():
    assert read_arm(DEFAULT_ARM).encoder_config("ldp", 32, 1) == EncoderConfig("ldp", 32, 1, filter="off")


def test_all_intra_arms_that_differ_in_inter_tools_only_are_one():
    tools = "--learner channels=8 --obmc --learn threshold --loss-threshold 2 --learning-rate 0.1 --reset auto"
    chroma = "--chroma-filter online --chroma-learner replay=1 --chroma-model untrained --learn-preset light-ra"
    first, second = read_arms(["off: --filter off", f"on: {tools} {chroma} --model untrained"])
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
        ("x: --effort patience=1", "arm 'x': .*patience.*merge_rd"),
        ("x: --effort merge_rd=9", "arm 'x': .*merge_rd is '9'"),
        ("x: --learner channels=9", "arm 'x': .*channels"),
        ("x: --filter off --learner channels=8", "arm 'x': .*channels.* are for the prediction filter, which is off"),
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
