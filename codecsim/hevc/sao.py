"""Normative.  Sample adaptive offset of a whole picture; beside it, the encoder's statistics for choosing offsets.

Source: H.265 8.7.3.
"""

from typing import NamedTuple

import numpy as np

from codecsim.hevc.indexing import natural
from codecsim.kernels.jit import kernel
from codecsim.picture.planes import PAD_C, PAD_Y

SAO_OFF, SAO_BAND, SAO_EDGE = 0, 1, 2

# Position of the two neighbours of a sample by class: the first at (x + A_X, y + A_Y), the second opposite.
_A_X = np.array([-1, 0, -1, 1], np.int64)
_A_Y = np.array([0, -1, -1, -1], np.int64)


class SaoParams(NamedTuple):
    """Parameters per component and 64x64 CTU; arrays (3, CTUs high, CTUs wide), Cb and Cr each with their own copy."""

    type_idx: np.ndarray  # uint8: SAO_*
    band_position: np.ndarray  # uint8: first of the four bands, 0..31
    edge_class: np.ndarray  # uint8: 0 horizontal, 1 vertical, 2 from top left, 3 from top right
    offsets: np.ndarray  # (..., 4) int8: signed, scaled SaoOffsetVal[1..4]


class SaoStatistics(NamedTuple):
    """Per component and CTU: how many samples fall in each category, and the sum of original minus reconstruction."""

    edge_count: np.ndarray  # (3, CTUs high, CTUs wide, 4 classes, 4) int32, last axis as SaoParams.offsets
    edge_sum: np.ndarray  # the same
    band_count: np.ndarray  # (3, CTUs high, CTUs wide, 32) int32
    band_sum: np.ndarray  # the same


def make_sao_params(height, width):
    """Parameters that leave a picture of coded luma size `height` x `width` as it is."""
    shape = (3, (height + 63) >> 6, (width + 63) >> 6)
    return SaoParams(*(np.zeros(shape, np.uint8) for _ in range(3)), np.zeros((*shape, 4), np.int8))


def make_sao_statistics(height, width):
    """Empty statistics for a picture of coded luma size `height` x `width`."""
    shape = (3, (height + 63) >> 6, (width + 63) >> 6)
    tails = ((4, 4), (4, 4), (32,), (32,))
    return SaoStatistics(*(np.zeros(shape + tail, np.int32) for tail in tails))


@kernel
def sao_picture(planes, scratch, sao, bit_depth):
    """Apply SAO to a deblocked picture in place.

    Parameters
    ----------
    planes : Planes
        Padded uint16 planes; the padding is neither read nor written.
    scratch : Planes
        Three arrays of the same shapes and dtype, overwritten: the deblocked samples.
    sao : SaoParams
    """
    for c_idx in range(3):  # not three calls with constants: Numba would compile each
        _sao_plane(planes[c_idx], scratch[c_idx], sao, c_idx, bit_depth)


@kernel(inline=True)
def _geometry(c_idx):
    """Padding of the planes of a component, and log2 of the side of its CTBs."""
    return (PAD_Y, 6) if c_idx == 0 else (PAD_C, 5)


@kernel
def _sao_plane(plane, deblocked, sao, c_idx, bit_depth):
    _, ctus_high, ctus_wide = sao.type_idx.shape
    used = False
    for cy in range(ctus_high):
        for cx in range(ctus_wide):
            used = used or sao.type_idx[c_idx, cy, cx] != SAO_OFF
    if not used:
        return
    rows, columns = plane.shape
    for y in range(rows):
        for x in range(columns):
            deblocked[y, x] = plane[y, x]
    for cy in range(ctus_high):
        for cx in range(ctus_wide):
            kind = sao.type_idx[c_idx, cy, cx]
            if kind == SAO_BAND:
                _offset_bands(plane, sao, c_idx, cy, cx, bit_depth)
            elif kind == SAO_EDGE:
                _offset_edges(plane, deblocked, sao, c_idx, cy, cx, bit_depth)


@kernel
def _offset_bands(plane, sao, c_idx, cy, cx, bit_depth):
    pad, ctb_log2 = _geometry(c_idx)
    y0, y1 = _extent(cy, ctb_log2, plane.shape[0] - 2 * pad, 0)
    x0, x1 = _extent(cx, ctb_log2, plane.shape[1] - 2 * pad, 0)
    o0, o1 = np.int32(sao.offsets[c_idx, cy, cx, 0]), np.int32(sao.offsets[c_idx, cy, cx, 1])
    o2, o3 = np.int32(sao.offsets[c_idx, cy, cx, 2]), np.int32(sao.offsets[c_idx, cy, cx, 3])
    first = np.int32(sao.band_position[c_idx, cy, cx])
    shift = bit_depth - 5
    limit = np.int32((1 << bit_depth) - 1)
    left = natural(pad + x0)
    for y in range(y0, y1):
        row = natural(pad + y)
        for i in range(x1 - x0):
            sample = np.int32(plane[row, left + i])
            band = np.int32(((sample >> shift) - first) & 31)
            offset = o0 if band == 0 else o1 if band == 1 else o2 if band == 2 else o3 if band == 3 else np.int32(0)
            plane[row, left + i] = min(max(np.int32(sample + offset), np.int32(0)), limit)


@kernel
def _offset_edges(plane, deblocked, sao, c_idx, cy, cx, bit_depth):
    pad, ctb_log2 = _geometry(c_idx)
    edge_class = natural(sao.edge_class[c_idx, cy, cx])
    ax, ay = _A_X[edge_class], _A_Y[edge_class]
    y0, y1 = _extent(cy, ctb_log2, plane.shape[0] - 2 * pad, ay)
    x0, x1 = _extent(cx, ctb_log2, plane.shape[1] - 2 * pad, ax)
    o0, o1 = np.int32(sao.offsets[c_idx, cy, cx, 0]), np.int32(sao.offsets[c_idx, cy, cx, 1])
    o2, o3 = np.int32(sao.offsets[c_idx, cy, cx, 2]), np.int32(sao.offsets[c_idx, cy, cx, 3])
    limit = np.int32((1 << bit_depth) - 1)
    left, left_a, left_b = natural(pad + x0), natural(pad + x0 + ax), natural(pad + x0 - ax)
    for y in range(y0, y1):
        row, row_a, row_b = natural(pad + y), natural(pad + y + ay), natural(pad + y - ay)
        for i in range(x1 - x0):
            sample = np.int32(deblocked[row, left + i])
            slope = _slope(sample, deblocked[row_a, left_a + i], deblocked[row_b, left_b + i])
            offset = o0 if slope == -2 else o1 if slope == -1 else o2 if slope == 1 else o3
            offset = np.int32(0) if slope == 0 else offset
            plane[row, left + i] = min(max(np.int32(sample + offset), np.int32(0)), limit)


@kernel(inline=True)
def _extent(index, ctb_log2, size, step):
    """First and end coordinate of a CTB along one axis, less the picture's edge where a neighbour is a step away."""
    start = index << ctb_log2
    end = min(start + (1 << ctb_log2), size)
    if step != 0:
        return max(start, 1), min(end, size - 1)
    return start, end


@kernel(inline=True)
def _slope(sample, a, b):
    """-2 for a valley .. 2 for a peak: sign(sample - a) + sign(sample - b)."""
    a, b = np.int32(a), np.int32(b)
    first = np.int32(sample > a) - np.int32(sample < a)
    return np.int32(first + np.int32(sample > b) - np.int32(sample < b))


@kernel
def measure_sao(original, planes, statistics, bit_depth):
    """Statistics of a deblocked picture against the original.  Encoder only.

    Parameters
    ----------
    original : Planes
        Unpadded uint16 planes of coded size.
    planes : Planes
        Padded uint16 planes, deblocked.
    statistics : SaoStatistics
        All entries are set.  The mean error of a category, edge_sum / edge_count, is its best offset.
    """
    for c_idx in range(3):
        _measure_plane(original[c_idx], planes[c_idx], statistics, c_idx, bit_depth)


@kernel
def _measure_plane(original, plane, statistics, c_idx, bit_depth):
    _, ctus_high, ctus_wide, _ = statistics.band_count.shape
    for cy in range(ctus_high):
        for cx in range(ctus_wide):
            _measure_bands(original, plane, statistics, c_idx, cy, cx, bit_depth)
            for edge_class in range(4):
                _measure_edges(original, plane, statistics, c_idx, cy, cx, edge_class)


@kernel
def _measure_bands(original, plane, statistics, c_idx, cy, cx, bit_depth):
    pad, ctb_log2 = _geometry(c_idx)
    y0, y1 = _extent(cy, ctb_log2, original.shape[0], 0)
    x0, x1 = _extent(cx, ctb_log2, original.shape[1], 0)
    c_idx, cy, cx = natural(c_idx), natural(cy), natural(cx)
    for band in range(32):
        statistics.band_count[c_idx, cy, cx, band] = 0
        statistics.band_sum[c_idx, cy, cx, band] = 0
    for y in range(y0, y1):
        for x in range(x0, x1):
            sample = np.int32(plane[pad + y, pad + x])
            band = natural(sample >> (bit_depth - 5))
            statistics.band_count[c_idx, cy, cx, band] += 1
            statistics.band_sum[c_idx, cy, cx, band] += np.int32(original[y, x]) - sample


@kernel
def _measure_edges(original, plane, statistics, c_idx, cy, cx, edge_class):
    pad, ctb_log2 = _geometry(c_idx)
    ax, ay = _A_X[edge_class], _A_Y[edge_class]
    y0, y1 = _extent(cy, ctb_log2, original.shape[0], ay)
    x0, x1 = _extent(cx, ctb_log2, original.shape[1], ax)
    x0 = natural(x0)
    left, left_a, left_b = natural(pad + x0), natural(pad + x0 + ax), natural(pad + x0 - ax)
    zero = np.int32(0)
    n0, n1, n2, n3, s0, s1, s2, s3 = zero, zero, zero, zero, zero, zero, zero, zero
    for y in range(y0, y1):
        y = natural(y)
        row, row_a, row_b = natural(pad + y), natural(pad + y + ay), natural(pad + y - ay)
        for i in range(x1 - x0):
            sample = np.int32(plane[row, left + i])
            error = np.int32(np.int32(original[y, x0 + i]) - sample)
            slope = _slope(sample, plane[row_a, left_a + i], plane[row_b, left_b + i])
            n0 = np.int32(n0 + np.int32(slope == -2))
            n1 = np.int32(n1 + np.int32(slope == -1))
            n2 = np.int32(n2 + np.int32(slope == 1))
            n3 = np.int32(n3 + np.int32(slope == 2))
            s0 = np.int32(s0 + (error if slope == -2 else zero))
            s1 = np.int32(s1 + (error if slope == -1 else zero))
            s2 = np.int32(s2 + (error if slope == 1 else zero))
            s3 = np.int32(s3 + (error if slope == 2 else zero))
    counts, sums = statistics.edge_count, statistics.edge_sum
    counts[c_idx, cy, cx, edge_class, 0], sums[c_idx, cy, cx, edge_class, 0] = n0, s0
    counts[c_idx, cy, cx, edge_class, 1], sums[c_idx, cy, cx, edge_class, 1] = n1, s1
    counts[c_idx, cy, cx, edge_class, 2], sums[c_idx, cy, cx, edge_class, 2] = n2, s2
    counts[c_idx, cy, cx, edge_class, 3], sums[c_idx, cy, cx, edge_class, 3] = n3, s3
