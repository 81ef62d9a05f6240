"""`codecsim info`: what is in a stream."""

import json
import shutil
import tempfile
from typing import BinaryIO

import click

from codecsim.cli.model_option import model_option
from codecsim.cli.progress import PictureProgress, quiet_option
from codecsim.cli.tables import make_table, print_table
from codecsim.experiments.inspection import bits_per_part, read_parameter_sets
from codecsim.experiments.runs import decode_stream
from codecsim.formats.video import open_stream
from codecsim.tools import TOOLS, tool_named

PICTURE_COLUMNS = ("poc", "type", "qp", "bits", *(field for tool in TOOLS for field in tool.shown))


@click.command("info")
@click.argument("input_path", metavar="IN")
@model_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@quiet_option
def command(input_path: str, models: tuple[str], as_json: bool, quiet: bool) -> None:
    """Print what the stream IN holds: parameter sets, learned tools, pictures, bits per part of the syntax.

    The pictures are decoded on the way, so their hashes are checked too.

    \b
    Example: codecsim info clip.bin
    """
    with open_stream(input_path) as (source, name), tempfile.TemporaryFile() as copy:
        stream: BinaryIO = source
        if not stream.seekable():
            shutil.copyfileobj(stream, copy)
            stream = copy
            stream.seek(0)
        headers = read_parameter_sets(stream)
        if not as_json:
            _print_headers(headers)
        stream.seek(0)
        with PictureProgress("info", None, quiet) as progress:
            result = decode_stream(stream, name, on_picture=lambda report: progress.advance(), models=models)
    result |= headers | {"parts": bits_per_part(result["pictures"])}
    if as_json:
        click.echo(json.dumps(result, indent=2, allow_nan=False))
    else:
        _print_pictures(result)


def _print_headers(headers: dict) -> None:
    for fields in headers["parameter_sets"]:
        told = (f"{name} {json.dumps(value)}" for name, value in fields.items() if name != "kind")
        click.echo(f"{fields['kind'].upper()}: {', '.join(told)}")
    if headers["learned"]:
        version, tools = headers["learned"]["arithmetic_version"], headers["learned"]["tools"]
        click.echo(f"Tools beyond the standard, arithmetic version {version}:")
        for name, said in tools.items():
            settings = said.get("settings", {})
            values = ", ".join(f"{setting} {json.dumps(value)}" for setting, value in settings.items())
            weights = f", weights {said['weights_digest']}" if "weights_digest" in said else ""
            click.echo(f"  {name}: {tool_named(name).title}{weights}{': ' if values else ''}{values}")
    else:
        click.echo("Tools beyond the standard: none, this is HEVC")


def _print_pictures(result: dict) -> None:
    columns = [name for name in PICTURE_COLUMNS if any(name in picture for picture in result["pictures"])]
    pictures = make_table(*columns, title=f"{result['frames']} pictures of {result['width']}x{result['height']}")
    for picture in result["pictures"]:
        pictures.add_row(*(_shown(picture.get(name)) for name in columns))
    rates = f"{result['bits']} bits, {result['kbps']:.2f} kbit/s, and {result['hash_bits']} bits of hashes"
    parts = make_table("part", "bits", "share", title=rates)
    for part, bits in sorted(result["parts"].items(), key=lambda item: -item[1]):
        parts.add_row(part, str(bits), f"{bits / result['bits']:.1%}")
    print_table(pictures)
    print_table(parts)


def _shown(value: float | str | None) -> str:
    if isinstance(value, dict):
        value = float(sum(value.values()))
    return "" if value is None else f"{value:.1%}" if isinstance(value, float) else str(value)
