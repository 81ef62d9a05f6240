"""Normative. Predictions of a picture's luma from further references, as inputs of the learned filter, free of bits.

Each block's motion leads to one reference picture.  Where that picture's own motion, at the place it leads to, points
to another picture of the lists, the two vectors are added; elsewhere the vector is scaled by the distance in time.
Noise that differs from picture to picture shows there.
"""

from typing import NamedTuple

import numpy as np

from codecsim.hevc.compensation import compensate
from codecsim.hevc.inter import predict_luma_uni
from codecsim.hevc.motion import distance_scale, scale_mv
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Area, Place, Vector

NO_TARGET = -(1 << 31)  # "points to no picture"
_BLOCK_UNITS = 2  # blocks of 8x8 samples, with the motion of their first unit


class Further(NamedTuple):
    """What `predict_further` knows of the reference pictures, beside their samples."""

    mv: np.ndarray  # (places, H4, W4, 2, 2) int16, quarter samples: motion of the picture at each place of References
    target: np.ndarray  # (places, H4, W4, 2) int32, POC of the pictures pointed to, or NO_TARGET
    pocs: np.ndarray  # (2, 16) int32, of the current picture's lists
    num_ref: np.ndarray  # (2,) int32, their entries
    cur_poc: int


def stack_reference_motion(places):
    """Motion of reference pictures and where it leads.

    Parameters
    ----------
    places : sequence of Picture, at least one of them, or None where a place is free

    Returns
    -------
    mv, target : as in Further
    """
    picture = next(p for p in places if p is not None)
    mv = np.zeros((len(places), *picture.motion.mv.shape), np.int16)
    target = np.full((len(places), *picture.motion.ref_idx.shape), NO_TARGET, np.int32)
    for place, picture in enumerate(places):
        if picture is None:
            continue
        mv[place] = picture.motion.mv
        for side in range(2):
            index = picture.motion.ref_idx[:, :, side]
            target[place, :, :, side] = np.where(index >= 0, picture.ref_poc[side][np.maximum(index, 0)], NO_TARGET)
    return mv, target


@kernel
def _entry_poc(further, entry):
    """POC of an entry of list 0 followed by list 1."""
    first = int(further.num_ref[0])
    return int(further.pocs[0, entry] if entry < first else further.pocs[1, entry - first])


@kernel
def _other_entry(further, used, used_too, rank):
    """The `rank`-th entry of both lists, list 0 first, with a new picture that is neither of two; or -1."""
    found = 0
    for j in range(int(further.num_ref[0]) + int(further.num_ref[1])):
        poc = _entry_poc(further, j)
        new = poc != used and poc != used_too
        for i in range(j):
            new = new and _entry_poc(further, i) != poc
        if new:
            if found == rank:
                return j
            found += 1
    return -1


@kernel(unit=True)
def predict_further(motion, refs, further, rank, out, scratch):
    """Luma prediction from the `rank`-th reference picture that each block does not use.

    A block's motion from list 0, or list 1 if it has no other, leads there.

    Parameters
    ----------
    motion : Motion of the current picture
    refs : References
    further : Further
    rank : int
    out : (H, W) uint16, written; equal to the prediction itself where there is no other reference
    scratch : InterScratch
    """
    h4, w4 = motion.ref_idx.shape[0], motion.ref_idx.shape[1]
    first = int(further.num_ref[0])
    for uy in range(0, h4, _BLOCK_UNITS):
        for ux in range(0, w4, _BLOCK_UNITS):
            y, x = 4 * uy, 4 * ux
            k0, k1 = int(motion.ref_idx[uy, ux, 0]), int(motion.ref_idx[uy, ux, 1])
            side = 1 if k0 < 0 and k1 >= 0 else 0
            entry = max(k0, 0) if side == 0 else first + k1
            poc = _entry_poc(further, entry)
            used_too = _entry_poc(further, first + k1) if k1 >= 0 else poc
            mv_x, mv_y = int(motion.mv[uy, ux, side, 0]), int(motion.mv[uy, ux, side, 1])
            if k0 < 0 and k1 < 0:
                mv_x, mv_y = 0, 0
            other = _other_entry(further, poc, used_too, rank)
            if other < 0 and k1 >= 0:
                compensate(refs, 0, motion, Place(uy, ux), Area(x, y, 8, 8), out, Place(y, x), scratch)
                continue
            place = refs.slot_of[0, entry] if entry < first else refs.slot_of[1, entry - first]
            if other >= 0:
                target = _entry_poc(further, other)
                vy = min(max((y + 4 + (mv_y >> 2)) >> 2, 0), h4 - 1)
                vx = min(max((x + 4 + (mv_x >> 2)) >> 2, 0), w4 - 1)
                there = -1
                for from_side in range(2):
                    if there < 0 and further.target[place, vy, vx, from_side] == target:
                        there = from_side
                if there >= 0:
                    mv_x += int(further.mv[place, vy, vx, there, 0])
                    mv_y += int(further.mv[place, vy, vx, there, 1])
                else:
                    factor = distance_scale(further.cur_poc - poc, further.cur_poc - target)
                    mv_x, mv_y = scale_mv(factor, mv_x), scale_mv(factor, mv_y)
                place = refs.slot_of[0, other] if other < first else refs.slot_of[1, other - first]
            mv, area = Vector(np.int64(mv_x), np.int64(mv_y)), Area(x, y, 8, 8)
            predict_luma_uni(refs.y[place], mv, area, out, Place(y, x), scratch.tmp, refs.bit_depth)
