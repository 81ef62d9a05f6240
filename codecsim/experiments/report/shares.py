"""Figures of shares: blocks by expert, and bits by part."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from codecsim.experiments.compare import coded_bits
from codecsim.experiments.curves import Curve
from codecsim.experiments.report.study import Arm, Study
from codecsim.experiments.report.style import EXPERTS, OTHER, PARTS, TALL, bars, panels, shown

LONG_NAME = 12  # letters of an arm's name, of which many do not fit beside each other
TOOLS = {
    "overlapped_share": ("overlapped motion", "diamond"),
    "loop_share": ("in-loop filter", "star"),
    "chroma_used": ("chroma filter, of pictures", "cross"),
    "intra_filter_shares": ("intra filter, of luma", "triangle-up"),
}


def experts_figure(study: Study, config: str, clip: str) -> dict:
    """Share of the blocks that each expert filters, by arm and QP; marks are the shares of other tools."""
    arms = study.curves[config][clip]
    marks: dict[Any, Any] = {}
    columns: list[Any] = []
    shares: dict[Any, Any] = {}
    for k, arm in enumerate(study.arms):
        for qp, result in _points(arms, arm):
            found = _mean_shares(result["pictures"])
            for name in TOOLS:
                values = [_share(picture[name]) for picture in result["pictures"] if picture.get(name) is not None]
                if values:
                    marks.setdefault(name, []).append((k, arm.name, qp, 100 * sum(values) / len(values)))
            if found or any(point[:3] == (k, arm.name, qp) for points in marks.values() for point in points):
                columns.append((k, arm.name, qp))
            for expert, share in found.items():
                shares.setdefault(expert, {})[k, qp] = share
    order = sorted(shares, key=lambda name: list(EXPERTS).index(name) if name in EXPERTS else len(EXPERTS))
    order = [name for name in order if name != "off"] + (["off"] if "off" in shares else [])
    x = [[name for _, name, _ in columns], [str(qp) for _, _, qp in columns]]
    traces = [
        bars(
            _words(expert),
            EXPERTS.get(expert, OTHER),
            x,
            [100 * shares[expert].get((k, qp), 0.0) for k, _, qp in columns],
            [k for k, _, _ in columns],
        )
        for expert in order
    ]
    traces += [_marks(name, points) for name, points in marks.items()]
    layout = panels([""], [""], ["32x32 blocks, %"], TALL)
    layout |= {"barmode": "stack", "bargap": 0.15, "legend": {"traceorder": "normal"}}
    layout["yaxis"] |= {"range": [0, 104]}
    layout["xaxis"] |= {"automargin": True}
    return {"data": traces, "layout": layout}


def _points(arms: Mapping[str, Curve], arm: Arm) -> Iterable[tuple[int, Mapping[str, Any]]]:
    """(QP, result) of an arm, in order of QP."""
    curve = arms.get(arm.name)
    return zip(curve.qps, curve.encoded, strict=True) if curve else ()


def _share(value: Mapping[str, float] | float) -> float:
    """Share of a tool in a picture: a number, whether it was used, or the sum of the shares by size of the blocks."""
    return sum(value.values()) if isinstance(value, Mapping) else float(value)


def _mean_shares(pictures: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Mean share of each expert over the pictures that may be filtered, 'off' for what is left; {} without any."""
    found = [picture for picture in pictures if picture.get("filtered_share") is not None]
    if not found:
        return {}
    shares = {"off": 0.0}
    for picture in found:
        experts = picture.get("expert_shares") or {"filtered": picture["filtered_share"]}
        for name, share in experts.items():
            shares[name] = shares.get(name, 0.0) + share / len(found)
        shares["off"] += (1 - sum(experts.values())) / len(found)
    return shares


def _marks(name: str, points: Sequence[tuple[int, str, int, float]]) -> dict[str, Any]:
    """Shares of a tool other than the filter of inter prediction."""
    label, symbol = TOOLS[name]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": label,
        "x": [[shown(arm) for _, arm, _, _ in points], [str(qp) for _, _, qp, _ in points]],
        "y": [round(share, 2) for _, _, _, share in points],
        "marker": {"symbol": symbol, "size": 10, "color": "#D55E00", "line": {"width": 1, "color": "#FFFFFF"}},
        "meta": {"arms": [k for k, _, _, _ in points]},
    }


def parts_figure(study: Study, config: str, clip: str) -> dict:
    """Bits by part, in percent of the reference's at the same QP without hashes, by QP and arm."""
    arms = study.curves[config][clip]
    whole = {qp: coded_bits(result) for qp, result in _points(arms, study.arms[0])}
    columns = [(qp, k, arm.name, result) for k, arm in enumerate(study.arms) for qp, result in _points(arms, arm)]
    columns = sorted((column for column in columns if column[0] in whole), key=lambda column: column[:2])
    sums = [_sum_of_parts(result["pictures"]) for *_, result in columns]
    present = list(dict.fromkeys(part for parts in sums for part, bits in parts.items() if bits))
    present.sort(key=lambda part: list(PARTS).index(part) if part in PARTS else len(PARTS))
    x = [[f"QP {qp}" for qp, *_ in columns], [name for _, _, name, _ in columns]]
    traces = [
        bars(
            _words(part),
            PARTS.get(part, OTHER),
            x,
            [100 * parts.get(part, 0) / whole[column[0]] for column, parts in zip(columns, sums, strict=True)],
            [k for _, k, _, _ in columns],
        )
        for part in present
    ]
    layout = panels([""], [""], ["bits, % of the reference's"], TALL + 40)
    layout |= {"barmode": "stack", "bargap": 0.15, "legend": {"traceorder": "normal"}}
    layout["xaxis"] |= {"automargin": True}
    if any(len(arm.name) > LONG_NAME for arm in study.arms):
        layout["xaxis"] |= {"tickangle": 90}
        layout["height"] += 100
    return {"data": traces, "layout": layout}


def _sum_of_parts(pictures: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    sums: dict[Any, Any] = {}
    for picture in pictures:
        for part, bits in picture.get("parts", {}).items():
            sums[part] = sums.get(part, 0) + bits
    return sums


def _words(name: str) -> str:
    return name.replace("_", " ")
