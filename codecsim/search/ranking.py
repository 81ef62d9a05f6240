"""The cheapest candidates of a rough decision, in order: intra modes or merge candidates.  Encoder only."""

from typing import NamedTuple

import numpy as np

from codecsim.kernels.jit import kernel


class Ranking(NamedTuple):
    """Candidates and their costs in rising order."""

    candidates: np.ndarray  # (64,) int64
    costs: np.ndarray  # (64,) float64
    totals: np.ndarray  # (64,) float64: sums that are ranked only when complete


def make_ranking():
    """An empty ranking."""
    return Ranking(np.zeros(64, np.int64), np.zeros(64), np.zeros(64))


@kernel
def rank(ranking, count, keep, candidate, cost):
    """Insert a candidate into the `count` cheapest, at most `keep`; returns how many there are now.

    Of equal ones the first stays in front.
    """
    candidates, costs = ranking.candidates, ranking.costs
    if count == keep and cost >= costs[count - 1]:
        return count
    k = count if count < keep else count - 1
    while k > 0 and costs[k - 1] > cost:
        costs[k] = costs[k - 1]
        candidates[k] = candidates[k - 1]
        k -= 1
    costs[k] = cost
    candidates[k] = candidate
    return min(count + 1, keep)
