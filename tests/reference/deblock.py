"""Naive twin of codecsim.hevc.deblock: H.265 8.7.2 edge by edge, with edge flags derived from the partitioning."""

import numpy as np

BETA = [0] * 16 + list(range(6, 19)) + list(range(20, 65, 2))
TC = [0] * 18 + [1] * 9 + [2] * 4 + [3] * 4 + [4] * 3 + [5, 5, 6, 6, 7, 8, 9, 10, 11, 13, 14, 16, 18, 20, 22, 24]
CHROMA_QP = {30: 29, 31: 30, 32: 31, 33: 32, 34: 33, 35: 33, 36: 34, 37: 34, 38: 35, 39: 35, 40: 36, 41: 36, 42: 37}


def clip(low, high, value):
    return min(max(value, low), high)


def prediction_edges(cu_log2, part_mode):
    """Offsets of the inner prediction edges of a CU: vertical ones, horizontal ones (8.7.2.3)."""
    n = 1 << cu_log2
    half, quarter = n // 2, n // 4
    vertical = {2: [half], 3: [half], 6: [quarter], 7: [n - quarter]}.get(part_mode, [])
    horizontal = {1: [half], 3: [half], 4: [quarter], 5: [n - quarter]}.get(part_mode, [])
    return vertical, horizontal


def edge_flags(blocks, direction):
    """(transform, prediction) boolean maps per unit: whether the unit's left (0) or top (1) side is an edge."""
    shape = blocks.qp.shape
    transform, prediction = np.zeros(shape, bool), np.zeros(shape, bool)
    for uy in range(shape[0]):
        for ux in range(shape[1]):
            position = 4 * (uy if direction else ux)
            if position == 0 or position % 8:
                continue
            cu = 1 << blocks.cu_log2[uy, ux]
            transform[uy, ux] = position % (1 << blocks.tu_log2[uy, ux]) == 0
            inner = prediction_edges(blocks.cu_log2[uy, ux], blocks.part_mode[uy, ux])[direction]
            prediction[uy, ux] = position % cu == 0 or position % cu in inner
    return transform, prediction


def pictures_and_vectors(motion, ref_poc, uy, ux):
    used = [i for i in range(2) if motion.ref_idx[uy, ux, i] >= 0]
    return [(int(ref_poc[i, motion.ref_idx[uy, ux, i]]), motion.mv[uy, ux, i].astype(int)) for i in used]


def strength(blocks, motion, ref_poc, q, p, is_transform_edge):
    if blocks.pred_mode[q] == 1 or blocks.pred_mode[p] == 1:
        return 2
    if is_transform_edge and (blocks.cbf[q] & 1 or blocks.cbf[p] & 1):
        return 1
    a, b = pictures_and_vectors(motion, ref_poc, *p), pictures_and_vectors(motion, ref_poc, *q)
    if sorted(poc for poc, _ in a) != sorted(poc for poc, _ in b):
        return 1

    def apart(first, second):
        return max(abs(first[1] - second[1])) >= 4

    if len(a) == 1:
        return int(apart(a[0], b[0]))
    if a[0][0] != a[1][0]:
        if a[0][0] != b[0][0]:
            b = b[::-1]
        return int(apart(a[0], b[0]) or apart(a[1], b[1]))
    straight = apart(a[0], b[0]) or apart(a[1], b[1])
    crossed = apart(a[0], b[1]) or apart(a[1], b[0])
    return int(straight and crossed)


def filter_luma(lines, qp, bs, params):
    """Filter 4 lines of 8 samples [p3..p0, q0..q3] in place."""
    scale = 1 << params.bit_depth - 8
    beta = BETA[clip(0, 51, qp + params.beta_offset)] * scale
    tc = TC[clip(0, 53, qp + 2 * (bs - 1) + params.tc_offset)] * scale
    dp = [abs(s[1] - 2 * s[2] + s[3]) for s in lines]
    dq = [abs(s[6] - 2 * s[5] + s[4]) for s in lines]
    if dp[0] + dq[0] + dp[3] + dq[3] >= beta:
        return
    strong = all(
        2 * (dp[k] + dq[k]) < beta >> 2
        and abs(lines[k][0] - lines[k][3]) + abs(lines[k][4] - lines[k][7]) < beta >> 3
        and abs(lines[k][3] - lines[k][4]) < (5 * tc + 1) >> 1
        for k in (0, 3)
    )
    top = (1 << params.bit_depth) - 1
    limit = (beta + (beta >> 1)) >> 3
    for s in lines:
        p3, p2, p1, p0, q0, q1, q2, q3 = s
        if strong:
            new = [
                (2 * p3 + 3 * p2 + p1 + p0 + q0 + 4) >> 3,
                (p2 + p1 + p0 + q0 + 2) >> 2,
                (p2 + 2 * p1 + 2 * p0 + 2 * q0 + q1 + 4) >> 3,
                (p1 + 2 * p0 + 2 * q0 + 2 * q1 + q2 + 4) >> 3,
                (p0 + q0 + q1 + q2 + 2) >> 2,
                (p0 + q0 + q1 + 3 * q2 + 2 * q3 + 4) >> 3,
            ]
            s[1:7] = [clip(old - 2 * tc, old + 2 * tc, value) for old, value in zip(s[1:7], new, strict=True)]
            continue
        delta = (9 * (q0 - p0) - 3 * (q1 - p1) + 8) >> 4
        if abs(delta) < tc * 10:
            delta = clip(-tc, tc, delta)
            s[3], s[4] = clip(0, top, p0 + delta), clip(0, top, q0 - delta)
            if dp[0] + dp[3] < limit:
                s[2] = clip(0, top, p1 + clip(-(tc >> 1), tc >> 1, (((p2 + p0 + 1) >> 1) - p1 + delta) >> 1))
            if dq[0] + dq[3] < limit:
                s[5] = clip(0, top, q1 + clip(-(tc >> 1), tc >> 1, (((q2 + q0 + 1) >> 1) - q1 - delta) >> 1))


def filter_chroma(lines, qp_index, params):
    """Filter lines of 4 samples [p1, p0, q0, q1] in place."""
    qp = CHROMA_QP.get(qp_index, qp_index if qp_index < 30 else qp_index - 6)
    tc = TC[clip(0, 53, qp + 2 + params.tc_offset)] << params.bit_depth - 8
    top = (1 << params.bit_depth) - 1
    for s in lines:
        p1, p0, q0, q1 = s
        delta = clip(-tc, tc, (((q0 - p0) << 2) + p1 - q1 + 4) >> 3)
        s[1], s[2] = clip(0, top, p0 + delta), clip(0, top, q0 - delta)


def filter_lines(plane, direction, along, edge, count, reach, function, *args):
    """Run `function` on `count` lines of `reach` samples each side of an edge of an unpadded plane."""
    turned = plane.T if direction else plane
    lines = [[int(v) for v in turned[along + k, edge - reach : edge + reach]] for k in range(count)]
    function(lines, *args)
    for k in range(count):
        turned[along + k, edge - reach : edge + reach] = lines[k]


def deblock(blocks, motion, ref_poc, planes, params):
    """Deblock unpadded planes (y, u, v) in place."""
    for direction in range(2):
        transform, prediction = edge_flags(blocks, direction)
        for uy, ux in np.argwhere(transform | prediction):
            p = (uy - 1, ux) if direction else (uy, ux - 1)
            bs = strength(blocks, motion, ref_poc, (uy, ux), p, transform[uy, ux])
            if bs == 0:
                continue
            qp = (int(blocks.qp[uy, ux]) + int(blocks.qp[p]) + 1) >> 1
            along, edge = (ux, uy) if direction else (uy, ux)
            filter_lines(planes[0], direction, 4 * along, 4 * edge, 4, 4, filter_luma, qp, bs, params)
            if bs == 2 and edge % 4 == 0:
                offsets = params.cb_qp_offset, params.cr_qp_offset
                for plane, offset in zip(planes[1:], offsets, strict=True):
                    args = 2 * along, 2 * edge, 2, 2, filter_chroma, qp + offset, params
                    filter_lines(plane, direction, *args)
