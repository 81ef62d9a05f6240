"""Runs in pieces: the same stream, byte by byte, and the same results as in one."""

import io
import itertools
import json

import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.codec.decoder import decode
from codecsim.errors import ConfigError
from codecsim.experiments.clips import read_clip
from codecsim.experiments.database import Database
from codecsim.experiments.jobs import run_all
from codecsim.experiments.runs import encode_video
from codecsim.experiments.segments import join, split, why_whole
from codecsim.experiments.work import Job, Piece, Task, code
from codecsim.formats.video import open_video

FAST = {"preset": "fast", "qp": 32, "frames": 6}
SMALL = {"channels": "8"}
ALL = {"obmc": True, "chroma_filter": "online", "intra_filter": "frozen", "loop_filter": "on"}
SETTINGS = {
    "ai": {"config": "ai", "intra_period": 2, "filter": "off"},
    "ai learned": {"config": "ai", "intra_period": 2, "filter": "off", "intra_filter": "online"},
    "ldp ordered": {
        "intra_period": 2,
        "chroma_filter": "online",
        "settings": {"inter_luma": {**SMALL, "control": "signalled"}},
    },
    "ldp off": {"intra_period": 3, "filter": "off", "settings": {"hevc": {"adaptive_qp": 3}}},
    "ldp learned": {
        "intra_period": 2,
        "settings": {"inter_luma": {**SMALL, "experts": "online,rls,mix", "control": "threshold"}},
    },
    "ldp 10 bits": {
        "intra_period": 2,
        "settings": {"inter_luma": SMALL, "hevc": {"internal_bit_depth": 10, "adaptive_qp": 3}},
    },
    "ldb all": {"config": "ldb", "intra_period": 2, **ALL, "settings": {"inter_luma": {**SMALL, "reset": "auto"}}},
}
TIMES = ("seconds", "cpu_seconds")


def without_times(value):
    """A result without what the clock says."""
    if isinstance(value, dict):
        return {name: without_times(found) for name, found in value.items() if name not in TIMES}
    return [without_times(found) for found in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", SETTINGS)
def test_pieces_join_to_the_stream_of_the_whole(clips, tmp_path, name):
    clip = read_clip(clips / "a.y4m")
    job = Job(clip, EncoderConfig(**FAST, **SETTINGS[name]), "x")
    pieces = [code(Task(job, piece), decode=True) for piece in split(job.config, 3)]
    assert len(pieces) == (2 if job.config.intra_period == 3 else 3)
    with open_video(clip.path) as video:
        whole = encode_video(video, job.config, tmp_path / "whole.bin", tmp_path / "recon.y4m")
    stream = b"".join(piece.stream for piece in pieces)
    assert stream == (tmp_path / "whole.bin").read_bytes()
    joined = join(job, pieces)
    assert without_times(joined.result) == without_times(whole)
    assert joined.decoder_seconds == sum(piece.decoder_seconds for piece in pieces)
    with open_video(tmp_path / "recon.y4m") as recon:
        for decoded, expected in itertools.zip_longest(decode(io.BytesIO(stream)), recon.frames):
            assert all((own == other).all() for own, other in zip(decoded.frame, expected, strict=True))


def test_pieces_are_of_equal_length_and_begin_with_idr_pictures():
    config = EncoderConfig(frames=50, intra_period=8, filter="off")
    assert split(config, 3) == [Piece(0, 16), Piece(16, 16), Piece(32, 18)]
    assert split(config, 1) == [Piece(0, 50)]
    assert split(config, 100) == [Piece(k, min(8, 50 - k)) for k in range(0, 50, 8)]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"config": "ra"}, "ra has open groups"),
        ({"config": "ra", "intra_period": 16}, "ra has open groups"),
        ({"intra_period": 0}, "no IDR picture but the first"),
        ({}, "no IDR picture but the first"),
        ({"intra_period": 2, "settings": {"inter_luma": {"reset": "never"}}}, "goes on over IDR pictures"),
        ({"intra_period": 2, "oracle": "original"}, "an oracle has no stream"),
    ],
)
def test_what_cannot_be_cut(settings, reason):
    config = EncoderConfig(frames=32, **settings)
    assert reason in why_whole(config)
    with pytest.raises(ConfigError, match=reason):
        split(config, 2)


def test_a_sweep_in_pieces_keeps_what_one_without_keeps(clips, tmp_path, capsys):
    clip = read_clip(clips / "a.y4m")
    configs = [EncoderConfig(**(FAST | {"qp": qp}), intra_period=2, filter="off") for qp in (22, 37)]
    jobs = [Job(clip, config, "off") for config in (*configs, EncoderConfig(**FAST, filter="off"))]
    assert run_all(jobs, tmp_path / "whole.sqlite", "v", 1) == []
    capsys.readouterr()
    assert run_all(jobs, tmp_path / "pieces.sqlite", "v", 1, segments=2) == []
    printed = capsys.readouterr().err
    assert "5 runs to do" in printed and "coded in one piece, for there is no IDR picture but the first" in printed
    for job in jobs:
        key = job.key("v")
        rows = []
        for name in ("whole", "pieces"):
            with Database(tmp_path / f"{name}.sqlite") as kept:
                rows.append(kept.find(key, decoded=True))
                assert kept.pieces(key) == {}
        own, other = (without_times(json.loads(row["result"])) for row in rows)
        assert own == other and rows[0]["stream_sha256"] == rows[1]["stream_sha256"]
    assert run_all(jobs, tmp_path / "pieces.sqlite", "v", 1, segments=3) == []
    assert "0 runs to do, 3 already" in capsys.readouterr().err


def test_pieces_that_are_there_are_not_coded_again(clips, tmp_path, capsys):
    clip = read_clip(clips / "a.y4m")
    job = Job(clip, EncoderConfig(**FAST, intra_period=2, filter="off"), "off")
    pieces = split(job.config, 3)
    done = [code(Task(job, piece), decode=True) for piece in pieces]
    with Database(tmp_path / "runs.sqlite") as kept:
        kept.add_version("v")
        kept.add_piece(job.key("v"), pieces[1], done[1])
    assert run_all([job], tmp_path / "runs.sqlite", "v", 1, segments=3) == []
    printed = capsys.readouterr().err
    assert "2 runs to do" in printed and "pictures 2 to 3" not in printed
    with Database(tmp_path / "other.sqlite") as kept:  # killed between the last piece and joining
        for piece, left in zip(pieces, done, strict=True):
            kept.add_piece(job.key("v"), piece, left)
    assert run_all([job], tmp_path / "other.sqlite", "v", 1, segments=3) == []
    for name in ("runs", "other"):
        with Database(tmp_path / f"{name}.sqlite") as kept:
            assert kept.find(job.key("v"), decoded=True)["stream_sha256"] == join(job, done).result["stream_sha256"]
