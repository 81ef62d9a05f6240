"""Normative.  Exact work on planes of activations beside the convolutions of ops_plain.py, whose layout they share."""

import numpy as np

from codecsim.kernels.jit import kernel


@kernel
def channel_sums(x, x0, n_channels, cs, rs, height, width, sums):
    """sums[c] = sum of the (height, width) samples of channel c, exactly.

    Parameters
    ----------
    x : flat int16 planes from x0, `cs` apart, rows of `rs`
    sums : (>= n_channels,) int64, written
    """
    for c in range(n_channels):
        total = np.int64(0)
        for y in range(height):
            at = x0 + c * cs + y * rs
            row = x[at : at + width]
            in_row = np.int32(0)  # of at most 2**16 samples
            for i in range(width):
                in_row = np.int32(in_row + np.int32(row[i]))
            total += np.int64(in_row)
        sums[c] = total


@kernel
def add_planes(first, first_at, second, second_at, out, out_at, n_planes, plane, n, clip):
    """out = first + second, clipped to +-clip: n samples in each of `n_planes` planes, `plane` samples apart.

    Flat planes as they are; paired ones count as half as many planes of twice the size.

    first, second, out : int16, from their offsets; `out` may be one of the others
    """
    limit = np.int32(clip)
    for c in range(n_planes):
        a, b, to = first[first_at + c * plane :], second[second_at + c * plane :], out[out_at + c * plane :]
        for i in range(n):
            to[i] = min(max(np.int32(np.int32(a[i]) + np.int32(b[i])), -limit), limit)
