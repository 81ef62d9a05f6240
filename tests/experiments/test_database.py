"""The database of runs: what it refuses, what it brings up to date, and experiments in it."""

import sqlite3

import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.errors import ConfigError, FormatError
from codecsim.experiments import database
from codecsim.experiments.clips import Clip
from codecsim.experiments.database import Cell, Database, Experiment
from codecsim.experiments.work import Done

# As the file was before it knew experiments.
VERSION_1 = """
CREATE TABLE versions (sources TEXT PRIMARY KEY, version TEXT NOT NULL, label TEXT UNIQUE, date TEXT NOT NULL);
CREATE TABLE runs (
    key TEXT PRIMARY KEY, sources TEXT NOT NULL REFERENCES versions, options TEXT NOT NULL, settings TEXT NOT NULL,
    config TEXT NOT NULL, qp INTEGER NOT NULL, clip TEXT NOT NULL, clip_sha256 TEXT NOT NULL,
    frames_asked INTEGER NOT NULL, frames INTEGER NOT NULL, bits INTEGER NOT NULL, hash_bits INTEGER NOT NULL,
    psnr_y REAL NOT NULL, psnr_u REAL NOT NULL, psnr_v REAL NOT NULL, encoder_seconds REAL NOT NULL,
    decoder_seconds REAL, machine TEXT NOT NULL, software TEXT NOT NULL, date TEXT NOT NULL, result TEXT NOT NULL
);
CREATE INDEX runs_by_content ON runs (clip_sha256, config, frames_asked, settings);
INSERT INTO versions VALUES ('abc', '0.1', 'before', '2026-01-01');
INSERT INTO runs VALUES ('k', 'abc', '{}', '{}', 'ldp', 32, 'a', '01', 2, 2, 800, 80, 30.0, 40.0, 41.0, 1.5, 0.5,
    'm', 's', 'd', '{"bits": 800}');
PRAGMA user_version = 1;
"""
CELLS = (Cell("off", "ldp", "a", "01", 32, 2, "k"), Cell("on", "ldp", "a", "01", 32, 2, "other"))
EXPERIMENT = Experiment("e", 'clips = ["a"]', "off", {"off": "--filter off", "on": ""}, CELLS, "abc")


def columns(path):
    """Columns by table."""
    connection = sqlite3.connect(path)
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {table: [row[1:4] for row in connection.execute(f"PRAGMA table_info({table})")] for table in tables}
    connection.close()
    return found


def test_another_file_is_no_database(tmp_path):
    path = tmp_path / "runs.sqlite"
    path.write_text("something else, long enough to look at" * 10)
    with pytest.raises(FormatError, match="is no database of runs"):
        Database(path)
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(FormatError, match="version 99, expected"):
        Database(path)


def test_a_file_of_version_1_is_brought_up_to_date(tmp_path):
    connection = sqlite3.connect(tmp_path / "old.sqlite")
    connection.executescript(VERSION_1)
    connection.close()
    for _ in range(2):
        with Database(tmp_path / "old.sqlite") as kept:
            row = kept.find("k", decoded=True)
            assert (row["bits"], row["stream_sha256"], row["job_seconds"]) == (800, None, None)
            assert kept.find("k", metrics=["ssim"]) is None
            assert kept.version("before") == "abc" and kept.experiments() == []
    with Database(tmp_path / "new.sqlite"):
        assert columns(tmp_path / "old.sqlite") == columns(tmp_path / "new.sqlite")


def test_experiments_are_found_as_they_were_kept(tmp_path):
    with Database(tmp_path / "runs.sqlite") as kept:
        kept.add_version("abc")
        kept.add_experiment(EXPERIMENT)
    with Database(tmp_path / "runs.sqlite") as kept:
        assert kept.experiment("e") == EXPERIMENT
        with pytest.raises(ConfigError, match="no experiment 'f'; there are: e"):
            kept.experiment("f")


def test_an_experiment_of_the_same_name_takes_the_place_of_the_old(tmp_path):
    changed = Experiment("e", "", "on", {"on": ""}, CELLS[1:], "abc")
    with Database(tmp_path / "runs.sqlite") as kept:
        kept.add_experiment(EXPERIMENT)
        kept.add_experiment(Experiment("f", "", "off", {"off": ""}, CELLS[:1], "abc"))
        kept.add_experiment(changed)
        assert kept.experiment("e") == changed
        assert sorted(kept.experiments()) == ["e", "f"]
        twice = Experiment("e", "", "off", {"off": ""}, CELLS[:1] * 2, "abc")
        with pytest.raises(sqlite3.IntegrityError):
            kept.add_experiment(twice)
        assert kept.experiment("e") == changed


OPERATIONS = {
    "open": lambda kept, path: Database(path),
    "add_version": lambda kept, path: kept.add_version("new", "label"),
    "add_experiment": lambda kept, path: kept.add_experiment(EXPERIMENT),
    "add_piece": lambda kept, path: kept.add_piece("k", (0, 1), Done({}, None, 1.0, "m", "s", b"stream")),
    "add": lambda kept, path: kept.add("k", CLIP, EncoderConfig(frames=2), "abc", DONE),
    "find": lambda kept, path: kept.find("k"),
    "pieces": lambda kept, path: kept.pieces("k"),
    "experiment": lambda kept, path: kept.experiment("e"),
}
READS = ("open", "find", "pieces", "experiment")
CLIP = Clip("a", "a.y4m", 64, 64, 2, "01")
RESULT = {
    "frames": 2,
    "bits": 6,
    "hash_bits": 2,
    "file_bits": 8,
    "psnr_y": 1.0,
    "psnr_u": 1.0,
    "psnr_v": 1.0,
    "cpu_seconds": 1.0,
    "pictures": [],
}
DONE = Done(RESULT, None, 1.0, "m", "s")


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """A database that waits for others 10 ms only."""
    monkeypatch.setattr(database, "LOCK_SECONDS", 0.01)
    with Database(tmp_path / "runs.sqlite") as kept:
        yield kept


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_file_that_stays_locked(kept, tmp_path, name):
    other = sqlite3.connect(tmp_path / "runs.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(FormatError, match="runs.sqlite: the database of runs cannot be used .database is locked"):
        OPERATIONS[name](kept, tmp_path / "runs.sqlite")
    other.close()
    kept.add_experiment(EXPERIMENT)
    OPERATIONS[name](kept, tmp_path / "runs.sqlite")  # nothing is left open


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in READS])
def test_a_file_that_may_not_be_written(kept, tmp_path, name):
    kept._connection.execute("PRAGMA query_only = 1")
    with pytest.raises(FormatError, match="cannot be used .attempt to write a readonly database"):
        OPERATIONS[name](kept, tmp_path / "runs.sqlite")


def test_a_disk_that_is_full(kept):
    kept.add_experiment(EXPERIMENT)
    ((pages,),) = kept._connection.execute("PRAGMA page_count")
    kept._connection.execute(f"PRAGMA max_page_count = {pages}")
    large = Experiment("e", "x" * 100_000, "off", {"off": ""}, CELLS[:1], "abc")
    with pytest.raises(FormatError, match="cannot be used .database or disk is full"):
        kept.add_experiment(large)
    assert kept.experiment("e") == EXPERIMENT
    kept._connection.execute(f"PRAGMA max_page_count = {pages + 100}")
    kept.add_experiment(large)
    assert kept.experiment("e") == large


def test_a_file_that_is_damaged(tmp_path):
    path = tmp_path / "runs.sqlite"
    with Database(path) as kept:
        kept.add_experiment(EXPERIMENT)
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + bytes(len(whole) - 100))
    with pytest.raises(FormatError, match="runs.sqlite: is no database of runs"), Database(path) as kept:
        kept.experiments()
