"""The learned filter's further predictions, against their naive twins."""

import numpy as np
import pytest

from codecsim.binding import bind
from codecsim.learned.auxiliary import (
    NO_TARGET,
    OVERLAP_TMP_SIZE,
    Further,
    ReferenceMotion,
    predict_further,
    predict_overlapped,
)
from codecsim.picture import PAD_Y, Motion, Picture
from tests.reference import auxiliary as naive

SIZES = [(8, 8), (40, 24), (24, 72)]  # (height, width)


def make_motion(rng, height, width, count, largest):
    """Random motion, a third of the units intra, in list 0 and 1; some neighbours alike."""
    shape = (height // 4, width // 4, 2)
    motion = Motion(
        rng.integers(-largest, largest + 1, (*shape, 2)).astype(np.int16),
        np.where(rng.random(shape) < 0.33, -1, rng.integers(0, count, shape)).astype(np.int8),
    )
    motion.mv[:, -4:] = motion.mv[0, 0]
    motion.ref_idx[:, -4:] = motion.ref_idx[0, 0]
    return motion


def make_pictures(rng, height, width, pocs, bit_depth, largest, extreme):
    """By POC, a padded Picture with motion that points to `pocs` (some several times)."""
    top, pictures = (1 << bit_depth) - 1, {}
    for poc in dict.fromkeys(pocs):
        picture = pictures[poc] = Picture(width, height, poc)
        samples = rng.integers(0, 2, (height, width)) * top if extreme else rng.integers(0, top + 1, (height, width))
        picture.planes.y[PAD_Y:-PAD_Y, PAD_Y:-PAD_Y] = samples
        picture.pad()
        picture.ref_poc[0, :4] = rng.choice(pocs, 4)
        motion = make_motion(rng, height, width, 4, largest)
        picture.motion.mv[:] = motion.mv
        picture.motion.ref_idx[:] = motion.ref_idx
    return pictures


def luma_stack(pictures, pocs):
    return np.stack([pictures[poc].planes.y for poc in pocs])


def unpadded(picture):
    return picture.planes.y[PAD_Y:-PAD_Y, PAD_Y:-PAD_Y]


def run_further(motion, pictures, list0, cur_poc, rank, bit_depth):
    """What the kernel writes."""
    held = ReferenceMotion([pictures[poc] for poc in list0])
    pocs = np.full(16, list0[0] + 1, np.int32)  # what stands behind the list's end must not be read
    pocs[: len(list0)] = list0
    references = Further(luma_stack(pictures, list0), held.mv, held.target, pocs)
    height, width = (4 * n for n in motion.ref_idx.shape[:2])
    out, tmp = np.full((height, width), 7, np.uint16), np.full(OVERLAP_TMP_SIZE, -9, np.int32)
    predict_further(bind(motion), bind(references), len(list0), cur_poc, rank, out, tmp, bit_depth)
    return out


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("largest", [0, 12, 300, 32767])
def test_overlapped(size, bit_depth, largest):
    rng = np.random.default_rng(largest + bit_depth)
    pocs = [3, 2, 1, 0]
    pictures = make_pictures(rng, *size, pocs, bit_depth, largest, extreme=largest == 12)
    motion = make_motion(rng, *size, len(pocs), largest)
    pred = rng.choice([0, (1 << bit_depth) - 1, 100], size).astype(np.uint16)
    out, block = np.full(size, 7, np.uint16), np.zeros((8, 8), np.uint16)
    tmp = np.full(OVERLAP_TMP_SIZE, -9, np.int32)
    kept = pred.copy()
    predict_overlapped(bind(motion), luma_stack(pictures, pocs), pred, out, block, tmp, bit_depth)
    wanted = naive.predict_overlapped(motion, [unpadded(pictures[poc]) for poc in pocs], pred, bit_depth)
    np.testing.assert_array_equal(out, wanted)
    np.testing.assert_array_equal(pred, kept)


@pytest.mark.parametrize("inter", [False, True])
def test_overlapped_without_differences_is_the_prediction(inter):
    """All intra, or all of one motion."""
    rng = np.random.default_rng(0)
    pictures = make_pictures(rng, 24, 40, [0], 8, 8, extreme=False)
    motion = make_motion(rng, 24, 40, 1, 8)
    motion.ref_idx[:] = 0 if inter else -1
    if inter:
        motion.mv[:] = (5, -3)
    pred, out = rng.integers(0, 256, (24, 40)).astype(np.uint16), np.zeros((24, 40), np.uint16)
    tmp = np.zeros(OVERLAP_TMP_SIZE, np.int32)
    predict_overlapped(bind(motion), luma_stack(pictures, [0]), pred, out, np.zeros((8, 8), np.uint16), tmp, 8)
    np.testing.assert_array_equal(out, pred)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("largest", [0, 12, 300, 32767])
@pytest.mark.parametrize(
    ("cur_poc", "list0"),
    [
        (9, [8, 4, 0]),
        (9, [8, 4, 8, 4]),  # the same pictures again
        (5, [5 - 200, 4, 4, 6]),  # distances beyond -128..127, and backwards
        (1, [0]),
        (2, [1, 1]),
    ],
)
def test_further(size, bit_depth, largest, cur_poc, list0):
    rng = np.random.default_rng(largest + bit_depth + cur_poc)
    pictures = make_pictures(rng, *size, list0, bit_depth, largest, extreme=largest == 12)
    motion = make_motion(rng, *size, len(list0), largest)
    held = {poc: (unpadded(p), p.motion, p.ref_poc[0].tolist()) for poc, p in pictures.items()}
    for rank in range(3):
        wanted = naive.predict_further(motion, held, list0, cur_poc, rank, bit_depth)
        np.testing.assert_array_equal(run_further(motion, pictures, list0, cur_poc, rank, bit_depth), wanted)


def test_further_follows_the_reference_and_else_the_clock():
    """Content that moves by 2 samples a picture, told by the reference's motion; without it the vector is stretched."""
    scene = np.random.default_rng(1).integers(0, 256, (8, 80))
    pictures, width = {}, 40
    for poc in (0, 2):
        pictures[poc] = Picture(width, 8, poc)
        pictures[poc].planes.y[PAD_Y:-PAD_Y, PAD_Y:-PAD_Y] = scene[:, 20 - 2 * poc :][:, :width]
        pictures[poc].pad()
        pictures[poc].motion.ref_idx[:] = -1
    motion = Motion(np.zeros((2, 10, 2, 2), np.int16), np.zeros((2, 10, 2), np.int8))
    motion.mv[..., 0] = -8  # from picture 3 to picture 2
    wanted = scene[:, 14:][:, :width]
    by_clock = run_further(motion, pictures, [2, 0], 3, 0, 8)
    np.testing.assert_array_equal(by_clock[:, 8:], wanted[:, 8:])
    pictures[2].motion.ref_idx[:, :, 0] = 0
    pictures[2].ref_poc[0, 0] = 0
    pictures[2].motion.mv[:, :, 0, 0] = -16
    np.testing.assert_array_equal(run_further(motion, pictures, [2, 0], 3, 0, 8), by_clock)
    pictures[2].motion.mv[:, :, 0, 0] = 0  # wrong, and followed
    assert (run_further(motion, pictures, [2, 0], 3, 0, 8)[:, 8:] != wanted[:, 8:]).mean() > 0.5


def test_reference_motion_of_intra_points_nowhere():
    picture = Picture(16, 8, 4)
    picture.ref_poc[0, :2] = 3, 1
    picture.motion.ref_idx[:] = -1
    picture.motion.ref_idx[0, 1, 0] = 1
    picture.motion.ref_idx[0, 2, 1] = 0  # list 1 only
    target = ReferenceMotion([picture]).target
    assert target[0, 0, 1] == 1
    assert (np.delete(target.ravel(), 1) == NO_TARGET).all()
