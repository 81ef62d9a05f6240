"""YUV4MPEG2 files: one text line of parameters, then `FRAME` lines each followed by a picture's samples."""

import fractions
from collections.abc import Iterator
from typing import BinaryIO

from codecsim.errors import FormatError
from codecsim.formats.output import OutputFile
from codecsim.formats.samples import checked_format, frame_to_bytes, read_picture
from codecsim.picture.planes import Frame, VideoFormat

MAGIC = b"YUV4MPEG2"
MAX_LINE = 1024  # bytes; a longer parameter line is not y4m
DEPTH_OF_COLOUR_SPACE = {
    "420": 8,
    "420jpeg": 8,
    "420mpeg2": 8,
    "420paldv": 8,
    "420p10": 10,
    "420p12": 12,
    "420p14": 14,
    "420p16": 16,
}


def _read_line(file: BinaryIO, name: str, what: str) -> str:
    line = file.readline(MAX_LINE)
    if not line.endswith(b"\n"):
        raise FormatError(f"{name}: the {what} of this y4m file is cut short or longer than {MAX_LINE} bytes")
    return line[:-1].decode("ascii", "replace")


def _whole_number(text: str, name: str, what: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise FormatError(f"{name}: the {what} in the y4m header is '{text}', expected a whole number")
    return int(text)


def _rate(text: str, name: str) -> fractions.Fraction:
    terms = [_whole_number(term, name, "frame rate") for term in text.split(":")]
    if len(terms) != 2 or 0 in terms:
        raise FormatError(f"{name}: the y4m header gives no frame rate ('{text}'); say it with --fps")
    return fractions.Fraction(*terms)


def read_y4m_header(file: BinaryIO, name: str, fps: fractions.Fraction | None = None) -> VideoFormat:
    """Read the first line of a y4m file.

    Parameters
    ----------
    file : binary file at its start
    name : str, for messages
    fps : Fraction, optional; taken instead of the header's rate

    Raises
    ------
    FormatError : no y4m header, or not 4:2:0 of a supported depth and size
    """
    words = _read_line(file, name, "header").split(" ")
    if words[0] != MAGIC.decode():
        raise FormatError(f"{name}: does not start with {MAGIC.decode()}, so this is not a y4m file")
    fields = {word[0]: word[1:] for word in words[1:] if word and word[0] != "X"}
    missing = [key for key in "WH" if key not in fields]
    if missing:
        raise FormatError(f"{name}: the y4m header has no {' and no '.join(missing)} field")
    colour_space = fields.get("C", "420")
    if colour_space not in DEPTH_OF_COLOUR_SPACE:
        raise FormatError(
            f"{name}: colour format '{colour_space}' is not supported, only 4:2:0 of 8 or 10 bits; "
            "convert the video first"
        )
    return checked_format(
        name,
        _whole_number(fields["W"], name, "width"),
        _whole_number(fields["H"], name, "height"),
        fps or _rate(fields.get("F", "0:0"), name),
        DEPTH_OF_COLOUR_SPACE[colour_space],
    )


def read_y4m_frames(file: BinaryIO, video_format: VideoFormat, name: str) -> Iterator[Frame]:
    """Pictures of a y4m file whose header has been read, one at a time.

    Raises
    ------
    FormatError : the file is truncated or damaged
    """
    index = 0
    while file_goes_on := file.read(1):
        line = file_goes_on.decode("latin-1") + _read_line(file, name, f"line before picture {index}")
        if line.split(" ")[0] != "FRAME":
            raise FormatError(f"{name}: expected a FRAME line before picture {index}; the file is damaged")
        yield read_picture(file, video_format, name, index)
        index += 1


def write_y4m_header(file: OutputFile, video_format: VideoFormat) -> None:
    """Write the first line of a y4m file."""
    colour_space = "420jpeg" if video_format.bit_depth == 8 else f"420p{video_format.bit_depth}"
    rate = video_format.fps
    header = (
        f"{MAGIC.decode()} W{video_format.width} H{video_format.height} "
        f"F{rate.numerator}:{rate.denominator} Ip A0:0 C{colour_space}\n"
    )
    file.write(header.encode())


def write_y4m_frame(file: OutputFile, frame: Frame) -> None:
    """Append one picture."""
    file.write(b"FRAME\n")
    file.write(frame_to_bytes(frame))
