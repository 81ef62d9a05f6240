"""Decoded pictures that wait on disk until somebody looks at them."""

import collections
import tempfile
import threading
import zlib

import numpy as np

CACHE_BYTES = 64 << 20  # of unpacked records in memory: a step back and forth need not unpack again
_LEVEL = 1  # of zlib; measured: 6 takes three times as long for 7 % fewer bytes


class Store:
    """Arrays and texts by key, packed into an unnamed temporary file that goes with the process.

    `put` and `get` may be called from several threads.  Memory: at most `CACHE_BYTES` of what has been got last, and
    some 100 bytes a record.

    Attributes
    ----------
    cached_bytes : int, of unpacked records now in memory
    """

    def __init__(self, cache_bytes=CACHE_BYTES):
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._places = {}  # by key: (offset, packed bytes, dtype or None, shape)
        self._end = 0
        self._cache, self.cached_bytes, self._cache_bytes = collections.OrderedDict(), 0, cache_bytes
        self._lock = threading.Lock()

    def put(self, key, value):
        """Keep an array or bytes under a new key; one that another key has already: see `alias`."""
        if isinstance(value, np.ndarray):
            packed, dtype, shape = zlib.compress(np.ascontiguousarray(value), _LEVEL), value.dtype, value.shape
        else:
            packed, dtype, shape = zlib.compress(value, _LEVEL), None, None
        with self._lock:
            self._file.seek(self._end)
            self._file.write(packed)
            self._places[key] = self._end, len(packed), dtype, shape
            self._end += len(packed)

    def alias(self, key, other):
        """Keep under a new key what another one has."""
        self._places[key] = self._places[other]

    def get(self, key):
        """What has been put: an array, not to be written to, or bytes.

        Raises
        ------
        KeyError : nothing has
        """
        place = self._places[key]
        with self._lock:
            if place[0] in self._cache:
                self._cache.move_to_end(place[0])
                return self._cache[place[0]]
            self._file.seek(place[0])
            packed = self._file.read(place[1])
        value = zlib.decompress(packed)
        if place[2] is not None:
            value = np.frombuffer(value, place[2]).reshape(place[3])
        self._remember(place[0], value)
        return value

    def _remember(self, offset, value):
        with self._lock:
            if offset not in self._cache:
                self._cache[offset] = value
                self.cached_bytes += _size(value)
            while self.cached_bytes > self._cache_bytes and self._cache:
                self.cached_bytes -= _size(self._cache.popitem(last=False)[1])

    def close(self):
        """Give the disk space back."""
        self._file.close()


def _size(value):
    return value.nbytes if isinstance(value, np.ndarray) else len(value)
