"""`codecsim demo`: the whole codec on a bundled clip."""

import dataclasses
import hashlib
import pathlib
import tempfile
from typing import TYPE_CHECKING

import click

from codecsim.cli.progress import PictureProgress, quiet_option
from codecsim.cli.tables import make_table, print_table
from codecsim.codec.config import EncoderConfig
from codecsim.errors import MismatchError
from codecsim.experiments.bdrate import bd_rate
from codecsim.experiments.compare import coded_bits
from codecsim.experiments.runs import decode_stream, encode_video
from codecsim.formats.video import open_video
from codecsim.resources import bundled_clip

if TYPE_CHECKING:
    from rich.table import Table

FILTERS = ("off", "online")


@dataclasses.dataclass(frozen=True)
class DemoRow:
    """One stream of the demo."""

    filter_mode: str
    qp: int
    encoded: dict  # result of the encoder
    decoded: dict  # result of the decoder

    @property
    def trained_steps(self) -> int:
        return sum(picture.get("trained_steps", 0) for picture in self.encoded["pictures"])


@click.command("demo")
@click.option("--frames", type=click.IntRange(min=1), default=24, show_default=True, help="Pictures to code.")
@click.option(
    "-q",
    "--qp",
    "qps",
    type=click.IntRange(0, 51),
    multiple=True,
    default=(27, 37),
    show_default=True,
    help="QP; may be given several times.",
)
@quiet_option
def command(frames: int, qps: tuple[int, ...], quiet: bool) -> None:
    """Encode a bundled clip without and with the learning filter, decode both, verify, print a table.

    \b
    Example: codecsim demo --frames 10 --qp 32
    """
    with tempfile.TemporaryDirectory(prefix="codecsim-demo-") as folder:
        rows = [_run(pathlib.Path(folder), mode, qp, frames, quiet) for qp in qps for mode in FILTERS]
    print_table(_table(rows))
    click.echo("Every stream was decoded, every hash was right, and the pictures equal the encoder's.")
    for line in _savings(rows):
        click.echo(line)


def _run(folder: pathlib.Path, filter_mode: str, qp: int, frames: int, quiet: bool) -> DemoRow:
    stream, recon, decoded = (folder / f"{filter_mode}_{qp}.{suffix}" for suffix in ("bin", "recon.y4m", "y4m"))
    config = EncoderConfig("ldp", qp, frames, filter=filter_mode)
    label = f"filter {filter_mode}, QP {qp}"
    with open_video(bundled_clip()) as video, PictureProgress(f"encode, {label}", frames, quiet) as progress:
        encoding = encode_video(video, config, stream, recon, lambda report: progress.advance())
    with open(stream, "rb") as file, PictureProgress(f"decode, {label}", encoding["frames"], quiet) as progress:
        decoding = decode_stream(file, str(stream), decoded, on_picture=lambda report: progress.advance())
    if _digest(recon) != _digest(decoded):
        raise MismatchError(f"the decoder's pictures differ from the encoder's ({label})")
    for path in (stream, recon, decoded):
        path.unlink()
    return DemoRow(filter_mode, qp, encoding, decoding)


def _digest(path: pathlib.Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _table(rows: list[DemoRow]) -> "Table":
    from rich import box

    first = rows[0].encoded
    title = f"Big Buck Bunny, {first['width']}x{first['height']}, {first['frames']} pictures, low delay P"
    names = ("filter", "QP", "bits", "hashes", "PSNR Y", "U", "V", "encode", "decode", "steps")
    caption = "bits without hashes, bits of the hashes; PSNR in dB; pictures a second; steps of training"
    table = make_table(title=title, caption=caption, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in names:
        table.add_column(name, justify="left" if name == "filter" else "right", no_wrap=True)
    for row in rows:
        result = row.encoded
        bits = (result["bits"], result["hash_bits"])
        quality = (f"{result[f'psnr_{plane}']:.2f}" for plane in "yuv")
        speeds = (f"{found['frames'] / found['seconds']:.1f}" for found in (result, row.decoded))
        table.add_row(row.filter_mode, *map(str, (row.qp, *bits)), *quality, *speeds, str(row.trained_steps))
    return table


def _savings(rows: list[DemoRow]) -> list[str]:
    curves = [
        [(coded_bits(row.encoded), row.encoded["psnr_y"]) for row in rows if row.filter_mode == mode]
        for mode in FILTERS
    ]
    percent = bd_rate(curves[0], curves[1]).percent
    if percent is None:
        return []
    points = len(curves[0])
    return [
        f"Bits for the same luma quality, online against off: {percent:+.2f} % "
        f"(BD-rate over {points} points, hashes not counted)."
    ]
