"""Normative. residual_coding(): the quantised levels of one transform block (7.3.8.11, 9.3.4.2.4 to 9.3.4.2.7)."""

import numpy as np

from codecsim.entropy import elements as E
from codecsim.entropy.cabac import DECODE, code_bin, code_bypass
from codecsim.entropy.contexts import CODED_SUB_BLOCK, GREATER1, GREATER2, LAST_X, LAST_Y, SIG_COEFF, TRANSFORM_SKIP
from codecsim.entropy.trace import named
from codecsim.hevc.indexing import natural
from codecsim.hevc.tables import SCAN_X, SCAN_Y
from codecsim.kernels.jit import kernel

_SIG_4X4 = np.array([0, 1, 4, 5, 2, 3, 4, 5, 6, 6, 8, 8, 7, 7, 8, 8], np.int64)
# [right and lower sub-block coded, y, x] of a position inside its sub-block (9.3.4.2.5)
_SIG_PATTERN = np.array(
    [
        [[2, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]],
        [[2, 2, 2, 2], [1, 1, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]],
        [[2, 1, 0, 0], [2, 1, 0, 0], [2, 1, 0, 0], [2, 1, 0, 0]],
        [[2, 2, 2, 2], [2, 2, 2, 2], [2, 2, 2, 2], [2, 2, 2, 2]],
    ],
    np.int64,
)


def _make_increments():
    """(3, 5, 16) int64 [scan_idx, pattern, scan position]: patterns 0..3 are those above, 4 is a 4x4 block."""
    increments = np.zeros((3, 5, 16), np.int64)
    for scan_idx in range(3):
        y, x = SCAN_Y[scan_idx, 2, :16].astype(int), SCAN_X[scan_idx, 2, :16].astype(int)
        increments[scan_idx, :4] = _SIG_PATTERN[:, y, x]
        increments[scan_idx, 4] = _SIG_4X4[4 * y + x]
    return increments


_SIG_INCREMENT = _make_increments()
_LAST_GROUP = np.array([0, 1, 2, 3, 4, 4, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7] + [8] * 8 + [9] * 8, np.int64)
_LAST_START = np.array([0, 1, 2, 3, 4, 6, 8, 12, 16, 24], np.int64)


@kernel(inline=True)
def sub_block_sig_contexts(log2, c_idx, scan_idx, neighbours, i):
    """What the contexts of sig_coeff_flag in sub-block `i` of the scan share; `neighbours`: right | lower << 1.

    Returns
    -------
    first : the context that increments are added to
    pattern : which increments apply
    """
    first = SIG_COEFF + (0 if c_idx == 0 else 27)
    if log2 == 2:
        return first, 4
    if c_idx == 0:
        first += (0 if i == 0 else 3) + ((9 if scan_idx == 0 else 15) if log2 == 3 else 21)
    else:
        first += 9 if log2 == 3 else 12
    return first, neighbours


@kernel(inline=True)
def sig_context(c_idx, first, pattern, scan_idx, p):
    """Context of sig_coeff_flag at scan position `p` of a block; `first`, `pattern`: what its sub-block shares."""
    if p == 0:
        return SIG_COEFF + (0 if c_idx == 0 else 27)
    return first + _SIG_INCREMENT[scan_idx, pattern, p & 15]


@kernel
def _code_last_prefix(mode, cd, first, log2, c_idx, group):
    """last_sig_coeff_x_prefix or _y_prefix: truncated unary, contexts from `first`."""
    if c_idx == 0:
        offset = 3 * (log2 - 2) + ((log2 - 1) >> 2)
        shift = (log2 + 1) >> 2
    else:
        offset = 15
        shift = log2 - 2
    longest = (log2 << 1) - 1
    k = 0
    while k < longest:
        if code_bin(mode, cd, first + offset + (k >> shift), 1 if k < group else 0) == 0:
            break
        k += 1
    return k


@kernel
def code_last_position(mode, cd, log2, c_idx, scan_idx, x, y):
    """Position (x, y) of the last significant level, in scan order."""
    if scan_idx == 2:
        x, y = y, x
    gx = named(cd, E.LAST_SIG_COEFF_X_PREFIX, _code_last_prefix(mode, cd, LAST_X, log2, c_idx, _LAST_GROUP[x]))
    gy = named(cd, E.LAST_SIG_COEFF_Y_PREFIX, _code_last_prefix(mode, cd, LAST_Y, log2, c_idx, _LAST_GROUP[y]))
    lx, ly = _LAST_START[gx], _LAST_START[gy]
    if gx > 3:
        lx += named(cd, E.LAST_SIG_COEFF_X_SUFFIX, code_bypass(mode, cd, (gx >> 1) - 1, x - lx))
    if gy > 3:
        ly += named(cd, E.LAST_SIG_COEFF_Y_SUFFIX, code_bypass(mode, cd, (gy >> 1) - 1, y - ly))
    if scan_idx == 2:
        return ly, lx
    return lx, ly


@kernel
def code_remaining(mode, cd, rice, value):
    """coeff_abs_level_remaining: prefix up to 3 is Rice, beyond Exp-Golomb (9.3.3.11)."""
    if mode == DECODE:
        prefix = 0
        while prefix < 32 and code_bypass(mode, cd, 1, 0):
            prefix += 1
        if prefix <= 3:
            return (prefix << rice) + code_bypass(mode, cd, rice, 0)
        if prefix - 3 + rice > 28:
            cd.reg.fault = 1
            return 0
        return (((1 << (prefix - 3)) + 2) << rice) + code_bypass(mode, cd, prefix - 3 + rice, 0)
    if value < (3 << rice):
        prefix = value >> rice
        code_bypass(mode, cd, prefix + 1, (1 << (prefix + 1)) - 2)
        code_bypass(mode, cd, rice, value & ((1 << rice) - 1))
        return value
    length = rice
    rest = value - (3 << rice)
    while rest >= (1 << length):
        rest -= 1 << length
        length += 1
    prefix = 4 + length - rice
    code_bypass(mode, cd, prefix, (1 << prefix) - 2)
    code_bypass(mode, cd, length, rest)
    return value


@kernel
def _code_levels(mode, cd, count, hidden, c_idx, context_set):
    """Magnitudes and signs of the `count` significant levels in scratch[0:count], highest frequency first.

    `hidden` tells that the sign of the last one follows from the parity of their sum (9.3.4.2.6, 9.3.4.2.7).
    Returns the greater1 state that the next sub-block looks at.
    """
    level = cd.scratch
    g1_base = GREATER1 + (16 if c_idx else 0) + context_set * 4
    state = 1
    first_above = -1
    flags = min(count, 8)
    for k in range(flags):
        above = code_bin(mode, cd, g1_base + state, 1 if abs(level[k]) > 1 else 0)
        named(cd, E.COEFF_ABS_LEVEL_GREATER1_FLAG, above)
        if mode == DECODE:
            level[k] = 1 + above
        if above:
            state = 0
            if first_above < 0:
                first_above = k
        elif 0 < state < 3:
            state += 1
    if first_above >= 0:
        k = first_above
        above = code_bin(mode, cd, GREATER2 + (4 if c_idx else 0) + context_set, 1 if abs(level[k]) > 2 else 0)
        named(cd, E.COEFF_ABS_LEVEL_GREATER2_FLAG, above)
        if mode == DECODE:
            level[k] = 2 + above
    signs = 0
    num_signs = count - 1 if hidden else count
    if mode != DECODE:
        for k in range(num_signs):
            signs = signs << 1 | (1 if level[k] < 0 else 0)
    signs = named(cd, E.COEFF_SIGN_FLAG, code_bypass(mode, cd, num_signs, signs))
    rice = 0
    total = 0
    for k in range(count):
        base = 1 if k >= 8 else 3 if k == first_above else 2
        magnitude = abs(np.int64(level[k])) if mode != DECODE or k < 8 else 1
        if magnitude >= base:
            rest = named(cd, E.COEFF_ABS_LEVEL_REMAINING, code_remaining(mode, cd, rice, magnitude - base))
            magnitude = base + rest
            if magnitude > (3 << rice):
                rice = min(rice + 1, 4)
        if mode == DECODE:
            total += magnitude
            negative = (signs >> (num_signs - 1 - k)) & 1 if k < num_signs else total & 1
            level[k] = min(max(-magnitude if negative else magnitude, -32768), 32767)
    return state


@kernel(inline=True)
def _sub_block_origin(y0, x0, scan_idx, sub_log2, i):
    """First row and column of sub-block `i` of the scan of the block at (x0, y0)."""
    ys, xs = np.int64(SCAN_Y[scan_idx, sub_log2, i]), np.int64(SCAN_X[scan_idx, sub_log2, i])
    return natural(y0 + (ys << 2)), natural(x0 + (xs << 2))


@kernel(inline=True)
def _any_level(levels, by, bx):
    """1 if the sub-block at (bx, by) has a nonzero level."""
    by, bx = natural(by), natural(bx)
    seen = 0
    for j in range(4):
        for k in range(4):
            seen |= levels[by + j, bx + k]
    return 1 if seen != 0 else 0


@kernel
def code_transform_skip(mode, cd, sl, log2, c_idx, skip):
    """transform_skip_flag, the first element of residual_coding(), where a block of 1 << log2 can have it."""
    if log2 > 2 or not sl.transform_skip:
        return 0
    return named(cd, E.TRANSFORM_SKIP_FLAG, code_bin(mode, cd, TRANSFORM_SKIP + (1 if c_idx else 0), skip))


@kernel(unit=True)
def code_residual(mode, cd, levels, tb, scan_idx, sign_hiding):
    """What follows transform_skip_flag: the levels of a TransformBlock in the int16 plane `levels`.

    At least one is nonzero.  When decoding, the block must be zero beforehand.
    """
    y0, x0, log2, c_idx = tb
    last_x, last_y = 0, 0
    last_sub, last_pos = 0, 0
    sub_log2 = log2 - 2
    if mode != DECODE:
        last_sub = (1 << (2 * sub_log2)) - 1
        last_pos = 15
        by, bx = _sub_block_origin(y0, x0, scan_idx, sub_log2, last_sub)
        while last_sub > 0 and not _any_level(levels, by, bx):
            last_sub -= 1
            by, bx = _sub_block_origin(y0, x0, scan_idx, sub_log2, last_sub)
        while last_pos > 0 and levels[by + SCAN_Y[scan_idx, 2, last_pos], bx + SCAN_X[scan_idx, 2, last_pos]] == 0:
            last_pos -= 1
        last_x, last_y = bx - x0 + SCAN_X[scan_idx, 2, last_pos], by - y0 + SCAN_Y[scan_idx, 2, last_pos]
    last_x, last_y = code_last_position(mode, cd, log2, c_idx, scan_idx, last_x, last_y)
    if mode == DECODE:
        if last_x >> log2 or last_y >> log2:
            cd.reg.fault = 1
            return
        xs, ys = last_x >> 2, last_y >> 2
        while SCAN_X[scan_idx, sub_log2, last_sub] != xs or SCAN_Y[scan_idx, sub_log2, last_sub] != ys:
            last_sub += 1
        while SCAN_X[scan_idx, 2, last_pos] != last_x & 3 or SCAN_Y[scan_idx, 2, last_pos] != last_y & 3:
            last_pos += 1

    coded = 0  # bit 8 * y + x: coded_sub_block_flag
    greater1_state = 1
    for i in range(last_sub, -1, -1):
        xs, ys = np.int64(SCAN_X[scan_idx, sub_log2, i]), np.int64(SCAN_Y[scan_idx, sub_log2, i])
        by, bx = y0 + (ys << 2), x0 + (xs << 2)
        right = (coded >> (8 * ys + xs + 1)) & 1 if xs < (1 << sub_log2) - 1 else 0
        lower = (coded >> (8 * ys + xs + 8)) & 1 if ys < (1 << sub_log2) - 1 else 0
        sub_coded = 1
        inferred_dc = False
        if i < last_sub and i > 0:
            if mode != DECODE:
                sub_coded = _any_level(levels, by, bx)
            index = CODED_SUB_BLOCK + (2 if c_idx else 0) + (right | lower)
            sub_coded = named(cd, E.CODED_SUB_BLOCK_FLAG, code_bin(mode, cd, index, sub_coded))
            inferred_dc = True
        if sub_coded == 0:
            continue
        coded |= 1 << (8 * ys + xs)

        count = 0
        first_pos, top_pos = 0, 0
        first, pattern = sub_block_sig_contexts(log2, c_idx, scan_idx, right | lower << 1, i)
        n = last_pos if i == last_sub else 15
        while n >= 0:
            xi, yi = np.int64(SCAN_X[scan_idx, 2, n]), np.int64(SCAN_Y[scan_idx, 2, n])
            value = np.int64(levels[by + yi, bx + xi]) if mode != DECODE else 0
            if i == last_sub and n == last_pos or n == 0 and inferred_dc and count == 0:
                significant = 1
            else:
                index = sig_context(c_idx, first, pattern, scan_idx, 16 * i + n)
                significant = named(cd, E.SIG_COEFF_FLAG, code_bin(mode, cd, index, 1 if value != 0 else 0))
            if significant:
                if count == 0:
                    top_pos = n
                first_pos = n
                cd.scratch[count] = value
                cd.scratch[16 + count] = n
                count += 1
            n -= 1
        if count == 0:
            continue
        hidden = sign_hiding and top_pos - first_pos > 3
        context_set = (0 if i == 0 or c_idx > 0 else 2) + (1 if greater1_state == 0 else 0)
        greater1_state = _code_levels(mode, cd, count, hidden, c_idx, context_set)
        if mode == DECODE:
            for k in range(count):
                n = cd.scratch[16 + k]
                levels[by + SCAN_Y[scan_idx, 2, n], bx + SCAN_X[scan_idx, 2, n]] = cd.scratch[k]
