"""QP by activity: against the formula worked out with NumPy, and at its limits."""

import math

import numpy as np
import pytest

from codecsim.search.adaptive_qp import LEVELS, aim_by_activity, measure_activity, qp_offsets


@pytest.mark.parametrize("size", [8, 16, 32, 64])
@pytest.mark.parametrize("shape", [(64, 64), (72, 136), (8, 24)])
def test_activity(size, shape):
    plane = np.random.default_rng(size).integers(0, 1024, shape).astype(np.uint16)
    plane[: shape[0] // 2] //= 7
    found = np.zeros((-(-shape[0] // size), -(-shape[1] // size)))
    measure_activity(plane, size, found)
    for (row, column), value in np.ndenumerate(found):
        square = plane[size * row : size * (row + 1), size * column : size * (column + 1)]
        quarters = [part for half in np.array_split(square, 2) for part in np.array_split(half, 2, axis=1)]
        assert value == pytest.approx(1 + min(part.var() for part in quarters), rel=1e-9)


@pytest.mark.parametrize("qp_range", [1, 6, 12])
def test_offsets(qp_range):
    activity = np.array([1.0, 2.0, 30.0, 400.0, 400.0, 90000.0, 3.0])
    mean, scale = activity.mean(), 2 ** (qp_range / 6)
    wanted = [round(6 * math.log2((scale * x + mean) / (x + scale * mean))) for x in activity]
    assert qp_offsets(activity, qp_range).tolist() == wanted
    assert wanted[0] == -qp_range and min(wanted) < 0 < max(wanted) <= qp_range
    assert not qp_offsets(np.full(5, 17.0), qp_range).any()


def test_aim_is_a_qp():
    plane = np.zeros((64, 72), np.uint16)
    plane[:, 32:64] = np.random.default_rng(0).integers(0, 1024, (64, 32))
    aim = np.zeros((LEVELS, 8, 9), np.int8)
    aim_by_activity(plane, 30, 0, 8, aim)
    assert (aim == 30).all()
    for bit_depth, lowest in ((8, 0), (10, -12)):
        aim_by_activity(plane, lowest, 12, bit_depth, aim)
        assert aim[2, 0, 0] == lowest and aim[2, 0, 2] > lowest
    aim_by_activity(plane, 51, 12, 8, aim)
    assert aim[2, 0, 0] < 51 and aim[2, 0, 2] == 51
