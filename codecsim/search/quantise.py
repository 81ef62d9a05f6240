"""Rate-distortion optimised quantisation and sign-data hiding of one transform block.

The rates are those of the current contexts, held fixed over the block.  Distortion is squared error in sample units:
the transform is orthonormal up to a power of two.
"""

from typing import NamedTuple

import numpy as np

from codecsim.entropy.cabac import BIN_COST
from codecsim.entropy.contexts import CODED_SUB_BLOCK, GREATER1, GREATER2, LAST_X, LAST_Y
from codecsim.hevc.indexing import natural
from codecsim.hevc.tables import DCT32, DST4, QUANT_SCALE, SCAN_X, SCAN_Y
from codecsim.kernels.jit import kernel
from codecsim.search.level_rates import ONE_BIT, last_prefix_cost, level_cost
from codecsim.syntax.residual import sig_context, sub_block_sig_contexts


class Quantiser(NamedTuple):
    """How a block is quantised."""

    qp: int  # of the component, QpBdOffset included
    bit_depth: int
    lam: float  # squared error per bit
    scan_idx: int
    hide: int  # sign_data_hiding_enabled_flag


class Quantising(NamedTuple):
    """Working memory of `quantise`; arrays of one entry per scan position unless said otherwise."""

    zero_cost: np.ndarray  # (1024,) float64: of level 0, without rate
    best_cost: np.ndarray  # of the level chosen
    sig_cost: np.ndarray  # of its significance
    exact: np.ndarray  # what the level would be if it were no integer
    magnitude: np.ndarray  # int64: the level chosen
    group: np.ndarray  # (64,) float64, per sub-block: cost of coded_sub_block_flag


def make_quantising():
    """Fresh working memory."""
    costs = (np.zeros(1024) for _ in range(4))
    return Quantising(*costs, magnitude=np.zeros(1024, np.int64), group=np.zeros(64))


class _Scale(NamedTuple):
    """What levels and bits of a block cost."""

    to_level: float  # levels per unit of a coefficient
    error: float  # squared error of a level by one
    lam_bit: float  # of 2**-15 bit
    least: int  # least magnitude of a coefficient that rounds to a nonzero level


class _SubBlock(NamedTuple):
    """A sub-block of the scan, and what its contexts depend on."""

    i: int  # its index in the scan
    last: int  # scan position of the block's last coefficient that may become a level
    c_idx: int
    scan_idx: int
    first_sig: int  # of residual.sub_block_sig_contexts
    pattern: int
    g1: int  # first context of coeff_abs_level_greater1_flag
    g2: int  # context of coeff_abs_level_greater2_flag


class _Chosen(NamedTuple):
    """The levels chosen in a sub-block."""

    cost: float
    zero: float  # cost if all were zero, without rate
    sig: float  # part of `cost` that significance takes
    sig_first: float  # part of that of the first position
    coded: int  # nonzero levels
    beyond: int  # of these, not at the first position
    state: int  # of the greater1 contexts


def _make_order():
    """(3, 4, 1024) int16 [scan_idx, log2 - 2, scan position]: place v * n + u of the coefficient."""
    order = np.zeros((3, 4, 1024), np.int16)
    for scan_idx in range(3):
        for sub_log2 in range(4):
            n, groups = 4 << sub_log2, 1 << (2 * sub_log2)
            v, u = (
                4 * scan[scan_idx, sub_log2, :groups, None].astype(np.int16) + scan[scan_idx, 2, :16]
                for scan in (SCAN_Y, SCAN_X)
            )
            order[scan_idx, sub_log2, : n * n] = (v * n + u).ravel()
    return order


_ORDER = _make_order()


def _greatest_stretch():
    """Greatest squared norm of a row of a transform matrix, relative to the norm that all should have."""
    matrices = [DCT32[:: 32 // n, :n] for n in (4, 8, 16, 32)] + [DST4]
    return max(float((matrix.astype(float) ** 2).sum(axis=1).max()) / (4096 * len(matrix)) for matrix in matrices)


_STRETCH = _greatest_stretch()


@kernel(inline=True)
def _level_scale(qp, transform_shift):
    """Levels per unit of a coefficient that is scaled up by 2**transform_shift."""
    return QUANT_SCALE[qp % 6] / (1 << (14 + qp // 6 + transform_shift))


@kernel(inline=True)
def _least_coded(to_level):
    """Least magnitude of a coefficient that rounds to a nonzero level."""
    least = np.int64(0.5 / to_level)
    while np.int64(least * to_level + 0.5) == 0:
        least += 1
    while np.int64((least - 1) * to_level + 0.5) > 0:
        least -= 1
    return least


@kernel
def _largest(coef, n):
    """Greatest magnitude of n * n coefficients."""
    most = np.int32(0)
    for k in range(n * n):
        most = max(most, np.int32(abs(coef[natural(k)])))
    return most


@kernel(inline=True)
def _any_from(coef, place, n, least):
    """True if one of the 4x4 coefficients at `place` and beyond has at least the magnitude `least`."""
    place = natural(place)
    most = np.int32(0)
    for j in range(4):
        for i in range(4):
            most = max(most, np.int32(abs(coef[place + j * n + i])))
    return most >= least


@kernel
def vanishes(energy, log2, qp, bit_depth):
    """True where the sum of squares of a residual tells that `quantise` would find no level.

    A coefficient is at most the norm of the residual times the squared norm of a row of the matrix, 4096 n * _STRETCH,
    over 2**(2 * log2 + bit_depth - 3).  Rounding the first stage adds less than n * 90 / 2 / 2**(log2 + 6) < 0.71,
    rounding the second 0.5.  Without transform, coefficients are smaller still.
    """
    transform_shift = 15 - bit_depth - log2
    least = _least_coded(_level_scale(qp, transform_shift))
    bound = (least - 1.25) / (_STRETCH * (1 << transform_shift))
    return bound > 0 and energy < bound * bound


@kernel(inline=True)
def _scale_of(how, log2):
    """The `_Scale` of a block of 1 << log2."""
    transform_shift = 15 - how.bit_depth - log2
    to_level = _level_scale(how.qp, transform_shift)
    unit = 1.0 / (to_level * (1 << transform_shift))
    return _Scale(to_level, unit * unit, how.lam / ONE_BIT, _least_coded(to_level))


@kernel(inline=True)
def _last_coded(coef, order, n, least):
    """Scan position of the last coefficient of at least the magnitude `least`; there is one."""
    last = n * n - 1
    while not _any_from(coef, order[natural(last - 15)], n, least):
        last -= 16
    while abs(coef[natural(order[natural(last)])]) < least:
        last -= 1
    return last


@kernel
def _cost_behind(coef, order, first, end, scale):
    """Cost of the sub-blocks from `first` to below `end`, all zero: added by sub-blocks, and one by one."""
    base_cost, total_zero = 0.0, 0.0
    for i in range(end - 1, first - 1, -1):
        group_cost = 0.0
        for k in range(15, -1, -1):
            exact = abs(np.int64(coef[natural(order[natural(16 * i + k)])])) * scale.to_level
            zero_cost = exact * exact * scale.error
            total_zero += zero_cost
            group_cost += zero_cost
        base_cost += group_cost
    return base_cost, total_zero


@kernel
def _choose_levels(coef, order, sub, scale, total_zero, ctx, work):
    """Choose each level of a sub-block by itself; returns the `_Chosen`, and `total_zero` with all its zero costs."""
    state = 1
    coded, above, rice = 0, 0, 0
    group_cost, group_zero, group_sig, sig_first = 0.0, 0.0, 0.0, 0.0
    beyond = 0
    for k in range(15, -1, -1):
        p = natural(16 * sub.i + k)
        magnitude = abs(np.int64(coef[natural(order[p])]))
        exact = magnitude * scale.to_level
        zero_cost = exact * exact * scale.error
        total_zero += zero_cost
        if p > sub.last:
            group_cost += zero_cost
            group_zero += zero_cost
            continue
        work.zero_cost[p] = zero_cost
        work.exact[p] = exact
        best = -1
        best_cost = 0.0
        sig_cost, sig1 = 0.0, 0.0
        if p != sub.last:
            s = np.int64(ctx[sig_context(sub.c_idx, sub.first_sig, sub.pattern, sub.scan_idx, p)])
            sig_cost = BIN_COST[0, s] * scale.lam_bit
            sig1 = BIN_COST[1, s] * scale.lam_bit
            best = 0
            best_cost = zero_cost + sig_cost
        if magnitude >= scale.least:
            top = min(np.int64(exact + 0.5), 32767)
            if top >= 3:
                best = -1
            for level in range(max(top - 1, 1), top + 1):
                delta = exact - level
                cost = delta * delta * scale.error + sig1
                cost += level_cost(ctx, level, sub.g1 + state, sub.g2, coded, above, rice) * scale.lam_bit
                if best < 0 or cost < best_cost:
                    best = level
                    best_cost = cost
                    sig_cost = sig1
        work.best_cost[p] = best_cost
        work.magnitude[p] = best
        work.sig_cost[p] = sig_cost
        group_cost += best_cost
        group_zero += zero_cost
        group_sig += sig_cost
        if k == 0:
            sig_first = sig_cost
        if best > 0:
            beyond += 1 if k > 0 else 0
            if best >= ((2 + (1 if above == 0 else 0)) if coded < 8 else 1) and best > (3 << rice):
                rice = min(rice + 1, 4)
            coded += 1
            if best > 1:
                state = 0
                above += 1
            elif 0 < state < 3:
                state += 1
    return _Chosen(group_cost, group_zero, group_sig, sig_first, coded, beyond, state), total_zero


@kernel(inline=True)
def _drop_levels(work, i):
    """Make the levels of sub-block `i` zero: they cost no rate."""
    for k in range(16):
        work.best_cost[16 * i + k] = work.zero_cost[16 * i + k]
        work.sig_cost[16 * i + k] = 0
        work.magnitude[16 * i + k] = 0


@kernel
def _choose_sub_block(i, chosen, context, lam_bit, ctx, work):
    """Code a sub-block that has a coded_sub_block_flag, or leave it out.

    context : of the flag; returns its cost, 1 where it is coded, and the greater1 state that the next one looks at
    """
    flag0, flag1 = BIN_COST[0, ctx[context]] * lam_bit, BIN_COST[1, ctx[context]] * lam_bit
    cost = chosen.cost
    if chosen.coded == 0:
        work.group[i] = flag0
        _drop_levels(work, i)
        return cost + (flag0 - chosen.sig), 0, chosen.state
    if chosen.beyond == 0:  # only the first position: its significance is inferred
        cost -= chosen.sig_first
        work.best_cost[16 * i] -= chosen.sig_first
        work.sig_cost[16 * i] = 0
    if chosen.zero + flag0 < cost + flag1:
        work.group[i] = flag0
        _drop_levels(work, i)
        return chosen.zero + flag0, 0, 1
    work.group[i] = flag1
    return cost + flag1, 1, chosen.state


@kernel(unit=True)
def quantise(coef, levels, tb, how, ctx, work):
    """Choose the levels of a block by rate and distortion.

    Parameters
    ----------
    coef : (>= n * n,) int32, transform coefficients, coef[v * n + u]
    levels : int16 plane, written at [tb.y + v, tb.x + u]
    tb : TransformBlock
    how : Quantiser
    ctx : (NUM_CONTEXTS,) uint8, contexts that give the rates
    work : bound Quantising

    Returns
    -------
    int, number of nonzero levels
    """
    log2, c_idx, scan_idx = tb.log2, tb.c_idx, how.scan_idx
    n, sub_log2 = natural(1 << log2), log2 - 2
    chroma = 1 if c_idx else 0
    scale = _scale_of(how, log2)
    if _largest(coef, n) < scale.least:
        clear_levels(levels, tb.y, tb.x, n)
        return 0
    order = _ORDER[scan_idx, sub_log2]
    last = _last_coded(coef, order, n, scale.least)
    base_cost, total_zero = _cost_behind(coef, order, (last >> 4) + 1, n * n >> 4, scale)
    coded_groups = 0  # bit 8 * y + x
    state = 1
    for i in range(last >> 4, -1, -1):
        xs, ys = np.int64(SCAN_X[scan_idx, sub_log2, i]), np.int64(SCAN_Y[scan_idx, sub_log2, i])
        right = (coded_groups >> (8 * ys + xs + 1)) & 1 if xs < (1 << sub_log2) - 1 else 0
        lower = (coded_groups >> (8 * ys + xs + 8)) & 1 if ys < (1 << sub_log2) - 1 else 0
        context_set = (0 if i == 0 or chroma else 2) + (1 if state == 0 else 0)
        first_sig, pattern = sub_block_sig_contexts(log2, c_idx, scan_idx, right | lower << 1, i)
        g1, g2 = GREATER1 + (16 if chroma else 0) + 4 * context_set, GREATER2 + (4 if chroma else 0) + context_set
        sub = _SubBlock(i, last, c_idx, scan_idx, first_sig, pattern, g1, g2)
        chosen, total_zero = _choose_levels(coef, order, sub, scale, total_zero, ctx, work)
        if i == 0 or i == last >> 4:
            work.group[i] = 0
            cost, is_coded, state = chosen.cost, 1 if chosen.coded else 0, chosen.state
        else:
            context = CODED_SUB_BLOCK + (2 if chroma else 0) + (right | lower)
            cost, is_coded, state = _choose_sub_block(i, chosen, context, scale.lam_bit, ctx, work)
        coded_groups |= is_coded << (8 * ys + xs)
        base_cost += cost

    end = _choose_last(tb, scan_idx, coded_groups, last, (base_cost, total_zero), scale.lam_bit, ctx, work)
    if end == 0:
        clear_levels(levels, tb.y, tb.x, n)
        return 0
    if how.hide:
        _hide_signs(coef, n, scan_idx, sub_log2, end, scale.error, how.lam, work)
    return _store(coef, levels, tb, scan_idx, end, work)


@kernel
def _choose_last(tb, scan_idx, coded_groups, last, costs, lam_bit, ctx, work):
    """Where to end the block: returns one past the last significant scan position, 0 for an empty block.

    costs : of the block without its end, and of an empty block
    """
    log2, c_idx = tb.log2, tb.c_idx
    sub_log2 = log2 - 2
    base_cost, best_cost = costs
    end = 0
    done = False
    for i in range(last >> 4, -1, -1):
        xs, ys = np.int64(SCAN_X[scan_idx, sub_log2, i]), np.int64(SCAN_Y[scan_idx, sub_log2, i])
        base_cost -= work.group[i]
        if not (coded_groups >> (8 * ys + xs)) & 1:
            continue
        for k in range(15, -1, -1):
            p = 16 * i + k
            if p > last:
                continue
            magnitude = work.magnitude[p]
            if magnitude > 0:
                x, y = 4 * xs + SCAN_X[scan_idx, 2, k], 4 * ys + SCAN_Y[scan_idx, 2, k]
                if scan_idx == 2:
                    x, y = y, x
                rate = last_prefix_cost(ctx, LAST_X, log2, c_idx, x) + last_prefix_cost(ctx, LAST_Y, log2, c_idx, y)
                cost = base_cost + rate * lam_bit - work.sig_cost[p]
                if cost < best_cost:
                    best_cost = cost
                    end = p + 1
                if magnitude > 1:
                    done = True
                    break
                base_cost += work.zero_cost[p] - work.best_cost[p]
            else:
                base_cost -= work.sig_cost[p]
        if done:
            break
    return end


@kernel
def _hide_signs(coef, n, scan_idx, sub_log2, end, error, lam, work):
    """Make the parity of each long enough sub-block tell the sign of its first level, at the least cost.

    The rate of a changed level is estimated: about one bit a step, some more where a level appears or vanishes.
    """
    top_group = (end - 1) >> 4
    for i in range(top_group, -1, -1):
        first, final, total = -1, -1, 0
        for k in range(16):
            p = 16 * i + k
            if p < end and work.magnitude[p] > 0:
                if first < 0:
                    first = k
                final = k
                total += work.magnitude[p]
        if final - first <= 3:
            continue
        xs, ys = np.int64(SCAN_X[scan_idx, sub_log2, i]), np.int64(SCAN_Y[scan_idx, sub_log2, i])
        x, y = 4 * xs + SCAN_X[scan_idx, 2, first], 4 * ys + SCAN_Y[scan_idx, 2, first]
        if (total & 1) == (1 if coef[y * n + x] < 0 else 0):
            continue
        best, best_step, best_cost = -1, 0, 0.0
        for k in range(16 if i < top_group else final + 1):
            p = 16 * i + k
            level = work.magnitude[p]
            exact = work.exact[p]
            step = 1 if exact > level else -1
            if level == 0:
                step = 1
                if k < first:
                    x, y = 4 * xs + SCAN_X[scan_idx, 2, k], 4 * ys + SCAN_Y[scan_idx, 2, k]
                    # the new first level shows the parity: its own sign must be the odd one
                    if coef[y * n + x] >= 0 and (total & 1) == 0 or coef[y * n + x] < 0 and (total & 1) == 1:
                        continue
            if level + step == 0 and (k == first or (k == final and i == top_group)):
                continue
            if level >= 32767:
                continue
            before, after = exact - level, exact - level - step
            bits = 1.0 if step > 0 else -1.0
            if level == 0:
                bits = 3.5
            elif level + step == 0:
                bits = -3.5
            cost = (after * after - before * before) * error + lam * bits
            if best < 0 or cost < best_cost:
                best, best_step, best_cost = p, step, cost
        if best >= 0:
            work.magnitude[best] += best_step
        else:
            work.magnitude[16 * i + first] += 1


@kernel
def clear_levels(levels, y0, x0, n):
    """Make the n x n levels from [y0, x0] on zero."""
    n, y0, x0 = natural(n), natural(y0), natural(x0)
    for j in range(n):
        for k in range(n):
            levels[y0 + j, x0 + k] = 0


@kernel
def _store(coef, levels, tb, scan_idx, end, work):
    """Write the chosen magnitudes with their signs; returns how many are nonzero."""
    y0, x0, log2, n = tb.y, tb.x, tb.log2, 1 << tb.log2
    clear_levels(levels, y0, x0, n)
    count = 0
    for p in range(end):
        magnitude = work.magnitude[p]
        if magnitude > 0:
            place = natural(_ORDER[scan_idx, log2 - 2, p])
            negative = coef[place] < 0
            levels[y0 + (place >> log2), x0 + (place & (n - 1))] = -magnitude if negative else magnitude
            count += 1
    return count
