"""Planar 4:2:0 samples as files hold them: what is supported, how many bytes, bytes to planes and back."""

import fractions
from typing import BinaryIO

import numpy as np

from codecsim.errors import FormatError
from codecsim.picture.planes import BIT_DEPTHS, Frame, VideoFormat

MAX_PICTURE = 35_651_584  # luma samples, level 6.2 of H.265 (table A.8)
MAX_SIDE = 16_888  # floor(sqrt(8 * MAX_PICTURE)), H.265 A.4.1
MAX_RATE_TERM = 2**32 - 1  # numerator and denominator of the rate: 32-bit fields in the stream


def checked_format(name: str, width: int, height: int, fps: fractions.Fraction, bit_depth: int = 8) -> VideoFormat:
    """The `VideoFormat` of a 4:2:0 video, if the codec can take it.

    Raises
    ------
    FormatError : a side is odd, zero or too large, the rate is not positive, the bit depth is not supported
    """
    if width <= 0 or height <= 0:
        raise FormatError(f"{name}: the size {width}x{height} has no samples")
    if width % 2 or height % 2:
        raise FormatError(
            f"{name}: the size {width}x{height} is odd, 4:2:0 needs even sides; crop or scale the video first"
        )
    if width * height > MAX_PICTURE or max(width, height) > MAX_SIDE:
        raise FormatError(f"{name}: the size {width}x{height} is beyond {MAX_PICTURE} samples, the most H.265 allows")
    if bit_depth not in BIT_DEPTHS:
        allowed = " or ".join(map(str, BIT_DEPTHS))
        raise FormatError(f"{name}: {bit_depth} bits a sample, only {allowed} are supported; convert the video first")
    if fps <= 0 or fps.numerator > MAX_RATE_TERM or fps.denominator > MAX_RATE_TERM:
        raise FormatError(f"{name}: {fps} is no usable frame rate; say the right one with --fps")
    return VideoFormat(width, height, fps, bit_depth)


def frame_bytes(video_format: VideoFormat) -> int:
    """Bytes of one picture in a file."""
    return video_format.width * video_format.height * 3 // 2 * (1 if video_format.bit_depth == 8 else 2)


def frame_from_bytes(data: bytes, video_format: VideoFormat) -> Frame:
    """Read-only planes on top of `data`, which has `frame_bytes(video_format)` bytes: Y, then U, then V."""
    samples = np.frombuffer(data, np.uint8 if video_format.bit_depth == 8 else "<u2")
    width, height = video_format.width, video_format.height
    luma, chroma = width * height, width * height // 4
    return Frame(
        samples[:luma].reshape(height, width),
        samples[luma : luma + chroma].reshape(height // 2, width // 2),
        samples[luma + chroma :].reshape(height // 2, width // 2),
    )


def frame_to_bytes(frame: Frame) -> bytes:
    """The picture as files hold it, 16-bit samples little-endian."""
    return b"".join(plane.astype(plane.dtype.newbyteorder("<"), copy=False).tobytes() for plane in frame)


def read_picture(file: BinaryIO, video_format: VideoFormat, name: str, index: int) -> Frame:
    """Read picture `index` (counted from 0, for the message) from a binary file.

    Raises
    ------
    FormatError : the file ends within the picture, or a sample has more bits than the format says
    """
    expected = frame_bytes(video_format)
    data = file.read(expected)
    if len(data) < expected:
        raise FormatError(
            f"{name}: ends within picture {index}, after {len(data)} of its {expected} bytes; the file is truncated"
        )
    return checked_frame(frame_from_bytes(data, video_format), video_format, name, index)


def checked_frame(frame: Frame, video_format: VideoFormat, name: str, index: int) -> Frame:
    """The frame itself, if its samples fit the bit depth.

    Raises
    ------
    FormatError : a sample is too large
    """
    largest = (1 << video_format.bit_depth) - 1
    found = 0 if video_format.bit_depth == 8 else max(int(plane.max()) for plane in frame)
    if found > largest:
        raise FormatError(
            f"{name}: picture {index} has a sample of {found}, {video_format.bit_depth} bits allow {largest}; "
            "is the bit depth right, and are the samples little-endian?"
        )
    return frame
