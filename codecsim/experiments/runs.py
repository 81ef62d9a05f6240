"""One run of the encoder or the decoder over a video, with the result that `--json` prints."""

import contextlib
import dataclasses
import enum
import fractions
import hashlib
import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, BinaryIO, NamedTuple, cast

from codecsim import __version__
from codecsim.codec.active_tools import resolve_tools
from codecsim.codec.config import EncoderConfig
from codecsim.codec.reports import PictureReport
from codecsim.errors import BitstreamError, ConfigError, FormatError
from codecsim.formats.output import STANDARD_STREAM, OutputOrder, atomic_output
from codecsim.formats.video import VideoInput, create_video, video_writer
from codecsim.kernels.compilation import watch_compilation
from codecsim.picture.planes import Frame, VideoFormat, change_bit_depth

PLANES = ("y", "u", "v")
NO_FILTERS: Mapping[str, Any] = MappingProxyType({})
FORM_VERSION = 2  # of results as JSON; 1, which did not say so, counted the hashes in `bits`


def encode_video(
    video: VideoInput,
    config: EncoderConfig,
    output: str | os.PathLike | None,
    recon: str | os.PathLike | None = None,
    on_picture: Callable = lambda report: None,
    trace: str | os.PathLike | None = None,
    metrics: Sequence[str] = (),
    on_coded: Callable = lambda coded: None,
    filters: Mapping[str, Callable] = NO_FILTERS,
    exact: bool = False,
) -> dict:
    """Encode an open video into a file.

    Parameters
    ----------
    video : VideoInput
    config : EncoderConfig
    output : path of the stream, `-` for standard output; None: no file, as with an oracle, of which there is no stream
    recon : path of a video of the reconstruction, optional
    on_picture : called with the report of each picture
    trace : path of a trace of every syntax element that is written, and of digests of samples, optional
    metrics : what to measure beside PSNR, keys of `compare.METRICS`
    on_coded : called with each CodedPicture, in coding order
    filters : functions that make filters of one's own, see learned.own_filters
    exact : a decoder that has these filters can follow; else this is a simulation

    Returns
    -------
    The result, as `--json` prints it; `seconds` is the time of the whole loop, reading and writing
    included, compiling kernels and measuring `metrics` not, and `cpu_seconds` what processors spent on it.

    Raises
    ------
    CodecError : bad input, settings or output; then neither file is left
    """
    from codecsim.codec.encoder import encode, internal_format

    decodable = _is_decodable(config, filters, exact, output)
    output = os.devnull if output is None else output
    _check_paths(video.name, output, recon, trace)
    own = {tool: type(make()).__name__ for tool, make in filters.items()}
    frames: Iterator[Frame] = itertools.islice(video.frames, config.frames)
    coded_format = internal_format(config, video.format)
    reports, indices, qualities = [], [], []
    with contextlib.ExitStack() as stack:
        clock = stack.enter_context(_Clock())
        meter = None
        if metrics:
            from codecsim.experiments.quality import QualityMeter

            meter = stack.enter_context(QualityMeter(metrics, coded_format))
            frames = meter.watch(frames, video.format.bit_depth, video.neighbours)
        stream = stack.enter_context(atomic_output(output))
        write_recon = None
        if recon is not None:
            write_recon = OutputOrder(stack.enter_context(create_video(recon, coded_format)))
        digest = hashlib.sha256()
        tracer = None
        if trace is not None:
            from codecsim.tracing.files import trace_writer
            from codecsim.tracing.records import ENCODER, TraceHeader
            from codecsim.tracing.tracer import Tracer

            write = stack.enter_context(trace_writer(trace, TraceHeader(ENCODER, samples=True)))
            tracer = Tracer(write, samples=True)
        for coded in encode(config, video.format, frames, tracer, filters):
            stream.write(coded.data)
            digest.update(coded.data)
            if write_recon:
                write_recon(coded.index, coded.recon)
            reports.append(coded.report)
            indices.append(coded.index)
            if meter:
                with clock.paused():
                    meter.measure(coded.index, coded.recon)
            on_coded(coded)
            on_picture(coded.report)
        if meter:
            with clock.paused():
                in_output_order = meter.finish()
                qualities = [in_output_order[index] for index in indices]
    stream_sha256 = digest.hexdigest() if decodable else None
    result = _encoding(video.name, config, coded_format, reports, stream_sha256, clock, own)
    return _with_quality(result, qualities) if meter else result


def _is_decodable(
    config: EncoderConfig, filters: Mapping[str, Any], exact: bool, output: str | os.PathLike | None
) -> bool:
    """Whether there is a stream that a decoder can follow.

    Raises
    ------
    ConfigError : settings that exclude each other
    """
    if config.oracle is not None and exact:
        raise ConfigError(f"oracle {config.oracle!r}: no decoder has what the filter learns from, so it is never exact")
    if config.oracle == "weights" and "inter_luma" in filters:
        raise ConfigError("oracle 'weights' sends those of the filter that ships, in whose place another is given")
    decodable = config.oracle is None and (exact or not filters)
    if not decodable and output is not None:
        what = f"oracle {config.oracle!r}" if config.oracle else "a filter of one's own that is not exact"
        raise ConfigError(f"{what}: nothing could decode {output}; only results can be had")
    return decodable


def _check_paths(
    name: str, output: str | os.PathLike, recon: str | os.PathLike | None, trace: str | os.PathLike | None
) -> None:
    """Make sure that all files have names of their own."""
    if recon is not None and _same_file(recon, output):
        raise ConfigError(f"{recon}: the reconstruction and the stream cannot have the same name")
    if trace is not None and any(_same_file(trace, other) for other in (output, recon) if other is not None):
        raise ConfigError(f"{trace}: the trace needs a name of its own")
    _spare_input(name, output, recon, trace)


class Times(NamedTuple):
    """How long an encoding took."""

    seconds: float
    cpu_seconds: float


def joined_result(
    video: VideoInput, config: EncoderConfig, results: list[dict], stream_sha256: str, times: Times
) -> dict[str, Any]:
    """The result of an encoding that was done in pieces, each from an IDR picture to the next, from their results."""
    from codecsim.codec.encoder import internal_format
    from codecsim.codec.reports import PictureReport
    from codecsim.experiments.quality import QUALITY_FIELDS

    pictures = [picture for result in results for picture in result["pictures"]]
    known = [field.name for field in dataclasses.fields(PictureReport)]
    reports = [PictureReport(**{name: picture[name] for name in known if name in picture}) for picture in pictures]
    result = _encoding(video.name, config, internal_format(config, video.format), reports, stream_sha256, times)
    measured = [field for field in QUALITY_FIELDS if all(field in picture for picture in pictures)]
    return _with_quality(result, [{field: picture[field] for field in measured} for picture in pictures])


def _with_quality(result: dict[str, Any], qualities: list[dict[str, float]]) -> dict[str, Any]:
    """A result with what was measured beside PSNR, a dict of figures a picture."""
    from codecsim.experiments.quality import mean_quality

    pictures = [picture | quality for picture, quality in zip(result["pictures"], qualities, strict=True)]
    return result | mean_quality(qualities) | {"pictures": pictures}


def _encoding(
    name: str,
    config: EncoderConfig,
    video_format: VideoFormat,
    reports: Sequence[PictureReport],
    stream_sha256: str | None,
    times: "_Clock | Times",
    own: Mapping[str, Any] = NO_FILTERS,
) -> dict[str, Any]:
    """The result of an encoding.

    stream_sha256 : None where there is no stream
    own : classes of filters of one's own, by tool; what they cost is not known
    """
    from codecsim.codec.implementations import kmac_per_pixel

    file_bits = sum(report.bits + report.hash_bits for report in reports)
    result = _summary(video_format, reports, file_bits, times)
    result |= {"input": name, "config": config.config, "qp": config.qp}
    result |= {f"psnr_{plane}": _mean([getattr(report, f"psnr_{plane}") for report in reports]) for plane in PLANES}
    result["encoder"] = {"version": __version__, "options": plain(config)}
    if stream_sha256 is None:
        result["decodable"] = False
    else:
        result["stream_sha256"] = stream_sha256
    tools = resolve_tools(config, own)
    costs = None if own else kmac_per_pixel(tools, video_format, reports)
    if costs is not None:
        result["kmac_per_pixel"] = costs
    learned = [active for active in tools if active.tool.learned and not active.is_own]
    result["encoder"]["weights"] = {active.tool.name: active.digest.hex() for active in learned}
    if own:
        result["encoder"]["own_filters"] = own
    result["pictures"] = [plain(report) for report in reports]
    return result


def decode_stream(
    stream: BinaryIO,
    name: str,
    output: str | os.PathLike | None = None,
    keep_partial: bool = False,
    threads: int = 1,
    on_picture: Callable = lambda report: None,
    bit_depth: int | None = None,
    models: Sequence[str | os.PathLike] = (),
    on_decoded: Callable = lambda decoded, frame: None,
    filters: Mapping[str, Callable] = NO_FILTERS,
) -> dict[str, Any]:
    """Decode a stream into a video file and check the hashes that it carries.

    Parameters
    ----------
    stream : binary file
    name : str, for messages and the result
    output : path of the video, `-` for standard output, None to check only
    keep_partial : bool, keep the pictures before an error under the output's name
    threads : int, of the prediction filter
    on_picture : called with the report of each picture
    bit_depth : int, of the samples written; None: as they are coded
    models : files and folders where weights may be, beside those that ship with codecsim
    on_decoded : called with each DecodedPicture and its Frame at the written bit depth, in output order
    filters : functions that make the filters of one's own that the stream needs, see learned.own_filters

    Returns
    -------
    The result, as `--json` prints it; its bit depth is the stream's.

    Raises
    ------
    CodecError : damaged stream, mismatch, output that cannot be written
    """
    from codecsim.codec.decoder import decode

    _spare_input(name, output)
    reports: list[tuple[int, PictureReport]] = []
    failure: BitstreamError | None = None
    video_format: VideoFormat | None = None
    write: Callable[[Frame], None] | None = None
    counter = _CountingReader(stream)
    with contextlib.ExitStack() as stack:
        clock = stack.enter_context(_Clock())
        file = stack.enter_context(atomic_output(output)) if output is not None else None
        try:
            for decoded in decode(cast("BinaryIO", counter), threads=threads, models=models, filters=filters):
                if video_format is None:
                    video_format = decoded.video_format
                    written_format = dataclasses.replace(video_format, bit_depth=bit_depth or video_format.bit_depth)
                    write = video_writer(file, output, written_format) if file and output is not None else None
                elif decoded.video_format != video_format:
                    raise FormatError(
                        f"{name}: the size, rate or bit depth changes at picture {decoded.report.poc}; "
                        "one file cannot hold both"
                    )
                frame = change_bit_depth(decoded.frame, video_format.bit_depth, written_format.bit_depth)
                if write:
                    write(frame)
                on_decoded(decoded, frame)
                reports.append((decoded.coding_index, decoded.report))
                on_picture(decoded.report)
        except BitstreamError as error:
            if not (keep_partial and reports):
                raise
            failure = error
    if failure:
        raise failure
    if not reports:
        raise FormatError(f"{name}: holds no pictures")
    assert video_format is not None
    in_order = [report for _, report in sorted(reports, key=lambda item: item[0])]
    result = _summary(video_format, in_order, counter.bytes_read * 8, clock)
    result |= {"input": name, "decoder": {"version": __version__}, "pictures": [plain(report) for report in in_order]}
    return result


class _Clock:
    """Seconds from entry to exit, without pauses and what the first run on a machine spends on compiling kernels.

    Attributes
    ----------
    seconds : float, by the clock on the wall
    cpu_seconds : float, of all threads of the process
    """

    def __enter__(self) -> Any:
        self._watching = watch_compilation()
        self._watch = self._watching.__enter__()
        self._started, self._cpu_started = time.perf_counter(), time.process_time()
        return self

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Time that does not count; no kernel may be compiled in it."""
        started, cpu_started = time.perf_counter(), time.process_time()
        yield
        self._started += time.perf_counter() - started
        self._cpu_started += time.process_time() - cpu_started

    def __exit__(self, *error: Any) -> None:
        self.seconds = time.perf_counter() - self._started - self._watch.seconds
        self.cpu_seconds = time.process_time() - self._cpu_started - self._watch.cpu_seconds
        self._watching.__exit__(*error)


class _CountingReader:
    """A binary file that knows how much has been read."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.bytes_read = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.bytes_read += len(data)
        return data


def _summary(
    video_format: VideoFormat, reports: Sequence[PictureReport], file_bits: int, clock: "_Clock | Times"
) -> dict:
    hash_bits = sum(report.hash_bits for report in reports)
    bits = file_bits - hash_bits
    return {
        "version": FORM_VERSION,
        "frames": len(reports),
        "width": video_format.width,
        "height": video_format.height,
        "fps": float(video_format.fps),
        "bit_depth": video_format.bit_depth,
        "bits": bits,
        "hash_bits": hash_bits,
        "file_bits": file_bits,
        "kbps": float(bits * video_format.fps / len(reports) / 1000),
        "seconds": clock.seconds,
        "cpu_seconds": clock.cpu_seconds,
    }


def plain(value: Any) -> Any:
    """`value` as JSON can hold it: dataclasses as objects without their unset fields, digests in hexadecimal."""
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {name: plain(found) for name, found in fields.items() if found is not None}
    if isinstance(value, Mapping):
        return {str(name): plain(found) for name, found in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(found) for found in value]
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, fractions.Fraction):
        return str(value)
    return value.item() if hasattr(value, "item") else value


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _spare_input(name: str, *outputs: Any) -> None:
    for output in outputs:
        if output is not None and _same_file(output, name):
            raise ConfigError(f"{name}: is the input, choose another name for the output")


def _same_file(first: str | os.PathLike, second: str | os.PathLike) -> bool:
    return os.fspath(first) != STANDARD_STREAM and os.path.realpath(first) == os.path.realpath(second)
