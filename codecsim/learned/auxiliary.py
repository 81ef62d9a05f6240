"""Normative. Further predictions of a picture's luma, as inputs of the learned filter.  They cost no bits.

Overlapped: what the motion of the neighbouring blocks says.  Other references: each block's motion leads to one
reference picture.  Where that picture's own motion, at the place it leads to, points to another picture of the list,
the two vectors are added; elsewhere the vector is scaled by the distance in time.  Noise that differs from picture to
picture shows there.
"""

from typing import NamedTuple

import numpy as np

from codecsim.jit import kernel
from codecsim.tools.indexing import natural
from codecsim.tools.inter import TMP_SIZE, predict_luma_uni
from codecsim.tools.motion import distance_scale, scale_mv

NO_TARGET = -(1 << 31)  # "points to no picture"
OVERLAP_TMP_SIZE = TMP_SIZE + 64  # interpolation scratch, then the weighted sums of a block
_SUM = TMP_SIZE
_BLOCK_UNITS = 2  # blocks of 8x8 samples, with the motion of their first unit


class Further(NamedTuple):
    """What `predict_further` reads of the references in list 0."""

    planes: np.ndarray  # (references, padded height, padded width) uint16
    mv: np.ndarray  # of ReferenceMotion
    target: np.ndarray  # of ReferenceMotion
    pocs: np.ndarray  # (16,) int32


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
def predict_further(motion, references, count, cur_poc, rank, out, tmp, bit_depth):
    """Luma prediction from the `rank`-th other reference picture of each block.

    Parameters
    ----------
    motion : Motion of the current picture
    references : Further
    count : int, entries of list 0
    cur_poc, rank : int
    out : (H, W) uint16, written; equal to the prediction itself where there is no other reference
    tmp : interpolation scratch
    """
    h4, w4 = motion.ref_idx.shape[0], motion.ref_idx.shape[1]
    planes, pocs = references.planes, references.pocs
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
                if references.target[k, vy, vx] == pocs[other]:
                    mv_x += int(references.mv[k, vy, vx, 0])
                    mv_y += int(references.mv[k, vy, vx, 1])
                else:
                    factor = distance_scale(cur_poc - int(pocs[k]), cur_poc - int(pocs[other]))
                    mv_x, mv_y = scale_mv(factor, mv_x), scale_mv(factor, mv_y)
            predict_luma_uni(planes[other], int(mv_x), int(mv_y), x, y, 8, 8, out, y, x, tmp, bit_depth)


@kernel(unit=True)
def predict_overlapped(motion, planes, pred, out, block, tmp, bit_depth):
    """Overlapped motion compensation: near its edges each block leans to what its neighbours' motion predicts for it.

    The four sample rows or columns along an edge take 1/4, 1/8, 1/16, 1/32 of the neighbour's prediction.

    Parameters
    ----------
    motion : Motion of the current picture
    planes : (references, padded height, padded width) uint16
    pred : (H, W) uint16, the prediction
    out : (H, W) uint16, written
    block : (8, 8) uint16, scratch
    tmp : (OVERLAP_TMP_SIZE,) int32
    """
    h4, w4 = motion.ref_idx.shape[0], motion.ref_idx.shape[1]
    mv, ref_idx = motion.mv, motion.ref_idx
    rounding = np.int32(16)
    for uy in range(0, h4, _BLOCK_UNITS):
        for ux in range(0, w4, _BLOCK_UNITS):
            y, x = natural(4 * uy), natural(4 * ux)
            for j in range(8):
                for i in range(8):
                    tmp[_SUM + 8 * j + i] = np.int32(pred[y + j, x + i]) * 32 + rounding
            for side in range(4):
                ny = uy + (_BLOCK_UNITS if side == 1 else -1 if side == 0 else 0)
                nx = ux + (_BLOCK_UNITS if side == 3 else -1 if side == 2 else 0)
                if ny < 0 or nx < 0 or ny >= h4 or nx >= w4:
                    continue
                k = int(ref_idx[ny, nx, 0])
                same = k == ref_idx[uy, ux, 0]
                same = same and mv[ny, nx, 0, 0] == mv[uy, ux, 0, 0] and mv[ny, nx, 0, 1] == mv[uy, ux, 0, 1]
                if k < 0 or same:
                    continue
                mv_x, mv_y = int(mv[ny, nx, 0, 0]), int(mv[ny, nx, 0, 1])
                predict_luma_uni(planes[k], mv_x, mv_y, x, y, 8, 8, block, 0, 0, tmp, bit_depth)
                for near in range(4):
                    weight = np.int32(8 >> near)
                    line = near if side == 0 or side == 2 else 7 - near
                    for i in range(8):
                        j, c = (line, i) if side < 2 else (i, line)
                        tmp[_SUM + 8 * j + c] += weight * (np.int32(block[j, c]) - np.int32(pred[y + j, x + c]))
            for j in range(8):
                for i in range(8):
                    out[y + j, x + i] = tmp[_SUM + 8 * j + i] >> 5
