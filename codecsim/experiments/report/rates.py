"""Figures of rate, quality and cost: rate-distortion curves, BD-rates of all clips, and what a gain costs."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from codecsim.experiments.bdrate import bd_rate, pchip_integral
from codecsim.experiments.compare import METRICS, Metric, coded_bits
from codecsim.experiments.curves import Curve
from codecsim.experiments.report.study import Study
from codecsim.experiments.report.style import SHORT, TALL, colour_of, line, panels, rounded, shown
from codecsim.experiments.tables import Row, Table

GAIN = "luma BD-rate, %"
_FRAME, _ROW = 76, 34  # height of the figure of gains without arms, and of each; pixels
SAVING_POINTS = 25  # of a curve of savings


def rd_figure(study: Study, config: str, clip: str, metric: str = "psnr") -> dict:
    """Rate-distortion curves of a clip, a panel a plane that the metric has; the rate leaves out the hashes."""
    planes = _planes(study, config, clip, metric)
    traces = []
    for k, arm in enumerate(study.arms):
        curve = study.curves[config][clip].get(arm.name)
        if curve is None:
            continue
        rates = [rounded(coded_bits(r) * r["fps"] / r["frames"] / 1000) for r in curve.encoded]
        labels = [f"QP {qp}" for qp in curve.qps]
        for panel, (_, field) in enumerate(planes):
            values = [METRICS[metric].scaled(result[field]) for result in curve.encoded]
            traces.append(line(k, arm.name, rates, values, panel, text=labels))
    quality, ticks = _first(METRICS[metric].axis, planes), _log_ticks([x for trace in traces for x in trace["x"]])
    units = ["kbit/s"] * len(planes)
    layout = panels([name for name, _ in planes], units, quality, TALL, gap=0.05, x={"type": "log"} | ticks)
    return {"data": traces, "layout": layout}


def _planes(study: Study, config: str, clip: str, metric: str) -> list[tuple[str, str]]:
    """Name and field in results of each plane that the metric has in all runs of a clip."""
    results = [result for curve in study.curves[config][clip].values() for result in curve.encoded]
    fields = METRICS[metric].fields.items()
    return [(plane.upper(), field) for plane, field in fields if all(field in result for result in results)]


def _first(text: str, planes: Sequence[tuple[str, str]]) -> list[str]:
    """A title for the first of the panels."""
    return [text] + [""] * (len(planes) - 1)


def _log_ticks(values: Sequence[float]) -> dict[str, Any]:
    """Ticks 1, 2, 5, 10, 20, ... that span values above 0."""
    if not values:
        return {}
    powers = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
    ticks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    return {"tickmode": "array", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def savings_figure(study: Study, config: str, clip: str, metric: str = "psnr") -> dict:
    """Bits against the reference's at the same quality, along the range that both curves cover, a panel a plane."""
    arms, traces, planes = study.curves[config][clip], [], _planes(study, config, clip, metric)
    reference = arms.get(study.reference)
    for k, arm in enumerate(study.arms):
        if not k or reference is None or arm.name not in arms:
            continue
        for panel, (_, field) in enumerate(planes):
            quality, percents = _savings(reference, arms[arm.name], METRICS[metric], field)
            traces.append(line(k, arm.name, map(rounded, quality), percents, panel, mode="lines"))
    traces = [trace for trace in traces if trace["x"]]
    qualities = [METRICS[metric].axis] * len(planes)
    percent = _first(f"bits at the same {METRICS[metric].title}, difference, %", planes)
    layout = panels([name for name, _ in planes], qualities, percent, TALL, gap=0.05)
    return {"data": traces, "layout": layout}


def _savings(reference: Curve, test: Curve, metric: Metric, field: str) -> tuple[list[float], list[float]]:
    """Values of the metric, and the difference in bits there in percent; empty where `bd_rate` says nothing."""
    curves = [sorted((coded_bits(r), metric.scaled(r[field])) for r in curve.encoded) for curve in (reference, test)]
    if reference.shapes != test.shapes or bd_rate(curves[0], curves[1], metric.ceiling).percent is None:
        return [], []
    (rates, qualities), (test_rates, test_qualities) = (np.array(curve, np.float64).T for curve in curves)
    low, high = max(qualities[0], test_qualities[0]), min(qualities[-1], test_qualities[-1])
    edges = np.linspace(low, high, SAVING_POINTS + 1)
    found = []
    for start, end in zip(edges, edges[1:], strict=False):
        own = pchip_integral(qualities, np.log10(rates), start, end)
        other = pchip_integral(test_qualities, np.log10(test_rates), start, end)
        found.append(100 * (10 ** ((other - own) / (end - start)) - 1))
    return list((edges[:-1] + edges[1:]) / 2), found


def gains_figure(study: Study, config: str, tables: dict) -> dict:
    """BD-rate of each clip and their mean, a row an arm; `tables` by name of the arm."""
    traces, names = [], []
    for k, arm in enumerate(study.arms):
        table = tables.get(arm.name)
        if table is None:
            continue
        clips = [row for row in table.rows if row.kind == "clip" and table.value(row, "Y %") is not None]
        if not clips:
            continue
        name = shown(arm.name)
        names.append(name)
        colour = colour_of(k)
        values = [rounded(table.value(row, "Y %")) for row in clips]
        texts = [shown(row.values[0]) for row in clips]
        own = {"type": "scatter", "mode": "markers", "showlegend": False, "legendgroup": name, "meta": {"arm": k}}
        small = {"color": colour, "size": 8, "opacity": 0.5, "symbol": "circle"}
        rows = [name] * len(values)
        traces.append(own | {"name": name, "x": values, "y": rows, "text": texts, "marker": small})
        traces += [own | trace for trace in _mean_traces(table, name, colour)]
    title = f"{GAIN} (negative: fewer bits for the same quality)"
    layout = panels([""], [title], [""], _FRAME + _ROW * len(names))
    layout["meta"] = {"frame": _FRAME, "row": _ROW}
    layout["yaxis"] |= {"autorange": "reversed", "type": "category", "automargin": True, "ticklabelstandoff": 8}
    layout["xaxis"] |= {"zeroline": True, "rangemode": "tozero"}
    layout |= {"showlegend": False}
    return {"data": traces, "layout": layout}


def _mean_traces(table: Table, name: str, colour: str) -> list[dict[str, Any]]:
    """The mean as a diamond, and where there is one its confidence interval."""
    row = next((row for row in table.rows if row.kind == "mean"), None)
    if row is None:
        return []
    value = table.value(row, "Y %")
    if value is None:
        return []
    mean = rounded(value)
    trace: dict[str, Any] = {
        "name": f"{name}, mean",
        "x": [mean],
        "y": [name],
        "text": [shown(row.values[0])],
        "marker": {"color": colour, "size": 13, "symbol": "diamond", "line": {"width": 1, "color": "#FFFFFF"}},
    }
    ends = table.intervals.get("Y %")
    if ends:
        sides = {"array": [rounded(ends[1] - mean)], "arrayminus": [rounded(mean - ends[0])]}
        trace["error_x"] = {"type": "data", "symmetric": False, "color": colour, "thickness": 1.5, "width": 5} | sides
    return [trace]


def costs_figure(study: Study, config: str, tables: dict) -> dict:
    """BD-rate against times and multiply-accumulates: small points are clips, large ones means."""
    kinds = (("EncT %", "encoding time, %"), ("DecT %", "decoding time, %"), (None, "kMAC/pixel, training included"))
    traces = []
    for k, arm in enumerate(study.arms):
        table = tables.get(arm.name)
        if table is None:
            continue
        for panel, (column, _) in enumerate(kinds):
            for kind, size, opacity in (("clip", 7, 0.45), ("mean", 13, 1.0)):
                points = [_cost_point(table, row, column) for row in table.rows if row.kind == kind]
                points = [point for point in points if None not in point]
                if points:
                    x, y, names = zip(*points, strict=True)
                    last = kind == "mean" or not any(row.kind == "mean" for row in table.rows)
                    trace = line(k, arm.name, map(rounded, x), y, panel, mode="markers", text=list(names))
                    trace["marker"] |= {"size": size, "opacity": opacity}
                    trace["showlegend"] &= last
                    traces.append(trace)
    if traces:
        traces = [_origin(study, panel, x) for panel, x in enumerate((100, 100, 0))] + traces
    layout = panels([""] * 3, [title for _, title in kinds], [GAIN, "", ""], SHORT, gap=0.05)
    return {"data": traces, "layout": layout}


def _cost_point(table: Table, row: Row, column: str | None) -> tuple[float | None, float | None, str]:
    """(cost, gain, name) of a row; None what cannot be told."""
    if column is None:
        cost: float | None = sum(table.value(row, name) or 0.0 for name in ("kMAC/px", "of training"))
    else:
        cost = table.value(row, column)
    return cost, table.value(row, "Y %"), shown(row.values[0])


def _origin(study: Study, panel: int, x: int) -> dict[str, Any]:
    """The reference, which gains nothing and costs what it costs."""
    trace = line(0, study.reference, [x], [0.0], panel, mode="markers")
    trace["marker"] |= {"size": 13}
    return trace
