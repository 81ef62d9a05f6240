"""The intra prediction filter, block by block."""

import dataclasses

import numpy as np
import pytest

from codecsim.errors import ConfigError
from codecsim.hevc.intra import REFS_SHAPE, Surroundings, predict_intra
from codecsim.hevc.tables import make_zorder
from codecsim.kernels.binding import bind
from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.intra import filter as intra_filter
from codecsim.learned.intra.filter import IntraFilter, filter_block
from codecsim.learned.intra.inputs import INPUTS, fill_patch
from codecsim.learned.intra.spec import IntraSpec
from codecsim.picture.areas import Place, TransformBlock
from codecsim.tools.intra import IntraSettings
from tests.learned.intra.intra_models import random_model
from tests.reference import intra as naive_intra
from tests.reference import intra_filter as naive

PAD = 80
ODD = ("samples", "second_line", "angle")
SPECS = {
    "shallow": {"hidden": (("conv1", 8),)},
    "usual": {"hidden": (("conv3", 16), ("conv3", 16)), "seed": 1, "split": "direction"},
    "deep": {"hidden": (("conv3", 8), ("conv3", 16), ("conv3", 8)), "inputs": ODD, "seed": 2, "split": "both"},
    "wild": {"hidden": (("conv3", 8),), "size": 1.0, "seed": 3, "split": "size"},
}
MODES = (0, 1, 2, 9, 10, 14, 18, 26, 27, 34)


def blocks(rng, zorder, count):
    """(log2, y, x, mode) of blocks in a picture, those of its edges and corners more often."""
    height, width = 4 * zorder.shape[0], 4 * zorder.shape[1]
    for k in range(count):
        log2 = 2 + k % 4
        n = 1 << log2
        y, x = (int(rng.integers(size // n)) * n if rng.integers(4) else 0 for size in (height, width))
        yield log2, y, x, int(rng.choice(MODES))


def make_picture(rng, bit_depth, height=72, width=88):
    smooth = np.kron(rng.integers(0, 256, (height // 8 + 1, width // 8 + 1)), np.ones((8, 8), int))[:height, :width]
    samples = np.clip(smooth + rng.integers(-20, 21, smooth.shape), 0, 255) << (bit_depth - 8)
    return samples.astype(np.uint16), make_zorder(height // 4, width // 4)


def prepare(samples, zorder, bit_depth, log2, y, x, mode):
    """Surroundings, block, references, and a picture that holds the block's prediction."""
    padded, refs, pred = np.pad(samples, PAD), np.zeros(REFS_SHAPE, np.int32), np.zeros_like(samples)
    around, tb = Surroundings(padded, PAD, zorder), TransformBlock(y, x, log2, 0)
    predict_intra(around, tb, mode, True, bit_depth, refs, pred, Place(y, x))
    return around, tb, refs, pred


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("engine", ["vector", "plain"])
def test_matches_its_twin(name, bit_depth, engine, monkeypatch):
    monkeypatch.setenv("CODECSIM_ENGINE", engine)
    rng = np.random.default_rng(bit_depth)
    model = random_model(**SPECS[name])
    samples, zorder = make_picture(rng, bit_depth)
    net = bind(IntraFilter(IntraSettings(), model, bit_depth).net(27))
    changed = 0
    for log2, y, x, mode in blocks(rng, zorder, 24):
        n, margin = 1 << log2, model.spec.net.margin
        around, tb, refs, pred = prepare(samples, zorder, bit_depth, log2, y, x, mode)
        wanted = naive.planes(model.inputs, samples, zorder, x, y, n, mode, pred, 27, bit_depth, margin)
        fill_patch(net, around, tb, mode, refs.copy(), pred)
        found = net.value.patch[: len(model.inputs), : n + 2 * margin, : n + 2 * margin]
        np.testing.assert_array_equal(found, wanted, err_msg=f"{n} at {y}, {x}, mode {mode}")
        expected = naive.filtered(model, samples, zorder, x, y, n, mode, pred, 27, bit_depth)
        before = pred.copy()
        filter_block(net, around, tb, mode, refs, pred)
        block = slice(y, y + n), slice(x, x + n)
        np.testing.assert_array_equal(pred[block], expected, err_msg=f"{n} at {y}, {x}, mode {mode}")
        changed += int((pred[block] != before[block]).sum())
        pred[block] = before[block]
        np.testing.assert_array_equal(pred, before)  # nothing around the block
    assert changed > 100


def test_turned_pictures_are_filtered_alike():
    """A block of a horizontal direction is the vertical one of the transposed picture."""
    rng = np.random.default_rng(5)
    model = random_model(hidden=(("conv3", 8), ("conv3", 8)))
    samples, _ = make_picture(rng, 8, 64, 64)
    zorder = np.zeros((16, 16), np.int32)
    zorder[4:8, 4:8] = 1  # 16x16 at (16, 16); all around it is decoded
    net = bind(IntraFilter(IntraSettings(), model, 8).net(32))
    for mode in (2, 5, 10, 17):
        results = []
        for picture, its_mode in ((samples, mode), (np.ascontiguousarray(samples.T), 36 - mode)):
            around, tb, refs, pred = prepare(picture, zorder, 8, 4, 16, 16, its_mode)
            filter_block(net, around, tb, its_mode, refs, pred)
            results.append(pred)
        np.testing.assert_array_equal(results[0], results[1].T)


def test_the_second_line_is_where_it_says():
    """On a slope straight across the lines, the line further away predicts one step less."""
    zorder = np.zeros((16, 16), np.int32)
    zorder[4:6, 4:6] = 1
    samples = np.tile(2 * np.arange(64, dtype=np.uint16)[:, None], (1, 64))
    planes = naive.planes(("second_line",), samples, zorder, 16, 16, 8, 26, np.full_like(samples, 30), 32, 8, 2)
    assert (planes[0, 2:10, 3:10] == -2 * 32).all()  # row 14 instead of row 15, but for the edge filter's column
    assert naive_intra.available(zorder, 16, 16, 16, 15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": ("samples", "moon")}, "not moon"),
        ({"inputs": ("samples",) * 5}, "5 inputs for a network of 2"),
        ({"spec": NetSpec(2, (("conv3", 8),) * 4)}, "margin up to 4"),
        ({"spec": NetSpec(2, (("conv3", 8), ("depthwise3", 8)))}, "runs conv3 and conv1"),
        ({"spec": NetSpec(2, (("conv3", 8),), 2)}, "one output"),
    ],
)
def test_refuses_other_models(change, message):
    spec = IntraSpec(change.get("spec", NetSpec(2, (("conv3", 8),))))
    model = dataclasses.replace(
        random_model(inputs=("samples", "place"), hidden=(("conv3", 8),)),
        spec=spec,
        weights=np.zeros(spec.n_weights, np.float32),
        inputs=change.get("inputs", ("samples", "place")),
    )
    with pytest.raises(ConfigError, match=message):
        IntraFilter(IntraSettings(), model, 8)


def test_every_input_has_a_name():
    assert len({*INPUTS}) == len(INPUTS)
    assert intra_filter.input_kinds(random_model(inputs=ODD)) == (0, 8, 7, -1)


@pytest.mark.parametrize("value", [True, False, "1", "off"])
def test_parameters_survive_packing(value):
    params = IntraSettings(inter_pictures=value)
    assert IntraSettings.from_stream(params.to_stream()) == params


@pytest.mark.parametrize("values", [(), (2,), (1, 1, 1, 1, 1, 1, 1, 1, 1)])
def test_refuses_wrong_parameters(values):
    with pytest.raises(ConfigError, match="intra"):
        IntraSettings.from_stream(values)
