"""The type of options that name a bit depth."""

import click

from codecsim.config import BIT_DEPTHS


class BitDepth(click.Choice):
    """8 or 10, as an int."""

    name = "bit depth"

    def __init__(self):
        super().__init__([str(depth) for depth in BIT_DEPTHS])

    def convert(self, value, param, ctx):
        return int(super().convert(str(value), param, ctx))
