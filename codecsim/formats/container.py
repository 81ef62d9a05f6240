"""Whatever PyAV (ffmpeg) opens: mp4, mkv, webm, avi, elementary streams, ..."""

import contextlib
import fractions
from collections.abc import Iterator
from typing import Any

import numpy as np

from codecsim.errors import FormatError
from codecsim.extras import needed
from codecsim.formats.samples import checked_format, checked_frame
from codecsim.picture.planes import Frame, VideoFormat

# 4:2:0 pixel formats and the planar one that holds the same samples in the order and the bytes that are read
PLANAR_OF = {
    "yuv420p": "yuv420p",
    "yuvj420p": "yuvj420p",
    "nv12": "yuv420p",
    "nv21": "yuv420p",
    "yuv420p10le": "yuv420p10le",
    "yuv420p10be": "yuv420p10le",
}


@contextlib.contextmanager
def open_container(
    path: str, name: str, fps: fractions.Fraction | None = None
) -> Iterator[tuple[VideoFormat, int | None, Iterator[Frame]]]:
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
    FormatError : not a video, or not 4:2:0 of 8 or 10 bits with even sides
    """
    av = needed("av", name)
    with contextlib.ExitStack() as stack:
        try:
            container = stack.enter_context(av.open(f"file:{path}"))
        except (av.FFmpegError, ValueError) as error:
            raise FormatError(f"{name}: not a video file that can be opened ({_reason(error)})") from error
        if not container.streams.video:
            raise FormatError(f"{name}: holds no video stream")
        stream = container.streams.video[0]
        pixel_format = stream.pix_fmt or "unknown"
        if pixel_format not in PLANAR_OF:
            raise FormatError(
                f"{name}: pixel format '{pixel_format}' is not supported, only 4:2:0 of 8 or 10 bits (yuv420p, "
                "yuv420p10le); convert the video first"
            )
        rate = fps or stream.average_rate or stream.guessed_rate
        if not rate:
            raise FormatError(f"{name}: gives no frame rate; say it with --fps")
        bit_depth = 10 if PLANAR_OF[pixel_format] == "yuv420p10le" else 8
        video_format = checked_format(name, stream.width, stream.height, fractions.Fraction(rate), bit_depth)
        yield video_format, stream.frames or None, _frames(container, stream, video_format, name)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _frames(container: Any, stream: Any, video_format: VideoFormat, name: str) -> Iterator[Frame]:
    import av

    index = 0
    try:
        for frame in container.decode(stream):
            if (frame.width, frame.height) != (video_format.width, video_format.height):
                raise FormatError(
                    f"{name}: picture {index} is {frame.width}x{frame.height}, "
                    f"expected {video_format.width}x{video_format.height} as at the start"
                )
            planar = PLANAR_OF.get(frame.format.name)
            if planar is None or (planar == "yuv420p10le") != (video_format.bit_depth == 10):
                raise FormatError(f"{name}: the pixel format changes to '{frame.format.name}' at picture {index}")
            if frame.format.name != planar:
                frame = frame.reformat(format=planar)
            yield checked_frame(
                Frame(*(_samples(plane, video_format.bit_depth) for plane in frame.planes)), video_format, name, index
            )
            index += 1
    except av.FFmpegError as error:
        raise FormatError(f"{name}: damaged at picture {index} ({_reason(error)})") from error


def _samples(plane: Any, bit_depth: int) -> np.ndarray:
    """Copy of a plane, (height, width) uint8 or at 10 bits uint16, without the padding at the end of its rows."""
    dtype = np.dtype(np.uint8 if bit_depth == 8 else "<u2")
    rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // dtype.itemsize)
    return rows[: plane.height, : plane.width].copy()
