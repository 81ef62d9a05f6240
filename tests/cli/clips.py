"""A small clip for the tests of the command line."""

import numpy as np

from codecsim.formats.video import create_video
from codecsim.picture.planes import Frame, VideoFormat

FRAMES, WIDTH, HEIGHT = 3, 34, 18


def write_clip(path, seed=0):
    """Write a y4m file of smooth pictures that move, others for another seed."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    with create_video(path, VideoFormat(WIDTH, HEIGHT, 25)) as write:
        for i in range(FRAMES):
            luma = (128 + 60 * np.sin((x + 2 * i) / 5 + seed) + 40 * np.cos(y / 4)).astype(np.uint8)
            write(Frame(luma, luma[::2, ::2] // 2 + 60, luma[1::2, 1::2] // 3 + 80))
