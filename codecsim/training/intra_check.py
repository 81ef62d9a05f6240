"""Check of a trained intra filter: torch with the integers' rounding gives the samples of the engine, bit for bit.

Weights and activations are whole numbers in float64, whose sums are exact.
"""

import numpy as np
import torch
from torch.nn import functional

from codecsim.errors import ModelError
from codecsim.hevc.intra import REFS_SHAPE, Surroundings, predict_intra
from codecsim.hevc.tables import DC, make_zorder
from codecsim.kernels.binding import bind
from codecsim.learned.engine.spec import (
    ACT_BITS,
    ACT_CLIP,
    LEAK_SHIFT,
    OUTPUT_BITS,
    OUTPUT_CLIP,
    OUTPUT_SHIFT,
    SKIP,
    WEIGHT_BITS,
    WEIGHT_CLIP,
    Layer,
    NetSpec,
)
from codecsim.learned.intra.filter import UNIT_LOG2, IntraFilter, filter_block
from codecsim.learned.intra.inputs import is_transposed
from codecsim.learned.model_files import Model
from codecsim.picture.areas import Place, TransformBlock
from codecsim.picture.planes import PAD_Y
from codecsim.tools.intra import IntraSettings

_MODES = 35


def _wrap(x: torch.Tensor) -> torch.Tensor:
    """Modulo 2**32, from -2**31 on."""
    return torch.remainder(x + 2**31, 2**32) - 2**31


def _requantise(sums: torch.Tensor, shift: int, limit: int) -> torch.Tensor:
    return torch.clamp(torch.floor(_wrap(sums + 2 ** (shift - 1)) / 2**shift), -limit, limit)


def exact_output(spec: NetSpec, weights: np.ndarray, planes: np.ndarray) -> torch.Tensor:
    """Output of a network of a NetSpec, as the engine's integers.

    Parameters
    ----------
    spec : NetSpec of one output, without depthwise layers
    weights : (n,) float32, canonical
    planes : (n_inputs, h + 2 margin, w + 2 margin) integers

    Returns
    -------
    (h, w) float64 tensor of whole numbers, 2**OUTPUT_BITS for an output of 1
    """
    whole = torch.from_numpy(weights.astype(np.float64))
    x = torch.from_numpy(planes.astype(np.float64))[None]

    def rounded(start: int, end: int, shape: tuple[int, int, int, int]) -> torch.Tensor:
        scaled = torch.round(whole[start:end] * 2**WEIGHT_BITS).clamp(-WEIGHT_CLIP, WEIGHT_CLIP)
        return scaled.reshape(shape)

    def sums(layer: Layer, inputs: torch.Tensor) -> torch.Tensor:
        bias = torch.round(whole[layer.bias : layer.end] * 2 ** (ACT_BITS + WEIGHT_BITS))
        return functional.conv2d(inputs, rounded(layer.weights, layer.skip, layer.weight_shape), bias)

    *hidden, last = spec.layers
    y = _cut(x, spec.margin - 1 - spec.reach)
    for layer in hidden:
        y = _wrap(sums(layer, y))
        y = _requantise(torch.where(y > 0, y, torch.floor(y / 2**LEAK_SHIFT)), WEIGHT_BITS, ACT_CLIP)
    skip = rounded(last.skip, last.bias, (last.n_out, spec.n_inputs, SKIP, SKIP))
    y = sums(last, y) + functional.conv2d(_cut(x, spec.margin - SKIP // 2), skip)
    return _requantise(y, OUTPUT_SHIFT, OUTPUT_CLIP)[0, 0]


def _cut(x: torch.Tensor, n: int) -> torch.Tensor:
    return x[:, :, n : x.shape[2] - n, n : x.shape[3] - n]


def check_bits(model: Model, seed: int = 0, blocks: int = 200, qps: tuple[int, int] = (22, 37)) -> int | None:
    """Filter blocks of all sizes, at random places and of random modes, of pictures that are smooth in places.

    Returns
    -------
    int : outputs of the network that are not zero

    Raises
    ------
    ModelError : an output or a filtered sample differs
    """
    torch.set_num_threads(1)
    rng, spec, count = np.random.default_rng(seed), model.spec, 0
    refs, parts, table = np.zeros(REFS_SHAPE, np.int32), spec.parts(model.weights), spec.table
    zorder = make_zorder(32, 32)
    for qp in qps:
        net = bind(IntraFilter(IntraSettings(), model, 8).net(qp))
        smooth = np.kron(rng.integers(0, 256, (16, 16)), np.ones((8, 8)))
        noise = np.linspace(1, 40, 128) * rng.standard_normal((128, 128))
        picture = np.pad(np.clip(smooth + noise, 0, 255).astype(np.uint16), PAD_Y)
        for k in range(blocks):
            log2 = 2 + k % 4
            n, mode = 1 << log2, int(rng.integers(_MODES))
            y, x = (rng.integers(128 // n, size=2) * n).tolist()
            area, pred = (slice(y, y + n), slice(x, x + n)), np.zeros((128, 128), np.uint16)
            around, tb = Surroundings(picture, PAD_Y, zorder), TransformBlock(y, x, log2, 0)
            predict_intra(around, tb, mode, True, 8, refs, pred, Place(y, x))
            before = pred[area].astype(np.float64)
            filter_block(net, around, tb, mode, refs, pred)
            side = n + 2 * spec.net.margin
            weights = parts[table[int(mode > DC), log2 - 2]]
            out = exact_output(spec.net, weights, net.value.patch[:, :side, :side])
            change = torch.floor(out / 2 ** (OUTPUT_BITS - UNIT_LOG2) + 0.5).numpy()
            wanted = np.clip(before + (change.T if is_transposed(mode) else change), 0, 255)
            stride = int(net.value.strides[log2 - 2].rows)
            found = net.value.y[: n * stride].reshape(n, stride)[:, :n]
            if not np.array_equal(out.numpy(), found) or not np.array_equal(wanted, pred[area]):
                raise ModelError("the intra filter's integer network and its torch model differ")
            count += int(np.count_nonzero(found))
    return count
