"""benchmarks/learned.py: its arms are options that exist, and its tables hold what the runs gave."""

import learned
import pytest


def test_arms_can_be_read():
    for config in learned.ARMS:
        names = [arm.name for arm in learned.read_arms(learned.wanted_arms(config, None))]
        assert names[0] == "off" and "loop" in names
        goals = {name for goal in learned.GOALS if goal.config == config for name in (goal.arm, goal.against)}
        assert goals <= {text.split(":")[0] for text in learned.ARMS[config]}


def test_a_small_campaign(clips, tmp_path, capsys):
    table = tmp_path / "table.md"
    words = [
        "--clips",
        str(clips),
        "--clip",
        "a",
        "--config",
        "ldp",
        "--frames",
        "2",
        "--arm",
        "obmc",
        "--arm",
        "loop",
        "-j",
        "1",
    ]
    arguments = learned.parse([*words, "--database", str(tmp_path / "runs.sqlite"), "--output", str(table)])
    assert learned.campaign(arguments) == 0
    text = table.read_text()
    assert "| obmc |" in text and "| loop |" in text and "**ldp: means**" in text
    capsys.readouterr()


@pytest.mark.parametrize(("value", "told"), [(-9.5, "reached"), (-7.25, "short by 1.75")])
def test_verdicts(value, told):
    assert learned._verdict(value, learned.GOALS[0]) == told
