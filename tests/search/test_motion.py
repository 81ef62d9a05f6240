"""Motion search: interpolated planes are those of motion compensation."""

from typing import NamedTuple

import numpy as np
import pytest

from codecsim.binding import bind
from codecsim.picture import PAD_Y, Planes, extend_borders
from codecsim.search.motion import aim_beside, component_bits, interpolate_picture
from codecsim.syntax.slice_data import SliceSyntax
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


class Slots(NamedTuple):
    slot_of: np.ndarray


class SimpleRecon(NamedTuple):
    refs: Slots


class Aim(NamedTuple):
    """What `aim_beside` knows of a search."""

    subpel: np.ndarray
    rc: SimpleRecon
    orig: Planes
    target: np.ndarray
    sl: SliceSyntax


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_what_a_second_prediction_aims_at(bit_depth):
    height, width, top = 24, 40, (1 << bit_depth) - 1
    rng = np.random.default_rng(bit_depth)
    subpel = rng.choice([0, top, top // 3], (1, 16, height + 2 * PAD_Y, width + 2 * PAD_Y)).astype(np.uint16)
    orig = rng.choice([0, top, top // 2], (height, width)).astype(np.uint16)
    syntax = SliceSyntax(**{name: bit_depth if name == "bit_depth" else 0 for name in SliceSyntax._fields})
    target = np.zeros((64, 64), np.int16)
    state = Aim(subpel, SimpleRecon(Slots(np.zeros((2, 16), np.int64))), Planes(orig, orig, orig), target, syntax)
    aim_beside(bind(state), 0, 0, 4 * 3 + 1, 4 * -2 + 2, 16, 8, 16, 8)
    other = subpel[0, 4 * 2 + 1, PAD_Y + 8 - 2 :, PAD_Y + 16 + 3 :][:8, :16].astype(int)
    wanted = 2 * orig[8:16, 16:32].astype(int) - other
    if bit_depth == 10:
        wanted = np.clip(wanted, 0, top)
    assert np.array_equal(target[:8, :16], wanted)
    assert wanted.min() == (-top if bit_depth == 8 else 0)


def test_component_bits_grow_with_magnitude():
    bits = [component_bits(v) for v in range(200)]
    assert bits[0] == 1
    assert bits == sorted(bits)
    assert all(abs(component_bits(-v) - component_bits(v)) <= 2 for v in range(200))
