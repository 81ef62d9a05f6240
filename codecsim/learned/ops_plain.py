"""Normative.  The engine's convolutions in plain Numba: the meaning of ops_vector.py, and the same bits.

A tile's planes lie one after another, `cs` samples apart, each with rows of `rs` samples.  "flat" buffers hold planes;
"paired" buffers hold the planes of channels 2k and 2k + 1 with their samples interleaved, so plane offsets agree in
both and the sample p of pair k is at ``2 k cs + 2 p``.  A convolution runs over the n flat positions p of its output,
so the last columns of each row are unused; what stands in them is finite and is never read into a used sample.  Every
loop may write up to 256 samples past n.

`job` is an int64 vector of offsets and counts (engine.py fills it); all arrays are one-dimensional.
"""

import numpy as np

from codecsim.jit import kernel
from codecsim.learned.spec import (
    ACT_CLIP,
    GRAD_CLIP,
    LANES,
    LEAK_SHIFT,
    OUTPUT_CLIP,
    OUTPUT_SHIFT,
    SKIP,
)

STRIP = 256


@kernel
def _add_taps(acc, m, x, x0, rs, taps, w, w0, stride):
    """acc[i] += products of one pair of channels, `taps` x `taps`, modulo 2**32; weights `stride` apart."""
    for ky in range(taps):
        for kx in range(taps):
            pair = w[w0 + (ky * taps + kx) * stride]
            low = np.int32(np.int16(pair & 0xFFFF))
            high = np.int32(pair >> 16)
            at = x0 + 2 * (ky * rs + kx)
            row = x[at : at + 2 * m]
            for i in range(m):
                acc[i] += low * np.int32(row[2 * i]) + high * np.int32(row[2 * i + 1])


@kernel
def _conv3(x, w, bias, out, flat, mask, job, shift, scratch, clip, backward):
    xo, wo, bo, oo, fo, mo, n_blocks, n_pairs, cs, rs, n, planar = (
        job[0], job[1], job[2], job[3], job[4], job[5], job[6], job[7], job[8], job[9], job[10], job[11],
    )  # fmt: skip
    half = np.int32(1 << (shift - 1))
    for p in range(0, n, STRIP):
        m = min(STRIP, n - p)
        for j in range(n_blocks * LANES):
            block, lane = j // LANES, j % LANES
            for i in range(m):
                scratch[i] = bias[bo + j]
            for c in range(n_pairs):
                w0 = wo + (block * n_pairs + c) * 9 * LANES + lane
                _add_taps(scratch, m, x, xo + 2 * (c * cs + p), rs, 3, w, w0, LANES)
            at = oo + 2 * (j // 2 * cs + p) + j % 2
            to_pair, signs = out[at : at + 2 * m], mask[mo + j * cs + p : mo + j * cs + p + m]
            for i in range(m):
                a = scratch[i]
                sign = np.int32(signs[i]) if backward else a
                a = a if sign > 0 else a >> LEAK_SHIFT
                a = np.int32(a + half) >> shift
                to_pair[2 * i] = np.int16(min(max(a, -clip), clip))
            if planar:
                to_flat = flat[fo + j * cs + p : fo + j * cs + p + m]
                for i in range(m):
                    to_flat[i] = to_pair[2 * i]


@kernel
def hidden(x, w, bias, out, flat, job, shift, scratch):
    """Hidden layer: 3x3 convolution, leaky rectifier, rounding shift, clip to +-ACT_CLIP.

    Parameters
    ----------
    x : paired int16, inputs from job[0]
    w : (n,) int32 packed weights from job[1], [block of 8 outputs][pair of inputs][tap][8]
    bias : int32, from job[2]
    out, flat : paired and flat int16, written from job[3] and job[4]; flat only where job[11] is not zero
    job : x, w, bias, out, flat, (unused), blocks of outputs, pairs of inputs, cs, rs, n, write flat
    shift : int, 1..30
    scratch : (256,) int32
    """
    _conv3(x, w, bias, out, flat, flat, job, shift, scratch, ACT_CLIP, False)


@kernel
def backward(x, w, bias, out, flat, mask, job, shift, scratch):
    """Gradient with respect to a layer's inputs: as `hidden`, on mirrored weights.

    The leak is taken where the forward activation, flat `mask` from job[5], is not positive; clip to +-GRAD_CLIP.
    """
    _conv3(x, w, bias, out, flat, mask, job, shift, scratch, GRAD_CLIP, True)


@kernel
def output(x, w, bias, out, job, scratch):
    """Last layer: 3x3 over the hidden channels plus 5x5 over the inputs, to flat int16 Q14.

    job : hidden x, w, input x, skip w, bias, out, pairs of channels, pairs of inputs, cs, rs, n
    """
    n, cs, rs = job[10], job[8], job[9]
    half = np.int32(1 << (OUTPUT_SHIFT - 1))
    for p in range(0, n, STRIP):
        m = min(STRIP, n - p)
        for i in range(m):
            scratch[i] = bias[job[4]]
        for c in range(job[6]):
            _add_taps(scratch, m, x, job[0] + 2 * (c * cs + p), rs, 3, w, job[1] + 9 * c, 1)
        for c in range(job[7]):
            _add_taps(scratch, m, x, job[2] + 2 * (c * cs + p), rs, SKIP, w, job[3] + SKIP * SKIP * c, 1)
        for i in range(m):
            a = np.int32(scratch[i] + half) >> OUTPUT_SHIFT
            out[job[5] + p + i] = np.int16(min(max(a, -OUTPUT_CLIP), OUTPUT_CLIP))


@kernel
def _gradients(x, g, dw, job, taps):
    xo, go, do, n_out, n_in, cs, rs, n = job[0], job[1], job[2], job[3], job[4], job[5], job[6], job[7]
    for co in range(n_out):
        for ci in range(n_in):
            for ky in range(taps):
                for kx in range(taps):
                    total = np.int64(0)
                    x0, g0 = xo + ci * cs + ky * rs + kx, go + co * cs
                    xs, gs = x[x0 : x0 + n], g[g0 : g0 + n]
                    for p in range(n):
                        total += np.int64(np.int32(xs[p]) * np.int32(gs[p]))
                    dw[do + (co * n_in + ci) * taps * taps + ky * taps + kx] += total


@kernel
def gradients_hidden(x, g, dw, job):
    """Weight gradients of a 3x3 layer: dw[co][ci][ky][kx] += sum over p of g[co][p] * x[ci][p + ky rs + kx].

    Parameters
    ----------
    x, g : flat int16, from job[0] and job[1]; g is zero at unused positions and for 64 samples after n
    dw : int64 canonical weights, from job[2]
    job : x, g, dw, outputs (multiple of 4), inputs (even), cs, rs, n
    """
    _gradients(x, g, dw, job, 3)


@kernel
def gradients_output(x, g, dw, job):
    """As `gradients_hidden`, with one output."""
    _gradients(x, g, dw, job, 3)


@kernel
def gradients_skip(x, g, dw, job):
    """As `gradients_hidden`, with one output and 5x5 taps."""
    _gradients(x, g, dw, job, SKIP)
