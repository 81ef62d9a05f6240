"""Rankings against a stable sort."""

import numpy as np
import pytest

from codecsim.search.ranking import make_ranking, rank


@pytest.mark.parametrize("keep", [1, 3, 8, 35])
def test_the_cheapest_stand_in_order(keep):
    rng = np.random.default_rng(keep)
    for _ in range(20):
        costs = rng.integers(0, 12, 20).astype(float)  # many are equal
        ranking, count = make_ranking(), 0
        for candidate, cost in enumerate(costs):
            count = rank(ranking, count, keep, candidate, cost)
        wanted = sorted(range(20), key=lambda candidate: costs[candidate])[:keep]
        assert ranking.candidates[:count].tolist() == wanted
        assert ranking.costs[:count].tolist() == costs[wanted].tolist()
