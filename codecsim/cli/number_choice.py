"""The type of options that take one of a few numbers."""

from typing import Any

import click


class NumberChoice(click.Choice):
    """One of some integers."""

    def __init__(self, numbers: tuple[int, ...]):
        super().__init__([str(number) for number in numbers])

    def convert(self, value: int, param: Any, ctx: Any) -> int:
        return int(super().convert(str(value), param, ctx))
