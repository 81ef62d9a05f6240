import numpy as np
import pytest

from codecsim.hevc.deblock import DeblockParams, deblock_picture
from codecsim.picture.blocks import make_blocks
from codecsim.picture.planes import Picture
from tests.reference import deblock as naive


def split_picture(rng, blocks, motion, intra_share, bi_share):
    """Fill the stores with a random partitioning of 64x64 CTUs whose CUs lie inside the picture."""
    units_high, units_wide = blocks.qp.shape

    def put_motion(y, x, h, w):
        lists = [0, 1] if rng.random() < bi_share else [int(rng.random() < bi_share)]
        area = np.s_[y : y + h, x : x + w]
        motion.ref_idx[area], motion.mv[area] = -1, 0
        for i in lists:
            motion.ref_idx[(*area, i)] = rng.integers(2)
            motion.mv[(*area, i)] = rng.integers(-3, 4, 2) + (rng.random() < 0.1) * rng.integers(-32768, 32700)

    def transform_tree(y, x, log2, smallest):
        if log2 > 5 or (log2 > smallest and rng.random() < 0.4):
            half = 1 << log2 - 3
            for j in (0, half):
                for i in (0, half):
                    transform_tree(y + j, x + i, log2 - 1, smallest)
            return
        size = 1 << log2 - 2
        blocks.tu_log2[y : y + size, x : x + size] = log2
        blocks.cbf[y : y + size, x : x + size] = rng.integers(8) * (rng.random() < 0.4)

    def coding_tree(y, x, log2):
        size = 1 << log2 - 2
        if y >= units_high or x >= units_wide:
            return
        outside = y + size > units_high or x + size > units_wide
        if outside or (log2 > 3 and rng.random() < 0.6):
            for j in (0, size // 2):
                for i in (0, size // 2):
                    coding_tree(y + j, x + i, log2 - 1)
            return
        area = np.s_[y : y + size, x : x + size]
        blocks.cu_log2[area], blocks.qp[area] = log2, rng.integers(20, 52)
        intra = rng.random() < intra_share
        part = int(rng.choice([0, 3]) if intra and log2 == 3 else 0 if intra else rng.choice(8 if log2 > 3 else 3))
        part = 0 if part == 3 and not intra else part
        blocks.part_mode[area], blocks.pred_mode[area] = part, 1 if intra else 2
        transform_tree(y, x, log2, 2)
        put_motion(y, x, size, size)
        if intra:
            motion.ref_idx[area] = -1
            return
        vertical, horizontal = naive.prediction_edges(log2, part)
        for at in vertical:
            put_motion(y, x + at // 4, size, size - at // 4)
        for at in horizontal:
            put_motion(y + at // 4, x, size - at // 4, size)

    for y in range(0, units_high, 16):
        for x in range(0, units_wide, 16):
            coding_tree(y, x, 6)


def fill(rng, picture, kind, bit_depth):
    top = (1 << bit_depth) - 1
    for plane in picture.planes:
        plane[:] = 777
    for plane in picture.inner():
        ramp = np.add.outer(np.arange(plane.shape[0]), np.arange(plane.shape[1])) * (top / sum(plane.shape))
        spread = {"smooth": 3, "steps": 12, "random": top}[kind]
        steps = np.kron(rng.integers(-spread, spread + 1, (96, 96)), np.ones((4, 4)))
        steps = steps[: plane.shape[0], : plane.shape[1]]
        noise = rng.integers(-2, 3, plane.shape) if kind != "random" else rng.integers(-top, top + 1, plane.shape)
        plane[:] = np.clip(ramp + steps + noise, 0, top)


@pytest.mark.parametrize("size", [(8, 8), (24, 40), (72, 136), (128, 64)])
@pytest.mark.parametrize("kind", ["smooth", "steps", "random"])
@pytest.mark.parametrize(("intra_share", "bi_share"), [(1.0, 0.0), (0.2, 0.0), (0.1, 0.6)])
def test_deblock(size, kind, intra_share, bi_share):
    height, width = size
    rng = np.random.default_rng([height, width, len(kind), int(10 * bi_share)])
    for bit_depth in (8, 10):
        blocks = make_blocks(height, width)
        picture = Picture(width, height)
        split_picture(rng, blocks, picture.motion, intra_share, bi_share)
        # Two entries of the lists name the same picture, so that equal indices and equal pictures are told apart.
        picture.ref_poc[:, :2] = [[4, 0], [4, 8]] if rng.random() < 0.5 else [[4, 4], [8, 4]]
        fill(rng, picture, kind, bit_depth)
        offsets = (int(v) for v in rng.integers(-6, 7, 4))
        params = DeblockParams(*(2 * v for v in offsets), bit_depth)
        want = [plane.copy() for plane in picture.inner()]
        naive.deblock(blocks, picture.motion, picture.ref_poc, want, params)
        before = [plane.copy() for plane in picture.planes]
        deblock_picture(blocks, picture.motion, picture.ref_poc, picture.planes, params)
        for got, expected in zip(picture.inner(), want, strict=True):
            np.testing.assert_array_equal(got, expected)
        for got, old in zip(picture.planes, before, strict=True):
            pad = (got.shape[0] - (height if got is picture.planes.y else height // 2)) // 2
            got[pad:-pad, pad:-pad] = old[pad:-pad, pad:-pad]
            np.testing.assert_array_equal(got, old, "the padding was touched")
