# ruff: noqa: E402  (the environment is cleared before numpy loads)
"""Speed of the learning engine, against matrix products and against torch on the same machine in the same run.

    python benchmarks/engine.py [--json] [--no-torch] [--output FILE.md]

One thread throughout; CPU time of the thread, best of many runs.  Rates count the multiply-accumulates of the samples
that are produced, 64x64 if not said otherwise, and none of the context around them.  Calls from Python are part of it.
"""

import argparse
import importlib.util
import json
import os
import sys
import time

# OpenBLAS built for another processor, as some containers ask for, would make the yardstick short.
for _name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
    os.environ.pop(_name, None)

import measuring
import numpy as np
from threadpoolctl import threadpool_limits

from codecsim.errors import ConfigError
from codecsim.learned.engine import ops_vector
from codecsim.learned.engine.complexity import forward_macs, inference_kmac, step_macs, training_kmac
from codecsim.learned.engine.packing import (
    FLAT,
    PAIRED,
    Operands,
    conv_pairs,
    depthwise_pairs,
    gradient_job,
    join_pairs,
    layer_job,
    plane_stride,
)
from codecsim.learned.engine.spec import CONV1, CONV3, DEPTHWISE3, NetSpec
from codecsim.learned.engine.state import LearnerState
from codecsim.learned.engine.tile_net import Loss, Optimiser, PackedWeights, TileNet
from codecsim.learned.engine.weights import builtin_weights
from codecsim.learned.inter.prediction_filter import PredictionFilter
from codecsim.learned.learner import LearnerInputs
from codecsim.tools.inter_luma import InterLumaSettings

SIZE = 64
CIF = (352, 288)
LAYERS = [(CONV3, n, n) for n in (8, 16, 32, 64)]
LAYERS += [(CONV1, *sizes) for sizes in ((8, 8), (16, 16), (32, 32), (64, 64), (16, 64), (64, 16))]
LAYERS += [(DEPTHWISE3, n, n) for n in (8, 16, 32, 64)]
TARGETS = {CONV3: 1.0, CONV1: 1.0, DEPTHWISE3: 0.4}  # of the matrix product's rate
RATES = np.array([2e-3, 0.9, 0.999, 1e-8], np.float32)


def best(function, runs=40):
    """Least CPU seconds of one call."""
    function()
    least = float("inf")
    for _ in range(runs):
        start = time.thread_time()
        function()
        least = min(least, time.thread_time() - start)
    return least


def matrix_rate():
    """GMAC/s of numpy's float32 matrix product, of several sizes the best."""
    rng = np.random.default_rng(0)
    rates = []
    for size in (512, 768, 1024):
        a, b = (rng.normal(size=(size, size)).astype(np.float32) for _ in range(2))
        rates.append(size**3 / best(lambda: a @ b) / 1e9)  # noqa: B023
    return max(rates)


def product_rate(n_in, n_out, size):
    """GMAC/s of numpy's float32 matrix product that a 1x1 convolution of planes of `size` is."""
    rng = np.random.default_rng(0)
    weights, planes, out = (
        rng.normal(size=shape).astype(np.float32)
        for shape in ((n_out, n_in), (n_in, size[0] * size[1]), (n_out, size[0] * size[1]))
    )
    return out.shape[1] * weights.size / best(lambda: np.matmul(weights, planes, out=out)) / 1e9


def noise(spec):
    """Random inputs for one tile, and errors."""
    rng = np.random.default_rng(1)
    edge = SIZE + 2 * spec.margin
    planes = rng.integers(-1000, 1000, (spec.n_inputs, edge, edge)).astype(np.int16)
    return planes, rng.integers(-20, 21, (SIZE, SIZE)).astype(np.int16)


def engine_times(spec):
    """CPU seconds of a forward pass and of a training step, on a 64x64 tile."""
    planes, error = noise(spec)
    state, packed = LearnerState(builtin_weights(spec)), PackedWeights(spec)
    inference, training = TileNet(spec, SIZE, SIZE), TileNet(spec, SIZE, SIZE, train=True)
    loss, optimiser = Loss(11, 2048), Optimiser(0, RATES)
    packed.update(state.master)

    def forward():
        inference.load(planes, 0, 0)
        inference.forward(packed)

    def step():
        training.load(planes, 0, 0)
        training.step(state, packed, error, 0, 0, loss, optimiser)

    return best(forward), best(step)


def layer_rates(kind, n_in, n_out, size):
    """GMAC/s of a layer's kernels alone: {way: rate}.

    size : (width, height) of the planes; their rows are two samples longer
    """
    rng, (width, height) = np.random.default_rng(3), size
    rs, side = width + 2, 1 if kind == CONV1 else 3
    cs, n = plane_stride((height + 4) * rs + 512), height * rs
    length = max(n_in, n_out) * cs + 4096
    x = rng.integers(-1000, 1000, length).astype(np.int16)
    g = rng.integers(-100, 100, length).astype(np.int16)
    w = rng.integers(-3000, 3000, (n_out, 1 if kind == DEPTHWISE3 else n_in, side, side))
    packed = join_pairs(depthwise_pairs(w[:, 0]) if kind == DEPTHWISE3 else conv_pairs(w))
    out, flat, dw = np.zeros(length, np.int16), np.zeros(length, np.int16), np.zeros(w.size, np.int64)
    bias, scratch = np.zeros(n_out, np.int32), np.zeros(256, np.int32)
    forward_job = layer_job(n_out, n_in, (cs, rs, n), PAIRED)
    backward_job = layer_job(n_out, n_in, (cs, rs, n), PAIRED | FLAT)
    of_gradient = gradient_job(0, 0, 0, (n_out, n_in), (cs, rs, n))
    forward, backward, gradient = (getattr(ops_vector, f"{way}_{kind}") for way in ("forward", "backward", "gradient"))
    operands, with_mask = Operands(x, packed, bias, out, flat, flat), Operands(x, packed, bias, out, flat, x)
    seconds = {
        "forward": best(lambda: forward(operands, forward_job, 13, scratch)),
        "backward": best(lambda: backward(with_mask, backward_job, 13, scratch)),
        "gradient": best(lambda: gradient(x, g, dw, of_gradient)),
    }
    return {way: w.size * width * height / 1e9 / least for way, least in seconds.items()}


def torch_times(spec):
    """The same work in torch float32: convolutions, autograd, Adam."""
    import torch

    torch.set_num_threads(1)
    functional = torch.nn.functional
    planes, error = noise(spec)
    x, target = torch.from_numpy(planes / np.float32(1024))[None], torch.from_numpy(error / np.float32(8))[None, None]
    body = [torch.nn.Conv2d(layer.n_in, layer.n_out, 3) for layer in spec.layers]
    skip = torch.nn.Conv2d(spec.n_inputs, 1, 5, bias=False)
    weights = [p for layer in (*body, skip) for p in layer.parameters()]
    adam = torch.optim.Adam(weights, lr=2e-3)
    inner = spec.margin - 2

    def network():
        hidden = x
        for layer in body[:-1]:
            hidden = functional.leaky_relu(layer(hidden), 0.125)
        return body[-1](hidden) + skip(functional.pad(x, [-inner] * 4))

    def step():
        adam.zero_grad()
        functional.huber_loss(network(), target, delta=0.125).backward()
        adam.step()

    def forward():
        with torch.no_grad():
            network()

    return best(forward), best(step, 20)


def picture_times(params):
    """Milliseconds of predict and learn for a whole picture with all of it coded, and the steps of learn."""
    width, height = CIF
    rng = np.random.default_rng(2)
    pred = rng.integers(60, 180, (height, width)).astype(np.uint16)
    recon = (pred + rng.integers(-3, 4, pred.shape)).astype(np.uint16)
    coded = np.ones((height // 4, width // 4), np.uint8)
    learner, steps = PredictionFilter(params, width, height), 0
    inputs = LearnerInputs(pred, {name: pred.copy() for name in learner.needs}, 32, 8)

    def learn():
        nonlocal steps
        _, lesson = learner.predict(inputs)
        steps = learner.learn(lesson, recon, coded).trained_steps

    predict = best(lambda: learner.predict(inputs), 15)
    return 1000 * predict, 1000 * (best(learn, 5) - predict), steps


def measure(with_torch):
    """All figures, as a dict that is ready for JSON."""
    found = {"matrix_product_gmac_s": matrix_rate(), "layers": [], "block": [], "cif": []}
    matrix = found["matrix_product_gmac_s"]
    for kind, n_in, n_out in LAYERS:
        row = {"layer": kind, "inputs": n_in, "outputs": n_out}
        tile, picture = layer_rates(kind, n_in, n_out, (SIZE, SIZE)), layer_rates(kind, n_in, n_out, CIF)
        row |= {f"{way}_gmac_s": rate for way, rate in tile.items()}
        row |= {f"{way}_per_matrix": rate / matrix for way, rate in tile.items()}
        row["cif_forward_per_matrix"] = picture["forward"] / matrix
        same = product_rate(n_in, n_out, (SIZE, SIZE)) if kind == CONV1 else None
        row["forward_per_product_of_this_shape"] = same and tile["forward"] / same
        found["layers"].append(row | {"to_reach": TARGETS[kind]})
    for channels in (8, 16, 32):
        spec = NetSpec.plain(2, channels, 3)
        macs = np.array([forward_macs(spec), step_macs(spec)]) * SIZE * SIZE / 1e9
        ours = np.array(engine_times(spec))
        row = {"channels": channels, "forward_us": ours[0] * 1e6, "step_us": ours[1] * 1e6}
        row["forward_gmac_s"], row["step_gmac_s"] = macs / ours
        row["forward_per_matrix"], row["step_per_matrix"] = macs / ours / matrix
        if with_torch:
            row["forward_per_torch"], row["step_per_torch"] = np.array(torch_times(spec)) / ours
        found["block"].append(row)
    for params in (
        InterLumaSettings(channels=8),
        InterLumaSettings(),
        InterLumaSettings(hidden_layers=3),
        InterLumaSettings(channels=32),
    ):
        predict, learn, steps = picture_times(params)
        row = {"channels": params.channels, "hidden_layers": params.hidden_layers, "inputs": len(params.inputs)}
        row |= {"predict_ms": predict, "learn_ms": learn, "steps": steps, "inference_kmac": inference_kmac(params.spec)}
        row["training_kmac"] = training_kmac(params.spec, params, steps, CIF[0] * CIF[1])
        found["cif"].append(row)
    return json.loads(json.dumps(found, default=float))


def show(out, title, rows):
    """Add a list of equal dicts to the report as a table."""
    cells = [[f"{cell:.2f}" if isinstance(cell, float) else cell for cell in row.values()] for row in rows]
    out.table(
        title,
        [name.replace("_gmac_s", ", GMAC/s").replace("_per_", " / ").replace("_", " ") for name in rows[0]],
        cells,
    )


def parse(words=None):
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--no-torch", action="store_true", help="do not compare with torch, which must be installed")
    measuring.output_option(parser)
    return parser.parse_args(words)


def main(arguments):
    """Measure, and print tables or JSON; returns the exit status."""
    if not arguments.no_torch and importlib.util.find_spec("torch") is None:
        raise ConfigError("torch is not installed: pip install '.[train]', or leave it out with --no-torch")
    with threadpool_limits(1):
        found = measure(not arguments.no_torch)
    if arguments.json:
        print(json.dumps(found, indent=1))
        return 0
    out = measuring.Report(arguments, "Speed of the learning engine")
    out.say("", f"float32 matrix product, one thread: {found['matrix_product_gmac_s']:.1f} GMAC/s")
    out.say("That is the best of large square ones; a product of this shape is one with the operands of a 1x1 layer.")
    show(out, "single layers, one 64x64 block, and whole CIF planes", found["layers"])
    show(out, "network 2-C-C-C-1 with 5x5 path, one 64x64 block", found["block"])
    show(out, "CIF picture, everything coded, usual settings but for the network", found["cif"])
    rates = {"engine, matrix product of numpy": found["matrix_product_gmac_s"]}
    for row in found["layers"]:
        name = f"engine, {row['layer']} {row['inputs']} to {row['outputs']}"
        rates |= {f"{name}, {way}": row[f"{way}_gmac_s"] for way in ("forward", "backward", "gradient")}
    for row in found["block"]:
        name = f"engine, net of {row['channels']} channels"
        rates |= {f"{name}, {way}": row[f"{way}_gmac_s"] for way in ("forward", "step")}
    out.keep("one 64x64 block", "GMAC/s", "higher", rates)
    for row in found["cif"]:
        of = f"CIF picture, {row['hidden_layers']} layers of {row['channels']} channels, {row['inputs']} inputs"
        out.keep(of, "ms", "lower", {f"engine, {way}": row[f"{way}_ms"] for way in ("predict", "learn")})
    out.save()
    return 0


if __name__ == "__main__":
    sys.exit(measuring.guarded(main, parse()))
