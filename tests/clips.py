"""Small clips for the tests of campaigns."""

import numpy as np

from codecsim.formats.video import create_video
from codecsim.picture.planes import Frame, VideoFormat


def write_moving_clip(path, speed, frames):
    """Write a y4m file of noisy waves, 64x64, that move by `speed` samples a picture."""
    y, x = np.mgrid[:64, :64]
    rng = np.random.default_rng(7)
    with create_video(path, VideoFormat(64, 64, 25)) as write:
        for i in range(frames):
            luma = 128 + 60 * np.sin((x + speed * i) / 5) + 40 * np.cos(y / 4) + rng.normal(0, 4, (64, 64))
            luma = luma.clip(0, 255).astype(np.uint8)
            write(Frame(luma, luma[::2, ::2] // 2 + 60, luma[1::2, 1::2] // 3 + 80))
