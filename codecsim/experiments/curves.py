"""Rate-distortion curves of one clip and their comparison: one row of every table of BD-rates."""

import dataclasses
import json
from collections.abc import Iterable, Sequence
from typing import Any

from codecsim.codec.config import EncoderConfig
from codecsim.experiments.clips import Clip
from codecsim.experiments.compare import METRICS, ClipComparison, compare
from codecsim.experiments.database import Database, Experiment


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


def find_curve(kept: Database, sources: str, clip: Clip, config: EncoderConfig, qps: Sequence[int]) -> Curve:
    """Curve of the runs of a version, with the settings of an EncoderConfig, at those of the QPs that there are."""
    rows = kept.curve(sources, clip.sha256, config)
    return curve_of_runs([row for row in rows if row["qp"] in qps])


def experiment_curves(kept: Database, experiment: Experiment) -> dict[str, dict[str, dict[str, Curve]]]:
    """Curves of an experiment of a database by configuration, arm and clip; a run that is not done is no point."""
    rows: dict[Any, Any] = {}
    for cell in experiment.cells:
        clips = rows.setdefault(cell.config, {}).setdefault(cell.arm, {})
        found = kept.find(cell.key)
        clips.setdefault(cell.clip, []).extend([found] if found else [])
    return {
        config: {
            arm: {clip: curve_of_runs(sorted(found, key=lambda row: row["qp"])) for clip, found in clips.items()}
            for arm, clips in arms.items()
        }
        for config, arms in rows.items()
    }


def curve_of_runs(rows: Sequence[Any]) -> Curve:
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


def curve_of_anchors(points: Iterable[dict[str, Any]]) -> Curve:
    """Curve of the points of an anchor."""
    encoded = tuple(point | {"input": point["clip"], "seconds": 0.0} for point in points)
    return Curve(tuple(point["qp"] for point in points), encoded)


def compare_curves(clip: str, reference: Curve, test: Curve, metric: str = "psnr") -> ClipComparison:
    """One row of a table; where there is nothing to compare, one without figures whose warnings say why.

    metric : a key of METRICS that all points have
    """
    for name, curve in (("the reference", reference), ("this arm", test)):
        if not curve.encoded:
            return _without_figures(clip, metric, f"{name} has no points")
        if len(curve.shapes) > 1:
            return _without_figures(clip, metric, f"{name}: pictures differ between points: {_shapes(curve)}")
    if reference.shapes != test.shapes:
        return _without_figures(clip, metric, f"the reference is {_shapes(reference)}, this arm {_shapes(test)}")
    (row,) = compare((*reference.encoded, *reference.decoded), (*test.encoded, *test.decoded), metric)
    warnings = list(row.warnings)
    for name, own, other in (("the reference", reference, test), ("this arm", test, reference)):
        missing = sorted(set(other.qps) - set(own.qps))
        if missing:
            warnings.append(f"{name} has no point at QP {', '.join(map(str, missing))}")
    encoder_time, decoder_time = row.encoder_time, row.decoder_time
    if metric != "psnr":
        encoder_time = decoder_time = None  # tables of PSNR have them
    elif reference.machines and reference.machines | test.machines != reference.machines & test.machines:
        warnings.append(f"no times: the machines differ: {'; '.join(sorted(reference.machines | test.machines))}")
        encoder_time = decoder_time = None
    return ClipComparison(clip, row.bd_rate, encoder_time, decoder_time, tuple(warnings))


def _without_figures(clip: str, metric: str, reason: str) -> ClipComparison:
    return ClipComparison(clip, dict.fromkeys(METRICS[metric].fields), None, None, (reason,))


def _shapes(curve: Curve) -> str:
    return ", ".join(f"{frames} pictures of {width}x{height}" for width, height, frames in sorted(curve.shapes))
