"""Compiling and loading all kernels that runs need, before time is taken."""

import contextlib
import dataclasses
import fractions
import functools
import hashlib
import os
import pathlib
import sys
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import codecsim
from codecsim.codec.config import EncoderConfig
from codecsim.experiments.runs import decode_stream, encode_video
from codecsim.formats.video import create_video, open_video
from codecsim.kernels.sources import CACHE_ROOT
from codecsim.picture.planes import Frame, VideoFormat

WARM_SIZE, WARM_FRAMES = 64, 10  # more than a group of pictures of random access


def compile_all(configs: Iterable[EncoderConfig], on_first: Callable[..., Any] = lambda: None) -> None:
    """Compile all kernels that these settings need into the disk cache, once, before several processes all want them.

    Parameters
    ----------
    configs : EncoderConfig
    on_first : called before the first that may not be in the cache; most often all are
    """
    missing = {}
    for config in configs:
        mark = CACHE_ROOT / "complete" / f"{_sources()}-{hashlib.sha256(_what(config).encode()).hexdigest()[:16]}"
        if mark not in missing and not mark.exists():
            missing[mark] = config
    for mark, config in missing.items():
        if mark == next(iter(missing)):
            on_first()
        with contextlib.suppress(Exception):  # the job will fail in the same way, and say so
            warm(config)
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()


@functools.cache
def _sources() -> str:
    """Digest of everything that may change a compiled kernel."""
    import numba

    package = pathlib.Path(codecsim.__file__).parent
    digest = hashlib.sha256(f"{numba.__version__} {sys.version}".encode())
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _what(config: EncoderConfig) -> str:
    """What decides which kernels are needed, and nothing that does not."""
    return str(dataclasses.replace(config, qp=32, frames=None))


@functools.cache
def _warm_clip() -> tuple[Any, str | os.PathLike]:
    """Path of a small clip that moves, gone when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="codecsim-")
    path = pathlib.Path(folder.name) / "warm.y4m"
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (WARM_SIZE, WARM_SIZE)).astype(np.uint8)
    with create_video(path, VideoFormat(WARM_SIZE, WARM_SIZE, fractions.Fraction(25))) as write:
        for i in range(WARM_FRAMES):
            luma = np.roll(picture, 3 * i, 1)
            write(Frame(luma, luma[::2, ::2].copy(), luma[1::2, ::2].copy()))
    return folder, path


def model_files(config: EncoderConfig) -> list[str]:
    """Weights of a configuration that are files of the user's own, which a decoder has to be shown."""
    return [name for name in config.named_weights.values() if os.path.exists(name)]


_warmed: set[Any] = set()


def warm(config: EncoderConfig) -> None:
    """Code a small clip with these settings, so that kernels are compiled and loaded before time is taken."""
    what = _what(config)
    if what in _warmed:
        return
    config = dataclasses.replace(config, qp=32, frames=None)
    with tempfile.TemporaryDirectory(prefix="codecsim-") as folder:
        stream = pathlib.Path(folder) / "stream.bin" if config.oracle is None else None
        with open_video(_warm_clip()[1]) as video:
            encode_video(video, config, stream)
        if stream:
            with open(stream, "rb") as file:
                decode_stream(file, "stream", models=model_files(config))
    _warmed.add(what)
