"""Normative. Overlapped block motion compensation of one component of a picture.  Not a tool of H.265.

Near its edges each block leans to what the motion of the four neighbouring blocks predicts for it.  Blocks are 8x8 luma
samples, with the motion of their first unit.  The sample rows or columns of half a block along an edge take 1/4, 1/8
and in luma 1/16, 1/32 of the neighbour's prediction.

Source: Orchard and Sullivan, "Overlapped block motion compensation: an estimation-theoretic approach", IEEE
Transactions on Image Processing 3(5), 1994, for the idea; weights and reach are this project's.
"""

from typing import NamedTuple

import numpy as np

from codecsim.hevc.compensation import compensate
from codecsim.hevc.indexing import natural
from codecsim.hevc.motion import same_motion
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Area, Place
from codecsim.picture.blocks import CHOICE_LOG2

_BLOCK_UNITS = 2


class OverlapScratch(NamedTuple):
    """Working memory of `predict_overlapped`."""

    block: np.ndarray  # (8, 8) uint16, what a neighbour's motion predicts
    total: np.ndarray  # (8, 8) int32, weighted sums


def make_overlap_scratch():
    """Fresh working memory."""
    return OverlapScratch(np.zeros((8, 8), np.uint16), np.zeros((8, 8), np.int32))


@kernel(unit=True)
def predict_overlapped(motion, refs, c_idx, where, pred, out, scratch, overlap):
    """Overlapped prediction of the blocks of one component.

    Parameters
    ----------
    motion : Motion of the current picture
    refs : References
    c_idx : int, 0 luma, 1 Cb, 2 Cr
    where : (H32, W32) uint8, not zero where the 32x32 luma samples are wanted
    pred : (H, W) uint16, the component's prediction
    out : (H, W) uint16, written where wanted
    scratch : InterScratch
    overlap : OverlapScratch
    """
    h4, w4 = motion.ref_idx.shape[0], motion.ref_idx.shape[1]
    block, total = overlap.block, overlap.total
    n = 8 if c_idx == 0 else 4
    shift = CHOICE_LOG2 - 2
    for uy in range(0, h4, _BLOCK_UNITS):
        for ux in range(0, w4, _BLOCK_UNITS):
            if where[uy >> shift, ux >> shift] == 0:
                continue
            y, x = natural(n * uy // _BLOCK_UNITS), natural(n * ux // _BLOCK_UNITS)
            for j in range(n):
                for i in range(n):
                    total[j, i] = np.int32(pred[y + j, x + i]) * 32 + 16
            for side in range(4):
                ny = uy + (_BLOCK_UNITS if side == 1 else -1 if side == 0 else 0)
                nx = ux + (_BLOCK_UNITS if side == 3 else -1 if side == 2 else 0)
                if ny < 0 or nx < 0 or ny >= h4 or nx >= w4:
                    continue
                moves = motion.ref_idx[ny, nx, 0] >= 0 or motion.ref_idx[ny, nx, 1] >= 0
                if not moves or same_motion(motion, uy, ux, ny, nx):
                    continue
                compensate(refs, c_idx, motion, Place(ny, nx), Area(x, y, n, n), block, Place(0, 0), scratch)
                for near in range(n >> 1):
                    weight = np.int32(8 >> near)
                    line = near if side == 0 or side == 2 else n - 1 - near
                    for i in range(n):
                        j, c = (line, i) if side < 2 else (i, line)
                        total[j, c] += weight * (np.int32(block[j, c]) - np.int32(pred[y + j, x + c]))
            for j in range(n):
                for i in range(n):
                    out[y + j, x + i] = total[j, i] >> 5
