"""Rate-distortion optimised quantisation and sign-data hiding of one transform block.

The rates are those of the current contexts, held fixed over the block.  Distortion is squared error in sample units:
the transform is orthonormal up to a power of two.
"""

import numpy as np

from codecsim.entropy.cabac import BIN_COST
from codecsim.entropy.contexts import CODED_SUB_BLOCK, GREATER1, GREATER2, LAST_X, LAST_Y
from codecsim.hevc.indexing import natural
from codecsim.hevc.tables import DCT32, DST4, QUANT_SCALE, SCAN_X, SCAN_Y
from codecsim.kernels.jit import kernel
from codecsim.search.level_rates import ONE_BIT, last_prefix_cost, level_cost
from codecsim.syntax.residual import sig_context, sub_block_sig_contexts

# rows of the float64 work array of `quantise`, one entry per scan position
_ZERO_COST, _BEST_COST, _SIG_COST, _EXACT, _MAGNITUDE, _GROUP = range(6)
WORK_SHAPE = (6, 1024)


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


@kernel(unit=True)
def quantise(coef, levels, y0, x0, log2, c_idx, scan_idx, qp, bit_depth, lam, ctx, hide, work):
    """Choose the levels of a block by rate and distortion.

    Parameters
    ----------
    coef : (>= n * n,) int32, transform coefficients, coef[v * n + u]
    levels : int16 plane, written at [y0 + v, x0 + u]
    qp : int, of the component, QpBdOffset included
    lam : float, squared error per bit
    ctx : (NUM_CONTEXTS,) uint8, contexts that give the rates
    hide : int, sign_data_hiding_enabled_flag
    work : WORK_SHAPE float64

    Returns
    -------
    int, number of nonzero levels
    """
    n = natural(1 << log2)
    transform_shift = 15 - bit_depth - log2
    to_level = _level_scale(qp, transform_shift)
    unit = 1.0 / (to_level * (1 << transform_shift))
    error = unit * unit
    lam_bit = lam / ONE_BIT
    sub_log2 = log2 - 2
    chroma = 1 if c_idx else 0

    least = _least_coded(to_level)
    if _largest(coef, n) < least:
        clear_levels(levels, y0, x0, n)
        return 0
    order = _ORDER[scan_idx, sub_log2]
    last = n * n - 1
    while not _any_from(coef, order[natural(last - 15)], n, least):
        last -= 16
    while abs(coef[natural(order[natural(last)])]) < least:
        last -= 1

    total_zero = 0.0
    base_cost = 0.0
    for i in range((n * n >> 4) - 1, last >> 4, -1):
        group_cost = 0.0
        for k in range(15, -1, -1):
            exact = abs(np.int64(coef[natural(order[natural(16 * i + k)])])) * to_level
            zero_cost = exact * exact * error
            total_zero += zero_cost
            group_cost += zero_cost
        base_cost += group_cost
    coded_groups = 0  # bit 8 * y + x
    state = 1
    for i in range(last >> 4, -1, -1):
        xs, ys = np.int64(SCAN_X[scan_idx, sub_log2, i]), np.int64(SCAN_Y[scan_idx, sub_log2, i])
        right = (coded_groups >> (8 * ys + xs + 1)) & 1 if xs < (1 << sub_log2) - 1 else 0
        lower = (coded_groups >> (8 * ys + xs + 8)) & 1 if ys < (1 << sub_log2) - 1 else 0
        context_set = (0 if i == 0 or chroma else 2) + (1 if state == 0 else 0)
        state = 1
        coded, above, rice = 0, 0, 0
        group_cost, group_zero, group_sig = 0.0, 0.0, 0.0
        group_count = 0
        group_sig_dc = 0.0
        first_group = i == last >> 4
        first_sig, pattern = sub_block_sig_contexts(log2, c_idx, scan_idx, right | lower << 1, i)
        for k in range(15, -1, -1):
            p = natural(16 * i + k)
            magnitude = abs(np.int64(coef[natural(order[p])]))
            exact = magnitude * to_level
            zero_cost = exact * exact * error
            total_zero += zero_cost
            if p > last:
                group_cost += zero_cost
                group_zero += zero_cost
                continue
            work[_ZERO_COST, p] = zero_cost
            work[_EXACT, p] = exact
            best = -1
            best_cost = 0.0
            sig_cost, sig1 = 0.0, 0.0
            if p != last:
                s = np.int64(ctx[sig_context(c_idx, first_sig, pattern, scan_idx, p)])
                sig_cost = BIN_COST[0, s] * lam_bit
                sig1 = BIN_COST[1, s] * lam_bit
                best = 0
                best_cost = zero_cost + sig_cost
            if magnitude >= least:
                top = min(np.int64(exact + 0.5), 32767)
                if top >= 3:
                    best = -1
                g1 = GREATER1 + (16 if chroma else 0) + 4 * context_set + state
                g2 = GREATER2 + (4 if chroma else 0) + context_set
                for level in range(max(top - 1, 1), top + 1):
                    delta = exact - level
                    cost = delta * delta * error + sig1
                    cost += level_cost(ctx, level, g1, g2, coded, above, rice) * lam_bit
                    if best < 0 or cost < best_cost:
                        best = level
                        best_cost = cost
                        sig_cost = sig1
            work[_BEST_COST, p] = best_cost
            work[_MAGNITUDE, p] = best
            work[_SIG_COST, p] = sig_cost
            group_cost += best_cost
            group_zero += zero_cost
            group_sig += sig_cost
            if k == 0:
                group_sig_dc = sig_cost
            if best > 0:
                group_count += 1 if k > 0 else 0
                if best >= ((2 + (1 if above == 0 else 0)) if coded < 8 else 1) and best > (3 << rice):
                    rice = min(rice + 1, 4)
                coded += 1
                if best > 1:
                    state = 0
                    above += 1
                elif 0 < state < 3:
                    state += 1
        work[_GROUP, i] = 0
        if i == 0 or first_group:
            if coded:
                coded_groups |= 1 << (8 * ys + xs)
        else:
            s = CODED_SUB_BLOCK + (2 if chroma else 0) + (right | lower)
            flag0, flag1 = BIN_COST[0, ctx[s]] * lam_bit, BIN_COST[1, ctx[s]] * lam_bit
            if coded == 0:
                group_cost += flag0 - group_sig
                work[_GROUP, i] = flag0
                for k in range(16):
                    work[_BEST_COST, 16 * i + k] = work[_ZERO_COST, 16 * i + k]
                    work[_SIG_COST, 16 * i + k] = 0
            else:
                if group_count == 0:  # only the first position: its significance is inferred
                    group_cost -= group_sig_dc
                    work[_BEST_COST, 16 * i] -= group_sig_dc
                    work[_SIG_COST, 16 * i] = 0
                if group_zero + flag0 < group_cost + flag1:
                    group_cost = group_zero + flag0
                    work[_GROUP, i] = flag0
                    state = 1
                    for k in range(16):
                        p = 16 * i + k
                        work[_BEST_COST, p] = work[_ZERO_COST, p]
                        work[_SIG_COST, p] = 0
                        work[_MAGNITUDE, p] = 0
                else:
                    group_cost += flag1
                    work[_GROUP, i] = flag1
                    coded_groups |= 1 << (8 * ys + xs)
        base_cost += group_cost

    end = _choose_last(log2, c_idx, scan_idx, coded_groups, last, base_cost, total_zero, lam_bit, ctx, work)
    if end == 0:
        clear_levels(levels, y0, x0, n)
        return 0
    if hide:
        _hide_signs(coef, n, scan_idx, sub_log2, end, error, lam, work)
    return _store(coef, levels, y0, x0, n, scan_idx, sub_log2, end, work)


@kernel
def _choose_last(log2, c_idx, scan_idx, coded_groups, last, base_cost, total_zero, lam_bit, ctx, work):
    """Where to end the block: returns one past the last significant scan position, 0 for an empty block."""
    sub_log2 = log2 - 2
    best_cost = total_zero
    end = 0
    done = False
    for i in range(last >> 4, -1, -1):
        xs, ys = np.int64(SCAN_X[scan_idx, sub_log2, i]), np.int64(SCAN_Y[scan_idx, sub_log2, i])
        base_cost -= work[_GROUP, i]
        if not (coded_groups >> (8 * ys + xs)) & 1:
            continue
        for k in range(15, -1, -1):
            p = 16 * i + k
            if p > last:
                continue
            magnitude = work[_MAGNITUDE, p]
            if magnitude > 0:
                x, y = 4 * xs + SCAN_X[scan_idx, 2, k], 4 * ys + SCAN_Y[scan_idx, 2, k]
                if scan_idx == 2:
                    x, y = y, x
                rate = last_prefix_cost(ctx, LAST_X, log2, c_idx, x) + last_prefix_cost(ctx, LAST_Y, log2, c_idx, y)
                cost = base_cost + rate * lam_bit - work[_SIG_COST, p]
                if cost < best_cost:
                    best_cost = cost
                    end = p + 1
                if magnitude > 1:
                    done = True
                    break
                base_cost += work[_ZERO_COST, p] - work[_BEST_COST, p]
            else:
                base_cost -= work[_SIG_COST, p]
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
            if p < end and work[_MAGNITUDE, p] > 0:
                if first < 0:
                    first = k
                final = k
                total += np.int64(work[_MAGNITUDE, p])
        if final - first <= 3:
            continue
        xs, ys = np.int64(SCAN_X[scan_idx, sub_log2, i]), np.int64(SCAN_Y[scan_idx, sub_log2, i])
        x, y = 4 * xs + SCAN_X[scan_idx, 2, first], 4 * ys + SCAN_Y[scan_idx, 2, first]
        if (total & 1) == (1 if coef[y * n + x] < 0 else 0):
            continue
        best, best_step, best_cost = -1, 0, 0.0
        for k in range(16 if i < top_group else final + 1):
            p = 16 * i + k
            level = work[_MAGNITUDE, p]
            exact = work[_EXACT, p]
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
            work[_MAGNITUDE, best] += best_step
        else:
            work[_MAGNITUDE, 16 * i + first] += 1


@kernel
def clear_levels(levels, y0, x0, n):
    """Make the n x n levels from [y0, x0] on zero."""
    n, y0, x0 = natural(n), natural(y0), natural(x0)
    for j in range(n):
        for k in range(n):
            levels[y0 + j, x0 + k] = 0


@kernel
def _store(coef, levels, y0, x0, n, scan_idx, sub_log2, end, work):
    """Write the chosen magnitudes with their signs; returns how many are nonzero."""
    clear_levels(levels, y0, x0, n)
    count = 0
    for p in range(end):
        magnitude = np.int64(work[_MAGNITUDE, p])
        if magnitude > 0:
            place = natural(_ORDER[scan_idx, sub_log2, p])
            negative = coef[place] < 0
            levels[y0 + (place >> (sub_log2 + 2)), x0 + (place & (n - 1))] = -magnitude if negative else magnitude
            count += 1
    return count
