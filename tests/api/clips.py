"""Small videos."""

import numpy as np

import codecsim


def moving_waves(width=72, height=56, count=4, seed=0, depth=8):
    """y, u, v arrays of noisy waves that move; uint8, or uint16 of 10 bits."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    luma = [128 + 60 * np.sin((x + 2 * k) / 7) + 30 * np.cos(y / 5) + rng.normal(0, 4, y.shape) for k in range(count)]
    luma = np.stack(luma).clip(0, 255)
    planes = luma, luma[:, ::2, ::2] / 2 + 60, luma[:, 1::2, 1::2] / 3 + 80
    if depth == 10:
        return tuple((4 * plane).astype(np.uint16) for plane in planes)
    return tuple(plane.astype(np.uint8) for plane in planes)


def video(**options):
    """A Video of `moving_waves`."""
    return codecsim.Video.from_arrays(*moving_waves(**options), fps=30)
