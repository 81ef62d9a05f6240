"""Naive twin of codecsim.hevc.obmc: sample by sample, from unpadded planes."""

import numpy as np

from tests.reference.auxiliary import moves
from tests.reference.inter import compensate

SIDES = ((-1, 0), (2, 0), (0, -1), (0, 2))  # (y, x) in units from a block's first unit to its neighbour's


def predict_overlapped(motion, planes, pred, is_luma, bit_depth):
    """Twin of the kernel, over the whole picture; `planes` without padding, for each list those of its entries."""
    out = np.zeros_like(pred)
    h4, w4 = motion.ref_idx.shape[:2]
    n = 8 if is_luma else 4
    shares = (1 / 4, 1 / 8, 1 / 16, 1 / 32)[: n // 2]
    for uy in range(0, h4, 2):
        for ux in range(0, w4, 2):
            x, y = ux * n // 2, uy * n // 2
            neighbours = []
            for dy, dx in SIDES:
                ny, nx = uy + dy, ux + dx
                theirs = moves(motion, ny, nx) if 0 <= ny < h4 and 0 <= nx < w4 else [None, None]
                differs = theirs not in (moves(motion, uy, ux), [None, None])
                block = (x, y, n, n)
                neighbours.append(compensate(planes, motion, ny, nx, block, is_luma, bit_depth) if differs else None)
            for j in range(n):
                for i in range(n):
                    own = int(pred[y + j, x + i])
                    total = float(own)
                    for other, distance in zip(neighbours, (j, n - 1 - j, i, n - 1 - i), strict=True):
                        if other is not None and distance < n // 2:
                            total += shares[distance] * (int(other[j, i]) - own)
                    out[y + j, x + i] = np.floor(total + 0.5)
    return out
