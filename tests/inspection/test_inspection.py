"""What inspection says of a picture adds up, agrees with the report, and changes nothing."""

import io

import numpy as np
import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.codec.decoder import decode
from codecsim.errors import FormatError
from codecsim.formats.video import VideoInput
from codecsim.inspection.planes import sum_squares
from codecsim.inspection.stream import inspect_stream
from codecsim.picture.blocks import CBF_CB, CBF_CR, CBF_Y, MODE_INTRA, MODE_SKIP
from codecsim.syntax import nal as nal_units
from codecsim.syntax.headers import ParameterSets, read_slice_header
from tests.conformance.clips import make_clip
from tests.conformance.runs import assert_same_pictures, run_encoder
from tests.reference import intra as reference

LEARN = {"channels": 8, "tile_log2": 5}
CONFIGS = {
    "ai": EncoderConfig("ai", 27, filter="off", preset="fast", intra_filter="frozen"),
    "ldp": EncoderConfig("ldp", 32, filter="off", preset="fast", settings={"hevc": {"adaptive_qp": 6, "qp_group": 16}}),
    "ldb": EncoderConfig("ldb", 22, filter="off", preset="fast", settings={"hevc": {"internal_bit_depth": 10}}),
    "ra": EncoderConfig("ra", 32, filter="off", preset="fast", obmc=True),
    "learned": EncoderConfig(
        "ldp",
        30,
        preset="fast",
        settings={"inter_luma": {**LEARN | {"experts": "online,rls"}}},
        chroma_filter="online",
        intra_filter="online",
        loop_filter="on",
        obmc=True,
    ),
}
SIZE = (88, 72)


@pytest.fixture(scope="module", params=CONFIGS)
def inspected(request):
    """(config, clip, Run, list of InspectedPicture)."""
    config = CONFIGS[request.param]
    clip = make_clip("film", *SIZE, 5)
    run = run_encoder(config, clip)
    video_format, frames = clip
    source = VideoInput("source.y4m", video_format, len(frames), iter(frames))
    return config, clip, run, list(inspect_stream(io.BytesIO(run.data), source=source))


def test_looking_changes_nothing(inspected):
    _, _, run, pictures = inspected
    plain = list(decode(io.BytesIO(run.data)))
    assert_same_pictures([picture.frame for picture in pictures], [picture.frame for picture in plain])
    for found, wanted in zip(pictures, plain, strict=True):
        assert found.coding_index == wanted.coding_index
        assert found.report.learner_hash == wanted.report.learner_hash
        assert found.report.parts == wanted.report.parts
    for found, wanted in zip(sorted(pictures, key=lambda picture: picture.coding_index), run.reports, strict=True):
        assert [getattr(found.report, f"psnr_{plane}") for plane in "yuv"] == [
            getattr(wanted, f"psnr_{plane}") for plane in "yuv"
        ]


def test_planes_add_up(inspected):
    _, _, _, pictures = inspected
    some_residual = False
    for picture in pictures:
        data = picture.data
        blocks = data.blocks
        planes = zip(data.filtered_prediction, data.residual(), data.unfiltered, (CBF_Y, CBF_CB, CBF_CR), strict=True)
        for prediction, residual, unfiltered, flag in planes:
            np.testing.assert_array_equal(prediction + residual, unfiltered)
            n = prediction.shape[0] // len(blocks.cbf)
            coded = np.repeat(np.repeat(blocks.cbf & flag, n, 0), n, 1)
            assert not residual[coded == 0].any()
            some_residual |= residual.any()
        height, width = picture.frame.y.shape
        np.testing.assert_array_equal(picture.frame.y, data.reconstruction.y[:height, :width])
    assert some_residual


def test_prediction_changes_only_where_a_filter_is_used(inspected):
    config, _, _, pictures = inspected
    changed = 0
    for picture in pictures:
        data = picture.data
        blocks = data.blocks
        inter = blocks.pred_mode != MODE_INTRA
        taken = np.repeat(np.repeat(blocks.filtering.taken, 8, 0), 8, 1)[: inter.shape[0], : inter.shape[1]]
        filtered = np.where(inter, taken, blocks.intra_filter) > 0
        differs = data.prediction.y != data.filtered_prediction.y
        assert not differs[~np.repeat(np.repeat(filtered, 4, 0), 4, 1)].any()
        changed += differs.sum()
        if not data.chroma_filtered:
            np.testing.assert_array_equal(data.prediction.u, data.filtered_prediction.u)
    assert (changed > 0) == (config.filter != "off" or config.intra_filter != "off")


def test_intra_prediction_without_its_filter(inspected):
    """By the naive twin, from what is reconstructed around each block."""
    _, _, _, pictures = inspected
    compared = 0
    for picture in pictures:
        data = picture.data
        for x, y, size, _ in data.transform_units():
            uy, ux = y >> 2, x >> 2
            if data.blocks.pred_mode[uy, ux] != MODE_INTRA:
                continue
            mode = int(data.blocks.intra_luma[uy, ux])
            around = reference.gather(data.unfiltered.y, data.zorder, int(x), int(y), int(size), 0, data.bit_depth)
            around = reference.smooth(around, int(size), mode, 0, True, data.bit_depth)
            expected = reference.predict(around, int(size), mode, 0, data.bit_depth)
            expected = [[expected[i, j] for i in range(size)] for j in range(size)]
            np.testing.assert_array_equal(data.prediction.y[y : y + size, x : x + size], expected)
            compared += 1
    assert compared


def test_whole_sample_motion_copies_the_reference(inspected):
    """Where one list is used without overlap, and the motion points to whole samples inside the picture."""
    config, _, _, pictures = inspected
    by_poc = {picture.report.poc: picture.data for picture in pictures}
    compared = 0
    for picture in pictures:
        if picture.data.overlap_used:
            continue
        for unit in picture.data.prediction_units():
            side = 0 if unit["ref_idx"][0] >= 0 else 1
            if (unit["ref_idx"] >= 0).sum() != 1 or (unit["mv"][side] & 3).any():
                continue
            dx, dy = unit["mv"][side] >> 2
            x, y, w, h = (int(unit[name]) for name in ("x", "y", "width", "height"))
            reference = by_poc[int(unit["ref_poc"][side])].reconstruction.y
            if min(x + dx, y + dy) < 0 or x + dx + w > reference.shape[1] or y + dy + h > reference.shape[0]:
                continue
            block = reference[y + dy : y + dy + h, x + dx : x + dx + w]
            np.testing.assert_array_equal(picture.data.prediction.y[y : y + h, x : x + w], block)
            compared += 1
    assert compared or config.config == "ai" or config.obmc


def test_rectangles_tile_the_picture(inspected):
    _, _, _, pictures = inspected
    for picture in pictures:
        data = picture.data
        shape = data.reconstruction.y.shape
        units = data.coding_units(), data.prediction_units(), data.transform_units()
        for rectangles in units:
            count = np.zeros(shape, int)
            for r in rectangles:
                w, h = (r["size"],) * 2 if "size" in r.dtype.names else (r["width"], r["height"])
                count[r["y"] : r["y"] + h, r["x"] : r["x"] + w] += 1
            assert (count == 1).all()
        for rectangles in units:
            place = data.zorder[rectangles["y"] >> 2, rectangles["x"] >> 2]
            assert (np.diff(place) > 0).all()
        coding, prediction, _ = units
        assert not prediction["mv"][prediction["mode"] == MODE_INTRA].any()
        assert ((prediction["ref_idx"] >= 0).any(1) == (prediction["mode"] != MODE_INTRA)).all()
        assert (coding["qp"] == data.blocks.qp[coding["y"] >> 2, coding["x"] >> 2]).all()


def _slice_data_bits(data):
    """Bits of the slice data of each picture of a stream, in coding order."""
    sets = ParameterSets()
    for nal in nal_units.read_nal_units(io.BytesIO(data)):
        if nal.type in (nal_units.VPS, nal_units.SPS, nal_units.PPS):
            sets.receive(nal)
        elif nal_units.is_slice(nal.type):
            yield 8 * (len(nal.rbsp) - read_slice_header(nal, sets)[1])


def test_bits_add_up(inspected):
    _, _, run, pictures = inspected
    sizes = list(_slice_data_bits(run.data))
    for picture in pictures:
        bits = picture.data.bits
        total = bits.before + bits.ctu.sum() + bits.after
        assert total == 256 * sizes[picture.coding_index]
        assert bits.before >= 256 * 8 and 0 <= bits.after <= 256 * 32
        of_units = sum_squares(bits.cu, 16)
        assert of_units.shape == bits.ctu.shape
        assert (of_units >= 0).all() and (of_units <= bits.ctu).all()
        units = picture.data.coding_units()
        assert units["bits_q8"].sum() == bits.cu.sum()
        assert (units["bits_q8"] > 0).all()
        skipped = units["mode"] == MODE_SKIP
        if skipped.any() and not skipped.all():
            assert units["bits_q8"][skipped].mean() < units["bits_q8"][~skipped].mean()


def test_choices_agree_with_the_report(inspected):
    config, _, _, pictures = inspected
    learned = 0
    for picture in pictures:
        data, report = picture.data, picture.report
        if report.expert_shares is not None:
            learned += 1
            found = {name: float(np.mean(data.blocks.filtering.taken == k)) for k, name in enumerate(data.experts, 1)}
            assert found == report.expert_shares
            assert data.losses.sum() == report.accumulated_loss
        else:
            assert data.losses is None and data.experts == ()
        if data.overlap_used:
            assert float(np.mean(data.blocks.overlap.taken)) == report.overlapped_share
        assert (data.loop is None) == (report.loop_share is None)
    assert (learned > 0) == (config.filter != "off")


def test_without_in_loop_filters_nothing_lies_between():
    """Deblocking leaves pictures of so low a QP as they are."""
    config = EncoderConfig("ldp", 8, filter="off", preset="fast", settings={"search": {"sao": False}})
    run = run_encoder(config, make_clip("texture", 72, 56, 3))
    for picture in inspect_stream(io.BytesIO(run.data)):
        for unfiltered, reconstruction in zip(picture.data.unfiltered, picture.data.reconstruction, strict=True):
            np.testing.assert_array_equal(unfiltered, reconstruction)
        assert picture.source is None and picture.report.psnr_y is None


def test_a_source_of_another_size_is_refused():
    run = run_encoder(EncoderConfig("ai", 40, filter="off", preset="fast"), make_clip("flat", 16, 16, 1))
    video_format, frames = make_clip("flat", 24, 16, 1)
    source = VideoInput("other.y4m", video_format, 1, iter(frames))
    with pytest.raises(FormatError, match="other.y4m: is 24x16, but clip.bin is 16x16"):
        next(inspect_stream(io.BytesIO(run.data), source=source, name="clip.bin"))


def test_a_short_source_ends_before_the_stream():
    run = run_encoder(EncoderConfig("ai", 40, filter="off", preset="fast"), make_clip("texture", 16, 16, 2))
    video_format, frames = make_clip("texture", 16, 16, 1)
    source = VideoInput("short.y4m", video_format, 1, iter(frames))
    pictures = list(inspect_stream(io.BytesIO(run.data), source=source))
    assert pictures[0].report.psnr_y is not None and pictures[1].report.psnr_y is None
