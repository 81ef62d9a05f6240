import numpy as np
import pytest

from codecsim.tools import distortion
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


@pytest.mark.parametrize(("w", "h"), SIZES)
@pytest.mark.parametrize("top", [255, 1023])
def test_satd_of_what_is_no_sample(w, h, top):
    """Signed values as far from samples as they may be, all on one side, and on both."""
    rng = np.random.default_rng(w + h)
    low, high = top - distortion.MAX_DIFFERENCE, distortion.MAX_DIFFERENCE
    for values in ([low], [high], [low, high], range(low, high + 1)):
        first = rng.choice(values, (64, 64)).astype(np.int16)
        second = rng.choice([0, top] if len(values) > 1 else [top if values[0] == low else 0], (70, 80))
        at = first, 0, 0, second.astype(np.uint16), 3, 5, w, h
        assert distortion.satd(*at) == naive.satd(first[:h, :w].astype(np.int64), second[3 : 3 + h, 5 : 5 + w])
