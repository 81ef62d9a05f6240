"""Tables of a campaign in the manner of JVET: BD-rate and times, clip by clip, with everything doubtful said below."""

import dataclasses
import json

from codecsim.experiments.compare import ClipComparison, compare, mean_of
from codecsim.experiments.runs import PLANES

RATE_NOTE = (
    "BD-rate: bits for the same PSNR against the reference, in percent, negative is better; monotone cubic over all "
    "points. Bits leave out the hashes of pictures and learner, which anchors do not carry."
)
TIME_NOTE = (
    "EncT and DecT: CPU time of the loop over pictures against the reference's, without compilation, in percent; 100 "
    "is the same. A dash: cannot be told; anchors' times are of other machines."
)


@dataclasses.dataclass(frozen=True)
class Curve:
    """Points of one clip, one a QP, as results of `encode --json` and `decode --json`; times in CPU seconds."""

    qps: tuple[int, ...]
    encoded: tuple[dict, ...]
    decoded: tuple[dict, ...] = ()
    machines: frozenset[str] = frozenset()  # empty: times mean nothing

    @property
    def shapes(self) -> set[tuple[int, int, int]]:
        """Width, height and number of pictures of the points."""
        return {(result["width"], result["height"], result["frames"]) for result in self.encoded}


def find_curve(kept, sources, clip, config, qps) -> Curve:
    """Curve of the runs of a version, with the settings of an EncoderConfig, at those of the QPs that there are."""
    rows = kept.curve(sources, clip.sha256, config)
    return curve_of_runs([row for row in rows if row["qp"] in qps])


def curve_of_runs(rows) -> Curve:
    """Curve of rows of the database."""
    encoded, decoded = [], []
    for row in rows:
        result = json.loads(row["result"]) | {"input": row["clip"], "seconds": row["encoder_seconds"]}
        encoded.append(result)
        if row["decoder_seconds"] is not None:
            shape = {name: result[name] for name in ("width", "height", "frames", "bits")}
            decoded.append(shape | {"decoder": {}, "seconds": row["decoder_seconds"]})
    machines = frozenset(row["machine"] for row in rows)
    return Curve(tuple(row["qp"] for row in rows), tuple(encoded), tuple(decoded), machines)


def curve_of_anchors(points) -> Curve:
    """Curve of the points of an anchor."""
    encoded = tuple(point | {"input": point["clip"], "seconds": 0.0} for point in points)
    return Curve(tuple(point["qp"] for point in points), encoded)


def compare_curves(clip: str, reference: Curve, test: Curve) -> ClipComparison:
    """One row of a table; where there is nothing to compare, one without figures whose warnings say why."""
    for name, curve in (("the reference", reference), ("this arm", test)):
        if not curve.encoded:
            return _without_figures(clip, f"{name} has no points")
        if len(curve.shapes) > 1:
            return _without_figures(clip, f"{name}: pictures differ between points: {_shapes(curve)}")
    if reference.shapes != test.shapes:
        return _without_figures(clip, f"the reference is {_shapes(reference)}, this arm {_shapes(test)}")
    (row,) = compare((*reference.encoded, *reference.decoded), (*test.encoded, *test.decoded))
    warnings = list(row.warnings)
    for name, own, other in (("the reference", reference, test), ("this arm", test, reference)):
        missing = sorted(set(other.qps) - set(own.qps))
        if missing:
            warnings.append(f"{name} has no point at QP {', '.join(map(str, missing))}")
    encoder_time, decoder_time = row.encoder_time, row.decoder_time
    if reference.machines and reference.machines | test.machines != reference.machines & test.machines:
        warnings.append(f"no times: the machines differ: {'; '.join(sorted(reference.machines | test.machines))}")
        encoder_time = decoder_time = None
    return ClipComparison(clip, row.bd_rate, encoder_time, decoder_time, tuple(warnings))


def _without_figures(clip, reason):
    return ClipComparison(clip, dict.fromkeys(PLANES), None, None, (reason,))


def _shapes(curve):
    return ", ".join(f"{frames} pictures of {width}x{height}" for width, height, frames in sorted(curve.shapes))


def show_comparison(report, title: str, curves: dict[str, tuple[Curve, Curve]]):
    """Table of one arm against one reference.

    Parameters
    ----------
    report : measuring.Report
    title : says what is compared with what
    curves : reference and test by clip
    """
    rows = [compare_curves(clip, *pair) for clip, pair in curves.items()]
    tests = [test for _, test in curves.values()]
    learned = any("kmac_per_pixel" in result for test in tests for result in test.encoded)
    shown = [
        (row.clip, *_figures(row), *_speeds(test), *(_costs(test) if learned else ()))
        for row, test in zip(rows, tests, strict=True)
    ]
    whole = [row for row in rows if None not in row.bd_rate.values()]
    if len(rows) > 1 and whole:
        name = "mean" if len(whole) == len(rows) else f"mean of {len(whole)} of {len(rows)} clips"
        blank = [None] * (len(shown[0]) - 1 - len(_figures(rows[0])))
        shown.append((name, *_figures(mean_of(whole)), *blank))
    columns = ["clip", *(f"{plane.upper()} %" for plane in PLANES), "EncT %", "DecT %", "encodes/s", "decodes/s"]
    report.table(title, columns + (["kMAC/px", "of training"] if learned else []), shown)
    warnings = [f"- **{row.clip}**: {warning}" for row in rows for warning in row.warnings]
    if warnings:
        report.say("", *warnings)


def _figures(row):
    percents = [row.bd_rate[plane] for plane in PLANES]
    times = [row.encoder_time, row.decoder_time]
    return (
        *(None if value is None else f"{value:+.2f}" for value in percents),
        *(None if value is None else f"{100 * value:.0f}" for value in times),
    )


def _speeds(curve):
    """Pictures a second of CPU time of encoder and decoder, over all points."""
    return [_speed(curve.encoded), _speed(curve.decoded) if len(curve.decoded) == len(curve.encoded) else None]


def _speed(results):
    seconds = sum(result["seconds"] for result in results)
    return f"{sum(result['frames'] for result in results) / seconds:.2f}" if seconds else None


def _costs(curve):
    """kMAC a luma sample of the learned tools and of their training, mean over the points."""
    found = [result.get("kmac_per_pixel", {"inference": 0.0, "training": 0.0}) for result in curve.encoded]
    if not found:
        return [None, None]
    return [f"{sum(costs[name] for costs in found) / len(found):.2f}" for name in ("inference", "training")]


def show_points(report, title: str, curves: dict[str, Curve]):
    """Table of all points of one arm; `curves` by clip."""
    rows = []
    for clip, curve in curves.items():
        seconds = {result["bits"]: result["seconds"] for result in curve.decoded}
        for qp, result in zip(curve.qps, curve.encoded, strict=True):
            hashes = sum(picture["parts"]["hashes"] for picture in result["pictures"])
            times = (result["seconds"], seconds.get(result["bits"]))
            rows.append(
                (clip, result["frames"], qp, result["bits"] - hashes, hashes)
                + tuple(f"{result[f'psnr_{plane}']:.3f}" for plane in PLANES)
                + tuple(None if value is None else f"{value:.2f}" for value in times)
            )
    columns = ("clip", "pictures", "QP", "bits", "hash bits", *(f"PSNR {plane.upper()}" for plane in PLANES))
    report.table(title, (*columns, "encoder s", "decoder s"), rows)
