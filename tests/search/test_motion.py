"""Motion search: interpolated planes are those of motion compensation."""

import numpy as np
import pytest

from codecsim.picture import PAD_Y, extend_borders
from codecsim.search.motion import component_bits, interpolate_picture
from codecsim.tools.inter import TMP_SIZE, predict_luma_uni


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_every_phase_equals_motion_compensation(bit_depth):
    height, width = 24, 40
    rng = np.random.default_rng(1)
    plane = np.zeros((height + 2 * PAD_Y, width + 2 * PAD_Y), np.uint16)
    extremes = rng.choice([0, (1 << bit_depth) - 1], (height, width))
    plane[PAD_Y:-PAD_Y, PAD_Y:-PAD_Y] = np.where(rng.random((height, width)) < 0.5, extremes, rng.integers(0, 200))
    extend_borders(plane, PAD_Y)
    subpel = np.zeros((16, *plane.shape), np.uint16)
    interpolate_picture(plane, subpel, np.zeros(plane.shape, np.int16), bit_depth)
    tmp, out = np.zeros(TMP_SIZE, np.int32), np.zeros((8, 8), np.uint16)
    for phase in range(16):
        for y, x, dy, dx in ((0, 0, 0, 0), (8, 16, -3, 5), (16, 32, 40, 60), (0, 0, -66, -70)):
            mv_x, mv_y = 4 * dx + (phase & 3), 4 * dy + (phase >> 2)
            predict_luma_uni(plane, mv_x, mv_y, x, y, 8, 8, out, 0, 0, tmp, bit_depth)
            top, left = y + dy + PAD_Y, x + dx + PAD_Y
            assert np.array_equal(subpel[phase, top : top + 8, left : left + 8], out)


def test_component_bits_grow_with_magnitude():
    bits = [component_bits(v) for v in range(200)]
    assert bits[0] == 1
    assert bits == sorted(bits)
    assert all(abs(component_bits(-v) - component_bits(v)) <= 2 for v in range(200))
