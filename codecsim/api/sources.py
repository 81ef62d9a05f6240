"""Streams as a program names them: bytes, a path, an open file, or the result of an encoding."""

import contextlib
import io
import os
from collections.abc import Iterator
from typing import BinaryIO, SupportsBytes

from codecsim.errors import ConfigError
from codecsim.formats.video import open_stream

NAME = "the stream"  # of one without a path, in messages
Source = bytes | bytearray | memoryview | str | os.PathLike | BinaryIO | SupportsBytes


@contextlib.contextmanager
def open_source(source: Source) -> Iterator[tuple[BinaryIO, str]]:
    """A stream to read and its name.

    Parameters
    ----------
    source : bytes; a path, - for standard input; an open binary file; or `Encoded`

    Raises
    ------
    FormatError : no such file, or an empty one
    ConfigError : none of these
    """
    if isinstance(source, (str, os.PathLike)):
        with open_stream(source) as (file, name):
            yield file, name
    elif isinstance(source, (bytes, bytearray, memoryview, SupportsBytes)):
        yield io.BytesIO(bytes(source)), NAME
    elif hasattr(source, "read") and not isinstance(source, io.TextIOBase):
        yield source, str(getattr(source, "name", NAME))
    else:
        raise ConfigError(f"a stream is bytes, a path or an open binary file; found a {type(source).__name__}")
