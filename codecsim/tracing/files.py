"""Files of traces: text or JSON lines, compressed if their names say so."""

import contextlib
import dataclasses
import fnmatch
import gzip
import lzma
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, TextIO, cast

from codecsim.errors import FormatError
from codecsim.formats.output import atomic_output
from codecsim.tracing import records
from codecsim.tracing.records import SAMPLES, Record, TraceHeader

Writer = Callable[[Iterable[Record]], None]

_MAGIC = {b"\x1f\x8b": gzip.open, b"\xfd7zXZ\x00": lzma.open}
_LINES = 4096  # written together


@dataclasses.dataclass(frozen=True)
class Selection:
    """Which records are wanted; None: all."""

    picture: int | None = None  # index in coding order
    poc: int | None = None
    ctu: int | None = None
    element: str | None = None  # name, * and ? as in file names
    samples: bool = True  # the digests of samples, where there are any

    def __call__(self, found: Iterable[Record]) -> Iterator[Record]:
        """Those of the records that are wanted, one after the other."""
        for record in found:
            if (
                (self.samples or record.unit != SAMPLES)
                and self.picture in (None, record.picture)
                and self.poc in (None, record.poc)
                and self.ctu in (None, record.ctu)
                and (self.element is None or fnmatch.fnmatchcase(record.element, self.element))
            ):
                yield record


EVERYTHING, NO_SAMPLES = Selection(), Selection(samples=False)


@contextlib.contextmanager
def trace_writer(path: str | os.PathLike, header: TraceHeader, as_json: bool = False) -> Iterator[Writer]:
    """Open a trace for writing; `-` is standard output, `.gz` and `.xz` are compressed, `.jsonl` is JSON lines too.

    Parameters
    ----------
    header : TraceHeader

    Yields
    ------
    function of an iterable of Record, which writes them

    Raises
    ------
    FormatError : the file cannot be written
    """
    first_line, line = records.text_header(header), records.text_line
    if as_json or ".jsonl" in pathlib.Path(path).suffixes:
        first_line, line = records.json_header(header), records.json_line
    with atomic_output(path) as output, contextlib.ExitStack() as stack:
        file: Any = output
        if os.fspath(path).endswith(".gz"):
            file = stack.enter_context(gzip.GzipFile("", "wb", 6, cast("BinaryIO", output), mtime=0))
        elif os.fspath(path).endswith(".xz"):
            file = stack.enter_context(lzma.LZMAFile(cast("BinaryIO", output), "wb", preset=1))
        waiting = [first_line]

        def write_waiting() -> None:
            file.write("".join(f"{text}\n" for text in waiting).encode())
            waiting.clear()

        def write(found: Iterable[Record]) -> None:
            for record in found:
                waiting.append(line(record))
                if len(waiting) >= _LINES:
                    write_waiting()

        yield write
        write_waiting()


@contextlib.contextmanager
def trace_reader(path: str | os.PathLike) -> Iterator[tuple[TraceHeader, Iterator[Record]]]:
    """Open a trace of any form.

    Yields
    ------
    (TraceHeader, iterator of Record)

    Raises
    ------
    FormatError : not there, or not a trace
    """
    name = os.fspath(path)
    with contextlib.ExitStack() as stack:
        with _reading(name):
            with open(name, "rb") as binary:
                start = binary.read(8)
            opener: Any = next((opener for magic, opener in _MAGIC.items() if start.startswith(magic)), open)
            file = stack.enter_context(opener(name, "rt", encoding="utf-8"))
            header, parse = records.parse_header(file.readline())
        yield header, _read(file, parse, name)


def _read(file: TextIO, parse: Callable[[str], Record], name: str) -> Iterator[Record]:
    with _reading(name):
        for line in file:
            if not line.startswith("#"):
                yield parse(line.rstrip("\n"))


@contextlib.contextmanager
def _reading(name: str) -> Iterator[None]:
    """Name the file in what goes wrong."""
    try:
        yield
    except FormatError as error:
        raise FormatError(f"{name}: {error}") from None
    except (OSError, EOFError, lzma.LZMAError, UnicodeDecodeError) as error:
        raise FormatError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def is_stream(path: str | os.PathLike) -> bool:
    """Whether a file begins as an Annex B byte stream does.

    Raises
    ------
    FormatError : it cannot be read
    """
    try:
        with open(path, "rb") as file:
            return file.read(3) in (b"\x00\x00\x00", b"\x00\x00\x01")
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from None
