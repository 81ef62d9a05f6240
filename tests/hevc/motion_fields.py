"""Random motion and the pictures that it leads to."""

import numpy as np

from codecsim.hevc.compensation import References
from codecsim.picture.planes import Motion, Picture


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
        for plane in picture.inner():
            plane[:] = rng.integers(0, 2, plane.shape) * top if extreme else rng.integers(0, top + 1, plane.shape)
        picture.pad()
        picture.ref_poc[:, :4] = rng.choice(pocs, (2, 4))
        motion = make_motion(rng, height, width, (4, 4), largest)
        picture.motion.mv[:] = motion.mv
        picture.motion.ref_idx[:] = motion.ref_idx
    return pictures


def make_references(pictures, lists, bit_depth):
    """(References, Picture or None at each place): each picture once, a place between them free."""
    places = [None, *pictures.values()]
    empty = Picture(*places[1].inner().y.shape[::-1], 0)
    slot_of = np.zeros((2, 16), np.int64)
    for row, pocs in zip(slot_of, lists, strict=True):
        row[: len(pocs)] = [1 + list(pictures).index(poc) for poc in pocs]
    stacks = (np.stack([(p or empty).planes[c] for p in places]) for c in range(3))
    return References(*stacks, slot_of, bit_depth), places
