"""QP by spatial activity: finer in flat areas, where errors are seen, and coarser in busy ones, which hide them.

A quantisation group's activity is one more than the least variance of its four quarters.  Against the mean activity a
of the picture's groups, an activity x shifts the QP by 6 log2((s x + a) / (x + s a)), with s = 2**(range / 6): by the
range at most, and by nothing where the activity is the mean.

Source: the adaptive QP of the reference encoder HM, of which this is an implementation.
"""

import numpy as np

from codecsim.kernels.jit import kernel
from codecsim.picture.blocks import CTU_LOG2

MAX_QP = 51
LEVELS = 4  # sizes of squares: 64, 32, 16, 8


@kernel
def _variance(plane, top, bottom, left, right):
    """Variance of the samples of plane[top:bottom, left:right], which are at least 4 x 4."""
    total, squares = 0, 0
    for j in range(top, bottom):
        for i in range(left, right):
            sample = int(plane[j, i])
            total += sample
            squares += sample * sample
    count = (bottom - top) * (right - left)
    mean = total / count
    return squares / count - mean * mean


@kernel
def measure_activity(plane, size, out):
    """Activity of each square of `size` samples of a luma plane; what is outside the picture does not count.

    Parameters
    ----------
    plane : (h, w) uint16, sides multiples of 8
    size : int, 8..64
    out : (>= rows, >= columns) float64, written
    """
    h, w = plane.shape
    for top in range(0, h, size):
        for left in range(0, w, size):
            bottom, right = min(top + size, h), min(left + size, w)
            y, x = (top + bottom) >> 1, (left + right) >> 1
            least = min(_variance(plane, top, y, left, x), _variance(plane, top, y, x, right))
            least = min(least, _variance(plane, y, bottom, left, x), _variance(plane, y, bottom, x, right))
            out[top // size, left // size] = 1.0 + least


def qp_offsets(activity, qp_range):
    """QP offset of each entry of a float64 array of activities, int8, -qp_range..qp_range."""
    scale = 2.0 ** (qp_range / 6)
    mean = activity.mean()
    relative = (scale * activity + mean) / (activity + scale * mean)
    return np.floor(6 * np.log2(relative) + 0.5).astype(np.int8)


def aim_by_activity(plane, slice_qp, qp_range, bit_depth, out):
    """The QP that each square of a picture aims at.

    Parameters
    ----------
    plane : (h, w) uint16, source luma at coded size
    slice_qp : int, SliceQpY
    qp_range : int, largest offset; 0: none
    bit_depth : int
    out : (LEVELS, H8, W8) int8 [6 - log2 of the size, row, column], written
    """
    out[:] = slice_qp
    if qp_range == 0:
        return
    h, w = plane.shape
    for level in range(LEVELS):
        size = 1 << (CTU_LOG2 - level)
        activity = np.zeros((-(-h // size), -(-w // size)))
        measure_activity(plane, size, activity)
        rows, columns = activity.shape
        qp = slice_qp + qp_offsets(activity, qp_range)
        out[level, :rows, :columns] = np.clip(qp, -6 * (bit_depth - 8), MAX_QP)
