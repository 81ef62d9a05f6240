import numpy as np
import pytest
import scipy.stats

from codecsim.experiments.bootstrap import confidence_of_mean

CLIPS = [-12.0, -34.0, -8.0, -29.0, 3.0]  # whole numbers: equal means are equal to the last bit in scipy too


@pytest.mark.parametrize("level", [0.68, 0.95])
@pytest.mark.parametrize("values", [CLIPS, [0.0, 0.0, 0.0, 9.0], list(np.random.default_rng(3).exponential(2, 30))])
def test_equals_scipy_with_the_same_random_numbers(values, level):
    found = confidence_of_mean(values, level, resamples=2000, seed=7)
    rng = np.random.default_rng(7)
    expected = scipy.stats.bootstrap(
        (values,), np.mean, confidence_level=level, n_resamples=2000, method="BCa", rng=rng
    ).confidence_interval
    assert found == pytest.approx(tuple(expected), abs=1e-12)


def test_the_same_seed_gives_the_same_interval():
    assert confidence_of_mean(CLIPS) == confidence_of_mean(CLIPS)
    assert confidence_of_mean(CLIPS, resamples=500, seed=1) != confidence_of_mean(CLIPS, resamples=500, seed=2)


def test_holds_the_true_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    intervals = [confidence_of_mean(list(rng.normal(-2, 1, 20)), 0.9, resamples=400) for _ in range(300)]
    assert 0.83 < np.mean([low <= -2 <= high for low, high in intervals]) < 0.95


def test_what_has_no_interval():
    assert confidence_of_mean([-1.0, -2.0]) is None
    assert confidence_of_mean([-1.0, -2.0, None, -3.0]) is None
    assert confidence_of_mean([-1.5] * 4) == (-1.5, -1.5)


def test_rounding_does_not_move_the_ends():
    whole = confidence_of_mean([-1.0, -2.0, -3.0, -4.0, -6.0], 0.9)
    tenths = confidence_of_mean([-0.1, -0.2, -0.3, -0.4, -0.6], 0.9)
    assert tenths == pytest.approx([end / 10 for end in whole], abs=1e-12)
