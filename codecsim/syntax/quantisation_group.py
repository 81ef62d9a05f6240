"""Normative. The luma QP of coding units: its prediction, and the difference that a quantisation group may code.

A quantisation group is a square of coding units, or one larger coding unit.  The first transform unit with a residual
in it codes the difference to the predicted QP.  A coding unit before that one has the predicted QP, the others the sum.
So one QP per group is enough to remember: it is the predicted one until the difference comes.  At the end of a group
it is that of the last coding unit, from which the next group is predicted.  It stands behind the contexts of the coder.

Source: H.265 7.3.8.4, 7.3.8.14, 8.6.1, 9.3.3.10.
"""

import numpy as np

from codecsim.entropy import elements as E
from codecsim.entropy.cabac import code_bin, code_bypass
from codecsim.entropy.contexts import GROUP_CODED, GROUP_QP, QP_BIAS, QP_DELTA
from codecsim.entropy.trace import named
from codecsim.kernels.jit import kernel

_LONGEST_PREFIX = 5
_LONGEST_SUFFIX = 6  # ones of the Exp-Golomb code; six are too many at any bit depth


@kernel(inline=True)
def group_qp(cd):
    """QpY that a coding unit has which ends here."""
    return np.int64(cd.ctx[GROUP_QP]) - QP_BIAS


@kernel
def begin_quantisation_group(cd, blocks, uy, ux):
    """Predict the QP of the group at unit (uy, ux) from its left and upper neighbour in the CTU and the last group."""
    previous = group_qp(cd)
    left = np.int64(blocks.qp[uy, ux - 1]) if ux & 15 else previous
    above = np.int64(blocks.qp[uy - 1, ux]) if uy & 15 else previous
    cd.ctx[GROUP_QP] = ((left + above + 1) >> 1) + QP_BIAS
    cd.ctx[GROUP_CODED] = 0


@kernel
def _code_magnitude(mode, cd, magnitude):
    """cu_qp_delta_abs: truncated unary up to five, then Exp-Golomb of order 0."""
    k = 0
    while k < _LONGEST_PREFIX:
        if code_bin(mode, cd, QP_DELTA + (1 if k else 0), 1 if k < magnitude else 0) == 0:
            return k
        k += 1
    rest = magnitude - _LONGEST_PREFIX
    k = 0
    while k < _LONGEST_SUFFIX:
        if code_bypass(mode, cd, 1, 1 if rest >= (1 << k) else 0) == 0:
            break
        rest -= 1 << k
        k += 1
    if k == _LONGEST_SUFFIX:
        cd.reg.fault = 1
        return 0
    rest = code_bypass(mode, cd, k, rest)
    return _LONGEST_PREFIX + (1 << k) - 1 + rest


@kernel
def code_qp_delta(mode, cd, bit_depth, qp):
    """delta_qp() unless the group has it already; `qp` is the QpY wanted, of use when writing and counting."""
    if cd.ctx[GROUP_CODED]:
        return
    cd.ctx[GROUP_CODED] = 1
    offset = 6 * (bit_depth - 8)
    count = 52 + offset  # QPs there are: -offset..51, taken as a circle
    half = count >> 1
    predicted = group_qp(cd)
    delta = qp - predicted
    if delta < -half:
        delta += count
    elif delta >= half:
        delta -= count
    magnitude = named(cd, E.CU_QP_DELTA_ABS, _code_magnitude(mode, cd, abs(delta)))
    if magnitude == 0:
        return
    negative = named(cd, E.CU_QP_DELTA_SIGN_FLAG, code_bypass(mode, cd, 1, 1 if delta < 0 else 0))
    if magnitude > half - 1 + negative:
        cd.reg.fault = 1
        return
    qp = predicted - magnitude if negative else predicted + magnitude
    if qp < -offset:
        qp += count
    elif qp > 51:
        qp -= count
    cd.ctx[GROUP_QP] = qp + QP_BIAS
