"""Training of prediction filters by the engine."""

import numpy as np
import pytest

from codecsim.formats.y4m import write_y4m_frame, write_y4m_header
from codecsim.learned.chroma_params import ChromaParams
from codecsim.learned.model_files import INTER_LUMA, load_model
from codecsim.learned.params import LearnParams
from codecsim.training import chroma, luma
from codecsim.training.by_engine import SampleFile, gain, train
from tests.conformance.clips import make_clip


@pytest.fixture
def clip(tmp_path):
    video_format, frames = make_clip("texture", 96, 64, 4)
    path = tmp_path / "clip.y4m"
    with path.open("wb") as file:
        write_y4m_header(file, video_format)
        for frame in frames:
            write_y4m_frame(file, frame)
    return path


@pytest.mark.parametrize(("filter_of", "params"), [(chroma, ChromaParams), (luma, LearnParams)])
def test_training_brings_the_prediction_closer_to_the_original(tmp_path, clip, filter_of, params):
    samples = SampleFile(tmp_path / "samples", filter_of.collect(clip, 32, 4))
    assert len(samples) == 6
    params = params(channels=8, tile_log2=4)
    weights = train(samples, params, 600)
    np.testing.assert_array_equal(weights, train(samples, params, 600))
    assert gain(samples, params.spec, weights) < 0.97


def test_the_command_writes_a_model_of_the_default_filter(tmp_path, clip):
    luma.command.main([str(clip), "-o", str(tmp_path / "out"), "--frames", "2", "--steps", "2"], standalone_mode=False)
    model = load_model(tmp_path / "out", INTER_LUMA)
    assert (model.spec, model.inputs) == (LearnParams().spec, LearnParams().inputs)
