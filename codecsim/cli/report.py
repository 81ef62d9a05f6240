"""`codecsim report`: tables and figures of an experiment as one page."""

import dataclasses
import json
import os

import click


@click.command("report")
@click.argument("database", metavar="DATABASE")
@click.option("-o", "--output", metavar="PAGE.html", help="The page; default: DATABASE's name with .html.")
@click.option("--markdown", metavar="FILE", help="Write the tables as Markdown too.")
@click.option("--csv", "csv_folder", metavar="FOLDER", help="Write all tables as CSV too, a file each.")
@click.option("--xlsx", "workbook", metavar="FILE.xlsx", help="Write all tables for Excel too, a sheet each.")
@click.option("--experiment", metavar="NAME", help="Which experiment of the file; default: the one last started.")
@click.option("--version", "version", metavar="NAME", help="All runs of a version, by label or first digits.")
@click.option("--reference", metavar="ARM", help="Arm to compare with; default: that of the experiment.")
@click.option("--arm", "arms", multiple=True, metavar="ARM", help="Only these arms; give it once for each.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with the tables.")
def command(
    database: str,
    output: str,
    markdown: str | None,
    csv_folder: str | None,
    workbook: str | None,
    experiment: str | None,
    version: str | None,
    reference: str | None,
    arms: tuple[str, ...],
    as_json: bool,
) -> None:
    """Make one HTML page of the runs in DATABASE: tables and figures, nothing from the network.

    DATABASE is what `codecsim sweep` or the campaigns of benchmarks wrote. Runs that are missing are said and left out.
    Beside PSNR there are tables and curves of each metric that all runs have (`metrics` of an experiment's file).

    \b
    Example: codecsim report exp.sqlite -o exp.html --markdown exp.md --csv tables
    """
    from codecsim.experiments.report.making import make_report
    from codecsim.experiments.report.study import Selection

    output = output or f"{os.path.splitext(database)[0]}.html"
    if as_json and "-" in (output, markdown):
        raise click.UsageError("standard output cannot be both a file and --json")
    selection = Selection(experiment, version, reference, arms)
    found = make_report(database, output, selection, markdown, csv_folder, workbook)
    for text in found.study.warnings:
        click.echo(f"codecsim: warning: {text}", err=True)
    study = found.study
    if as_json:
        by_metric = [found.tables, *found.qualities.values()]
        found_arms = [by_arm for by_config in by_metric for by_arm in by_config.values()]
        tables = [dataclasses.asdict(table) for by_arm in found_arms for table in by_arm.values()]
        result = {"page": output, "bytes": found.page_bytes, "runs": study.runs, "asked": study.asked, "tables": tables}
        click.echo(json.dumps(result, indent=2))
    elif output != "-":
        megabytes = found.page_bytes / 1e6
        click.echo(f"{output}: {study.runs} of {study.asked} runs, {len(study.arms)} arms, {megabytes:.1f} MB")
