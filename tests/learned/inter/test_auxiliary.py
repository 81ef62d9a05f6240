"""The learned filter's further predictions, against their naive twins."""

import numpy as np
import pytest

from codecsim.hevc.compensation import make_inter_scratch
from codecsim.kernels.binding import bind
from codecsim.learned.inter.auxiliary import (
    NO_TARGET,
    Further,
    predict_further,
    stack_reference_motion,
)
from codecsim.picture.planes import PAD_Y, Motion, Picture
from tests.hevc.motion_fields import make_motion, make_pictures, make_references
from tests.reference import auxiliary as naive

SIZES = [(8, 8), (40, 24), (24, 72)]  # (height, width)


def unpadded(picture):
    return picture.planes.y[PAD_Y:-PAD_Y, PAD_Y:-PAD_Y]


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
