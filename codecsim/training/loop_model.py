"""The in-loop filter's network in torch, with the integer rounding of learned.loop.spec.

With `exact` the model gives the integer network's values, in units of their formats; in float64 bit for bit, and in
float32 within its rounding.  Gradients pass the rounding as if it were not there.  Without it nothing is rounded, but
what the blocks hand on is clipped as it will be.
"""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from codecsim.errors import ModelError
from codecsim.learned.engine.spec import ACT_BITS, ACT_CLIP, DEPTHWISE3, LEAK_SHIFT, WEIGHT_BITS, WEIGHT_CLIP
from codecsim.learned.loop.filter import LoopFilter
from codecsim.learned.loop.spec import (
    CORRECTION_BITS,
    FEATURES,
    GATE_BITS,
    INPUT_BITS,
    LoopLayer,
    LoopSpec,
    slice_features,
)
from codecsim.picture.planes import Picture

_ACT, _WEIGHT, _ACCUMULATOR = 2.0**ACT_BITS, 2.0**WEIGHT_BITS, 2.0 ** (ACT_BITS + WEIGHT_BITS)
_LEAK = 2.0**-LEAK_SHIFT
_LIMIT = ACT_CLIP / _ACT
INPUT_SCALE = 2.0 ** (INPUT_BITS - 8 - ACT_BITS)  # of a sample of 8 bits
OUTPUT_SCALE = 2.0 ** (ACT_BITS - CORRECTION_BITS + 8)  # samples of 8 bits in an output of 1


def _pass_through(exact: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """`exact` forward, the gradient of `value` backward."""
    return value + (exact - value).detach()


class _Layer(nn.Module):
    """A convolution or dense layer, by the shape of its weights, and what follows it."""

    def __init__(self, shape: tuple[int, ...], groups: int = 1, leaky: bool = False, gain: float = 1.0):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.empty(shape)), nn.Parameter(torch.zeros(shape[0]))
        nn.init.kaiming_normal_(self.weight, a=_LEAK)
        with torch.no_grad():
            self.weight.mul_(gain)
        self.groups, self.leaky = groups, leaky

    def forward(self, x: torch.Tensor, exact: bool) -> torch.Tensor:
        weight, bias = self.weight, self.bias
        if exact:
            limit = WEIGHT_CLIP / _WEIGHT
            weight = _pass_through(torch.clamp(torch.round(weight * _WEIGHT) / _WEIGHT, -limit, limit), weight)
            bias = _pass_through(torch.round(bias * _ACCUMULATOR) / _ACCUMULATOR, bias)
        if weight.dim() == 4:
            y = functional.conv2d(x, weight, bias, padding=weight.shape[2] // 2, groups=self.groups)
        else:
            y = functional.linear(x, weight, bias)
        if not exact:
            return functional.leaky_relu(y, _LEAK) if self.leaky else y
        if self.leaky:
            floor = torch.floor(y * (_ACCUMULATOR * _LEAK)) / _ACCUMULATOR
            y = torch.where(y > 0, y, _pass_through(floor, y * _LEAK))
        return torch.clamp(_round(y), -_LIMIT, _LIMIT)


def _round(y: torch.Tensor) -> torch.Tensor:
    """Round half up to whole activations."""
    return _pass_through(torch.floor(y * _ACT + 0.5) / _ACT, y)


def _make_conv(layer: LoopLayer, gain: float = 1.0) -> Any:
    groups = layer.n_in if layer.kind == DEPTHWISE3 else 1
    return _Layer(layer.weight_shape, groups, layer.leaky, gain)


class _Block(nn.Module):
    def __init__(self, spec: LoopSpec, gated: bool):
        super().__init__()
        last = len(spec.residual) - 1
        self.residual = nn.ModuleList(
            _make_conv(layer, 0.3 if k == last else 1.0) for k, layer in enumerate(spec.residual)
        )
        self.gated = gated
        if gated:
            self.squeeze = _Layer((spec.squeeze, spec.channels + FEATURES), leaky=True)
            self.excite = _Layer((spec.channels, spec.squeeze), gain=0.1)

    def forward(self, x: torch.Tensor, features: torch.Tensor, exact: bool) -> torch.Tensor:
        y = x
        for layer in self.residual:
            y = layer(y, exact)
        if self.gated:
            means = y.mean((2, 3), dtype=torch.float32 if y.dtype == torch.bfloat16 else None)
            if exact:
                means = _round(means)
            z = self.excite(self.squeeze(torch.cat([means, features], 1), exact), exact)
            gate = torch.clamp(1 + z * (_ACT / 2**GATE_BITS), 0, 2).to(y.dtype)
            y = y * gate[:, :, None, None]
            if exact:
                y = _round(y)
        return torch.clamp(x + y, -_LIMIT, _LIMIT)


class LoopModel(nn.Module):
    """The network of a LoopSpec.

    `forward(planes, features)`: (n, 6, h, w) inputs and (n, FEATURES) features of the slices, both as real numbers
    (integers over 1024), to corrections of the same shape, as real numbers.
    """

    def __init__(self, spec: LoopSpec):
        super().__init__()
        self.spec, self.exact = spec, False
        self.head = _make_conv(spec.head)
        self.blocks = nn.ModuleList(_Block(spec, gated) for gated in spec.gated)
        self.tail = _make_conv(spec.tail, 0.02)

    def forward(self, planes: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        with torch.autocast(planes.device.type, enabled=False):
            x = self.head(planes, self.exact)  # in full precision: a correction is small beside a sample
        for block in self.blocks:
            x = block(x, features, self.exact)
        return self.tail(x, self.exact)

    def canonical(self) -> np.ndarray:
        """(n,) float32 weights in canonical order."""
        state = self.state_dict()
        return np.concatenate([state[name].float().cpu().numpy().ravel() for name, _ in self.spec.tensors])

    def load_canonical(self, weights: np.ndarray) -> None:
        """Take over (n,) float32 weights in canonical order."""
        state, at = {}, 0
        for name, shape in self.spec.tensors:
            size = int(np.prod(shape))
            state[name] = torch.from_numpy(np.array(weights[at : at + size]).reshape(shape))
            at += size
        self.load_state_dict(state)


def split_planes(y: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """(..., 6, h, w) planes of the network from luma (..., 2 h, 2 w) and chroma (..., h, w), of tensors."""
    return torch.stack([y[..., 0::2, 0::2], y[..., 0::2, 1::2], y[..., 1::2, 0::2], y[..., 1::2, 1::2], u, v], -3)


def feature_vector(qp: int, slice_type: int) -> torch.Tensor:
    """(FEATURES,) float32 tensor of the features of a slice, as real numbers."""
    return torch.tensor(slice_features(qp, slice_type)) / _ACT


def check_bits(
    model: LoopModel,
    seed: int = 0,
    sizes: tuple[tuple[int, int], tuple[int, int]] = ((72, 40), (128, 96)),
    qps: tuple[int, int] = (22, 37),
) -> int:
    """Compare the model in float64 with the integer network, on noise that is smooth in places.

    Returns
    -------
    int : samples that the filter has changed

    Raises
    ------
    ModelError : a sample differs
    """
    twin = LoopModel(model.spec).double()
    twin.load_state_dict({name: value.double() for name, value in model.state_dict().items()})
    twin.exact = True
    rng, changed = np.random.default_rng(seed), 0
    for width, height in sizes:
        for k, qp in enumerate(qps):
            picture = Picture(width, height)
            for plane in picture.planes:
                spread = np.linspace(1, 120, plane.shape[0])[:, None]
                plane[:] = np.clip(128 + spread * rng.standard_normal(plane.shape), 0, 255)
            found = LoopFilter(model.spec, model.canonical(), width, height).run(picture.planes, qp, k)
            inner = [torch.from_numpy(plane.astype(np.float64)) for plane in picture.inner()]
            planes = split_planes(*inner)
            with torch.no_grad():
                out = twin(((planes - 128) * INPUT_SCALE)[None], feature_vector(qp, k)[None].double())[0]
            wanted = torch.clamp(planes + torch.floor(out * OUTPUT_SCALE + 0.5), 0, 255)
            integer = split_planes(*(torch.from_numpy(plane.astype(np.float64)) for plane in found))
            if not torch.equal(integer, wanted):
                raise ModelError("the in-loop filter's integer network and its torch model differ")
            changed += int((wanted != planes).sum())
    return changed
