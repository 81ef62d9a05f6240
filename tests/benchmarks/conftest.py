import importlib.util
import pathlib
import sys

import numpy as np
import pytest

from codecsim.formats.video import create_video
from codecsim.picture.planes import Frame, VideoFormat

BENCHMARKS = pathlib.Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))  # its commands run as scripts, and so do their modules


@pytest.fixture(scope="session")
def suite():
    """The module behind `python -m benchmarks`."""
    spec = importlib.util.spec_from_file_location("suite", BENCHMARKS / "__main__.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Folder with two clips, a.y4m and b.y4m, of 64x64 and three pictures; not to be changed."""
    folder = tmp_path_factory.mktemp("clips")
    y, x = np.mgrid[:64, :64]
    rng = np.random.default_rng(7)
    for name, speed in (("a", 2), ("b", 5)):
        with create_video(folder / f"{name}.y4m", VideoFormat(64, 64, 25)) as write:
            for i in range(3):
                luma = 128 + 60 * np.sin((x + speed * i) / 5) + 40 * np.cos(y / 4) + rng.normal(0, 4, (64, 64))
                luma = luma.clip(0, 255).astype(np.uint8)
                write(Frame(luma, luma[::2, ::2] // 2 + 60, luma[1::2, 1::2] // 3 + 80))
    return folder
