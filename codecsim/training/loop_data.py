"""The in-loop filter's samples as its training sees them: which pictures, and patches of them."""

import json
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import torch

from codecsim.errors import ConfigError
from codecsim.training.emphasis import emphasise
from codecsim.training.loop_model import feature_vector

INTRA = 2  # slice type
_EXACT = 1e-3  # mean squared error of luma below which a picture teaches nothing


class LoopSamples:
    """Pictures in a folder that loop_samples has written.

    Attributes
    ----------
    pictures : list of (source, config, QP of the encoding, slice type, slice QP)
    """

    def __init__(self, folder: str | os.PathLike):
        self.pictures, self._planes = [], []
        for file in sorted(pathlib.Path(folder).glob("*.json")):
            about, stem = json.loads(file.read_text(encoding="utf-8")), str(file.with_suffix(""))
            decoded, original = (np.load(f"{stem}.{name}.npy", mmap_mode="r") for name in ("decoded", "original"))
            for k, (slice_type, qp) in enumerate(about["pictures"]):
                self.pictures.append((about["source"], about["config"], about["qp"], slice_type, qp))
                self._planes.append((decoded[k], original[k]))
        if not self.pictures:
            raise ConfigError(f"{folder}: no samples of the in-loop filter; codecsim train loop-samples makes them")

    def load(self, k: int) -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
        """(6, h, w) uint8 decoded and original planes of picture k, and the features of its slice."""
        *_, slice_type, qp = self.pictures[k]
        return *self._planes[k], feature_vector(qp, slice_type)

    def errors(self, k: int) -> np.ndarray:
        """(6,) mean squared error of the planes of picture k, the same for the four of luma."""
        decoded, original = self._planes[k]
        error = ((decoded.astype(np.float32) - original) ** 2).mean((1, 2))
        return np.concatenate([np.full(4, error[:4].mean()), error[4:]]).astype(np.float32)

    def shares(self, intra_share: float, size_power: float, emphasis: Sequence[tuple[str, int]] = ()) -> np.ndarray:
        """(n,) how often to draw each picture, together 1.

        Parameters
        ----------
        intra_share : float, of intra pictures together, where there are both kinds
        size_power : float, of a picture's number of samples
        emphasis : of (pattern, factor): what pictures whose source matches the pattern count more

        Raises
        ------
        ConfigError : a pattern that matches no source
        """
        sizes = np.array([decoded[0].size for decoded, _ in self._planes], float)
        shares = sizes**size_power * np.array([self.errors(k)[0] > _EXACT for k in range(len(sizes))])
        shares = emphasise(shares, [source for source, *_ in self.pictures], emphasis)
        intra = np.array([kind == INTRA for *_, kind, _ in self.pictures])
        for chosen, part in ((intra, intra_share), (~intra, 1 - intra_share)):
            total = shares[chosen].sum()
            if 0 < total < shares.sum():
                shares[chosen] *= part / total
        return shares / shares.sum()

    def patch(self, k: int, rng: np.random.Generator, side: int) -> list[torch.Tensor]:
        """Decoded and original (6, side, side) float32 of picture k, at a place and turned as is drawn."""
        decoded, original = self._planes[k]
        h, w = decoded.shape[1:]
        y, x = rng.integers(max(h - side, 0) + 1), rng.integers(max(w - side, 0) + 1)
        flips = rng.integers(8)
        return [torch.from_numpy(_turn(_cut(planes, y, x, side), int(flips))) for planes in (decoded, original)]


def _cut(planes: np.ndarray, y: int, x: int, side: int) -> np.ndarray:
    """float32 patch of (6, h, w) planes, mirrored where they are smaller than it."""
    patch = planes[:, y : y + side, x : x + side].astype(np.float32)
    missing = side - patch.shape[1], side - patch.shape[2]
    return np.pad(patch, ((0, 0), (0, missing[0]), (0, missing[1])), "symmetric") if any(missing) else patch


def _turn(planes: np.ndarray, flips: int) -> np.ndarray:
    """Planes of the picture mirrored (bits 0, 1) and transposed (bit 2)."""
    if flips & 1:
        planes = planes[[1, 0, 3, 2, 4, 5], :, ::-1]
    if flips & 2:
        planes = planes[[2, 3, 0, 1, 4, 5], ::-1]
    if flips & 4:
        planes = planes[[0, 2, 1, 3, 4, 5]].transpose(0, 2, 1)
    return np.ascontiguousarray(planes)
