"""Kept runs: one row an encoding, found by what was coded, with which settings, by which sources."""

import datetime
import hashlib
import json
import pathlib
import platform
import sqlite3

import measuring
import numba
import numpy as np

import codecsim
from codecsim.config import EncoderConfig
from codecsim.errors import ConfigError, FormatError
from codecsim.experiments.compare import coded_bits
from codecsim.experiments.runs import PLANES, plain
from codecsim.resources import resource_folder

NOT_CODING = ("cli", "experiments", "training", "formats")
SCHEMA_VERSION = 1
_SCHEMA = f"""
CREATE TABLE versions (
    sources TEXT PRIMARY KEY,  -- digest of what decides what is coded
    version TEXT NOT NULL,
    label TEXT UNIQUE,
    date TEXT NOT NULL
);
CREATE TABLE runs (
    key TEXT PRIMARY KEY,  -- digest of options, clip_sha256, frames_asked and sources
    sources TEXT NOT NULL REFERENCES versions,
    options TEXT NOT NULL,  -- all of EncoderConfig, JSON
    settings TEXT NOT NULL,  -- those that differ from the defaults, without config, qp and frames, JSON
    config TEXT NOT NULL,
    qp INTEGER NOT NULL,
    clip TEXT NOT NULL,
    clip_sha256 TEXT NOT NULL,
    frames_asked INTEGER NOT NULL,
    frames INTEGER NOT NULL,
    bits INTEGER NOT NULL,  -- of the whole stream
    hash_bits INTEGER NOT NULL,  -- of which hashes
    psnr_y REAL NOT NULL, psnr_u REAL NOT NULL, psnr_v REAL NOT NULL,  -- dB, mean over pictures
    encoder_seconds REAL NOT NULL,  -- CPU time of the loop over pictures, without compilation
    decoder_seconds REAL,  -- the same; NULL: was not decoded
    machine TEXT NOT NULL,
    software TEXT NOT NULL,
    date TEXT NOT NULL,
    result TEXT NOT NULL  -- the encoder's result with all pictures, JSON
);
CREATE INDEX runs_by_content ON runs (clip_sha256, config, frames_asked, settings);
PRAGMA user_version = {SCHEMA_VERSION};
"""


def canonical(value) -> str:
    """JSON text that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sources_digest() -> str:
    """Digest of the sources and weights that decide what is coded, 16 hex digits."""
    package = pathlib.Path(codecsim.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] not in NOT_CODING:
            digest.update(path.read_bytes())
    for path in sorted(resource_folder("models").rglob("*")):
        if path.is_file() and path.suffix != ".py":
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def settings_of(config: EncoderConfig) -> dict:
    """Settings that differ from the defaults, without config, qp and frames: what tells arms apart."""
    defaults = plain(EncoderConfig())
    return {
        name: value
        for name, value in plain(config).items()
        if name not in ("config", "qp", "frames") and value != defaults.get(name)
    }


def run_key(config: EncoderConfig, clip_sha256: str, sources: str) -> str:
    """What a run is found by."""
    return hashlib.sha256(canonical([plain(config), clip_sha256, sources]).encode()).hexdigest()


class Database:
    """The file of kept runs. Several processes may use it at a time.

    Parameters
    ----------
    path : of the file, made if it is not there

    Raises
    ------
    FormatError : the file is no such database, or of another version of it
    """

    def __init__(self, path):
        self._path = pathlib.Path(path)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # None: transactions only where this module begins them
            self._connection = sqlite3.connect(self._path, timeout=60, isolation_level=None)
            self._connection.row_factory = sqlite3.Row
            self._prepare()
        except (OSError, sqlite3.DatabaseError) as error:
            raise FormatError(f"{path}: is no database of runs ({error})") from error

    def _prepare(self):
        found = self._schema_version()
        if found == 0:
            self._connection.execute("BEGIN IMMEDIATE")
            if self._schema_version() == 0:  # no other process was faster
                for statement in _SCHEMA.split(";\n"):
                    self._connection.execute(statement)
            self._connection.execute("COMMIT")
        elif found != SCHEMA_VERSION:
            raise FormatError(f"{self._path}: database of version {found}, expected {SCHEMA_VERSION}; give another one")

    def _schema_version(self):
        return self._connection.execute("PRAGMA user_version").fetchone()[0]

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._connection.close()

    def find(self, key: str, decoded: bool) -> sqlite3.Row | None:
        """The run with this key; where `decoded` only one that was decoded too."""
        row = self._connection.execute("SELECT * FROM runs WHERE key = ?", (key,)).fetchone()
        return None if row is None or decoded and row["decoder_seconds"] is None else row

    def curve(self, sources: str, clip_sha256: str, config: EncoderConfig) -> list[sqlite3.Row]:
        """Runs of a version with the settings, structure and pictures of `config`, at every QP, in order of QP."""
        return self._connection.execute(
            "SELECT * FROM runs WHERE sources = ? AND clip_sha256 = ? AND config = ? AND frames_asked = ?"
            " AND settings = ? ORDER BY qp",
            (sources, clip_sha256, config.config, config.frames, canonical(settings_of(config))),
        ).fetchall()

    def add(self, key: str, clip, config: EncoderConfig, sources: str, result: dict, decoder_seconds: float | None):
        """Keep a finished run.

        Parameters
        ----------
        key : of run_key
        clip : jobs.Clip
        config : EncoderConfig
        sources : digest of the version that made it
        result : of experiments.runs.encode_video
        decoder_seconds : CPU seconds, None: was not decoded
        """
        row = {
            "key": key,
            "sources": sources,
            "options": canonical(plain(config)),
            "settings": canonical(settings_of(config)),
            "config": config.config,
            "qp": config.qp,
            "clip": clip.name,
            "clip_sha256": clip.sha256,
            "frames_asked": config.frames,
            "frames": result["frames"],
            "bits": result["bits"],
            "hash_bits": result["bits"] - coded_bits(result),
            **{f"psnr_{plane}": result[f"psnr_{plane}"] for plane in PLANES},
            "encoder_seconds": result["cpu_seconds"],
            "decoder_seconds": decoder_seconds,
            "machine": measuring.processor(),
            "software": f"Python {platform.python_version()}, Numba {numba.__version__}, NumPy {np.__version__}",
            "date": _now(),
            "result": canonical(result | {"input": clip.name}),
        }
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        self._connection.execute(f"INSERT OR REPLACE INTO runs ({columns}) VALUES ({marks})", tuple(row.values()))

    def add_version(self, sources: str, label: str | None = None):
        """Make the version known, and give it a label.

        Raises
        ------
        ConfigError : another version has the label
        """
        add = "INSERT OR IGNORE INTO versions (sources, version, date) VALUES (?, ?, ?)"
        self._connection.execute(add, (sources, codecsim.__version__, _now()))
        if label:
            try:
                self._connection.execute("UPDATE versions SET label = ? WHERE sources = ?", (label, sources))
            except sqlite3.IntegrityError:
                raise ConfigError(f"label {label!r} is that of version {self.version(label)}; choose another") from None

    def version(self, name: str) -> str:
        """Digest of the sources of the version with this label, or whose digest begins so.

        Raises
        ------
        ConfigError : there is none, or several
        """
        rows = self._connection.execute("SELECT * FROM versions ORDER BY date").fetchall()
        labelled = [row["sources"] for row in rows if row["label"] == name]
        found = labelled or [row["sources"] for row in rows if row["sources"].startswith(name)]
        if len(found) != 1:
            known = "; ".join(f"{row['sources']} {row['label'] or ''} ({row['date']})" for row in rows) or "none"
            what = "several versions" if found else "no version"
            raise ConfigError(f"{what} with the label or the first digits {name!r}; there are: {known}")
        return found[0]


def _now():
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
