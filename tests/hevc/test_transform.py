import numpy as np
import pytest

from codecsim.hevc import transform
from codecsim.hevc.tables import DCT32, LEVEL_SCALE, QUANT_SCALE
from codecsim.picture.areas import Place, TransformBlock
from tests.reference import transform as naive

SHAPES = [(2, True), (2, False), (3, False), (4, False), (5, False)]
RNG = np.random.default_rng(11)


def make_levels(n, kind):
    levels = np.zeros((n, n), np.int64)
    if kind == "dc":
        levels[0, 0] = RNG.integers(-300, 300)
    elif kind == "sparse":
        v, u = RNG.integers(0, n, (2, 3))
        levels[v, u] = RNG.integers(-40, 40, 3)
    elif kind == "low":
        size = int(RNG.integers(1, n + 1))
        levels[:size, : int(RNG.integers(1, n + 1))] = RNG.integers(-20, 20)
    elif kind == "random":
        levels[:] = RNG.integers(-32768, 32768, (n, n))
    elif kind == "extreme":
        levels[:] = RNG.choice([-32768, 32767], (n, n))
    elif kind == "aligned":
        # Signs that add up in one output sample of the first stage.
        levels[:] = np.where(naive.matrix(n, False)[:, :1] > 0, 32767, -32768)
    return levels.astype(np.int16)


def run_inverse(levels, log2, qp, is_dst, bit_depth):
    n = 1 << log2
    plane = np.full((n + 5, n + 9), 77, np.int16)
    plane[2 : 2 + n, 3 : 3 + n] = levels
    res = np.full(transform.RES_SIZE, 12345, np.int32)
    tmp = np.full(transform.TMP_SIZE, -9999, np.int32)
    transform.dequant_inverse(plane, TransformBlock(2, 3, log2, 0), qp, is_dst, bit_depth, res, tmp)
    assert (res[n * n :] == 12345).all()
    return res[: n * n].reshape(n, n)


@pytest.mark.parametrize(("log2", "is_dst"), SHAPES)
@pytest.mark.parametrize("kind", ["empty", "dc", "sparse", "low", "random", "extreme", "aligned"])
def test_inverse(log2, is_dst, kind):
    for bit_depth, qps in ((8, (0, 5, 27, 51)), (10, (0, 31, 63))):
        for qp in qps:
            for _ in range(4):
                levels = make_levels(1 << log2, kind)
                want = naive.inverse(naive.dequantise(levels, qp, bit_depth), is_dst, bit_depth)
                got = run_inverse(levels, log2, qp, is_dst, bit_depth)
                np.testing.assert_array_equal(got, want, f"qp {qp} depth {bit_depth}")


def test_every_single_coefficient():
    for log2, is_dst in SHAPES:
        n = 1 << log2
        for k in range(n * n):
            levels = np.zeros((n, n), np.int16)
            levels[k // n, k % n] = 31 - k % 63
            want = naive.inverse(naive.dequantise(levels, 30, 8), is_dst, 8)
            np.testing.assert_array_equal(run_inverse(levels, log2, 30, is_dst, 8), want)


@pytest.mark.parametrize("log2", [2, 3, 4, 5])
def test_transform_skip(log2):
    n = 1 << log2
    res = np.zeros(transform.RES_SIZE, np.int32)
    tmp = np.full(transform.TMP_SIZE, -9999, np.int32)
    for bit_depth, qp in ((8, 0), (8, 51), (10, 40)):
        for kind in ("sparse", "random", "extreme"):
            levels = make_levels(n, kind)
            transform.dequant_transform_skip(levels, TransformBlock(0, 0, log2, 0), qp, bit_depth, res, tmp)
            want = naive.transform_skip(naive.dequantise(levels, qp, bit_depth), bit_depth)
            np.testing.assert_array_equal(res[: n * n].reshape(n, n), want)


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_forward_transform_skip_is_undone(bit_depth):
    top = (1 << bit_depth) - 1
    block = RNG.integers(-top, top + 1, (4, 4))
    res, out = (np.zeros(transform.RES_SIZE, np.int32) for _ in range(2))
    res[:16] = block.ravel()
    transform.fwd_transform_skip(res, 2, bit_depth, out)
    np.testing.assert_array_equal(naive.transform_skip(out[:16].reshape(4, 4), bit_depth), block)


@pytest.mark.parametrize(("log2", "is_dst"), SHAPES)
def test_forward(log2, is_dst):
    n = 1 << log2
    out = np.zeros(transform.RES_SIZE, np.int32)
    tmp = np.zeros(transform.TMP_SIZE, np.int32)
    basis = np.sign(DCT32[:: 32 // n, :n])
    for bit_depth in (8, 10):
        top = (1 << bit_depth) - 1
        blocks = [RNG.integers(-top, top + 1, (n, n)) for _ in range(20)]
        blocks += [np.full((n, n), top), np.full((n, n), -top), np.outer(basis[n // 2], basis[n - 1]) * top]
        for block in blocks:
            res = np.zeros(transform.RES_SIZE, np.int32)
            res[: n * n] = block.ravel()
            transform.fwd_transform(res, log2, is_dst, bit_depth, out, tmp)
            want = naive.forward(block, is_dst, bit_depth)
            np.testing.assert_array_equal(out[: n * n].reshape(n, n), want)
            assert abs(want).max() <= 32768


@pytest.mark.parametrize("bit_depth", [8, 10])
def test_forward_then_inverse_is_close(bit_depth):
    top = (1 << bit_depth) - 1
    tmp = np.zeros(transform.TMP_SIZE, np.int32)
    out, back = np.zeros((2, transform.RES_SIZE), np.int32)
    for log2, is_dst in SHAPES:
        n = 1 << log2
        res = RNG.integers(-top, top + 1, transform.RES_SIZE).astype(np.int32)
        transform.fwd_transform(res, log2, is_dst, bit_depth, out, tmp)
        tmp[:1024].reshape(32, 32)[:n, :n] = out[: n * n].reshape(n, n)
        transform.inv_transform(log2, is_dst, n - 1, n - 1, bit_depth, back, tmp)
        assert abs(back[: n * n] - res[: n * n]).max() <= 4 << (bit_depth - 8)


def test_quantiser_factors_are_reciprocal():
    assert (abs(QUANT_SCALE * LEVEL_SCALE - (1 << 20)) < 50).all()


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("n", [4, 8, 16, 32])
def test_add_residual(n, bit_depth):
    top = (1 << bit_depth) - 1
    pred = RNG.integers(0, top + 1, (n + 2, n + 3)).astype(np.uint16)
    res = RNG.choice([-32768, -300, -1, 0, 1, 300, 32767], transform.RES_SIZE).astype(np.int32)
    rec = np.full((n + 7, n + 5), 9999, np.uint16)
    transform.add_residual(pred, Place(1, 2), res, n, rec, Place(3, 4), bit_depth)
    want = np.clip(pred[1 : 1 + n, 2 : 2 + n] + res[: n * n].reshape(n, n), 0, top)
    np.testing.assert_array_equal(rec[3 : 3 + n, 4 : 4 + n], want)
    assert (rec == 9999).sum() == rec.size - n * n
