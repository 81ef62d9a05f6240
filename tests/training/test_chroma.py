"""Training of the chroma filter by the engine."""

import numpy as np

from codecsim.formats.y4m import write_y4m_frame, write_y4m_header
from codecsim.learned.chroma_params import ChromaParams
from codecsim.training.chroma import collect, gain, train
from tests.conformance.clips import make_clip


def test_training_brings_the_prediction_closer_to_the_original(tmp_path):
    video_format, frames = make_clip("texture", 96, 64, 4)
    path = tmp_path / "clip.y4m"
    with path.open("wb") as file:
        write_y4m_header(file, video_format)
        for frame in frames:
            write_y4m_frame(file, frame)
    samples = collect(path, 32, 4)
    assert len(samples) == 6
    params = ChromaParams(channels=8, tile_log2=4)
    weights = train(samples, params, 600)
    np.testing.assert_array_equal(weights, train(samples, params, 600))
    assert gain(samples, params.spec, weights) < 0.97
