"""Normative.  All that a learner remembers from picture to picture."""

import copy
import hashlib
from typing import Any, NamedTuple

import numpy as np

from codecsim.learned.engine.update import MASTER_LIMIT
from codecsim.learned.engine.weights import InitialWeights


class Sample(NamedTuple):
    """A picture to learn from; never written to once made."""

    planes: np.ndarray  # (n_inputs, h, w) int16 inputs with margin
    error: np.ndarray  # (h, w) int16 prediction minus reconstruction, or update.MASKED
    tiles: tuple  # ((y0, x0), ...) corners of the tiles worth training on


class LearnerState:
    """Weights, optimiser moments, counters, accumulators, replay position.

    Parameters
    ----------
    initial : InitialWeights
    averaging : bool, whether to keep a running mean of the weights
    tiles : (rows, columns) of the grid of tiles whose losses are accumulated

    Attributes
    ----------
    master, moment, square : (n,) float32
    powers : (2,) float32, running powers of the optimiser's betas
    average : (n,) float32 running mean of master, or None
    steps : int, training steps since the last reset
    pictures : int, pictures learnt from since the last reset
    order : int, 64-bit state of the generator of tile order
    waiting_loss : int, absolute error accumulated since the last training
    online_loss, initial_loss : int, absolute errors with the present and with the initial weights
    replay : tuple of Sample, newest first
    tile_losses : (rows, columns) int64, absolute error of each tile since it was chosen for training
    qps : tuple of the last 8 pictures' QPs, newest first
    """

    def __init__(self, initial: InitialWeights, averaging: bool = False, tiles: tuple[int, int] = (0, 0)):
        self.initial, self._averaging, self._tiles = initial, averaging, tiles
        self.reset()

    def reset(self) -> None:
        """Return to the initial weights and forget everything else."""
        self.master = self.initial.master.copy()
        self.moment = np.zeros_like(self.master)
        self.square = np.zeros_like(self.master)
        self.powers = np.ones(2, np.float32)
        self.average = self.master.copy() if self._averaging else None
        self.steps = self.pictures = self.order = 0
        self.waiting_loss = self.online_loss = self.initial_loss = 0
        self.replay: tuple[Any, ...] = ()
        self.qps: tuple[int, ...] = ()
        self.tile_losses = np.zeros(self._tiles, np.int64)

    def copy(self) -> "LearnerState":
        """An independent copy (replay pictures, never written to, are shared)."""
        twin = copy.copy(self)
        for name in ("master", "moment", "square", "powers", "tile_losses"):
            setattr(twin, name, getattr(self, name).copy())
        if self.average is not None:
            twin.average = self.average.copy()
        return twin

    def move(self, delta: np.ndarray) -> None:
        """Add (n,) float32 to the weights that are trained and to their running mean, within the weights' range."""
        for weights in (self.master, self.average):
            if weights is not None:
                np.clip(weights + delta, -MASTER_LIMIT, MASTER_LIMIT, out=weights)

    @property
    def weights(self) -> np.ndarray:
        """(n,) float32 weights to filter with."""
        return self.master if self.average is None else self.average

    def draw(self, n: int) -> int:
        """Next pseudo-random integer in 0..n-1.

        Source: multiplier and increment of Knuth's MMIX generator, TAOCP vol. 2, 3.3.4.
        """
        self.order = (6364136223846793005 * self.order + 1442695040888963407) & (2**64 - 1)
        return (self.order >> 33) * n >> 31

    def digest(self) -> bytes:
        """16 bytes; equal where all later behaviour is equal, given the same replay pictures."""
        digest = hashlib.blake2b(digest_size=16)
        for array in (self.master, self.moment, self.square, self.powers, self.average):
            if array is not None:
                digest.update(array.astype("<f4").tobytes())
        numbers = (self.steps, self.pictures, self.order, self.waiting_loss, self.online_loss, self.initial_loss)
        for number in (*numbers, len(self.replay), *self.tile_losses.ravel().tolist()):
            digest.update(number.to_bytes(8, "little"))
        for qp in self.qps:
            digest.update(qp.to_bytes(2, "little", signed=True))
        return digest.digest()
