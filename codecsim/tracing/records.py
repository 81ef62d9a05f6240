"""A traced syntax element, as a line of text or of JSON."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from codecsim.errors import FormatError

VERSION = 1
ENCODER, DECODER = "encoder", "decoder"
SAMPLES = "samples"  # of a digest, in the place of the NAL unit
HEX = "0x"


class Record(NamedTuple):
    """A syntax element; None where something does not apply."""

    picture: int  # index in coding order; parameter sets belong to the picture that follows
    poc: int | None  # None before the slice header has been read
    unit: str  # type of the NAL unit
    ctu: int | None  # address in raster scan; None in headers and before the first one
    x: int | None  # of the block, luma samples
    y: int | None
    size: str | None  # WxH, luma samples
    component: str | None  # Y, Cb, Cr
    element: str
    value: int | str  # str: bytes, 0x and hexadecimal digits
    bits: float  # what it takes; the sum over slice data is their size
    position: int  # bit in the NAL unit, without emulation prevention, before it
    range: int | None  # ivlCurrRange before it
    register: int | None  # the decoder's ivlOffset, or the encoder's ivlLow, before it
    bins: str | None  # 'BIN@CONTEXT:STATE.MPS', state and most probable bin before it; 'BINS@bypass'; 'BIN@end'


_WIDTHS = (5, 4, 9, 4, 4, 4, 5, 2, 32, 8, 8, 9, 3, 4, 0)  # of the columns of text, at least
_LEFT = {"unit", "element", "component", "size", "bins"}
_INTEGERS = {"picture", "poc", "ctu", "x", "y", "position", "range", "register"}


def _columns(cells: list[str]) -> str:
    pairs = zip(Record._fields, _WIDTHS, cells, strict=True)
    return " ".join(f"{cell:<{width}}" if name in _LEFT else f"{cell:>{width}}" for name, width, cell in pairs).rstrip()


class TraceHeader(NamedTuple):
    """What a trace says of itself."""

    side: str  # ENCODER or DECODER
    samples: bool = False  # it has digests of samples too


def text_header(header: TraceHeader) -> str:
    """First lines of a trace as text."""
    register = "low" if header.side == ENCODER else "offset"
    samples = " samples" if header.samples else ""
    shown = {"picture": "# pic", "component": "c", "register": register}
    names = _columns([shown.get(name, name) for name in Record._fields])
    return f"# codecsim trace {VERSION} {header.side}{samples}\n{names}"


def text_line(record: Record) -> str:
    """A record as text, without a line's end."""
    cells = ["-" if cell is None else f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in record]
    return _columns(cells)


def json_header(header: TraceHeader) -> str:
    """First line of a trace as JSON lines."""
    return json.dumps({"trace": VERSION, "side": header.side, "samples": header.samples})


def json_line(record: Record) -> str:
    """A record as a JSON object of the fields that apply."""
    fields = {name: value for name, value in zip(Record._fields, record, strict=True) if value is not None}
    fields["bits"] = round(record.bits, 3)
    return json.dumps(fields)


def parse_header(line: str) -> tuple[TraceHeader, Callable[[str], Record]]:
    """(TraceHeader, function that makes a record of a line) from the first line of a trace.

    Raises
    ------
    FormatError : not a trace, or one of another version
    """
    words = line.split()
    if words[:3] == ["#", "codecsim", "trace"] and len(words) in (5, 6):
        version, side, samples, parse = words[3], words[4], len(words) == 6, parse_text
    else:
        try:
            fields = json.loads(line)
            version, side, samples, parse = fields["trace"], fields["side"], fields["samples"], parse_json
        except (ValueError, KeyError, TypeError):
            raise FormatError("no trace: its first line says nothing of the kind") from None
    if str(version) != str(VERSION) or side not in (ENCODER, DECODER):
        raise FormatError(f"trace of version {version}, side {side}; expected {VERSION}, {ENCODER} or {DECODER}")
    return TraceHeader(side, bool(samples)), parse


def parse_text(line: str) -> Record:
    """Record of a line that `text_line` made."""
    cells = line.split(None, len(Record._fields) - 1)
    if len(cells) != len(Record._fields):
        raise FormatError(f"trace: a line of {len(cells)} columns, expected {len(Record._fields)}")
    fields = dict(zip(Record._fields, cells, strict=True))
    return _typed({name: cell for name, cell in fields.items() if cell != "-"})


def parse_json(line: str) -> Record:
    """Record of a line that `json_line` made."""
    try:
        return _typed(json.loads(line))
    except ValueError:
        raise FormatError("trace: a line that is no JSON object") from None


def _typed(fields: dict[str, Any]) -> Record:
    try:
        for name in _INTEGERS & fields.keys():
            fields[name] = int(fields[name])
        fields["bits"] = float(fields["bits"])
        value = str(fields["value"])
        fields["value"] = value if value.startswith(HEX) else int(value)
        values: Any = dict.fromkeys(Record._fields) | fields
        return Record(**values)
    except (KeyError, ValueError, TypeError):
        raise FormatError(f"trace: a line that is no record of an element: {fields}") from None
