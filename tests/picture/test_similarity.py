"""SSIM and MS-SSIM against two public implementations."""

import numpy as np
import pytest
import pytorch_msssim
import skimage.metrics
import torch
from pytorch_msssim.ssim import _ssim

from codecsim.picture.similarity import SCALE_WEIGHTS, WINDOW, ms_ssim, scale_count, ssim
from tests.conformance.clips import make_clip

TAPS = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
WINDOW_64 = torch.from_numpy(TAPS / TAPS.sum())[None, None, None]  # the packages' own is of 32 bits


def planes(height, width, bit_depth, noise=6):
    """A textured plane, and one with errors."""
    _, (frame, *_) = make_clip("texture", width + width % 2, height + height % 2, 1)
    rng = np.random.default_rng(height)
    first = frame.y[:height, :width].astype(np.int64) << (bit_depth - 8)
    spread = noise << (bit_depth - 8)
    second = np.clip(first + rng.integers(-spread, spread + 1, first.shape), 0, (1 << bit_depth) - 1)
    dtype = np.uint8 if bit_depth == 8 else np.uint16
    return first.astype(dtype), second.astype(dtype)


def as_tensors(*planes):
    return [torch.from_numpy(plane.astype(np.float64))[None, None] for plane in planes]


def of_torch(function, first, second, bit_depth):
    """What pytorch_msssim says, with its window in 64 bits too."""
    value = function(*as_tensors(first, second), data_range=2**bit_depth - 1, win=WINDOW_64)
    return pytest.approx(float(value), abs=1e-12)


@pytest.mark.parametrize(("height", "width", "bit_depth"), [(176, 192, 8), (192, 176, 10), (45, 60, 8), (11, 30, 10)])
def test_ssim_equals_scikit_image(height, width, bit_depth):
    first, second = planes(height, width, bit_depth)
    expected = skimage.metrics.structural_similarity(
        first, second, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=2**bit_depth - 1
    )
    assert ssim(first, second, bit_depth) == pytest.approx(expected, abs=1e-12)
    assert ssim(first, second, bit_depth) == of_torch(pytorch_msssim.ssim, first, second, bit_depth)
    assert 0.1 < expected < 0.99


@pytest.mark.parametrize(("height", "width", "bit_depth"), [(176, 192, 8), (192, 176, 10), (288, 352, 8)])
def test_ms_ssim_equals_pytorch_msssim(height, width, bit_depth):
    first, second = planes(height, width, bit_depth)
    assert ms_ssim(first, second, bit_depth) == of_torch(pytorch_msssim.ms_ssim, first, second, bit_depth)
    assert 0.5 < ms_ssim(first, second, bit_depth) < 0.999


def test_small_planes_have_fewer_scales():
    counts = {11: 1, 21: 1, 22: 2, 43: 2, 44: 3, 87: 3, 88: 4, 175: 4, 176: 5, 2000: 5}
    assert {side: scale_count(side, 3000) for side in counts} == counts
    assert {side: scale_count(3000, side) for side in counts} == counts
    first, second = planes(20, 30, 8)
    assert ms_ssim(first, second) == pytest.approx(ssim(first, second), abs=1e-12)
    first, second = planes(32, 46, 8)  # two scales: the contrast of one, the SSIM of the next
    halves = [plane.reshape(16, 2, 23, 2).mean(axis=(1, 3)) for plane in (first, second)]
    a, b = np.array(SCALE_WEIGHTS[:2]) / sum(SCALE_WEIGHTS[:2])
    (contrast,) = _ssim(*as_tensors(first, second), 255, WINDOW_64)[1]
    last = skimage.metrics.structural_similarity(
        *halves, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert ms_ssim(first, second) == pytest.approx(float(contrast) ** a * last**b, abs=1e-12)


@pytest.mark.parametrize("measure", [ssim, ms_ssim])
def test_extremes(measure):
    dark, bright = np.zeros((40, 52), np.uint16), np.full((40, 52), 1023, np.uint16)
    assert measure(bright, bright, 10) == measure(dark, dark, 10) == 1
    assert 0 <= measure(dark, bright, 10) < 1e-3
    chequered = (np.indices((40, 52)).sum(axis=0) % 2 * 255).astype(np.uint8)
    opposite = measure(chequered, 255 - chequered)
    assert opposite < -0.9 if measure is ssim else opposite == 0
    first, second = planes(64, 64, 8)
    assert measure(first, second) == measure(second, first)


def test_an_odd_last_row_counts_at_full_size_only():
    first, second = planes(45, 61, 8)
    changed = second.copy()
    changed[-1] = 255 - changed[-1]
    assert ssim(first, changed) < ssim(first, second)
    assert ms_ssim(first, changed) < ms_ssim(first, second)


@pytest.mark.parametrize("measure", [ssim, ms_ssim])
def test_sizes_that_cannot_be_measured(measure):
    plane = np.zeros((WINDOW, WINDOW), np.uint8)
    with pytest.raises(ValueError, match="cannot be compared"):
        measure(plane, np.zeros((WINDOW, WINDOW + 1), np.uint8))
    with pytest.raises(ValueError, match="too small"):
        measure(plane[1:], plane[1:])
