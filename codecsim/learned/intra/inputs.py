"""Normative.  Input planes of the intra prediction filter: a transform block, its prediction and what surrounds it.

A patch is the block of n x n samples and `margin` samples on each side.  Within the block stands its prediction, above
and to the left the reconstruction before in-loop filters, where it is decoded already; else the reference samples of
intra prediction as they are substituted (8.4.4.2.2), repeated away from the block; to the right and below the
prediction's last samples, repeated.  Blocks of horizontal directions (modes 2..17) are transposed, and so is what the
net says of them, so the net sees vertical directions only.
"""

from collections.abc import Mapping

import numpy as np

from codecsim.hevc.indexing import natural
from codecsim.hevc.intra import filter_references, predict_mode
from codecsim.hevc.tables import INTRA_ANGLE, PLANAR
from codecsim.kernels.jit import kernel
from codecsim.learned.engine.spec import ACT_CLIP
from codecsim.learned.inter.inputs import QP_MIDDLE

# What `fill_patch` can fill, in the order of their numbers, and what the values mean, int16 within +-8191.
# To add a plane: its entry, its number, and its branch in `fill_patch`.  Nets take those that their model file names.
PLANES: Mapping[str, str] = {
    "samples": "decoded, substituted or predicted, minus the mean of the nearest references, 32 a sample of 8 bits",
    "place": "where a sample comes from: -1024 decoded, -512 substituted, 1024 predicted, 512 repeated",
    "row": "rows from the block's first, 64 each",
    "column": "columns from the block's first, 64 each",
    "planar": "the planar prediction minus the prediction, 32 a sample of 8 bits",
    "qp": "the QP minus 32, 128 a step",
    "size": "log2 of the size, 1024 a doubling, 0 between 8x8 and 16x16",
    "angle": "32 times intraPredAngle, 0 without direction",
    "second_line": "the prediction from the second line of references minus the prediction, 32 a sample of 8 bits",
    "mode": "1024 planar, -1024 DC, 0 with a direction",
}
INPUTS = tuple(PLANES)
SAMPLES, PLACE, ROW, COLUMN, TO_PLANAR, QP, SIZE, ANGLE, SECOND_LINE, MODE = range(len(INPUTS))
NO_PLANE = -1  # fills up an odd number of planes: zeros
MAX_MARGIN = 4  # context that lies in the units next to the block
PATCH_SIDE = 32 + 2 * MAX_MARGIN

# plane `place`: where a sample comes from
_DECODED, _SUBSTITUTED, _PREDICTED, _REPEATED = -1024, -512, 1024, 512
_FIRST_ANGLE = 2  # modes below have no direction
_FIRST_VERTICAL = 18


@kernel(inline=True)
def is_transposed(mode):
    """Whether the filter sees a block of this luma mode transposed."""
    return _FIRST_ANGLE <= mode < _FIRST_VERTICAL


@kernel
def _is_decoded(zorder, y, x, current):
    uy, ux = y >> 2, x >> 2
    return y >= 0 and x >= 0 and uy < zorder.shape[0] and ux < zorder.shape[1] and zorder[uy, ux] < current


@kernel
def second_line(around, tb, refs, line):
    """The line of reference samples one sample further away from the block, in the order of row 0 of `refs`.

    Parameters
    ----------
    around : Surroundings
    tb : TransformBlock of luma
    refs : REFS_SHAPE int32, gathered; what is not decoded yet is taken from row 0
    line : REFS_SHAPE int32, row 0 is written
    """
    plane, pad, zorder = around
    y, x, n = tb.y, tb.x, natural(1 << tb.log2)
    current = zorder[y >> 2, x >> 2]
    for k in range(4 * n + 1):
        v = 2 * n - 1 - k if k < 2 * n else -1
        u = k - 2 * n - 1 if k > 2 * n else -1
        if _is_decoded(zorder, y + v, x + u, current):
            line[0, k] = plane[pad + y + (v if v >= 0 else -2), pad + x + (u if u >= 0 else -2)]
        else:
            line[0, k] = refs[0, k]


@kernel
def _fill_samples(around, tb, net, refs, pred):
    """The samples of the patch, less the mean of the nearest references, 32 per 8-bit sample; and their places."""
    plane, pad, zorder = around
    margin, bit_depth, patch, place = net.margin, net.bit_depth, net.samples, net.place
    y, x, log2, n = tb.y, tb.x, tb.log2, 1 << tb.log2
    current = zorder[y >> 2, x >> 2]
    total = np.int32(n)
    for i in range(n):
        total += refs[0, n + i] + refs[0, 2 * n + 1 + i]
    mean = total >> (log2 + 1)
    scale = np.int32(1 << (13 - bit_depth))
    for j in range(n + 2 * margin):
        v = j - margin
        for i in range(n + 2 * margin):
            u = i - margin
            if v >= 0 and u >= 0:
                sample = np.int32(pred[y + min(v, n - 1), x + min(u, n - 1)])
                where = _PREDICTED if v < n and u < n else _REPEATED
            elif _is_decoded(zorder, y + v, x + u, current):
                sample = np.int32(plane[pad + y + v, pad + x + u])
                where = _DECODED
            else:
                k = 2 * n - 1 - v if v >= 0 else 2 * n + 1 + u if u >= 0 else 2 * n
                sample = refs[0, k]
                where = _SUBSTITUTED
            patch[j, i] = min(max((sample - mean) * scale, -ACT_CLIP), ACT_CLIP)
            place[j, i] = where


@kernel
def _fill_difference(other, pred, x, y, n, margin, bit_depth, plane):
    """Another prediction of the block less its prediction, 32 per 8-bit sample; zero around it."""
    scale = np.int32(1 << (13 - bit_depth))
    side = n + 2 * margin
    for j in range(side):
        for i in range(side):
            plane[j, i] = 0
    for j in range(n):
        for i in range(n):
            difference = (np.int32(other[j, i]) - np.int32(pred[y + j, x + i])) * scale
            plane[margin + j, margin + i] = min(max(difference, -ACT_CLIP), ACT_CLIP)


@kernel
def _fill_constant(value, side, plane):
    for j in range(side):
        for i in range(side):
            plane[j, i] = value


@kernel
def _fill_ramp(down, side, margin, plane):
    """64 per row from the block's first, or per column."""
    for j in range(side):
        for i in range(side):
            plane[j, i] = ((j if down else i) - margin) * 64


@kernel
def _transpose(side, plane):
    for j in range(side):
        for i in range(j):
            plane[j, i], plane[i, j] = plane[i, j], plane[j, i]


@kernel
def fill_patch(net, around, tb, mode, refs, pred):
    """Fill `net.patch` for a luma block.

    Parameters
    ----------
    net : IntraNet (see intra.filter), bound or not
    around : Surroundings: the reconstruction before in-loop filters so far, padded by at least MAX_MARGIN
    tb : TransformBlock of luma
    mode : int, 0..34
    refs : REFS_SHAPE int32, whose row 0 holds the block's references; the other rows are overwritten
    pred : (h, w) uint16, prediction of the block at (y, x)
    """
    y, x, log2 = tb.y, tb.x, tb.log2
    n, margin, patch = 1 << log2, net.margin, net.patch
    side = n + 2 * margin
    depth = net.bit_depth
    _fill_samples(around, tb, net, refs, pred)
    transposed = is_transposed(mode)
    for c in range(net.inputs.size):
        kind, out = net.inputs[c], patch[c]
        moved = True
        if SAMPLES <= kind <= PLACE:
            source = net.samples if kind == SAMPLES else net.place
            for j in range(side):
                for i in range(side):
                    out[j, i] = source[j, i]
        elif kind == TO_PLANAR:
            filter_references(refs, log2, False, depth)
            predict_mode(refs, log2, PLANAR, 0, depth, net.other, 0, 0)
            _fill_difference(net.other, pred, x, y, n, margin, depth, out)
        elif kind == SECOND_LINE:
            second_line(around, tb, refs, net.line)
            filter_references(net.line, log2, False, depth)
            predict_mode(net.line, log2, mode, 0, depth, net.other, 0, 0)
            _fill_difference(net.other, pred, x, y, n, margin, depth, out)
        else:
            moved = False
        if moved:
            if transposed:
                _transpose(side, out)
        elif ROW <= kind <= COLUMN:
            _fill_ramp(kind == ROW, side, margin, out)
        elif kind == QP:
            _fill_constant((net.qp - QP_MIDDLE) * 128, side, out)
        elif kind == SIZE:
            _fill_constant((2 * log2 - 7) * 512, side, out)
        elif kind == ANGLE:
            _fill_constant(32 * INTRA_ANGLE[mode] if mode >= _FIRST_ANGLE else 0, side, out)
        elif kind == MODE:
            _fill_constant(1024 if mode == PLANAR else -1024 if mode < _FIRST_ANGLE else 0, side, out)
        else:
            _fill_constant(0, side, out)
