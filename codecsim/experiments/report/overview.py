"""Tables of a report: one row an arm with its means, and one table an arm with its clips."""

from collections.abc import Mapping
from typing import Any

from codecsim.experiments.compare import METRICS, PLANES
from codecsim.experiments.report.study import Study
from codecsim.experiments.tables import Column, Row, Table, comparison_table, points_table

_COPIED = (
    *((f"{plane.upper()} %", "{:+.2f}") for plane in PLANES),
    ("EncT %", "{:.0f}"),
    ("DecT %", "{:.0f}"),
    ("kMAC/px", "{:.2f}"),
    ("of training", "{:.2f}"),
)


def comparisons(study: Study, metric: str = "psnr") -> dict[str, dict[str, Table]]:
    """Table of each arm against the reference, by configuration and arm; without arms that have no runs there."""
    what = "" if metric == "psnr" else f", {METRICS[metric].title}"
    found: dict[Any, Any] = {}
    for config in study.curves:
        found[config] = {}
        for arm in study.tests:
            pairs = study.pairs(config, arm.name)
            if pairs:
                title = f"{config}, {arm.name} against {study.reference}{what}"
                found[config][arm.name] = comparison_table(title, pairs, metric)
    return found


def quality_comparisons(study: Study) -> dict[str, dict[str, dict[str, Table]]]:
    """The same for each metric but PSNR that all runs have; by metric."""
    return {metric: comparisons(study, metric) for metric in study.metrics if metric != "psnr"}


def overview(study: Study, config: str, tables: Mapping[str, Table]) -> Table:
    """Means of all arms of a configuration; `tables` by name of the arm."""
    total = len(study.curves[config])
    rows = []
    for name, table in tables.items():
        clips = [row for row in table.rows if row.kind == "clip"]
        whole = [row for row in clips if table.value(row, "Y %") is not None]
        means = [row for row in table.rows if row.kind == "mean"]
        source = next(iter(means or (whole if len(clips) == 1 else [])), None)
        count = total if len(whole) == total else f"{len(whole)} of {total}"
        values = [table.value(source, column) if source else None for column, _ in _COPIED]
        ends = table.intervals.get("Y %")
        rows.append(Row((name, count, *values, "{:+.2f} .. {:+.2f}".format(*ends) if ends else None)))
    columns = [Column("arm"), Column("clips"), *(Column(*pair) for pair in _COPIED), Column("95 % interval of Y")]
    rates = {column.name for table in tables.values() for column in table.columns[: 1 + len(PLANES)]}
    keep = [
        k
        for k, column in enumerate(columns)
        if k < 2 or column.name in rates or any(row.values[k] is not None for row in rows)
    ]
    rows = [Row(tuple(row.values[k] for k in keep)) for row in rows]
    return Table(f"{config}, means", tuple(columns[k] for k in keep), tuple(rows))


def all_points(study: Study) -> dict[str, dict[str, Table]]:
    """Table of all runs of each arm, by configuration and arm."""
    found: dict[Any, Any] = {}
    for config, clips in study.curves.items():
        found[config] = {}
        for arm in study.arms:
            curves = {clip: arms[arm.name] for clip, arms in clips.items() if arm.name in arms}
            if curves:
                found[config][arm.name] = points_table(f"{config}, {arm.name}, all runs", curves)
    return found
