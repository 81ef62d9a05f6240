"""Normative.  The deblocking filter of a whole picture: one slice, no lossless or PCM blocks.

All vertical edges of the picture are filtered, then all horizontal ones.  Edges stand on the 8x8 luma grid and are
treated in segments of 4 luma samples, which are one unit of the block store.  A prediction edge inside a transform
block needs no mark of its own: its two sides differ in motion, and the sides of any other place do not.

Source: H.265 8.7.2.
"""

from typing import NamedTuple

import numpy as np

from codecsim.hevc.indexing import natural
from codecsim.hevc.tables import DEBLOCK_BETA, DEBLOCK_TC, chroma_qp
from codecsim.kernels.jit import kernel
from codecsim.picture.blocks import CBF_Y, MODE_INTRA
from codecsim.picture.planes import PAD_C, PAD_Y


class DeblockParams(NamedTuple):
    """What the slice header and the picture parameter set say about deblocking."""

    beta_offset: int  # 2 * slice_beta_offset_div2, -12..12
    tc_offset: int  # 2 * slice_tc_offset_div2, -12..12
    cb_qp_offset: int  # pps_cb_qp_offset, -12..12
    cr_qp_offset: int  # pps_cr_qp_offset, -12..12
    bit_depth: int


@kernel
def deblock_picture(blocks, motion, ref_poc, planes, params):
    """Deblock a reconstructed picture in place.

    Parameters
    ----------
    blocks : Blocks
        Fields pred_mode, tu_log2, cbf (bit 0) and qp, (H4, W4) each, are read.
    motion : Motion
        mv (H4, W4, 2, 2) int16 and ref_idx (H4, W4, 2) int8.
    ref_poc : (2, 16) int32
        Picture order count of each entry of the slice's lists.
    planes : Planes
        Padded uint16 planes, filtered inside the picture; the padding is neither read nor written.
    params : DeblockParams
    """
    stores = (blocks.pred_mode, blocks.tu_log2, blocks.cbf, motion.mv, motion.ref_idx, ref_poc)
    units_high, units_wide = blocks.qp.shape
    for down in range(2):
        step_y, step_x = 1 + down, 2 - down
        for uy in range(0, units_high, step_y):
            for ux in range(0, units_wide, step_x):
                if (uy if down else ux) == 0:
                    continue
                py, px = uy - down, ux - 1 + down
                strength = _boundary_strength(stores, uy, ux, py, px, down)
                if strength == 0:
                    continue
                qp = (np.int64(blocks.qp[uy, ux]) + np.int64(blocks.qp[py, px]) + 1) >> 1
                _filter_luma(planes.y, PAD_Y + 4 * uy, PAD_Y + 4 * ux, down, qp, strength, params)
                if strength == 2 and (uy if down else ux) & 3 == 0:
                    y, x = PAD_C + 2 * uy, PAD_C + 2 * ux
                    _filter_chroma(planes.u, y, x, down, qp + params.cb_qp_offset, params)
                    _filter_chroma(planes.v, y, x, down, qp + params.cr_qp_offset, params)


@kernel
def _boundary_strength(stores, uy, ux, py, px, down):
    """bS of the segment between units q = (uy, ux) and p = (py, px).  Source: H.265 8.7.2.4."""
    pred_mode, tu_log2, cbf, mv, ref_idx, ref_poc = stores
    uy, ux, py, px = natural(uy), natural(ux), natural(py), natural(px)
    position = uy if down else ux
    intra = pred_mode[uy, ux] == MODE_INTRA or pred_mode[py, px] == MODE_INTRA
    # Transform blocks stand at multiples of their size.
    if (position << 2) & ((1 << tu_log2[uy, ux]) - 1) == 0:
        if intra:
            return 2
        if (cbf[uy, ux] | cbf[py, px]) & CBF_Y:
            return 1
    if intra:
        return 0
    return 1 if _motion_differs(mv, ref_idx, ref_poc, uy, ux, py, px) else 0


@kernel(inline=True)
def _far(mv, qy, qx, q_list, py, px, p_list):
    """Whether two vectors differ by a whole sample or more."""
    across = np.int32(mv[qy, qx, q_list, 0]) - np.int32(mv[py, px, p_list, 0])
    down = np.int32(mv[qy, qx, q_list, 1]) - np.int32(mv[py, px, p_list, 1])
    return abs(across) >= 4 or abs(down) >= 4


@kernel
def _motion_differs(mv, ref_idx, ref_poc, qy, qx, py, px):
    """Whether two inter units use other pictures, another number of vectors, or vectors a sample or more apart."""
    q0, q1 = np.int64(ref_idx[qy, qx, 0]), np.int64(ref_idx[qy, qx, 1])
    p0, p1 = np.int64(ref_idx[py, px, 0]), np.int64(ref_idx[py, px, 1])
    q_bi, p_bi = q0 >= 0 and q1 >= 0, p0 >= 0 and p1 >= 0
    if q_bi != p_bi:
        return True
    if not q_bi:
        q_list, p_list = (0 if q0 >= 0 else 1), (0 if p0 >= 0 else 1)
        if ref_poc[q_list, max(q0, q1, 0)] != ref_poc[p_list, max(p0, p1, 0)]:
            return True
        return _far(mv, qy, qx, q_list, py, px, p_list)
    q_first, q_second = ref_poc[0, q0], ref_poc[1, q1]
    p_first, p_second = ref_poc[0, p0], ref_poc[1, p1]
    one, two = np.int64(0), np.int64(1)  # the lists; not literals, for which Numba would compile `_far` anew
    straight = q_first == p_first and q_second == p_second
    crossed = q_first == p_second and q_second == p_first
    if straight and not (_far(mv, qy, qx, one, py, px, one) or _far(mv, qy, qx, two, py, px, two)):
        return False
    return not crossed or _far(mv, qy, qx, one, py, px, two) or _far(mv, qy, qx, two, py, px, one)


@kernel
def _filter_luma(plane, y, x, down, qp, strength, params):
    """Decide on and filter the 4 lines across the edge before plane[y, x].

    `down` is 1 for a horizontal edge: lines then run down the picture, and along the edge means to the right.
    Source: H.265 8.7.2.5.3, 8.7.2.5.6, 8.7.2.5.7.
    """
    scale = 1 << (params.bit_depth - 8)
    beta = DEBLOCK_BETA[min(max(qp + params.beta_offset, 0), 51)] * scale
    tc = DEBLOCK_TC[min(max(qp + 2 * (strength - 1) + params.tc_offset, 0), 53)] * scale
    y, x = natural(y - 4 * down), natural(x - 4 + 4 * down)
    second_p, second_q, strong = np.int64(0), np.int64(0), True
    total = np.int64(0)
    for line in (0, 3):
        p3, p2, p1, p0, q0, q1, q2, q3 = _load_line(plane, y, x, line, down)
        dp, dq = abs(p2 - 2 * p1 + p0), abs(q2 - 2 * q1 + q0)
        second_p += dp
        second_q += dq
        total += dp + dq
        flat = 2 * (dp + dq) < beta >> 2 and abs(p3 - p0) + abs(q0 - q3) < beta >> 3
        strong = strong and flat and abs(p0 - q0) < (5 * tc + 1) >> 1
    if total >= beta:
        return
    nothing = np.int64(0)  # not a literal, for which Numba would compile `_near` anew
    side = (beta + (beta >> 1)) >> 3
    limit = (1 << params.bit_depth) - 1
    for line in range(4):
        p3, p2, p1, p0, q0, q1, q2, q3 = _load_line(plane, y, x, line, down)
        if strong:
            r2 = _near((2 * p3 + 3 * p2 + p1 + p0 + q0 + 4) >> 3, p2, 2 * tc)
            r1 = _near((p2 + p1 + p0 + q0 + 2) >> 2, p1, 2 * tc)
            r0 = _near((p2 + 2 * p1 + 2 * p0 + 2 * q0 + q1 + 4) >> 3, p0, 2 * tc)
            s0 = _near((p1 + 2 * p0 + 2 * q0 + 2 * q1 + q2 + 4) >> 3, q0, 2 * tc)
            s1 = _near((p0 + q0 + q1 + q2 + 2) >> 2, q1, 2 * tc)
            s2 = _near((p0 + q0 + q1 + 3 * q2 + 2 * q3 + 4) >> 3, q2, 2 * tc)
            _store_line(plane, y, x, line, down, (r2, r1, r0, s0, s1, s2))
            continue
        delta = (9 * (q0 - p0) - 3 * (q1 - p1) + 8) >> 4
        if abs(delta) >= 10 * tc:
            continue
        delta = _near(delta, nothing, tc)
        r1, s1 = p1, q1
        if second_p < side:
            change = _near((((p2 + p0 + 1) >> 1) - p1 + delta) >> 1, nothing, tc >> 1)
            r1 = min(max(p1 + change, 0), limit)
        if second_q < side:
            change = _near((((q2 + q0 + 1) >> 1) - q1 - delta) >> 1, nothing, tc >> 1)
            s1 = min(max(q1 + change, 0), limit)
        r0, s0 = min(max(p0 + delta, 0), limit), min(max(q0 - delta, 0), limit)
        _store_line(plane, y, x, line, down, (p2, r1, r0, s0, s1, q2))


@kernel
def _filter_chroma(plane, y, x, down, qp_index, params):
    """Filter the 2 lines across the edge before plane[y, x].  Source: H.265 8.7.2.5.5, 8.7.2.5.8 (bS is 2)."""
    tc = DEBLOCK_TC[min(max(chroma_qp(qp_index) + 2 + params.tc_offset, 0), 53)] << (params.bit_depth - 8)
    y, x = natural(y - 4 * down), natural(x - 4 + 4 * down)
    limit = (1 << params.bit_depth) - 1
    for line in range(2):
        _, p2, p1, p0, q0, q1, q2, _ = _load_line(plane, y, x, line, down)
        delta = _near((((q0 - p0) << 2) + p1 - q1 + 4) >> 3, np.int64(0), tc)
        r0, s0 = min(max(p0 + delta, 0), limit), min(max(q0 - delta, 0), limit)
        _store_line(plane, y, x, line, down, (p2, p1, r0, s0, q1, q2))


@kernel(inline=True)
def _near(value, centre, reach):
    return min(max(value, centre - reach), centre + reach)


@kernel(inline=True)
def _load_line(plane, y, x, line, down):
    """The eight samples p3..p0, q0..q3 of a line whose p3 in line 0 is plane[y, x]."""
    y, x = (y, x + line) if down else (y + line, x)
    across, step = 1 - down, down
    return (
        np.int64(plane[y, x]),
        np.int64(plane[y + step, x + across]),
        np.int64(plane[y + 2 * step, x + 2 * across]),
        np.int64(plane[y + 3 * step, x + 3 * across]),
        np.int64(plane[y + 4 * step, x + 4 * across]),
        np.int64(plane[y + 5 * step, x + 5 * across]),
        np.int64(plane[y + 6 * step, x + 6 * across]),
        np.int64(plane[y + 7 * step, x + 7 * across]),
    )


@kernel(inline=True)
def _store_line(plane, y, x, line, down, samples):
    """Put back the samples p2..p0, q0..q2 of a line that `_load_line` reads."""
    y, x = (y, x + line) if down else (y + line, x)
    across, step = 1 - down, down
    plane[y + step, x + across] = samples[0]
    plane[y + 2 * step, x + 2 * across] = samples[1]
    plane[y + 3 * step, x + 3 * across] = samples[2]
    plane[y + 4 * step, x + 4 * across] = samples[3]
    plane[y + 5 * step, x + 5 * across] = samples[4]
    plane[y + 6 * step, x + 6 * across] = samples[5]
