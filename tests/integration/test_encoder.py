"""What the encoder promises about its bytes, its reports, its search and its memory."""

import dataclasses
import gc
import io
import tracemalloc

import numpy as np
import pytest

import codecsim.codec.encoder
import codecsim.codec.stages.reconstruction
import codecsim.search.choices
import codecsim.search.picture
from codecsim.codec.config import EncoderConfig
from codecsim.codec.decoder import decode
from codecsim.codec.encoder import encode
from codecsim.errors import ConfigError
from codecsim.picture.planes import Frame, VideoFormat
from codecsim.search.picture import PictureSearch
from tests.conformance.clips import FPS, make_clip
from tests.conformance.runs import run_encoder

CONFIGS = [
    EncoderConfig("ra", 32, filter="off", preset="fast"),
    EncoderConfig("ldb", 27, filter="off", preset="medium"),
    EncoderConfig("ldp", 22, filter="off", preset="fast", settings={"hevc": {"internal_bit_depth": 10}}),
    EncoderConfig("ai", 27, filter="off", preset="medium", settings={"hevc": {"adaptive_qp": 6}}),
    EncoderConfig(
        "ldp",
        32,
        filter="off",
        preset="fast",
        settings={"hevc": {"transform_skip": False, "adaptive_qp": 12, "qp_group": 32}},
    ),
    EncoderConfig("ldp", 32, filter="off", preset="slow", intra_period=3),
    EncoderConfig(
        "ldp",
        32,
        preset="fast",
        settings={"inter_luma": {"channels": 8, "tile_log2": 5}, "hevc": {"adaptive_qp": 6, "qp_group": 8}},
    ),
    EncoderConfig("ra", 32, preset="fast", settings={"inter_luma": {"channels": 8, "tile_log2": 5}}, obmc=True),
    EncoderConfig("ldp", 32, preset="medium", filter="off", obmc=True),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_same_bytes_twice(config):
    clip = make_clip("texture", 72, 56, 5)
    first, second = (run_encoder(config, clip) for _ in range(2))
    assert first.data == second.data


@pytest.mark.parametrize("config", CONFIGS)
def test_bits_add_up(config):
    run = run_encoder(config, make_clip("cut", 72, 56, 5))
    assert sum(report.file_bits for report in run.reports) == 8 * len(run.data)
    decoded = sorted(decode(io.BytesIO(run.data)), key=lambda picture: picture.coding_index)
    decoded = [picture.report for picture in decoded]
    for report in [*run.reports, *decoded]:
        assert sum(report.parts.values()) == report.bits
        assert min(report.parts.values()) >= 0
    for coded, found in zip(run.reports, decoded, strict=True):
        assert found.parts == coded.parts


@pytest.mark.parametrize("config", CONFIGS[:6])
def test_search_reconstructs_what_the_codec_does(monkeypatch, config):
    """Before the in-loop filters, without the learned one."""
    searches, compared = [], []
    reconstruct = codecsim.codec.stages.reconstruction.reconstruct

    class Watched(PictureSearch):
        def __init__(self, *args):
            super().__init__(*args)
            searches.append(self)

        def run(self, *args):
            self.state = super().run(*args)
            return self.state

    def compare(rc, first, last):
        reconstruct(rc, first, last)
        for ours, theirs in zip(rc.value.rec, searches[0].state.value.rc.rec, strict=True):
            pad = 80 if ours is rc.value.rec.y else 40
            inner = (slice(pad, -pad), slice(pad, -pad))
            np.testing.assert_array_equal(ours[inner], theirs[inner])
            compared.append(ours.shape)

    monkeypatch.setattr(codecsim.search.choices, "PictureSearch", Watched)
    monkeypatch.setattr(codecsim.codec.stages.reconstruction, "reconstruct", compare)
    run_encoder(config, make_clip("edges", 72, 56, 4))
    assert len(compared) == 12


def test_busy_areas_get_a_higher_qp(monkeypatch):
    """And units without a coded difference have the QP that the decoder predicts, before deblocking looks at it."""
    units = []
    write = codecsim.codec.encoder.Encoder._write_slice_data

    def watch(encoder):
        blocks = encoder.codec.blocks
        before = blocks.qp.copy()
        payload = write(encoder)
        np.testing.assert_array_equal(blocks.qp, before)
        units.append(before)
        return payload

    monkeypatch.setattr(codecsim.codec.encoder.Encoder, "_write_slice_data", watch)
    rng = np.random.default_rng(1)
    luma = np.tile(np.uint8([120, 124]), (64, 64))
    luma[:, 64:] = rng.integers(0, 256, (64, 64))
    frame = Frame(luma, np.full((32, 64), 128, np.uint8), np.full((32, 64), 128, np.uint8))
    video_format = VideoFormat(128, 64, FPS)
    run_encoder(EncoderConfig("ai", 20, filter="off", settings={"hevc": {"adaptive_qp": 6}}), (video_format, [frame]))
    (qp,) = units
    assert qp[:, :16].min() == 20 - 6 and qp[:, 16:].max() > 20


def test_qp_follows_the_source_in_every_pass(monkeypatch):
    """Not what a second pass of the search aims at: the source less what overlap and filter add."""
    seen, targets = [], []
    aim, search_run = codecsim.search.picture.aim_by_activity, PictureSearch.run

    def watch_aim(plane, *args):
        seen.append(plane.copy())
        aim(plane, *args)

    def watch_run(search, target):
        targets.append(target.y.copy())
        return search_run(search, target)

    monkeypatch.setattr(codecsim.search.picture, "aim_by_activity", watch_aim)
    monkeypatch.setattr(PictureSearch, "run", watch_run)
    learn = {"channels": 8, "tile_log2": 5}
    config = EncoderConfig(
        "ldp", 32, settings={"search": {"filter_passes": 2}, "inter_luma": learn, "hevc": {"adaptive_qp": 6}}, obmc=True
    )
    clip = make_clip("zoom", 72, 56, 3)
    run_encoder(config, clip)
    sources = [frame.y for frame in clip[1]]
    np.testing.assert_array_equal(seen, sources)
    assert len(targets) == 5
    again = zip(targets[2::2], sources[1:], strict=True)
    assert any((target != source).any() for target, source in again)


def test_transform_skip_saves_bits_on_screens():
    """Strokes of one sample, as of letters, on a plain ground."""
    rng = np.random.default_rng(2)
    luma = np.where(rng.random((64, 64)) < 0.15, 20, 230).astype(np.uint8)
    frame = Frame(luma, np.full((32, 32), 128, np.uint8), np.full((32, 32), 128, np.uint8))
    plain, skipping = (
        run_encoder(
            EncoderConfig("ai", 27, filter="off", settings={"hevc": {"transform_skip": skip}}),
            (VideoFormat(64, 64, FPS), [frame]),
        ).reports[0]
        for skip in (False, True)
    )
    assert skipping.bits < 0.9 * plain.bits and skipping.psnr_y > plain.psnr_y


@pytest.mark.parametrize("mode", ["off", "online"])
def test_coding_at_another_bit_depth_is_coding_samples_of_that_depth(mode):
    learn = {} if mode == "off" else {"channels": 8, "tile_log2": 5}
    options = {"filter": mode, "preset": "fast", "settings": {"inter_luma": learn}}
    video_format, frames = make_clip("texture", 72, 56, 3)
    ten_bits = dataclasses.replace(video_format, bit_depth=10)
    up = [Frame(*(plane.astype(np.uint16) * 4 for plane in frame)) for frame in frames]
    shifted = run_encoder(
        EncoderConfig("ldp", 27, **options).with_settings({"hevc": {"internal_bit_depth": 10}}), (video_format, frames)
    )
    own = run_encoder(EncoderConfig("ldp", 27, **options), (ten_bits, up))
    assert shifted.data == own.data
    assert [report.psnr_y for report in shifted.reports] == [report.psnr_y for report in own.reports]

    finer = [Frame(*(plane + np.uint16(k % 2) for plane in frame)) for k, frame in enumerate(up)]
    rounded = run_encoder(
        EncoderConfig("ldp", 27, **options).with_settings({"hevc": {"internal_bit_depth": 8}}), (ten_bits, finer)
    )
    assert rounded.data == run_encoder(EncoderConfig("ldp", 27, **options), (video_format, frames)).data


@pytest.mark.parametrize("qp", [22, 37])
def test_rate_and_quality_do_not_depend_on_the_bit_depth(qp):
    """So that what is weighed against bits has the scale of the samples."""
    clip = make_clip("film", 128, 96, 4)
    eight, ten = (
        run_encoder(
            EncoderConfig("ldp", qp, filter="off", preset="fast", settings={"hevc": {"internal_bit_depth": depth}}),
            clip,
        )
        for depth in (8, 10)
    )
    assert len(ten.data) == pytest.approx(len(eight.data), rel=0.05)
    for first, second in zip(eight.reports, ten.reports, strict=True):
        assert second.psnr_y == pytest.approx(first.psnr_y, abs=0.5)


def test_unknown_bit_depths_are_refused():
    with pytest.raises(ConfigError, match="internal_bit_depth is 9; expected one of 0, 8, 10"):
        EncoderConfig(settings={"hevc": {"internal_bit_depth": 9}})


COUNT, EARLY, LATE = 60, range(16, 24), range(52, 60)  # by the 24th picture all references exist, all buffers are full


def traced_sizes(pictures):
    """Bytes held by Python and NumPy, early and late, by pictures that are not kept; and the coded data."""
    sizes, data = {}, []
    tracemalloc.start()
    try:
        for k, picture in enumerate(pictures):
            data.append(getattr(picture, "data", b""))
            del picture
            if k in EARLY or k in LATE:
                gc.collect()  # Numba's types are cycles that wait for the collector
                sizes[k] = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    return [max(sizes[k] for k in when) for when in (EARLY, LATE)], b"".join(data)


@pytest.mark.parametrize("config", [CONFIGS[0], CONFIGS[3], CONFIGS[6], CONFIGS[7]])
def test_memory_does_not_grow(config):
    clip = make_clip("texture", 72, 56, 6)
    run_encoder(config, clip)  # compiles what is missing, which would be slow while memory is traced
    video_format, frames = clip
    sizes, data = traced_sizes(encode(config, video_format, (frames[k % 6] for k in range(COUNT))))
    decoded, _ = traced_sizes(decode(io.BytesIO(data)))
    for early, late in (sizes, decoded):
        assert late < early + len(data) + 100_000
