"""Names of metrics on a command line."""

from collections.abc import Iterable
from typing import Any

import click

METRICS_HELP = (
    "Quality to measure beside PSNR, per picture and mean, separated by commas: ssim, ms-ssim, vmaf (where an ffmpeg "
    "has libvmaf). Their time does not count as encoding time."
)


class MetricNames(click.ParamType):
    """Names separated by commas.

    Parameters
    ----------
    allowed : the names that there are
    """

    name = "NAME,..."

    def __init__(self, allowed: Iterable[str]):
        self._allowed = tuple(allowed)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        names = tuple(dict.fromkeys(filter(None, value.split(",")))) if isinstance(value, str) else value
        unknown = [name for name in names if name not in self._allowed]
        if unknown:
            self.fail(f"'{unknown[0]}' is no metric, expected some of {', '.join(self._allowed)}", param, ctx)
        return names
