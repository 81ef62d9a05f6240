"""Decode damaged copies of streams; every one must end in pictures or in a CodecError.

python fuzz.py FIRST_SEED COUNT STREAM...

Prints how the copies ended.  Run in a process of its own: a wrong access to memory may end it.
"""

import collections
import io
import pathlib
import sys
import time

import numpy as np

from codecsim.codec.decoder import decode
from codecsim.errors import CodecError

LIMIT = 20.0  # seconds for one tiny stream


def flip_bits(rng, data):
    """One bit, or some, anywhere; more often near the beginning, where the headers stand."""
    out = bytearray(data)
    for _ in range(1 if rng.random() < 0.7 else int(rng.integers(2, 9))):
        end = len(out) if rng.random() < 0.7 else min(len(out), 120)
        out[rng.integers(end)] ^= 1 << rng.integers(8)
    return bytes(out)


def overwrite(rng, data):
    """A run of random bytes, zeros or ones."""
    out = bytearray(data)
    size = int(rng.integers(1, 40))
    start = int(rng.integers(max(len(out) - size, 1)))
    fill = rng.integers(0, 256, size, np.uint8).tobytes()
    out[start : start + size] = [fill, bytes(size), b"\xff" * size][rng.integers(3)]
    return bytes(out)


def splice(rng, data):
    """A part left out or said twice."""
    a, b = sorted(rng.integers(0, len(data), 2))
    return data[:a] + data[b:] if rng.random() < 0.5 else data[:b] + data[a:]


def truncate(rng, data):
    """The end cut off."""
    return data[: rng.integers(len(data))]


def damage(seed, streams):
    """A damaged copy of one of the streams."""
    rng = np.random.default_rng(seed)
    data = streams[rng.integers(len(streams))]
    kinds = (flip_bits, flip_bits, flip_bits, overwrite, splice, truncate)
    return kinds[rng.integers(len(kinds))](rng, data)


def outcome(data):
    """Name of how decoding ends; hashes are not checked, so that damage reaches as far as it can."""
    count = 0
    try:
        for _ in decode(io.BytesIO(data), check=False):
            count += 1
    except CodecError as error:
        assert str(error) and "\n" not in str(error)
        return type(error).__name__
    return "pictures"


def main(first, count, *paths):
    streams = [pathlib.Path(path).read_bytes() for path in paths]
    for data in streams:  # compiles what there is to compile
        assert outcome(data) == "pictures"
    ends = collections.Counter()
    for seed in range(int(first), int(first) + int(count)):
        print(f"seed {seed}", file=sys.stderr, flush=True)
        started = time.perf_counter()
        ends[outcome(damage(seed, streams))] += 1
        spent = time.perf_counter() - started
        if spent > LIMIT:
            raise SystemExit(f"seed {seed} took {spent:.0f} s")
    print(dict(sorted(ends.items())))


if __name__ == "__main__":
    main(*sys.argv[1:])
