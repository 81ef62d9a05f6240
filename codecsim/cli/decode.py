"""`codecsim decode`: stream in, video out."""

import json

import click

from codecsim.cli.model_option import model_option
from codecsim.cli.number_choice import NumberChoice
from codecsim.cli.progress import PictureProgress, quiet_option
from codecsim.formats.output import STANDARD_STREAM
from codecsim.picture.planes import BIT_DEPTHS


@click.command("decode")
@click.argument("input_path", metavar="IN")
@click.option("-o", "--output", metavar="OUT.y4m", help="The video to write; - for standard output. None: only check.")
@click.option(
    "--bit-depth",
    type=NumberChoice(BIT_DEPTHS),
    help="Bits a sample in the output: shifted up, or down with rounding. As coded if not given.",
)
@click.option("--keep-partial", is_flag=True, help="Keep the pictures before an error.")
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Of the filter.")
@model_option
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@quiet_option
def command(
    input_path: str,
    output: str | None,
    bit_depth: int | None,
    keep_partial: bool,
    threads: int,
    models: tuple[str, ...],
    as_json: bool,
    quiet: bool,
) -> None:
    """Decode the stream IN and check every hash that it carries.

    The decoder learns as the encoder did. It stops at the first picture or learner that differs.

    \b
    Example: codecsim decode clip.bin -o decoded.y4m
    """
    from codecsim.api.coding import decode

    if output == STANDARD_STREAM and as_json:
        raise click.UsageError("only one of -o and --json can go to standard output")
    with PictureProgress("decode", None, quiet) as progress:
        decoded = decode(
            input_path,
            models=models,
            threads=threads,
            on_picture=lambda report: progress.advance(f"{report.type} {report.bits} bits"),
            output=output,
            video=False,
            bit_depth=bit_depth,
            keep_partial=keep_partial,
        )
    result = decoded.result
    if as_json:
        click.echo(json.dumps(result, indent=2, allow_nan=False))
    elif output != STANDARD_STREAM:
        click.echo(
            f"{output or result['input']}: {result['frames']} pictures of {result['width']}x{result['height']}, "
            f"all hashes right, {result['frames'] / result['seconds']:.2f} pictures a second"
        )
