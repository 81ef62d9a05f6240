"""Quality of a coded video beside the PSNR that the encoder reports: SSIM, MS-SSIM, VMAF; and of any two videos.

A result gets a mean over its pictures by the name of each figure, and so does each of its pictures: `ssim_y`,
`ssim_u`, `ssim_v`, the same for `ms_ssim`, and `vmaf`. Pictures are compared at the bit depth of the coded one. Where
chroma is too small for the window of SSIM, only luma has figures.

A piece of a video has the figures that its pictures have in the whole: VMAF of a picture depends on the motion from the
original before it and to the one after it, so those around the piece are scored with it, and left out.
"""

import contextlib
import fractions
import itertools
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from codecsim.errors import CodecError, ConfigError, FormatError
from codecsim.experiments import vmaf
from codecsim.experiments.compare import METRICS
from codecsim.formats.output import OutputOrder
from codecsim.formats.video import Neighbours, VideoInput, create_video
from codecsim.picture.metrics import plane_sse, psnr
from codecsim.picture.planes import Frame, VideoFormat, change_bit_depth
from codecsim.picture.similarity import WINDOW, ms_ssim, ssim


def _plane_psnr(original: np.ndarray, coded: np.ndarray, bit_depth: int) -> float:
    return psnr(plane_sse(original, coded), original.size, bit_depth)


QUALITY_FIELDS = tuple(  # of a result and of its pictures
    field for name, metric in METRICS.items() if name != "psnr" for field in metric.fields.values()
)
_OF_PLANES: dict[str, Callable[[np.ndarray, np.ndarray, int], float]] = {
    "psnr": _plane_psnr,
    "ssim": ssim,
    "ms-ssim": ms_ssim,
}


class QualityMeter:
    """Measures pictures of one video. A context manager: for VMAF the videos wait in temporary files.

    Parameters
    ----------
    metrics : names, keys of `compare.METRICS`
    video_format : VideoFormat of the coded pictures

    Raises
    ------
    ConfigError : a metric that is unknown, or that this machine or pictures of this size cannot have
    """

    def __init__(self, metrics: Iterable[str], video_format: VideoFormat):
        self._metrics = tuple(metrics)
        unknown = [name for name in self._metrics if name not in METRICS]
        if unknown:
            raise ConfigError(f"unknown metric {unknown[0]!r}; expected one of {', '.join(METRICS)}")
        size = (video_format.width, video_format.height)
        if min(size) < WINDOW and {"ssim", "ms-ssim"} & set(self._metrics):
            raise ConfigError(
                f"SSIM has a window of {WINDOW}x{WINDOW}, for which pictures of {size[0]}x{size[1]} are too small"
            )
        fits = min(size) // 2 >= WINDOW
        self._figures = [  # plane, name of the figure, how it is computed
            (plane, field, _OF_PLANES[name])
            for name in self._metrics
            if name in _OF_PLANES
            for plane, field in METRICS[name].fields.items()
            if plane == "y" or fits or name == "psnr"
        ]
        self._ffmpeg = vmaf.find_ffmpeg() if "vmaf" in self._metrics else None
        self._format = video_format
        self._originals: dict[Any, Any] = {}
        self._scores: dict[Any, Any] = {}
        self._neighbours = Neighbours(None, iter(()))

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            if self._ffmpeg:
                self._folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
                self._files = stack.enter_context(contextlib.ExitStack())
                paths = (self._folder / "reference.y4m", self._folder / "coded.y4m")
                self._writers = [self._files.enter_context(create_video(path, self._format)) for path in paths]
                self._keep = OutputOrder(self._write)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def watch(
        self, originals: Iterable[Frame], bit_depth: int, neighbours: Neighbours | None = None
    ) -> Iterator[Frame]:
        """Pass on originals of so many bits, remembering each until its coded picture is measured.

        neighbours : the originals around them, of a piece of a video
        """
        self._neighbours = neighbours or self._neighbours
        self._bit_depth = bit_depth
        if self._ffmpeg and self._neighbours.before is not None:
            self._write_uncoded(self._neighbours.before)
        for index, frame in enumerate(originals):
            self._originals[index] = frame, bit_depth
            yield frame

    def measure(self, index: int, coded: Frame) -> None:
        """Measure a picture; `index` counts in output order, and pictures may come in any."""
        frame, bit_depth = self._originals.pop(index)
        original = change_bit_depth(frame, bit_depth, self._format.bit_depth)
        self._scores[index] = {
            field: function(getattr(original, plane), getattr(coded, plane), self._format.bit_depth)
            for plane, field, function in self._figures
        }
        if self._ffmpeg:
            self._keep(index, (original, coded))

    def _write(self, pair: Sequence[Frame]) -> None:
        for write, frame in zip(self._writers, pair, strict=True):
            write(frame)

    def _write_uncoded(self, original: Frame) -> None:
        self._write([change_bit_depth(original, self._bit_depth, self._format.bit_depth)] * 2)

    def finish(self) -> list[dict[str, float]]:
        """Figures of each picture, in output order.

        Raises
        ------
        CodecError : ffmpeg fails
        """
        pictures = [self._scores[index] for index in range(len(self._scores))]
        if self._ffmpeg:
            before, after = self._neighbours.before, next(self._neighbours.after, None)
            if after is not None:
                self._write_uncoded(after)
            self._files.close()
            scores = vmaf.vmaf_scores(self._ffmpeg, self._folder / "reference.y4m", self._folder / "coded.y4m")
            scores = scores[before is not None : len(scores) - (after is not None)]
            for picture, score in zip(pictures, scores, strict=True):
                picture["vmaf"] = score
        return pictures


def mean_quality(pictures: list[dict[str, float]]) -> dict[str, float]:
    """Mean over the pictures of each figure."""
    return {name: sum(picture[name] for picture in pictures) / len(pictures) for name in pictures[0]}


def check_metrics(metrics: Iterable[str], width: int, height: int) -> None:
    """Measure a grey picture of this size, to know that this machine can.

    Raises
    ------
    CodecError : an unknown metric, pictures that are too small for one, or no ffmpeg that has VMAF
    """
    video_format = VideoFormat(width, height, fractions.Fraction(25))
    grey = Frame(*(np.full((height // k, width // k), 128, np.uint8) for k in (1, 2, 2)))
    with QualityMeter(metrics, video_format) as meter:
        for index, frame in enumerate(meter.watch([grey], video_format.bit_depth)):
            meter.measure(index, frame)
        try:
            meter.finish()
        except CodecError as error:
            raise ConfigError(f"pictures of {width}x{height}: {error}") from None


def with_quality_of(earlier: dict, result: dict) -> dict:
    """A result with those figures beside PSNR that it lacks and an earlier one of the same pictures has."""
    hashes = [[picture.get("picture_hash") for picture in found.get("pictures", ())] for found in (earlier, result)]
    if hashes[0] != hashes[1] or None in hashes[0]:
        return result
    fields = [field for field in QUALITY_FIELDS if field in earlier and field not in result]
    pictures = [
        picture | {field: old[field] for field in fields}
        for old, picture in zip(earlier["pictures"], result["pictures"], strict=True)
    ]
    return result | {field: earlier[field] for field in fields} | {"pictures": pictures}


def measure_videos(
    reference: VideoInput,
    coded: VideoInput,
    metrics: Iterable[str],
    frames: int | None = None,
    on_picture: Callable = lambda: None,
) -> dict:
    """Quality of a video against another, picture by picture.

    Parameters
    ----------
    reference, coded : VideoInput, of the same size
    metrics : names, keys of `compare.METRICS`
    frames : at most so many pictures
    on_picture : called after each

    Returns
    -------
    The result, as `codecsim metrics --json` prints it

    Raises
    ------
    CodecError : sizes or numbers of pictures differ, a metric cannot be had
    """
    sizes = [f"{video.format.width}x{video.format.height}" for video in (reference, coded)]
    if sizes[0] != sizes[1]:
        raise FormatError(f"{coded.name}: has pictures of {sizes[1]}, {reference.name} of {sizes[0]}")
    with QualityMeter(metrics, coded.format) as meter:
        originals = meter.watch(itertools.islice(reference.frames, frames), reference.format.bit_depth)
        pairs = itertools.zip_longest(originals, itertools.islice(coded.frames, frames))
        for index, (original, picture) in enumerate(pairs):
            if original is None or picture is None:
                shorter = reference if original is None else coded
                raise FormatError(f"{shorter.name}: ends after {index} pictures, the other video does not")
            meter.measure(index, picture)
            on_picture()
        pictures = meter.finish()
    result = {"reference": reference.name, "input": coded.name, "frames": len(pictures)}
    result |= {"width": coded.format.width, "height": coded.format.height, "bit_depth": coded.format.bit_depth}
    return result | mean_quality(pictures) | {"pictures": pictures}
