"""`codecsim metrics`: quality of a video against its original."""

import fractions
import json

import click

from codecsim.cli.metric_names import MetricNames
from codecsim.cli.progress import PictureProgress, quiet_option
from codecsim.cli.raw_options import raw_options
from codecsim.cli.tables import make_table, print_table
from codecsim.experiments.compare import METRICS
from codecsim.experiments.quality import measure_videos
from codecsim.formats.video import InputOptions, open_video


@click.command("metrics")
@click.argument("reference", metavar="ORIGINAL")
@click.argument("coded", metavar="VIDEO")
@click.option(
    "--metrics",
    type=MetricNames(METRICS),
    default="psnr,ssim,ms-ssim",
    show_default=True,
    help=f"Some of {', '.join(METRICS)}, separated by commas; vmaf needs an ffmpeg with libvmaf.",
)
@click.option("--frames", type=click.IntRange(min=1), metavar="N", help="Compare at most so many pictures.")
@click.option("--json", "as_json", is_flag=True, help="Print the result with every picture as one JSON object.")
@quiet_option
@raw_options
def command(
    reference: str,
    coded: str,
    metrics: tuple[str, ...],
    frames: int | None,
    as_json: bool,
    quiet: bool,
    size: tuple[int, int] | None,
    fps: fractions.Fraction | None,
    bit_depth: int,
) -> None:
    """Measure the quality of VIDEO against ORIGINAL: PSNR in dB, SSIM and MS-SSIM up to 1, VMAF up to 100.

    Means over the pictures are printed. Pictures are compared at the bit depth of VIDEO. Raw .yuv files need --size and
    --fps, which then hold for both.

    \b
    Example: codecsim metrics clip.y4m decoded.y4m --metrics psnr,ms-ssim
    """
    if not metrics:
        raise click.UsageError("--metrics is empty")
    options = InputOptions(size, fps, bit_depth)
    with open_video(reference, options) as original, open_video(coded, options) as video:
        counts = [count for count in (video.frame_count, frames) if count]
        with PictureProgress("metrics", min(counts, default=None), quiet) as progress:
            result = measure_videos(original, video, metrics, frames, progress.advance)
    if as_json:
        click.echo(json.dumps(result, indent=2, allow_nan=False))
        return
    table = make_table(
        "", "Y", "U", "V", title=f"{result['frames']} pictures, {result['bit_depth']} bits", title_style=""
    )
    for metric in (METRICS[name] for name in metrics):
        digits = 2 if metric.ceiling == 100 and metric.scaled is float else 5
        cells = (result.get(metric.fields.get(plane)) for plane in "yuv")
        table.add_row(metric.title, *("-" if cell is None else f"{cell:.{digits}f}" for cell in cells))
    print_table(table)
