"""Naive twin of codecsim.learned.auxiliary: sample by sample, from unpadded planes and lists of Python integers."""

import numpy as np

from tests.reference.inter import predict_14bit, round_uni

SIDES = ((-1, 0), (2, 0), (0, -1), (0, 2))  # (y, x) in units from a block's first unit to its neighbour's


def _block(plane, mv, x, y, bit_depth):
    """8x8 prediction at (x, y)."""
    return round_uni(predict_14bit(plane, *mv, x, y, 8, 8, True, bit_depth), bit_depth)


def predict_overlapped(motion, planes, pred, bit_depth):
    """Twin of the kernel; `planes` without padding."""
    out = np.zeros_like(pred)
    h4, w4 = motion.ref_idx.shape[:2]
    for uy in range(0, h4, 2):
        for ux in range(0, w4, 2):
            neighbours = []
            for dy, dx in SIDES:
                ny, nx = uy + dy, ux + dx
                k = int(motion.ref_idx[ny, nx, 0]) if 0 <= ny < h4 and 0 <= nx < w4 else -1
                mv = [int(v) for v in motion.mv[ny, nx, 0]] if k >= 0 else None
                own = (int(motion.ref_idx[uy, ux, 0]), [int(v) for v in motion.mv[uy, ux, 0]])
                differs = k >= 0 and (k, mv) != own
                neighbours.append(_block(planes[k], mv, 4 * ux, 4 * uy, bit_depth) if differs else None)
            for j in range(8):
                for i in range(8):
                    own = int(pred[4 * uy + j, 4 * ux + i])
                    total = 32 * own
                    for other, distance in zip(neighbours, (j, 7 - j, i, 7 - i), strict=True):
                        if other is not None and distance < 4:
                            total += (8, 4, 2, 1)[distance] * (int(other[j, i]) - own)
                    out[4 * uy + j, 4 * ux + i] = (total + 16) // 32
    return out


def _stretch(component, td, tb):
    """A component over POC distance td, for distance tb.  Source: H.265 8.5.3.2.7."""
    td, tb = (min(max(v, -128), 127) for v in (td, tb))
    tx = (16384 + abs(td) // 2) // abs(td) * (1 if td > 0 else -1)
    factor = min(max((tb * tx + 32) // 64, -4096), 4095)
    magnitude = (abs(factor * component) + 127) // 256
    return min(max(magnitude if factor * component >= 0 else -magnitude, -32768), 32767)


def predict_further(motion, references, list0, cur_poc, rank, bit_depth):
    """Twin of the kernel.

    Parameters
    ----------
    motion : Motion of the current picture
    references : by POC: (unpadded plane, Motion, list of POCs that its own list 0 holds)
    list0 : list of POCs of the current picture's list 0
    """
    h4, w4 = motion.ref_idx.shape[:2]
    out = np.zeros((4 * h4, 4 * w4), np.uint16)
    for uy in range(0, h4, 2):
        for ux in range(0, w4, 2):
            k, (mv_x, mv_y) = int(motion.ref_idx[uy, ux, 0]), (int(v) for v in motion.mv[uy, ux, 0])
            if k < 0:
                k, mv_x, mv_y = 0, 0, 0
            poc = list0[k]
            others = [p for p in dict.fromkeys(list0) if p != poc]
            if rank < len(others):
                plane, there, pocs_there = references[poc]
                vy = min(max((4 * uy + 4 + mv_y // 4) // 4, 0), h4 - 1)
                vx = min(max((4 * ux + 4 + mv_x // 4) // 4, 0), w4 - 1)
                index = int(there.ref_idx[vy, vx, 0])
                if index >= 0 and pocs_there[index] == others[rank]:
                    mv_x += int(there.mv[vy, vx, 0, 0])
                    mv_y += int(there.mv[vy, vx, 0, 1])
                else:
                    distances = (cur_poc - poc, cur_poc - others[rank])
                    mv_x, mv_y = _stretch(mv_x, *distances), _stretch(mv_y, *distances)
                poc = others[rank]
            y, x = 4 * uy, 4 * ux
            out[y : y + 8, x : x + 8] = _block(references[poc][0], (mv_x, mv_y), x, y, bit_depth)
    return out
