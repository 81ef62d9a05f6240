"""`codecsim sweep`: what runs, what is kept, what a kill leaves, and that nothing depends on who did the work."""

import hashlib
import itertools
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

from codecsim.cli import run as codecsim
from codecsim.errors import FormatError
from codecsim.experiments.database import Database, sources_digest
from codecsim.formats.video import open_video

EXAMPLE = pathlib.Path(__file__).parents[2] / "benchmarks" / "experiments" / "bunny.toml"
HEAD = 'clips = ["*.y4m"]\nqps = [27, 37]\nframes = 2\n[common]\npreset = "fast"\n'
OFF, ON = '[arms.off]\nfilter = "off"\n', "[arms.on]\ninter_luma = {channels = 8}\n"
SAME_AS_OFF = '[arms.same]\nfilter = "off"\n'


@pytest.fixture
def write(clips, tmp_path):
    """Function that writes an experiment beside the clips and returns its path."""
    for name in "ab":
        (tmp_path / f"{name}.y4m").symlink_to(clips / f"{name}.y4m")

    def write(text, name="e"):
        path = tmp_path / f"{name}.toml"
        path.write_text(text)
        return str(path)

    return write


def rows_of(path):
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    rows = [dict(row) for row in connection.execute("SELECT rowid, * FROM runs ORDER BY rowid")]
    connection.close()
    return rows


def test_the_database_is_where_the_command_is(write, tmp_path, monkeypatch):
    """Also where the workers began in another folder."""
    path = write(HEAD.replace("27, 37", "37") + OFF)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert codecsim(["sweep", path, "-o", "runs.sqlite", "--jobs", "2", "--quiet"]) == 0
        assert len(rows_of(tmp_path / name / "runs.sqlite")) == 2


def test_runs_are_kept_and_found_again(write, tmp_path, capsys):
    path = write(HEAD + OFF + ON + SAME_AS_OFF)
    words = ["sweep", path, "--jobs", "1", "--json"]
    assert codecsim(words) == 0
    printed = capsys.readouterr()
    assert "8 runs to do, 0 already" in printed.err  # of 12: two arms are the same
    report = json.loads(printed.out)
    assert (report["experiment"], report["reference"], report["failed"]) == ("e", "off", [])
    assert list(report["arms"]) == ["off", "on", "same"] and len(report["results"]) == 12
    by_arm = {arm: [r for r in report["results"] if r["arm"] == arm] for arm in report["arms"]}
    assert [point | {"arm": "off"} for point in by_arm["same"]] == by_arm["off"]
    assert {point["stream_sha256"] for point in by_arm["on"]}.isdisjoint(p["stream_sha256"] for p in by_arm["off"])

    rows = rows_of(tmp_path / "e.sqlite")
    assert len(rows) == 8 and all(row["job_seconds"] > 0 and row["decoder_seconds"] > 0 for row in rows)
    assert codecsim(words) == 0
    again = capsys.readouterr()
    assert again.out == printed.out and "0 runs to do, 8 already" in again.err
    assert rows_of(tmp_path / "e.sqlite") == rows

    with Database(tmp_path / "e.sqlite") as kept:
        experiment = kept.experiment("e")
        assert experiment.definition == HEAD + OFF + ON + SAME_AS_OFF
        assert experiment.reference == "off" and experiment.sources == sources_digest()
        assert all(kept.find(cell.key)["qp"] == cell.qp for cell in experiment.cells)
        assert len(experiment.cells) == 12


def test_a_result_is_that_of_encode(write, tmp_path, capsys):
    assert codecsim(["sweep", write(HEAD + ON), "--jobs", "1", "--json", "--quiet"]) == 0
    point = json.loads(capsys.readouterr().out)["results"][1]
    assert (point["clip"], point["qp"]) == ("a", 37)
    words = ["--preset", "fast", "--set", "inter_luma.channels=8", "--qp", "37", "--frames", "2", "--json", "--quiet"]
    assert codecsim(["encode", str(tmp_path / "a.y4m"), "-o", str(tmp_path / "s.bin"), *words]) == 0
    result = json.loads(capsys.readouterr().out)
    with Database(tmp_path / "e.sqlite") as kept:
        pictures = json.loads(kept.find(point["key"])["result"])["pictures"]
    words = ["decode", str(tmp_path / "s.bin"), "-o", str(tmp_path / "d.y4m"), "--quiet"]
    assert codecsim(words) == 0
    with open_video(tmp_path / "d.y4m") as video:
        hashes = ["".join(hashlib.md5(plane.astype("u1").tobytes()).hexdigest() for plane in f) for f in video.frames]
    assert [picture["picture_hash"] for picture in pictures] == hashes
    assert [picture["learner_hash"] for picture in pictures] == [p["learner_hash"] for p in result["pictures"]]
    for name in ("bits", "psnr_y", "psnr_u", "psnr_v", "stream_sha256", "frames"):
        assert point[name] == result[name]


def test_a_dry_run_runs_nothing(write, tmp_path, capsys):
    path = write(HEAD + OFF + ON)
    assert codecsim(["sweep", path, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("e: 2 clips x 2 QPs x 2 arms, ldp: 8 runs, 0 already in ")
    assert "  b ldp QP 37 on, 2 pictures\n" in printed
    assert not (tmp_path / "e.sqlite").exists()
    assert codecsim(["sweep", write(HEAD + OFF, "f"), "-o", str(tmp_path / "e.sqlite"), "--jobs", "1", "--quiet"]) == 0
    capsys.readouterr()
    assert codecsim(["sweep", path, "--dry-run", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["runs"] == 8 and len(report["missing"]) == 4
    assert all(" on" in missing["run"] for missing in report["missing"])


def test_tables(write, capsys):
    text = HEAD.replace("[27, 37]", "[22, 27, 32, 37]") + OFF + '[arms.thin]\nfilter = "off"\nsearch = {sao = false}\n'
    path = write(text)
    assert codecsim(["sweep", path, "--quiet", "--jobs", "2"]) == 0
    printed = capsys.readouterr().out
    assert "**ldp, thin (`--preset fast --filter off --set search.sao=false`) against off**" in printed
    lines = [line for line in printed.splitlines() if line.startswith("| ")]
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| a", "| b", "| mean"]


def test_the_example(tmp_path, capsys):
    text = EXAMPLE.read_text().replace("frames = 17 ", "frames = 2  ").replace("[22, 27, 32, 37]", "[32, 37]")
    (tmp_path / "bunny.toml").write_text(text)
    assert codecsim(["sweep", str(tmp_path / "bunny.toml"), "--jobs", "1"]) == 0
    printed = capsys.readouterr()
    assert (
        "6 runs to do" in printed.err and "**ldp, obmc (`--preset fast --filter off --obmc`) against off" in printed.out
    )


def test_a_failed_run_is_told_and_ends_no_other(write, tmp_path, capsys):
    path = write(HEAD.replace("frames = 2\n", "") + OFF)
    (tmp_path / "b.y4m").unlink()
    whole = (tmp_path / "a.y4m").read_bytes()
    (tmp_path / "b.y4m").write_bytes(whole[:-10])
    assert codecsim(["sweep", path, "--jobs", "1", "--json", "--quiet"]) == 1
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert [point["clip"] for point in report["results"]] == ["a", "a"]
    assert len(report["failed"]) == 2 and "b.y4m" in report["failed"][0]["error"]
    assert printed.err.count("codecsim: error: b ldp QP ") == 2


@pytest.fixture
def locked(monkeypatch):
    """Numbers of the calls, from 1, of a method of the database that find it locked."""

    def lock(method, calls):
        add, count = getattr(Database, method), itertools.count(1)

        def add_or_fail(self, *arguments):
            if next(count) in calls:
                raise FormatError("database is locked")
            add(self, *arguments)

        monkeypatch.setattr(Database, method, add_or_fail)

    return lock


def test_a_run_that_cannot_be_kept_ends_no_other(write, tmp_path, capsys, locked):
    """The second run, neither by the worker nor by the campaign; the third one only by the worker."""
    path = write(HEAD + OFF)
    locked("add", (2, 3, 4))
    assert codecsim(["sweep", path, "--jobs", "1", "--json", "--quiet"]) == 1
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert len(report["results"]) == 3
    assert [failed["error"] for failed in report["failed"]] == ["done, but not kept: database is locked"]
    assert printed.err.count("\n") == 1 and report["failed"][0]["run"] in printed.err
    assert codecsim(["sweep", path, "--jobs", "1", "--json"]) == 0
    printed = capsys.readouterr()
    assert "1 runs to do, 3 already" in printed.err and len(json.loads(printed.out)["results"]) == 4


@pytest.mark.parametrize(("calls", "failed"), [((1,), 0), ((1, 3), 1)])
def test_pieces_that_cannot_be_joined_at_once(write, capsys, locked, calls, failed):
    """The first run, when its last piece is done; and again at the end."""
    path = write(HEAD.replace("[27, 37]", "[37]") + "intra_period = 1\n" + OFF)
    words = ["sweep", path, "--jobs", "1", "--segments", "2", "--json"]
    locked("add", calls)
    assert codecsim(words) == min(failed, 1)
    report = json.loads(capsys.readouterr().out)
    assert (len(report["results"]), len(report["failed"])) == (2 - failed, failed)
    assert codecsim(words) == 0
    printed = capsys.readouterr()
    assert "0 runs to do" in printed.err and len(json.loads(printed.out)["results"]) == 2


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        (HEAD + OFF, ["--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"], "--jobs is for this machine"),
        (HEAD + OFF, ["--segments", "2"], "no run can be coded in pieces: there is no IDR picture but the first"),
        ('configs = ["ra"]\n' + HEAD + OFF, ["--segments", "2"], "ra has open groups of pictures"),
        ("clips = 1\n" + OFF, [], "line 1: clips is 1"),
    ],
)
def test_wrong_usage(write, tmp_path, capsys, text, words, message):
    assert codecsim(["sweep", write(text), *words]) == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith("codecsim: error: ") and error.count("\n") == 1
    assert not (tmp_path / "e.sqlite").exists()


def test_the_database_must_be_one(write, tmp_path, capsys):
    (tmp_path / "e.sqlite").write_text("something else, long enough to look at" * 10)
    assert codecsim(["sweep", write(HEAD + OFF)]) == 1
    assert "is no database of runs" in capsys.readouterr().err


def test_killed_it_loses_only_what_ran(write, tmp_path):
    """At any moment: the file stays whole, what was done is not done again, and the end is the same."""
    path = write(HEAD.replace("[27, 37]", f"{list(range(22, 38))}") + OFF)
    database = tmp_path / "e.sqlite"
    words = [sys.executable, "-m", "codecsim", "sweep", path, "--jobs", "2"]
    before = []
    for least, kill in ((1, os.kill), (12, os.killpg)):  # the process alone, whose workers end by themselves; all
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        deadline = time.monotonic() + 600  # kernels may have to be compiled
        while count_of(database) < least:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.002)
        kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)  # ends when the workers, which hold the pipes, have
        check = sqlite3.connect(database)
        assert check.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        check.close()
        rows = rows_of(database)
        assert least <= len(rows) < 32 and rows[: len(before)] == before
        before = rows
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert f"{32 - len(before)} runs to do, {len(before)} already" in done.stderr
    assert len(rows_of(database)) == 32 and rows_of(database)[: len(before)] == before


def count_of(database):
    """Rows of a database that another process may be making."""
    try:
        return len(rows_of(database)) if database.exists() else 0
    except sqlite3.OperationalError:
        return 0
