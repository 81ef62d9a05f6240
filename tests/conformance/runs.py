"""Encode, decode with this decoder and with others, compare."""

import io
import subprocess
from typing import NamedTuple

import av
import numpy as np

from codecsim.codec.decoder import decode
from codecsim.codec.encoder import encode
from codecsim.picture.planes import Frame
from codecsim.syntax import nal as nal_units


class Run(NamedTuple):
    """An encoding."""

    data: bytes
    recon: list  # of Frame, in output order
    reports: list  # of PictureReport, in coding order


def run_encoder(config, clip):
    """`Run` of an EncoderConfig over what `clips.make_clip` returns."""
    pictures = list(encode(config, *clip))
    assert sorted(p.index for p in pictures) == list(range(len(clip[1])))
    recon = [p.recon for p in sorted(pictures, key=lambda p: p.index)]
    return Run(b"".join(p.data for p in pictures), recon, [p.report for p in pictures])


def assert_same_pictures(frames, expected):
    """Equal planes in equal number."""
    assert len(frames) == len(expected)
    for k, pair in enumerate(zip(frames, expected, strict=True)):
        for name, found, wanted in zip(("Y", "Cb", "Cr"), *pair, strict=True):
            np.testing.assert_array_equal(found, wanted, err_msg=f"picture {k}, plane {name}")


def check_own_decoder(run, threads=1, models=()):
    """This decoder gives the encoder's pictures, bits and learner."""
    decoded = list(decode(io.BytesIO(run.data), threads=threads, models=models))
    assert_same_pictures([p.frame for p in decoded], run.recon)
    reports = [p.report for p in sorted(decoded, key=lambda p: p.coding_index)]
    for found, wanted in zip(reports, run.reports, strict=True):
        for name in (
            "poc",
            "type",
            "qp",
            "bits",
            "overlapped_share",
            "loop_share",
            "loop_ran",
            "intra_filter_shares",
            "filtered_share",
            "trained_steps",
            "reset",
            "accumulated_loss",
        ):
            assert getattr(found, name) == getattr(wanted, name), name
        assert found.learner_hash == wanted.learner_hash


def check_ffmpeg(run):
    """FFmpeg gives the encoder's pictures."""
    frames = []
    pixel_format = "yuv420p" if run.recon[0].y.dtype == np.uint8 else "yuv420p10le"
    with av.open(io.BytesIO(run.data), format="hevc") as container:
        for picture in container.decode(video=0):
            assert picture.format.name == pixel_format
            frames.append(_split(picture.to_ndarray().ravel(), picture.width, picture.height))
    assert_same_pictures(frames, run.recon)


def check_libde265(binary, run, folder):
    """libde265 gives the encoder's pictures and finds their hashes right."""
    stream, output = folder / "stream.hevc", folder / "decoded.yuv"
    stream.write_bytes(_without_repeated_sets(run.data))
    output.unlink(missing_ok=True)
    command = [binary, "-q", "-c", "-t", "0", "-o", str(output), str(stream)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "mismatch" not in said.lower() and "error" not in said.lower(), said
    height, width = run.recon[0].y.shape
    samples = np.fromfile(output, run.recon[0].y.dtype).reshape(-1, width * height * 3 // 2)
    assert_same_pictures([_split(picture, width, height) for picture in samples], run.recon)


def _without_repeated_sets(data):
    """A stream with its parameter sets only where they change.

    libde265 takes a repeated sequence parameter set for a new one, and refuses pictures decoded with the first
    as references (its pull request 372): those before an open random access point, which the leading pictures need.
    """
    latest, kept, start = {}, [], 0
    for nal in nal_units.read_nal_units(io.BytesIO(data)):
        is_set = nal.type in (nal_units.VPS, nal_units.SPS, nal_units.PPS)
        if not is_set or latest.get(nal.type) != nal.rbsp:
            kept.append(data[start : start + nal.size])
        if is_set:
            latest[nal.type] = nal.rbsp
        start += nal.size
    assert start == len(data)
    return b"".join(kept)


def _split(samples, width, height):
    """Frame of the samples of three planes, one after the other."""
    luma = width * height
    y, u, v = np.split(samples, [luma, luma + luma // 4])
    chroma = (height // 2, width // 2)
    return Frame(y.reshape(height, width), u.reshape(chroma), v.reshape(chroma))
