"""Figures over time, and the one command that runs and keeps them."""

import argparse
import json
import re
import subprocess
import sys

import history
import measuring
import pytest

from codecsim.errors import FormatError
from codecsim.experiments.database import sources_digest
from tests.benchmarks.conftest import BENCHMARKS


def kept(path, *values, **changes):
    """A history with a figure measured several times."""
    for value in values:
        history.keep(path, [{"figure": "f", "of": "clip", "value": value, "unit": "s", "better": "lower"} | changes])
    return path


def test_each_line_says_what_measured_it_and_where(tmp_path):
    report = measuring.Report(argparse.Namespace(output=str(tmp_path / "t.md"), history=tmp_path / "h.jsonl"), "Title")
    report.keep("a clip", "pictures/s", "higher", {"speed": 12.5, "not measured": None})
    report.keep("a clip", "MB", "lower", {"memory": 300})
    report.save()
    lines = [json.loads(line) for line in (tmp_path / "h.jsonl").read_text().splitlines()]
    assert [(line["figure"], line["value"], line["unit"], line["better"]) for line in lines] == [
        ("speed", 12.5, "pictures/s", "higher"),
        ("memory", 300, "MB", "lower"),
    ]
    for line in lines:
        assert line["of"] == "a clip" and line["sources"] == sources_digest() and line["date"][:3] == "202"
        assert all(line[name] for name in ("version", "machine", "system", "software"))
    text = (tmp_path / "t.md").read_text()
    for name in ("version", "sources", "machine", "system", "software"):
        assert lines[0][name] in text
    if lines[0]["commit"]:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=BENCHMARKS, capture_output=True, text=True, check=True)
        assert head.stdout.startswith(lines[0]["commit"]) and lines[0]["changed"] in (True, False)
        assert lines[0]["commit"] in text


def test_outside_a_checkout_there_is_no_commit(monkeypatch, tmp_path):
    monkeypatch.setattr(history, "HERE", tmp_path / "benchmarks")
    history.provenance.cache_clear()
    found = history.provenance()
    history.provenance.cache_clear()
    assert (found["commit"], found["changed"]) == (None, None)
    assert "no commit" in history.described(found)


@pytest.mark.parametrize(
    ("values", "changes", "ratio", "worse"),
    [
        ([2.0], {}, None, False),
        ([2.0, 2.2], {}, 1.1, False),
        ([2.0, 2.4], {}, 1.2, True),
        ([2.0, 1.0], {}, 0.5, False),
        ([20.0, 16.0], {"better": "higher", "unit": "pictures/s"}, 1.25, True),
        ([20.0, 25.0], {"better": "higher", "unit": "pictures/s"}, 0.8, False),
        ([300, 318], {"unit": "MB"}, 1.06, True),
        ([-20.0, -19.0], {"unit": history.BD_RATE}, 81 / 80, True),
        ([-20.0, -19.8], {"unit": history.BD_RATE}, 80.2 / 80, False),
        ([99.0, 1, 3, 2, 2, 2, 3.0], {}, 1.5, True),  # the median of the last five before it
        ([0.0, 1.0], {}, None, False),
    ],
)
def test_worsening(tmp_path, values, changes, ratio, worse):
    (measured,) = history.series(history.read(kept(tmp_path / "h", *values, **changes))).values()
    assert history.worsening(measured) == (ratio if ratio is None else pytest.approx(ratio))
    assert history.is_worse(measured) == worse
    if ratio:
        assert history.is_worse(measured, limit=ratio * 1.01) is False
        assert history.is_worse(measured, limit=ratio * 0.99) is True


def test_machines_are_kept_apart_but_for_rates(tmp_path, monkeypatch):
    for unit, groups in (("s", 2), (history.BD_RATE, 1)):
        path = kept(tmp_path / unit, 1.0, unit=unit)
        other = history.provenance() | {"machine": "another"}
        with monkeypatch.context() as changed:
            changed.setattr(history, "provenance", lambda other=other: other)
            kept(path, 5.0, unit=unit)
        assert len(history.series(history.read(path))) == groups


def test_the_history_is_shown_and_checked(tmp_path, capsys):
    path = kept(tmp_path / "h", 1.0, 1.0, 2.0)
    kept(path, 5.0, figure="other")
    words = ["--history", str(path)]
    assert history.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:4]] == ["| f", "| other"]
    assert "2 s | 2.000 x **worse** |" in lines[2] and "first" in lines[3]
    assert lines[-1] == "1 figures have become worse."
    assert history.main([*words, "--check"]) == 1
    assert history.main([*words, "--check", "--limit", "3"]) == 0
    capsys.readouterr()
    assert history.main([*words, "^f", "--all"]) == 0
    assert capsys.readouterr().out.count("\n| f |") == 3


@pytest.mark.parametrize("line", ["", "{", "[]", '{"figure": "f"}'])
def test_other_lines_are_refused(tmp_path, line):
    path = kept(tmp_path / "h", 1.0)
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(FormatError, match="h, line 2: is no figure"):
        history.read(path)
    with pytest.raises(FormatError, match="cannot be read"):
        history.read(tmp_path / "none")


def run_suite(*words):
    command = [sys.executable, "-m", "benchmarks", *words]
    return subprocess.run(command, cwd=BENCHMARKS.parent, capture_output=True, text=True, check=False)


def test_all_benchmarks_are_listed_and_others_refused():
    listed = run_suite()
    assert listed.returncode == 0
    for name in ("kernels", "speed", "memory", "cold-start", "host", "learned", "history"):
        assert f"\n  {name} " in listed.stdout
    wrong = run_suite("everything")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("benchmarks: error: no 'everything'; there are kernels, ")


def test_a_benchmark_keeps_its_table_and_figures(clips, tmp_path):
    kept_in = ["--output", str(tmp_path / "t.md"), "--history", str(tmp_path / "h.jsonl")]
    words = ["--clips", str(clips), "--config", "ai", "--qp", "22", "27", "32", "37", "-j", "1", "--frames", "1"]
    arms = [
        "--arm",
        "a: --filter off --preset fast",
        "--arm",
        "b: --filter off --preset fast --set hevc.transform_skip=false",
    ]
    done = run_suite("host", *words, *arms, *kept_in, "--database", str(tmp_path / "rd.sqlite"))
    assert done.returncode == 0, done.stderr
    assert "against a**" in (tmp_path / "t.md").read_text()
    figures = history.read(tmp_path / "h.jsonl")
    names = [figure["figure"] for figure in figures]
    assert names and all(re.fullmatch(r"rate, ai, b \(`.*`\) against a, [YUV]", name) for name in names)
    assert {figure["of"] for figure in figures} == {"a, b; 1 pictures; QP 22 27 32 37"}
    assert {figure["unit"] for figure in figures} == {history.BD_RATE}


def test_every_script_takes_both_options_keeps_what_it_found_and_tells_errors(suite):
    for name, script in suite.SCRIPTS.items():
        text = (BENCHMARKS / script).read_text()
        assert "output_option" in text or "campaign_options" in text, name
        assert re.search(r"\b(report|out)\.save\(\)", text) and re.search(r"\.keep\(|keep_rates\(", text), name
        assert "sys.exit(measuring.guarded(" in text, name
        assert suite.first_line(BENCHMARKS / script)
