"""The cheapest candidates of a rough decision, in order: intra modes or merge candidates.  Encoder only."""

import numpy as np

from codecsim.kernels.jit import kernel

# rows of a ranking: the candidates, their costs in rising order, and sums that are ranked only when complete
CANDIDATES, COSTS, TOTALS = range(3)


def make_ranking():
    """An empty ranking: (3, 64) float64."""
    return np.zeros((3, 64), np.float64)


@kernel
def rank(ranking, count, keep, candidate, cost):
    """Insert a candidate into the `count` cheapest, at most `keep`; returns how many there are now.

    Of equal ones the first stays in front.
    """
    candidates, costs = ranking[CANDIDATES], ranking[COSTS]
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
