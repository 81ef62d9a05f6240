"""What sets the encoder, from a command line, as typed settings."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click
import cloup

from codecsim.codec.active_tools import resolve_tools
from codecsim.codec.config import (
    MANY,
    EncoderConfig,
    find_setting,
    read_settings,
)
from codecsim.errors import ConfigError
from codecsim.experiments.settings_files import load_settings
from codecsim.settings.setting import Setting
from codecsim.settings.values import written
from codecsim.tools import TOOLS, Tool
from codecsim.tools.tool import FROZEN, OFF

SET_HELP = "Any setting: see 'codecsim settings'. May be given several times."
FILE_HELP = "Settings from a file, or from one that ships: see models/learner_presets/README.md. --set wins."
MODEL_HELP = "Initial weights of the prediction filter: name, path, or untrained. Default: those that ship."
MODEL_SETTING = "inter_luma.model"  # which --model sets
_SHORT = {"qp": ("-q",)}
_METAVARS = {"frames": "N", "intra_period": "N", "loop_filter": "off|on|NAME|PATH"}
_COMMON = ("config", "qp", "frames", "intra_period", "preset", "hash", "threads")
Function = TypeVar("Function", bound=Callable)


def run_setting(name: str) -> Setting | None:
    """The field of EncoderConfig that an option without a point sets, or None."""
    return EncoderConfig.find(name.replace("-", "_"))


def _option(declared: Setting) -> Any:
    """Option of click that sets a field of EncoderConfig."""
    names = [*_SHORT.get(declared.name, ()), f"--{declared.name.replace('_', '-')}"]
    if declared.kind is bool:
        return cloup.option(*names, is_flag=True, default=declared.default, help=declared.help)
    kind: click.ParamType = click.STRING
    if declared.allowed:
        kind = click.Choice(declared.allowed)
    elif declared.low is not None and declared.high is not None:
        kind = click.IntRange(int(declared.low), None if declared.high == MANY else int(declared.high))
    shown = declared.default is not None
    metavar = _METAVARS.get(declared.name)
    return cloup.option(
        *names, type=kind, default=declared.default, show_default=shown, metavar=metavar, help=declared.help
    )


def _options(names: Iterable[str]) -> list[Any]:
    return [_option(declared) for declared in EncoderConfig.declared() if declared.name in names]


def _tool_options() -> list[Any]:
    found = []
    for tool in TOOLS:
        found += _options([tool.option])
        if MODEL_SETTING.startswith(f"{tool.name}."):
            found.append(cloup.option("--model", metavar="NAME|PATH|untrained", help=MODEL_HELP))
    return found


_SETTINGS_OPTIONS = (
    cloup.option("--set", "assignments", multiple=True, metavar="NAME=VALUE", help=SET_HELP),
    cloup.option("--settings", "settings_file", metavar="NAME|FILE", help=FILE_HELP),
)


def encoder_options(function: Function) -> Function:
    """Decorator: gives a command of cloup all options that set the encoder, in groups."""
    research = [declared.name for declared in EncoderConfig.declared() if declared.research]
    for title, options in (
        ("Research", _options(research)),
        ("All other settings", _SETTINGS_OPTIONS),
        ("Tools beyond HEVC: with any of them on, the stream needs codecsim's decoder", _tool_options()),
        ("Encoding", _options(_COMMON)),
    ):
        function = cloup.option_group(title, *options)(function)
    return function


@cloup.command("encode", add_help_option=False)
@encoder_options
def parse_options(**options: Any) -> dict[str, Any]:
    """Only reads options: `parse_options.make_context` knows those that set the encoder, and no others."""
    return options


@dataclasses.dataclass(frozen=True)
class EncoderOptions:
    """What has been set of the encoder: the arguments of EncoderConfig, checked one by one.

    Of the settings in a file those of tools that are on count.
    """

    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # of EncoderConfig, without `settings`
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # by full name
    file: str | None = None  # of settings: a name or a path

    def mode(self, tool: Tool) -> str:
        """How a tool is used."""
        return tool.mode(self.fields.get(tool.option, tool.default_mode))

    def config(self, **more: Any) -> EncoderConfig:
        """Settings of an encoding, whose tools have been looked at too.

        Raises
        ------
        ConfigError : settings that exclude each other or that nothing would look at; no such weights
        ModelError : damaged weights
        """
        usual = load_settings(self.file).settings if self.file is not None else {}
        of_use = {name: value for name, value in usual.items() if self.takes(name)}
        found = EncoderConfig(**{**self.fields, **more}, settings={**of_use, **self.settings})
        resolve_tools(dataclasses.replace(found, config="ldp") if found.config == "ai" else found)
        return found

    def takes(self, name: str) -> bool:
        """Whether a setting is of use: none of a tool that is off, none of training where it is frozen."""
        for tool in TOOLS:
            if name.startswith(f"{tool.name}."):
                training = find_setting(name).training
                return self.mode(tool) != OFF and not (training and self.mode(tool) == FROZEN)
        return True

    def without_inter_tools(self) -> "EncoderOptions":
        """The same of an all-intra stream, which has none of the tools of pictures between others."""
        inter = [tool for tool in TOOLS if tool.inter_only]
        fields = {**self.fields, "oracle": None}
        fields |= {tool.option: tool.value(OFF) for tool in inter}
        groups = tuple(f"{tool.name}." for tool in inter)
        settings = {name: value for name, value in self.settings.items() if not name.startswith(groups)}
        return EncoderOptions(fields, settings, None if self._file_is_inter(groups) else self.file)

    def _file_is_inter(self, groups: tuple[str, ...]) -> bool:
        return self.file is not None and all(name.startswith(groups) for name in load_settings(self.file).settings)

    def words(self) -> list[str]:
        """As a command line."""
        words = []
        for name, value in self.fields.items():
            option = f"--{name.replace('_', '-')}"
            if isinstance(value, bool):
                words += [option] if value else []
            elif value is not None:
                words += [option, written(value)]
        words += ["--settings", self.file] if self.file is not None else []
        for name, value in self.settings.items():
            words += ["--set", f"{name}={_assigned(value)}"]
        return words


def _assigned(value: Any) -> str:
    """A value as --set takes it: by QP as `22:4 37:12`."""
    return " ".join(f"{qp}:{written(own)}" for qp, own in value.items()) if isinstance(value, dict) else written(value)


def read_assignments(pairs: Iterable[str]) -> dict[str, Any]:
    """Checked settings from pairs NAME=VALUE; the value of a tool's setting may be by QP, such as `22:4 37:12`.

    Raises
    ------
    ConfigError
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator:
            raise ConfigError(f"--set {pair}: expected NAME=VALUE; names are listed by 'codecsim settings'")
        by_qp = ":" in value and "." in name and not name.endswith(".model")
        found[name.strip()] = dict(part.partition(":")[::2] for part in value.split()) if by_qp else value
    return read_settings(found)


def options_of(
    assignments: Iterable[str] = (), settings_file: str | None = None, model: str | None = None, **fields: Any
) -> EncoderOptions:
    """Options from the arguments that `encoder_options` give a command.

    Raises
    ------
    ConfigError : a wrong setting
    """
    given = {name: value for name, value in fields.items() if value is not None}
    settings = read_assignments(assignments)
    if model is not None:
        settings = read_settings({MODEL_SETTING: model, **settings})
    return EncoderOptions(given, settings, settings_file)


def options_of_words(words: Iterable[str], without: Iterable[str] = ()) -> EncoderOptions:
    """Options from the words of a command line, only those that are in it.

    Parameters
    ----------
    without : options that are not allowed here

    Raises
    ------
    ConfigError : an unknown option, or a value that it cannot have
    """
    try:
        context = parse_options.make_context("encode", list(words))
    except click.ClickException as error:
        raise ConfigError(error.format_message()) from None
    said = click.core.ParameterSource.COMMANDLINE
    given = {name: value for name, value in context.params.items() if context.get_parameter_source(name) is said}
    for name in without:
        if name in given:
            raise ConfigError(f"{name} cannot differ between arms")
    return options_of(**given)
