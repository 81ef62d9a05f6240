"""Normative.  The engine's layers in plain Numba: the meaning of ops_vector.py, and the same bits.

Planes lie one after another, `cs` samples apart, each with rows of `rs` samples.  "flat" buffers hold planes; "paired"
buffers hold the planes of channels 2k and 2k + 1 with their samples interleaved, so plane offsets agree in both and the
sample p of pair k is at ``2 k cs + 2 p``.  Convolutions read paired planes, depthwise layers flat ones, weight
gradients flat ones; each layer writes the form that its successors read, or both.  A layer runs over the n flat
positions p of its output, of which the top left tap of a filter reads position p, so the last columns of each row are
unused; what stands in them is finite and is never read into a used sample.  Every loop may write up to 256 samples past
n, and read up to 256 past what it needs.

`job` is a record of offsets and counts: packing.LayerJob, OutputJob or GradientJob.

All arrays are one-dimensional: planes int16, weights int32 as packing.py lays them out, biases int32, gradients of
weights int64, `scratch` (256,) int32.
"""

import numpy as np

from codecsim.kernels.jit import kernel
from codecsim.learned.engine.packing import FLAT, PAIRED
from codecsim.learned.engine.spec import ACT_CLIP, GRAD_CLIP, LANES, OUTPUT_CLIP, OUTPUT_SHIFT, SKIP

STRIP = 256


@kernel
def _add_taps(acc, m, x, rs, taps, w, stride):
    """acc[i] += products of one pair of channels, `taps` x `taps`, modulo 2**32; weights `stride` apart."""
    for ky in range(taps):
        for kx in range(taps):
            pair = w[(ky * taps + kx) * stride]
            low = np.int32(np.int16(pair & 0xFFFF))
            high = np.int32(pair >> 16)
            at = 2 * (ky * rs + kx)
            row = x[at : at + 2 * m]
            for i in range(m):
                acc[i] += low * np.int32(row[2 * i]) + high * np.int32(row[2 * i + 1])


@kernel
def _finish(acc, m, j, p, arrays, job, shift, backward):
    """Leak, round, clip and write m positions from p of channel j."""
    cs, forms, leak = job.cs, job.forms, job.leak
    half, clip = np.int32(1 << (shift - 1)), np.int32(GRAD_CLIP if backward else ACT_CLIP)
    to_pair = arrays.paired[job.to_paired + 2 * (j // 2 * cs + p) + j % 2 :]
    to_flat = arrays.flat[job.to_flat + j * cs + p :]
    signs = arrays.mask[job.mask + j * cs + p :]
    for i in range(m):
        a = acc[i]
        sign = np.int32(signs[i]) if backward else a
        a = a if sign > 0 else a >> leak
        a = np.int32(a + half) >> shift
        a = min(max(a, -clip), clip)
        if forms & PAIRED:
            to_pair[2 * i] = np.int16(a)
        if forms & FLAT:
            to_flat[i] = np.int16(a)


@kernel
def _conv(arrays, job, shift, scratch, backward, taps):
    n_pairs = job.n_in // 2
    for p in range(0, job.n, STRIP):
        m = min(STRIP, job.n - p)
        for j in range(job.n_out):
            block, lane = j // LANES, j % LANES
            for i in range(m):
                scratch[i] = arrays.bias[job.bias + j]
            for c in range(n_pairs):
                x = arrays.x[job.x + 2 * (c * job.cs + p) :]
                w = arrays.w[job.w + (block * n_pairs + c) * taps * taps * LANES + lane :]
                _add_taps(scratch, m, x, job.rs, taps, w, LANES)
            _finish(scratch, m, j, p, arrays, job, shift, backward)


@kernel
def _depthwise3(arrays, job, shift, scratch, backward):
    for p in range(0, job.n, STRIP):
        m = min(STRIP, job.n - p)
        for j in range(job.n_out):
            for i in range(m):
                scratch[i] = arrays.bias[job.bias + j]
            for ky in range(3):
                pair, single = arrays.w[job.w + 12 * j + 4 * ky], arrays.w[job.w + 12 * j + 4 * ky + 1]
                w0, w1 = np.int32(np.int16(pair & 0xFFFF)), np.int32(pair >> 16)
                w2 = np.int32(np.int16(single & 0xFFFF))
                at = job.x + j * job.cs + p + ky * job.rs
                row = arrays.x[at : at + m + 2]
                for i in range(m):
                    scratch[i] += w0 * np.int32(row[i]) + w1 * np.int32(row[i + 1]) + w2 * np.int32(row[i + 2])
            _finish(scratch, m, j, p, arrays, job, shift, backward)


@kernel(unit=True)
def forward_conv3(arrays, job, shift, scratch):
    """3x3 convolution of paired x: leak, rounding shift of 1..30 bits, clip to +-ACT_CLIP."""
    _conv(arrays, job, shift, scratch, False, 3)


@kernel(unit=True)
def forward_conv1(arrays, job, shift, scratch):
    """As `forward_conv3`, 1x1."""
    _conv(arrays, job, shift, scratch, False, 1)


@kernel(unit=True)
def forward_depthwise3(arrays, job, shift, scratch):
    """As `forward_conv3`, one 3x3 filter a channel, of flat x."""
    _depthwise3(arrays, job, shift, scratch, False)


@kernel(unit=True)
def backward_conv3(arrays, job, shift, scratch):
    """Gradient with respect to a layer's inputs: as `forward_conv3`, on mirrored weights.

    The leak is taken where the forward activation, `arrays.mask`, is not positive; clip to +-GRAD_CLIP.
    """
    _conv(arrays, job, shift, scratch, True, 3)


@kernel(unit=True)
def backward_conv1(arrays, job, shift, scratch):
    """As `backward_conv3`, 1x1."""
    _conv(arrays, job, shift, scratch, True, 1)


@kernel(unit=True)
def backward_depthwise3(arrays, job, shift, scratch):
    """As `backward_conv3`, one 3x3 filter a channel, of flat x."""
    _depthwise3(arrays, job, shift, scratch, True)


@kernel(unit=True)
def output(x, w, bias, out, job, scratch):
    """One output of the last layer: 3x3 over the hidden channels plus 5x5 over the inputs, to flat int16 Q14.

    job : OutputJob
    """
    n, cs, rs = job.n, job.cs, job.rs
    half = np.int32(1 << (OUTPUT_SHIFT - 1))
    for p in range(0, n, STRIP):
        m = min(STRIP, n - p)
        for i in range(m):
            scratch[i] = bias[job.bias]
        for c in range(job.n_pairs):
            _add_taps(scratch, m, x[job.x + 2 * (c * cs + p) :], rs, 3, w[job.w + 9 * c :], 1)
        for c in range(job.n_skip_pairs):
            w_at = job.skip_w + SKIP * SKIP * c
            _add_taps(scratch, m, x[job.skip_x + 2 * (c * cs + p) :], rs, SKIP, w[w_at:], 1)
        for i in range(m):
            a = np.int32(scratch[i] + half) >> OUTPUT_SHIFT
            out[job.out + p + i] = np.int16(min(max(a, -OUTPUT_CLIP), OUTPUT_CLIP))


@kernel
def _gradient(x, g, dw, job, taps, depthwise):
    cs, rs, n = job.cs, job.rs, job.n
    n_seen = 1 if depthwise else job.n_in
    for co in range(job.n_out):
        for k in range(n_seen):
            ci = co if depthwise else k
            for ky in range(taps):
                for kx in range(taps):
                    total = np.int64(0)
                    x0, g0 = job.x + ci * cs + ky * rs + kx, job.g + co * cs
                    xs, gs = x[x0 : x0 + n], g[g0 : g0 + n]
                    for p in range(n):
                        total += np.int64(np.int32(xs[p]) * np.int32(gs[p]))
                    dw[job.dw + (co * n_seen + k) * taps * taps + ky * taps + kx] += total


@kernel(unit=True)
def gradient_conv3(x, g, dw, job):
    """Weight gradients of a 3x3 layer: dw[co][ci][ky][kx] += sum over p of g[co][p] * x[ci][p + ky rs + kx].

    Parameters
    ----------
    x, g : flat int16; g is zero at unused positions and for 64 samples after n
    dw : int64 canonical weights
    job : GradientJob, outputs a multiple of 8, inputs even
    """
    _gradient(x, g, dw, job, 3, False)


@kernel(unit=True)
def gradient_conv1(x, g, dw, job):
    """As `gradient_conv3`, 1x1."""
    _gradient(x, g, dw, job, 1, False)


@kernel(unit=True)
def gradient_depthwise3(x, g, dw, job):
    """As `gradient_conv3`, dw[channel][ky][kx]."""
    _gradient(x, g, dw, job, 3, True)


@kernel(unit=True)
def gradient_output(x, g, dw, job):
    """As `gradient_conv3`, any number of outputs, inputs a multiple of 4."""
    _gradient(x, g, dw, job, 3, False)


@kernel(unit=True)
def gradient_skip(x, g, dw, job):
    """As `gradient_conv3`, any number of outputs, 5x5 taps."""
    _gradient(x, g, dw, job, SKIP, False)
