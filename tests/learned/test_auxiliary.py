"""The learned filter's further predictions, against their naive twins."""

import numpy as np
import pytest

from codecsim.binding import bind
from codecsim.learned.auxiliary import (
    NO_TARGET,
    Further,
    make_overlap_scratch,
    predict_further,
    predict_overlapped,
    stack_reference_motion,
)
from codecsim.picture import PAD_Y, Motion, Picture
from codecsim.tools.compensation import References, make_inter_scratch
from tests.reference import auxiliary as naive

SIZES = [(8, 8), (40, 24), (24, 72)]  # (height, width)


def make_motion(rng, height, width, counts, largest):
    """Random motion in both lists of `counts` entries, some units intra, some neighbours alike."""
    shape = (height // 4, width // 4, 2)
    index = np.stack([rng.integers(0, max(count, 1), shape[:2]) for count in counts], 2)
    unused = (rng.random(shape) < 0.5) | (np.array(counts) == 0)
    motion = Motion(
        rng.integers(-largest, largest + 1, (*shape, 2)).astype(np.int16), np.where(unused, -1, index).astype(np.int8)
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
        picture.ref_poc[:, :4] = rng.choice(pocs, (2, 4))
        motion = make_motion(rng, height, width, (4, 4), largest)
        picture.motion.mv[:] = motion.mv
        picture.motion.ref_idx[:] = motion.ref_idx
    return pictures


def unpadded(picture):
    return picture.planes.y[PAD_Y:-PAD_Y, PAD_Y:-PAD_Y]


def make_references(pictures, lists, bit_depth):
    """(References, Picture or None at each place): each picture once, a place between them free."""
    places = [None, *pictures.values()]
    empty = Picture(*unpadded(places[1]).shape[::-1], 0)
    slot_of = np.zeros((2, 16), np.int64)
    for row, pocs in zip(slot_of, lists, strict=True):
        row[: len(pocs)] = [1 + list(pictures).index(poc) for poc in pocs]
    stacks = (np.stack([(p or empty).planes[c] for p in places]) for c in range(3))
    return References(*stacks, slot_of, bit_depth), places


def run_overlapped(motion, pictures, lists, pred, bit_depth):
    """What the kernel writes."""
    references, _ = make_references(pictures, lists, bit_depth)
    out = np.full(pred.shape, 7, np.uint16)
    scratch = [bind(item) for item in (make_inter_scratch(), make_overlap_scratch())]
    predict_overlapped(bind(motion), bind(references), pred, out, *scratch)
    return out


def run_further(motion, pictures, lists, cur_poc, rank, bit_depth):
    """What the kernel writes."""
    references, places = make_references(pictures, lists, bit_depth)
    pocs = np.full((2, 16), lists[0][0] + 1, np.int32)  # what stands behind a list's end must not be read
    for row, entries in zip(pocs, lists, strict=True):
        row[: len(entries)] = entries
    counts = np.array([len(entries) for entries in lists], np.int32)
    further = Further(*stack_reference_motion(places), pocs, counts, cur_poc)
    height, width = (4 * n for n in motion.ref_idx.shape[:2])
    out = np.full((height, width), 7, np.uint16)
    predict_further(bind(motion), bind(references), bind(further), rank, out, bind(make_inter_scratch()))
    return out


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("largest", [0, 12, 300, 32767])
@pytest.mark.parametrize("lists", [([3, 2, 1, 0], []), ([3, 1], [4, 3, 1])])
def test_overlapped(size, bit_depth, largest, lists):
    rng = np.random.default_rng(largest + bit_depth)
    pictures = make_pictures(rng, *size, [*lists[0], *lists[1]], bit_depth, largest, extreme=largest == 12)
    motion = make_motion(rng, *size, [len(pocs) for pocs in lists], largest)
    pred = rng.choice([0, (1 << bit_depth) - 1, 100], size).astype(np.uint16)
    kept = pred.copy()
    out = run_overlapped(motion, pictures, lists, pred, bit_depth)
    planes = [[unpadded(pictures[poc]) for poc in pocs] for pocs in lists]
    np.testing.assert_array_equal(out, naive.predict_overlapped(motion, planes, pred, bit_depth))
    np.testing.assert_array_equal(pred, kept)


@pytest.mark.parametrize("ref_idx", [(-1, -1), (0, -1), (-1, 0), (0, 0)])
def test_overlapped_without_differences_is_the_prediction(ref_idx):
    """All intra, or all of one motion; what a list that is not used last held does not matter."""
    rng = np.random.default_rng(0)
    pictures = make_pictures(rng, 24, 40, [0], 8, 8, extreme=False)
    motion = make_motion(rng, 24, 40, (1, 1), 8)
    motion.ref_idx[:] = ref_idx
    for side in range(2):
        if ref_idx[side] == 0:
            motion.mv[:, :, side] = (5, -3)
    pred = rng.integers(0, 256, (24, 40)).astype(np.uint16)
    np.testing.assert_array_equal(run_overlapped(motion, pictures, ([0], [0]), pred, 8), pred)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("largest", [0, 12, 300, 32767])
@pytest.mark.parametrize(
    ("cur_poc", "lists"),
    [
        (9, ([8, 4, 0], [])),
        (9, ([8, 4, 8, 4], [])),  # the same pictures again
        (5, ([5 - 200, 4, 4, 6], [])),  # distances beyond -128..127, and backwards
        (1, ([0], [])),
        (2, ([1, 1], [1])),  # no other picture, with both lists
        (9, ([8, 4], [8, 4])),
        (6, ([4, 2], [8, 4, 7])),
    ],
)
def test_further(size, bit_depth, largest, cur_poc, lists):
    rng = np.random.default_rng(largest + bit_depth + cur_poc)
    pictures = make_pictures(rng, *size, [*lists[0], *lists[1]], bit_depth, largest, extreme=largest == 12)
    motion = make_motion(rng, *size, [len(pocs) for pocs in lists], largest)
    held = {poc: (unpadded(p), p.motion, p.ref_poc.tolist()) for poc, p in pictures.items()}
    for rank in range(3):
        wanted = naive.predict_further(motion, held, lists, cur_poc, rank, bit_depth)
        np.testing.assert_array_equal(run_further(motion, pictures, lists, cur_poc, rank, bit_depth), wanted)


def test_further_follows_the_reference_and_else_the_clock():
    """Content that moves by 2 samples a picture, told by the reference's motion; without it the vector is stretched."""
    scene = np.random.default_rng(1).integers(0, 256, (8, 80))
    pictures, width = {}, 40
    for poc in (0, 2):
        pictures[poc] = Picture(width, 8, poc)
        pictures[poc].planes.y[PAD_Y:-PAD_Y, PAD_Y:-PAD_Y] = scene[:, 20 - 2 * poc :][:, :width]
        pictures[poc].pad()
        pictures[poc].motion.ref_idx[:] = -1
    motion = Motion(np.zeros((2, 10, 2, 2), np.int16), np.full((2, 10, 2), (0, -1), np.int8))
    motion.mv[..., 0] = -8  # from picture 3 to picture 2
    wanted = scene[:, 14:][:, :width]
    by_clock = run_further(motion, pictures, ([2, 0], []), 3, 0, 8)
    np.testing.assert_array_equal(by_clock[:, 8:], wanted[:, 8:])
    pictures[2].motion.ref_idx[:, :, 0] = 0
    pictures[2].ref_poc[0, 0] = 0
    pictures[2].motion.mv[:, :, 0, 0] = -16
    np.testing.assert_array_equal(run_further(motion, pictures, ([2, 0], []), 3, 0, 8), by_clock)
    pictures[2].motion.mv[:, :, 0, 0] = 0  # wrong, and followed
    assert (run_further(motion, pictures, ([2, 0], []), 3, 0, 8)[:, 8:] != wanted[:, 8:]).mean() > 0.5


def test_reference_motion_of_intra_points_nowhere():
    picture = Picture(16, 8, 4)
    picture.ref_poc[:, :2] = (3, 1), (7, 9)
    picture.motion.ref_idx[:] = -1
    picture.motion.ref_idx[0, 1] = 1, -1
    picture.motion.ref_idx[0, 2] = 0, 1
    _, target = stack_reference_motion([None, picture])
    assert target[1, 0, 1].tolist() == [1, NO_TARGET]
    assert target[1, 0, 2].tolist() == [3, 9]
    assert (np.delete(target.reshape(-1, 2), [8 + 1, 8 + 2], axis=0) == NO_TARGET).all()
