"""Normative.  Shape of the intra prediction filter: one network, or several of one shape, each for some blocks."""

import hashlib
from dataclasses import dataclass

import numpy as np

from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.engine.weights import InitialWeights

# which blocks share a network: all; those with a direction (modes 2..34) and those without; small ones (4, 8) and large
# ones (16, 32); both.  Networks by [has a direction, log2 of the size - 2].
SPLITS = {
    "none": ((0, 0, 0, 0), (0, 0, 0, 0)),
    "direction": ((0, 0, 0, 0), (1, 1, 1, 1)),
    "size": ((0, 0, 1, 1), (0, 0, 1, 1)),
    "both": ((0, 0, 1, 1), (2, 2, 3, 3)),
}


@dataclass(frozen=True)
class IntraSpec:
    """Shape of the filter.

    Parameters
    ----------
    net : NetSpec, of each network
    split : str, a key of SPLITS

    Raises
    ------
    ValueError : an unknown split
    """

    net: NetSpec
    split: str = "none"

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise ValueError(f"no such split: {self.split!r}; expected one of {', '.join(SPLITS)}")

    def __str__(self) -> str:
        return f"{self.n_nets} x ({self.net}) by {self.split}" if self.n_nets > 1 else str(self.net)

    @property
    def n_nets(self) -> int:
        """Number of networks."""
        return 1 + max(max(row) for row in SPLITS[self.split])

    @property
    def n_weights(self) -> int:
        """Parameters of all networks, which follow each other in the canonical vector."""
        return self.n_nets * self.net.n_weights

    @property
    def table(self) -> np.ndarray:
        """(2, 4) int64: network by [has a direction, log2 of the block's size - 2]."""
        return np.array(SPLITS[self.split], np.int64)

    def parts(self, weights: np.ndarray) -> tuple[np.ndarray, ...]:
        """Weights of each network, views of the canonical vector."""
        return tuple(np.split(weights, self.n_nets))

    def digest(self, weights: np.ndarray) -> bytes:
        """16 bytes that name the filter's weights."""
        digest = hashlib.blake2b(self.split.encode(), digest_size=16)
        for part in self.parts(weights):
            digest.update(InitialWeights(self.net, part).digest())
        return digest.digest()
