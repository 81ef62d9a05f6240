"""SSIM and MS-SSIM of planes: how alike the structure of two pictures is.

Both are 1 for equal planes and at least -1 (SSIM) or 0 (MS-SSIM). Means, variances and the covariance are weighted by a
Gaussian of 11x11 samples and sigma 1.5, at every position where it fits in the plane (no padding); K1 = 0.01,
K2 = 0.03, and the dynamic range is 2**bit_depth - 1. The picture is not shrunk before SSIM. MS-SSIM halves it by means
of 2x2 samples, an odd last row or column left out, and weighs five scales; planes with a side below 176 samples have
fewer, their weights scaled to a sum of 1, as in the reference software HM: so chroma and small pictures have figures
too, which must not be set beside those of larger ones.

The arithmetic is floating point, in 64 bits: not normative, and equal to about 1e-12 between machines.

Source: Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, IEEE Trans. Image Processing 13 (2004), for SSIM;
Z. Wang, E. P. Simoncelli, A. C. Bovik, Asilomar Conf. Signals, Systems and Computers (2003), for MS-SSIM;
HM, TEncGOP::xCalculateMSSSIM, for the number of scales.
"""

import math

import numpy as np

from codecsim.extras import needed

WINDOW = 11  # samples a side
SIGMA = 1.5
K1, K2 = 0.01, 0.03
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # from the full size down
_TAPS = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
_TAPS /= _TAPS.sum()


def ssim(first: np.ndarray, second: np.ndarray, bit_depth: int = 8) -> float:
    """Structural similarity of two planes, the mean over all positions of the window.

    Parameters
    ----------
    first, second : (h, w) uint8 or uint16, 0..2**bit_depth-1, each side at least `WINDOW`

    Raises
    ------
    ValueError : planes of different or too small size
    """
    luminance, structure = _similarity(*_as_floats(first, second), bit_depth)
    return float((luminance * structure).mean())


def ms_ssim(first: np.ndarray, second: np.ndarray, bit_depth: int = 8) -> float:
    """Multi-scale structural similarity of two planes.

    The product of the scales' mean contrast and structure terms, of the last scale's mean SSIM, each to the power of
    its weight; a negative mean counts as 0.

    Parameters
    ----------
    first, second : (h, w) uint8 or uint16, 0..2**bit_depth-1, each side at least `WINDOW`

    Raises
    ------
    ValueError : planes of different or too small size
    """
    first, second = _as_floats(first, second)
    weights = SCALE_WEIGHTS[: scale_count(*first.shape)]
    if len(weights) < len(SCALE_WEIGHTS):  # all five are taken as published, their sum is 1.0001
        weights = tuple(weight / math.fsum(weights) for weight in weights)
    product = 1.0
    for scale, weight in enumerate(weights, 1):
        luminance, structure = _similarity(first, second, bit_depth)
        mean = (luminance * structure if scale == len(weights) else structure).mean()
        product *= max(float(mean), 0.0) ** weight
        first, second = _halved(first), _halved(second)
    return product


def scale_count(height: int, width: int) -> int:
    """How many scales MS-SSIM has for a plane: as many as leave twice the window's radius and more, at most 5."""
    return max(1, min(len(SCALE_WEIGHTS), (min(height, width) // WINDOW).bit_length()))


def _as_floats(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if first.shape != second.shape:
        raise ValueError(f"planes of {first.shape} and {second.shape} samples cannot be compared")
    if min(first.shape) < WINDOW:
        raise ValueError(f"a plane of {first.shape} samples is too small for a window of {WINDOW}x{WINDOW}")
    return first.astype(np.float64), second.astype(np.float64)


def _similarity(first: np.ndarray, second: np.ndarray, bit_depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Luminance term, and product of contrast and structure term, at every position of the window."""
    peak = (1 << bit_depth) - 1
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    mean_first, mean_second = _weighted_mean(first), _weighted_mean(second)
    squares = mean_first**2 + mean_second**2
    product = mean_first * mean_second
    variances = _weighted_mean(first**2 + second**2) - squares
    covariance = _weighted_mean(first * second) - product
    return (2 * product + c1) / (squares + c1), (2 * covariance + c2) / (variances + c2)


def _weighted_mean(plane: np.ndarray) -> np.ndarray:
    cv2 = needed("cv2", "SSIM")
    border = WINDOW // 2
    return cv2.sepFilter2D(plane, cv2.CV_64F, _TAPS, _TAPS)[border:-border, border:-border]


def _halved(plane: np.ndarray) -> np.ndarray:
    height, width = (side // 2 for side in plane.shape)
    blocks = plane[: 2 * height, : 2 * width]
    return (blocks[::2, ::2] + blocks[::2, 1::2] + blocks[1::2, ::2] + blocks[1::2, 1::2]) / 4
