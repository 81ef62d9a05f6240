"""The kernels of single layers, as whole-picture filters use them: any plane size, form, leak and width."""

import numpy as np
import pytest

from codecsim.learned.engine import ops_plain, ops_vector
from codecsim.learned.engine.packing import (
    FLAT,
    PAIRED,
    Operands,
    conv_pairs,
    depthwise_pairs,
    gradient_job,
    join_pairs,
    layer_job,
)
from tests.reference import naive_engine

ENGINES = pytest.mark.parametrize("ops", [ops_vector, ops_plain], ids=["vector", "plain"])
CASES = [("conv3", 8, 8), ("conv3", 16, 64), ("conv1", 8, 8), ("conv1", 64, 24), ("conv1", 6, 64)]
CASES += [("depthwise3", 8, 8), ("depthwise3", 64, 64)]
SLACK = 512


def draw(rng, numbers, shape, limit):
    """Integers within +-limit: anything, or the limits alone."""
    if numbers == "extreme":
        return rng.choice([-limit, limit], shape)
    return np.full(shape, limit) if numbers == "largest" else rng.integers(-limit // 4, limit // 4 + 1, shape)


def plane_stride(rows, rs):
    return -(-(rows * rs + SLACK) // 64) * 64


def to_flat(x, cs):
    """(channels, h, w) -> flat planes."""
    planes = np.zeros((len(x), cs), np.int16)
    planes[:, : x[0].size] = x.reshape(len(x), -1)
    return np.append(planes.ravel(), np.zeros(SLACK, np.int16))


def to_paired(x, cs):
    planes = to_flat(x, cs)[: len(x) * cs].reshape(-1, 2, cs).transpose(0, 2, 1)
    return np.append(planes.ravel(), np.zeros(2 * SLACK, np.int16))


def from_flat(found, n, cs, rs, h, w):
    return found[: n * cs].reshape(n, cs)[:, : h * rs].reshape(n, h, rs)[:, :, :w]


def from_paired(found, n, cs, rs, h, w):
    return from_flat(found[: n * cs].reshape(-1, cs, 2).transpose(0, 2, 1).ravel(), n, cs, rs, h, w)


def operands(kind, w):
    return join_pairs(depthwise_pairs(w[:, 0]) if kind == "depthwise3" else conv_pairs(w))


def weights_of(rng, numbers, kind, n_in, n_out):
    side = 1 if kind == "conv1" else 3
    return draw(rng, numbers, (n_out, 1 if kind == "depthwise3" else n_in, side, side), 32767)


@ENGINES
@pytest.mark.parametrize("numbers", ["any", "extreme", "largest"])
@pytest.mark.parametrize(("kind", "n_in", "n_out"), CASES)
@pytest.mark.parametrize(("forms", "leak", "shift"), [(PAIRED, 3, 13), (FLAT, 0, 15), (PAIRED | FLAT, 31, 1)])
def test_forward(ops, numbers, kind, n_in, n_out, forms, leak, shift):
    rng = np.random.default_rng(n_in + n_out + shift)
    w = weights_of(rng, numbers, kind, n_in, n_out)
    reach, rows, rs = w.shape[2] - 1, 13, 37
    bias = draw(rng, numbers, n_out, 1 << 24).astype(np.int32)
    x, cs = draw(rng, numbers, (n_in, rows, rs), 8191), plane_stride(rows, rs)
    source = to_flat(x, cs) if kind == "depthwise3" else to_paired(x, cs)
    untouched = np.full(n_out * cs + 2 * SLACK, 77, np.int16)
    out, flat = untouched.copy(), untouched.copy()
    h, width = rows - reach, rs - reach
    job = layer_job(n_out, n_in, (cs, rs, h * rs), forms, leak)
    scratch = np.zeros(256, np.int32)
    getattr(ops, f"forward_{kind}")(Operands(source, operands(kind, w), bias, out, flat, flat), job, shift, scratch)
    acc = naive_engine.wrap(naive_engine.apply({"kind": kind}, x, w) + bias[:, None, None])
    acc = np.where(acc > 0, acc, acc >> leak)
    wanted = naive_engine.requantise(acc, shift, 8191)
    if leak == 31:
        assert (wanted >= 0).all()
    for form, array, read in ((PAIRED, out, from_paired), (FLAT, flat, from_flat)):
        if forms & form:
            np.testing.assert_array_equal(read(array, n_out, cs, rs, h, width), wanted)
        else:
            np.testing.assert_array_equal(array, untouched)


@ENGINES
@pytest.mark.parametrize("numbers", ["any", "extreme", "largest"])
@pytest.mark.parametrize(("kind", "n_in", "n_out"), CASES)
def test_backward(ops, numbers, kind, n_in, n_out):
    """On gradients that are padded already, with weights that are mirrored already."""
    n_in = max(n_in, 8)
    rng = np.random.default_rng(n_in)
    w = weights_of(rng, numbers, kind, n_in, n_out)
    reach, rows, rs = w.shape[2] - 1, 9, 50
    g, cs = draw(rng, numbers, (n_in, rows, rs), 4095), plane_stride(rows, rs)
    acts = rng.integers(-2, 3, (n_out, rows, rs))
    source = to_flat(g, cs) if kind == "depthwise3" else to_paired(g, cs)
    out, flat = (np.zeros(n_out * cs + 2 * SLACK, np.int16) for _ in range(2))
    h, width = rows - reach, rs - reach
    job = layer_job(n_out, n_in, (cs, rs, h * rs), PAIRED | FLAT)
    zeros, scratch = np.zeros(n_out, np.int32), np.zeros(256, np.int32)
    run = getattr(ops, f"backward_{kind}")
    run(Operands(source, operands(kind, w), zeros, out, flat, to_flat(acts, cs)), job, 14, scratch)
    acc = naive_engine.wrap(naive_engine.apply({"kind": kind}, g, w))
    wanted = naive_engine.requantise(naive_engine.leak(acc, acts[:, :h, :width] > 0), 14, 4095)
    np.testing.assert_array_equal(from_paired(out, n_out, cs, rs, h, width), wanted)
    np.testing.assert_array_equal(from_flat(flat, n_out, cs, rs, h, width), wanted)


@ENGINES
@pytest.mark.parametrize("numbers", ["any", "extreme", "largest"])
@pytest.mark.parametrize(("kind", "n_in", "n_out"), CASES)
def test_gradient(ops, numbers, kind, n_in, n_out):
    """Sums far beyond 2**31, over planes longer than one block of partial sums."""
    rng = np.random.default_rng(n_out)
    side = 1 if kind == "conv1" else 3
    rows, rs = 70, 61
    x, cs = draw(rng, numbers, (n_in, rows, rs), 8191), plane_stride(rows, rs)
    h, width = rows - side + 1, rs - side + 1
    g = np.zeros((n_out, h, rs), np.int64)
    g[:, :, :width] = draw(rng, numbers, (n_out, h, width), 4095)
    used = g[:, :, :width]
    if kind == "depthwise3":
        wanted = np.stack([naive_engine.weight_gradient(x[c, None], used[c, None], 3) for c in range(n_out)])
    else:
        wanted = naive_engine.weight_gradient(x, used, side)
    dw = np.full(wanted.size, 5, np.int64)
    job = gradient_job(0, 0, 0, (n_out, n_in), (cs, rs, h * rs))
    getattr(ops, f"gradient_{kind}")(to_flat(x, cs), to_flat(g, cs), dw, job)
    np.testing.assert_array_equal(dw - 5, wanted.ravel())


def test_job_with_an_unknown_offset():
    with pytest.raises(TypeError, match="unknown offsets: weights"):
        layer_job(8, 8, (64, 8, 8), weights=3)
