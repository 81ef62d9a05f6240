"""Coding structures against the facts of HM's configurations."""

import itertools

import pytest

from codecsim.structure import (
    chroma_weight,
    coding_structure,
    dpb_size,
    picture_lambda,
    picture_qp,
    reference_picture_sets,
)
from codecsim.syntax.headers_slice import SLICE_I, SLICE_P
from codecsim.syntax.nal import IDR_W_RADL, TRAIL_R


def take(count, *args, **kwargs):
    return list(itertools.islice(coding_structure(*args, **kwargs), count))


def test_low_delay_references_and_qps():
    pictures = take(20, "ldp")
    lists = [p.list_pocs[0] for p in pictures]
    assert lists[:6] == [(), (0,), (1, 0), (2, 1, 0), (3, 2, 1, 0), (4, 3, 2, 0)]
    assert lists[13:18] == [(12, 8, 4, 0), (13, 12, 8, 4), (14, 12, 8, 4), (15, 12, 8, 4), (16, 12, 8, 4)]
    assert [p.qp_offset for p in pictures[:9]] == [0, 3, 2, 3, 1, 3, 2, 3, 1]
    assert [p.qp_factor for p in pictures[1:5]] == [0.4624, 0.4624, 0.4624, 0.578]
    assert pictures[0].nal_type == IDR_W_RADL and pictures[0].is_idr and pictures[0].slice_type == SLICE_I
    assert all(p.nal_type == TRAIL_R and p.slice_type == SLICE_P for p in pictures[1:])
    assert {p.rps for p in pictures[13:]} == set(reference_picture_sets("ldp"))


@pytest.mark.parametrize("config", ["ai", "ldp"])
@pytest.mark.parametrize("num_refs", [1, 2, 3, 4])
@pytest.mark.parametrize("intra_period", [0, 1, 5, 8])
def test_references_are_always_there(config, num_refs, intra_period):
    held = set()
    for p in take(60, config, num_refs=num_refs, intra_period=intra_period):
        wanted = {p.poc + delta for delta, _ in p.rps.negative + p.rps.positive}
        held = set() if p.is_idr else held & wanted
        assert held == wanted
        held.add(p.poc)
        assert len(held) <= dpb_size(config, num_refs)
        assert p.is_idr == (p.index % intra_period == 0 if intra_period else p.index == 0)


def test_all_intra():
    pictures = take(4, "ai")
    assert [p.poc for p in pictures] == [0, 1, 2, 3]
    assert [p.nal_type for p in pictures] == [IDR_W_RADL, TRAIL_R, TRAIL_R, TRAIL_R]
    assert all(p.slice_type == SLICE_I and p.qp_offset == 0 and p.num_ref_idx == (0, 0) for p in pictures)
    assert reference_picture_sets("ai") == () and dpb_size("ai") == 1


def test_lambda():
    intra, (first, *inter) = take(1, "ai")[0], take(5, "ldp")
    assert picture_lambda(intra, 32) == pytest.approx(0.57 * 2 ** (20 / 3))
    assert picture_lambda(first, 32) == pytest.approx(0.57 * 0.85 * 2 ** (20 / 3))
    assert picture_lambda(inter[0], 35) == pytest.approx(0.4624 * 2 ** (23 / 3) * 23 / 6)
    assert picture_lambda(inter[0], 22) == pytest.approx(0.4624 * 2 ** (10 / 3) * 2)
    assert picture_lambda(inter[1], 51) == pytest.approx(0.4624 * 2 ** (39 / 3) * 4)
    assert picture_lambda(inter[3], 33) == pytest.approx(0.578 * 2 ** (21 / 3))
    for picture in (intra, *inter):
        assert picture_lambda(picture, 30, 10) == pytest.approx(16 * picture_lambda(picture, 30, 8))


def test_qp_and_chroma_weight():
    assert [picture_qp(50, p) for p in take(3, "ldp")] == [50, 51, 51]
    assert chroma_weight(20) == 1.0
    assert chroma_weight(37) == pytest.approx(2 ** (3 / 3))
    assert chroma_weight(51) == pytest.approx(2 ** (6 / 3))
    assert chroma_weight(29, 1) == pytest.approx(1.0)
