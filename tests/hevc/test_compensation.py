"""Motion compensation from one list and from both, against the naive twin."""

import numpy as np
import pytest

from codecsim.hevc.compensation import References, compensate, make_inter_scratch
from codecsim.kernels.binding import bind
from codecsim.picture.areas import Area, Place
from codecsim.picture.planes import PAD_C, PAD_Y, Motion, Picture
from tests.reference import inter as naive

HEIGHT, WIDTH = 72, 88
LISTS = ((2, 0), (1, 2, 0))  # the places of the entries; both lists lead to pictures 0 and 2
CONTENTS = ("random", "extreme", "far")  # samples; vectors to anywhere in "far"


def make_references(rng, bit_depth, extreme):
    """(References, by component the unpadded planes of each list's entries) of three pictures."""
    pictures = [Picture(WIDTH, HEIGHT, poc) for poc in range(3)]
    for picture in pictures:
        for plane, pad in zip(picture.planes, (PAD_Y, PAD_C, PAD_C), strict=True):
            inner = plane[pad:-pad, pad:-pad]
            top = (1 << bit_depth) - 1
            inner[:] = rng.integers(0, 2, inner.shape) * top if extreme else rng.integers(0, top + 1, inner.shape)
        picture.pad()
    slot_of = np.zeros((2, 16), np.int64)
    for row, entries in zip(slot_of, LISTS, strict=True):
        row[: len(entries)] = entries
    stacks = [np.stack([picture.planes[c] for picture in pictures]) for c in range(3)]
    inner = [[plane[pad:-pad, pad:-pad] for plane in stack] for stack, pad in zip(stacks, (80, 40, 40), strict=True)]
    planes = [[[found[k] for k in entries] for entries in LISTS] for found in inner]
    return References(*stacks, slot_of, bit_depth), planes


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("c_idx", [0, 1, 2])
def test_blocks(content, bit_depth, c_idx):
    rng = np.random.default_rng(bit_depth + c_idx)
    references, planes = make_references(rng, bit_depth, content == "extreme")
    scale = 1 if c_idx == 0 else 2
    kinds = set()
    for w, h in ((8, 8), (64, 64), (8, 4), (16, 64), (4, 8), (12, 16)):
        for _ in range(25):
            ref_idx = [int(rng.integers(-1, len(entries))) for entries in LISTS]
            if max(ref_idx) < 0:
                continue
            largest = 32767 if content == "far" else 200
            mv = rng.integers(-largest - 1, largest + 1, (2, 2))
            motion = Motion(np.zeros((2, 3, 2, 2), np.int16), np.full((2, 3, 2), -1, np.int8))
            motion.mv[1, 2], motion.ref_idx[1, 2] = mv, ref_idx
            same = min(ref_idx) >= 0 and LISTS[0][ref_idx[0]] == LISTS[1][ref_idx[1]]
            kinds.add((ref_idx[0] >= 0, ref_idx[1] >= 0, same))
            x, y = int(rng.integers(WIDTH // 4)) * 4, int(rng.integers(HEIGHT // 4)) * 4
            block = tuple(v // scale for v in (x, y, w, h))
            out = np.full((h + 3, w + 4), 5, np.uint16)
            scratch = bind(make_inter_scratch())
            compensate(bind(references), c_idx, bind(motion), Place(1, 2), Area(*block), out, Place(3, 4), scratch)
            w_c, h_c = block[2:]
            wanted = naive.compensate(planes[c_idx], motion, 1, 2, block, c_idx == 0, bit_depth)
            np.testing.assert_array_equal(out[3 : 3 + h_c, 4 : 4 + w_c], wanted, f"{ref_idx} {mv} {block}")
            out[3 : 3 + h_c, 4 : 4 + w_c] = 5
            assert (out == 5).all()
    assert kinds == {(True, False, False), (False, True, False), (True, True, False), (True, True, True)}
