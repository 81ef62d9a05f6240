"""Normative.  The in-loop filter's work beside its convolutions: samples in and out, borders, means, gates.

Planes stand as ops_plain says, each with one row and one column of zeros around the picture.  A "unit" is a flat plane
(span 1) or a pair of interleaved ones (span 2), `unit` samples apart; one loop serves both.
"""

import numpy as np

from codecsim.kernels.jit import kernel
from codecsim.learned.engine.spec import ACT_CLIP
from codecsim.learned.loop.spec import CORRECTION_BITS, GATE_BITS, INPUT_BITS
from codecsim.picture.planes import PAD_C, PAD_Y


@kernel
def load_picture(planes, paired, cs, rs, bit_depth):
    """Samples of a picture as the six input planes.

    Parameters
    ----------
    planes : Planes, padded
    paired : int16, written inside the borders
    cs, rs : int, plane and row strides
    bit_depth : int, 8..12
    """
    y, u, v = planes
    height, width = u.shape[0] - 2 * PAD_C, u.shape[1] - 2 * PAD_C
    shift, middle = INPUT_BITS - bit_depth, 1 << (bit_depth - 1)
    for j in range(height):
        upper, lower = y[PAD_Y + 2 * j, PAD_Y:], y[PAD_Y + 2 * j + 1, PAD_Y:]
        cb, cr = u[PAD_C + j, PAD_C:], v[PAD_C + j, PAD_C:]
        at = 2 * ((j + 1) * rs + 1)
        first, second, third = paired[at:], paired[2 * cs + at :], paired[4 * cs + at :]
        for i in range(2 * width):
            first[i] = (np.int32(upper[i]) - middle) << shift
            second[i] = (np.int32(lower[i]) - middle) << shift
        for i in range(width):
            third[2 * i] = (np.int32(cb[i]) - middle) << shift
            third[2 * i + 1] = (np.int32(cr[i]) - middle) << shift


@kernel
def _corrected(sample, correction, bit_depth):
    shift = CORRECTION_BITS - bit_depth
    value = np.int32(sample) + ((np.int32(correction) + (1 << (shift - 1))) >> shift)
    return np.uint16(min(max(value, 0), (1 << bit_depth) - 1))


@kernel
def correct_picture(planes, flat, cs, rs, bit_depth, to):
    """Samples plus the corrections that the tail wrote.

    Parameters
    ----------
    planes, cs, rs, bit_depth : as for load_picture
    flat : int16 corrections, six planes
    to : Planes of the coded size, written
    """
    y, u, v = planes
    height, width = to.u.shape
    for j in range(height):
        at = (j + 1) * rs + 1
        for row in range(2):
            source, target = y[PAD_Y + 2 * j + row, PAD_Y:], to.y[2 * j + row]
            even, odd = flat[2 * row * cs + at :], flat[(2 * row + 1) * cs + at :]
            for i in range(width):
                target[2 * i] = _corrected(source[2 * i], even[i], bit_depth)
                target[2 * i + 1] = _corrected(source[2 * i + 1], odd[i], bit_depth)
        cb, cr, for_cb, for_cr = u[PAD_C + j, PAD_C:], v[PAD_C + j, PAD_C:], flat[4 * cs + at :], flat[5 * cs + at :]
        for i in range(width):
            to.u[j, i] = _corrected(cb[i], for_cb[i], bit_depth)
            to.v[j, i] = _corrected(cr[i], for_cr[i], bit_depth)


@kernel
def clear_borders(x, n_units, unit, span, rows, rs):
    """Zero the row and column around the picture, which a layer has written into.

    rows : int, of a plane, both borders included
    """
    for k in range(n_units):
        plane = x[k * unit :]
        for i in range(span * rs):
            plane[i] = 0
        for j in range(1, rows):
            at = span * (j * rs - 1)
            for i in range(2 * span):
                plane[at + i] = 0
        for i in range(span * (rows - 1) * rs, span * rows * rs):
            plane[i] = 0


@kernel
def unit_sums(x, first, last, unit, span, n, sums):
    """sums[c] = exact sum of a channel, of units first..last - 1, whose borders are zero.

    n : int, samples of a plane, borders included, even
    sums : (channels,) int64
    """
    for k in range(first, last):
        plane = x[k * unit : k * unit + span * n]
        even, odd = np.int64(0), np.int64(0)
        for start in range(0, span * n, 1 << 16):  # partial sums of 2**15 samples fit 32 bits
            low, high = np.int32(0), np.int32(0)
            for i in range(start, min(start + (1 << 16), span * n), 2):
                low += np.int32(plane[i])
                high += np.int32(plane[i + 1])
            even, odd = even + low, odd + high
        if span == 2:
            sums[2 * k], sums[2 * k + 1] = even, odd
        else:
            sums[k] = even + odd


@kernel
def add_gated(x, r, first, last, unit, span, n, gates):
    """x = clip(x + round(r * gate)), of units first..last - 1.

    Parameters
    ----------
    x, r : int16; x is mutated
    gates : (channels,) int32 Q11, 0..4096
    """
    half = np.int32(1 << (GATE_BITS - 1))
    for k in range(first, last):
        even, odd = (gates[2 * k], gates[2 * k + 1]) if span == 2 else (gates[k], gates[k])
        a, b = x[k * unit : k * unit + span * n], r[k * unit : k * unit + span * n]
        for i in range(0, span * n, 2):
            low = np.int32(a[i]) + ((np.int32(b[i]) * even + half) >> GATE_BITS)
            high = np.int32(a[i + 1]) + ((np.int32(b[i + 1]) * odd + half) >> GATE_BITS)
            a[i] = min(max(low, -ACT_CLIP), ACT_CLIP)
            a[i + 1] = min(max(high, -ACT_CLIP), ACT_CLIP)


@kernel
def pair_planes(flat, paired, n_pairs, cs, n):
    """Flat planes as interleaved pairs, n samples of each."""
    for k in range(n_pairs):
        even, odd, both = flat[2 * k * cs :], flat[(2 * k + 1) * cs :], paired[2 * k * cs :]
        for i in range(n):
            both[2 * i], both[2 * i + 1] = even[i], odd[i]
