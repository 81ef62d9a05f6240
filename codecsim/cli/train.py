"""`codecsim train`: material, samples, training and export of initial weights, one subcommand for each."""

import dataclasses
import json
import pathlib
import shlex
from collections.abc import Callable
from typing import Any

import click
from click.core import ParameterSource

from codecsim.cli.progress import quiet_option
from codecsim.codec.active_tools import resolve_tools
from codecsim.codec.config import CONFIGS
from codecsim.errors import ConfigError
from codecsim.experiments.arms import read_arm
from codecsim.extras import needed
from codecsim.formats.output import STANDARD_STREAM, check_output, output_errors
from codecsim.learned.loop.spec import ATTENTIONS, BACKBONES, LoopSpec
from codecsim.learned.model_files import LOOP, Model, load_model, save_model
from codecsim.tools import LOOP as LOOP_TOOL
from codecsim.training.card import Training, check_card, write_card
from codecsim.training.card_figures import engine_figures, intra_figures, loop_figures
from codecsim.training.synthetic import CHROMA, FPS, MEAN, SIZES, find_photos, write_clips


@click.group("train")
def command() -> None:
    """Train initial weights of the learned tools: make clips, take samples from the codec, train, export.

    \b
    Example: codecsim train clips photos/ -o clips --count 24
    """


@command.command("clips")
@click.argument("photos", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="FOLDER", help="Folder of the clips.")
@click.option("--count", type=click.IntRange(1, 1000), default=24, show_default=True, help="Number of clips.")
@click.option("--frames", type=click.IntRange(2, 1000), default=17, show_default=True, help="Pictures of each clip.")
@click.option(
    "--chroma", type=click.Choice(CHROMA), default=MEAN, show_default=True, help="Of 2x2 samples: mean, or the first's."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is random.")
@quiet_option
def clips_command(
    photos: tuple[str, ...], output: str, count: int, frames: int, chroma: str, seed: int, quiet: bool
) -> None:
    """Make y4m clips from PHOTOS, files or folders: smooth motion, layers, noise, drift of brightness.

    \b
    Example: codecsim train clips photos/ more/one.png -o clips --count 24 --seed 1
    """
    files = find_photos([pathlib.Path(photo) for photo in photos])

    write_clips(files, pathlib.Path(output), count, seed, frames, chroma, on_clip=_note(quiet))
    widths = ", ".join(f"{w}x{h}" for w, h in SIZES)
    click.echo(f"{output}: {count} clips of {frames} pictures at {FPS} a second, of {len(files)} photos, {widths}")


_emphasis_option = click.option(
    "--emphasis",
    multiple=True,
    nargs=2,
    type=(str, click.FloatRange(0, min_open=True)),
    metavar="PATTERN FACTOR",
    help="Draw from the sources that match so much more often.",
)


def _read_layers(text: str) -> tuple[tuple[str, int], ...]:
    """Pairs of kind and channels."""
    try:
        return tuple((kind.strip(), int(channels)) for kind, channels in (one.split(":") for one in text.split(",")))
    except ValueError:
        raise ConfigError(f"--layers {text}: expected for example conv3:16,conv1:8") from None


def _add_filter_commands(kind: str, what: str) -> None:
    """The two subcommands that train a filter of inter prediction by the engine."""

    @command.command(
        f"{kind}-samples",
        help=f"""Encode CLIPS and keep what the filter of {what} sees, and what it lacks.

        What is in the folder already is not coded again.

        \b
        Example: codecsim train {kind}-samples clips/*.y4m -o samples
        """,
    )
    @click.argument("clips", nargs=-1, required=True)
    @click.option("-o", "--output", required=True, metavar="FOLDER", help="Folder of the samples.")
    @click.option("-q", "--qp", multiple=True, type=click.IntRange(0, 51), default=(22, 27, 32, 37), show_default=True)
    @click.option("--frames", type=click.IntRange(2), default=9, show_default=True, help="Pictures of a clip at most.")
    @quiet_option
    def samples_command(clips: tuple[str], output: str, qp: tuple[int], frames: int, quiet: bool) -> None:
        from codecsim.training.filter_samples import take_samples

        click.echo(f"{output}: {take_samples(kind, clips, output, qp, frames, _note(quiet))} encodings")

    @command.command(
        kind,
        help=f"""Train the filter of {what} on SAMPLES, a folder that {kind}-samples has written.

        The integer engine does it on the processor, without torch: what is trained is what runs.

        \b
        Example: codecsim train {kind} samples -o {kind}.safetensors --validation others --work run
        """,
    )
    @click.argument("samples")
    @click.option("-o", "--output", required=True, metavar="FILE", help="The model to write.")
    @click.option("--validation", metavar="FOLDER", help="Samples to measure the model on.")
    @click.option("--work", metavar="FOLDER", help="Where an interrupted training goes on; TensorBoard's files too.")
    @click.option("--steps", type=click.IntRange(1), default=450_000, show_default=True, help="Each on one tile.")
    @click.option(
        "--layers",
        default="conv3:16,conv3:16",
        show_default=True,
        metavar="KIND:CHANNELS,...",
        help="Hidden layers: conv3, conv1 or depthwise3 of 8 to 64 channels in eights; up to four of 3x3.",
    )
    @click.option("--dropping/--no-dropping", default=True, show_default=True, help="Of blocks that it makes worse.")
    @_emphasis_option
    @click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is random.")
    @quiet_option
    def train_command(
        samples: str,
        output: str,
        validation: str | None,
        work: str | None,
        layers: str,
        dropping: bool,
        quiet: bool,
        **settings: Any,
    ) -> None:
        from codecsim.training.by_engine import EngineTraining, train_filter

        _check_output(output)
        training = EngineTraining(**settings) if dropping else EngineTraining(**settings, drop_at=())
        model, found = train_filter(kind, _read_layers(layers), samples, training, validation, work, _note(quiet))
        save_model(output, model)
        figures = engine_figures(found)
        _finish(output, model, Training(training, samples, _command_line(), figures, found["dropping"]), quiet)
        click.echo(json.dumps(found, indent=2))


_add_filter_commands("luma", "inter luma prediction")
_add_filter_commands("chroma", "inter chroma prediction")


def _note(quiet: bool) -> Callable[..., Any]:
    """Says a line on standard error, unless `quiet`."""
    return (lambda line: None) if quiet else lambda line: click.echo(f"codecsim: {line}", err=True)


def _command_line() -> str:
    """The running command, with the options that were given, but for --quiet."""
    context = click.get_current_context()
    words = ["codecsim", "train", str(context.info_name)]
    for param in context.command.params:
        if param.name == "quiet" or context.get_parameter_source(param.name) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[param.name]
        option = [] if isinstance(param, click.Argument) else param.opts[:1]
        if isinstance(value, bool):
            words += option if value else param.secondary_opts
            continue
        for one in value if param.multiple else [value]:
            words += [*option, *map(str, one if param.nargs != 1 else [one])]
    return shlex.join(words)


def _finish(output: str, model: Model, training: Training, quiet: bool) -> None:
    """Say what has been trained and written, and write its card unless that is a device or a pipe."""
    if pathlib.Path(output).is_file():
        _note(quiet)(f"card: {write_card(output, model, training)}")
    click.echo(f"{output}: {model.spec}, {model.spec.n_weights} parameters, digest {model.digest.hex()}")


def _check_output(output: str) -> None:
    """Raise a CodecError where a model and its card cannot be written; their folder is made."""
    if output == STANDARD_STREAM:
        raise ConfigError("-o: expected the name of a file, not '-'; standard output has the report")
    with output_errors(output):
        pathlib.Path(output).parent.mkdir(parents=True, exist_ok=True)
    check_output(output)
    check_card(output)


def _check_torch(device: str) -> None:
    """Raise a ConfigError where torch is not installed, or has no such device."""
    needed("torch", "this training")
    from codecsim.training.device_times import device_name

    if device_name(device) is None:
        raise ConfigError(f"--device {device}: torch finds no such device here; expected cpu")


@command.command("intra-samples")
@click.argument("pictures", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="FOLDER", help="Folder of the samples.")
@click.option("--scale", type=click.FloatRange(0, 10), default=1.0, show_default=True, help="Of their number.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of what is drawn.")
@quiet_option
def intra_samples_command(pictures: tuple[str], output: str, scale: float, seed: int, quiet: bool) -> None:
    """Code PICTURES (photos, folders of photos, clips) all intra and take samples for the intra filter.

    What is in the folder already is not coded again; samples are drawn from all that is there.

    \b
    Example: codecsim train intra-samples photos/ clip.y4m -o samples
    """
    from codecsim.training.intra_samples import take_samples

    def note(name: str, qp: int) -> None:
        if not quiet:
            click.echo(f"codecsim: {name}, QP {qp}", err=True)

    counts = take_samples(pictures, output, seed, scale, note)
    click.echo(f"{output}: " + ", ".join(f"{n} blocks of {1 << log2}" for log2, n in counts.items()))


@command.command("intra")
@click.argument("samples")
@click.option("-o", "--output", required=True, metavar="FILE", help="The model to write.")
@click.option("--validation", metavar="FOLDER", help="Samples to measure the model on.")
@click.option("--work", metavar="FOLDER", help="Where an interrupted training goes on; TensorBoard's files too.")
@click.option("--steps", type=click.IntRange(1), default=16_000, show_default=True, help="Of each network.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is random.")
@click.option("--jobs", type=click.IntRange(1, 4), default=1, show_default=True, help="Networks trained at a time.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@quiet_option
def intra_command(samples: str, output: str, validation: str, work: str | None, quiet: bool, **settings: Any) -> None:
    """Train the intra prediction filter on SAMPLES, a folder that intra-samples has written.

    \b
    Example: codecsim train intra samples -o intra.safetensors --validation others
    """
    _check_torch(settings["device"])
    _check_output(output)
    from codecsim.training.intra import IntraTraining, Samples, train_intra, usual_spec, validate

    if validation:
        Samples(validation, usual_spec(), 0)  # must be there
    training = IntraTraining(**settings)
    model = train_intra(usual_spec(), samples, training, work, _note(quiet))
    save_model(output, model)
    left = validate(model, validation) if validation else {}
    _finish(output, model, Training(training, samples, _command_line(), intra_figures(left)), quiet)
    for log2, (everywhere, where_better, share) in left.items():
        click.echo(
            f"blocks of {1 << log2}: {100 * everywhere:.2f} % of the cost everywhere, "
            f"{100 * where_better:.2f} % used where it helps, in {100 * share:.1f} % of them"
        )


@command.command("loop-samples")
@click.argument("pictures", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="FOLDER", help="Folder of the samples.")
@click.option(
    "--config", "configs", multiple=True, type=click.Choice(CONFIGS), default=("ai", "ldp", "ra"), show_default=True
)
@click.option(
    "-q", "--qp", "qps", multiple=True, type=click.IntRange(0, 51), default=(22, 27, 32, 37), show_default=True
)
@click.option("--frames", type=click.IntRange(1), default=9, show_default=True, help="Pictures of a clip at most.")
@click.option(
    "--scale",
    "scales",
    multiple=True,
    type=click.FloatRange(0.1, 1),
    default=(1, 0.7, 0.5),
    show_default=True,
    help="Of photos.",
)
@click.option("--qps-each", type=click.IntRange(1), help="Code each photo or clip at so many of the QPs, in turn.")
@click.option(
    "--options",
    metavar="TEXT",
    default="--filter off",
    show_default=True,
    help="Options of codecsim encode. With --loop-filter on, the filter sees what it has itself made of references.",
)
@quiet_option
def loop_samples_command(pictures: tuple[str], output: str, options: str, quiet: bool, **settings: Any) -> None:
    """Code PICTURES (photos, folders of photos, clips) and keep what the in-loop filter sees, and the originals.

    What is in the folder already is not coded again.

    \b
    Example: codecsim train loop-samples photos/ clips/*.y4m -o samples -q 22 -q 30 -q 38 --scale 1 --scale 0.5
    """
    from codecsim.training.loop_samples import Coding, take_samples

    arm = read_arm(f"options: {options}")
    coding = Coding(**settings, encoder=lambda config, qp: arm.encoder_config(config, qp, None), name=options)
    filtering = resolve_tools(coding.encoder(coding.configs[0], coding.qps[0]))[LOOP_TOOL]
    if filtering is not None and filtering.model is not None:  # a file may get other weights
        coding = dataclasses.replace(coding, name=f"{options} {filtering.model.digest.hex()}")
    click.echo(f"{output}: {take_samples(pictures, output, coding, _note(quiet))} encodings")


@command.command("loop")
@click.argument("samples")
@click.option("-o", "--output", required=True, metavar="FILE", help="The model to write.")
@click.option("--validation", metavar="FOLDER", help="Samples to measure the model on.")
@click.option("--work", metavar="FOLDER", help="Where an interrupted training goes on; TensorBoard's files too.")
@click.option("--steps", type=click.IntRange(1), default=11_000, show_default=True)
@click.option("--channels", type=int, default=32, show_default=True, help="Of the network, 8 to 64.")
@click.option("--blocks", type=int, default=4, show_default=True, help="Of the network, 1 to 16.")
@click.option("--backbone", type=click.Choice(BACKBONES), default=BACKBONES[0], show_default=True)
@click.option(
    "--attention", type=click.Choice(ATTENTIONS), default="all", show_default=True, help="Where the QP enters."
)
@click.option("--squeeze", type=int, default=16, show_default=True, help="Width inside the attention, 1 to 64.")
@click.option(
    "--chroma-weights",
    nargs=2,
    type=click.FloatRange(0),
    default=(0.08, 0.2),
    show_default=True,
    help="Of a chroma plane in the loss, against 1 of luma: at the start and at the end.",
)
@click.option("--intra-share", type=click.FloatRange(0, 1), default=0.6, show_default=True, help="Of the patches.")
@_emphasis_option
@click.option("--start", metavar="MODEL", help="Weights to go on from; they say the network's shape.")
@click.option("--learning-rate", type=click.FloatRange(0), default=2e-3, show_default=True, help="Of Adam.")
@click.option("--muon-rate", type=click.FloatRange(0), default=0, show_default=True, help="Of Muon; 0: only Adam.")
@click.option(
    "--precision",
    type=click.Choice(["bfloat16", "float32"]),
    default="bfloat16",
    show_default=True,
    help="Of the convolutions before the network is rounded.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of all that is random.")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@quiet_option
def loop_command(
    samples: str, output: str, validation: str | None, work: str | None, quiet: bool, start: str | None, **settings: Any
) -> None:
    """Train the in-loop filter on SAMPLES, a folder that loop-samples has written.

    \b
    Example: codecsim train loop samples -o loop.safetensors --validation others --work run
    """
    _check_torch(settings["device"])
    _check_output(output)
    from codecsim.training.loop import LoopTraining, train_loop

    try:
        spec = LoopSpec(**{field.name: settings.pop(field.name) for field in dataclasses.fields(LoopSpec)})
    except ValueError as error:
        raise ConfigError(str(error)) from None
    weights = None
    if start is not None:
        first = load_model(start, LOOP)
        spec, weights = first.spec, first.weights
    training = LoopTraining(**settings)
    model, found = train_loop(spec, samples, training, validation, work, weights, _note(quiet))
    save_model(output, model)
    dropped = [found["dropping"]] if "dropping" in found else []
    _finish(output, model, Training(training, samples, _command_line(), loop_figures(found), dropped), quiet)
    click.echo(json.dumps(found, indent=2))
