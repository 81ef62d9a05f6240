"""Command line: one file per command, each a thin caller of library functions.

Results go to standard output, progress and errors to standard error. Exit status: 0 done, 1 the input or the stream is
at fault, 2 the command line is.
"""

import _thread
import importlib
import os
import signal
import sys
import threading
from types import FrameType, MappingProxyType

import click

from codecsim import __version__
from codecsim.errors import CodecError

COMMANDS = MappingProxyType(  # with what they do, so that --help imports none of them
    {
        "encode": "Encode a video.",
        "decode": "Decode a stream and check its hashes.",
        "info": "Print what a stream holds.",
        "view": "Look into a stream in a browser.",
        "trace": "Print every syntax element of a stream, or compare two traces.",
        "compare": "Print the BD-rate between two sets of results.",
        "sweep": "Run an experiment: clips x QPs x arms.",
        "demo": "Encode and decode a bundled clip, with and without the learning filter.",
        "train": "Train initial weights of the learned tools.",
        "profile": "Print what a model costs.",
        "report": "Make an HTML page of the runs in a database.",
        "tune": "Search for settings of the learners.",
        "metrics": "Measure the quality of a video against its original.",
        "settings": "Print everything that can be set.",
    }
)
INTERRUPTED = 130  # as shells report it
REPEAT_SECONDS = 1.0  # from an interruption to the next, until one arrives


class _Repeat:
    """Brings an interruption again and again.  Where there are no timers that send signals, a thread has to do it."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self._timer: threading.Timer | None = None

    def begin(self, number: int) -> None:
        self.has_begun.set()
        self.end()
        self._timer = threading.Timer(REPEAT_SECONDS, _thread.interrupt_main, [number])
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


_repeat = _Repeat()


class Interrupted(BaseException):
    """The user or a job manager stops the run."""


class LazyGroup(click.Group):
    """Imports a command's module when the command is asked for: `compare` needs no kernels."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"codecsim.cli.{cmd_name}").command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=LazyGroup)
@click.version_option(__version__, prog_name="codecsim")
def group() -> None:
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
            _repeat.end()
    except (KeyboardInterrupt, Interrupted):
        return _fail("interrupted", INTERRUPTED)
    except Exception:
        # A compiler that lost the interruption in a callback fails soon for want of what that should have brought.
        if not _repeat.has_begun.is_set():
            raise
        return _fail("interrupted", INTERRUPTED)


def _run(arguments: list[str] | None) -> int:
    try:
        return group.main(arguments, prog_name="codecsim", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        hint = f" (see '{context.command_path} --help')" if context else ""
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
    for number in (signal.SIGINT, signal.SIGTERM):
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


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Leave through the code that removes unfinished outputs."""
    # An exception that is raised in a destructor, as compilers have them, is lost: come again.
    _repeat.begin(number)
    raise Interrupted


def _show_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Say what went wrong where no exception can leave, unless it is an interruption, which will come again."""
    if not issubclass(unraisable.exc_type, Interrupted):
        sys.__unraisablehook__(unraisable)
