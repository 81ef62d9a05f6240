"""Output files that appear under their name only when they are complete."""

import contextlib
import os
import pathlib
import secrets
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from codecsim.errors import ConfigError, FormatError

STANDARD_STREAM = "-"


class OutputFile:
    """A binary file that is written from its start to its end; what goes wrong is a `FormatError` with its name."""

    def __init__(self, file: BinaryIO, name: str):
        self._file = file
        self._name = name
        self.bytes_written = 0

    def write(self, data: bytes) -> None:
        with output_errors(self._name):
            self._file.write(data)
        self.bytes_written += len(data)

    def flush(self) -> None:
        with output_errors(self._name):
            self._file.flush()


@contextlib.contextmanager
def output_errors(name: str) -> Iterator[None]:
    """Name the file when the file system refuses; a closed pipe keeps its own exception."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise FormatError(f"{name}: cannot be written ({error.strerror or error})") from error


@contextlib.contextmanager
def atomic_output(path: str | os.PathLike) -> Iterator[OutputFile]:
    """Open a binary file for writing: write beside it and rename at the end.

    `-` is standard output. A device or a pipe is written directly. When the body raises, nothing is left.

    Yields
    ------
    OutputFile

    Raises
    ------
    FormatError : the file cannot be created or written, at any time
    """
    path = os.fspath(path)
    if path == STANDARD_STREAM:
        file = OutputFile(sys.stdout.buffer, "standard output")
        yield file
        file.flush()
        return
    with output_errors(path):
        target, mode = _checked_target(path)
    if mode is not None and not stat.S_ISREG(mode):
        with output_errors(path):
            device = open(target, "wb")  # noqa: SIM115 - closed below
        with _closing(device):
            file = OutputFile(device, path)
            yield file
            file.flush()
        return
    beside = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.part")
    try:
        with output_errors(path):
            partial = open(beside, "xb")  # noqa: SIM115 - closed below
        with _closing(partial):
            file = OutputFile(partial, path)
            yield file
            file.flush()
        with output_errors(path):
            if mode is not None:
                os.chmod(beside, stat.S_IMODE(mode))
            os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


def check_output(path: str | os.PathLike) -> None:
    """Refuse what `atomic_output` would refuse, before there is anything to write.

    Raises
    ------
    ConfigError, FormatError : the file cannot be created or written
    """
    path = os.fspath(path)
    if path != STANDARD_STREAM:
        with output_errors(path):
            target, mode = _checked_target(path)
            if mode is None or stat.S_ISREG(mode):
                tempfile.TemporaryFile(dir=target.parent).close()


@contextlib.contextmanager
def _closing(file: BinaryIO) -> Iterator[None]:
    """Close a file whose writer has flushed it: what could not be written has been said."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            file.close()


def _checked_target(path: str) -> tuple[pathlib.Path, int | None]:
    """The file behind `path` and its mode, None where there is no file yet."""
    if not path:
        raise ConfigError("the name of the output is empty")
    if path == os.devnull:
        return pathlib.Path(path), stat.S_IFCHR
    target = pathlib.Path(path).resolve()
    mode = target.stat().st_mode if target.exists() else None
    if mode is not None and stat.S_ISDIR(mode):
        raise FormatError(f"{path}: is a folder, expected the name of a file")
    if mode is not None and not os.access(target, os.W_OK):
        raise FormatError(f"{path}: exists and must not be written")
    if not target.parent.is_dir():
        raise FormatError(f"{path}: cannot be written, there is no folder {target.parent}")
    return target, mode


class OutputOrder:
    """Passes on in output order what comes in coding order.

    Parameters
    ----------
    write : function of one item
    """

    def __init__(self, write: Callable):
        self._write = write
        self._waiting: dict[int, Any] = {}
        self._next = 0

    def __call__(self, index: int, item: Any) -> None:
        self._waiting[index] = item
        while self._next in self._waiting:
            self._write(self._waiting.pop(self._next))
            self._next += 1
