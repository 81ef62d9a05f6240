"""Coding structures against the facts of HM's configurations."""

import pytest

from codecsim.codec.structure import (
    GOPS,
    chroma_weight,
    coding_structure,
    dpb_size,
    picture_lambda,
    picture_qp,
    reference_picture_sets,
)
from codecsim.syntax.headers_slice import SLICE_B, SLICE_I, SLICE_P
from codecsim.syntax.nal import CRA, IDR_W_RADL, RASL_N, RASL_R, TRAIL_N, TRAIL_R

# encoder_randomaccess_main.cfg: POC, QP offset, QP factor, active references, whether it is one, POC differences
RANDOM_ACCESS = (
    (8, 1, 0.442, 4, True, {-8, -10, -12, -16}),
    (4, 2, 0.3536, 2, True, {-4, -6, 4}),
    (2, 3, 0.3536, 2, True, {-2, -4, 2, 6}),
    (1, 4, 0.68, 2, False, {-1, 1, 3, 7}),
    (3, 4, 0.68, 2, False, {-1, -3, 1, 5}),
    (6, 3, 0.3536, 2, True, {-2, -4, -6, 2}),
    (5, 4, 0.68, 2, False, {-1, -5, 1, 3}),
    (7, 4, 0.68, 2, False, {-1, -3, -7, 1}),
)
# encoder_lowdelay_main.cfg and encoder_lowdelay_P_main.cfg: QP offset, QP factor, references
LOW_DELAY = (
    (3, 0.4624, {-1, -5, -9, -13}),
    (2, 0.4624, {-1, -2, -6, -10}),
    (3, 0.4624, {-1, -3, -7, -11}),
    (1, 0.578, {-1, -4, -8, -12}),
)


def take(count, *args, **kwargs):
    """Structures of a sequence of `count` pictures, in coding order."""
    return [structure for structure, _ in coding_structure(args[0], range(count), **kwargs)]


def deltas(picture):
    return {delta for delta, _ in picture.rps.negative + picture.rps.positive}


@pytest.mark.parametrize(("config", "slice_type"), [("ldp", SLICE_P), ("ldb", SLICE_B)])
def test_low_delay(config, slice_type):
    pictures = take(33, config)
    assert [p.poc for p in pictures] == [p.index for p in pictures] == list(range(33))
    lists = [p.list_pocs[0] for p in pictures]
    assert lists[:6] == [(), (0,), (1, 0), (2, 1, 0), (3, 2, 1, 0), (4, 3, 2, 0)]
    for p in pictures[17:]:
        offset, factor, references = LOW_DELAY[(p.poc - 1) % 4]
        assert (p.qp_offset, p.qp_factor, deltas(p)) == (offset, factor, references)
        assert p.depth == {3: 2, 2: 1, 1: 0}[offset]
        assert p.num_ref_idx == ((4, 4) if slice_type == SLICE_B else (4, 0))
    assert [p.qp_offset for p in pictures[:9]] == [0, 3, 2, 3, 1, 3, 2, 3, 1]
    assert pictures[0].nal_type == IDR_W_RADL and pictures[0].is_idr and pictures[0].slice_type == SLICE_I
    assert all(p.nal_type == TRAIL_R and p.slice_type == slice_type for p in pictures[1:])
    assert all(p.list_pocs[1] == (p.list_pocs[0] if slice_type == SLICE_B else ()) for p in pictures)
    assert {p.rps for p in pictures[13:]} == set(reference_picture_sets(config))


def test_random_access_group():
    """The third group after the only intra picture, by when all that the configuration wants exists."""
    pictures = take(41, "ra", intra_period=0)
    assert [p.poc for p in pictures[:9]] == [0, 8, 4, 2, 1, 3, 6, 5, 7]
    assert [p.poc for p in pictures] == [p.index for p in pictures]
    for p, (poc, offset, factor, active, is_reference, references) in zip(pictures[17:25], RANDOM_ACCESS, strict=True):
        assert (p.poc - 16, p.qp_offset, p.qp_factor, p.num_ref_idx) == (poc, offset, factor, (active, active))
        assert p.depth == offset - 1
        assert deltas(p) == references
        assert p.nal_type == (TRAIL_R if is_reference else TRAIL_N)
        assert p.slice_type == SLICE_B
    assert pictures[18].list_pocs == ((16, 14), (24, 16))
    assert pictures[20].list_pocs == ((16, 18), (18, 20))
    assert {p.rps for p in pictures[17:]} == set(reference_picture_sets("ra"))


def test_random_access_points():
    """Every 32 pictures a CRA picture; those that precede it in output order follow it in coding order."""
    pictures = take(100, "ra")
    points = [p for p in pictures if p.slice_type == SLICE_I]
    assert [(p.poc, p.nal_type) for p in points] == [(0, IDR_W_RADL), (32, CRA), (64, CRA), (96, CRA)]
    assert all(p.qp_offset == 0 and p.depth == 0 and p.num_ref_idx == (0, 0) for p in points)
    assert all(len(deltas(p)) == 4 and p.rps.num_used == 0 for p in points[1:])  # kept for leading pictures only
    point = pictures[0]
    for p in pictures[1:]:
        if p.slice_type == SLICE_I:
            point = p
            continue
        assert p.rps.num_used == len(deltas(p))
        leading = p.poc < point.poc
        is_reference = RANDOM_ACCESS[[row[0] for row in RANDOM_ACCESS].index((p.poc - 1) % 8 + 1)][4]
        assert p.nal_type == ((RASL_N, RASL_R) if leading else (TRAIL_N, TRAIL_R))[is_reference]
        if not leading:  # also what it only keeps for others
            assert all(p.poc + delta >= point.poc for delta in deltas(p))
    assert sum(p.nal_type in (RASL_N, RASL_R) for p in pictures) == 21


@pytest.mark.parametrize("count", range(1, 20))
def test_groups_may_end_early(count):
    pictures = take(count, "ra")
    assert sorted(p.index for p in pictures) == list(range(count))
    last = [p.poc for p in pictures[1 + (count - 1) // 8 * 8 :]]
    start = (count - 1) // 8 * 8
    assert last == [start + poc for poc in (8, 4, 2, 1, 3, 6, 5, 7) if start + poc < count]
    assert all(p.num_ref_idx[0] >= 1 and p.num_ref_idx[1] >= 1 for p in pictures[1:])


@pytest.mark.parametrize(("config", "ahead"), [("ai", 1), ("ldp", 1), ("ldb", 1), ("ra", 8)])
def test_no_more_frames_are_read_than_needed(config, ahead):
    taken = []

    def frames():
        for k in range(41):
            taken.append(k)
            yield k

    for k, (structure, frame) in enumerate(coding_structure(config, frames())):
        assert frame == structure.index
        groups = -(-k // ahead)  # begun, after the first picture
        assert len(taken) == 1 + groups * ahead


@pytest.mark.parametrize("config", GOPS)
@pytest.mark.parametrize("intra_period", [0, 1, 5, 8, 24, None])
@pytest.mark.parametrize("count", [61, 64])
def test_references_are_always_there(config, intra_period, count):
    if config == "ra" and intra_period in (1, 5):
        return
    held = set()
    open_gop = config == "ra"
    period = (32 if open_gop else 0) if intra_period is None else intra_period
    for p in take(count, config, intra_period=intra_period):
        wanted = {p.poc + delta for delta in deltas(p)}
        held = set() if p.is_idr else held & wanted
        assert held == wanted
        held.add(p.poc)
        assert len(held) <= dpb_size(config)
        restarts = period and not open_gop and p.index % period == 0
        assert p.is_idr == bool(p.index == 0 or restarts)
        if config != "ai":
            assert (p.slice_type == SLICE_I) == (p.index % period == 0 if period else p.index == 0)
        if p.slice_type != SLICE_I:
            used = len(p.rps.negative + p.rps.positive)
            assert 1 <= p.num_ref_idx[0] <= min(4, used)
            assert p.num_ref_idx[1] == (0 if config == "ldp" else p.num_ref_idx[0])
            assert set(p.list_pocs[0] + p.list_pocs[1]) <= wanted


def test_all_intra():
    pictures = take(4, "ai")
    assert [p.poc for p in pictures] == [0, 1, 2, 3]
    assert [p.nal_type for p in pictures] == [IDR_W_RADL, TRAIL_R, TRAIL_R, TRAIL_R]
    assert all(p.slice_type == SLICE_I and p.qp_offset == 0 and p.num_ref_idx == (0, 0) for p in pictures)
    assert reference_picture_sets("ai") == () and dpb_size("ai") == 1


def test_lambda():
    intra, (first, *inter) = take(1, "ai")[0], take(5, "ldp")
    random_access = take(9, "ra")
    assert picture_lambda(intra, 32) == pytest.approx(0.57 * 2 ** (20 / 3))
    assert picture_lambda(first, 32) == pytest.approx(0.57 * 0.85 * 2 ** (20 / 3))
    assert picture_lambda(inter[0], 35) == pytest.approx(0.4624 * 2 ** (23 / 3) * 23 / 6)
    assert picture_lambda(inter[0], 22) == pytest.approx(0.4624 * 2 ** (10 / 3) * 2)
    assert picture_lambda(inter[1], 51) == pytest.approx(0.4624 * 2 ** (39 / 3) * 4)
    assert picture_lambda(inter[3], 33) == pytest.approx(0.578 * 2 ** (21 / 3))
    for picture in (intra, *inter):
        assert picture_lambda(picture, 30, 10) == pytest.approx(16 * picture_lambda(picture, 30, 8))
    assert picture_lambda(random_access[0], 32) == pytest.approx(0.57 * 0.65 * 2 ** (20 / 3))
    assert picture_lambda(random_access[1], 33) == pytest.approx(0.442 * 2 ** (21 / 3))
    assert picture_lambda(random_access[4], 36) == pytest.approx(0.68 * 2 ** (24 / 3) * 4)


def test_qp_and_chroma_weight():
    assert [picture_qp(50, p) for p in take(3, "ldp")] == [50, 51, 51]
    assert chroma_weight(20) == 1.0
    assert chroma_weight(37) == pytest.approx(2 ** (3 / 3))
    assert chroma_weight(51) == pytest.approx(2 ** (6 / 3))
    assert chroma_weight(29, 1) == pytest.approx(1.0)
