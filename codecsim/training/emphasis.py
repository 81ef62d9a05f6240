"""Which samples of a training are drawn more often than others."""

import fnmatch
from collections.abc import Sequence

import numpy as np

from codecsim.errors import ConfigError


def emphasise(shares: np.ndarray, sources: Sequence[str], emphasis: Sequence[tuple[str, float]]) -> np.ndarray:
    """How often to draw each sample, not together 1.

    Parameters
    ----------
    shares : (n,) float64, how often without emphasis
    sources : n names of photos or clips
    emphasis : of (pattern, factor): what samples whose source matches the pattern count more

    Returns
    -------
    (n,) float64

    Raises
    ------
    ConfigError : a pattern that matches no source
    """
    shares = shares.copy()
    for pattern, factor in emphasis:
        chosen = np.array([fnmatch.fnmatch(source, pattern) for source in sources])
        if not chosen.any():
            raise ConfigError(f"no samples are of a source {pattern!r}")
        shares[chosen] *= factor
    return shares
