"""One encoding of a campaign: what it is, doing it, and what is left of it."""

import dataclasses
import os
import pathlib
import platform
import tempfile
import time
import traceback
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from codecsim.codec.config import EncoderConfig
from codecsim.errors import CodecError
from codecsim.experiments.clips import Clip, locate_clip
from codecsim.experiments.database import Database, run_key
from codecsim.experiments.machine import processor, software
from codecsim.experiments.runs import decode_stream, encode_video
from codecsim.experiments.warming import model_files, warm
from codecsim.formats.video import open_video
from codecsim.tools import TOOLS

# Time that the search takes, against preset medium: only the order of jobs and the forecast of the end depend on it.
PRESET_TIMES = MappingProxyType({"fast": -0.4, "slow": 1.5})


@dataclasses.dataclass(frozen=True)
class Job:
    """One encoding. `arm` is for messages only, and what is measured of it does not make it another."""

    clip: Clip
    config: EncoderConfig  # with qp and frames
    arm: str
    metrics: tuple[str, ...] = ()  # measured beside PSNR, keys of compare.METRICS

    def key(self, sources: str) -> str:
        """What its run is found by in the database."""
        return run_key(self.config, self.clip.sha256, sources)

    @property
    def cost(self) -> float:
        """Expected time in any unit, roughly: more at a low QP, and with tools that take time."""
        config = self.config
        samples = self.clip.width * self.clip.height * (config.frames or self.clip.frames)
        tools = 1.0 + PRESET_TIMES.get(config.preset, 0.0)
        tools += sum(tool.times.get(config.mode(tool), 0.0) for tool in TOOLS)
        return samples * tools * 1.05 ** (51 - config.qp)

    def __str__(self) -> str:
        return f"{self.clip.name} {self.config.config} QP {self.config.qp} {self.arm}"


class Piece(NamedTuple):
    """Pictures of a clip that are coded on their own; the first is an IDR picture."""

    first: int
    frames: int


@dataclasses.dataclass(frozen=True)
class Task:
    """What is done at a time: a job, or a piece of one."""

    job: Job
    piece: Piece | None = None

    @property
    def cost(self) -> float:
        """Expected time in the unit of Job.cost."""
        frames = self.job.config.frames or self.job.clip.frames
        return self.job.cost * (self.piece.frames / frames if self.piece else 1)

    def __str__(self) -> str:
        if self.piece is None:
            return str(self.job)
        return f"{self.job}, pictures {self.piece.first} to {self.piece.first + self.piece.frames - 1}"


class Span(NamedTuple):
    """Where and when a task was done; times as of time.time()."""

    worker: str
    started: float
    loaded: float  # its kernels were ready
    ended: float


@dataclasses.dataclass(frozen=True)
class Done:
    """What a finished task leaves: all that the database keeps of it."""

    result: dict  # of runs.encode_video
    decoder_seconds: float | None  # CPU time, None: was not decoded
    job_seconds: float  # of the whole job but for loading kernels, by the clock on the wall
    machine: str
    software: str
    stream: bytes | None = None  # of a piece


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a task."""

    task: Task
    bits: int = 0
    psnr_y: float = 0.0
    seconds: float = 0.0  # of CPU time, encoding
    span: Span | None = None
    error: str | None = None  # why there is no result
    done: Done | None = None  # what is not in the database yet

    @property
    def job(self) -> Job:
        """The job that it is of."""
        return self.task.job


def perform(task: Task, decode: bool) -> Outcome:
    """Encode, decode and check. Errors are returned, so that other tasks go on."""
    try:
        worker, started = f"{platform.node()}:{os.getpid()}", time.time()
        warm(task.job.config)
        loaded = time.time()
        done = code(task, decode)
    except CodecError as error:
        return Outcome(task, error=str(error))
    except Exception:  # a bug, which must not end the other jobs; it is shown in full
        return Outcome(task, error=traceback.format_exc())
    result = done.result
    span = Span(worker, started, loaded, time.time())
    return Outcome(task, result["bits"], result["psnr_y"], result["cpu_seconds"], span, done=done)


def keep(outcome: Outcome, database: str | os.PathLike, sources: str) -> Outcome:
    """Write what a task left into the database.

    Returns
    -------
    The outcome without what is kept now, or with the error why it could not be: other tasks go on
    """
    job, piece = outcome.job, outcome.task.piece
    try:
        assert outcome.done is not None
        with Database(database) as kept:
            if piece is None:
                kept.add(job.key(sources), job.clip, job.config, sources, outcome.done)
            else:
                kept.add_piece(job.key(sources), piece, outcome.done)
    except CodecError as error:
        return dataclasses.replace(outcome, error=f"done, but not kept: {error}")
    except Exception:  # a bug, as in perform
        return dataclasses.replace(outcome, error=traceback.format_exc())
    return dataclasses.replace(outcome, error=None, done=None)


def code(task: Task, decode: bool) -> Done:
    """Encode, decode and check.

    Raises
    ------
    CodecError
    """
    started = time.monotonic()
    config = task.job.config
    if task.piece is not None:
        config = dataclasses.replace(config, frames=task.piece.frames)
    with tempfile.TemporaryDirectory(prefix="codecsim-") as folder:
        stream = pathlib.Path(folder) / "stream.bin" if config.oracle is None else None
        with open_video(locate_clip(task.job.clip)) as video:
            if task.piece is not None:
                video = video.piece(*task.piece, task.job.config.frames or task.job.clip.frames)
            result = encode_video(video, config, stream, metrics=task.job.metrics)
        seconds = decoder_seconds(stream, result, model_files(config)) if decode and stream else None
        data = stream.read_bytes() if task.piece is not None and stream else None
    return Done(result, seconds, time.monotonic() - started, processor(), software(), data)


def decoder_seconds(stream: pathlib.Path, result: Mapping[str, Any], models: Sequence[Any] = ()) -> float:
    """Decode what an encoder's result is of; returns CPU seconds.

    models : files where weights may be, beside those that ship

    Raises
    ------
    CodecError : a hash is wrong, or the decoder found other pictures or bits than the encoder says
    """
    with open(stream, "rb") as file:
        decoded = decode_stream(file, "stream", models=models)
    for name in ("frames", "bits", "width", "height"):
        if decoded[name] != result[name]:
            raise CodecError(f"decoder and encoder differ: {name} {decoded[name]} and {result[name]}")
    return decoded["cpu_seconds"]
