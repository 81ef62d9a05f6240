"""What sets the encoder, from a table of a TOML file, as typed settings."""

from collections.abc import Iterable, Mapping
from typing import Any

from codecsim.codec.config import GROUPS, EncoderConfig, read_settings
from codecsim.errors import ConfigError
from codecsim.experiments.encoder_options import MODEL_SETTING, EncoderOptions, run_setting
from codecsim.settings.values import similar

FILE_OPTION, MODEL_OPTION = "settings", "model"


class OptionError(ConfigError):
    """A wrong option of a table; `path` is where: the option, or the option and the name inside it."""

    def __init__(self, message: str, *path: str) -> None:
        super().__init__(message)
        self.path = path


def option_names(without: Iterable[str] = ()) -> list[str]:
    """Keys of a table of options."""
    fields = [declared.name.replace("_", "-") for declared in EncoderConfig.declared()]
    return [name for name in (*fields, MODEL_OPTION, FILE_OPTION, *GROUPS) if name not in without]


def options_of_table(table: Mapping[str, Any], without: Iterable[str] = ()) -> EncoderOptions:
    """Options from a table, as TOML and JSON have them.

    Parameters
    ----------
    table : options of `encode` without dashes before them, `settings` for --settings, and tables of settings by group
    without : options that are not allowed here

    Raises
    ------
    OptionError : an unknown option, or a value that it cannot have
    """
    fields: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    file = None
    for key, value in table.items():
        name = _known(key, option_names(without)).replace("-", "_")
        if name in GROUPS:
            settings |= _group(key, name, value)
        elif name in (FILE_OPTION, MODEL_OPTION):
            if not isinstance(value, str):
                raise OptionError(f"{key} is {value!r}; expected a name or a path", key)
            file, settings = (value, settings) if name == FILE_OPTION else (file, {**settings, MODEL_SETTING: value})
        else:
            fields[name] = _field(key, name, value)
    return EncoderOptions(fields, read_settings(settings), file)


def _known(key: str, known: list[str]) -> str:
    try:
        return known_key(key, known, "option")
    except ConfigError as error:
        raise OptionError(str(error), key) from None


def known_key(key: str, known: Iterable[str], what: str) -> str:
    """`key`, if it is one of `known`; `_` and `-` are the same.

    Raises
    ------
    ConfigError : it is not; the text names those that there are, and the most similar one
    """
    found = {name.replace("-", "_"): name for name in known}
    if key.replace("-", "_") in found:
        return found[key.replace("-", "_")]
    raise ConfigError(
        f"unknown {what} {key!r}{similar(key, found.values())}; expected one of {', '.join(found.values())}"
    )


def _field(key: str, name: str, value: Any) -> Any:
    declared = run_setting(name)
    assert declared is not None
    if declared.kind is bool and not isinstance(value, bool):
        raise OptionError(f"{key} is {value!r}; expected true or false", key)
    if value is None or isinstance(value, (list, dict)) or (isinstance(value, bool) and declared.kind is not bool):
        raise OptionError(f"{key} is {value!r}; expected {declared.expected}", key)
    try:
        return declared.read(value)
    except ConfigError as error:
        raise OptionError(str(error), key) from None


def _group(key: str, group: str, value: Any) -> dict[str, Any]:
    """Settings of a table of one group, by full name."""
    if not isinstance(value, Mapping):
        first = next(iter(GROUPS[group].declared())).name
        raise OptionError(f"{key} is {value!r}; expected a table of settings, such as {key}.{first}", key)
    found: dict[Any, Any] = {}
    for name, own in value.items():
        spelled = name.replace("-", "_")
        try:
            found |= read_settings({group: {spelled: own}})
        except ConfigError as error:
            raise OptionError(str(error), key, name) from None
    return found
