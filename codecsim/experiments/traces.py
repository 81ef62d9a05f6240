"""Traces of streams, and of whatever else has one, without holding more than a few pictures."""

import collections
import contextlib
import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from codecsim.errors import BitstreamError, CodecError
from codecsim.formats.output import STANDARD_STREAM
from codecsim.formats.video import InputOptions, open_stream, open_video
from codecsim.tracing.differences import Difference, first_difference
from codecsim.tracing.files import EVERYTHING, NO_SAMPLES, Selection, is_stream, trace_reader, trace_writer
from codecsim.tracing.records import DECODER, Record, TraceHeader

if TYPE_CHECKING:
    from codecsim.codec.reports import PictureReport
    from codecsim.inspection.stream import InspectedPicture


def trace_stream(
    stream: BinaryIO,
    models: Sequence[str | os.PathLike] = (),
    on_picture: Callable = lambda report: None,
    samples: bool = False,
) -> Iterator[Record]:
    """Decode a stream and yield its syntax elements.

    Parameters
    ----------
    stream : binary file
    models : files and folders where weights may be, beside those that ship with codecsim
    on_picture : called with the report of each picture
    samples : bool, digests of the samples too, see tracing.samples

    Raises
    ------
    CodecError : a damaged stream or a mismatch, after the records up to there
    """
    from codecsim.codec.decoder import decode
    from codecsim.tracing.tracer import Tracer

    waiting: collections.deque[Any] = collections.deque()
    pictures = decode(stream, models=models, trace=Tracer(waiting.append, samples))
    error = None
    while True:
        try:
            decoded = next(pictures, None)
        except CodecError as found:
            decoded, error = None, found
        while waiting:
            yield from waiting.popleft()
        if error:
            raise error
        if decoded is None:
            return
        on_picture(decoded.report)


@contextlib.contextmanager
def open_trace(
    path: str | os.PathLike,
    models: Sequence[str | os.PathLike] = (),
    on_picture: Callable = lambda report: None,
    samples: bool = False,
) -> Iterator[tuple[TraceHeader, Iterator[Any]]]:
    """(TraceHeader, iterator of Record) of a stream, `-` for standard input, or of a trace; as a context manager.

    models, on_picture, samples : as for `trace_stream`

    Raises
    ------
    FormatError : neither
    """
    if path == STANDARD_STREAM or is_stream(path):
        with open_stream(path) as (stream, _):
            yield TraceHeader(DECODER, samples), trace_stream(stream, models, on_picture, samples)
    else:
        with trace_reader(path) as found:
            yield found


def write_trace(
    path: str | os.PathLike,
    output: str | os.PathLike,
    as_json: bool = False,
    selection: Selection = NO_SAMPLES,
    models: Sequence[str | os.PathLike] = (),
    on_picture: Callable[..., Any] = lambda report: None,
) -> None:
    """Write the trace of a stream, or what is wanted of a trace that exists.

    Parameters
    ----------
    path : of a stream or a trace
    output : path of the trace to write, `-` for standard output
    as_json : bool, JSON lines instead of text
    selection : Selection
    models, on_picture : as for `trace_stream`

    Raises
    ------
    CodecError : bad input or output; what a stream holds before it breaks is kept
    """
    failure = None
    with open_trace(path, models, on_picture, selection.samples) as (header, found):
        header = header._replace(samples=header.samples and selection.samples)
        with trace_writer(output, header, as_json) as write:
            try:
                write(selection(found))
            except BitstreamError as error:
                failure = error
    if failure:
        raise failure


def write_block_statistics(
    path: str | os.PathLike,
    output: str | os.PathLike,
    models: Sequence[str | os.PathLike] = (),
    source: str | os.PathLike | None = None,
    on_picture: Callable[["PictureReport"], object] = lambda report: None,
) -> None:
    """Write what there is of each block of a stream, for YUView.

    Parameters
    ----------
    path : of a stream, `-` for standard input
    output : path of the CSV file
    source : path of the original video, optional
    models, on_picture : as for `trace_stream`

    Raises
    ------
    CodecError : bad input or output; then no file is left
    """
    from codecsim.inspection.statistics import write_statistics
    from codecsim.inspection.stream import inspect_stream

    with contextlib.ExitStack() as stack:
        stream, name = stack.enter_context(open_stream(path))
        video = None if source is None else stack.enter_context(open_video(source, InputOptions()))
        pictures = inspect_stream(stream, models=models, source=video, name=name)
        write_statistics(_reporting(pictures, on_picture), output, name)


def _reporting(
    pictures: Iterable["InspectedPicture"], on_picture: Callable[["PictureReport"], object]
) -> Iterator[Any]:
    for picture in pictures:
        on_picture(picture.report)
        yield picture


def compare_traces(
    first: str | os.PathLike,
    second: str | os.PathLike,
    context: int = 5,
    selection: Selection = EVERYTHING,
    models: Sequence[str | os.PathLike] = (),
) -> tuple[Difference | None, int]:
    """(Difference or None, number of equal elements) of two streams or traces, given by their paths.

    Digests of samples count where both have them; streams do.
    """
    with contextlib.ExitStack() as stack:
        one, other = (stack.enter_context(open_trace(path, models, samples=True)) for path in (first, second))
        if not (one[0].samples and other[0].samples):
            selection = dataclasses.replace(selection, samples=False)
        same_side = one[0].side == other[0].side
        return first_difference(selection(one[1]), selection(other[1]), same_side, context)
