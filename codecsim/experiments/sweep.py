"""Running an experiment: its runs, what it is in the database, its tables."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence

from codecsim.errors import ConfigError
from codecsim.experiments.cluster import ClusterWorkers
from codecsim.experiments.compare import METRICS, common_metrics, quality_of
from codecsim.experiments.curves import Curve, experiment_curves
from codecsim.experiments.database import Cell, Database, Experiment
from codecsim.experiments.experiment_file import ExperimentFile
from codecsim.experiments.jobs import run_all, to_do
from codecsim.experiments.segments import why_whole
from codecsim.experiments.tables import Table, comparison_table, notes_of, points_table
from codecsim.experiments.work import Job, Outcome

QPS_OF_A_CURVE = 4  # points that a BD-rate needs


@dataclasses.dataclass(frozen=True)
class Plan:
    """What an experiment runs."""

    file: ExperimentFile
    sources: str  # digest of this version
    jobs: tuple[Job, ...]  # arms may share some
    experiment: Experiment


def make_plan(file: ExperimentFile, sources: str) -> Plan:
    """All runs of an experiment with this version of the sources.

    Raises
    ------
    ConfigError : runs are to be coded in pieces, and none can be
    """
    jobs, cells = [], []
    for config in file.configs:
        for clip in file.clips:
            for arm in file.arms:
                for qp in file.qps:
                    job = Job(clip, file.encoder_config(arm, config, qp, clip), arm.name, file.metrics)
                    frames = job.config.frames or clip.frames
                    cells.append(Cell(arm.name, config, clip.name, clip.sha256, qp, frames, job.key(sources)))
                    jobs.append(job)
    reasons = [why_whole(job.config) for job in jobs]
    if file.segments > 1 and None not in reasons:
        told = sorted({reason for reason in reasons if reason is not None})
        raise ConfigError(f"no run can be coded in pieces: {'; '.join(told)}")
    arms = {arm.name: arm.options for arm in file.arms}
    experiment = Experiment(file.name, file.text, file.reference, arms, tuple(cells), sources)
    return Plan(file, sources, tuple(jobs), experiment)


def missing_jobs(plan: Plan, database: str | os.PathLike) -> tuple[int, list[Job]]:
    """How many different runs there are, and those that the database does not hold."""
    if not os.path.exists(database):
        different = {job.key(plan.sources): job for job in plan.jobs}
        return len(different), list(different.values())
    different, missing = to_do(plan.jobs, database, plan.sources, plan.file.decode)
    return len(different), list(missing.values())


def run_plan(
    plan: Plan, database: str | os.PathLike, workers: ClusterWorkers | int, quiet: bool = False
) -> list[Outcome]:
    """Run what is missing; what the experiment consists of is kept before it starts.

    Parameters
    ----------
    plan : Plan
    database : path
    workers : as jobs.run_all takes them
    quiet : bool, no progress on standard error

    Returns
    -------
    Outcomes of what failed
    """
    with Database(database) as kept:
        kept.add_version(plan.sources)
        kept.add_experiment(plan.experiment)
    return run_all(plan.jobs, database, plan.sources, workers, plan.file.decode, plan.file.segments, quiet)


def results(database: str | os.PathLike, experiment: Experiment, metrics: Sequence[str] = ()) -> list[dict]:
    """The points of an experiment that are done, in its order, with what was measured of `metrics`."""
    names = ("frames", "hash_bits", "psnr_y", "psnr_u", "psnr_v", "encoder_seconds", "decoder_seconds")
    points = []
    with Database(database) as kept:
        for cell in experiment.cells:
            row = kept.find(cell.key)
            if row is not None:
                where = {"arm": cell.arm, "config": cell.config, "clip": cell.clip, "qp": cell.qp}
                measured = quality_of(json.loads(row["result"]), metrics) if metrics else {}
                sizes = {"bits": row["bits"] - row["hash_bits"], "file_bits": row["bits"]}
                kept_of_row = {name: row[name] for name in (*names, "stream_sha256", "key")}
                points.append(where | sizes | kept_of_row | measured)
    return points


def _tables(
    found: Mapping[str, Mapping[str, Mapping[str, Curve]]], measured: tuple[str, ...], experiment: Experiment
) -> list[Table]:
    """Each arm against the reference, configuration by configuration; the points where nothing can be compared.

    found : of experiment_curves
    measured : metrics, there is a table for each
    """
    made = []
    for config, arms in found.items():
        reference = arms[experiment.reference]
        for arm, curves in arms.items():
            what = f"{config}, {arm} (`{experiment.options_of(arm)}`)"
            if arm != experiment.reference:
                pairs = {clip: (reference[clip], own) for clip, own in curves.items()}
                for metric in measured:
                    title = f"**{what} against {experiment.reference}{_of_metric(metric)}**"
                    made.append(comparison_table(title, pairs, metric))
            if len(arms) == 1 or all(len(curve.qps) < QPS_OF_A_CURVE for curve in curves.values()):
                made.append(points_table(f"**{what}, points**", curves))
    return made


def _of_metric(metric: str) -> str:
    return "" if metric == "psnr" else f", {METRICS[metric].title}"


def markdown(database: str | os.PathLike, experiment: Experiment) -> str:
    """The tables of PSNR and of each other metric that all runs have, as text."""
    with Database(database) as kept:
        found = experiment_curves(kept, experiment)
    curves = [curve for arms in found.values() for clips in arms.values() for curve in clips.values()]
    measured = common_metrics(result for curve in curves for result in curve.encoded)
    lines = [f"# {experiment.name}", "", f"Version {experiment.sources}. {notes_of(measured)}"]
    for table in _tables(found, measured, experiment):
        lines += ["", table.title, "", *table.markdown()]
    return "".join(f"{line}\n" for line in lines)
