"""Comparing result files of `encode --json` and `decode --json`: BD-rate per clip and plane, and time ratios.

SSIM and MS-SSIM are compared in decibels, -10 log10(1 - mean), as the Alliance for Open Media's test conditions do:
plain values crowd below 1, where a straight line between two points means little.
"""

import dataclasses
import json
import math
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from codecsim.errors import FormatError
from codecsim.experiments.bdrate import MAX_DECIBELS, bd_rate
from codecsim.experiments.bootstrap import LEVEL, Interval, confidence_of_mean

PLANES = ("y", "u", "v")
NEEDED = ("width", "height", "frames", "bits", "seconds")
NEEDED_OF_ENCODER = ("psnr_y", "psnr_u", "psnr_v")


def decibels(similarity: float) -> float:
    """Similarity of at most 1 in decibels, at most `MAX_DECIBELS`."""
    return min(MAX_DECIBELS, -10 * math.log10(max(1 - similarity, 1e-300)))


@dataclasses.dataclass(frozen=True)
class Metric:
    """A measure of quality that results may have."""

    title: str
    fields: dict[str, str]  # name in a result, by plane
    scaled: Callable[[float], float] = float  # what is compared, from what a result says
    ceiling: float = MAX_DECIBELS  # of what is compared
    unit: str = "dB"  # of the same; empty: none

    @property
    def axis(self) -> str:
        """Title of an axis of what is compared."""
        return f"{self.title}, {self.unit}" if self.unit else self.title


METRICS = {
    "psnr": Metric("PSNR", {plane: f"psnr_{plane}" for plane in PLANES}),
    "ssim": Metric("SSIM", {plane: f"ssim_{plane}" for plane in PLANES}, decibels),
    "ms-ssim": Metric("MS-SSIM", {plane: f"ms_ssim_{plane}" for plane in PLANES}, decibels),
    "vmaf": Metric("VMAF", {"y": "vmaf"}, ceiling=100.0, unit=""),
}


def lacking(result: dict, metrics: Iterable[str]) -> list[str]:
    """Those of the metrics, keys of METRICS, that a result does not have."""
    return [name for name in metrics if METRICS[name].fields["y"] not in result]


def common_metrics(results: Iterable[dict]) -> tuple[str, ...]:
    """Keys of METRICS that all results have; of no results only PSNR."""
    results = list(results)
    return tuple(name for name in METRICS if name == "psnr" or results and not any(lacking(r, [name]) for r in results))


def quality_of(result: dict, metrics: Iterable[str]) -> dict[str, float]:
    """What a result has of the metrics, keys of METRICS, by the names in the result."""
    fields = [field for name in metrics for field in METRICS[name].fields.values()]
    return {field: result[field] for field in fields if field in result}


@dataclasses.dataclass(frozen=True)
class ClipComparison:
    """One clip (or, with `clip` = 'mean', the mean over all of them)."""

    clip: str
    bd_rate: dict[str, float | None]  # percent, per plane that the metric has
    encoder_time: float | None  # test / anchor, geometric mean over the points in order of rate
    decoder_time: float | None  # None: no results of the decoder were given for all the points
    warnings: tuple[str, ...]
    confidence: dict[str, Interval | None] = dataclasses.field(default_factory=dict)  # of the mean's `bd_rate`


def read_result(path: str | pathlib.Path) -> dict:
    """A result as the `--json` option prints it.

    Raises
    ------
    FormatError : unreadable, not JSON, or no such result
    """
    try:
        result = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise FormatError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(result, dict):
        raise FormatError(f"{path}: holds no result, expected the object that --json prints")
    return checked_result(result, str(path))


def checked_result(result: dict, name: str) -> dict:
    """The result itself, if it has the numbers that are compared.

    name : of the result, for the message

    Raises
    ------
    FormatError : it lacks one
    """
    needed = NEEDED if "decoder" in result else NEEDED + NEEDED_OF_ENCODER
    missing = [name for name in needed if not isinstance(result.get(name), (int, float))]
    if missing:
        raise FormatError(f"{name}: is no result of --json, it has no number '{missing[0]}'")
    return result


def coded_bits(result: Mapping[str, Any]) -> int:
    """Bits of a result without those of the hashes: a check of the decoder that some streams lack.

    `bits` of results without a version of their form has the hashes in it.
    """
    if "version" in result:
        return result["bits"]
    return result["bits"] - sum(picture.get("parts", {}).get("hashes", 0) for picture in result.get("pictures", []))


def compare(
    anchor: Iterable[dict], test: Iterable[dict], metric: str = "psnr", level: float = LEVEL
) -> list[ClipComparison]:
    """Compare two sets of results, clip by clip.

    The rate of a point is `coded_bits`, its quality what `metric`, a key of METRICS, says. `level` is that of the
    mean's confidence interval.

    Results of one clip (same file name, size and number of pictures) form a curve. A result of the decoder is matched
    to the encoder's by size, pictures and bits. Clips that only one side has are left out with a warning.

    Returns
    -------
    One comparison per clip in the anchor's order, then their mean when there are several.

    Raises
    ------
    FormatError : no clip is on both sides, or a result lacks the metric
    """
    curves = [_curves(results) for results in (anchor, test)]
    shared = [clip for clip in curves[0] if clip in curves[1]]
    if not shared:
        raise FormatError("anchor and test have no clip in common (same file name, size and number of pictures)")
    rows = [_compare_clip(clip, curves[0][clip], curves[1][clip], metric) for clip in shared]
    alone = sorted({clip[0] for curve in curves for clip in curve if clip not in shared})
    if alone:
        rows[0] = dataclasses.replace(rows[0], warnings=(*rows[0].warnings, f"only on one side: {', '.join(alone)}"))
    return rows if len(rows) == 1 else [*rows, mean_of(rows, level)]


def _curves(results: Iterable[dict]) -> dict[tuple, list[dict]]:
    """Results of the encoder by clip, in order of rate, each with `decoder_seconds` where known."""
    results = list(results)
    decoder_seconds = {_stream_key(result): result["seconds"] for result in results if "decoder" in result}
    curves: dict[Any, Any] = {}
    for result in results:
        if "decoder" not in result:
            name = pathlib.PurePath(str(result.get("input", "clip"))).name
            key = (name, result["width"], result["height"], result["frames"])
            point = result | {"decoder_seconds": decoder_seconds.get(_stream_key(result))}
            curves.setdefault(key, []).append(point)
    return {key: sorted(curve, key=lambda point: point["bits"]) for key, curve in curves.items()}


def _stream_key(result: dict) -> tuple:
    return tuple(result[name] for name in ("width", "height", "frames", "bits"))


def _compare_clip(clip: tuple, anchor: list[dict], test: list[dict], metric: str) -> ClipComparison:
    percents: dict[str, float | None] = {}
    warnings: list[str] = []
    for plane, field in _shared_fields(clip[0], anchor + test, metric).items():
        first, second = (
            [(coded_bits(point), METRICS[metric].scaled(point[field])) for point in curve] for curve in (anchor, test)
        )
        result = bd_rate(first, second, METRICS[metric].ceiling)
        percents[plane] = result.percent
        warnings += [f"{plane.upper()}: {text}" for text in result.warnings]
    return ClipComparison(
        clip[0],
        percents,
        _time_ratio(anchor, test, "seconds"),
        _time_ratio(anchor, test, "decoder_seconds"),
        tuple(warnings),
    )


def _shared_fields(clip: str, points: list[dict], metric: str) -> dict[str, str]:
    """Fields of a metric by plane, of luma and of what planes more all points have."""
    fields = METRICS[metric].fields
    found = {plane: field for plane, field in fields.items() if all(field in point for point in points)}
    if "y" not in found:
        raise FormatError(f"{clip}: a result has no '{fields['y']}'; encode with --metrics {metric}")
    return found


def _time_ratio(anchor: list[dict], test: list[dict], name: str) -> float | None:
    if len(anchor) != len(test) or any(not point[name] for point in anchor + test):
        return None
    return _geometric_mean([second[name] / first[name] for first, second in zip(anchor, test, strict=True)])


def _geometric_mean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def _if_all(values: Sequence[float | None], mean: Callable[[list[float]], float]) -> float | None:
    """A mean of values, None if one is not known."""
    known = [value for value in values if value is not None]
    return mean(known) if len(known) == len(values) else None


def mean_of(rows: list[ClipComparison], level: float = LEVEL) -> ClipComparison:
    """Mean BD-rates with their confidence, and geometric mean times; what one row lacks, the mean lacks."""
    percents = {plane: [row.bd_rate.get(plane) for row in rows] for plane in rows[0].bd_rate}
    return ClipComparison(
        "mean",
        {plane: _if_all(values, lambda known: sum(known) / len(known)) for plane, values in percents.items()},
        _if_all([row.encoder_time for row in rows], _geometric_mean),
        _if_all([row.decoder_time for row in rows], _geometric_mean),
        (),
        {plane: confidence_of_mean(values, level) for plane, values in percents.items()},
    )
