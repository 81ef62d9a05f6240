"""Options of `codecsim encode` as a table of names and values, as TOML and JSON have them."""

import difflib
from collections.abc import Iterable, Mapping

import click

from codecsim.errors import ConfigError
from codecsim.experiments.encoder_options import NAMED, check_named, names_of
from codecsim.experiments.encoder_options import OPTIONS_BY_NAME as OPTIONS


class OptionError(ConfigError):
    """A wrong option of a table; `path` is where: the option, or the option and the name inside it."""

    def __init__(self, message: str, *path: str):
        super().__init__(message)
        self.path = path


def known_key(key: str, known: Iterable[str], what: str) -> str:
    """`key`, if it is one of `known`; `_` and `-` are the same.

    Raises
    ------
    ConfigError : it is not; the text names those that there are, and the most similar one
    """
    found = {name.replace("-", "_"): name for name in known}
    if key.replace("-", "_") in found:
        return found[key.replace("-", "_")]
    raise ConfigError(f"unknown {what} {key!r}{similar(key, found.values())}; expected one of {', '.join(known)}")


def similar(text: str, known: Iterable[str]) -> str:
    """A question that names the most similar of some names; nothing where none is."""
    (*near,) = difflib.get_close_matches(text, list(known), 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def words_of(table: Mapping[str, object], without: Iterable[str] = ()) -> list[str]:
    """A table of options as words of a command line, each checked.

    Parameters
    ----------
    table : option names without dashes; a switch is true or false, what is NAME=VALUE a table of its own
    without : options that are not allowed here

    Raises
    ------
    OptionError : an unknown option, or a value that it cannot have
    """
    words = []
    for key, value in table.items():
        try:
            name = known_key(key, [name for name in OPTIONS if name not in without], "option")
        except ConfigError as error:
            raise OptionError(str(error), key) from None
        option = OPTIONS[name]
        if name in NAMED:
            words += _named_words(key, name, value)
        elif option.is_flag:
            if not isinstance(value, bool):
                raise OptionError(f"{key} is {value!r}; expected true or false", key)
            words += option.opts if value else option.secondary_opts
        else:
            words += _words(key, name, value)
    return words


def _named_words(key, name, value):
    """Words of a table of settings."""
    if not isinstance(value, Mapping):
        raise OptionError(f"{key} is {value!r}; expected a table, such as {{{names_of(name)[0]} = ...}}", key)
    words = []
    for field, wanted in value.items():
        try:
            field_name = known_key(field, names_of(name), f"name in {key}")
        except ConfigError as error:
            raise OptionError(str(error), key, field) from None
        words += [f"--{name}", f"{field_name}={_text(wanted)}"]
        try:
            check_named(name, field_name, _text(wanted))
        except ConfigError as error:
            raise OptionError(f"{key}: {error}", key, field) from None
    return words


def _words(key, name, value):
    """The words of an option with one value."""
    option = OPTIONS[name]
    if isinstance(value, (bool, list, Mapping)):
        raise OptionError(f"{key} is {_text(value)!r}; expected {allowed(option)}", key)
    try:
        option.type.convert(_text(value), option, None)
    except click.BadParameter:
        near = similar(str(value), option.type.choices) if isinstance(option.type, click.Choice) else ""
        raise OptionError(f"{key} is {value!r}{near}; expected {allowed(option)}", key) from None
    text = _text(value)
    return [f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text]


def allowed(option: click.Option) -> str:
    """What an option may be, in words."""
    kind = option.type
    if isinstance(kind, click.Choice):
        return f"one of {', '.join(map(str, kind.choices))}"
    if isinstance(kind, (click.IntRange, click.FloatRange)):
        what = "a whole number" if isinstance(kind, click.IntRange) else "a number"
        if kind.max is None:
            return f"{what} from {kind.min}"
        return f"{what} {kind.min}..{kind.max}"
    return f"text, {option.metavar}" if option.metavar else "text"


def _text(value):
    """A value of TOML as the command line has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value)
