"""Rate-distortion quantisation: against plain rounding, and the parity that hides signs."""

import numpy as np
import pytest

from codecsim.entropy.cabac import COUNT, make_coder
from codecsim.entropy.contexts import init_contexts
from codecsim.hevc.tables import DCT32, DST4, QUANT_SCALE, SCAN_X, SCAN_Y
from codecsim.hevc.transform import TMP_SIZE, dequant_inverse, fwd_transform
from codecsim.kernels.binding import bind
from codecsim.picture.areas import TransformBlock
from codecsim.search.quantise import Quantiser, make_quantising, quantise, vanishes
from codecsim.syntax.residual import code_residual
from tests.reference import quantise as naive

QP = 30
BIT_DEPTHS = pytest.mark.parametrize("bit_depth", [8, 10])


def component_qp(bit_depth):
    """QP with QpBdOffset added."""
    return QP + 6 * (bit_depth - 8)


def lam(bit_depth):
    """Squared error per bit at QP."""
    return 0.57 * 2.0 ** ((QP - 12) / 3) * 4 ** (bit_depth - 8)


def block(seed, log2, bit_depth):
    """A smooth residual with noise, and its transform."""
    rng = np.random.default_rng(seed)
    n = 1 << log2
    y, x = np.mgrid[:n, :n]
    res = 30 * np.sin(x / n * 3 + seed) * np.cos(y / n * 2) + rng.normal(0, 12, (n, n))
    res = np.rint(res * 2 ** (bit_depth - 8)).astype(np.int32).ravel()
    flat = np.zeros(1024, np.int32)
    flat[: n * n] = res
    coef = np.zeros(1024, np.int32)
    fwd_transform(flat, log2, 0, bit_depth, coef, np.zeros(TMP_SIZE, np.int32))
    return res, coef


def cost_of(levels, res, log2, scan_idx, bit_depth):
    """Squared error plus rate of a block as the search counts it."""
    out, tmp = np.zeros(1024, np.int32), np.zeros(TMP_SIZE, np.int32)
    dequant_inverse(levels, TransformBlock(0, 0, log2, 0), component_qp(bit_depth), 0, bit_depth, out, tmp)
    error = float(((out[: res.size] - res) ** 2).sum())
    if not levels.any():
        return error
    coder = make_coder(np.zeros(1, np.uint8))
    init_contexts(coder.ctx, 0, QP)
    code_residual(COUNT, coder, levels, TransformBlock(0, 0, log2, 0), scan_idx, 0)
    return error + lam(bit_depth) * coder.reg.cost / 2**15


def rounded(coef, log2, bit_depth):
    """Plain rounding to nearest."""
    n = 1 << log2
    qp = component_qp(bit_depth)
    scale, qbits = int(QUANT_SCALE[qp % 6]), 14 + qp // 6 + 15 - bit_depth - log2
    exact = np.abs(coef[: n * n]) * scale / 2**qbits
    return (np.sign(coef[: n * n]) * np.floor(exact + 0.5)).astype(np.int16).reshape(n, n)


def optimised(coef, log2, scan_idx, hide, bit_depth):
    n = 1 << log2
    levels = np.full((n, n), 77, np.int16)
    ctx = make_coder(np.zeros(1, np.uint8)).ctx
    init_contexts(ctx, 0, QP)
    how = Quantiser(component_qp(bit_depth), bit_depth, lam(bit_depth), scan_idx, hide)
    count = quantise(coef, levels, TransformBlock(0, 0, log2, 0), how, ctx, bind(make_quantising()))
    assert count == np.count_nonzero(levels)
    return levels


@BIT_DEPTHS
@pytest.mark.parametrize("log2", [2, 3, 4, 5])
def test_costs_less_than_rounding(log2, bit_depth):
    gains = []
    for seed in range(12):
        res, coef = block(seed, log2, bit_depth)
        scan_idx = seed % 3 if log2 <= 3 else 0
        plain, better = rounded(coef, log2, bit_depth), optimised(coef, log2, scan_idx, 0, bit_depth)
        assert (np.abs(better) <= np.abs(plain)).all()
        gains.append(cost_of(plain, res, log2, scan_idx, bit_depth) / cost_of(better, res, log2, scan_idx, bit_depth))
    assert np.mean(gains) > 1.0
    assert min(gains) > 0.95  # single blocks may lose: rates are estimated with fixed contexts


@BIT_DEPTHS
@pytest.mark.parametrize("log2", [2, 3, 4, 5])
def test_hidden_signs_follow_from_parity(log2, bit_depth):
    hidden = 0
    for seed in range(12):
        _, coef = block(seed, log2, bit_depth)
        scan_idx = seed % 3 if log2 <= 3 else 0
        levels = optimised(4 * coef, log2, scan_idx, 1, bit_depth)
        for i in range(1 << (2 * log2 - 4)):
            xs, ys = 4 * int(SCAN_X[scan_idx, log2 - 2, i]), 4 * int(SCAN_Y[scan_idx, log2 - 2, i])
            group = [int(levels[ys + SCAN_Y[scan_idx, 2, k], xs + SCAN_X[scan_idx, 2, k]]) for k in range(16)]
            coded = [k for k in range(16) if group[k]]
            if coded and coded[-1] - coded[0] > 3:
                hidden += 1
                assert (sum(map(abs, group)) & 1) == (group[coded[0]] < 0)
    assert hidden > 5


def test_nothing_from_nothing():
    assert not optimised(np.zeros(1024, np.int32), 4, 0, 1, 8).any()


@pytest.mark.parametrize(("log2", "scan_idx"), [(2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2), (4, 0), (5, 0)])
@pytest.mark.parametrize("c_idx", [0, 1])
def test_equals_the_naive_twin(log2, scan_idx, c_idx):
    n = 1 << log2
    rng = np.random.default_rng(log2 + 10 * scan_idx)
    spread = np.add.outer(np.arange(n), np.arange(n)).ravel()
    for seed, scale in enumerate((0, 30, 200, 1000, 6000, 32767)):
        for bit_depth, qp in ((8, 22), (8, 37), (10, 0), (10, 63)):
            coef = np.zeros(1024, np.int32)
            coef[: n * n] = np.clip(
                rng.laplace(0, scale * 0.8**spread) if seed % 2 else rng.normal(0, scale, n * n), -32768, 32767
            )
            ctx = rng.integers(0, 126, make_coder(np.zeros(1, np.uint8)).ctx.size).astype(np.uint8)
            for hide in (0, 1):
                found = np.full((n, n), 7, np.int16)
                lam = 0.57 * 2.0 ** ((qp - 12) / 3)
                work = make_quantising()
                for array in work:
                    array[:] = rng.integers(-9, 9, array.size)
                how, tb = Quantiser(qp, bit_depth, lam, scan_idx, hide), TransformBlock(0, 0, log2, c_idx)
                count = quantise(coef, found, tb, how, ctx, bind(work))
                wanted = naive.quantise(coef, log2, c_idx, scan_idx, qp, bit_depth, lam, ctx, hide)
                assert np.array_equal(found, wanted)
                assert count == np.count_nonzero(wanted)


@pytest.mark.parametrize("log2", [2, 3, 4, 5])
@pytest.mark.parametrize("bit_depth", [8, 10])
def test_what_vanishes_has_no_coefficient_that_rounds_up(log2, bit_depth):
    """Residuals in the direction of single basis functions, which need the least energy for a level."""
    n = 1 << log2
    rng = np.random.default_rng(log2)
    matrices = [DCT32[:: 32 // n, :n], DST4] if log2 == 2 else [DCT32[:: 32 // n, :n]]
    tight = 0
    for qp in (10, 22, 37, 51):
        step = 2 ** ((qp - 4) / 6)
        for is_dst, matrix in enumerate(matrices):
            for size in rng.uniform(0.3, 0.6, 60) * step:
                rows = matrix[rng.integers(0, n, 2)].astype(float)
                pattern = np.outer(*rows)
                res = np.zeros(1024, np.int32)
                res[: n * n] = np.rint(size * pattern / np.linalg.norm(pattern) + rng.uniform(-0.5, 0.5)).ravel()
                energy = int((res.astype(np.int64) ** 2).sum())
                coef = np.zeros(1024, np.int32)
                fwd_transform(res, log2, is_dst, bit_depth, coef, np.zeros(TMP_SIZE, np.int32))
                scale = int(QUANT_SCALE[qp % 6]) / 2 ** (14 + qp // 6 + 15 - bit_depth - log2)
                vanished = vanishes(energy, log2, qp, bit_depth)
                assert not vanished or abs(coef).max() * scale < 0.5
                tight += vanished and abs(coef).max() * scale > 0.4
    assert tight
