"""TOML files whose errors name the line."""

import os
import re
import tomllib
from collections.abc import Iterator

from codecsim.errors import ConfigError

Keys = tuple[str | int, ...]  # names from the outermost table inwards, in an array with the number of the table

_HEADER = re.compile(r"\s*(\[\[?)\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[\w-]+(?:\s*\.\s*[\w-]+)*)\s*=""")


class TomlFile:
    """What a TOML file says, and where it says it.

    Parameters
    ----------
    path : of the file

    Attributes
    ----------
    text : str, the whole file
    data : dict, the same

    Raises
    ------
    ConfigError : the file cannot be read, or is no TOML
    """

    def __init__(self, path: str | os.PathLike):
        self.path = os.fspath(path)
        try:
            with open(path, "rb") as file:
                self.text = file.read().decode()
            self.data = tomllib.loads(self.text)
        except OSError as error:
            raise ConfigError(f"{self.path}: cannot be read ({error.strerror or error})") from None
        except UnicodeDecodeError:
            raise ConfigError(f"{self.path}: is no text in UTF-8") from None
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{self.path}: is no TOML: {error}") from None
        self._lines = dict(_find_lines(self.text))

    def line(self, *keys: str | int) -> int | None:
        """Line, from 1, where a table or a value stands, or where the innermost table around it begins.

        keys : names from the outermost table inwards; in an array of tables, with the number of the table
        """
        while keys and keys not in self._lines:
            keys = keys[:-1]
        return self._lines.get(keys)

    def error(self, message: str, *keys: str | int) -> ConfigError:
        """The error to raise about what `keys` name."""
        line = self.line(*keys)
        return ConfigError(f"{self.path}{f', line {line}' if line else ''}: {message}")


def _find_lines(text: str) -> Iterator[tuple[Keys, int]]:
    """(keys, line) of each table and value that begins a line; a text within a text may add more, but no valid keys."""
    table: Keys = ()
    counts: dict[Keys, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _split(header[2])
            if header[1] == "[[":
                counts[table] = counts.get(table, -1) + 1
                yield table, number
                table = (*table, counts[table])
            yield table, number
        elif key := _KEY.match(line):
            yield (*table, *_split(key[1])), number


def _split(dotted: str) -> tuple[str, ...]:
    """Names of a dotted key."""
    return tuple(name.strip().strip("\"'") for name in re.findall(r"\"[^\"]*\"|'[^']*'|[^.]+", dotted))
