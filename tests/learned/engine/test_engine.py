"""The engine against its naive twin, on ordinary and on extreme numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codecsim.errors import ConfigError
from codecsim.learned.engine import ops_plain, ops_vector
from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.engine.state import LearnerState
from codecsim.learned.engine.tile_net import Loss, Optimiser, PackedWeights, TileNet, engine_ops
from codecsim.learned.engine.weights import builtin_weights
from tests.reference import naive_engine

ENGINES = pytest.mark.parametrize("ops", [ops_vector, ops_plain], ids=["vector", "plain"])
# n_inputs, hidden layers, n_outputs
PLAIN = [naive_engine.plain(*shape) for shape in ((2, 8, 1), (4, 16, 2), (6, 8, 3), (8, 32, 2), (2, 16, 4))]
MIXED = [
    (2, (("conv1", 8),)),  # the 5x5 path needs more context than the hidden layers
    (6, (("conv1", 16), ("depthwise3", 16), ("conv1", 8)), 2),
    (8, (("depthwise3", 8), ("depthwise3", 8), ("conv3", 24))),
    (16, (("depthwise3", 16), ("conv1", 64)), 2),
    (4, (("conv3", 16), ("conv1", 40), ("depthwise3", 40), ("conv1", 16), ("conv3", 8), ("depthwise3", 8))),
    (10, (("conv3", 48), ("conv1", 8), ("conv1", 8)), 2),
]
SHAPES = PLAIN + MIXED
RATES = (2e-3, 0.9, 0.999, 1e-8)


def compare_training(ops, shape, master, planes, error, loss, method=0, rates=RATES, size=16):
    """Train one step on each of a few tiles with engine and twin; all outputs, gradients and weights must agree."""
    spec = NetSpec(*shape)
    state = LearnerState(builtin_weights(spec))
    state.master = master.astype(np.float32)
    twin = {name: getattr(state, name).copy() for name in ("master", "moment", "square", "powers")}
    net, packed = TileNet(spec, size, size, train=True, ops=ops), PackedWeights(spec)
    optimiser = Optimiser(method, np.array(rates, np.float32))
    edge = size + 2 * spec.margin
    for y0, x0 in ((0, 0), (3, 1), (1, 2)):
        net.load(planes, y0, x0)
        net.step(state, packed, error, y0, x0, loss, optimiser)
        tile = planes[:, y0 : y0 + edge, x0 : x0 + edge].astype(np.int64)
        errors = error[:, y0 : y0 + size, x0 : x0 + size].astype(np.int64)
        y, gradient = naive_engine.step(shape, twin, tile, errors, loss, method, rates)
        np.testing.assert_array_equal([net.output(k) for k in range(len(y))], y)
        np.testing.assert_array_equal(net.gradient, gradient)
        for name, value in twin.items():
            np.testing.assert_array_equal(getattr(state, name), value, err_msg=name)


def random_case(shape, seed, scale=0.15, size=16):
    rng = np.random.default_rng(seed)
    spec = NetSpec(*shape)
    edge = size + 2 * spec.margin + 4
    planes = rng.integers(-1100, 1101, (shape[0], edge, edge)).astype(np.int16)
    error = rng.integers(-30, 31, (spec.n_outputs, size + 4, size + 4)).astype(np.int16)
    error[rng.random(error.shape) < 0.3] = -32768
    return rng.normal(scale=scale, size=spec.n_weights), planes, error


@ENGINES
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", [0, 1])
def test_training_equals_naive_twin(ops, shape, method):
    compare_training(ops, shape, *random_case(shape, 1), Loss(11, 2048), method)


@ENGINES
@pytest.mark.parametrize("shape", [naive_engine.plain(2, 8, 2), naive_engine.plain(8, 32, 2), *MIXED[3:5]])
@pytest.mark.parametrize("signs", ["positive", "negative", "random"])
def test_extremes_equal_naive_twin(ops, shape, signs):
    """Largest weights, inputs and errors: accumulators wrap, gradients clip, lanes of sums come near 2**31."""
    rng = np.random.default_rng(2)
    spec, size = NetSpec(*shape), 32
    edge = size + 2 * spec.margin + 4
    sign = {"positive": lambda n: np.ones(n), "negative": lambda n: -np.ones(n)}.get(
        signs, lambda n: rng.integers(0, 2, n) * 2 - 1
    )
    planes = (8191 * sign((shape[0], edge, edge))).astype(np.int16)
    error = (255 * sign((spec.n_outputs, size + 4, size + 4))).astype(np.int16)
    master = 32767 / 8192 * sign(spec.n_weights)
    compare_training(ops, shape, master, planes, error, Loss(11, (1 << 17) - 1), size=size)
    compare_training(ops, shape, master, planes, error, Loss(9, 4095), size=size)


@ENGINES
@pytest.mark.parametrize("shape", [PLAIN[1], MIXED[1]], ids=str)
def test_gradients_of_tiles_add_up(ops, shape):
    master, planes, error = random_case(shape, 5)
    spec, found = NetSpec(*shape), {}
    net, packed = TileNet(spec, 16, 16, train=True, ops=ops), PackedWeights(spec)
    packed.update(master.astype(np.float32))
    for tiles in (((0, 0),), ((3, 1),), ((0, 0), (3, 1))):
        for k, tile in enumerate(tiles):
            net.load(planes, *tile)
            net.forward(packed)
            net.backward(packed, error, *tile, Loss(11, 2048), add=k > 0)
        found[tiles] = net.gradient.copy()
    first, second, both = found.values()
    assert first.all() and (first != second).any()
    np.testing.assert_array_equal(both, first + second)


@ENGINES
@pytest.mark.parametrize("shape", [PLAIN[0], (8, (("depthwise3", 8),)), (2, (("conv1", 8),), 2)], ids=str)
def test_largest_sum_of_gradients_is_exact(ops, shape):
    """All activations 8191 and all gradients 4095 over 64x64 samples, far beyond 2**31."""
    spec = NetSpec(*shape)
    master = np.zeros(spec.n_weights)
    layers = naive_engine.split(master, *shape)
    layers[0]["b"][:] = 3.9
    layers[0]["w"][:] = 3.9
    planes = np.full((spec.n_inputs, 80, 80), 8191, np.int16)
    error = np.full((spec.n_outputs, 70, 70), 255, np.int16)
    compare_training(ops, shape, master, planes, error, Loss(11, 4095), size=64)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(SHAPES), st.sampled_from([0.01, 0.5, 3.0]), st.integers(1, 2**17))
def test_vector_equals_plain(seed, shape, scale, bound):
    spec, results = NetSpec(*shape), []
    master, planes, error = random_case(shape, seed, scale, 32)
    for ops in (ops_vector, ops_plain):
        state = LearnerState(builtin_weights(spec))
        state.master = np.clip(master, -3.9, 3.9).astype(np.float32)
        net, packed = TileNet(spec, 32, 32, train=True, ops=ops), PackedWeights(spec)
        for offset in range(3):
            net.load(planes, offset, 0)
            net.step(state, packed, error, offset, 0, Loss(11, bound), Optimiser(0, np.array(RATES, np.float32)))
        outputs = [net.output(k).tobytes() for k in range(spec.n_outputs)]
        results.append((outputs, net.gradient.tobytes(), state.digest()))
    assert results[0] == results[1]


@ENGINES
@pytest.mark.parametrize("shape", [PLAIN[1], *MIXED], ids=str)
@pytest.mark.parametrize("tile", [(8, 8), (5, 40), (33, 12)])
def test_result_does_not_depend_on_tile_shape(ops, shape, tile):
    spec = NetSpec(*shape)
    master, planes, _ = random_case(shape, 3, size=80)
    packed = PackedWeights(spec)
    packed.update(master.astype(np.float32))
    layers = naive_engine.quantise(naive_engine.split(master.astype(np.float32), *shape))
    _, expected = naive_engine.forward(layers, planes.astype(np.int64))
    net = TileNet(spec, *tile, ops=ops)
    for y0, x0 in ((0, 0), (11, 5), (40, 30)):
        net.load(planes, y0, x0)
        net.forward(packed)
        found = [net.output(k) for k in range(spec.n_outputs)]
        np.testing.assert_array_equal(found, expected[:, y0 : y0 + tile[0], x0 : x0 + tile[1]])


def test_builtin_weights_are_fixed_and_give_zero():
    """The digest is part of the format: it may change only together with the format's version."""
    weights = builtin_weights(NetSpec.plain(4, 16, 2))
    assert weights.is_identity
    assert weights.digest().hex() == "f2cec4090627e660a31d996f265e7608"
    assert 0.9 < weights.master[: 16 * 36].std() / np.sqrt(2 / 36) < 1.1


def test_engine_by_name(monkeypatch):
    monkeypatch.setenv("CODECSIM_ENGINE", "plain")
    assert engine_ops() is ops_plain
    monkeypatch.delenv("CODECSIM_ENGINE")
    assert engine_ops() is ops_vector
    with pytest.raises(ConfigError, match="no engine named 'gpu'"):
        engine_ops("gpu")


def test_digests_tell_shapes_apart():
    specs = [NetSpec(*shape) for shape in SHAPES] + [NetSpec(2, (("conv3", 8),), 2)]
    assert len({builtin_weights(spec).digest() for spec in specs}) == len(specs)
    assert builtin_weights(NetSpec.plain(4, 16, 2)).digest() == builtin_weights(NetSpec(*PLAIN[1])).digest()


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((3, (("conv3", 16),)), "2..16 inputs, even"),
        ((18, (("conv3", 16),)), "2..16 inputs, even"),
        ((2, (("conv3", 16),), 3), "1 or 2 outputs"),
        ((2, ()), "1..16 hidden layers"),
        ((2, (("conv3", 8),) * 17), "1..16 hidden layers"),
        ((2, (("conv3", 12),)), "in eights"),
        ((2, (("conv3", 72),)), "in eights"),
        ((2, (("conv5", 8),)), "layers are conv3, conv1, depthwise3"),
        ((2, (("depthwise3", 8),)), "as many channels as enter it"),
        ((2, (("conv3", 8), ("depthwise3", 16))), "as many channels as enter it"),
    ],
)
def test_impossible_networks(shape, reason):
    with pytest.raises(ValueError, match=f"no such network: .*{reason}"):
        NetSpec(*shape)
