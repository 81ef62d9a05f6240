"""Bjontegaard delta rate: how many percent more bits a codec needs for the same quality.

Both curves, log10(rate) over PSNR, are interpolated by the monotone piecewise cubic of Fritsch and Carlson (PCHIP),
integrated over the PSNR range that both cover, and the mean difference is turned into a percentage.

Source: G. Bjontegaard, VCEG-M33 (2001); JVET common test conditions (JVET-N1010), whose spreadsheet uses PCHIP.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

MIN_POINTS = 4
MIN_OVERLAP = 0.75  # of the PSNR range that the two curves span together


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


def bd_rate(anchor: Sequence[tuple[float, float]], test: Sequence[tuple[float, float]]) -> BdRate:
    """Compare two rate-distortion curves.

    Parameters
    ----------
    anchor, test : points (bits or bit rate > 0, PSNR in dB), in any order

    Returns
    -------
    BdRate
    """
    curves, warnings = [], []
    for name, points in (("anchor", anchor), ("test", test)):
        curve = np.array(sorted(points), dtype=np.float64).reshape(-1, 2)
        warnings += [f"{name}: {text}" for text in _curve_warnings(curve)]
        curves.append(curve[np.argsort(curve[:, 1], kind="stable")])
    if any(len(curve) < 2 or np.any(np.diff(curve[:, 1]) <= 0) or np.any(curve[:, 0] <= 0) for curve in curves):
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


def _curve_warnings(curve: np.ndarray) -> list[str]:
    """What is wrong with points (rate, PSNR) sorted by rate."""
    found = []
    if len(curve) < MIN_POINTS:
        found.append(f"{len(curve)} points, expected at least {MIN_POINTS}")
    if np.any(np.diff(curve, axis=0) <= 0):
        found.append("quality does not rise with rate from each point to the next")
    return found
