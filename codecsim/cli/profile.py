"""`codecsim profile`: what a model costs."""

import dataclasses
import json
from typing import TYPE_CHECKING

import click

from codecsim.cli.tables import make_table, print_table
from codecsim.codec.config import EncoderConfig
from codecsim.experiments.encoder_options import read_assignments
from codecsim.learned.engine.weights import builtin_weights
from codecsim.learned.model_files import INTER_LUMA, Model, load_model
from codecsim.tools import INTER_LUMA as LUMA_TOOL
from codecsim.tools.inter_luma import InterLumaSettings

if TYPE_CHECKING:
    from codecsim.experiments.profile import PictureCost, Profile

BUILT_IN = "built-in"
SETTINGS_HELP = "A setting of inter_luma; may be given several times."


@click.command("profile")
@click.argument("model", metavar="MODEL", default=BUILT_IN)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help=SETTINGS_HELP,
)
@click.option("--device/--no-device", default=True, show_default=True, help="Time torch on a GPU too, if there is one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(model: str, assignments: tuple[str, ...], device: bool, as_json: bool) -> None:
    """Print what MODEL costs: parameters, memory, multiply-accumulates a pixel, time a picture.

    MODEL is the name of a model that ships, or a path; without it the network with built-in weights that the settings
    of inter_luma give. Times are of the network alone on one thread of this machine, training at the settings' epochs
    with all of the picture coded.

    \b
    Example: codecsim profile --set inter_luma.channels=8 --set inter_luma.epochs_q2=8
    """
    from codecsim.experiments.profile import ProfileSettings, profile_model

    params = InterLumaSettings(**EncoderConfig(settings=read_assignments(assignments)).tool_settings(LUMA_TOOL))
    if model == BUILT_IN:
        found = Model(INTER_LUMA, params.spec, builtin_weights(params.spec).master, params.inputs, BUILT_IN)
    else:
        found = load_model(model)
    profile = profile_model(found, ProfileSettings(params, "cuda" if device else None))
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(profile), indent=2, allow_nan=False))
    else:
        _print(profile)


def _print(profile: "Profile") -> None:
    context = f" in blocks of {profile.block}x{profile.block}" if profile.block else ""
    learning = "" if profile.training_kmac is None else f", training {profile.training_kmac:.2f}"
    click.echo(
        f"{profile.model}: {profile.kind}, {profile.architecture}\n"
        f"inputs: {', '.join(profile.inputs)}; digest {profile.digest}\n"
        f"{profile.parameters} parameters, {_size(profile.weights_bytes)} as the engine holds them\n"
        f"thousand multiply-accumulates a pixel: inference {profile.inference_kmac:.2f}{context}{learning}"
    )
    layers = make_table("layer", "kind", title="layers")
    for name in ("inputs", "outputs", "parameters", "kMAC/pixel"):
        layers.add_column(name, justify="right")
    for layer in profile.layers:
        numbers = (layer.inputs, layer.outputs, layer.parameters, f"{layer.kmac_per_pixel:.3f}")
        layers.add_row(layer.layer, layer.kind, *map(str, numbers))
    print_table(layers)
    training = "" if profile.training_kmac is None else f"; training of {profile.epochs:g} epochs"
    pictures = make_table("", title=f"a picture, one thread{training}")
    for cost in profile.pictures:
        pictures.add_column(f"{cost.picture} ({cost.width}x{cost.height})", justify="right")
    columns = [_column(cost) for cost in profile.pictures]
    for name in columns[0]:
        if any(column[name] for column in columns):
            pictures.add_row(name, *(column[name] for column in columns))
    print_table(pictures)
    if profile.device:
        click.echo(f"torch: on {profile.device}, half precision inference, float32 training")


def _column(cost: "PictureCost") -> dict[str, str]:
    """What a picture costs, by the name of the row; empty where nothing was measured."""
    learns = cost.training_ms is not None
    return {
        "inference, ms": f"{cost.inference_ms:.2f}",
        "pictures a second": f"{1000 / cost.inference_ms:.1f}",
        "training, ms": f"{cost.training_ms:.1f}" if learns else "",
        "training steps": str(cost.training_steps) if learns else "",
        "memory of planes": _size(cost.activations_bytes),
        "memory of training": "" if cost.training_bytes is None else _size(cost.training_bytes),
        "torch, inference, ms": _shown(cost.device_inference_ms),
        "torch, training, ms": _shown(cost.device_training_ms),
    }


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _size(count: int) -> str:
    return f"{count / 1024:.1f} KiB" if count < 1 << 20 else f"{count / (1 << 20):.1f} MiB"
