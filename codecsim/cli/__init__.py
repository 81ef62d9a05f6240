"""Command line: one file per command, each a thin caller of library functions.

Results go to standard output, progress and errors to standard error. Exit status: 0 done, 1 the input or the stream is
at fault, 2 the command line is.
"""

import importlib
import os
import signal
import sys
import threading

import click

from codecsim import __version__
from codecsim.errors import CodecError

COMMANDS = (
    "encode",
    "decode",
    "info",
    "view",
    "trace",
    "compare",
    "sweep",
    "demo",
    "train",
    "profile",
    "report",
    "tune",
    "metrics",
)
INTERRUPTED = 130  # as shells report it
REPEAT_SECONDS = 1.0  # from an interruption to the next, until one arrives


_signalled = threading.Event()


class Interrupted(BaseException):
    """The user or a job manager stops the run."""


class LazyGroup(click.Group):
    """Imports a command's module when the command is asked for: `compare` needs no kernels."""

    def list_commands(self, ctx):
        return list(COMMANDS)

    def get_command(self, ctx, cmd_name):
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"codecsim.cli.{cmd_name}").command


@click.command(cls=LazyGroup)
@click.version_option(__version__, prog_name="codecsim")
def group():
    """Encode and decode video with a codec simulator that learns while coding.

    \b
    Example: codecsim encode clip.y4m -o clip.bin --qp 32
             codecsim decode clip.bin -o decoded.y4m
    """


def run(arguments: list[str] | None = None) -> int:
    """Run a command line and return its exit status; errors become one line on standard error."""
    try:
        try:
            return _run(arguments)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except (KeyboardInterrupt, Interrupted):
        return _fail("interrupted", INTERRUPTED)
    except Exception:
        # A compiler that lost the interruption in a callback fails soon for want of what that should have brought.
        if not _signalled.is_set():
            raise
        return _fail("interrupted", INTERRUPTED)


def _run(arguments: list[str] | None) -> int:
    try:
        return group.main(arguments, prog_name="codecsim", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        hint = f" (see '{error.ctx.command_path} --help')" if getattr(error, "ctx", None) else ""
        return _fail(" ".join(error.format_message().split()) + hint, error.exit_code)
    except CodecError as error:
        return _fail(str(error), error.exit_code)
    except BrokenPipeError:
        return 1  # the reader has gone and needs no message
    except click.Abort:
        return _fail("interrupted", INTERRUPTED)
    except OSError as error:
        # Neither input nor output, which name themselves: the folder of compiled kernels, temporary files.
        return _fail(f"{error.filename or 'system'}: {error.strerror or error}", 1)
    except MemoryError:
        return _fail("not enough memory for pictures of this size", 1)


def _fail(message: str, status: int) -> int:
    click.echo(f"codecsim: error: {message}", err=True)
    return status


def main() -> None:
    """Entry point of the `codecsim` script."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    sys.unraisablehook = _show_unraisable
    status = run()
    try:
        sys.stdout.flush()
    except OSError as error:
        if not status and not isinstance(error, BrokenPipeError):
            _fail(f"standard output: cannot be written ({error.strerror})", 1)
        status = status or 1
        # Let the interpreter's last flush go nowhere instead of complaining.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(status)


def _interrupt(number, frame):
    """Leave through the code that removes unfinished outputs."""
    _signalled.set()
    # An exception that is raised in a destructor, as compilers have them, is lost: come again.
    signal.setitimer(signal.ITIMER_REAL, REPEAT_SECONDS)
    raise Interrupted


def _show_unraisable(unraisable):
    """Say what went wrong where no exception can leave, unless it is an interruption, which will come again."""
    if not issubclass(unraisable.exc_type, Interrupted):
        sys.__unraisablehook__(unraisable)
