import shlex

import click
import pytest

from codecsim.cli import COMMANDS, group, run


def test_all_commands_are_listed(capsys):
    assert run(["--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(f" {name} {line}" in text for name, line in COMMANDS.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_an_example_that_parses(name, capsys):
    assert run([name, "--help"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    (example,) = (line.removeprefix("Example: codecsim ") for line in lines if line.startswith("Example: codecsim "))
    words = shlex.split(example.split(" > ")[0])
    command = group.get_command(None, words[0])
    with click.Context(command) as context:
        command.parse_args(context, words[1:])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["transcode"],
        ["encode"],
        ["encode", "a.y4m"],
        ["encode", "a.y4m", "-o", "x", "--qp", "52"],
        ["encode", "a.y4m", "-o", "x", "--qp", "-1"],
        ["encode", "a.y4m", "-o", "x", "--config", "best"],
        ["encode", "a.y4m", "-o", "x", "--frames", "0"],
        ["encode", "a.y4m", "-o", "x", "--config", "ra", "--intra-period", "12"],
        ["encode", "a.y4m", "-o", "x", "--threads", "257"],
        ["encode", "a.y4m", "-o", "x", "--size", "352"],
        ["encode", "a.y4m", "-o", "x", "--fps", "1/0"],
        ["encode", "a.y4m", "-o", "x", "--bit-depth", "12"],
        ["encode", "a.y4m", "-o", "x", "--set", "hevc.internal_bit_depth=9"],
        ["encode", "a.y4m", "-o", "-", "--json"],
        ["encode", "a.y4m", "-o", "x", "--set", "channels=8"],
        ["encode", "a.y4m", "-o", "x", "--settings", "none"],
        ["settings", "inter_lume"],
        ["encode", "a.y4m", "-o", "x", "--model", "none/such"],
        ["encode", "a.y4m", "-o", "x", "--set", "inter_luma.learning_rate=-1"],
        ["decode", "a.bin", "-o", "-", "--json"],
        ["decode", "a.bin", "-o", "x", "--bit-depth", "16"],
        ["trace"],
        ["trace", "--diff", "a.bin"],
        ["trace", "--diff", "a.bin", "b.bin", "--blocks", "c.csv"],
        ["trace", "a.bin", "--source", "a.y4m"],
        ["trace", "a.bin", "--summary", "--blocks", "c.csv"],
        ["trace", "--diff", "a.bin", "b.bin", "-o", "t"],
        ["trace", "a.bin", "--summary", "-o", "t"],
        ["trace", "a.bin", "--blocks", "c.csv", "-o", "t"],
        ["trace", "a.bin", "--blocks", "c.csv", "--json"],
        ["encode", "a.y4m", "-o", "x", "--trace", "-", "--json"],
        ["compare", "a.json"],
        ["demo", "--frames", "0"],
    ],
)
def test_wrong_usage_is_status_2_and_one_line(arguments, capsys):
    assert run(arguments) == 2
    captured = capsys.readouterr()
    if arguments:
        assert captured.out == ""
        assert captured.err.startswith("codecsim: error: ")
        assert captured.err.count("\n") == 1


def test_help_of_encode_says_what_differs_in_random_access(capsys):
    assert run(["encode", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "--intra-period N An intra picture every N. 0: only the first. In ra a multiple of 8, 32 if not" in text
    assert "--size WxH" in text
