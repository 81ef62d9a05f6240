"""Normative.  Shape of an in-loop filter's network, its number formats, and the canonical order of its weights.

The network works at half the luma resolution, on six planes: the four luma samples of each 2x2, then Cb and Cr:

    planes -> head: conv3, leaky -> blocks -> tail: conv3 -> corrections of the same six planes
    block    x + gate * residual(x), where residual is
             plain      conv3, leaky; conv3
             separable  depthwise3, leaky; conv1, leaky; depthwise3, leaky; conv1

Convolutions see zeros outside the picture.  The gate of a channel is 1, or in the blocks with attention a
squeeze-and-excitation (Hu, Shen, Sun, CVPR 2018): the means over the picture of the residual's channels, with the
slice's QP and type, through two small dense layers and a hard sigmoid.  That is how the QP enters.

Number formats, beside those of spec.py
    input        int16, (sample - mid) * 32 at 8 bits, * 8 at 10: Q10 of the sample over 32 (of 8 bits)
    output       int16 of 1/64 of a sample of 8 bits, clipped to +-8191
    means        the sum over the picture divided by its number of samples, rounded half up
    dense layers int64 sums, then as the convolutions: leak, rounding shift by 13, clip to +-8191
    gate         Q11, 2048 + z clipped to 0..4096 for the second dense layer's output z

Canonical order of the weights, one float32 vector: head, the blocks' layers and after them the block's dense layers,
tail; of each layer the weights [co][ci][ky][kx] or [co][ci], then the biases [co].
"""

import functools
import hashlib
import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from codecsim.learned.engine.spec import CONV1, CONV3, DEPTHWISE3, LANES

PLANES = 6  # Y of the four samples of a 2x2, Cb, Cr
INPUT_BITS = 13  # samples are shifted to the scale of this many bits
CORRECTION_BITS = 14  # corrections have the scale of this many bits
GATE_BITS = 11
FEATURES = 4  # of the slice: QP, and whether it is I, P or B
PLAIN, SEPARABLE = "plain", "separable"
BACKBONES = (PLAIN, SEPARABLE)
ATTENTIONS = ("early", "middle", "late", "all")


class LoopLayer(NamedTuple):
    """A convolution."""

    kind: str  # CONV3, CONV1 or DEPTHWISE3
    n_in: int
    n_out: int
    leaky: bool

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Shape of the weights."""
        side = 1 if self.kind == CONV1 else 3
        return self.n_out, 1 if self.kind == DEPTHWISE3 else self.n_in, side, side


@dataclass(frozen=True)
class LoopSpec:
    """Shape of an in-loop filter's network.

    Parameters
    ----------
    channels : int, 8..64, a multiple of 8
    blocks : int, 1..16
    backbone : str, of BACKBONES
    attention : str, of ATTENTIONS: the first block, the one in the middle, the last, or all have a gate
    squeeze : int, 1..64, width between the dense layers of a gate

    Raises
    ------
    ValueError : for anything else
    """

    channels: int = 32
    blocks: int = 4
    backbone: str = PLAIN
    attention: str = "all"
    squeeze: int = 16

    def __post_init__(self) -> None:
        if (
            self.channels not in range(LANES, 65, LANES)
            or self.blocks not in range(1, 17)
            or self.backbone not in BACKBONES
            or self.attention not in ATTENTIONS
            or self.squeeze not in range(1, 65)
        ):
            raise ValueError(f"no such network: {self}")

    @functools.cached_property
    def head(self) -> LoopLayer:
        """First `LoopLayer`."""
        return LoopLayer(CONV3, PLANES, self.channels, True)

    @functools.cached_property
    def tail(self) -> LoopLayer:
        """Last `LoopLayer`."""
        return LoopLayer(CONV3, self.channels, PLANES, False)

    @functools.cached_property
    def residual(self) -> tuple[LoopLayer, ...]:
        """Tuple of the `LoopLayer`s of a block."""
        kinds = (CONV3,) * 2 if self.backbone == PLAIN else (DEPTHWISE3, CONV1) * 2
        last = len(kinds) - 1
        return tuple(LoopLayer(kind, self.channels, self.channels, k < last) for k, kind in enumerate(kinds))

    @property
    def gated(self) -> tuple[bool, ...]:
        """Tuple of bool: which blocks have attention."""
        place = {"early": 0, "middle": self.blocks // 2, "late": self.blocks - 1}.get(self.attention)
        return tuple(place is None or place == k for k in range(self.blocks))

    @functools.cached_property
    def tensors(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """((name, shape), ...) of the parameters in canonical order."""

        def conv(name: str, layer: LoopLayer) -> tuple[tuple[str, tuple[int, int, int, int]], tuple[str, tuple[int]]]:
            return (f"{name}.weight", layer.weight_shape), (f"{name}.bias", (layer.n_out,))

        found = [*conv("head", self.head)]
        for k, gated in enumerate(self.gated):
            for i, layer in enumerate(self.residual):
                found += conv(f"blocks.{k}.residual.{i}", layer)
            if gated:
                for name, shape in (
                    ("squeeze", (self.squeeze, self.channels + FEATURES)),
                    ("excite", (self.channels, self.squeeze)),
                ):
                    found += [(f"blocks.{k}.{name}.weight", shape), (f"blocks.{k}.{name}.bias", shape[:1])]
        return (*found, *conv("tail", self.tail))

    @property
    def n_weights(self) -> int:
        """Length of the canonical vector."""
        return sum(math.prod(shape) for _, shape in self.tensors)

    def digest(self, weights: np.ndarray) -> bytes:
        """16 bytes that name the filter's weights."""
        shape = f"{self.channels} {self.blocks} {self.backbone} {self.attention} {self.squeeze}".encode()
        return hashlib.blake2b(shape + weights.astype("<f4").tobytes(), digest_size=16).digest()

    @property
    def macs(self) -> float:
        """Multiply-accumulates a luma sample."""
        layers = (self.head, *self.residual * self.blocks, self.tail)
        return sum(math.prod(layer.weight_shape) for layer in layers) / 4


def slice_features(qp: int, slice_type: int) -> list[int]:
    """Inputs of the gates beside the means: list of FEATURES int, Q10.

    qp : int, SliceQpY; slice_type : int, 0 B, 1 P, 2 I
    """
    return [(qp - 32) << 6, *(1024 if slice_type == kind else 0 for kind in (2, 1, 0))]
