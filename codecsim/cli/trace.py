"""`codecsim trace`: every syntax element of a stream, and where two traces part."""

import json
from typing import Any

import click

from codecsim.cli.model_option import model_option
from codecsim.cli.progress import PictureProgress, quiet_option
from codecsim.cli.tables import make_table, print_table
from codecsim.experiments.traces import compare_traces, open_trace, write_block_statistics, write_trace
from codecsim.formats.output import STANDARD_STREAM
from codecsim.tracing.differences import as_object, explain
from codecsim.tracing.files import Selection
from codecsim.tracing.summary import summarise

BLOCKS_HELP = "Instead of the trace, write statistics of blocks that YUView draws over the video: see the README."


@click.command("trace")
@click.argument("paths", metavar="IN [IN]", nargs=-1, required=True)
@click.option("--diff", is_flag=True, help="Show the first difference between two traces; status 1 if there is one.")
@click.option("--context", type=click.IntRange(0), default=5, show_default=True, help="Elements around the difference.")
@click.option("-o", "--output", metavar="FILE", help="Where to write the trace; .gz or .xz: compressed.")
@click.option("--picture", type=click.IntRange(0), metavar="N", help="Only picture N in coding order, from 0.")
@click.option("--poc", type=int, metavar="N", help="Only pictures with picture order count N.")
@click.option("--ctu", type=click.IntRange(0), metavar="N", help="Only coding tree unit N in raster scan, from 0.")
@click.option("--element", metavar="NAME", help="Only elements of this name; * and ? stand for others: 'cbf_*'.")
@click.option("--summary", is_flag=True, help="Instead of the elements, what each kind of them takes.")
@click.option("--samples", is_flag=True, help="Digests of each CTU's samples after each step too; --diff has them.")
@click.option("--blocks", metavar="FILE.csv", help=BLOCKS_HELP)
@click.option("--source", metavar="CLIP", help="With --blocks: the original, for the squared error of each block.")
@model_option
@click.option("--json", "as_json", is_flag=True, help="JSON lines instead of columns.")
@quiet_option
def command(
    paths: tuple[str, ...],
    diff: bool,
    context: int,
    output: str | None,
    summary: bool,
    samples: bool,
    blocks: str | None,
    source: str | None,
    models: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    **wanted: Any,
) -> None:
    """Print every syntax element of the stream IN as its decoder reads it, headers and messages included.

    IN can also be a trace, such as `codecsim encode --trace FILE` writes it, to choose from or to compare:
    `codecsim trace --diff clip.trace.gz clip.bin` compares what an encoder meant with what a decoder understands, and
    behind the elements of each picture digests of its motion and samples after each step, and of the learners.

    A line has the picture in coding order and its POC, the NAL unit, the CTU, the block, the element, its value, what
    it takes in bits, and the state of the arithmetic decoder before it: position in the unit, range, offset, and each
    bin with its context and that context's state. What a damaged stream holds up to its fault is printed.

    \b
    Example: codecsim trace clip.bin --picture 1 --element 'part_*'
    """
    if len(paths) != 1 + diff:
        raise click.UsageError(f"{len(paths)} inputs, expected {'two with' if diff else 'one without'} --diff")
    if source is not None and blocks is None:
        raise click.UsageError("--source needs --blocks")
    if diff + summary + (blocks is not None) > 1:
        raise click.UsageError("only one of --diff, --summary and --blocks")
    other = "--diff" if diff else "--summary" if summary else "--blocks" if blocks is not None else None
    if output is not None and other:
        raise click.UsageError(f"-o is for the trace, which {other} does not write")
    if as_json and blocks is not None:
        raise click.UsageError("--json is for the trace, --diff and --summary, not for the statistics of --blocks")
    selection = Selection(**wanted, samples=samples or diff)
    if diff:
        _compare(paths, context, selection, models, as_json)
        return
    with PictureProgress("trace", None, quiet) as progress:
        if blocks is not None:
            write_block_statistics(paths[0], blocks, models, source, lambda report: progress.advance())
            return
        if summary:
            with open_trace(paths[0], models, lambda report: progress.advance()) as (_, records):
                rows = summarise(selection(records))
            _print_summary(rows, as_json)
            return
        write_trace(paths[0], output or STANDARD_STREAM, as_json, selection, models, lambda report: progress.advance())


def _print_summary(rows: list[dict], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = make_table("element", "component")
    for name in ("count", "bins", "bits", "share"):
        table.add_column(name, justify="right")
    for row in rows:
        cells = (row["element"], row["component"] or "", f"{row['count']}", f"{row['bins']}", f"{row['bits']:.1f}")
        table.add_row(*cells, f"{row['share']:.2%}")
    print_table(table)


def _compare(
    paths: tuple[str, ...], context: int, selection: Selection, models: tuple[str, ...], as_json: bool
) -> None:
    """Print the first difference, or that there is none, and leave with the status that says so."""
    difference, equal = compare_traces(paths[0], paths[1], context, selection, models)
    if as_json:
        found = None if difference is None else as_object(difference)
        click.echo(json.dumps({"equal_elements": equal, "difference": found}, indent=2))
    elif difference is None:
        click.echo(f"equal: {equal} elements")
    else:
        click.echo("\n".join(explain(difference)))
    click.get_current_context().exit(0 if difference is None else 1)
