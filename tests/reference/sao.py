"""Naive twin of codecsim.hevc.sao: H.265 8.7.3 sample by sample on unpadded planes."""

import numpy as np

H_POS = [(-1, 1), (0, 0), (-1, 1), (1, -1)]
V_POS = [(0, 0), (-1, 1), (-1, 1), (-1, 1)]


def edge_index(plane, y, x, edge_class):
    """edgeIdx of 8.7.3.2, 0 for a sample without offset."""
    value = int(plane[y, x])
    total = 2
    for h, v in zip(H_POS[edge_class], V_POS[edge_class], strict=True):
        if not (0 <= y + v < plane.shape[0] and 0 <= x + h < plane.shape[1]):
            return 0
        total += int(np.sign(value - int(plane[y + v, x + h])))
    return {0: 1, 1: 2, 2: 0}.get(total, total)


def apply(plane, c_idx, sao, bit_depth):
    """A new plane with SAO applied."""
    ctb = 64 if c_idx == 0 else 32
    out = plane.copy()
    for y in range(plane.shape[0]):
        for x in range(plane.shape[1]):
            at = c_idx, y // ctb, x // ctb
            values = [0, *(int(v) for v in sao.offsets[at])]
            if sao.type_idx[at] == 1:
                table = np.zeros(32, int)
                for k in range(4):
                    table[(k + int(sao.band_position[at])) & 31] = k + 1
                offset = values[table[plane[y, x] >> bit_depth - 5]]
            elif sao.type_idx[at] == 2:
                offset = values[edge_index(plane, y, x, int(sao.edge_class[at]))]
            else:
                continue
            out[y, x] = min(max(int(plane[y, x]) + offset, 0), (1 << bit_depth) - 1)
    return out


def measure(original, plane, c_idx, statistics, bit_depth):
    """Fill `statistics` (zeroed before) for one component."""
    ctb = 64 if c_idx == 0 else 32
    for y in range(plane.shape[0]):
        for x in range(plane.shape[1]):
            at = c_idx, y // ctb, x // ctb
            error = int(original[y, x]) - int(plane[y, x])
            band = plane[y, x] >> bit_depth - 5
            statistics.band_count[(*at, band)] += 1
            statistics.band_sum[(*at, band)] += error
            for edge_class in range(4):
                index = edge_index(plane, y, x, edge_class)
                if index:
                    statistics.edge_count[(*at, edge_class, index - 1)] += 1
                    statistics.edge_sum[(*at, edge_class, index - 1)] += error
