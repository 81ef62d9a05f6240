"""Decoded picture buffer: order counts, references, lists, output order, damage."""

import io
import itertools

import pytest

from codecsim.codec.structure import GOPS, coding_structure, dpb_size
from codecsim.errors import BitstreamError
from codecsim.picture.dpb import DecodedPictureBuffer, build_lists
from codecsim.syntax import nal as nal_units
from codecsim.syntax.headers import (
    SLICE_B,
    SLICE_I,
    SLICE_P,
    ParameterSets,
    ReferencePictureSet,
    SliceHeader,
    Sps,
    read_slice_header,
)
from codecsim.syntax.nal import IDR_W_RADL, RASL_R, TRAIL_N, TRAIL_R
from tests.syntax.test_headers import foreign_stream

SPS = Sps(width=16, height=16, log2_max_poc_lsb=4)


def header_of(p, sps):
    lsb = p.poc % (1 << sps.log2_max_poc_lsb)
    return SliceHeader(p.slice_type, rps=p.rps, poc_lsb=lsb, num_ref_idx=p.num_ref_idx, temporal_mvp=not p.is_idr)


@pytest.mark.parametrize("config", GOPS)
@pytest.mark.parametrize("intra_period", [0, 8, None])
def test_structures_run_through_the_buffer(config, intra_period):
    """Order counts, lists and output as intended, in a buffer of the announced size, with the announced delay."""
    dpb, output = DecodedPictureBuffer(), []
    reorder = GOPS[config].max_num_reorder
    sps = Sps(width=16, height=16, log2_max_poc_lsb=5, max_dec_pic_buffering=dpb_size(config), max_num_reorder=reorder)
    structures = [structure for structure, _ in coding_structure(config, range(51), intra_period=intra_period)]
    for coded, p in enumerate(structures, 1):
        current = dpb.begin(p.nal_type, 0, header_of(p, sps), sps)
        assert current.picture.poc == p.poc
        current.picture.index = p.index
        assert current.list_pocs == p.list_pocs
        for side in range(2):
            assert current.picture.ref_poc[side, : len(p.list_pocs[side])].tolist() == list(p.list_pocs[side])
        assert (current.collocated is None) == (p.slice_type == SLICE_I)
        if current.collocated:
            assert current.collocated is current.lists[0][0]
        dpb.end(current.picture)
        assert len(dpb.pictures) <= dpb_size(config)
        output += [picture.index for picture in dpb.take_output()]
        assert output == list(range(len(output)))
        assert len(output) >= coded - reorder
    dpb.flush()
    assert output + [picture.index for picture in dpb.take_output()] == list(range(51)) and not dpb.pictures


@pytest.mark.parametrize("start", [32, 64])
def test_random_access_structures_can_be_entered(start):
    """Decoding that begins at a CRA picture misses its leading pictures, and nothing after them."""
    structures = [structure for structure, _ in coding_structure("ra", range(90))]
    sps = Sps(width=16, height=16, max_dec_pic_buffering=dpb_size("ra"), max_num_reorder=3)
    dpb, output = DecodedPictureBuffer(), []
    for p in structures[structures.index(next(q for q in structures if q.poc == start)) :]:
        current = dpb.begin(p.nal_type, 0, header_of(p, sps), sps)
        assert (current is None) == (p.poc < start)
        if current:
            assert current.list_pocs == p.list_pocs
            dpb.end(current.picture)
    dpb.flush()
    output += [picture.poc for picture in dpb.take_output()]
    assert output == list(range(start, 90))


def hierarchical(dpb, sps):
    """A group of four bi-predicted pictures: decoding order 0 4 2 1 3."""
    decoding = [
        (0, IDR_W_RADL, SLICE_I, (), ()),
        (4, TRAIL_R, SLICE_P, ((-4, True),), ()),
        (2, TRAIL_R, SLICE_B, ((-2, True),), ((2, True),)),
        (1, TRAIL_N, SLICE_B, ((-1, True),), ((1, True), (3, True))),
        (3, TRAIL_N, SLICE_B, ((-1, True),), ((1, True),)),
    ]
    for poc, nal_type, slice_type, negative, positive in decoding:
        rps = ReferencePictureSet(negative, positive)
        num_ref_idx = ((2, 2), (2, 0), (0, 0))[slice_type]
        header = SliceHeader(slice_type, rps=rps, poc_lsb=poc, num_ref_idx=num_ref_idx)
        current = dpb.begin(nal_type, 0, header, sps)
        yield current
        dpb.end(current.picture)


def test_reordered_output_and_lists():
    sps = Sps(width=16, height=16, max_num_reorder=2, max_dec_pic_buffering=5)
    dpb, output, lists = DecodedPictureBuffer(), [], []
    for current in hierarchical(dpb, sps):
        lists.append(current.list_pocs)
        output += [picture.poc for picture in dpb.take_output()]
    dpb.flush()
    assert output + [picture.poc for picture in dpb.take_output()] == [0, 1, 2, 3, 4]
    assert lists[1:] == [((0, 0), ()), ((0, 4), (4, 0)), ((0, 2), (2, 4)), ((2, 4), (4, 2))]


def test_modified_lists():
    header = SliceHeader(SLICE_B, num_ref_idx=(3, 2), list_entries=((2, 0, 0), None))
    assert build_lists(header, ["a", "b"], ["c"]) == (("c", "a", "a"), ("c", "a"))
    header = SliceHeader(SLICE_P, num_ref_idx=(5, 0))
    assert build_lists(header, ["a", "b"], []) == (("a", "b", "a", "b", "a"), ())


def intra(lsb, **fields):
    return SliceHeader(SLICE_I, poc_lsb=lsb, **fields)


def test_order_count_wraps():
    dpb = DecodedPictureBuffer()
    pocs = [0, 5, 12, 14, 20, 27, 21, 29, 22, 30, 31, 33]
    for poc in pocs:
        current = dpb.begin(TRAIL_R if poc else IDR_W_RADL, 0, intra(poc % 16), SPS)
        assert current.picture.poc == poc
        dpb.end(current.picture)


def test_pictures_that_order_counts_do_not_follow():
    dpb = DecodedPictureBuffer()
    # Neither the picture that nothing refers to nor the one of a higher temporal layer moves the count.
    for nal_type, tid, lsb, poc in (
        (IDR_W_RADL, 0, 0, 0),
        (TRAIL_N, 0, 7, 7),
        (TRAIL_R, 1, 6, 6),
        (TRAIL_R, 0, 15, -1),
        (TRAIL_R, 0, 1, 1),
    ):
        current = dpb.begin(nal_type, tid, intra(lsb), SPS)
        assert current.picture.poc == poc
        dpb.end(current.picture)


def test_random_access_skips_leading_pictures():
    dpb = DecodedPictureBuffer()
    current = dpb.begin(nal_units.CRA, 0, intra(8, rps=ReferencePictureSet(((-4, True),))), SPS)
    assert current.picture.poc == 8
    dpb.end(current.picture)
    leading = SliceHeader(SLICE_P, rps=ReferencePictureSet(((-3, True),)), poc_lsb=7, num_ref_idx=(1, 0))
    assert dpb.begin(RASL_R, 0, leading, SPS) is None
    following = SliceHeader(SLICE_P, rps=ReferencePictureSet(((-2, True),)), poc_lsb=10, num_ref_idx=(1, 0))
    current = dpb.begin(TRAIL_R, 0, following, SPS)
    assert current.list_pocs == ((8,), ())
    dpb.end(current.picture)
    # The leading pictures of a later random access point have their references.
    rps = ReferencePictureSet(((-3, True),))
    dpb.end(dpb.begin(nal_units.CRA, 0, intra(13, rps=rps), SPS).picture)
    leading = SliceHeader(SLICE_B, rps=ReferencePictureSet(((-2, True),), ((1, True),)), poc_lsb=12, num_ref_idx=(1, 1))
    assert dpb.begin(RASL_R, 0, leading, SPS).list_pocs == ((10,), (13,))


def test_pictures_before_an_idr_are_output_first_or_discarded():
    for discard, wanted in ((False, [0, 9]), (True, [])):
        dpb = DecodedPictureBuffer()
        sps = Sps(width=16, height=16, max_num_reorder=3)
        for nal_type, lsb in ((IDR_W_RADL, 0), (TRAIL_R, 9)):
            dpb.end(dpb.begin(nal_type, 0, intra(lsb), sps).picture)
        assert dpb.take_output() == []
        dpb.begin(IDR_W_RADL, 0, intra(0, no_output_of_prior_pics=discard), sps)
        assert [picture.poc for picture in dpb.take_output()] == wanted


def test_damage_is_named():
    dpb = DecodedPictureBuffer()
    with pytest.raises(BitstreamError, match="random access"):
        dpb.begin(TRAIL_R, 0, intra(1), SPS)
    dpb.end(dpb.begin(IDR_W_RADL, 0, intra(0), SPS).picture)
    missing = SliceHeader(SLICE_P, rps=ReferencePictureSet(((-2, True),)), poc_lsb=3, num_ref_idx=(1, 0))
    with pytest.raises(BitstreamError, match="reference picture 1 is missing") as caught:
        dpb.begin(TRAIL_R, 0, missing, SPS)
    assert caught.value.poc == 3
    dpb = DecodedPictureBuffer()
    dpb.end(dpb.begin(IDR_W_RADL, 0, intra(0), SPS).picture)
    resized = SliceHeader(SLICE_P, rps=ReferencePictureSet(((-3, True),)), poc_lsb=3, num_ref_idx=(1, 0))
    with pytest.raises(BitstreamError, match="another size"):
        dpb.begin(TRAIL_R, 0, resized, Sps(width=24, height=16))
    with pytest.raises(BitstreamError, match="order count 0"):
        dpb = DecodedPictureBuffer()
        dpb.end(dpb.begin(IDR_W_RADL, 0, intra(0), Sps(max_num_reorder=3)).picture)
        dpb.begin(TRAIL_R, 0, intra(0), Sps(max_num_reorder=3))


@pytest.mark.parametrize("params", ["bframes=0:ref=4", "bframes=4:b-adapt=0:ref=3:b-pyramid=1:cutree=0", "keyint=3"])
def test_foreign_streams_come_out_in_order(params):
    sets, dpb, output, held = ParameterSets(), DecodedPictureBuffer(), [], 0
    for nal in nal_units.read_nal_units(io.BytesIO(foreign_stream(params, pictures=14))):
        if nal.type in (nal_units.VPS, nal_units.SPS, nal_units.PPS):
            sets.receive(nal)
        elif nal_units.is_slice(nal.type):
            header, _ = read_slice_header(nal, sets)
            current = dpb.begin(nal.type, nal.temporal_id, header, sets.sps[0])
            current.picture.index = held = held + 1
            dpb.end(current.picture)
            output += dpb.take_output()
    dpb.flush()
    output += dpb.take_output()
    pocs = [picture.poc for picture in output]
    assert len(output) == held == 14
    restarts = [i for i, poc in enumerate(pocs) if poc == 0] + [len(pocs)]
    for start, end in itertools.pairwise(restarts):
        assert pocs[start:end] == sorted(pocs[start:end])
