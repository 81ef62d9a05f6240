"""`codecsim view`: a local web page to look into streams."""

import contextlib
import fractions
import sys
import threading
import webbrowser

import click

from codecsim.cli import Interrupted
from codecsim.cli.model_option import model_option
from codecsim.cli.progress import PictureProgress, quiet_option
from codecsim.cli.raw_options import raw_options
from codecsim.extras import needed
from codecsim.formats.video import InputOptions


@click.command("view")
@click.argument("stream", metavar="STREAM")
@click.argument("other", metavar="[STREAM2]", required=False)
@click.option("--source", metavar="CLIP", help="The original video: gives PSNR and the map of errors.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of the page; by default any free one.")
@click.option("--no-browser", is_flag=True, help="Only print the address of the page.")
@click.option("--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Of the filter.")
@model_option
@quiet_option
@raw_options
def command(
    stream: str,
    other: str | None,
    source: str | None,
    port: int,
    no_browser: bool,
    threads: int,
    models: tuple[str, ...],
    quiet: bool,
    size: tuple[int, int] | None,
    fps: fractions.Fraction | None,
    bit_depth: int,
) -> None:
    """Look into STREAM in a browser: pictures, predictions, residuals, blocks, motion, bits, and what was learnt.

    With STREAM2 both are shown side by side. The page is served to this machine only, until Ctrl-C. Decoded pictures
    wait in a temporary file (TMPDIR says where), some 0.6 MB each at CIF, which goes when the command ends.

    \b
    Example: codecsim view clip.bin --source clip.y4m
    """
    needed("flask", "view")
    from codecsim.viewer.server import HOST, make_server
    from codecsim.viewer.session import Session

    paths = [stream] if other is None else [stream, other]
    try:
        with contextlib.ExitStack() as stack:
            with PictureProgress("view", len(paths), quiet) as progress:
                options = InputOptions(size, fps, bit_depth)
                session = Session(paths, source, options, threads, models, on_open=progress.advance)
                stack.enter_context(session)
            server = stack.enter_context(make_server(session, port))
            url = f"http://{HOST}:{server.port}/"
            click.echo(f"{url} (Ctrl-C ends)")
            session.start()
            if not no_browser:
                threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
            server.serve_forever()
    except (KeyboardInterrupt, Interrupted):
        if sys.stderr.isatty():
            click.echo(err=True)  # behind the terminal's ^C
