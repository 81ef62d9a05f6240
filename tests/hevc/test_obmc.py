"""Overlapped motion compensation against its naive twin."""

import numpy as np
import pytest

from codecsim.hevc.compensation import make_inter_scratch
from codecsim.hevc.obmc import make_overlap_scratch, predict_overlapped
from codecsim.kernels.binding import bind
from tests.hevc.motion_fields import make_motion, make_pictures, make_references
from tests.reference import obmc as naive

SIZES = [(8, 8), (40, 24), (24, 72)]  # (height, width)


def run_overlapped(motion, pictures, lists, c_idx, pred, bit_depth, where=None):
    """What the kernel writes into a plane of sevens."""
    references, _ = make_references(pictures, lists, bit_depth)
    height, width = motion.ref_idx.shape[0] // 8 + 1, motion.ref_idx.shape[1] // 8 + 1
    where = np.ones((height, width), np.uint8) if where is None else where
    out = np.full(pred.shape, 7, np.uint16)
    scratch = [bind(item) for item in (make_inter_scratch(), make_overlap_scratch())]
    predict_overlapped(bind(motion), bind(references), c_idx, where, pred, out, *scratch)
    return out


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("largest", [0, 12, 300, 32767])
@pytest.mark.parametrize("lists", [([3, 2, 1, 0], []), ([3, 1], [4, 3, 1])])
@pytest.mark.parametrize("c_idx", [0, 1, 2])
def test_pictures(size, bit_depth, largest, lists, c_idx):
    rng = np.random.default_rng(largest + bit_depth)
    pictures = make_pictures(rng, *size, [*lists[0], *lists[1]], bit_depth, largest, extreme=largest == 12)
    motion = make_motion(rng, *size, [len(pocs) for pocs in lists], largest)
    shape = tuple(n >> (c_idx > 0) for n in size)
    pred = rng.choice([0, (1 << bit_depth) - 1, 100], shape).astype(np.uint16)
    kept = pred.copy()
    out = run_overlapped(motion, pictures, lists, c_idx, pred, bit_depth)
    planes = [[pictures[poc].inner()[c_idx] for poc in pocs] for pocs in lists]
    np.testing.assert_array_equal(out, naive.predict_overlapped(motion, planes, pred, c_idx == 0, bit_depth))
    np.testing.assert_array_equal(pred, kept)


@pytest.mark.parametrize("ref_idx", [(-1, -1), (0, -1), (-1, 0), (0, 0)])
def test_without_differences_it_is_the_prediction(ref_idx):
    """All intra, or all of one motion; what a list that is not used last held does not matter."""
    rng = np.random.default_rng(0)
    pictures = make_pictures(rng, 24, 40, [0], 8, 8, extreme=False)
    motion = make_motion(rng, 24, 40, (1, 1), 8)
    motion.ref_idx[:] = ref_idx
    for side in range(2):
        if ref_idx[side] == 0:
            motion.mv[:, :, side] = (5, -3)
    pred = rng.integers(0, 256, (24, 40)).astype(np.uint16)
    np.testing.assert_array_equal(run_overlapped(motion, pictures, ([0], [0]), 0, pred, 8), pred)


@pytest.mark.parametrize("c_idx", [0, 1])
def test_only_what_is_wanted(c_idx):
    rng = np.random.default_rng(1)
    size = (72, 104)
    pictures = make_pictures(rng, *size, [0, 1], 8, 40, extreme=False)
    motion = make_motion(rng, *size, (2, 0), 40)
    pred = rng.integers(0, 256, tuple(n >> c_idx for n in size)).astype(np.uint16)
    everywhere = run_overlapped(motion, pictures, ([0, 1], []), c_idx, pred, 8)
    where = rng.integers(0, 2, (3, 4)).astype(np.uint8)
    assert 0 < where.sum() < 12
    found = run_overlapped(motion, pictures, ([0, 1], []), c_idx, pred, 8, where)
    wanted = np.kron(where, np.ones((32 >> c_idx, 32 >> c_idx), bool))[: pred.shape[0], : pred.shape[1]]
    np.testing.assert_array_equal(found, np.where(wanted, everywhere, 7))
