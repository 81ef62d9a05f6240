"""Whatever PyAV (ffmpeg) opens: mp4, mkv, webm, avi, elementary streams, ..."""

import contextlib
import fractions
from collections.abc import Iterator

import av
import numpy as np

from codecsim.errors import FormatError
from codecsim.formats.samples import checked_format
from codecsim.picture import Frame, VideoFormat

PLANAR_FORMATS = ("yuv420p", "yuvj420p")  # 8-bit 4:2:0 planes as they are
SAME_SAMPLES = ("nv12", "nv21")  # the same samples in another order


@contextlib.contextmanager
def open_container(path: str, name: str, fps: fractions.Fraction | None = None):
    """Open the first video stream of a file.

    Parameters
    ----------
    path : str, an existing file
    name : str, for messages
    fps : Fraction, optional; taken instead of the container's rate

    Yields
    ------
    VideoFormat, int or None (number of pictures, where the container tells), iterator of Frame

    Raises
    ------
    FormatError : not a video, or not 8-bit 4:2:0 with even sides
    """
    with contextlib.ExitStack() as stack:
        try:
            container = stack.enter_context(av.open(f"file:{path}"))
        except (av.FFmpegError, ValueError) as error:
            raise FormatError(f"{name}: not a video file that can be opened ({_reason(error)})") from error
        if not container.streams.video:
            raise FormatError(f"{name}: holds no video stream")
        stream = container.streams.video[0]
        pixel_format = stream.pix_fmt or "unknown"
        if pixel_format not in PLANAR_FORMATS + SAME_SAMPLES:
            raise FormatError(
                f"{name}: pixel format '{pixel_format}' is not supported, only 8-bit 4:2:0 (yuv420p); "
                "convert the video first"
            )
        rate = fps or stream.average_rate or stream.guessed_rate
        if not rate:
            raise FormatError(f"{name}: gives no frame rate; say it with --fps")
        video_format = checked_format(name, stream.width, stream.height, fractions.Fraction(rate))
        yield video_format, stream.frames or None, _frames(container, stream, video_format, name)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _frames(container, stream, video_format: VideoFormat, name: str) -> Iterator[Frame]:
    index = 0
    try:
        for frame in container.decode(stream):
            if (frame.width, frame.height) != (video_format.width, video_format.height):
                raise FormatError(
                    f"{name}: picture {index} is {frame.width}x{frame.height}, "
                    f"expected {video_format.width}x{video_format.height} as at the start"
                )
            if frame.format.name not in PLANAR_FORMATS:
                frame = frame.reformat(format="yuv420p")
            yield Frame(*(_samples(plane) for plane in frame.planes))
            index += 1
    except av.FFmpegError as error:
        raise FormatError(f"{name}: damaged at picture {index} ({_reason(error)})") from error


def _samples(plane) -> np.ndarray:
    """Copy of an 8-bit plane, (height, width) uint8, without the padding at the end of its rows."""
    rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
    return rows[: plane.height, : plane.width].copy()
