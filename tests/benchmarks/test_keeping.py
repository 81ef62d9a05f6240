"""What benchmarks keep, where, and what wrong words give: kept tables are replaced on request only, and whole."""

import argparse
import re
import subprocess
import sys

import history
import learned
import measuring
import presets
import pytest

from codecsim.errors import ConfigError, FormatError
from tests.benchmarks.conftest import BENCHMARKS

RESULTS = BENCHMARKS / "results"
HISTORY = str(RESULTS / "history.jsonl")


@pytest.mark.parametrize(
    ("name", "words", "table"),
    [
        ("host", ["--keep", "--frames", "9"], RESULTS / "host.md"),
        ("host", ["--frames", "9", "--keep=my_tool"], RESULTS / "my_tool.md"),
        ("cold-start", ["--keep"], RESULTS / "cold_start.md"),
        ("learned", ["--keep"], BENCHMARKS / "learned.md"),
    ],
)
def test_kept_on_request(suite, name, words, table):
    rest = [word for word in words if not word.startswith("--keep")]
    assert suite.kept_options(name, words) == [*rest, "--output", str(table), "--history", HISTORY]


def test_else_nothing_is_kept(suite):
    words = ["--clips", "FOLDER", "--frames", "17"]
    assert suite.kept_options("host", words) == words
    assert presets.parse([]).output is None and presets.parse([]).history is None


def test_other_files_win(suite):
    assert suite.kept_options("speed", ["--keep", "--history=h"])[:2] == ["--history=h", "--output"]
    given = ["--output", "t.md", "--history", "h"]
    assert suite.kept_options("speed", ["--keep", *given]) == given


@pytest.mark.parametrize("table", ["", "../host", "a/b", "host.md"])
def test_a_table_is_a_name(suite, table):
    with pytest.raises(ValueError, match="expected the name of a table"):
        suite.kept_options("host", [f"--keep={table}"])
    assert suite.main(["host", f"--keep={table}"]) == 2


def test_an_interrupted_benchmark_leaves_the_old_table(tmp_path, capsys):
    (tmp_path / "t.md").write_text("old")
    arguments = argparse.Namespace(output=str(tmp_path / "t.md"), history=str(tmp_path / "h.jsonl"))

    def interrupted(arguments, error=KeyboardInterrupt):
        report = measuring.Report(arguments, "title")
        report.table("new", ("a",), [(1,)])
        report.keep("a clip", "s", "lower", {"figure": 1.0})
        if error:
            raise error
        report.save()
        return 0

    assert measuring.guarded(interrupted, arguments) == 130
    assert (tmp_path / "t.md").read_text() == "old" and not (tmp_path / "h.jsonl").exists()
    printed = capsys.readouterr().out
    assert measuring.guarded(lambda arguments: interrupted(arguments, None), arguments) == 0
    assert (tmp_path / "t.md").read_text() == printed == capsys.readouterr().out
    assert len(history.read(tmp_path / "h.jsonl")) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["h.jsonl", "t.md"]


def told(script, *words):
    """Exit status and the last line of standard error of a script, which prints nothing."""
    command = [sys.executable, str(BENCHMARKS / script), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "" and "Traceback" not in done.stderr
    return done.returncode, done.stderr.splitlines()[-1]


def test_files_that_cannot_be_written_are_refused_before_anything_runs(tmp_path):
    for script, option in (("memory.py", "--output"), ("cold_start.py", "--history"), ("kernels.py", "--output")):
        status, line = told(script, option, str(tmp_path / "none" / "t.md"))
        assert status == 2 and re.search(
            rf"error: argument {option}: .*t.md: cannot be written, there is no folder", line
        )


def test_wrong_words_are_one_line(tmp_path):
    assert told("history.py", "--history", str(tmp_path / "none")) == (
        1,
        f"history: error: {tmp_path / 'none'}: cannot be read (No such file or directory)",
    )
    status, line = told("history.py", "[")
    assert status == 2 and "argument pattern: '[' is no regular expression" in line
    assert told("memory.py", "--qp", "77")[1].startswith("memory: error: qp is 77; expected 0..51")
    assert told("memory.py", "--short", "0")[0] == 2
    assert told("cold_start.py", "--repeat", "0")[0] == 2


def test_unknown_arms_are_refused(clips, tmp_path):
    words = ["--clips", str(clips), "--clip", "a", "--database", str(tmp_path / "runs.sqlite")]
    arguments = learned.parse([*words, "--config", "ra", "--arm", "frozen", "--arm", "obmc"])
    with pytest.raises(ConfigError, match="--arm obmc: no such arm in ra; there are off, frozen, online, "):
        learned.campaign(arguments)
    assert not (tmp_path / "runs.sqlite").exists()
    learned.check_arms(["ldp", "ra"], ["obmc"])  # one of them has it


def test_an_output_is_checked_as_it_would_be_written(tmp_path):
    with pytest.raises(argparse.ArgumentTypeError, match="is a folder"):
        measuring.output_file(str(tmp_path))
    assert measuring.output_file(str(tmp_path / "t.md")) == str(tmp_path / "t.md")
    assert not (tmp_path / "t.md").exists()
    arguments = argparse.Namespace(output=str(tmp_path), history=None)
    with pytest.raises(FormatError, match="is a folder"):
        measuring.Report(arguments, "title").save()
