"""`codecsim encode`: video in, stream out."""

import fractions
import json
from typing import Any

import click
import cloup

from codecsim.cli.metric_names import METRICS_HELP, MetricNames
from codecsim.cli.progress import PictureProgress, quiet_option
from codecsim.cli.raw_options import RAW_OPTIONS
from codecsim.codec.reports import PictureReport
from codecsim.experiments.encoder_options import encoder_options, options_of
from codecsim.formats.output import STANDARD_STREAM
from codecsim.formats.video import InputOptions, open_video

TRACE_HELP = "Also write every syntax element: see 'codecsim trace'. Compressed if the name ends in .gz or .xz."


@cloup.command("encode", context_settings={"max_content_width": 100})
@click.argument("input_path", metavar="INPUT")
@cloup.option_group(
    "Files",
    cloup.option("-o", "--output", help="The stream to write; - for standard output. Needed, except with --oracle."),
    cloup.option("--recon", metavar="REC.y4m", help="Also write the reconstruction."),
    *RAW_OPTIONS,
)
@encoder_options
@cloup.option_group(
    "Result",
    cloup.option("--metrics", type=MetricNames(("ssim", "ms-ssim", "vmaf")), default="", help=METRICS_HELP),
    cloup.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object."),
    quiet_option,
    cloup.option("--trace", metavar="FILE", help=TRACE_HELP),
)
def command(
    input_path: str,
    output: str,
    recon: str | None,
    trace: str | None,
    metrics: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    size: tuple[int, int] | None,
    fps: fractions.Fraction | None,
    bit_depth: int,
    **options: Any,
) -> None:
    """Encode the video INPUT: y4m, anything ffmpeg opens, raw .yuv with --size and --fps, or - for a y4m pipe.

    With all tools beyond HEVC off (--filter off is enough) the stream is standard HEVC, which any player decodes.

    \b
    Example: codecsim encode clip.y4m -o clip.bin --qp 32 --json > clip.json
    """
    from codecsim.api.coding import encode

    if [output, recon, trace].count(STANDARD_STREAM) + as_json > 1:
        raise click.UsageError("only one of -o, --recon, --trace and --json can go to standard output")
    config = options_of(**options).config()
    if output is None and config.oracle is None:
        raise click.UsageError("Missing option '-o' / '--output'.")
    with open_video(input_path, InputOptions(size, fps, bit_depth)) as video:
        counts = [count for count in (video.frame_count, config.frames) if count]
        with PictureProgress("encode", min(counts, default=None), quiet) as progress:
            note = lambda report: progress.advance(_note(report))  # noqa: E731
            encoded = encode(
                video,
                config=config,
                output=output,
                recon=recon or False,
                trace=trace,
                metrics=metrics,
                on_picture=note,
            )
    if as_json:
        click.echo(json.dumps(encoded.result, indent=2, allow_nan=False))
    elif STANDARD_STREAM not in (output, recon, trace):
        click.echo(_sentence(output, encoded.result))


def _note(report: PictureReport) -> str:
    return f"{report.type} QP {report.qp}, {report.bits} bits, {report.psnr_y:.2f} dB"


def _sentence(output: str | None, result: dict) -> str:
    name = "NOT DECODABLE" if output is None else output
    return (
        f"{name}: {result['frames']} pictures of {result['width']}x{result['height']}, {result['bits']} bits "
        f"({result['kbps']:.2f} kbit/s), PSNR Y {result['psnr_y']:.2f} U {result['psnr_u']:.2f} "
        f"V {result['psnr_v']:.2f} dB, {result['frames'] / result['seconds']:.2f} pictures a second"
    )
