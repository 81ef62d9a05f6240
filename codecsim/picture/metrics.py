"""Distortion of pictures: exact squared error and PSNR per plane."""

import math

import numpy as np

from codecsim.picture.planes import Frame

MAX_PSNR = 100.0  # dB; what a plane without any error counts as, and the most that any plane counts as


def plane_sse(first: np.ndarray, second: np.ndarray) -> int:
    """Sum of squared differences, exact.

    Parameters
    ----------
    first, second : (h, w) uint8 or uint16
    """
    if first.shape != second.shape:
        raise ValueError(f"planes of {first.shape} and {second.shape} samples cannot be compared")
    difference = first.astype(np.int64) - second
    return int(np.vdot(difference, difference))


def psnr(sse: int, sample_count: int, bit_depth: int = 8) -> float:
    """Peak signal-to-noise ratio in dB, at most `MAX_PSNR`.

    The peak is 255 * 2**(bit_depth - 8), as in the common test conditions of the field. A plane without error would
    be infinite; one such plane would make every mean infinite, so it counts as `MAX_PSNR`.
    """
    if sse == 0:
        return MAX_PSNR
    peak = 255 << (bit_depth - 8)
    return min(MAX_PSNR, 10 * math.log10(peak * peak * sample_count / sse))


def frame_psnr(original: Frame, coded: Frame, bit_depth: int = 8) -> tuple[float, float, float]:
    """PSNR of Y, U and V in dB."""
    y, u, v = (
        psnr(plane_sse(first, second), first.size, bit_depth) for first, second in zip(original, coded, strict=True)
    )
    return y, u, v
