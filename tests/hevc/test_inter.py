import numpy as np
import pytest

from codecsim.hevc import inter
from codecsim.hevc.tables import CHROMA_TAPS, LUMA_TAPS
from codecsim.picture.areas import Area, Place, Vector
from codecsim.picture.planes import PAD_C, PAD_Y, extend_borders
from tests.reference import inter as naive

KERNELS = {
    True: (inter.predict_luma_uni, inter.predict_luma_14bit, PAD_Y, 2),
    False: (inter.predict_chroma_uni, inter.predict_chroma_14bit, PAD_C, 3),
}


def make_reference(rng, height, width, pad, bit_depth, extreme):
    top = (1 << bit_depth) - 1
    plane = rng.integers(0, top + 1, (height, width))
    if extreme:
        plane = rng.integers(0, 2, (height, width)) * top
    plane = plane.astype(np.uint16)
    padded = np.zeros((height + 2 * pad, width + 2 * pad), np.uint16)
    padded[pad:-pad, pad:-pad] = plane
    extend_borders(padded, pad)
    return plane, padded


def check_block(plane, padded, is_luma, mv, block, bit_depth):
    uni, half, _, _ = KERNELS[is_luma]
    x, y, w, h = block
    tmp = np.full(inter.TMP_SIZE, -7, np.int32)
    out = np.full((h + 2, w + 3), 5, np.uint16)
    wide = np.full((h + 2, w + 3), 5, np.int32)
    uni(padded, Vector(*mv), Area(*block), out, Place(2, 3), tmp, bit_depth)
    half(padded, Vector(*mv), Area(*block), wide, Place(2, 3), tmp, bit_depth)
    want = naive.predict_14bit(plane, *mv, x, y, w, h, is_luma, bit_depth)
    np.testing.assert_array_equal(wide[2:, 3:], want, f"mv {mv} block {block}")
    np.testing.assert_array_equal(out[2:, 3:], naive.round_uni(want, bit_depth), f"mv {mv} block {block}")
    assert (out[:2] == 5).all() and (out[:, :3] == 5).all()


@pytest.mark.parametrize("is_luma", [True, False])
@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_every_phase(is_luma, extreme, bit_depth):
    rng = np.random.default_rng(bit_depth)
    _, _, pad, bits = KERNELS[is_luma]
    plane, padded = make_reference(rng, 40, 56, pad, bit_depth, extreme)
    for phase_y in range(1 << bits):
        for phase_x in range(1 << bits):
            for w, h in ((8, 8), (4, 16), (16, 12), (2, 4)):
                mv = (phase_x - (2 << bits), phase_y + (1 << bits))
                check_block(plane, padded, is_luma, mv, (20, 12, w, h), bit_depth)


@pytest.mark.parametrize("is_luma", [True, False])
@pytest.mark.parametrize("size", [(8, 8), (24, 40), (66, 130)])
def test_any_motion_vector(is_luma, size):
    """Vectors to just inside and far outside of the picture on every side, with the largest block."""
    rng = np.random.default_rng(size[0])
    _, _, pad, bits = KERNELS[is_luma]
    largest = 64 if is_luma else 32
    plane, padded = make_reference(rng, *size, pad, 8, False)
    far = [-32768, 32767, -(largest + 9 << bits) - 1, -(largest + 3 << bits) + 1, -(largest // 2 << bits) + 3]
    far += [(size[1] + k << bits) + 1 for k in (-20, -5, -1, 2, 3, 7, 9)]
    far += [(size[0] + k << bits) + 2 for k in (-20, -5, -1, 2, 3, 7, 9)]
    far += [int(v) for v in rng.integers(-(largest + 20 << bits), (size[1] + 20) << bits, 12)]
    for mvx in far:
        for mvy in rng.choice(far, 4):
            check_block(plane, padded, is_luma, (mvx, int(mvy)), (0, 0, largest, largest), 8)
            check_block(plane, padded, is_luma, (mvx, int(mvy)), (size[1] - 4, size[0] - 4, 4, 4), 8)


@pytest.mark.parametrize("is_luma", [True, False])
@pytest.mark.parametrize("sign", [-1, 1])
def test_largest_sums(is_luma, sign):
    """Samples that follow the signs of the taps, so that both stages reach their extremes."""
    rng = np.random.default_rng(0)
    _, _, pad, bits = KERNELS[is_luma]
    half = 1 << bits - 1
    signs = np.where((LUMA_TAPS if is_luma else CHROMA_TAPS)[half] < 0, -sign, sign)
    plane, padded = make_reference(rng, 32, 32, pad, 10, False)
    plane[:] = 1023 * (np.tile(np.outer(signs, signs), (32 // signs.size,) * 2) > 0)
    padded[pad:-pad, pad:-pad] = plane
    extend_borders(padded, pad)
    check_block(plane, padded, is_luma, (half, half), (0, 0, 32, 32), 10)


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_average(bit_depth):
    rng = np.random.default_rng(1)
    first, second = rng.integers(-16830, 33151, (2, 20, 30)).astype(np.int32)
    first[:, :4], second[:, :4] = 33150, 33150
    first[:, 4:8], second[:, 4:8] = -16830, -16830
    out = np.zeros((19, 31), np.uint16)
    inter.average_bi(first, second, Area(1, 2, 28, 16), out, Place(3, 2), bit_depth)
    want = naive.average_bi(first.astype(int), second.astype(int), bit_depth)[2:18, 1:29]
    np.testing.assert_array_equal(out[3:, 2:30], want)
