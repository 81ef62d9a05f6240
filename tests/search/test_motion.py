"""Motion search: interpolated planes are those of motion compensation, and so are the blocks that it compares."""

from typing import NamedTuple

import numpy as np
import pytest

from codecsim.hevc.compensation import References, compensate, make_inter_scratch
from codecsim.hevc.distortion import satd
from codecsim.hevc.inter import TMP_SIZE, predict_luma_uni
from codecsim.kernels.binding import bind
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Area, Place, Vector
from codecsim.picture.planes import PAD_Y, Motion, Planes, extend_borders
from codecsim.search.motion import component_bits, interpolate_picture, motion_satd


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
            predict_luma_uni(plane, Vector(mv_x, mv_y), Area(x, y, 8, 8), out, Place(0, 0), tmp, bit_depth)
            top, left = y + dy + PAD_Y, x + dx + PAD_Y
            assert np.array_equal(subpel[phase, top : top + 8, left : left + 8], out)


class Reconstruction(NamedTuple):
    refs: References


class Compared(NamedTuple):
    """What `motion_satd` knows of a search."""

    subpel: np.ndarray
    rc: Reconstruction
    orig: Planes
    target: np.ndarray


@kernel
def _motion_satd(st, mv, ref, area):
    return motion_satd(st, mv, ref, area)


def make_compared(rng, height, width, bit_depth):
    """A source and two reference pictures, with their interpolated planes."""
    top = (1 << bit_depth) - 1
    planes = np.zeros((2, height + 2 * PAD_Y, width + 2 * PAD_Y), np.uint16)
    subpel = np.zeros((2, 16, *planes.shape[1:]), np.uint16)
    for plane, phases in zip(planes, subpel, strict=True):
        plane[PAD_Y:-PAD_Y, PAD_Y:-PAD_Y] = rng.integers(0, top + 1, (height, width))
        extend_borders(plane, PAD_Y)
        interpolate_picture(plane, phases, np.zeros(plane.shape, np.int16), bit_depth)
    slot_of = np.zeros((2, 16), np.int64)
    slot_of[0, 1] = slot_of[1, 0] = 1
    orig = rng.integers(0, top + 1, (height, width)).astype(np.uint16)
    refs = References(planes, planes, planes, slot_of, bit_depth)
    return Compared(subpel, Reconstruction(refs), Planes(orig, orig, orig), np.zeros((64, 64), np.int16))


def predicted(state, mv, ref, area):
    """What motion compensation makes of the motion."""
    motion = Motion(np.zeros((1, 1, 2, 2), np.int16), np.zeros((1, 1, 2), np.int8))
    motion.mv[0, 0], motion.ref_idx[0, 0] = mv, ref
    out = np.zeros((area.h, area.w), np.uint16)
    refs, scratch = bind(state.rc.refs), bind(make_inter_scratch())
    compensate(refs, 0, bind(motion), Place(0, 0), area, out, Place(0, 0), scratch)
    return out


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("block", [(0, 0, 64, 64), (8, 24, 16, 12), (56, 32, 8, 4), (32, 0, 32, 64)])
def test_any_vector_is_compared_as_it_is_compensated(bit_depth, block):
    """Far outside of the picture, too."""
    rng = np.random.default_rng(bit_depth + block[2])
    state, (x, y, w, h) = make_compared(rng, 64, 72, bit_depth), block
    for _ in range(60):
        mv = rng.choice([-32768, -700, -300, -9, 0, 6, 250, 420, 32767], (2, 2)) + rng.integers(0, 4, (2, 2))
        mv = np.clip(mv, -32768, 32767).astype(np.int32)
        for ref in ((0, -1), (1, -1), (-1, 0)):
            out = predicted(state, mv, ref, Area(*block))
            found = _motion_satd(bind(state), mv, np.array(ref, np.int8), Area(*block))
            assert found == satd(state.orig.y, y, x, out, 0, 0, w, h)


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_bi_prediction_is_compared_by_halves(bit_depth):
    """Half the transform of twice the source less both predictions, each rounded by itself."""
    rng = np.random.default_rng(bit_depth)
    state, area = make_compared(rng, 64, 72, bit_depth), Area(24, 8, 32, 16)
    x, y, w, h = area
    for _ in range(40):
        mv, ref = rng.integers(-300, 300, (2, 2)).astype(np.int32), rng.integers(0, 2, 2).astype(np.int8)
        first, second = (
            predicted(state, mv, np.where(np.arange(2) == side, ref, -1), area).astype(int) for side in range(2)
        )
        target = (2 * state.orig.y[y : y + h, x : x + w].astype(int) - first).astype(np.int16)
        wanted = satd(target, 0, 0, second.astype(np.uint16), 0, 0, w, h) >> 1
        assert _motion_satd(bind(state), mv, ref, area) == wanted
        assert np.array_equal(state.target[:h, :w], target)


def test_component_bits_grow_with_magnitude():
    bits = [component_bits(v) for v in range(200)]
    assert bits[0] == 1
    assert bits == sorted(bits)
    assert all(abs(component_bits(-v) - component_bits(v)) <= 2 for v in range(200))
