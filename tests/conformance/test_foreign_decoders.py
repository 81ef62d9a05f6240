"""With learned tools off, decoders of other people decode our streams to our reconstruction."""

import itertools
import shutil

import pytest

from codecsim.codec.config import CONFIGS, QP_GROUPS, RA_GOP_SIZE, EncoderConfig
from tests.conformance.clips import make_clip
from tests.conformance.runs import check_ffmpeg, check_libde265, check_own_decoder, run_encoder

CLIPS = (
    ("noise", 8, 8, 14),
    ("edges", 34, 18, 14),
    ("texture", 130, 66, 14),
    ("cut", 264, 130, 6),
    ("fade", 16, 200, 14),
    ("film", 176, 112, 14),
    ("flat", 72, 136, 5),
)
QPS = (17, 27, 37, 45)
PRESETS, HASHES, PERIODS = ("medium", "fast", "slow"), ("md5", "crc", "checksum"), (0, 5, 0, 3, 0)
DECODER = shutil.which("libde265-dec265") or shutil.which("dec265")


def _matrix():
    """Every configuration, QP and clip; presets, hashes and periods take turns."""
    found = []
    for k, (config, qp, clip) in enumerate(itertools.product(CONFIGS, QPS, CLIPS)):
        period = PERIODS[k % 5]
        if config == "ra" and period:
            period = RA_GOP_SIZE
        options = {"preset": PRESETS[k % 3], "hash": HASHES[k // 2 % 3], "intra_period": period}
        found.append(pytest.param(clip, EncoderConfig(config, qp, filter="off", **options), id=_name(clip, config, qp)))
    for k, (config, clip) in enumerate(itertools.product(CONFIGS, CLIPS)):
        depths = ((10, None), (8, 10), (10, 10), (10, 8))[k % 4]
        # no checksum: libde265 sums the first half of the bytes only
        qp, options = (0, 22, 32, 37, 51)[k % 5], {"preset": PRESETS[k % 3], "hash": ("md5", "crc")[k % 2]}
        found.append(_row(clip, *depths, EncoderConfig(config, qp, filter="off", **options)))
    for k, (config, clip) in enumerate(itertools.product(("ai", "ldp"), CLIPS)):
        depth = (None, 10)[k // 2 % 2]
        hevc = {"adaptive_qp": (1, 4, 12)[k % 3], "qp_group": QP_GROUPS[k % 4], "transform_skip": k % 2 == 0}
        options = {"preset": PRESETS[k % 3], "hash": ("md5", "crc")[k % 2], "settings": {"hevc": hevc}}
        qp = (51, 0, 22, 32, 37)[k % 5]
        found.append(_adaptive_row(clip, EncoderConfig(config, qp, filter="off", **options), depth))
    return found


def _row(clip, bit_depth, internal, config):
    """A clip of `bit_depth` bits, coded at `internal` bits."""
    name = f"{_name(clip, config.config, config.qp)}-{bit_depth}-as-{internal or bit_depth}-bits"
    config = config.with_settings({"hevc": {"internal_bit_depth": internal or 0}})
    return pytest.param((*clip, 0, bit_depth), config, id=name)


def _adaptive_row(clip, config, internal=None):
    name = f"{_name(clip, config.config, config.qp)}-adaptive-{config.hevc.adaptive_qp}-groups-{config.hevc.qp_group}"
    config = config.with_settings({"hevc": {"internal_bit_depth": internal or 0}})
    return pytest.param(clip, config, id=f"{name}-10-bits" if internal else name)


def _name(clip, config, qp):
    return f"{config}-{qp}-{clip[0]}-{clip[1]}x{clip[2]}"


def _short(clip):
    return (*clip[:3], min(clip[3], 3))


FEW = [
    pytest.param(
        _short(clip), EncoderConfig(config, qp, filter="off", preset=preset, hash=kind), id=_name(clip, config, qp)
    )
    for clip, config, qp, preset, kind in (
        (CLIPS[0], "ldp", 17, "fast", "md5"),
        (CLIPS[1], "ldp", 22, "medium", "crc"),
        (CLIPS[2], "ldp", 37, "slow", "checksum"),
        (CLIPS[3], "ai", 45, "fast", "md5"),
        (CLIPS[4], "ldp", 27, "medium", "crc"),
        (CLIPS[5], "ldp", 32, "fast", "md5"),
        (CLIPS[6], "ai", 0, "medium", "checksum"),
        (CLIPS[0], "ai", 51, "slow", "md5"),
        (CLIPS[2], "ldb", 32, "medium", "crc"),
        (CLIPS[3], "ldb", 27, "slow", "md5"),
        (CLIPS[5], "ra", 37, "slow", "checksum"),
    )
]
FEW += [
    pytest.param(CLIPS[k], EncoderConfig("ra", qp, filter="off", preset=preset, intra_period=period), id=f"ra-{k}")
    for k, qp, preset, period in ((0, 22, "fast", 8), (1, 27, "medium", None), (1, 32, "fast", 8))
]
FEW += [
    _row(_short(CLIPS[1]), 8, 10, EncoderConfig("ldp", 27, filter="off", preset="fast", hash="crc")),
    _row(_short(CLIPS[1]), 10, None, EncoderConfig("ra", 32, filter="off", preset="medium")),
    _row(_short(CLIPS[0]), 10, None, EncoderConfig("ldp", 22, filter="off", preset="medium", hash="checksum")),
    _adaptive_row(
        _short(CLIPS[1]),
        EncoderConfig("ldp", 27, filter="off", preset="fast", settings={"hevc": {"adaptive_qp": 12, "qp_group": 8}}),
    ),
    _adaptive_row(
        _short(CLIPS[5]),
        EncoderConfig(
            "ldp", 32, filter="off", settings={"hevc": {"transform_skip": False, "adaptive_qp": 6, "qp_group": 32}}
        ),
        internal=10,
    ),
]


@pytest.mark.parametrize("clip, config", FEW)
def test_some_streams(clip, config):
    run = run_encoder(config, make_clip(*clip))
    check_own_decoder(run)
    check_ffmpeg(run)


@pytest.mark.parametrize("clip, config", _matrix())
def test_matrix(clip, config, tmp_path):
    run = run_encoder(config, make_clip(*clip))
    check_own_decoder(run)
    check_ffmpeg(run)
    if DECODER:
        check_libde265(DECODER, run, tmp_path)


@pytest.mark.skipif(DECODER is None, reason="no libde265")
def test_libde265_at_open_random_access_points(tmp_path):
    """Leading pictures refer to pictures before the parameter sets that come with a CRA picture."""
    config = EncoderConfig("ra", 32, filter="off", preset="fast", intra_period=RA_GOP_SIZE)
    run = run_encoder(config, make_clip("edges", 34, 18, 2 * RA_GOP_SIZE + 2))
    assert [report.type for report in run.reports].count("I") == 3
    check_libde265(DECODER, run, tmp_path)


@pytest.mark.skipif(DECODER is None, reason="no libde265")
def test_libde265_notices_a_wrong_hash(tmp_path):
    """So that its silence in the matrix means something."""
    run = run_encoder(EncoderConfig("ai", 32, filter="off"), make_clip("texture", 64, 64, 1))
    damaged = run._replace(data=run.data[:-4] + bytes([run.data[-4] ^ 1]) + run.data[-3:])
    with pytest.raises(AssertionError):
        check_libde265(DECODER, damaged, tmp_path)
