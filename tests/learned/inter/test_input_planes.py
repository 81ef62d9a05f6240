"""The table of input planes: one entry makes a plane that nets can take."""

import numpy as np
import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.errors import ConfigError
from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.engine.weights import builtin_weights
from codecsim.learned.inter.input_planes import PLANES, Canvas, InputPlane, fill_planes, planes_of
from codecsim.learned.learner import LearnerInputs
from codecsim.learned.model_files import INTER_LUMA, Model, save_model
from codecsim.tools.inter_chroma import InterChromaSettings
from codecsim.tools.inter_luma import InterLumaSettings
from tests.conformance.clips import make_clip
from tests.conformance.runs import check_own_decoder, run_encoder


def test_the_table_has_all_planes_that_settings_switch():
    settings = InterLumaSettings(further=3, block_size="input", qp_plane=False), InterChromaSettings()
    named = {name for own in settings for name in own.inputs}
    assert named == {*PLANES}
    assert [plane.name for plane in planes_of(settings[0].inputs)] == [*settings[0].inputs]
    with pytest.raises(ConfigError, match="there is no input plane 'colour'"):
        planes_of(["prediction", "colour"])


def test_margins_repeat_the_outermost_samples():
    rng = np.random.default_rng(0)
    pred = rng.integers(0, 256, (8, 12)).astype(np.uint16)
    canvas = Canvas(np.zeros((4, 8 + 9, 12 + 10), np.int16), 3, np.zeros((8, 12), np.int32))
    fill_planes(planes_of(["prediction", "high_pass", "qp"]), LearnerInputs(pred, {}, 35, 8), canvas)
    for plane in canvas.planes[:3]:
        np.testing.assert_array_equal(plane[:14, :18], np.pad(plane[3:11, 3:15], 3, mode="edge"))
    assert (canvas.planes[2] == 3 * 128).all() and not canvas.planes[3].any()


def test_a_plane_of_which_no_setting_knows(tmp_path, monkeypatch):
    """Its entry and a model file that names it are all that encoder and decoder need."""
    seen = []

    def fill(inputs, canvas, k):
        seen.append(k)
        h, w = inputs.prediction.shape
        moved = inputs.motion.ref_idx[..., 0] >= 0
        inner = canvas.planes[k, canvas.margin : canvas.margin + h, canvas.margin : canvas.margin + w]
        inner[:] = np.kron(moved, np.full((4, 4), 1024, np.int16))

    monkeypatch.setitem(PLANES, "moved", InputPlane("moved", "1024 where list 0 is used", fill))
    inputs = ("moved", *InterLumaSettings(further=0).inputs)
    spec, path = NetSpec.plain(6, 8, 1), tmp_path / "moved.safetensors"
    save_model(path, Model(INTER_LUMA, spec, builtin_weights(spec).master, inputs))
    settings = {"inter_luma": {"model": str(path), "further": 0, "tile_log2": 4}}
    run = run_encoder(EncoderConfig(preset="fast", settings=settings), make_clip("texture", 72, 40, 3))
    assert {*seen} == {0} and any(report.trained_steps for report in run.reports)
    check_own_decoder(run, models=[path])
