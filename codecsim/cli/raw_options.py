"""Options of commands that read videos: what raw samples do not tell."""

import contextlib
import fractions
from collections.abc import Callable
from typing import Any

import click
import cloup

from codecsim.cli.number_choice import NumberChoice
from codecsim.picture.planes import BIT_DEPTHS


class Size(click.ParamType):
    """WIDTHxHEIGHT."""

    name = "WxH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        parts = value.lower().split("x") if isinstance(value, str) else value
        if len(parts) != 2 or not all(str(part).isdigit() for part in parts):
            self.fail(f"'{value}' is no size, expected something like 352x288", param, ctx)
        return int(parts[0]), int(parts[1])


class Rate(click.ParamType):
    """Pictures a second: 25, 29.97 or 30000/1001."""

    name = "F"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> fractions.Fraction:
        with contextlib.suppress(ValueError, ZeroDivisionError):
            rate = fractions.Fraction(value)
            if rate > 0:
                return rate
        return self.fail(f"'{value}' is no frame rate, expected something like 25, 29.97 or 30000/1001", param, ctx)


RAW_OPTIONS = (
    cloup.option("--size", type=Size(), metavar="WxH", help="Width and height of raw samples, such as 352x288."),
    cloup.option("--fps", type=Rate(), help="Pictures a second; needed for raw samples."),
    cloup.option(
        "--bit-depth",
        type=NumberChoice(BIT_DEPTHS),
        default=8,
        show_default=True,
        help="Bits of raw samples; 10: 16-bit little-endian words.",
    ),
)


def raw_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator: options that raw samples need."""
    for option in reversed(RAW_OPTIONS):
        function = option(function)
    return function
