"""The SQLite file of an experiment: kept runs, and which of them belong to which arm of which experiment.

Tables of version 3 of the file (earlier ones had no pieces, 1 neither `stream_sha256`, `job_seconds` nor experiments;
they are brought up to date when they are opened):

versions         one row a version of the sources that decide what is coded, with an optional label
runs             one row a finished encoding, found by `key`: a digest of all settings, the clip's content and the
                 version; `result` is the whole result of `encode --json`, with every picture (POC, type, QP, bits by
                 part, PSNR, share of blocks by expert, steps of training, loss, resets, hash of the learner), and
                 with whatever else was measured of it, by the names of `compare.METRICS`: what is measured does not
                 make a run another one, so more is added to what is there
experiments      one row an experiment: its name, its definition as given (TOML), the arm that others are compared with,
                 and the version it was last started with
experiment_arms  its arms in order, with their options as those of `codecsim encode`
experiment_runs  what each arm consists of, clip by clip, configuration by configuration, QP by QP: `key` is that of
                 `runs`, where there is no such row while the run is not done (or has failed).  Arms may share runs.
pieces           what is done of runs that are coded in pieces; gone when a run is whole

`Database.experiments()` and `Database.experiment(name)` give all this as `Experiment`; `Database.find(cell.key)` the
run of a cell, `curves.curve_of_runs` the curve of rows of `runs`.
"""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import pathlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import codecsim
from codecsim.codec.config import EncoderConfig
from codecsim.errors import ConfigError, FormatError
from codecsim.experiments.clips import Clip
from codecsim.experiments.compare import lacking
from codecsim.experiments.quality import with_quality_of
from codecsim.experiments.runs import PLANES, plain
from codecsim.experiments.schema import CHANGES, SCHEMA, SCHEMA_VERSION
from codecsim.resources import resource_folder
from codecsim.tools import tool_named

if TYPE_CHECKING:
    from codecsim.experiments.work import Done

LOCK_SECONDS = 60  # to wait for other processes
NOT_CODING = ("cli", "experiments", "training", "formats", "inspection", "tracing", "viewer")


def canonical(
    value: Mapping[str, Any] | Sequence[Mapping[str, Any] | Sequence[Sequence[int | str] | str] | str],
) -> str:
    """JSON text that is the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sources_digest() -> str:
    """Digest of the sources and weights that decide what is coded, 16 hex digits."""
    package = pathlib.Path(codecsim.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] not in NOT_CODING:
            digest.update(path.read_bytes())
    for path in sorted(resource_folder("models").rglob("*.safetensors")):
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
    """What a run is found by; weights in files of one's own count by their content, wherever they are."""
    options = plain(config)
    for name, weights in config.named_weights.items():
        digest, tool = _digest_of(weights), tool_named(name)
        if digest and tool.names_model:
            options[tool.option] = digest
        elif digest:
            options["settings"][f"{name}.model"] = digest
    return hashlib.sha256(canonical([options, clip_sha256, sources]).encode()).hexdigest()


def _digest_of(path: str) -> str | None:
    """Digest of a file, or of all files of a folder; None where there is no such path."""
    if not os.path.exists(path):
        return None
    found = [path] if os.path.isfile(path) else [file for file in pathlib.Path(path).rglob("*") if file.is_file()]
    digest = hashlib.sha256()
    for file in sorted(map(pathlib.Path, found)):
        digest.update(file.read_bytes())
    return digest.hexdigest()


class Cell(NamedTuple):
    """A run that an arm of an experiment needs."""

    arm: str
    config: str
    clip: str
    clip_sha256: str
    qp: int
    frames: int
    key: str  # of the run


@dataclasses.dataclass(frozen=True)
class Experiment:
    """What an experiment consists of."""

    name: str
    definition: str  # TOML text
    reference: str  # name of an arm
    arms: dict[str, str]  # options by name, in order
    cells: tuple[Cell, ...]
    sources: str  # digest of the version it was last started with

    def options_of(self, arm: str) -> str:
        """Options of an arm, to be read."""
        return self.arms[arm] or "the defaults"


class Database:
    """The file of kept runs. Several processes may use it at a time.

    Parameters
    ----------
    path : of the file, made if it is not there

    Raises
    ------
    FormatError : from each method, too: the file is no such database, or of another version of it, or cannot be read or
        written, since it is read-only, the disk is full, or another process keeps it locked
    """

    def __init__(self, path: str | os.PathLike):
        self._path = pathlib.Path(path)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # None: transactions only where this module begins them
            self._connection = sqlite3.connect(self._path, timeout=LOCK_SECONDS, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise FormatError(f"{path}: is no database of runs ({error})") from error
        self._connection.row_factory = sqlite3.Row
        try:
            self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def _execute(self, statement: str, values: tuple[bytes | int | str | None, ...] = ()) -> list[Any]:
        """Rows that a statement finds; what is wrong with the file is a FormatError."""
        try:
            return self._connection.execute(statement, values).fetchall()
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):  # about the statement, not about the file
            raise
        except sqlite3.Error as error:
            is_other = type(error) is sqlite3.DatabaseError  # or damaged; the others are subclasses
            what = "is no database of runs" if is_other else "the database of runs cannot be used"
            raise FormatError(f"{self._path}: {what} ({error})") from error

    def _prepare(self) -> None:
        if self._schema_version() == SCHEMA_VERSION:
            return
        with self._transaction():
            found = self._schema_version()  # another process may have been faster
            if found == 0:
                self._execute_all(SCHEMA)
            elif found > SCHEMA_VERSION:
                raise FormatError(
                    f"{self._path}: database of version {found}, expected {SCHEMA_VERSION}; give another one"
                )
            else:
                for version in range(found, SCHEMA_VERSION):
                    self._execute_all(f"{CHANGES[version]}PRAGMA user_version = {version + 1};\n")

    def _execute_all(self, statements: str) -> None:
        """Execute statements inside of a transaction, which sqlite3's own way would end."""
        for statement in statements.split(";\n"):
            self._execute(statement)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All that the body does, or nothing."""
        self._execute("BEGIN IMMEDIATE")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # SQLite may have ended it itself
                with contextlib.suppress(FormatError):
                    self._execute("ROLLBACK")
            raise

    def _schema_version(self) -> int:
        ((version,),) = self._execute("PRAGMA user_version")
        return version

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._connection.close()

    def find(self, key: str, decoded: bool = False, metrics: Sequence[str] = ()) -> sqlite3.Row | None:
        """The run with this key; where `decoded` only one that was decoded too, and only one that has all `metrics`."""
        row = next(iter(self._execute("SELECT * FROM runs WHERE key = ?", (key,))), None)
        if row is None or decoded and row["decoder_seconds"] is None:
            return None
        return None if metrics and lacking(json.loads(row["result"]), metrics) else row

    def runs(self, sources: str | None = None) -> list[sqlite3.Row]:
        """All runs, or those of a version, in the order in which they were kept."""
        where, values = ("", ()) if sources is None else (" WHERE sources = ?", (sources,))
        return self._execute(f"SELECT * FROM runs{where} ORDER BY rowid", values)

    def versions(self) -> list[sqlite3.Row]:
        """All versions, in the order of their first run."""
        return self._execute("SELECT * FROM versions ORDER BY date")

    def curve(self, sources: str, clip_sha256: str, config: EncoderConfig) -> list[sqlite3.Row]:
        """Runs of a version with the settings, structure and pictures of `config`, at every QP, in order of QP."""
        return self._execute(
            "SELECT * FROM runs WHERE sources = ? AND clip_sha256 = ? AND config = ? AND frames_asked = ?"
            " AND settings = ? ORDER BY qp",
            (sources, clip_sha256, config.config, config.frames, canonical(settings_of(config))),
        )

    def add(self, key: str, clip: Clip, config: EncoderConfig, sources: str, done: "Done") -> None:
        """Keep a finished run in place of what has its key, of which stays what was measured of it and is not now.

        Parameters
        ----------
        key : of run_key
        clip : clips.Clip
        config : EncoderConfig
        sources : digest of the version that made it
        done : work.Done
        """
        result = done.result
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
            "bits": result["file_bits"],
            "hash_bits": result["hash_bits"],
            **{f"psnr_{plane}": result[f"psnr_{plane}"] for plane in PLANES},
            "encoder_seconds": result["cpu_seconds"],
            "decoder_seconds": done.decoder_seconds,
            "machine": done.machine,
            "software": done.software,
            "date": _now(),
            "stream_sha256": result.get("stream_sha256"),
            "job_seconds": done.job_seconds,
        }
        with self._transaction():
            before = self.find(key)
            if before is not None:
                result = with_quality_of(json.loads(before["result"]), result)
                if done.decoder_seconds is None and done.machine == before["machine"]:
                    row["decoder_seconds"] = before["decoder_seconds"]
            row["result"] = canonical(result | {"input": clip.name})
            columns, marks = ", ".join(row), ", ".join("?" * len(row))
            self._execute(f"INSERT OR REPLACE INTO runs ({columns}) VALUES ({marks})", tuple(row.values()))
            self._execute("DELETE FROM pieces WHERE key = ?", (key,))

    def add_piece(self, key: str, piece: tuple[int, int], done: "Done") -> None:
        """Keep a piece of a run, `piece` its first picture and their number; `done`: work.Done."""
        text = canonical({name: value for name, value in vars(done).items() if name != "stream"})
        row = (key, *piece, text, done.stream)
        self._execute("INSERT OR REPLACE INTO pieces VALUES (?, ?, ?, ?, ?)", row)

    def pieces(self, key: str) -> dict[tuple[int, int], dict]:
        """What `add_piece` kept of a run: by piece, the fields of work.Done."""
        rows = self._execute("SELECT * FROM pieces WHERE key = ?", (key,))
        return {(row["first"], row["frames"]): json.loads(row["done"]) | {"stream": row["stream"]} for row in rows}

    def add_experiment(self, experiment: Experiment) -> None:
        """Keep what an experiment consists of, in place of what had its name."""
        name = experiment.name
        with self._transaction():
            for table in ("experiment_runs", "experiment_arms", "experiments"):
                column = "name" if table == "experiments" else "experiment"
                self._execute(f"DELETE FROM {table} WHERE {column} = ?", (name,))
            self._execute(
                "INSERT INTO experiments (name, definition, reference, sources, date) VALUES (?, ?, ?, ?, ?)",
                (name, experiment.definition, experiment.reference, experiment.sources, _now()),
            )
            for place, pair in enumerate(experiment.arms.items()):
                add = "INSERT INTO experiment_arms (experiment, place, arm, options) VALUES (?, ?, ?, ?)"
                self._execute(add, (name, place, *pair))
            for cell in experiment.cells:
                self._execute(
                    "INSERT INTO experiment_runs (experiment, arm, config, clip, clip_sha256, qp, frames, key)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (name, *cell),
                )

    def experiments(self) -> list[str]:
        """Names of the experiments, the latest first."""
        rows = self._execute("SELECT name FROM experiments ORDER BY date DESC, rowid DESC")
        return [row["name"] for row in rows]

    def experiment(self, name: str) -> Experiment:
        """An experiment by its name.

        Raises
        ------
        ConfigError : there is none
        """
        row = next(iter(self._execute("SELECT * FROM experiments WHERE name = ?", (name,))), None)
        if row is None:
            known = ", ".join(self.experiments()) or "none"
            raise ConfigError(f"{self._path}: no experiment {name!r}; there are: {known}")
        arms = self._execute("SELECT arm, options FROM experiment_arms WHERE experiment = ? ORDER BY place", (name,))
        cells = self._execute(
            "SELECT arm, config, clip, clip_sha256, qp, frames, key FROM experiment_runs WHERE experiment = ?"
            " ORDER BY rowid",
            (name,),
        )
        return Experiment(
            name,
            row["definition"],
            row["reference"],
            {arm["arm"]: arm["options"] for arm in arms},
            tuple(Cell(*cell) for cell in cells),
            row["sources"],
        )

    def add_version(self, sources: str, label: str | None = None) -> None:
        """Make the version known, and give it a label.

        Raises
        ------
        ConfigError : another version has the label
        """
        add = "INSERT OR IGNORE INTO versions (sources, version, date) VALUES (?, ?, ?)"
        self._execute(add, (sources, codecsim.__version__, _now()))
        if label:
            try:
                self._execute("UPDATE versions SET label = ? WHERE sources = ?", (label, sources))
            except sqlite3.IntegrityError:
                raise ConfigError(f"label {label!r} is that of version {self.version(label)}; choose another") from None

    def version(self, name: str) -> str:
        """Digest of the sources of the version with this label, or whose digest begins so.

        Raises
        ------
        ConfigError : there is none, or several
        """
        rows = self._execute("SELECT * FROM versions ORDER BY date")
        labelled = [row["sources"] for row in rows if row["label"] == name]
        found = labelled or [row["sources"] for row in rows if row["sources"].startswith(name)]
        if len(found) != 1:
            known = "; ".join(f"{row['sources']} {row['label'] or ''} ({row['date']})" for row in rows) or "none"
            what = "several versions" if found else "no version"
            raise ConfigError(f"{what} with the label or the first digits {name!r}; there are: {known}")
        return found[0]


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
