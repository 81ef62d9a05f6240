"""`codecsim sweep`: run an experiment file."""

import contextlib
import dataclasses
import json
import logging
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import click

from codecsim.api.comparing import sweep
from codecsim.cli.progress import quiet_option
from codecsim.experiments.database import sources_digest
from codecsim.experiments.experiment_file import read_experiment
from codecsim.experiments.sweep import Plan, make_plan, missing_jobs


@click.command("sweep")
@click.argument("experiment", metavar="EXPERIMENT.toml")
@click.option("-o", "--output", metavar="FILE.sqlite", help="Database of runs; beside the experiment if not given.")
@click.option("-j", "--jobs", type=click.IntRange(1, 1024), metavar="N", help="Runs at a time; default: the cores.")
@click.option("--scheduler", metavar="URL", help="Run on this Dask cluster instead, such as tcp://host:8786.")
@click.option(
    "--segments",
    type=click.IntRange(1),
    metavar="N",
    help="Code each run in up to N pieces at a time, cut at IDR pictures; the streams stay the same.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would run.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as one JSON object.")
@quiet_option
def command(
    experiment: str,
    output: str | None,
    jobs: int | None,
    scheduler: str | None,
    segments: int | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run what is missing of EXPERIMENT.toml, clips x QPs x arms, and print its tables.

    Every run is kept in the database as soon as it is done and is not repeated, so an interrupted sweep goes on when it
    is started again. With metrics = ["ssim", "ms-ssim", "vmaf"], or some of them, in the file each run is measured by
    these too, as `codecsim metrics` would measure its stream; kept runs that were not are done again.
    benchmarks/experiments has an example; codecsim/experiments/experiment_file.py says what a file may hold.

    \b
    Example: codecsim sweep bunny.toml -o bunny.sqlite --jobs 2
    """
    if scheduler and jobs:
        raise click.UsageError("--jobs is for this machine; with --scheduler the cluster's workers count")
    file = read_experiment(experiment, runs_here=scheduler is None)
    if segments is not None:
        file = dataclasses.replace(file, segments=segments)
    output = output or str(pathlib.Path(experiment).with_suffix(".sqlite"))
    plan = make_plan(file, sources_digest())
    if dry_run:
        _show_plan(plan, output, as_json)
        return 0
    with _workers(scheduler, jobs) as workers:
        done = sweep(file, output=output, workers=workers, quiet=quiet)
    if as_json:
        report: dict[str, Any] = {
            "experiment": file.name,
            "database": output,
            "sources": plan.sources,
            "reference": file.reference,
        }
        report |= {"arms": plan.experiment.arms, "results": done.results}
        report["failed"] = [{"run": str(outcome.task), "error": outcome.error} for outcome in done.failed]
        click.echo(json.dumps(report, indent=2, allow_nan=False))
    else:
        click.echo(done.markdown(), nl=False)
    for outcome in done.failed:
        click.echo(f"codecsim: error: {outcome.task}: {(outcome.error or '').strip()}", err=True)
    return 1 if done.failed else 0


@contextlib.contextmanager
def _workers(scheduler: str | None, jobs: int | None) -> Iterator[Any]:
    """What the runs are done by."""
    if scheduler is None:
        yield jobs or os.cpu_count()
        return
    from codecsim.experiments.cluster import ClusterWorkers

    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters of it is in our own line
    with ClusterWorkers(scheduler) as workers:
        yield workers


def _show_plan(plan: Plan, database: str, as_json: bool) -> None:
    """Say what would run."""
    count, missing = missing_jobs(plan, database)
    if as_json:
        runs = [{"run": str(job), "key": job.key(plan.sources)} for job in missing]
        click.echo(json.dumps({"experiment": plan.file.name, "runs": count, "missing": runs}, indent=2))
        return
    file = plan.file
    sizes = f"{len(file.clips)} clips x {len(file.qps)} QPs x {len(file.arms)} arms, {', '.join(file.configs)}"
    click.echo(f"{file.name}: {sizes}: {count} runs, {count - len(missing)} already in {database}, to do:")
    for job in missing:
        click.echo(f"  {job}, {job.config.frames} pictures")
