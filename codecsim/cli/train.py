"""`codecsim train`: material, samples, training and export of initial weights, one subcommand for each."""

import click

from codecsim.cli.progress import quiet_option
from codecsim.training.synthetic import FPS, SIZES, find_photos, write_clips


@click.group("train")
def command():
    """Train initial weights of the learned tools: make clips, take samples from the codec, train, export.

    \b
    Example: codecsim train clips photos/ -o clips --count 24
    """


@command.command("clips")
@click.argument("photos", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="FOLDER", help="Folder of the clips.")
@click.option("--count", type=click.IntRange(1, 1000), default=24, show_default=True, help="Number of clips.")
@click.option("--frames", type=click.IntRange(2, 1000), default=17, show_default=True, help="Pictures of each clip.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is random.")
@quiet_option
def clips_command(photos, output, count, frames, seed, quiet):
    """Make y4m clips from PHOTOS, files or folders: smooth motion, layers, noise, drift of brightness.

    \b
    Example: codecsim train clips photos/ more/one.png -o clips --count 24 --seed 1
    """
    files = find_photos(photos)

    def note(path):
        if not quiet:
            click.echo(f"codecsim: {path}", err=True)

    write_clips(files, output, count, seed, frames, on_clip=note)
    widths = ", ".join(f"{w}x{h}" for w, h in SIZES)
    click.echo(f"{output}: {count} clips of {frames} pictures at {FPS} a second, of {len(files)} photos, {widths}")
