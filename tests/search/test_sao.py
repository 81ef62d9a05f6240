"""Sample adaptive offset from choice to decoded picture."""

import fractions
import io
import itertools
import types

import av
import numpy as np
import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.codec.decoder import decode
from codecsim.codec.encoder import encode
from codecsim.codec.picture_codec import PictureCodec
from codecsim.codec.stages.sample_offset import SampleOffset
from codecsim.hevc.sao import SAO_BAND, SAO_EDGE
from codecsim.picture.planes import Frame, Picture, Planes, VideoFormat
from codecsim.search.aim import Aim
from codecsim.search.sao import SaoSearch
from codecsim.syntax.headers import Pps, SliceHeader, Sps


def moving_frames(width, height, count, seed=1):
    """Sharp and smooth shapes that move over each other, with a little noise."""
    rng = np.random.default_rng(seed)
    for t in range(count):
        planes = []
        for step in (1, 2, 2):
            y, x = np.mgrid[0:height:step, 0:width:step]
            wave = 128 + 60 * np.sin((x + 2 * t) / 9) + 40 * np.cos((y - t) / 5)
            disc = (x - width / 2 - 3 * t) ** 2 + (y - height / 2) ** 2 < (height / 3) ** 2
            checks = 50 * ((x - t) // 8 + y // 8 & 1) - 25
            plane = wave + np.where(disc, checks, 0) + rng.normal(0, 2, x.shape)
            planes.append(np.clip(np.rint(plane), 0, 255).astype(np.uint8))
        yield Frame(*planes)


def foreign_pictures(data):
    with av.open(io.BytesIO(data), format="hevc") as container:
        for frame in container.decode(video=0):
            assert frame.format.name == "yuv420p"
            yield Frame(
                *(
                    np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
                    for plane in frame.planes
                )
            )


@pytest.mark.slow
@pytest.mark.parametrize("config", ["ai", "ldp"])
@pytest.mark.parametrize("size", [(34, 18), (130, 66), (264, 130), (176, 144)])
@pytest.mark.parametrize("qp", [17, 27, 37, 45])
def test_all_decoders_agree_everywhere(config, size, qp):
    check_all_decoders(config, size, qp)


@pytest.mark.parametrize("config", ["ai", "ldp"])
@pytest.mark.parametrize("size,qp", [((34, 18), 17), ((130, 66), 37), ((264, 130), 27), ((176, 144), 45)])
def test_all_decoders_agree(config, size, qp):
    check_all_decoders(config, size, qp)


def check_all_decoders(config, size, qp):
    video_format = VideoFormat(*size, fractions.Fraction(25))
    settings = EncoderConfig(config=config, qp=qp, filter="off", preset="fast")
    coded = list(encode(settings, video_format, moving_frames(*size, 3)))
    data = b"".join(picture.data for picture in coded)
    own = [picture.frame for picture in decode(io.BytesIO(data))]
    for wanted, found, foreign in itertools.zip_longest((c.recon for c in coded), own, foreign_pictures(data)):
        for a, b, c in zip(wanted, found, foreign, strict=True):
            np.testing.assert_array_equal(a, b)
            np.testing.assert_array_equal(a, c)
    if size == (264, 130) and qp == 27:
        assert sum(picture.report.parts["loop_filter"] for picture in coded) > 0


def completed(original, slice_type=2):
    """A codec that has reconstructed `original` with known faults, its stage, and what chooses there."""
    codec = PictureCodec(Sps(width=128, height=64, sao=True))
    header = SliceHeader(slice_type=slice_type, qp=32)

    picture = Picture(128, 64)
    current = types.SimpleNamespace(picture=picture, lists=([], []), list_pocs=([], []), collocated=None)
    codec.begin(current, header, Pps(), 0)
    for plane, source in zip(codec.picture.inner(), original, strict=True):
        plane[:] = source
    stage, search = codec.find(SampleOffset), SaoSearch(codec)

    def choose(original, lam):
        search.choose(codec, stage, Aim(original, lam, None))

    return codec, stage, choose


def source_planes(seed=0):
    rng = np.random.default_rng(seed)
    return Planes(*(rng.integers(40, 200, shape).astype(np.uint16) for shape in ((64, 128), (32, 64), (32, 64))))


def test_nothing_is_sent_for_a_perfect_picture():
    original = source_planes()
    codec, stage, choose = completed(original)
    choose(original, 50.0)
    assert (codec.slice.syntax.sao_luma, codec.slice.syntax.sao_chroma) == (0, 0)
    stage.apply(codec)
    for plane, source in zip(codec.picture.inner(), original, strict=True):
        np.testing.assert_array_equal(plane, source)


def test_a_shifted_band_is_put_right():
    original = source_planes()
    codec, stage, choose = completed(original)
    luma = codec.picture.inner().y
    luma[(luma >= 96) & (luma < 120)] += 3
    bands = luma >> 3
    choose(original, 50.0)
    assert (codec.slice.syntax.sao_luma, codec.slice.syntax.sao_chroma) == (1, 0)
    assert (codec.sao.type_idx[0] == SAO_BAND).all()
    assert (codec.sao.type_idx[1:] == 0).all()
    before = np.abs(luma.astype(int) - original.y)[bands < 16].sum()
    stage.apply(codec)
    assert np.abs(codec.picture.inner().y.astype(int) - original.y).sum() < before


def test_exaggerated_peaks_are_put_right():
    original = source_planes()
    rows = np.where(np.arange(64) % 2, 90, 130).astype(np.uint16)
    original.y[:] = rows[:, None]
    codec, stage, choose = completed(original)
    luma = codec.picture.inner().y
    luma[:] = np.where(rows == 130, 132, 88)[:, None]
    choose(original, 10.0)
    assert (codec.sao.type_idx[0] == SAO_EDGE).all()
    assert (codec.sao.offsets[0] == (2, 0, 0, -2)).all()
    stage.apply(codec)
    np.testing.assert_array_equal(codec.picture.inner().y[1:-1], original.y[1:-1])
