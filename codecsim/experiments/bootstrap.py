"""How sure a mean over clips is: a confidence interval by the bootstrap.

The clips that were measured stand for all that might have been: as many are drawn from them with replacement and their
mean is taken, again and again. The interval is that of Efron's BCa method, which corrects the percentiles of these
means for bias and skewness. It says how much the mean depends on the choice of clips, not how exact the figure of one
clip is. From few clips (5 are few) such intervals are too narrow: read them as a lower bound of the doubt.

Source: B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap (1993), section 14.3.
"""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

MIN_VALUES = 3  # an interval from fewer says nothing
LEVEL = 0.95
RESAMPLES = 10_000
SEED = 1
_NORMAL = statistics.NormalDist()


class Interval(NamedTuple):
    """Ends of a confidence interval, in the unit of the values."""

    low: float
    high: float


def confidence_of_mean(
    values: Sequence[float | None], level: float = LEVEL, resamples: int = RESAMPLES, seed: int = SEED
) -> Interval | None:
    """Confidence interval of the mean of values, one a clip.

    Parameters
    ----------
    values : such as the clips' BD-rates in percent
    level : share of repetitions in which such intervals hold the true mean, between 0 and 1
    resamples, seed : how many means are drawn, by which random numbers (numpy's `default_rng`): the same seed gives
        the same interval

    Returns
    -------
    Interval; None for fewer than `MIN_VALUES` values, or where one is None
    """
    if len(values) < MIN_VALUES or None in values:
        return None
    sample = np.array(values, np.float64)
    mean, count = sample.mean(), len(sample)
    if np.ptp(sample) == 0:
        return Interval(float(mean), float(mean))
    drawn = np.random.default_rng(seed).integers(0, count, (resamples, count))
    means = sample[drawn].mean(axis=1)
    # by how many standard deviations the median of the means is off; means that are equal but for rounding count half
    rounding = 1e-9 * np.ptp(sample)
    below = (np.count_nonzero(means < mean - rounding) + np.count_nonzero(means <= mean + rounding)) / (2 * resamples)
    bias = _NORMAL.inv_cdf(min(max(below, 1 / (2 * resamples)), 1 - 1 / (2 * resamples)))
    # the skewness, from means that leave one value out
    left_out = (mean - sample) / (count - 1)
    influence = left_out.mean() - left_out
    acceleration = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    shares = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        distance = bias + _NORMAL.inv_cdf(tail)
        shares.append(_NORMAL.cdf(bias + distance / (1 - acceleration * distance)))
    low, high = np.quantile(means, shares)
    return Interval(float(low), float(high))
