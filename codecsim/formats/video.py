"""Videos in and out by name: the format is told from the content, or from the options for raw samples."""

import collections
import contextlib
import dataclasses
import fractions
import io
import itertools
import os
import stat
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple, cast

from codecsim.errors import ConfigError, FormatError
from codecsim.formats import container, samples, y4m
from codecsim.formats.output import STANDARD_STREAM, OutputFile, atomic_output
from codecsim.picture.planes import Frame, VideoFormat

RAW_SUFFIXES = (".yuv", ".raw", ".i420")


@dataclasses.dataclass(frozen=True)
class InputOptions:
    """What the user says of a file: needed for raw samples; the rate also overrides what other files say."""

    size: tuple[int, int] | None = None  # width, height; given means raw samples
    fps: fractions.Fraction | None = None  # pictures a second
    bit_depth: int = 8  # of raw samples


class Neighbours(NamedTuple):
    """Pictures around a piece of a video."""

    before: Frame | None  # the last one before it
    after: Iterator[Frame]  # those behind it, to be walked once the piece has been


@dataclasses.dataclass(frozen=True)
class VideoInput:
    """An open video, or a piece of one. `frames` can be walked once."""

    name: str  # for messages and results
    format: VideoFormat
    frame_count: int | None  # where it is known without reading; for progress only
    frames: Iterator[Frame]
    neighbours: Neighbours | None = None  # of a piece

    def piece(self, first: int, frames: int, end: int) -> "VideoInput":
        """A piece of what this video is up to picture `end`: so many pictures from `first` on."""
        video = itertools.islice(self.frames, end)
        skipped = collections.deque(itertools.islice(video, first), maxlen=1)
        neighbours = Neighbours(skipped[0] if skipped else None, video)
        return dataclasses.replace(
            self, frame_count=None, frames=itertools.islice(video, frames), neighbours=neighbours
        )


@contextlib.contextmanager
def open_video(path: str | os.PathLike, options: InputOptions = InputOptions()) -> Iterator[VideoInput]:
    """Open a video for reading, picture by picture.

    Parameters
    ----------
    path : str or path; `-` is standard input, y4m or raw
    options : InputOptions

    Yields
    ------
    VideoInput

    Raises
    ------
    FormatError : the file is missing, empty, damaged or not 4:2:0 of 8 or 10 bits and even size; while reading: it is
        truncated, or a sample has more bits than it may
    ConfigError : raw samples without their size and rate
    """
    path = os.fspath(path)
    with contextlib.ExitStack() as stack:
        file, name = stack.enter_context(open_stream(path))
        if options.size or path.lower().endswith(RAW_SUFFIXES):
            video = _open_raw(file, name, options)
        elif path == STANDARD_STREAM or file.peek(len(y4m.MAGIC)).startswith(y4m.MAGIC):
            video = _open_y4m(file, name, options)
        else:
            found = stack.enter_context(container.open_container(path, name, options.fps))
            video = VideoInput(name, *found)
        yield dataclasses.replace(video, frames=_at_least_one(video))


@contextlib.contextmanager
def open_stream(path: str | os.PathLike) -> Iterator[tuple[io.BufferedReader, str]]:
    """Open a file for reading bytes; `-` is standard input.

    Yields
    ------
    binary file, name for messages

    Raises
    ------
    FormatError : the file is missing or empty
    """
    path = os.fspath(path)
    if path == STANDARD_STREAM:
        yield cast("io.BufferedReader", sys.stdin.buffer), "standard input"
        return
    try:
        file = open(path, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
    with file:
        if _regular_size(file) == 0:
            raise FormatError(f"{path}: the file is empty")
        yield file, path


def _regular_size(file: BinaryIO) -> int | None:
    """Bytes of a regular file, None for pipes and devices."""
    try:
        status = os.fstat(file.fileno())
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _open_raw(file: io.BufferedReader, name: str, options: InputOptions) -> VideoInput:
    if not options.size or not options.fps:
        raise ConfigError(f"{name}: raw samples do not tell their size and rate; give --size WxH and --fps F")
    video_format = samples.checked_format(name, *options.size, options.fps, options.bit_depth)
    size, picture_bytes = _regular_size(file), samples.frame_bytes(video_format)
    if size is not None and size % picture_bytes:
        raise FormatError(
            f"{name}: {size} bytes are no whole number of {video_format.width}x{video_format.height} pictures of "
            f"{picture_bytes} bytes; is --size right, or the file truncated?"
        )
    return VideoInput(name, video_format, size and size // picture_bytes, _raw_frames(file, video_format, name))


def _raw_frames(file: io.BufferedReader, video_format: VideoFormat, name: str) -> Iterator[Frame]:
    index = 0
    while file.peek(1):
        yield samples.read_picture(file, video_format, name, index)
        index += 1


def _open_y4m(file: BinaryIO, name: str, options: InputOptions) -> VideoInput:
    video_format = y4m.read_y4m_header(file, name, options.fps)
    size = _regular_size(file)
    count = size and size // (samples.frame_bytes(video_format) + len(b"FRAME\n"))
    return VideoInput(name, video_format, count, y4m.read_y4m_frames(file, video_format, name))


def _at_least_one(video: VideoInput) -> Iterator[Frame]:
    frame = None
    for frame in video.frames:
        yield frame
    if frame is None:
        raise FormatError(f"{video.name}: holds no pictures")


@contextlib.contextmanager
def create_video(path: str | os.PathLike, video_format: VideoFormat) -> Iterator[Callable[[Frame], None]]:
    """Write a video: raw samples when the name ends in .yuv, else y4m; `-` is standard output.

    Yields
    ------
    write(frame) : callable that appends one picture

    Raises
    ------
    FormatError : the file cannot be written; then nothing is left under its name
    """
    with atomic_output(path) as file:
        yield video_writer(file, path, video_format)


def video_writer(file: OutputFile, path: str | os.PathLike, video_format: VideoFormat) -> Callable[[Frame], None]:
    """A function that appends pictures to an open file, in the format that `path` asks for."""
    if os.fspath(path).lower().endswith(RAW_SUFFIXES):
        return lambda frame: file.write(samples.frame_to_bytes(frame))
    y4m.write_y4m_header(file, video_format)
    return lambda frame: y4m.write_y4m_frame(file, frame)
