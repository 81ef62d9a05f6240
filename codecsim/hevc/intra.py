"""Normative.  Intra prediction of one transform block: reference samples, their smoothing, and the 35 modes.

Layout of `refs`, int32 of shape REFS_SHAPE (allocated once by the caller, reused for every block), for a block of n
samples a side:

- row 0, entries 0..4n: the neighbouring samples as they stand, in one line from the bottom-left end around the corner
  to the top-right end: p[-1][y] is entry 2n-1-y (y = -1..2n-1), p[x][-1] is entry 2n+1+x (x = -1..2n-1);
- row 1: the same line smoothed;
- rows 2..34: scratch of `predict_mode`.

The search gathers and filters once for each block and then predicts as many modes as it likes.
"""

from typing import NamedTuple

import numpy as np

from codecsim.hevc.indexing import natural
from codecsim.hevc.tables import (
    DC,
    HORIZONTAL,
    INTRA_ANGLE,
    INTRA_FILTER_THRESHOLD,
    INTRA_INVERSE_ANGLE,
    PLANAR,
    VERTICAL,
)
from codecsim.kernels.jit import kernel

REFS_SHAPE = (35, 132)

_PROJECTED = 2
_TILE = 3
_ORIGIN = 32  # entry of row 2 that holds the corner, so that up to 32 projected samples fit before it


class Surroundings(NamedTuple):
    """What a block of one component is predicted from."""

    plane: np.ndarray  # (h + 2 * pad, w + 2 * pad) uint16: reconstruction so far; sample (x, y) is [y + pad, x + pad]
    pad: int
    zorder: np.ndarray  # (h4, w4) int32 from `make_zorder`; units of 4 luma samples


@kernel(unit=True)
def gather_references(around, tb, bit_depth, refs):
    """Collect the neighbouring samples of a block into row 0 of `refs`, replacing those not yet decoded.

    Parameters
    ----------
    around : Surroundings
    tb : TransformBlock
    refs : REFS_SHAPE int32
        Row 0 is written.

    Source: H.265 8.4.4.2.2, constrained_intra_pred_flag 0.
    """
    plane, zorder = around.plane, around.zorder
    shift = 2 if tb.c_idx == 0 else 1
    step = 1 << shift
    units_high, units_wide = zorder.shape
    unit_x = tb.x >> shift
    unit_y = tb.y >> shift
    current = zorder[unit_y, unit_x]
    units = natural((1 << tb.log2) >> shift)
    row = natural(tb.y + around.pad)
    column = natural(tb.x + around.pad)
    # The line is gathered from its bottom-left end on.  A hole takes the sample before it; a hole at the start takes
    # the first sample found after it.
    first = -1
    end = 0
    for i in range(2 * units - 1, -1, -1):
        v = unit_y + i
        if unit_x > 0 and v < units_high and zorder[v, unit_x - 1] < current:
            below = row + (i + 1) * step - 1
            for k in range(step):
                refs[0, end + k] = plane[below - k, column - 1]
            if first < 0:
                first = end
        elif first >= 0:
            for k in range(step):
                refs[0, end + k] = refs[0, end - 1]
        end += step
    if unit_x > 0 and unit_y > 0 and zorder[unit_y - 1, unit_x - 1] < current:
        refs[0, end] = plane[row - 1, column - 1]
        if first < 0:
            first = end
    elif first >= 0:
        refs[0, end] = refs[0, end - 1]
    end += 1
    for i in range(2 * units):
        u = unit_x + i
        if unit_y > 0 and u < units_wide and zorder[unit_y - 1, u] < current:
            for k in range(step):
                refs[0, end + k] = plane[row - 1, column + i * step + k]
            if first < 0:
                first = end
        elif first >= 0:
            for k in range(step):
                refs[0, end + k] = refs[0, end - 1]
        end += step
    if first < 0:
        for i in range(end):
            refs[0, i] = 1 << (bit_depth - 1)
    else:
        for i in range(first):
            refs[0, i] = refs[0, first]


@kernel
def filter_references(refs, log2, strong, bit_depth):
    """Smooth row 0 of `refs` into row 1.  Needed for luma blocks of 8x8 and more; chroma is never smoothed in 4:2:0.

    Parameters
    ----------
    strong : bool
        strong_intra_smoothing_enabled_flag.

    Source: H.265 8.4.4.2.3.
    """
    n = natural(1 << log2)
    corner = 2 * n
    end = 4 * n
    if strong and log2 == 5:
        flat = 1 << (bit_depth - 5)
        first, middle, last = refs[0, 0], refs[0, corner], refs[0, end]
        if abs(middle + last - 2 * refs[0, 96]) < flat and abs(middle + first - 2 * refs[0, 32]) < flat:
            for i in range(65):
                refs[1, i] = ((64 - i) * first + i * middle + 32) >> 6
                refs[1, 64 + i] = ((64 - i) * middle + i * last + 32) >> 6
            return
    refs[1, 0] = refs[0, 0]
    for i in range(1, end):
        refs[1, i] = np.int32(refs[0, i - 1] + 2 * refs[0, i] + refs[0, i + 1] + 2) >> 2
    refs[1, end] = refs[0, end]


@kernel(inline=True)
def uses_filtered_references(mode, log2, c_idx):
    """Whether a mode reads row 1 of `refs`.  Source: H.265 8.4.4.2.3 (filterFlag)."""
    if c_idx != 0 or mode == DC:
        return False
    return min(abs(mode - VERTICAL), abs(mode - HORIZONTAL)) > INTRA_FILTER_THRESHOLD[log2]


@kernel(unit=True)
def predict_mode(refs, log2, mode, c_idx, bit_depth, dst, dy, dx):
    """Predict a block from gathered (and, if the mode asks for it, filtered) references.

    Parameters
    ----------
    refs : REFS_SHAPE int32
        Rows 0 and 1 are read, the rest is overwritten.
    mode : int
        0..34: planar, DC, 2..34 angular.
    dst : (h, w) uint16
        dst[dy + j, dx + i] of the block is written.

    Source: H.265 8.4.4.2.4 (planar), 8.4.4.2.5 (DC), 8.4.4.2.6 (angular).
    """
    row = 1 if uses_filtered_references(mode, log2, c_idx) else 0
    if mode == PLANAR:
        _predict_planar(refs, row, log2, dst, dy, dx)
    elif mode == DC:
        _predict_dc(refs, log2, c_idx == 0 and log2 < 5, dst, dy, dx)
    elif mode in (HORIZONTAL, VERTICAL):
        limit = (1 << bit_depth) - 1 if c_idx == 0 and log2 < 5 else 0
        _predict_pure(refs, log2, mode == VERTICAL, limit, dst, dy, dx)
    else:
        _predict_angular(refs, row, log2, mode, dst, dy, dx)


@kernel
def _predict_planar(refs, row, log2, dst, dy, dx):
    n = natural(1 << log2)
    dy, dx = natural(dy), natural(dx)
    top = 2 * n + 1
    top_right = refs[row, 3 * n + 1]
    bottom_left = refs[row, n - 1]
    for j in range(n):
        left = refs[row, 2 * n - 1 - j]
        for i in range(n):
            across = (n - 1 - i) * left + (i + 1) * top_right
            down = (n - 1 - j) * refs[row, top + i] + (j + 1) * bottom_left
            dst[dy + j, dx + i] = np.int32(across + down + n) >> (log2 + 1)


@kernel
def _predict_dc(refs, log2, smooth_edges, dst, dy, dx):
    n = natural(1 << log2)
    dy, dx = natural(dy), natural(dx)
    top = 2 * n + 1
    total = n
    for i in range(n):
        total += refs[0, n + i] + refs[0, top + i]
    mean = total >> (log2 + 1)
    for j in range(n):
        for i in range(n):
            dst[dy + j, dx + i] = mean
    if smooth_edges:
        for i in range(1, n):
            dst[dy, dx + i] = (refs[0, top + i] + 3 * mean + 2) >> 2
        for j in range(1, n):
            dst[dy + j, dx] = (refs[0, 2 * n - 1 - j] + 3 * mean + 2) >> 2
        dst[dy, dx] = (refs[0, 2 * n - 1] + 2 * mean + refs[0, top] + 2) >> 2


@kernel
def _predict_pure(refs, log2, vertical, limit, dst, dy, dx):
    """Modes 10 and 26.  `limit` is the largest sample value, or 0 for no smoothing of the edge."""
    n = natural(1 << log2)
    dy, dx = natural(dy), natural(dx)
    top = 2 * n + 1
    corner = refs[0, 2 * n]
    if vertical:
        for j in range(n):
            for i in range(n):
                dst[dy + j, dx + i] = refs[0, top + i]
        if limit > 0:
            for j in range(n):
                sample = refs[0, top] + ((refs[0, 2 * n - 1 - j] - corner) >> 1)
                dst[dy + j, dx] = min(max(sample, 0), limit)
    else:
        for j in range(n):
            sample = refs[0, 2 * n - 1 - j]
            for i in range(n):
                dst[dy + j, dx + i] = sample
        if limit > 0:
            for i in range(n):
                sample = refs[0, 2 * n - 1] + ((refs[0, top + i] - corner) >> 1)
                dst[dy, dx + i] = min(max(sample, 0), limit)


@kernel
def _predict_angular(refs, row, log2, mode, dst, dy, dx):
    n = natural(1 << log2)
    dy, dx = natural(dy), natural(dx)
    angle = INTRA_ANGLE[mode]
    vertical = mode >= 18
    # `main` runs along the side the mode points to, `side` along the other; both lead away from the corner.
    main = 1 if vertical else -1
    corner = 2 * n
    if vertical:
        for i in range(2 * n + 1):
            refs[_PROJECTED, _ORIGIN + i] = refs[row, corner + i]
    else:
        for i in range(2 * n + 1):
            refs[_PROJECTED, _ORIGIN + i] = refs[row, corner - i]
    last = (n * angle) >> 5
    if last < -1:
        inverse = INTRA_INVERSE_ANGLE[mode]
        for i in range(-1, last - 1, -1):
            refs[_PROJECTED, _ORIGIN + i] = refs[row, corner - main * ((i * inverse + 128) >> 8)]
    for j in range(n):
        offset = (j + 1) * angle
        start = natural(_ORIGIN + 1 + (offset >> 5))
        fraction = np.int32(offset & 31)
        rest = np.int32(32) - fraction
        if vertical:
            for i in range(n):
                near, far = refs[_PROJECTED, start + i], refs[_PROJECTED, start + i + 1]
                dst[dy + j, dx + i] = np.int32(rest * near + fraction * far + 16) >> 5
        else:
            for i in range(n):
                near, far = refs[_PROJECTED, start + i], refs[_PROJECTED, start + i + 1]
                refs[_TILE + j, i] = np.int32(rest * near + fraction * far + 16) >> 5
    if not vertical:
        for j in range(n):
            for i in range(n):
                dst[dy + j, dx + i] = refs[_TILE + i, j]


@kernel
def predict_intra(around, tb, mode, strong, bit_depth, refs, dst, at):
    """Gather, filter if needed, and predict: the decoder's way.  Parameters as in the functions above.

    dst : uint16, at : Place: dst[at.y + j, at.x + i] is written; it may be the reconstruction itself
    """
    gather_references(around, tb, bit_depth, refs)
    if uses_filtered_references(mode, tb.log2, tb.c_idx):
        filter_references(refs, tb.log2, strong, bit_depth)
    predict_mode(refs, tb.log2, mode, tb.c_idx, bit_depth, dst, at.y, at.x)
