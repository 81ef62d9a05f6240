"""Progress on standard error: a bar on a terminal, plain lines elsewhere, nothing with --quiet."""

import sys
import time
from typing import Any, Self

import click
import cloup

from codecsim.kernels.compilation import watch_compilation

PLAIN_PERIOD = 2.0  # seconds between plain lines, at least

quiet_option = cloup.option("--quiet", is_flag=True, help="No progress on standard error.")


class PictureProgress:
    """Counts pictures and shows when kernels are being compiled. Use as a context manager.

    Parameters
    ----------
    what : str, such as 'encode'
    total : int or None, pictures expected
    quiet : bool
    """

    def __init__(self, what: str, total: int | None, quiet: bool = False):
        self._what = what
        self._total = total
        self._done = 0
        self._next_line = self._started = time.monotonic()
        self._watching = watch_compilation(self._compiling)
        self._bar = self._line = None
        if not quiet and sys.stderr.isatty():
            from rich import progress
            from rich.console import Console

            self._bar = progress.Progress(
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TextColumn("{task.fields[note]}"),
                progress.TimeElapsedColumn(),
                progress.TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task(what, total=total, note="")
        elif not quiet:
            self._line = lambda text: click.echo(f"codecsim: {text}", err=True)

    def __enter__(self) -> Self:
        self._watch = self._watching.__enter__()
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        if self._bar:
            self._bar.stop()
        if self._line and error[0] is None:
            self._line(self._summary())
        self._watching.__exit__(*error)

    @property
    def compile_seconds(self) -> float:
        """Seconds spent on compiling kernels since the start."""
        return self._watch.seconds

    def advance(self, note: str = "") -> None:
        """One more picture is done."""
        self._done += 1
        if self._bar:
            self._bar.update(self._task, advance=1, description=self._what, note=note)
        elif self._line and self._line_is_due():
            self._line(f"{self._summary()} {note}".rstrip())

    def _summary(self) -> str:
        seconds = time.monotonic() - self._started - self.compile_seconds
        of_total = f" of {self._total}" if self._total else ""
        return f"{self._what}: {self._done}{of_total} pictures, {self._done / max(seconds, 1e-6):.2f} a second"

    def _compiling(self, name: str) -> None:
        note = f"{self._watch.kernels} done, now {name}"
        if self._bar:
            self._bar.update(self._task, description="compiling kernels (first run only)", note=note)
        elif self._line and self._line_is_due():
            elapsed = time.monotonic() - self._started
            self._line(f"compiling kernels (first run only): {note}, {elapsed:.0f} s")

    def _line_is_due(self) -> bool:
        if not self._line or time.monotonic() < self._next_line:
            return False
        self._next_line = time.monotonic() + PLAIN_PERIOD
        return True
