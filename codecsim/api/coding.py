"""Encoding and decoding."""

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from codecsim.api.data_frames import reports_frame
from codecsim.api.own_filters import own_makers, split_tools
from codecsim.api.sources import Source, open_source
from codecsim.api.video import Video, checked_video
from codecsim.codec.config import EncoderConfig
from codecsim.codec.reports import PictureReport
from codecsim.errors import ConfigError
from codecsim.experiments.compare import coded_bits
from codecsim.experiments.runs import decode_stream, encode_video
from codecsim.formats.output import STANDARD_STREAM, OutputOrder, atomic_output
from codecsim.formats.video import VideoInput
from codecsim.learned.own_filters import Maker
from codecsim.picture.planes import BIT_DEPTHS, Frame, VideoFormat
from codecsim.settings.values import similar
from codecsim.tools import TOOLS

if TYPE_CHECKING:
    import pandas

    from codecsim.codec.decoder import DecodedPicture
    from codecsim.codec.encoder import CodedPicture

OnPicture = Callable[[PictureReport], object]


class Psnr(NamedTuple):
    """Mean PSNR over all pictures in dB."""

    y: float
    u: float
    v: float


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Encoded:
    """An encoding.

    Attributes
    ----------
    result : what `codecsim encode --json` prints
    pictures : PictureReport of each picture, in coding order
    recon : the reconstruction, as a decoder outputs it; None where it was not asked for
    filters : the filters of one's own that took part, by tool, as they are after the last picture
    """

    result: dict[str, Any]
    pictures: tuple[PictureReport, ...]
    recon: Video | None
    filters: Mapping[str, Any]
    _stream: bytes | pathlib.Path | None

    @property
    def decodable(self) -> bool:
        """Whether there is a stream that a decoder can follow; false for simulations."""
        return bool(self.result.get("decodable", True))

    @property
    def data(self) -> bytes:
        """The stream.

        Raises
        ------
        ConfigError : it is a simulation, or the stream went to standard output
        """
        if not self.decodable:
            raise ConfigError(
                "this is a simulation that no decoder can follow: it has results but no stream; a filter of one's own "
                "whose arithmetic is exact gives one with encode(..., exact=True)"
            )
        if self._stream is None:
            raise ConfigError("the stream went to standard output and was not kept")
        return self._stream if isinstance(self._stream, bytes) else self._stream.read_bytes()

    def __bytes__(self) -> bytes:
        return self.data

    def save(self, path: str | os.PathLike) -> None:
        """Write the stream to a file.

        Raises
        ------
        FormatError : the file cannot be written
        ConfigError : there is no stream
        """
        data = self.data
        with atomic_output(path) as file:
            file.write(data)

    @property
    def bits(self) -> int:
        """Bits of the stream without its hashes, which only check the decoder."""
        return coded_bits(self.result)

    @property
    def psnr(self) -> Psnr:
        """Mean over all pictures, at the coded bit depth."""
        return Psnr(*(self.result[f"psnr_{plane}"] for plane in "yuv"))

    def to_frame(self) -> "pandas.DataFrame":
        """One row a picture: its report.

        Raises
        ------
        ConfigError : there is no pandas
        """
        return reports_frame(self.pictures)

    def __repr__(self) -> str:
        what = "" if self.decodable else ", a simulation"
        y, u, v = self.psnr
        return f"<Encoded {len(self.pictures)} pictures: {self.bits} bits, PSNR Y {y:.2f} U {u:.2f} V {v:.2f} dB{what}>"


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Decoded:
    """A decoded stream, all hashes of which are right.

    Attributes
    ----------
    result : what `codecsim decode --json` prints
    pictures : PictureReport of each picture, in coding order
    video : its pictures; None where they were not asked for
    """

    result: dict[str, Any]
    pictures: tuple[PictureReport, ...]
    video: Video | None

    def to_frame(self) -> "pandas.DataFrame":
        """One row a picture: its report.

        Raises
        ------
        ConfigError : there is no pandas
        """
        return reports_frame(self.pictures)

    def __repr__(self) -> str:
        form = self.result
        return f"<Decoded {form['frames']} pictures of {form['width']}x{form['height']}, {form['bit_depth']} bits>"


def encode(
    video: Video | VideoInput,
    *,
    config: str | EncoderConfig = "ldp",
    qp: int = 32,
    preset: str = "medium",
    tools: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    frames: int | None = None,
    intra_period: int | None = None,
    hash: str = "md5",
    threads: int = 1,
    oracle: str | None = None,
    exact: bool = False,
    metrics: str | Sequence[str] = (),
    on_picture: OnPicture | None = None,
    output: str | os.PathLike | None = None,
    recon: bool | str | os.PathLike = True,
    trace: str | os.PathLike | None = None,
) -> Encoded:
    """Encode a video.

    Parameters
    ----------
    video : Video
    config : coding structure: "ai" all intra, "ldp" or "ldb" low delay, "ra" random access.  Or an EncoderConfig, which
        then says all that is set; qp to oracle below are not looked at.
    qp : base QP, 0 (best) to 51
    preset : "fast", "medium" or "slow": time of the search against bits
    tools : how tools are used, by name: "overlap": "off", "on"; "inter_luma", "inter_chroma", "intra": "off", "frozen",
        "online"; "loop": "off", "on", or the name or path of weights.  Those that are not named are off, but for
        inter_luma, which is online.
        In place of a mode, inter_luma and loop take a filter of one's own, see learned.own_filters: an object, which is
        copied; a class or function that makes one; or what `torch_filter` returns.
    settings : values by full name, such as {"inter_luma.learning_rate": 1e-3, "search.rings": 3}
    frames : encode at most so many pictures
    intra_period : an intra picture every so many, 0: only the first; 32 in "ra" and 0 else if not given
    hash : picture hash that the stream carries: "md5", "crc" or "checksum"
    threads : of the learned filters; the stream does not depend on it
    oracle : for research, what no decoder can follow: "original" or "weights"
    exact : the arithmetic of filters of one's own gives the same bits wherever they run: there is a stream, which
        `decode` takes with the same filters.  Else such a run is a simulation: the encoder's choices and bits are
        real, but no decoder can follow.
    metrics : what to measure beside PSNR: some of "ssim", "ms-ssim", "vmaf"
    on_picture : called with the PictureReport of each picture as soon as it is coded
    output : path of the stream, - for standard output; in memory if not given
    recon : keep the reconstruction; false: do not; a path: write it there instead, raw if it ends in .yuv, else y4m
    trace : path of a trace of every syntax element

    Raises
    ------
    ConfigError : settings that cannot be
    CodecError : bad input, or output that cannot be written

    Examples
    --------
    >>> encoded = codecsim.encode(video, qp=27, tools={"inter_luma": "off"})
    >>> encoded.bits, encoded.psnr.y
    """
    modes, made = split_tools(tools or {})
    if not isinstance(config, EncoderConfig):
        if "inter_luma" in made:
            modes["inter_luma"] = "online"
            _check_settings_of_own(settings or {})
        config = _config(
            modes,
            settings or {},
            config=config,
            qp=qp,
            preset=preset,
            frames=frames,
            intra_period=intra_period,
            hash=hash,
            threads=threads,
            oracle=oracle,
        )
    if config.config == "ai":
        made.pop("inter_luma", None)  # there is no inter prediction
    used: dict[str, Any] = {}
    filters = {name: _noting(name, make, used) for name, make in made.items()}
    if not isinstance(recon, (bool, str, os.PathLike, type(None))):
        raise ConfigError(f"recon is {recon!r}; expected true, false, or a path")
    metrics = metrics.split(",") if isinstance(metrics, str) else metrics
    kept = _Kept(data=output is None, recon=recon is True)
    recon_path = None if isinstance(recon, bool) else recon
    note = on_picture or _ignore
    opened = contextlib.nullcontext(video) if isinstance(video, VideoInput) else checked_video(video).open()
    with opened as source:
        result = encode_video(
            source, config, output, recon_path, note, trace, metrics, on_coded=kept.take, filters=filters, exact=exact
        )
        form = dataclasses.replace(source.format, bit_depth=result["bit_depth"])
    pictures = Video(f"reconstruction of {source.name}", form, kept.recon) if recon is True else None
    stream: bytes | pathlib.Path | None = b"".join(kept.data)
    if output is not None:
        stream = None if os.fspath(output) == STANDARD_STREAM else pathlib.Path(output)
    return Encoded(result, tuple(kept.reports), pictures, used, stream)


class _Kept:
    """What is kept of coded pictures: reports in coding order; data and reconstruction if they are wanted."""

    def __init__(self, data: bool, recon: bool) -> None:
        self.reports: list[PictureReport] = []
        self.data: list[bytes] = []
        self.recon: list[Frame] = []  # in output order
        self._wants_data, self._wants_recon = data, recon
        self._in_order = OutputOrder(self.recon.append)

    def take(self, coded: "CodedPicture") -> None:
        """One more picture."""
        self.reports.append(coded.report)
        if self._wants_data:
            self.data.append(coded.data)
        if self._wants_recon:
            self._in_order(coded.index, coded.recon)


def _ignore(report: PictureReport) -> None:
    """In place of a user's `on_picture`."""


def _noting(name: str, make: Maker, used: dict[str, Any]) -> Maker:
    """The same function, which keeps under `name` what it has made last."""

    def make_and_note() -> Any:
        used[name] = make()
        return used[name]

    return make_and_note


def _check_settings_of_own(settings: Mapping[str, Any]) -> None:
    wrong = [name for name in settings if str(name).partition(".")[0] == "inter_luma"]
    if wrong:
        raise ConfigError(f"{wrong[0]} is a setting of the filter that ships, in whose place another is given")


def _config(tools: Mapping[str, Any], settings: Mapping[str, Any], **options: Any) -> EncoderConfig:
    """Settings of an encoding from those of `encode`."""
    if not isinstance(settings, Mapping):
        raise ConfigError(f"settings is {settings!r}; expected a dict of names and values")
    known = {tool.name: tool for tool in TOOLS}
    for name, mode in tools.items():
        if name not in known:
            raise ConfigError(f"no tool {name!r}{similar(name, known)}; expected one of {', '.join(known)}")
        tool = known[name]
        if not isinstance(mode, str) or not (tool.names_model or mode in tool.modes):
            more = ", or the name or path of weights" if tool.names_model else ""
            raise ConfigError(f"tool {name} is {mode!r}; expected one of {', '.join(tool.modes)}{more}")
        options[tool.option] = tool.value(mode)
    return EncoderConfig(settings=settings, **options)


def decode(
    source: Source,
    *,
    tools: Mapping[str, Any] | None = None,
    models: Sequence[str | os.PathLike] = (),
    threads: int = 1,
    on_picture: OnPicture | None = None,
    output: str | os.PathLike | None = None,
    video: bool = True,
    bit_depth: int | None = None,
    keep_partial: bool = False,
) -> Decoded:
    """Decode a stream and check every hash that it carries.

    Parameters
    ----------
    source : bytes, a path, an open file, or `Encoded`
    tools : the filters of one's own with which the stream was encoded, by tool, as `encode` takes them
    models : files and folders where weights may be, beside those that ship
    threads : of the learned filters
    on_picture : called with the PictureReport of each picture
    output : path of the video to write, raw if it ends in .yuv, else y4m; - for standard output
    video : keep the pictures
    bit_depth : of the pictures, 8 or 10; as coded if not given
    keep_partial : keep what was written to `output` before an error

    Raises
    ------
    BitstreamError : a damaged stream, or one that cannot be decoded
    MismatchError : pictures or learners differ from the encoder's
    CodecError : weights that are not here, or output that cannot be written

    Examples
    --------
    >>> decoded = codecsim.decode(encoded.data)
    >>> y, u, v = decoded.video.to_arrays()
    """
    frames: list[Frame] = []
    reports: list[tuple[int, PictureReport]] = []
    forms: list[VideoFormat] = []

    def take(picture: "DecodedPicture", frame: Frame) -> None:
        reports.append((picture.coding_index, picture.report))
        forms[:] = [picture.video_format]
        if video:
            frames.append(frame)

    if bit_depth not in (None, *BIT_DEPTHS):
        raise ConfigError(f"bit_depth is {bit_depth!r}; expected one of {', '.join(map(str, BIT_DEPTHS))}")
    note, filters = on_picture or _ignore, own_makers(tools)
    with open_source(source) as (stream, name):
        result = decode_stream(stream, name, output, keep_partial, threads, note, bit_depth, models, take, filters)
    kept = None
    if video:
        kept = Video(name, dataclasses.replace(forms[0], bit_depth=bit_depth or forms[0].bit_depth), frames)
    return Decoded(result, tuple(report for _, report in sorted(reports, key=lambda item: item[0])), kept)
