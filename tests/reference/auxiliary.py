"""Naive twin of learned.inter.auxiliary: sample by sample, from unpadded planes and lists of Python integers."""

import numpy as np

from tests.reference.inter import compensate, predict_14bit, round_uni


def moves(motion, uy, ux):
    """What a unit does: for each list None, or (index, x, y)."""
    entries = zip(motion.ref_idx[uy, ux].tolist(), motion.mv[uy, ux].tolist(), strict=True)
    return [(index, *mv) if index >= 0 else None for index, mv in entries]


def _stretch(component, td, tb):
    """A component over POC distance td, for distance tb.  Source: H.265 8.5.3.2.7."""
    td, tb = (min(max(v, -128), 127) for v in (td, tb))
    tx = (16384 + abs(td) // 2) // abs(td) * (1 if td > 0 else -1)
    factor = min(max((tb * tx + 32) // 64, -4096), 4095)
    magnitude = (abs(factor * component) + 127) // 256
    return min(max(magnitude if factor * component >= 0 else -magnitude, -32768), 32767)


def _where_it_points(there, pocs_there, vy, vx, wanted):
    """Vector of a unit of a reference picture if it leads to the picture `wanted`, list 0 before list 1; or None."""
    for entry, pocs in zip(moves(there, vy, vx), pocs_there, strict=True):
        if entry and pocs[entry[0]] == wanted:
            return entry[1:]
    return None


def predict_further(motion, references, lists, cur_poc, rank, bit_depth):
    """Twin of the kernel.

    Parameters
    ----------
    motion : Motion of the current picture
    references : by POC: (unpadded plane, Motion, for each list the POCs that its own entries have)
    lists : for each list, the POCs of the current picture's entries
    """
    h4, w4 = motion.ref_idx.shape[:2]
    out = np.zeros((4 * h4, 4 * w4), np.uint16)
    planes = [[references[poc][0] for poc in pocs] for pocs in lists]
    for uy in range(0, h4, 2):
        for ux in range(0, w4, 2):
            y, x = 4 * uy, 4 * ux
            used = [(pocs[e[0]], *e[1:]) for e, pocs in zip(moves(motion, uy, ux), lists, strict=True) if e]
            poc, mv_x, mv_y = used[0] if used else (lists[0][0], 0, 0)
            taken = [entry[0] for entry in used] or [poc]
            others = [p for p in dict.fromkeys([*lists[0], *lists[1]]) if p not in taken]
            if rank < len(others):
                _, there, pocs_there = references[poc]
                vy = min(max((y + 4 + mv_y // 4) // 4, 0), h4 - 1)
                vx = min(max((x + 4 + mv_x // 4) // 4, 0), w4 - 1)
                onward = _where_it_points(there, pocs_there, vy, vx, others[rank])
                if onward:
                    mv_x, mv_y = mv_x + onward[0], mv_y + onward[1]
                else:
                    distances = (cur_poc - poc, cur_poc - others[rank])
                    mv_x, mv_y = _stretch(mv_x, *distances), _stretch(mv_y, *distances)
                poc = others[rank]
            elif used:
                out[y : y + 8, x : x + 8] = compensate(planes, motion, uy, ux, (x, y, 8, 8), True, bit_depth)
                continue
            half = predict_14bit(references[poc][0], mv_x, mv_y, x, y, 8, 8, True, bit_depth)
            out[y : y + 8, x : x + 8] = round_uni(half, bit_depth)
    return out
