"""`codecsim compare`: BD-rate between sets of results."""

import dataclasses
import json

import click
from rich.console import Console
from rich.table import Table

from codecsim.experiments.compare import PLANES, ClipComparison, compare, read_result


class ListOption(click.Command):
    """Lets `--test` take all the files that follow it, as a shell's pattern gives them."""

    def parse_args(self, ctx, args):
        spread, after_test = [], False
        for word in args:
            if word.startswith("-"):
                after_test = word == "--test"
                spread += [] if after_test else [word]
            else:
                spread += ["--test", word] if after_test else [word]
        return super().parse_args(ctx, spread)


@click.command("compare", cls=ListOption)
@click.argument("anchor", nargs=-1, required=True, metavar="ANCHOR.json...")
@click.option("--test", "test", multiple=True, required=True, metavar="TEST.json...", help="Results to compare.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
def command(anchor, test, as_json):
    """Print the BD-rate (PCHIP) of TEST against ANCHOR, for Y, U and V, and the ratios of time.

    Each file is what `encode --json` printed; give one per QP, at least four. With the results of `decode --json`
    among them, the ratio of decoding time is printed too. Negative: TEST needs fewer bits. The bits of the hashes,
    which check the decoder, do not count.

    \b
    Example: codecsim compare off_*.json --test online_*.json
    """
    rows = compare([read_result(path) for path in anchor], [read_result(path) for path in test])
    if as_json:
        click.echo(json.dumps({"clips": [dataclasses.asdict(row) for row in rows]}, indent=2))
        return
    Console(soft_wrap=True).print(_table(rows))
    for row in rows:
        for text in row.warnings:
            click.echo(f"codecsim: warning: {row.clip}: {text}", err=True)


def _table(rows: list[ClipComparison]) -> Table:
    columns = [f"BD-rate {plane.upper()}" for plane in PLANES]
    table = Table("clip", *columns, "EncT", "DecT", title="bits without hashes", title_style="")
    for row in rows:
        percents = (_shown(row.bd_rate[plane], "{:+.2f} %") for plane in PLANES)
        ratios = (_shown(ratio, "{:.2f} x") for ratio in (row.encoder_time, row.decoder_time))
        table.add_row(row.clip, *percents, *ratios)
    return table


def _shown(value: float | None, style: str) -> str:
    return "-" if value is None else style.format(value)
