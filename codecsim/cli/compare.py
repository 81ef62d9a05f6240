"""`codecsim compare`: BD-rate between sets of results."""

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from codecsim.api.comparing import compare
from codecsim.cli.tables import make_table, print_table
from codecsim.experiments.bootstrap import LEVEL, MIN_VALUES, RESAMPLES, SEED
from codecsim.experiments.compare import METRICS, ClipComparison

if TYPE_CHECKING:
    from rich.table import Table

CONFIDENCE_HELP = (
    f"Of the mean's interval, from {MIN_VALUES} clips up: bootstrap over clips (BCa, {RESAMPLES} means, seed {SEED})."
)


class ListOption(click.Command):
    """Lets `--test` take all the files that follow it, as a shell's pattern gives them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
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
@click.option(
    "--metric", type=click.Choice(list(METRICS)), default="psnr", show_default=True, help="Quality that is compared."
)
@click.option(
    "--confidence",
    type=click.FloatRange(50, 99.9),
    default=100 * LEVEL,
    show_default=True,
    metavar="PERCENT",
    help=CONFIDENCE_HELP,
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")
def command(anchor: tuple[str, ...], test: tuple[str, ...], metric: str, confidence: float, as_json: bool) -> None:
    """Print the BD-rate (PCHIP) of TEST against ANCHOR, for Y, U and V, and the ratios of time.

    Each file is what `encode --json` printed; give one per QP, at least four. With the results of `decode --json`
    among them, the ratio of decoding time is printed too. Negative: TEST needs fewer bits. The bits of the hashes,
    which check the decoder, do not count. Metrics but PSNR are there when `encode --metrics` measured them; VMAF is of
    luma; SSIM and MS-SSIM are compared in dB, -10 log10(1 - mean). Curves that should not be trusted are warned of.

    \b
    Example: codecsim compare off_*.json --test online_*.json
    """
    rows = compare(anchor, test, metric=metric, confidence=confidence / 100).clips
    if as_json:
        clips = [dataclasses.asdict(row) for row in rows]
        click.echo(json.dumps({"metric": metric, "confidence": confidence / 100, "clips": clips}, indent=2))
        return
    print_table(_table(rows, METRICS[metric].title, confidence))
    for row in rows:
        for text in row.warnings:
            click.echo(f"codecsim: warning: {row.clip}: {text}", err=True)


def _table(rows: Sequence[ClipComparison], metric: str, level: float) -> "Table":
    planes = list(rows[0].bd_rate)
    columns = [f"BD-rate {plane.upper()}" for plane in planes]
    table = make_table("clip", *columns, "EncT", "DecT", title=f"{metric}, bits without hashes", title_style="")
    for row in rows:
        percents = (_shown(row.bd_rate.get(plane), "{:+.2f} %") for plane in planes)
        ratios = (_shown(ratio, "{:.2f} x") for ratio in (row.encoder_time, row.decoder_time))
        table.add_row(row.clip, *percents, *ratios)
        if any(row.confidence.values()):
            for name, end in ((f"{level:g} % from", "low"), ("to", "high")):
                ends = (getattr(row.confidence[plane], end, None) for plane in planes)
                table.add_row(name, *(_shown(value, "{:+.2f} %") for value in ends), "", "")
    return table


def _shown(value: float | None, style: str) -> str:
    return "-" if value is None else style.format(value)
