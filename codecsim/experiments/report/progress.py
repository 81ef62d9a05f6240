"""Figures along a clip: what is gained by each picture, and what the learner does."""

from collections.abc import Mapping, Sequence
from typing import Any

from codecsim.experiments.bdrate import bd_rate
from codecsim.experiments.curves import Curve
from codecsim.experiments.report.study import Study
from codecsim.experiments.report.style import SHORT, SYMBOLS, colour_of, line, panels

MOST_COUNTS = 40  # of pictures at which the BD-rate so far is taken
RESET_SYMBOL = "x"
PICTURES = "pictures, in coding order"


def picture_bits(picture: dict) -> int:
    """Bits of a picture without hashes."""
    return picture["bits"]


def gain_figure(study: Study, config: str, clip: str) -> dict:
    """BD-rate of the first pictures by their number, luma."""
    arms = study.curves[config][clip]
    traces = []
    for k, arm in enumerate(study.arms):
        if k and arm.name in arms and study.reference in arms:
            counts, rates = _rates_so_far(arms[study.reference], arms[arm.name])
            if counts:
                traces.append(line(k, arm.name, counts, rates, connectgaps=False))
    layout = panels([""], [PICTURES], ["luma BD-rate so far, %"], SHORT)
    return {"data": traces, "layout": layout}


def _rates_so_far(reference: Curve, test: Curve) -> tuple[list[int], list[float | None]]:
    """Numbers of pictures, and the BD-rate of as many from the start at the QPs that both curves have."""
    if reference.shapes != test.shapes or len(reference.shapes) != 1:
        return [], []
    ((_, _, frames),) = reference.shapes
    shared = [qp for qp in reference.qps if qp in test.qps]
    sums = [[_sums_so_far(curve.encoded[curve.qps.index(qp)]) for qp in shared] for curve in (reference, test)]
    counts = sorted({max(1, round((k + 1) * frames / MOST_COUNTS)) for k in range(min(frames, MOST_COUNTS))})
    counts = counts if frames > MOST_COUNTS else list(range(1, frames + 1))
    starts = [[[points[count - 1] for points in curve] for curve in sums] for count in counts]
    rates = [bd_rate(first, second).percent for first, second in starts]
    return counts, rates


def _sums_so_far(result: Mapping[str, Any]) -> list[tuple[int, float]]:
    """(bits, mean luma PSNR) of the first 1, 2, ... pictures."""
    bits, quality, found = 0, 0.0, []
    for count, picture in enumerate(result["pictures"], 1):
        bits, quality = bits + picture_bits(picture), quality + picture["psnr_y"]
        found.append((bits, quality / count))
    return found


def pictures_figure(study: Study, config: str, clip: str, qp: int) -> dict:
    """Difference of luma PSNR and of bits against the reference at the same QP, picture by picture."""
    results = _results(study, config, clip, qp)
    reference = results.get(study.reference)
    traces = []
    for k, arm in enumerate(study.arms):
        result = results.get(arm.name)
        if not k or not reference or not result or _order(reference) != _order(result):
            continue
        pairs = list(zip(reference["pictures"], result["pictures"], strict=True))
        numbers = list(range(1, len(pairs) + 1))
        quality = [test["psnr_y"] - own["psnr_y"] for own, test in pairs]
        bits = [100 * (picture_bits(test) / picture_bits(own) - 1) for own, test in pairs]
        texts = [f"POC {test['poc']}, {test['type']}, QP {test['qp']}" for _, test in pairs]
        traces += [line(k, arm.name, numbers, quality, 0, text=texts), line(k, arm.name, numbers, bits, 1, text=texts)]
    layout = panels(["", ""], [PICTURES] * 2, ["luma PSNR, difference, dB", "bits, difference, %"], SHORT)
    return {"data": traces, "layout": layout}


def _results(study: Study, config: str, clip: str, qp: int) -> dict[str, dict[str, Any]]:
    """Result by name of the arm at a QP."""
    curves = study.curves[config][clip].items()
    return {name: curve.encoded[curve.qps.index(qp)] for name, curve in curves if qp in curve.qps}


def _order(result: Mapping[str, Any]) -> list[tuple[int, str]]:
    return [(picture["poc"], picture["type"]) for picture in result["pictures"]]


def learning_figure(study: Study, config: str, clip: str, qp: int) -> dict:
    """Loss of each picture, the loss that waits for training, and the training; resets are crosses."""
    traces, idr = [], set()
    for k, arm in enumerate(study.arms):
        result = _results(study, config, clip, qp).get(arm.name)
        rows = _learning(result) if result else []
        if result is None or not rows:
            continue
        numbers, losses, waiting, steps, resets = zip(*rows, strict=True)
        symbols = [SYMBOLS[k % len(SYMBOLS)] + ("" if count else "-open") for count in steps]
        orders = [result["pictures"][number - 1].get("learner_order") for number in numbers]
        texts = [
            f"{count} steps" + (", reset" if reset else "") + (f", ordered: {order}" if order else "")
            for count, reset, order in zip(steps, resets, orders, strict=True)
        ]
        for panel, values in enumerate((losses, waiting, steps)):
            trace = line(k, arm.name, numbers, values, panel, text=texts, connectgaps=True)
            trace["marker"] |= {"symbol": symbols}
            traces.append(trace)
        traces += _reset_traces(k, arm.name, rows)
        idr |= {n for n, picture in enumerate(result["pictures"], 1) if n > 1 and picture["poc"] == 0}
    titles = ["loss of the picture", "loss since the last training", "steps of training"]
    units = ["error of a sample, mean", "", ""]
    layout = panels(titles, [PICTURES] * 3, units, SHORT, gap=0.06, y={"rangemode": "tozero"})
    layout["shapes"] = [_idr_line(number, panel) for number in sorted(idr) for panel in range(3)]
    return {"data": traces, "layout": layout}


_Lesson = tuple[int, float | None, float | None, int, bool]  # number, loss, waiting loss, steps, reset


def _learning(result: Mapping[str, Any]) -> list[_Lesson]:
    """(number, loss, waiting loss, steps, reset) of the pictures after which the learner could train.

    Losses are absolute errors in units of a sample, mean over the picture; `accumulated_loss` of a report is what had
    gathered since the last training, that of the picture itself included. A learner that takes orders tells with a
    picture what it did before it, and no loss where it did not train: None.
    """
    samples, before = result["width"] * result["height"], 0
    found: list[_Lesson] = []
    for number, picture in enumerate(result["pictures"], 1):
        if picture["poc"] == 0:
            before = 0
        waiting = picture.get("accumulated_loss")
        if waiting is None:
            continue
        if picture.get("learner_order") in ("hold", "reset"):
            found.append((number, None, None, 0, bool(picture.get("reset"))))
            continue
        loss = waiting - before if waiting >= before else waiting
        steps = picture.get("trained_steps") or 0
        found.append((number, loss / samples, waiting / samples, steps, bool(picture.get("reset"))))
        before = 0 if steps else waiting
    return found


def _reset_traces(k: int, name: str, rows: Sequence[_Lesson]) -> list[dict[str, Any]]:
    """Crosses over the pictures at which the learner returned to its initial weights."""
    resets = [row for row in rows if row[4]]
    traces = []
    for panel in range(2 if resets else 0):
        values = [row[1 + panel] or 0.0 for row in resets]
        trace = line(k, name, [row[0] for row in resets], values, panel, mode="markers", text=["reset"] * len(resets))
        trace["showlegend"] = False
        trace["marker"] = {"color": colour_of(k), "size": 14, "symbol": RESET_SYMBOL, "line": {"width": 1}}
        traces.append(trace)
    return traces


def _idr_line(number: int, panel: int) -> dict[str, Any]:
    """A vertical line at an IDR picture, where the learner starts anew."""
    axes = {"xref": f"x{panel + 1}" if panel else "x", "yref": f"y{panel + 1} domain" if panel else "y domain"}
    ends = {"x0": number, "x1": number, "y0": 0, "y1": 1}
    return {"type": "line", **axes, **ends, "line": {"color": "#888888", "dash": "dot", "width": 1}}
