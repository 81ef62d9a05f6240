"""Decoded pictures that wait on disk until somebody looks at them."""

import os
import tempfile
import threading
from collections.abc import Hashable
from typing import Any

import numpy as np


class Store:
    """Arrays and texts by key, in an unnamed temporary file that goes with the process.

    One thread may `put` while others `get`.  Memory: some 300 bytes a record, however large.  Nothing is packed: zlib
    at its fastest takes 8 ms a CIF picture, more than all else without a filter, and saves a third.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by close()
        self._places: dict[
            Hashable, tuple[int, int, np.dtype | None, tuple[int, ...] | None]
        ] = {}  # by key: (offset, bytes, dtype or None, shape)
        self._end = 0
        self._lock = threading.Lock()  # held while the file's position matters

    def put(self, key: Hashable, value: bytes | np.ndarray) -> None:
        """Keep an array or bytes under a new key; what another key has already: see `alias`.

        Raises
        ------
        OSError : the disk is full
        """
        dtype = shape = None
        if isinstance(value, np.ndarray):
            data, dtype, shape = np.ascontiguousarray(value).data.cast("B"), value.dtype, value.shape
        else:
            data = memoryview(value)
        size = data.nbytes
        with self._lock:
            self._file.seek(self._end)
            while data:
                data = data[self._file.write(data) :]
        self._places[key] = self._end, size, dtype, shape
        self._end += size

    def alias(self, key: Hashable, other: Hashable) -> None:
        """Keep under a new key what another one has."""
        self._places[key] = self._places[other]

    def get(self, key: Hashable) -> Any:
        """What has been put: an array, not to be written to, or bytes.

        Raises
        ------
        KeyError : nothing has
        """
        offset, size, dtype, shape = self._places[key]
        value = self._read(size, offset)
        return value if dtype is None or shape is None else np.frombuffer(value, dtype).reshape(shape)

    def _read(self, size: int, offset: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), size, offset)
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()
