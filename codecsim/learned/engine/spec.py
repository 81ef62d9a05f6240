"""Normative.  Shape of a network, its number formats, and the canonical order of its weights.

A network is a chain of hidden layers, each with a leaky rectifier behind it; then a 3x3 convolution to one or two
outputs, whose accumulators also take in a 5x5 linear path from the inputs.  Convolutions are "valid": an output tile of
(h, w) needs inputs of (h + 2 R, w + 2 R), R = `NetSpec.margin`.

Kinds of hidden layers
    conv3       3x3 convolution                    conv1       1x1 convolution
    depthwise3  3x3, one filter a channel, so it has as many outputs as inputs

Number formats (Qn: a value v is stored as v * 2**n)
    activations  int16 Q10, clipped to +-8191          weights    int16 Q13, clipped to +-32767
    accumulators int32 Q23, modulo 2**32               biases     int32 Q23
    output       int16 Q14, clipped to +-32767         gradients  int16, clipped to +-4095

Canonical order of the master weights, one float32 vector:
    for each hidden layer   weights [co][ci][ky][kx] (depthwise3: [channel][ky][kx]), then biases [co]
    for the last layer      weights [co][ci][ky][kx], skip weights [co][input][5][5], then biases [co]
"""

from dataclasses import dataclass
from typing import NamedTuple

ACT_BITS = 10
ACT_CLIP = 8191
WEIGHT_BITS = 13
WEIGHT_CLIP = 32767
OUTPUT_BITS = 14
OUTPUT_CLIP = 32767
OUTPUT_SHIFT = ACT_BITS + WEIGHT_BITS - OUTPUT_BITS
GRAD_CLIP = 4095
LEAK_SHIFT = 3
SKIP = 5
LANES = 8  # output channels that stand together in packed weights

CONV3, CONV1, DEPTHWISE3 = KINDS = ("conv3", "conv1", "depthwise3")
MAX_INPUTS, MAX_CHANNELS, MAX_HIDDEN = 16, 64, 16


class HiddenLayer(NamedTuple):
    """A hidden layer as a network's shape names it."""

    kind: str  # of KINDS
    channels: int  # outputs: 8..64, a multiple of 8


class Layer(NamedTuple):
    """Where a layer's parameters stand in the canonical vector."""

    kind: str
    n_in: int
    n_out: int
    weights: int
    skip: int  # equals `bias` in a layer without a skip path
    bias: int
    end: int

    @property
    def side(self) -> int:
        """Samples a side of the filters, 3 or 1."""
        return 1 if self.kind == CONV1 else 3

    @property
    def inputs_of_output(self) -> int:
        """Input channels that one output channel sees."""
        return 1 if self.kind == DEPTHWISE3 else self.n_in

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Shape of the weights, (n_out, inputs of an output, side, side)."""
        return self.n_out, self.inputs_of_output, self.side, self.side


def _layer(kind: str, n_in: int, n_out: int, start: int, n_skip: int = 0) -> Layer:
    """Layer whose parameters begin at `start`."""
    layer = Layer(kind, n_in, n_out, start, 0, 0, 0)
    skip = start + n_out * layer.inputs_of_output * layer.side**2
    bias = skip + n_out * n_skip * SKIP * SKIP
    return layer._replace(skip=skip, bias=bias, end=bias + n_out)


@dataclass(frozen=True)
class NetSpec:
    """Shape of a network.

    Parameters
    ----------
    n_inputs : int, 2..16, even
    hidden : tuple of HiddenLayer (or pairs), 1..16 of them
    n_outputs : int, 1 or 2

    Raises
    ------
    ValueError : for anything else, or a depthwise layer that would change the number of channels
    """

    n_inputs: int
    hidden: tuple
    n_outputs: int = 1

    def __post_init__(self) -> None:
        hidden = tuple(HiddenLayer(*layer) for layer in self.hidden)
        object.__setattr__(self, "hidden", hidden)
        if self.n_inputs not in range(2, MAX_INPUTS + 1, 2) or self.n_outputs not in (1, 2):
            raise ValueError(f"no such network: {self}; expected 2..{MAX_INPUTS} inputs, even, and 1 or 2 outputs")
        if not 1 <= len(hidden) <= MAX_HIDDEN:
            raise ValueError(f"no such network: {self}; expected 1..{MAX_HIDDEN} hidden layers")
        n_in = self.n_inputs
        for kind, channels in hidden:
            if kind not in KINDS or channels not in range(LANES, MAX_CHANNELS + 1, LANES):
                raise ValueError(
                    f"no such network: {self}; layers are {', '.join(KINDS)} of 8..{MAX_CHANNELS} channels in eights"
                )
            if kind == DEPTHWISE3 and channels != n_in:
                raise ValueError(f"no such network: {self}; a depthwise3 layer has as many channels as enter it")
            n_in = channels

    @classmethod
    def plain(cls, n_inputs: int, channels: int = 16, hidden_layers: int = 3, n_outputs: int = 1) -> "NetSpec":
        """A chain of equal 3x3 convolutions."""
        return cls(n_inputs, ((CONV3, channels),) * hidden_layers, n_outputs)

    def __str__(self) -> str:
        return " - ".join([f"{self.n_inputs}", *(f"{kind} {n}" for kind, n in self.hidden), f"{self.n_outputs}"])

    @property
    def margin(self) -> int:
        """Samples of context on each side of the output."""
        return max(SKIP // 2, self.reach + 1)

    @property
    def reach(self) -> int:
        """Samples of context that the hidden layers take away on each side."""
        return sum(kind != CONV1 for kind, _ in self.hidden)

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Tuple of `Layer`, hidden layers first, the output layer last."""
        found, start, n_in = [], 0, self.n_inputs
        for kind, channels in self.hidden:
            found.append(_layer(kind, n_in, channels, start))
            start, n_in = found[-1].end, channels
        return (*found, _layer(CONV3, n_in, self.n_outputs, start, self.n_inputs))

    @property
    def n_weights(self) -> int:
        """Length of the canonical vector."""
        return self.layers[-1].end
