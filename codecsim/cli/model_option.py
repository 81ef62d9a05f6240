"""The option of commands that decode: where weights are."""

from collections.abc import Callable
from typing import Any

import click


def model_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--model PATH`, as `models`: files and folders."""
    text = "File or folder with weights that the stream may need and that do not ship; may be given several times."
    return click.option("--model", "models", multiple=True, metavar="PATH", help=text)(function)
