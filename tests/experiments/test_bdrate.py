import bjontegaard
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecsim.experiments.bdrate import MAX_DECIBELS, bd_rate, pchip_integral
from codecsim.picture.metrics import MAX_PSNR

ANCHOR = [(1000, 30.0), (2000, 33.0), (4000, 35.5), (8000, 37.0)]


# The examples that the bjontegaard package ships, with what its PCHIP gives for them.
PACKAGE_ANCHOR = [(9487.76, 40.037), (4593.60, 38.615), (2486.44, 36.845), (1358.24, 34.851)]
PACKAGE_TEST = [(9787.80, 40.121), (4469.00, 38.651), (2451.52, 36.970), (1356.24, 34.987)]
HIGH_ANCHOR = [(82472.76, 43.825), (26875.24, 41.404), *PACKAGE_ANCHOR[:2]]
HIGH_TEST = [(99896.96, 44.731), (33952.04, 41.875), *PACKAGE_TEST[:2]]
EXAMPLES = {
    "usual": (PACKAGE_ANCHOR, PACKAGE_TEST, -4.417485350589045),
    "high rates": (HIGH_ANCHOR, HIGH_TEST, -4.47218200276197),
    "more points": (
        [*HIGH_ANCHOR, (3600, 36.5), (2900, 35.1)],
        [*HIGH_TEST, (4040, 37), (3300, 36.5)],
        -2.9528024116427964,
    ),
}


def of_the_package(anchor, test):
    columns = [np.array(column) for points in (anchor, test) for column in zip(*points, strict=True)]
    percent = bjontegaard.bd_rate(*columns, method="pchip", min_overlap=0, require_matching_points=False)
    return pytest.approx(percent, rel=1e-9, abs=1e-9)


def curve_strategy(points):
    steps = st.lists(st.tuples(st.floats(0.05, 1.0), st.floats(0.2, 5.0)), min_size=points, max_size=points)
    return steps.map(
        lambda found: [
            (10 ** (3 + log_rate), 30 + quality) for log_rate, quality in np.cumsum(np.array(found), axis=0).tolist()
        ]
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_equals_the_packages_own_examples(name):
    anchor, test, stored = EXAMPLES[name]
    assert bd_rate(anchor, test).percent == pytest.approx(stored, rel=1e-9, abs=1e-9)
    assert bd_rate(anchor, test).percent == of_the_package(anchor, test)


@given(curve_strategy(5), curve_strategy(4))
def test_equals_the_bjontegaard_package(anchor, test):
    result = bd_rate(anchor, test)
    if result.percent is None:
        assert "no quality in common" in result.warnings[-1]
    else:
        assert result.percent == of_the_package(anchor, test)


def test_curves_that_turn_are_interpolated_alike():
    anchor = [(1000, 30.0), (3000, 31.0), (2500, 33.0), (4000, 36.0), (9000, 37.0)]
    result = bd_rate(anchor, ANCHOR)
    assert result.percent == of_the_package(anchor, ANCHOR)
    assert result.warnings == ("anchor: quality does not rise with rate from each point to the next",)


def test_a_tenth_less_rate_is_minus_ten_percent():
    result = bd_rate(ANCHOR, [(0.9 * rate, quality) for rate, quality in reversed(ANCHOR)])
    assert result.percent == pytest.approx(-10)
    assert result.warnings == ()


def test_a_straight_line_is_integrated_exactly():
    x = np.array([0.0, 1.0, 4.0])
    assert pchip_integral(x, 2 * x + 1, 0.5, 3.0) == pytest.approx(3**2 + 3 - 0.5**2 - 0.5)


@pytest.mark.parametrize(
    ("test", "computed", "warning"),
    [
        (ANCHOR[:3], True, "test: 3 points, expected at least 4"),
        ([(rate, quality + 3) for rate, quality in ANCHOR], True, "share only 40%"),
        ([(rate, quality + 20) for rate, quality in ANCHOR], False, "no quality in common"),
        ([(rate, 30.0) for rate, _ in ANCHOR], False, "does not rise"),
        ([*ANCHOR, (0, 20.0)], False, "cannot be interpolated"),
        ([], False, "test: 0 points"),
        ([*ANCHOR, (9000, float("nan"))], False, "cannot be interpolated"),
        ([*ANCHOR[:3], (8000, 100.0)], True, "test: saturated, 1 of 4 points have the most that can be, 100"),
        ([(rate, 100.0) for rate, _ in ANCHOR], False, "test: saturated, 4 of 4 points"),
        ([*ANCHOR[:3], (8000, 36.0)], True, "test: saturated, its last segment rises 18% as steeply as the rest"),
    ],
)
def test_bad_curves_are_warned_of(test, computed, warning):
    result = bd_rate(ANCHOR, test)
    assert (result.percent is not None) == computed
    assert any(warning in text for text in result.warnings)


def test_what_is_saturated_depends_on_the_metric():
    assert MAX_DECIBELS == MAX_PSNR
    scores = [(rate, 90.0 + 2 * index) for index, (rate, _) in enumerate(ANCHOR)]
    assert bd_rate(scores, scores, ceiling=97.0).warnings == ()
    assert bd_rate(scores, scores, ceiling=96.0).warnings[0] == (
        "anchor: saturated, 1 of 4 points have the most that can be, 96"
    )


def test_a_curve_that_flattens_as_codecs_do_is_not_saturated():
    assert bd_rate(ANCHOR, [*ANCHOR[:3], (8000, 36.2)]).warnings == ()
