"""Naive twin of codecsim.hevc.motion: clause 8.5.3.2 of H.265 written as it reads, on dictionaries.

Availability is what it means: a position is available once its motion has been recorded.
"""

import dataclasses


@dataclasses.dataclass
class MotionInfo:
    """Motion of one block: per list a vector or None, and the reference index."""

    mv: list  # [(x, y) or None] * 2
    ref: list  # [int] * 2, -1 unused

    def same(self, other):
        return self.mv == other.mv and self.ref == other.ref


class NaiveMotion:
    """State of one picture being coded: `decoded` maps 4x4 units to MotionInfo, or to None where intra."""

    def __init__(self, width, height, poc, lists, is_b, max_merge, merge_level, collocated, collocated_from_l0):
        self.width, self.height, self.poc, self.lists = width, height, poc, lists
        self.is_b, self.max_merge, self.merge_level = is_b, max_merge, merge_level
        self.collocated = collocated  # None or (poc, lists, {unit: MotionInfo or None})
        self.collocated_from_l0 = collocated_from_l0
        self.decoded = {}

    def record(self, x, y, w, h, info):
        for uy in range(y // 4, (y + h) // 4):
            for ux in range(x // 4, (x + w) // 4):
                self.decoded[ux, uy] = info

    def at(self, x, y):
        if x < 0 or y < 0:
            return None
        return self.decoded.get((x // 4, y // 4))

    def merge(self, x, y, w, h, cu_x, cu_y, cu_size, part_mode, part_idx):
        original_w, original_h = w, h
        if self.merge_level > 2 and cu_size == 8:
            x, y, w, h, part_idx, part_mode = cu_x, cu_y, cu_size, cu_size, 0, "2Nx2N"

        def neighbour(nx, ny):
            level = self.merge_level
            if x >> level == nx >> level and y >> level == ny >> level:
                return None
            if cu_x <= nx < cu_x + cu_size and cu_y <= ny < cu_y + cu_size and part_idx == 0:
                return None
            return self.at(nx, ny)

        a1 = neighbour(x - 1, y + h - 1)
        if part_mode in ("Nx2N", "nLx2N", "nRx2N") and part_idx == 1:
            a1 = None
        b1 = neighbour(x + w - 1, y - 1)
        if part_mode in ("2NxN", "2NxnU", "2NxnD") and part_idx == 1:
            b1 = None
        b0 = neighbour(x + w, y - 1)
        a0 = neighbour(x - 1, y + h)
        b2 = neighbour(x - 1, y - 1)
        flag_a1 = a1 is not None
        flag_b1 = b1 is not None and not (a1 is not None and a1.same(b1))
        flag_b0 = b0 is not None and not (b1 is not None and b1.same(b0))
        flag_a0 = a0 is not None and not (a1 is not None and a1.same(a0))
        flag_b2 = b2 is not None and not (a1 is not None and a1.same(b2)) and not (b1 is not None and b1.same(b2))
        if flag_a0 + flag_a1 + flag_b0 + flag_b1 == 4:
            flag_b2 = False
        order = ((flag_a1, a1), (flag_b1, b1), (flag_b0, b0), (flag_a0, a0), (flag_b2, b2))
        candidates = [info for flag, info in order if flag]
        if self.collocated is not None:
            col = [self.temporal(x, y, w, h, 0, 0), self.temporal(x, y, w, h, 1, 0) if self.is_b else None]
            if col[0] is not None or col[1] is not None:
                candidates.append(MotionInfo(col, [-1 if mv is None else 0 for mv in col]))
        candidates = candidates[: self.max_merge]
        if self.is_b and 1 < len(candidates) < self.max_merge:
            count = len(candidates)
            l0_cand = [0, 1, 0, 2, 1, 2, 0, 3, 1, 3, 2, 3]
            l1_cand = [1, 0, 2, 0, 2, 1, 3, 0, 3, 1, 3, 2]
            for i in range(count * (count - 1)):
                first, second = candidates[l0_cand[i]], candidates[l1_cand[i]]
                if first.ref[0] >= 0 and second.ref[1] >= 0:
                    differs = self.lists[0][first.ref[0]] != self.lists[1][second.ref[1]]
                    if differs or first.mv[0] != second.mv[1]:
                        candidates.append(MotionInfo([first.mv[0], second.mv[1]], [first.ref[0], second.ref[1]]))
                        if len(candidates) == self.max_merge:
                            break
        num_ref = min(len(self.lists[0]), len(self.lists[1])) if self.is_b else len(self.lists[0])
        zero = 0
        while len(candidates) < self.max_merge:
            ref = zero if zero < num_ref else 0
            candidates.append(
                MotionInfo([(0, 0), (0, 0)], [ref, ref]) if self.is_b else MotionInfo([(0, 0), None], [ref, -1])
            )
            zero += 1
        if original_w + original_h == 12:
            candidates = [
                MotionInfo([c.mv[0], None], [c.ref[0], -1]) if c.ref[0] >= 0 and c.ref[1] >= 0 else c
                for c in candidates
            ]
        return candidates

    def temporal(self, x, y, w, h, side, ref_idx):
        bx, by = x + w, y + h
        if y // 64 == by // 64 and by < self.height and bx < self.width:
            mv = self.temporal_at(bx, by, side, ref_idx)
            if mv is not None:
                return mv
        return self.temporal_at(x + w // 2, y + h // 2, side, ref_idx)

    def temporal_at(self, x, y, side, ref_idx):
        col_poc, col_lists, col_motion = self.collocated
        info = col_motion[x // 16 * 4, y // 16 * 4]
        if info is None:
            return None
        if info.ref[0] < 0:
            use = 1
        elif info.ref[1] < 0:
            use = 0
        elif all(poc <= self.poc for pocs in self.lists for poc in pocs):
            use = side
        else:
            use = self.collocated_from_l0
        col_diff = col_poc - col_lists[use][info.ref[use]]
        return scale(info.mv[use], col_diff, self.poc - self.lists[side][ref_idx])

    def amvp(self, x, y, w, h, cu_x, cu_y, cu_size, part_mode, part_idx, side, ref_idx):
        target = self.lists[side][ref_idx]

        def neighbour(nx, ny):
            if cu_x <= nx < cu_x + cu_size and cu_y <= ny < cu_y + cu_size and part_idx == 0:
                return None
            return self.at(nx, ny)

        def unscaled(info):
            for other in (side, 1 - side):
                if info.ref[other] >= 0 and self.lists[other][info.ref[other]] == target:
                    return info.mv[other]
            return None

        def scaled(info):
            for other in (side, 1 - side):
                if info.ref[other] >= 0:
                    return scale(info.mv[other], self.poc - self.lists[other][info.ref[other]], self.poc - target)
            return None

        def first(infos, rule):
            for info in infos:
                if info is not None and rule(info) is not None:
                    return rule(info)
            return None

        left = [neighbour(x - 1, y + h), neighbour(x - 1, y + h - 1)]
        above = [neighbour(x + w, y - 1), neighbour(x + w - 1, y - 1), neighbour(x - 1, y - 1)]
        is_scaled = any(info is not None for info in left)
        mv_a = first(left, unscaled)
        if mv_a is None:
            mv_a = first(left, scaled)
        mv_b = first(above, unscaled)
        if not is_scaled:
            if mv_b is not None:
                mv_a = mv_b
            mv_b = first(above, scaled)
        candidates = [mv_a] if mv_a is not None else []
        if mv_b is not None and mv_b != mv_a:
            candidates.append(mv_b)
        if len(candidates) < 2 and self.collocated is not None:
            mv = self.temporal(x, y, w, h, side, ref_idx)
            if mv is not None:
                candidates.append(mv)
        return (candidates + [(0, 0), (0, 0)])[:2]


def clip3(low, high, value):
    return max(low, min(high, value))


def scale(mv, td, tb):
    if td == tb:
        return mv
    td, tb = clip3(-128, 127, td), clip3(-128, 127, tb)
    tx = int((16384 + (abs(td) >> 1)) / td)
    factor = clip3(-4096, 4095, (tb * tx + 32) >> 6)
    out = []
    for component in mv:
        product = factor * component
        sign = (product > 0) - (product < 0)
        out.append(clip3(-32768, 32767, sign * ((abs(product) + 127) >> 8)))
    return tuple(out)
