"""Making a report: from a database to a page, Markdown and CSV."""

import contextlib
import io
import os
import pathlib
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from codecsim.errors import ConfigError
from codecsim.experiments.compare import METRICS
from codecsim.experiments.report.overview import all_points, comparisons, overview, quality_comparisons
from codecsim.experiments.report.page import page
from codecsim.experiments.report.study import Selection, Study, read_study
from codecsim.experiments.tables import Table, notes_of
from codecsim.extras import needed
from codecsim.formats.output import atomic_output, output_errors

SHEET_NAME = 31  # characters that Excel allows


class Report(NamedTuple):
    """What was reported."""

    study: Study
    tables: dict[str, dict[str, Table]]  # comparisons by configuration and arm
    qualities: dict[str, dict[str, dict[str, Table]]]  # the same of other metrics than PSNR, by metric
    page_bytes: int


def make_report(
    database: str,
    page_path: str,
    selection: Selection,
    markdown: str | None = None,
    csv_folder: str | None = None,
    workbook: str | None = None,
) -> Report:
    """Write the page of a database, and where asked for its tables.

    Parameters
    ----------
    database : path
    page_path : of the page, `-` for standard output
    selection : Selection
    markdown : path of all tables as Markdown, optional
    csv_folder : folder for all tables, a file each, optional
    workbook : path of all tables as one file for Excel, a sheet each, optional

    Raises
    ------
    CodecError : the database cannot be read, or a file cannot be written; then none is left
    """
    _keep_apart(database, page_path, markdown, workbook)
    study = read_study(database, selection)
    tables, qualities = comparisons(study), quality_comparisons(study)
    text = page(study, tables, qualities).encode()
    with contextlib.ExitStack() as stack:
        outputs: dict[str | os.PathLike, bytes] = {page_path: text}
        if markdown is not None:
            outputs[markdown] = markdown_of(study, tables, qualities).encode()
        if csv_folder is not None:
            folder = pathlib.Path(csv_folder)
            with output_errors(str(folder)):
                folder.mkdir(parents=True, exist_ok=True)
            made = csv_tables(study, tables, qualities)
            outputs |= {folder / name: found.csv().encode() for name, found in made.items()}
        if workbook is not None:
            outputs[workbook] = workbook_of(csv_tables(study, tables, qualities))
        for path, data in outputs.items():
            stack.enter_context(atomic_output(path)).write(data)
    return Report(study, tables, qualities, len(text))


def _keep_apart(database: str, page_path: str, markdown: str | None, workbook: str | None) -> None:
    """Refuse outputs that are each other, or the database."""
    paths = [os.path.realpath(path) for path in (database, page_path, markdown, workbook) if path is not None]
    if len(set(paths)) < len(paths):
        raise ConfigError("report: database, page, Markdown and workbook cannot have the same name")


def markdown_of(
    study: Study, tables: Mapping[str, Mapping[str, Table]], qualities: Mapping[str, Mapping[str, Mapping[str, Table]]]
) -> str:
    """All tables but those of points, and what is to be said of them."""
    lines = [f"# {study.title}", "", f"{study.runs} of {study.asked} runs, compared with {study.reference}."]
    lines += [notes_of(study.metrics), "", *(f"- {text}" for text in (*study.versions, *study.machines))]
    if study.warnings:
        lines += ["", *(f"- **Warning**: {text}" for text in study.warnings)]
    for config, found in tables.items():
        if found:
            lines += ["", f"## {config}", "", *overview(study, config, found).markdown()]
        for arm, table in found.items():
            lines += ["", f"**{arm} against {study.reference}**", "", *table.markdown()]
        for metric, by_config in qualities.items():
            if by_config[config]:
                title = METRICS[metric].title
                lines += ["", f"### {config}, {title}", "", *overview(study, config, by_config[config]).markdown()]
            for arm, table in by_config[config].items():
                lines += ["", f"**{arm} against {study.reference}, {title}**", "", *table.markdown()]
    return "\n".join(lines) + "\n"


def csv_tables(
    study: Study, tables: Mapping[str, Mapping[str, Table]], qualities: Any = MappingProxyType({})
) -> dict[str, Table]:
    """All tables by the name of their file."""
    found = {}
    for metric, by_config in {"psnr": tables, **qualities}.items():
        end = "" if metric == "psnr" else f"_{metric}"
        for config, by_arm in by_config.items():
            if by_arm:
                found[f"{config}_means{end}"] = overview(study, config, by_arm)
            found |= {f"{config}_{arm}_against_{study.reference}{end}": table for arm, table in by_arm.items()}
    for config, by_arm in all_points(study).items():
        found |= {f"{config}_{arm}_points": table for arm, table in by_arm.items()}
    names = {}
    for text, table in found.items():
        name = plain = re.sub(r"[^\w.+=-]+", "_", text)[:120]
        count = 1
        while f"{name}.csv" in names:
            count += 1
            name = f"{plain}_{count}"
        names[f"{name}.csv"] = table
    return names


def workbook_of(tables: Mapping[str, Table]) -> bytes:
    """A file for Excel with a sheet for each table, whose name begins as that of its CSV file.

    Raises
    ------
    ConfigError : openpyxl is not installed
    """
    openpyxl = needed("openpyxl", "report --xlsx")
    workbook = openpyxl.Workbook(write_only=True)
    for number, (name, table) in enumerate(tables.items(), 1):
        sheet = workbook.create_sheet(f"{number} {name.removesuffix('.csv')}"[:SHEET_NAME])
        for row in ([column.name for column in table.columns], *(row.values for row in table.rows)):
            sheet.append(list(row))
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()
