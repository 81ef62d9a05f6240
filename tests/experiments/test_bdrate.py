import bjontegaard
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecsim.experiments.bdrate import bd_rate, pchip_integral

ANCHOR = [(1000, 30.0), (2000, 33.0), (4000, 35.5), (8000, 37.0)]


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
    ],
)
def test_bad_curves_are_warned_of(test, computed, warning):
    result = bd_rate(ANCHOR, test)
    assert (result.percent is not None) == computed
    assert any(warning in text for text in result.warnings)
