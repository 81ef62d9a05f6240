"""Bjontegaard delta rate: how many percent more bits a codec needs for the same quality.

Both curves, log10(rate) over quality, are interpolated by the monotone piecewise cubic of Fritsch and Carlson (PCHIP),
integrated over the range of quality that both cover, and the mean difference is turned into a percentage.

A figure comes with warnings where it should not be trusted: few points, curves that share little of their range, that
do not rise, or that are saturated. A curve is saturated where more bits hardly buy more quality: a small change of
quality then counts as a large one of rate. That is so

- at points that have the most that the metric can say (100 dB of PSNR), for how good they are is not known;
- where quality a doubling of rate, in the last segment, is less than `FLAT` of what it is in the rest of the curve.

Source: G. Bjontegaard, VCEG-M33 (2001); JVET common test conditions (JVET-N1010), whose spreadsheet uses PCHIP.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

MIN_POINTS = 4
MIN_OVERLAP = 0.75  # of the range of quality that the two curves span together
MAX_DECIBELS = 100.0  # what planes without any error count as, whatever the metric
FLAT = 0.25  # see above; of 159 curves of HM, x265 and VVenC, QP 22 to 37, the flattest has 0.76


@dataclasses.dataclass(frozen=True)
class BdRate:
    """Result of a comparison."""

    percent: float | None  # negative: the test saves bits; None: cannot be computed
    warnings: tuple[str, ...]  # why the figure should not be trusted


def pchip_slopes(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Slopes of the monotone cubic interpolant at its points.

    Parameters
    ----------
    x : (n,) float64, strictly increasing, n >= 2
    y : (n,) float64

    Source
    ------
    F. N. Fritsch, J. Butland, SIAM J. Sci. Stat. Comput. 5 (1984), with the three-point formula at the ends.
    """
    step = np.diff(x)
    secant = np.diff(y) / step
    if len(x) == 2:
        return np.repeat(secant, 2)
    slopes = np.zeros_like(y)
    rising = secant[:-1] * secant[1:] > 0
    weight_left = 2 * step[1:] + step[:-1]
    weight_right = step[1:] + 2 * step[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        harmonic = (weight_left + weight_right) / (weight_left / secant[:-1] + weight_right / secant[1:])
    slopes[1:-1][rising] = harmonic[rising]
    slopes[0] = _end_slope(step[0], step[1], secant[0], secant[1])
    slopes[-1] = _end_slope(step[-1], step[-2], secant[-1], secant[-2])
    return slopes


def _end_slope(step: float, next_step: float, secant: float, next_secant: float) -> float:
    slope = ((2 * step + next_step) * secant - step * next_secant) / (step + next_step)
    if slope * secant <= 0:
        return 0.0
    if secant * next_secant <= 0 and abs(slope) > 3 * abs(secant):
        return 3 * secant
    return slope


def pchip_integral(x: np.ndarray, y: np.ndarray, low: float, high: float) -> float:
    """Integral of the monotone cubic interpolant of (x, y) from `low` to `high`, both within x."""
    slopes = pchip_slopes(x, y)
    total = 0.0
    for i in range(len(x) - 1):
        start, end = max(low, x[i]), min(high, x[i + 1])
        if start >= end:
            continue
        step = x[i + 1] - x[i]
        secant = (y[i + 1] - y[i]) / step
        c2 = (3 * secant - 2 * slopes[i] - slopes[i + 1]) / step
        c3 = (slopes[i] + slopes[i + 1] - 2 * secant) / step**2
        polynomial = np.polynomial.Polynomial((y[i], slopes[i], c2, c3)).integ()
        total += polynomial(end - x[i]) - polynomial(start - x[i])
    return float(total)


def bd_rate(
    anchor: Sequence[tuple[float, float]], test: Sequence[tuple[float, float]], ceiling: float = MAX_DECIBELS
) -> BdRate:
    """Compare two rate-distortion curves.

    Parameters
    ----------
    anchor, test : points (bits or bit rate > 0, quality such as PSNR in dB), in any order
    ceiling : the most that the quality can be

    Returns
    -------
    BdRate
    """
    curves, warnings = [], []
    for name, points in (("anchor", anchor), ("test", test)):
        curve = np.array(sorted(points), dtype=np.float64).reshape(-1, 2)
        warnings += [f"{name}: {text}" for text in _curve_warnings(curve, ceiling)]
        curves.append(curve[np.argsort(curve[:, 1], kind="stable")])
    if not all(_can_be_interpolated(curve) for curve in curves):
        return BdRate(None, (*warnings, "the curves cannot be interpolated"))
    ends = np.array([(curve[0, 1], curve[-1, 1]) for curve in curves])
    low, high = ends[:, 0].max(), ends[:, 1].min()
    overlap = (high - low) / (ends[:, 1].max() - ends[:, 0].min())
    if overlap <= 0:
        return BdRate(None, (*warnings, "the curves have no quality in common"))
    if overlap < MIN_OVERLAP:
        warnings.append(f"the curves share only {overlap:.0%} of their quality range")
    first, second = (pchip_integral(curve[:, 1], np.log10(curve[:, 0]), low, high) for curve in curves)
    return BdRate(float(10 ** ((second - first) / (high - low)) - 1) * 100, tuple(warnings))


def _can_be_interpolated(curve: np.ndarray) -> bool:
    rates, qualities = curve.T
    return bool(len(curve) >= 2 and np.isfinite(curve).all() and (rates > 0).all() and (np.diff(qualities) > 0).all())


def _curve_warnings(curve: np.ndarray, ceiling: float) -> list[str]:
    """What is wrong with points (rate, quality) sorted by rate."""
    found = []
    if len(curve) < MIN_POINTS:
        found.append(f"{len(curve)} points, expected at least {MIN_POINTS}")
    saturated = int((curve[:, 1] >= ceiling).sum())
    if saturated:
        found.append(f"saturated, {saturated} of {len(curve)} points have the most that can be, {ceiling:g}")
    if np.any(np.diff(curve, axis=0) <= 0):
        found.append("quality does not rise with rate from each point to the next")
    elif len(curve) > 2 and curve[0, 0] > 0:
        gain, doublings = np.diff(curve[-2:], axis=0)[0, 1], np.log2(curve[-1, 0] / curve[-2, 0])
        rest, rest_doublings = curve[-2, 1] - curve[0, 1], np.log2(curve[-2, 0] / curve[0, 0])
        flatness = gain / doublings / (rest / rest_doublings)
        if flatness < FLAT:
            found.append(f"saturated, its last segment rises {flatness:.0%} as steeply as the rest")
    return found
