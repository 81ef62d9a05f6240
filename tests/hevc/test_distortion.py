import numpy as np
import pytest

from codecsim.hevc import distortion
from tests.reference import distortion as naive

SIZES = [(4, 4), (8, 4), (4, 8), (8, 8), (16, 12), (12, 16), (16, 16), (24, 64), (64, 64), (32, 8), (64, 48)]


@pytest.mark.parametrize(("w", "h"), SIZES)
@pytest.mark.parametrize("kind", ["random", "extreme", "opposite", "equal"])
def test_costs(w, h, kind):
    rng = np.random.default_rng(w * h)
    for top in (255, 1023):
        first = rng.integers(0, top + 1, (80, 90)).astype(np.uint16)
        second = rng.integers(0, top + 1, (100, 85)).astype(np.uint16)
        if kind == "extreme":
            first, second = (first > top // 2).astype(np.uint16) * top, (second > top // 2).astype(np.uint16) * top
        elif kind == "opposite":
            first[:], second[:] = 0, top
        elif kind == "equal":
            first[:], second[:] = top, top
        y, x, sy, sx = (int(v) for v in rng.integers(0, 16, 4))
        a = first[y : y + h, x : x + w].astype(np.int64)
        b = second[sy : sy + h, sx : sx + w].astype(np.int64)
        at = first, y, x, second, sy, sx, w, h
        assert distortion.sad(*at) == abs(a - b).sum()
        assert distortion.sse(*at) == ((a - b) ** 2).sum()
        assert distortion.satd(*at) == naive.satd(a, b)


@pytest.mark.parametrize("side", [4, 8, 16])
def test_satd_of_the_greatest_coefficients(side):
    """Differences that are plus or minus the greatest one in the pattern of each basis function."""
    n = min(side, 8)
    patterns = np.tile(naive.hadamard(n), (side // n, side // n))
    for row in range(n):
        for column in range(n):
            signs = np.outer(patterns[row, :side], patterns[column, :side])
            first, second = np.where(signs > 0, 1023, 0), np.where(signs > 0, 0, 1023)
            at = 0, 0, second.astype(np.uint16), 0, 0, side, side
            assert distortion.satd(first.astype(np.uint16), *at) == naive.satd(first, second)
            target = 2 * first - second
            assert distortion.satd(target.astype(np.int16), *at) == naive.satd(target, second)


@pytest.mark.parametrize(("w", "h"), SIZES)
def test_satd_of_signed_targets(w, h):
    rng = np.random.default_rng(w + h)
    for _ in range(20):
        first, second = rng.integers(-1023, 2047, (h, w)), rng.integers(0, 1024, (h, w))
        at = 0, 0, second.astype(np.uint16), 0, 0, w, h
        assert distortion.satd(first.astype(np.int16), *at) == naive.satd(first, second)
