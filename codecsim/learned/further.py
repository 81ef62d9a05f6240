"""Normative. Further predictions: the same content seen in other reference pictures, as inputs of the learned filter.

Each block's motion leads to one reference picture.  Where that picture's own motion, at the place it leads to, points to
another picture of the list, the two vectors are added; elsewhere the vector is scaled by the distance in time.  No bits are
needed, and noise that differs from picture to picture shows in the differences.
"""

import numpy as np

from codecsim.jit import kernel
from codecsim.tools.inter import predict_luma_uni
from codecsim.tools.motion import distance_scale, scale_mv

NO_TARGET = -(1 << 31)  # "points to no picture"
_BLOCK_UNITS = 2  # blocks of 8x8 samples, with the motion of their first unit


class ReferenceMotion:
    """Where the blocks of each reference picture point, list 0 only.

    Attributes
    ----------
    mv : (references, H4, W4, 2) int16, quarter samples
    target : (references, H4, W4) int32, POC of the picture pointed to, or NO_TARGET
    """

    def __init__(self, pictures):
        self.mv = np.stack([picture.motion.mv[:, :, 0] for picture in pictures])
        self.target = np.stack([_targets(picture) for picture in pictures])


def _targets(picture):
    index = picture.motion.ref_idx[:, :, 0]
    return np.where(index >= 0, picture.ref_poc[0][np.maximum(index, 0)], NO_TARGET).astype(np.int32)


@kernel
def _other_reference(pocs, count, k, rank):
    """Index of the `rank`-th list entry that is another picture than entry k, or k where there is none."""
    found = 0
    for j in range(count):
        new = pocs[j] != pocs[k]
        for i in range(j):
            new = new and pocs[i] != pocs[j]
        if new:
            if found == rank:
                return j
            found += 1
    return k


@kernel(unit=True)
def predict_further(motion, planes, ref_mv, ref_target, pocs, count, cur_poc, rank, out, tmp, bit_depth):
    """Luma prediction from the `rank`-th other reference picture of each block.

    Parameters
    ----------
    motion : Motion of the current picture
    planes : (references, padded height, padded width) uint16
    ref_mv, ref_target : as in ReferenceMotion
    pocs : (16,) int32, of list 0
    count : int, entries of list 0
    cur_poc, rank : int
    out : (H, W) uint16, written; equal to the prediction itself where there is no other reference
    tmp : interpolation scratch
    """
    h4, w4 = motion.ref_idx.shape[0], motion.ref_idx.shape[1]
    for uy in range(0, h4, _BLOCK_UNITS):
        for ux in range(0, w4, _BLOCK_UNITS):
            y, x = 4 * uy, 4 * ux
            k = int(motion.ref_idx[uy, ux, 0])
            mv_x, mv_y = int(motion.mv[uy, ux, 0, 0]), int(motion.mv[uy, ux, 0, 1])
            if k < 0:
                k, mv_x, mv_y = 0, 0, 0
            other = _other_reference(pocs, count, k, rank)
            if other != k:
                vy = min(max((y + 4 + (mv_y >> 2)) >> 2, 0), h4 - 1)
                vx = min(max((x + 4 + (mv_x >> 2)) >> 2, 0), w4 - 1)
                if ref_target[k, vy, vx] == pocs[other]:
                    mv_x += int(ref_mv[k, vy, vx, 0])
                    mv_y += int(ref_mv[k, vy, vx, 1])
                else:
                    factor = distance_scale(cur_poc - int(pocs[k]), cur_poc - int(pocs[other]))
                    mv_x, mv_y = scale_mv(factor, mv_x), scale_mv(factor, mv_y)
            predict_luma_uni(planes[other], int(mv_x), int(mv_y), x, y, 8, 8, out, y, x, tmp, bit_depth)
