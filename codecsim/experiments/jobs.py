"""The encodings of a campaign: what each is, and running those that are not in the database over all cores."""

import contextlib
import dataclasses
import functools
import hashlib
import os
import pathlib
import tempfile
import threading
import time
import traceback
from collections.abc import Iterable

import joblib
import numpy as np
from joblib.externals.loky.process_executor import TerminatedWorkerError

from codecsim.config import EncoderConfig
from codecsim.errors import CodecError, ConfigError
from codecsim.experiments.database import Database, run_key
from codecsim.experiments.machine import processor, software
from codecsim.experiments.progress import CampaignProgress
from codecsim.experiments.runs import decode_stream, encode_video
from codecsim.formats.video import create_video, open_video
from codecsim.picture import Frame, VideoFormat
from codecsim.resources import bundled_clip

WARM_SIZE, WARM_FRAMES = 64, 10  # more than a group of pictures of random access


@dataclasses.dataclass(frozen=True)
class Clip:
    """A video file."""

    name: str  # without suffix
    path: str
    sha256: str
    width: int
    height: int
    frames: int  # pictures in the file


@functools.cache
def read_clip(path: str | os.PathLike) -> Clip:
    """Look at a file.

    Raises
    ------
    FormatError : it is no video
    """
    with open_video(path) as video:
        count = video.frame_count or sum(1 for _ in video.frames)
        video_format = video.format
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    path = pathlib.Path(path)
    return Clip(path.stem, str(path), digest, video_format.width, video_format.height, count)


def find_clips(folder: str | None, names: Iterable[str] | None = None) -> list[Clip]:
    """Clips of a folder by name, or all its y4m files; without a folder the bundled clip.

    Raises
    ------
    ConfigError : names without a folder, or a folder without clips
    """
    if folder is None:
        if names:
            raise ConfigError("names of clips need --clips FOLDER")
        return [read_clip(bundled_clip())]
    if names is None:
        names = sorted(path.stem for path in pathlib.Path(folder).glob("*.y4m"))
    if not names:
        raise ConfigError(f"{folder}: no clips to code")
    return [read_clip(_find_clip(folder, name)) for name in names]


def _find_clip(folder, name):
    """Path of clip `name` in a folder, whatever its suffix."""
    found = sorted(pathlib.Path(folder).glob(f"{name}.*"))
    if not found:
        raise ConfigError(f"no clip {name}.* in {folder}")
    return found[0]


@dataclasses.dataclass(frozen=True)
class Job:
    """One encoding. `arm` is for messages only."""

    clip: Clip
    config: EncoderConfig  # with qp and frames
    arm: str

    def key(self, sources: str) -> str:
        """What its run is found by in the database."""
        return run_key(self.config, self.clip.sha256, sources)

    @property
    def cost(self) -> float:
        """Expected time in any unit: more at a low QP."""
        return self.clip.width * self.clip.height * self.config.frames * 1.05 ** (51 - self.config.qp)

    def __str__(self):
        return f"{self.clip.name} {self.config.config} QP {self.config.qp} {self.arm}"


@dataclasses.dataclass(frozen=True)
class Done:
    """What a finished job leaves: all that the database keeps of it."""

    result: dict  # of runs.encode_video
    decoder_seconds: float | None  # CPU time, None: was not decoded
    job_seconds: float  # of the whole job, by the clock on the wall
    machine: str
    software: str


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a job."""

    job: Job
    bits: int = 0
    psnr_y: float = 0.0
    seconds: float = 0.0
    error: str | None = None  # why there is no result


def run_all(jobs: Iterable[Job], database: str, sources: str, processes: int, decode: bool = True) -> list[Outcome]:
    """Run the jobs that the database does not hold; each is kept as soon as it is done.

    Parameters
    ----------
    jobs : Job; equal ones run once
    database : path
    sources : digest of this version
    processes : how many at a time
    decode : bool, also decode and check

    Returns
    -------
    Outcomes of the jobs that failed
    """
    with Database(database) as kept:
        different = {job.key(sources): job for job in jobs}
        todo = [job for key, job in different.items() if kept.find(key, decode and job.config.oracle is None) is None]
    todo.sort(key=lambda job: -job.cost)  # the long ones first, so that no core waits for one at the end
    failed = []
    with CampaignProgress(todo, len(different) - len(todo)) as progress:
        if todo:
            progress.warming()
            warm_all(todo)
        parallel = joblib.Parallel(
            processes, backend="loky", return_as="generator_unordered", pre_dispatch="n_jobs", batch_size=1
        )
        with joblib.parallel_config("loky", inner_max_num_threads=1):
            # joblib takes the next job when it starts it: pre_dispatch allows no more than run
            tasks = (joblib.delayed(work)(progress.starts(job), database, sources, decode, os.getpid()) for job in todo)
            try:
                for outcome in parallel(tasks):
                    progress.ends(outcome)
                    if outcome.error:
                        failed.append(outcome)
            except TerminatedWorkerError as error:
                raise CodecError(
                    f"a process was killed, perhaps for its memory; run again to go on ({error})"
                ) from None
    return failed


def warm_all(jobs):
    """Compile all kernels that the jobs need into the disk cache, once, before their processes all want them."""
    for job in jobs:
        with contextlib.suppress(Exception):  # the job will fail in the same way, and say so
            warm(job.config)


_busy = threading.Lock()  # held while a job runs


def work(job: Job, database: str, sources: str, decode: bool, campaign: int) -> Outcome:
    """`run_job` for the campaign whose process has the id `campaign`."""
    if os.getpid() != campaign:
        _end_with(campaign)
    with _busy:
        return run_job(job, database, sources, decode)


@functools.cache
def _end_with(campaign):
    """See to it that this process ends with that of the campaign, but not before its running job is kept.

    Left alone, a worker whose campaign was killed waits minutes for more to do.
    """

    def watch():
        while os.getppid() == campaign:
            time.sleep(0.2)
        with _busy:
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_job(job: Job, database: str, sources: str, decode: bool) -> Outcome:
    """Encode, decode, check and keep. Errors are returned, so that other jobs go on."""
    try:
        done = code(job, decode)
        with Database(database) as kept:
            kept.add(job.key(sources), job.clip, job.config, sources, done)
        return Outcome(job, done.result["bits"], done.result["psnr_y"], done.result["cpu_seconds"])
    except CodecError as error:
        return Outcome(job, error=str(error))
    except Exception:  # a bug, which must not end the other jobs; it is shown in full
        return Outcome(job, error=traceback.format_exc())


def code(job: Job, decode: bool) -> Done:
    """Encode, decode and check.

    Raises
    ------
    CodecError
    """
    started = time.monotonic()
    warm(job.config)
    with tempfile.TemporaryDirectory(prefix="codecsim-") as folder:
        stream = pathlib.Path(folder) / "stream.bin" if job.config.oracle is None else None
        with open_video(job.clip.path) as video:
            result = encode_video(video, job.config, stream)
        seconds = decoder_seconds(stream, result) if decode and stream else None
    return Done(result, seconds, time.monotonic() - started, processor(), software())


def decoder_seconds(stream, result) -> float:
    """Decode what an encoder's result is of; returns CPU seconds.

    Raises
    ------
    CodecError : a hash is wrong, or the decoder found other pictures or bits than the encoder says
    """
    with open(stream, "rb") as file:
        decoded = decode_stream(file, "stream")
    for name in ("frames", "bits", "width", "height"):
        if decoded[name] != result[name]:
            raise CodecError(f"decoder and encoder differ: {name} {decoded[name]} and {result[name]}")
    return decoded["cpu_seconds"]


@functools.cache
def _warm_clip():
    """Path of a small clip that moves, gone when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="codecsim-")
    path = pathlib.Path(folder.name) / "warm.y4m"
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (WARM_SIZE, WARM_SIZE)).astype(np.uint8)
    with create_video(path, VideoFormat(WARM_SIZE, WARM_SIZE, 25)) as write:
        for i in range(WARM_FRAMES):
            luma = np.roll(picture, 3 * i, 1)
            write(Frame(luma, luma[::2, ::2].copy(), luma[1::2, ::2].copy()))
    return folder, path


_warmed = set()


def warm(config: EncoderConfig):
    """Code a small clip with these settings, so that kernels are compiled and loaded before time is taken."""
    config = dataclasses.replace(config, qp=32, frames=None)
    if str(config) in _warmed:
        return
    with tempfile.TemporaryDirectory(prefix="codecsim-") as folder:
        stream = pathlib.Path(folder) / "stream.bin" if config.oracle is None else None
        with open_video(_warm_clip()[1]) as video:
            encode_video(video, config, stream)
        if stream:
            with open(stream, "rb") as file:
                decode_stream(file, "stream")
    _warmed.add(str(config))
