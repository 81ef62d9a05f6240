"""The type of options that take one of a few numbers."""

import click


class NumberChoice(click.Choice):
    """One of some integers."""

    def __init__(self, numbers):
        super().__init__([str(number) for number in numbers])

    def convert(self, value, param, ctx):
        return int(super().convert(str(value), param, ctx))
