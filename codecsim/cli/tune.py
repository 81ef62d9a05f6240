"""`codecsim tune`: search for settings of the learners."""

import json
from typing import Any

import click

from codecsim.cli.progress import quiet_option
from codecsim.extras import needed


@click.command("tune")
@click.argument("plan_path", metavar="PLAN.toml")
@click.option("--clips", metavar="FOLDER", help="Where the plan's validation clips are; the bundled clip if not given.")
@click.option("--test-clips", metavar="FOLDER", help="Measure preset and default on the plan's test clips at the end.")
@click.option("--trials", type=click.IntRange(1), default=50, show_default=True, help="Of the study, earlier ones too.")
@click.option("--timeout", type=click.FloatRange(0), metavar="S", help="Begin no trial after so many seconds.")
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Trials at a time.")
@click.option("--storage", metavar="URL", help="Database of trials, for several machines; default: that of the runs.")
@click.option("--database", default="build/tune.sqlite", show_default=True, help="SQLite file of runs.")
@click.option("--trial", type=click.IntRange(0), metavar="N", help="Make the preset of this trial, not of the best.")
@click.option("--preset", metavar="NAME|FILE", help="Measure this preset instead of searching for one.")
@click.option("-o", "--output", metavar="PRESET.toml", help="Write the preset, for encode --settings.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@quiet_option
def command(plan_path: str, output: str | None, as_json: bool, quiet: bool, **settings: Any) -> None:
    """Search for settings of the learners as PLAN.toml says, and make a preset of the best.

    Each trial codes the plan's validation clips; what was coded before is found in the database. The same command
    again goes on where it was. benchmarks/tuning has plans, and says what they are made of.

    \b
    Example: codecsim tune benchmarks/tuning/threshold-ldp.toml --clips clips --trials 40 -o preset.toml
    """
    for module in ("optuna", "tomlkit"):
        needed(module, "tune")
    from codecsim.experiments.tuning.command import TuneSettings, tune
    from codecsim.experiments.tuning.plan import read_plan

    result = tune(read_plan(plan_path), TuneSettings(**settings), _silent if quiet else _say)
    if output is not None:
        result.write(output)
    click.echo(json.dumps(result.plain(), indent=2, allow_nan=False) if as_json else "\n".join(result.lines()))


def _say(line: str) -> None:
    click.echo(line, err=True)


def _silent(line: str) -> None:
    pass
