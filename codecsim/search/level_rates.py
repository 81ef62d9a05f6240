"""Rates of levels and of the last significant position in contexts that stand still.  Encoder only.

The syntax functions count a block that is decided; here each candidate of a level has to be priced by itself.
"""

from codecsim.entropy.cabac import BIN_COST, COST_BITS
from codecsim.kernels.jit import kernel

ONE_BIT = 1 << COST_BITS


@kernel(inline=True)
def _escape_bits(rest, rice):
    """Bits of coeff_abs_level_remaining."""
    if rest < (3 << rice):
        return (rest >> rice) + 1 + rice
    length = rice
    rest -= 3 << rice
    while rest >= (1 << length):
        rest -= 1 << length
        length += 1
    return 4 + length - rice + length


@kernel(inline=True)
def level_cost(ctx, level, g1, g2, coded, above, rice):
    """Cost in 2**-15 bit of magnitude and sign of a nonzero level, without its significance.

    g1, g2 : contexts; coded, above : nonzero levels and levels above 1 so far in the sub-block
    """
    base = (2 + (1 if above == 0 else 0)) if coded < 8 else 1
    cost = ONE_BIT
    if coded < 8:
        cost += BIN_COST[1 if level > 1 else 0, ctx[g1]]
        if level > 1 and above == 0:
            cost += BIN_COST[1 if level > 2 else 0, ctx[g2]]
    if level >= base:
        cost += _escape_bits(level - base, rice) << COST_BITS
    return cost


@kernel
def last_prefix_cost(ctx, first, log2, c_idx, position):
    """Cost in 2**-15 bit of one coordinate of the last significant position."""
    if c_idx == 0:
        offset = 3 * (log2 - 2) + ((log2 - 1) >> 2)
        shift = (log2 + 1) >> 2
    else:
        offset = 15
        shift = log2 - 2
    group = position
    suffix = 0
    if position > 3:
        top = 2 if position < 8 else 3 if position < 16 else 4
        group = 2 * top + ((position >> (top - 1)) & 1)
        suffix = (group >> 1) - 1
    cost = suffix << COST_BITS
    for k in range(group):
        cost += BIN_COST[1, ctx[first + offset + (k >> shift)]]
    if group < 2 * log2 - 1:
        cost += BIN_COST[0, ctx[first + offset + (group >> shift)]]
    return cost
