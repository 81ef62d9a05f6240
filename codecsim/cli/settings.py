"""`codecsim settings`: everything that can be set, with defaults and ranges."""

import json

import click

from codecsim.codec.config import GROUPS, settable
from codecsim.codec.presets import PRESETS
from codecsim.errors import ConfigError
from codecsim.settings.setting import Setting
from codecsim.settings.values import similar, written


@click.command("settings")
@click.argument("group", metavar="[GROUP]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: full names to what is known of each.")
def command(group: str | None, as_json: bool) -> None:
    """Print the settings of GROUP, or of all groups: what --set, experiments and files of settings may name.

    A group is a tool, such as inter_luma, or a part of the encoder: hevc, search. Settings without bits are known to
    the encoder alone; the others travel in the stream.

    \b
    Example: codecsim settings inter_luma
    """
    if group is not None and group not in GROUPS:
        raise ConfigError(f"no settings of {group!r}{similar(group, GROUPS)}; expected one of {', '.join(GROUPS)}")
    groups = GROUPS if group is None else (group,)
    if as_json:
        found = {declared.full_name: describe(declared) for name in groups for declared in settable(name)}
        click.echo(json.dumps(found, indent=2))
        return
    for name in groups:
        click.echo(f"{(GROUPS[name].__doc__ or '').splitlines()[0]}\n")
        for declared in settable(name):
            _print(declared)
        click.echo()


def describe(declared: Setting) -> dict[str, object]:
    """What is known of a setting, as JSON can hold it."""
    found: dict[str, object] = {
        "type": declared.kind.__name__.lower(),
        "default": _default(declared),
        "expected": declared.expected,
        "unit": declared.unit,
        "bits": declared.bits,
        "help": declared.help,
    }
    if declared.group == "search":
        found["presets"] = {name: getattr(preset, declared.name) for name, preset in PRESETS.items()}
    return found


def _default(declared: Setting) -> object:
    value = declared.default
    return value if isinstance(value, (bool, float, str)) or type(value) is int else written(value)


def _print(declared: Setting) -> None:
    unit = f", in {declared.unit}" if declared.unit else ""
    click.echo(f"  {declared.full_name} = {_shown_default(declared) or '(none)'}   ({declared.expected}{unit})")
    click.echo(f"      {declared.help}")


def _shown_default(declared: Setting) -> str:
    """The default; of the search those of the presets, where they differ."""
    if declared.group != "search":
        return written(declared.default)
    by_preset = {preset: written(getattr(PRESETS[preset], declared.name)) for preset in PRESETS}
    if len({*by_preset.values()}) == 1:
        return written(declared.default)
    return ", ".join(f"{value} in {preset}" for preset, value in by_preset.items())
