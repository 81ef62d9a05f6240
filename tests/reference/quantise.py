"""Naive twin of codecsim.search.quantise: costs added up anew for every candidate, codewords written out bin by bin."""

import dataclasses

import numpy as np

from codecsim.entropy.cabac import BIN_COST, COST_BITS
from codecsim.entropy.contexts import CODED_SUB_BLOCK, GREATER1, GREATER2, LAST_X, LAST_Y, SIG_COEFF
from codecsim.hevc.tables import QUANT_SCALE, SCAN_X, SCAN_Y

_MAX_LEVEL = 32767


def sig_context(log2, c_idx, scan_idx, neighbours, x_sub, y_sub, x_in, y_in):
    """H.265 9.3.4.2.5, as written there."""
    x, y = 4 * x_sub + x_in, 4 * y_sub + y_in
    if log2 == 2:
        inc = [0, 1, 4, 5, 2, 3, 4, 5, 6, 6, 8, 8, 7, 7, 8][(y << 2) + x] if x + y < 6 else 8
    elif x + y == 0:
        inc = 0
    else:
        if neighbours == 0:
            inc = 2 if x_in + y_in == 0 else 1 if x_in + y_in < 3 else 0
        elif neighbours == 1:
            inc = 2 if y_in == 0 else 1 if y_in == 1 else 0
        elif neighbours == 2:
            inc = 2 if x_in == 0 else 1 if x_in == 1 else 0
        else:
            inc = 2
        if c_idx == 0:
            inc += 3 if x_sub + y_sub > 0 else 0
            inc += (9 if scan_idx == 0 else 15) if log2 == 3 else 21
        else:
            inc += 9 if log2 == 3 else 12
    return SIG_COEFF + inc + (0 if c_idx == 0 else 27)


def exp_golomb(value, k):
    """Bins of a k-th order Exp-Golomb code, H.265 9.3.3.3."""
    bins = ""
    while value >= 1 << k:
        bins += "1"
        value -= 1 << k
        k += 1
    return bins + "0" + (f"{value:0{k}b}" if k else "")


def remaining_bins(value, rice):
    """Bins of coeff_abs_level_remaining, H.265 9.3.3.11: truncated Rice up to 4 << rice, then Exp-Golomb."""
    if value >= 4 << rice:
        return "1111" + exp_golomb(value - (4 << rice), rice + 1)
    return "1" * (value >> rice) + "0" + (f"{value & ((1 << rice) - 1):0{rice}b}" if rice else "")


def last_bins(log2, position):
    """Bins of the prefix of one coordinate of the last significant position, H.265 7.4.9.11, and bits of its suffix."""
    for prefix in range(2 * log2):
        suffix_bits = max((prefix >> 1) - 1, 0)
        first = prefix if prefix < 4 else (2 + (prefix & 1)) << suffix_bits
        if first <= position < first + (1 << suffix_bits):
            return "1" * prefix + ("0" if prefix < 2 * log2 - 1 else ""), suffix_bits
    raise ValueError(position)


@dataclasses.dataclass
class Position:
    """A coefficient of the block and what is chosen for it; costs in squared error."""

    y: int
    x: int
    negative: bool
    exact: float  # magnitude in levels
    zero_cost: float  # distortion where the level is 0
    level: int = 0
    sig_cost: float = 0.0  # of its sig_coeff_flag; 0 where that is inferred
    cost: float = 0.0  # distortion and all bits of it


class Block:
    """Quantises one block; parameters as those of codecsim.search.quantise.quantise."""

    def __init__(self, coef, log2, c_idx, scan_idx, qp, bit_depth, lam, ctx):
        self.log2, self.c_idx, self.scan_idx, self.lam, self.ctx = log2, c_idx, scan_idx, lam, ctx
        self.chroma = c_idx > 0
        to_level = QUANT_SCALE[qp % 6] / 2 ** (14 + qp // 6 + 15 - bit_depth - log2)
        self.error = (1 / (to_level * 2 ** (15 - bit_depth - log2))) ** 2  # squared error of one level
        self.groups = []  # in scan order, each of 16 positions
        for i in range(4 ** (log2 - 2)):
            place = self.place_of(i)
            inner = [
                (4 * place[0] + int(SCAN_Y[scan_idx, 2, k]), 4 * place[1] + int(SCAN_X[scan_idx, 2, k]))
                for k in range(16)
            ]
            values = [int(coef[(y << log2) + x]) for y, x in inner]
            exact = [abs(value) * to_level for value in values]
            self.groups.append(
                [
                    Position(y, x, v < 0, e, e * e * self.error)
                    for (y, x), v, e in zip(inner, values, exact, strict=True)
                ]
            )
        self.positions = [position for group in self.groups for position in group]
        rounded = [p for p, position in enumerate(self.positions) if int(position.exact + 0.5) > 0]
        self.last = rounded[-1] if rounded else -1
        self.coded_groups = set()  # places [y, x] of those whose coded_sub_block_flag is 1
        self.flag_costs = [0.0] * len(self.groups)

    def place_of(self, i):
        """Place [y, x] of a sub-block."""
        return int(SCAN_Y[self.scan_idx, self.log2 - 2, i]), int(SCAN_X[self.scan_idx, self.log2 - 2, i])

    def bit_cost(self, context, bin_value):
        """Cost of a bin in a context."""
        return BIN_COST[bin_value, self.ctx[context]] * (self.lam / 2**COST_BITS)

    def level_cost(self, level, chosen, context_set):
        """Cost of magnitude and sign of a nonzero level behind those `chosen` before it in the sub-block."""
        ones, above = chosen.count(1), sum(level > 1 for level in chosen)
        known, cost = 1, self.lam  # the sign is one bit
        if len(chosen) < 8:
            state = 0 if above else min(1 + ones, 3)
            context = GREATER1 + (16 if self.chroma else 0) + 4 * context_set + state
            cost += self.bit_cost(context, int(level > 1))
            known = 2
            if above == 0:
                known = 3
                if level > 1:
                    context = GREATER2 + (4 if self.chroma else 0) + context_set
                    cost += self.bit_cost(context, int(level > 2))
        if level >= known:
            cost += self.lam * len(remaining_bins(level - known, rice_of(chosen)))
        return cost

    def choose_levels(self):
        """The cheapest level of each position by itself, and of each sub-block whether it is coded at all."""
        above_before = False  # whether the sub-block before kept a level above 1
        for i in range(self.last >> 4, -1, -1):
            y, x = place = self.place_of(i)
            neighbours = int((y, x + 1) in self.coded_groups) | int((y + 1, x) in self.coded_groups) << 1
            context_set = (0 if i == 0 or self.chroma else 2) + above_before
            chosen = []
            for k in range(15, -1, -1):
                if 16 * i + k <= self.last:
                    self.choose_level(i, k, neighbours, chosen, context_set)
            group = self.groups[i]
            if 0 < i < self.last >> 4:
                context = CODED_SUB_BLOCK + (2 if self.chroma else 0) + int(neighbours > 0)
                if all(position.level == 0 for position in group[1:]) and chosen:  # the flag of the first is inferred
                    group[0].cost -= group[0].sig_cost
                    group[0].sig_cost = 0.0
                coded = self.bit_cost(context, 1) + sum(position.cost for position in group)
                empty = self.bit_cost(context, 0) + sum(position.zero_cost for position in group)
                if not chosen or empty < coded:
                    chosen = []
                    for position in group:
                        position.level, position.sig_cost, position.cost = 0, 0.0, position.zero_cost
                self.flag_costs[i] = self.bit_cost(context, int(bool(chosen)))
            if chosen:
                self.coded_groups.add(place)
            above_before = any(level > 1 for level in chosen)

    def choose_level(self, i, k, neighbours, chosen, context_set):
        """Choose the level of one position: 0, or one of the two up to its rounded magnitude."""
        position = self.groups[i][k]
        sig_costs = [0.0, 0.0]
        if 16 * i + k != self.last:
            inner = int(SCAN_X[self.scan_idx, 2, k]), int(SCAN_Y[self.scan_idx, 2, k])
            sub_y, sub_x = self.place_of(i)
            context = sig_context(self.log2, self.c_idx, self.scan_idx, neighbours, sub_x, sub_y, *inner)
            sig_costs = [self.bit_cost(context, flag) for flag in (0, 1)]
        top = min(int(position.exact + 0.5), _MAX_LEVEL)
        candidates = {top} | {max(top - 1, 0)} | ({0} if top < 3 else set())
        if 16 * i + k == self.last:
            candidates -= {0}
        costs = {}
        for level in sorted(candidates):
            distortion = (position.exact - level) ** 2 * self.error
            rate = sig_costs[1] + self.level_cost(level, chosen, context_set) if level else sig_costs[0]
            costs[level] = distortion + rate
        position.level = min(costs, key=costs.get)
        position.cost, position.sig_cost = costs[position.level], sig_costs[position.level > 0]
        if position.level:
            chosen.append(position.level)

    def cost_of_end(self, end):
        """Cost of the block with its last level at scan position end - 1."""
        position = self.positions[end - 1]
        y, x = (position.x, position.y) if self.scan_idx == 2 else (position.y, position.x)
        cost = sum(position.zero_cost for position in self.positions[end:])
        cost += sum(position.cost for position in self.positions[:end]) - position.sig_cost
        cost += sum(self.flag_costs[: end - 1 >> 4])  # that of the last sub-block is inferred
        for first, coordinate in ((LAST_X, x), (LAST_Y, y)):
            bins, suffix_bits = last_bins(self.log2, coordinate)
            cost += self.lam * suffix_bits
            for k, value in enumerate(bins):
                offset, shift = 3 * (self.log2 - 2) + (self.log2 - 1 >> 2), self.log2 + 1 >> 2
                if self.chroma:
                    offset, shift = 15, self.log2 - 2
                cost += self.bit_cost(first + offset + (k >> shift), int(value))
        return cost

    def choose_end(self):
        """Drop what stands behind the cheapest end; of levels from the last on, none beyond the first above 1."""
        costs = {0: sum(position.zero_cost for position in self.positions)}
        for p in range(self.last, -1, -1):
            if self.positions[p].level:
                costs[p + 1] = self.cost_of_end(p + 1)
                if self.positions[p].level > 1:
                    break
        end = min(costs, key=costs.get)
        for position in self.positions[end:]:
            position.level = 0

    def hide_signs(self):
        """Change one level by one in each sub-block whose parity tells the wrong sign: the cheapest that mends it."""
        coded = [i for i, group in enumerate(self.groups) if any(position.level for position in group)]
        for i in coded:
            group, is_top = self.groups[i], i == coded[-1]
            if tells_its_sign(group):
                continue
            found = []
            for k, position in enumerate(group):
                for step in (-1, 1):
                    if self.may_change(group, is_top, k, step):
                        found.append((self.change_cost(position, step), k, step))
            _, k, step = min(found)  # of equal ones the first in scan order
            group[k].level += step

    @staticmethod
    def may_change(group, is_top, k, step):
        """Whether a level may be changed by a step.

        It goes towards its exact value.  The first level stays in its place, or gives it to one before it, and so does
        the last one of the block, which has been chosen.
        """
        level = group[k].level
        if step != (1 if level == 0 or group[k].exact > level else -1) or level == _MAX_LEVEL:
            return False
        places = [place for place, position in enumerate(group) if position.level]
        if k == places[0] and level + step == 0:
            return False
        changed = [
            dataclasses.replace(position, level=position.level + step * (place == k))
            for place, position in enumerate(group)
        ]
        last = max(place for place, position in enumerate(changed) if position.level)
        return tells_its_sign(changed) and not (is_top and last != places[-1])

    def change_cost(self, position, step):
        """Distortion of a change, and its estimated bits: 3.5 where a level appears or vanishes, else 1."""
        level, after = position.level, position.level + step
        bits = step * (3.5 if 0 in (level, after) else 1.0)
        return ((position.exact - after) ** 2 - (position.exact - level) ** 2) * self.error + self.lam * bits


def rice_of(chosen):
    """Rice parameter behind the levels of a sub-block so far, H.265 9.3.3.11."""
    rice = 0
    for count, level in enumerate(chosen):
        above = any(earlier > 1 for earlier in chosen[:count])
        has_remaining = level >= (1 if count >= 8 else 2 if above else 3)
        if has_remaining and level > 3 << rice:
            rice = min(rice + 1, 4)
    return rice


def tells_its_sign(group):
    """Whether a sub-block is so that its first sign needs no bit, or is too short to hide one, H.265 7.3.8.11."""
    places = [k for k, position in enumerate(group) if position.level]
    if places[-1] - places[0] <= 3:
        return True
    return sum(position.level for position in group) % 2 == group[places[0]].negative


def quantise(coef, log2, c_idx, scan_idx, qp, bit_depth, lam, ctx, hide):
    """(n, n) int16 levels [y, x] of a block; parameters as those of codecsim.search.quantise.quantise."""
    block = Block(coef, log2, c_idx, scan_idx, qp, bit_depth, lam, ctx)
    block.choose_levels()
    block.choose_end()
    if hide:
        block.hide_signs()
    levels = np.zeros((1 << log2, 1 << log2), np.int16)
    for position in block.positions:
        levels[position.y, position.x] = -position.level if position.negative else position.level
    return levels
