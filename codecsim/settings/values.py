"""Values of settings as users write them: on the command line, in TOML, in JSON and in Python."""

import difflib
import enum
import functools
import math
import operator
import struct
from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

_TRUTH = MappingProxyType({"true": True, "on": True, "1": True, "false": False, "off": False, "0": False})


def read_truth(value: object) -> bool | None:
    """`value` as a bool, from a bool, 0, 1, or a text such as "on", "false", "1"; None where it is none of these."""
    return _TRUTH.get(str(value).lower())


def read_value(kind: type, value: object) -> object:
    """`value` as a `kind`: bool, int, float (as float32 holds it), str, tuple of int, IntEnum or IntFlag.

    Raises
    ------
    ValueError : it is none
    """
    try:
        if kind is bool:
            truth = read_truth(value)
            if truth is None:
                raise ValueError(value)
            return truth
        if kind is str:
            return _text(value)
        if kind is float:
            return _float32(value)
        if kind is tuple:
            items: Any = value.split(",") if isinstance(value, str) else value
            return tuple(_whole(item) for item in items)
        if issubclass(kind, enum.IntFlag):
            return _flags(kind, value)
        if issubclass(kind, enum.IntEnum):
            if isinstance(value, str) and not value.isdigit():
                return kind[value.upper()]
            return kind(_whole(value))
        return _whole(value)
    except (TypeError, OverflowError, KeyError, struct.error) as error:
        raise ValueError(value) from error


def names_of(kind: type[enum.Enum]) -> tuple[str, ...]:
    """Names of the members of an enumeration as users write them."""
    return tuple(member.name.lower() for member in kind)


def written(value: object) -> str:
    """A value as the command line takes it."""
    if isinstance(value, enum.IntFlag):
        return ",".join(member.name.lower() for member in type(value) if member in value and member.name)
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return next(text for digits in (7, 8, 9) if _float32(text := f"{value:.{digits}g}") == _float32(value))
    if isinstance(value, (tuple, list)):
        return ",".join(map(written, value))
    return str(value)


def similar(text: str, known: Iterable[str]) -> str:
    """A question that names the most similar of some names; nothing where none is."""
    near = difflib.get_close_matches(text, list(known), 1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value


def _whole(value: object) -> int:
    if isinstance(value, bool):
        raise ValueError(value)
    if isinstance(value, str):
        if not value.isascii():
            raise ValueError(value)
        return int(value)
    number = int(value)  # type: ignore[call-overload]
    if number != value:
        raise ValueError(value)
    return number


def _float32(value: object) -> float:
    if isinstance(value, bool):
        raise ValueError(value)
    number = float(value)  # type: ignore[arg-type]
    if not math.isfinite(number):
        raise ValueError(value)
    return struct.unpack("<f", struct.pack("<f", number))[0]


def _flags(kind: type[enum.IntFlag], value: object) -> enum.IntFlag:
    """Set of `kind` from a number, or from names such as "initial,online"."""
    if isinstance(value, str) and not value.isdigit():
        return functools.reduce(operator.or_, (kind[name.strip().upper()] for name in value.split(",")))
    return kind(_whole(value))
