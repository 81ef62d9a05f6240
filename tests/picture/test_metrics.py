import numpy as np
import pytest

from codecsim.picture.metrics import MAX_PSNR, frame_psnr, plane_sse, psnr
from codecsim.picture.planes import Frame


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_sse_is_exact_at_the_extremes(dtype, top):
    dark, bright = np.zeros((600, 800), dtype), np.full((600, 800), top, dtype)
    assert plane_sse(dark, bright) == plane_sse(bright, dark) == 480_000 * top * top
    assert plane_sse(bright, bright) == 0


def test_planes_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        plane_sse(np.zeros((2, 2), np.uint8), np.zeros((2, 4), np.uint8))


def test_psnr():
    assert psnr(1, 1) == pytest.approx(48.1308, abs=1e-4)
    assert psnr(16, 1, bit_depth=10) == pytest.approx(48.1308, abs=1e-4)
    assert psnr(0, 1) == psnr(1, 10**12) == MAX_PSNR


def test_planes_are_reported_in_order():
    first = Frame(*(np.zeros((2, 2), np.uint8),) * 3)
    second = Frame(*(np.full((2, 2), error, np.uint8) for error in (1, 0, 255)))
    assert frame_psnr(first, second) == pytest.approx((48.1308, MAX_PSNR, 0), abs=1e-4)
