"""Whatever bytes the decoder is given, it ends in pictures or in a CodecError."""

import io
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.codec.decoder import decode
from codecsim.errors import BitstreamError, CodecError
from tests.conformance.clips import make_clip
from tests.conformance.runs import run_encoder

HERE = pathlib.Path(__file__).parent


def small_streams():
    """Streams that between them hold every kind of syntax, a few hundred bytes to a few thousand."""
    learn = {"channels": 8, "tile_log2": 4, "epochs_q2": 2}
    ldp = {"config": "ldp", "preset": "slow"}
    ten_bits = {"settings": {"hevc": {"internal_bit_depth": 10, "adaptive_qp": 6, "qp_group": 8}}}
    return [
        run_encoder(EncoderConfig(qp=qp, **options), make_clip(content, *size, count, seed=qp))
        for qp, content, size, count, options in (
            (22, "cut", (72, 40), 6, {**ldp, "filter": "off"}),
            (34, "edges", (130, 66), 6, {**ldp, "filter": "off", "hash": "crc"}),
            (40, "noise", (16, 72), 3, {"config": "ai", "filter": "off", "preset": "slow", "hash": "checksum"}),
            (
                30,
                "texture",
                (72, 72),
                5,
                {**ldp, "intra_period": 3, "settings": {"inter_luma": {**learn, "control": "signalled"}}},
            ),
            (33, "zoom", (72, 40), 4, {"config": "ldb", "filter": "off", "obmc": True, **ten_bits}),
        )
    ]


@pytest.fixture(scope="module")
def runs():
    return small_streams()


@pytest.fixture(scope="module")
def paths(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("streams")
    for k, run in enumerate(runs):
        (folder / f"{k}.bin").write_bytes(run.data)
    return sorted(folder.iterdir())


def decode_all(data):
    """(pictures before the end, the CodecError that ended decoding or None)."""
    frames = []
    try:
        for picture in decode(io.BytesIO(data)):
            frames.append(picture.frame)
    except CodecError as error:
        return frames, error
    return frames, None


def test_truncation(runs):
    """Cut anywhere: whole pictures before the cut come out right, and a picture that is cut is an error."""
    for run in runs:
        ends = np.cumsum([report.file_bits // 8 for report in run.reports])
        rng = np.random.default_rng(len(run.data))
        around = [end + d for end in ends for d in (-30, -3, -1, 0, 1, 2, 3, 5, 6)]
        for cut in {*range(60), *around, *rng.integers(0, len(run.data), 60)}:
            frames, error = decode_all(run.data[:cut])
            for found, wanted in zip(frames, run.recon, strict=False):
                assert all(np.array_equal(a, b) for a, b in zip(found, wanted, strict=True))
            whole = int(np.searchsorted(ends, cut, side="right"))
            assert whole - 1 <= len(frames) <= whole + 1
            if len(frames) < whole:
                assert error is not None


def test_empty_and_foreign():
    for data in (b"", b"\0" * 100, b"YUV4MPEG2 W8 H8\n", b"\0\0\1", b"\0\0\0\1\x40\1", bytes(range(256)) * 400):
        frames, error = decode_all(data)
        assert not frames and isinstance(error, BitstreamError)


def test_wrong_samples_are_never_output(runs):
    """With hashes checked, a flip in slice data ends in an error, or changes nothing that is output."""
    for run in runs:
        rng = np.random.default_rng(3)
        for _ in range(40):
            data = bytearray(run.data)
            data[rng.integers(150, len(data))] ^= 1 << rng.integers(8)
            frames, error = decode_all(bytes(data))
            right = [all(map(np.array_equal, a, b)) for a, b in zip(frames, run.recon, strict=False)]
            assert all(right) or error is not None or len(frames) < len(run.recon)


def fuzz(first, count, paths, timeout, **environment):
    """Run fuzz.py in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), **environment}
    command = [sys.executable, str(HERE / "fuzz.py"), str(first), str(count), *map(str, paths)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_some_damage(paths):
    fuzz(0, 300, paths, 300)


@pytest.mark.slow
def test_much_damage(paths):
    fuzz(1000, 5000, paths, 1800)


@pytest.mark.slow
def test_damage_with_bounds_checked(paths, tmp_path):
    """Compiles everything anew, with every access to an array checked."""
    fuzz(10000, 3000, paths, 3600, NUMBA_BOUNDSCHECK="1", CODECSIM_CACHE_DIR=str(tmp_path))
