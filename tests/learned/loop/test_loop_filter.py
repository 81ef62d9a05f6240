"""The in-loop filter's network against its naive twin and its torch twin."""

import numpy as np
import pytest

from codecsim.learned.loop.filter import LoopFilter, split_weights
from codecsim.learned.loop.spec import ATTENTIONS, LoopSpec
from codecsim.picture.planes import Picture
from tests.reference.loop_filter import filter_picture

SPECS = (
    LoopSpec(8, 1, "plain", "early", 3),
    LoopSpec(32, 3, "plain", "all", 16),
    LoopSpec(64, 2, "separable", "late", 8),
    LoopSpec(16, 4, "separable", "middle", 5),
)


def draw_weights(spec, seed, gain=1.0):
    """Random canonical weights, of a size that keeps activations alive; `gain` makes them larger."""
    rng = np.random.default_rng(seed)
    parts = []
    for name, shape in spec.tensors:
        if name.endswith("bias"):
            parts.append(rng.normal(0, 0.1, shape))
        else:
            parts.append(rng.normal(0, gain * np.sqrt(2 / np.prod(shape[1:])), shape).ravel())
    return np.clip(np.concatenate(parts), -3.9, 3.9).astype(np.float32)


def draw_picture(width, height, bit_depth, seed):
    rng = np.random.default_rng(seed)
    picture = Picture(width, height)
    for plane in picture.planes:
        plane[:] = rng.integers(0, 1 << bit_depth, plane.shape)
    return picture


def run(spec, weights, picture, qp, slice_type, bit_depth=8, threads=1):
    loop_filter = LoopFilter(spec, weights, picture.width, picture.height, bit_depth, threads)
    return [plane.copy() for plane in loop_filter.run(picture.planes, qp, slice_type)]


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize(
    ("size", "bit_depth", "qp", "slice_type", "gain"),
    [((8, 8), 8, 22, 2, 1), ((72, 40), 10, 37, 1, 1), ((136, 24), 8, 51, 0, 1), ((40, 56), 8, 0, 0, 40)],
)
def test_the_naive_twin_gives_the_same_samples(spec, size, bit_depth, qp, slice_type, gain):
    weights = draw_weights(spec, qp, gain)
    picture = draw_picture(*size, bit_depth, qp)
    wanted = filter_picture(picture.inner(), spec, split_weights(spec, weights), qp, slice_type, bit_depth)
    assert any((plane != before).any() for plane, before in zip(wanted, picture.inner(), strict=True))
    for threads in (1, 3):
        for found, plane in zip(run(spec, weights, picture, qp, slice_type, bit_depth, threads), wanted, strict=True):
            np.testing.assert_array_equal(found, plane)


@pytest.mark.parametrize("backbone", ["plain", "separable"])
def test_a_picture_does_not_depend_on_the_one_before(backbone):
    spec = LoopSpec(16, 2, backbone)
    weights = draw_weights(spec, 5)
    pictures = [draw_picture(48, 32, 8, seed) for seed in (1, 2)]
    loop_filter = LoopFilter(spec, weights, 48, 32)
    loop_filter.run(pictures[0].planes, 30, 2)
    again = loop_filter.run(pictures[1].planes, 30, 2)
    for found, wanted in zip(again, run(spec, weights, pictures[1], 30, 2), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_samples_stay_in_range():
    spec = LoopSpec(8, 1)
    weights = draw_weights(spec, 1)
    for sign, wanted in ((3.9, 255), (-3.9, 0)):
        tensors = split_weights(spec, weights)
        tensors["tail.weight"][:], tensors["tail.bias"][:] = 0, sign
        picture = draw_picture(16, 16, 8, 1)
        picture.planes.y[:] = 230 if wanted else 25
        assert (run(spec, weights, picture, 30, 2)[0] == wanted).all()


def test_the_gate_sees_qp_and_slice_type():
    spec = LoopSpec(16, 2, attention="middle")
    weights = draw_weights(spec, 2)
    picture = draw_picture(32, 32, 8, 2)
    base = run(spec, weights, picture, 30, 2)[0]
    for qp, slice_type in ((37, 2), (30, 1), (30, 0)):
        assert (run(spec, weights, picture, qp, slice_type)[0] != base).any()


@pytest.mark.parametrize("backbone", ["plain", "separable"])
@pytest.mark.parametrize("attention", ATTENTIONS)
def test_torch_gives_the_same_bits(backbone, attention):
    torch = pytest.importorskip("torch")
    from codecsim.training.loop_model import LoopModel, check_bits

    spec = LoopSpec(16, 3, backbone, attention, 7)
    model = LoopModel(spec)
    weights = draw_weights(spec, 9)
    model.load_canonical(weights)
    np.testing.assert_array_equal(model.canonical(), weights)
    assert check_bits(model, seed=3) > 0
    with torch.no_grad():
        model.tail.bias[0] += 2**-9
    assert (model.canonical() != weights).any()
