"""Tables in the manner of JVET: BD-rate and times, clip by clip, with everything doubtful said below.

The same tables go into Markdown, CSV and pages.
"""

import csv
import dataclasses
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from codecsim.experiments.bootstrap import LEVEL
from codecsim.experiments.compare import METRICS, PLANES, ClipComparison, Metric, coded_bits, common_metrics, mean_of
from codecsim.experiments.curves import Curve, compare_curves

RATE_NOTE = (
    "BD-rate: bits for the same PSNR against the reference, in percent, negative is better; monotone cubic over all "
    "points. Bits leave out the hashes of pictures and learner, which anchors do not carry."
)
TIME_NOTE = (
    "EncT and DecT: CPU time of the loop over pictures against the reference's, without compilation, in percent; 100 "
    "is the same. A dash: cannot be told; anchors' times are of other machines."
)
QUALITY_NOTE = (
    "BD-rates of other metrics than PSNR are computed the same way, SSIM and MS-SSIM in dB, -10 log10(1 - mean); VMAF "
    "is of luma."
)
CLASSES = ((176, 144), (416, 240), (832, 480), (1280, 720), (1920, 1080))  # largest pictures of each, as JVET's


def notes_of(metrics: Sequence[str]) -> str:
    """What is to be said of tables of these metrics, the first of which is PSNR."""
    return " ".join((RATE_NOTE, TIME_NOTE, *([QUALITY_NOTE] if len(metrics) > 1 else [])))


@dataclasses.dataclass(frozen=True)
class Column:
    """Head of a column, and how its numbers are shown."""

    name: str
    style: str = "{}"


@dataclasses.dataclass(frozen=True)
class Row:
    """Values in the order of the columns: numbers, texts, None for what cannot be told."""

    values: tuple
    kind: str = "clip"  # clip, class, mean or interval


@dataclasses.dataclass(frozen=True)
class Table:
    """A table with what its reader should be warned of."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    warnings: tuple[tuple[str, str], ...] = ()  # clip and text
    intervals: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)  # of means, by column

    def value(self, row: Row, name: str) -> float | None:
        """Value of a row in the column of this name; None where there is no such column."""
        names = [column.name for column in self.columns]
        return row.values[names.index(name)] if name in names else None

    def cells(self) -> list[list[str]]:
        """Texts as they should be read, row by row; a dash for None."""
        return [[_shown(v, c.style) for v, c in zip(row.values, self.columns, strict=True)] for row in self.rows]

    def markdown(self) -> list[str]:
        """Lines of the table and its warnings."""
        head = [[column.name for column in self.columns], ["---"] * len(self.columns)]
        lines = ["| " + " | ".join(_one_line(cell) for cell in row) + " |" for row in head + self.cells()]
        if self.warnings:
            lines += ["", *(f"- **{_one_line(clip)}**: {_one_line(text)}" for clip, text in self.warnings)]
        return lines

    def csv(self) -> str:
        """The table with all digits; an empty cell for None."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([column.name for column in self.columns])
        writer.writerows(row.values for row in self.rows)
        return text.getvalue()


def _shown(value: float | str | None, style: str) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else style.format(value)


def _one_line(text: str) -> str:
    """Text that cannot end a cell of a Markdown table."""
    return " ".join(text.replace("|", r"\|").split())


def comparison_table(title: str, curves: Mapping[str, tuple[Curve, Curve]], metric: str = "psnr") -> Table:
    """BD-rates, times and costs of one arm against one reference; of other metrics than PSNR the BD-rates alone.

    Parameters
    ----------
    title : says what is compared with what
    curves : reference and test by clip
    metric : a key of compare.METRICS that all points have

    Returns
    -------
    Table, below the clips the mean of each class of picture sizes and of all, and how sure the latter is
    """
    compared = [compare_curves(clip, *pair, metric) for clip, pair in curves.items()]
    tests = [test for _, test in curves.values()]
    planes, timed = tuple(METRICS[metric].fields), metric == "psnr"
    learned = timed and any("kmac_per_pixel" in result for test in tests for result in test.encoded)
    shown = _Shown(planes, timed, learned)
    pairs = list(zip(compared, tests, strict=True))
    rows = [
        Row((row.clip, *_figures(row, shown), *(_speeds(test) if timed else ()), *(_costs(test) if learned else ())))
        for row, test in pairs
    ]
    columns = [Column("clip"), *(Column(f"{plane.upper()} %", "{:+.2f}") for plane in planes)]
    columns += [Column("EncT %", "{:.0f}"), Column("DecT %", "{:.0f}")] if timed else []
    columns += [Column("encodes/s", "{:.2f}"), Column("decodes/s", "{:.2f}")] if timed else []
    columns += [Column("kMAC/px", "{:.2f}"), Column("of training", "{:.2f}")] if learned else []
    rows += _mean_rows(pairs, shown)
    whole = [row for row in compared if None not in row.bd_rate.values()]
    ends = mean_of(whole).confidence if whole else {}
    intervals = {f"{plane.upper()} %": (found[0], found[1]) for plane, found in ends.items() if found}
    if intervals:
        name = f"{100 * LEVEL:.0f} % interval"
        values = [intervals.get(column.name) for column in columns[1:]]
        rows.append(Row((name, *("{:+.2f} .. {:+.2f}".format(*v) if v else None for v in values)), "interval"))
    warnings = tuple((row.clip, warning) for row in compared for warning in row.warnings)
    return Table(title, tuple(columns), tuple(rows), warnings, intervals)


class _Shown(NamedTuple):
    """What a comparison has columns for."""

    planes: tuple[str, ...]
    timed: bool
    learned: bool


def _mean_rows(pairs: Sequence[tuple[ClipComparison, Curve]], shown: _Shown) -> list[Row]:
    """Means over the clips of each class and over all that have figures."""
    whole = [(row, test) for row, test in pairs if None not in row.bd_rate.values()]
    if len(pairs) < 2 or not whole:
        return []
    classes: dict[Any, Any] = {}
    for row, test in whole:
        classes.setdefault(class_of(test), []).append((row, test))
    found = []
    for index, members in sorted(classes.items()):
        if len(classes) > 1 and len(members) > 1:
            found.append((f"{len(members)} clips {_class_name(index)}", members, "class"))
    name = "mean" if len(whole) == len(pairs) else f"mean of {len(whole)} of {len(pairs)} clips"
    return [_mean_row(name, members, kind, shown) for name, members, kind in (*found, (name, whole, "mean"))]


def _mean_row(name: str, pairs: Sequence[tuple[ClipComparison, Curve]], kind: str, shown: _Shown) -> Row:
    """Means over clips: (ClipComparison, curve of the test) each; speeds have none."""
    costs = list(zip(*(_costs(test) for _, test in pairs), strict=True)) if shown.learned else []
    means = [math.fsum(value or 0.0 for value in values) / len(values) for values in costs]
    speeds = (None, None) if shown.timed else ()
    return Row((name, *_figures(mean_of([row for row, _ in pairs]), shown), *speeds, *means), kind)


def class_of(curve: Curve) -> int:
    """Index of the class of sizes that a curve's pictures belong to, len(CLASSES) above the largest."""
    width, height, _ = min(curve.shapes)
    return sum(width * height > w * h for w, h in CLASSES)


def _class_name(index: int) -> str:
    if index == len(CLASSES):
        return "above {}x{}".format(*CLASSES[-1])
    return "up to {}x{}".format(*CLASSES[index])


def _figures(row: ClipComparison, shown: _Shown) -> list[float | None]:
    times = [None if value is None else 100 * value for value in (row.encoder_time, row.decoder_time)]
    return [*(row.bd_rate.get(plane) for plane in shown.planes), *(times if shown.timed else ())]


def _speeds(curve: Curve) -> list[float | None]:
    """Pictures a second of CPU time of encoder and decoder, over all points."""
    return [_speed(curve.encoded), _speed(curve.decoded) if len(curve.decoded) == len(curve.encoded) else None]


def _speed(results: tuple[Mapping[str, Any], ...]) -> float | None:
    seconds = math.fsum(result["seconds"] for result in results)
    return sum(result["frames"] for result in results) / seconds if seconds else None


def _costs(curve: Curve) -> list[float | None]:
    """kMAC a luma sample of the learned tools and of their training, mean over the points."""
    found = [result.get("kmac_per_pixel", {"inference": 0.0, "training": 0.0}) for result in curve.encoded]
    if not found:
        return [None, None]
    return [sum(costs[name] for costs in found) / len(found) for name in ("inference", "training")]


def points_table(title: str, curves: Mapping[str, Curve]) -> Table:
    """All points of one arm, with the other metrics that all of them have; `curves` by clip."""
    rows = []
    measured = common_metrics(result for curve in curves.values() for result in curve.encoded)[1:]
    fields = [(METRICS[name], plane, field) for name in measured for plane, field in METRICS[name].fields.items()]
    for clip, curve in curves.items():
        seconds = {result["bits"]: result["seconds"] for result in curve.decoded}
        for qp, result in zip(curve.qps, curve.encoded, strict=True):
            bits = coded_bits(result)
            qualities = (result[f"psnr_{plane}"] for plane in PLANES)
            times = (result["seconds"], seconds.get(result["bits"]))
            others = (result.get(field) for _, _, field in fields)
            rows.append(Row((clip, result["frames"], qp, bits, result["hash_bits"], *qualities, *times, *others)))
    columns = [Column(name) for name in ("clip", "pictures", "QP", "bits", "hash bits")]
    columns += [Column(f"PSNR {plane.upper()}", "{:.3f}") for plane in PLANES]
    columns += [Column("encoder s", "{:.2f}"), Column("decoder s", "{:.2f}")]
    columns += [Column(f"{metric.title} {plane.upper()}", _digits(metric)) for metric, plane, _ in fields]
    return Table(title, tuple(columns), tuple(rows))


def _digits(metric: Metric) -> str:
    return "{:.5f}" if metric.scaled is not float else "{:.3f}"
