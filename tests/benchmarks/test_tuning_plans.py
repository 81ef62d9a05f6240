"""The tuning plans that are kept can be run, and look at the test clips only at the end."""

import pathlib

import pytest
from learned import TEST_CLIPS

from codecsim.experiments.tuning.plan import read_plan
from codecsim.experiments.tuning.space import default_point

PLANS = sorted((pathlib.Path(__file__).parents[2] / "benchmarks" / "tuning").glob("*.toml"))


def test_there_are_plans():
    assert len(PLANS) >= 3


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_plans_are_sound(path):
    plan = read_plan(path)
    assert plan.name == path.stem
    assert plan.test == TEST_CLIPS
    assert not {*TEST_CLIPS} & {*plan.validation, *plan.training}
    for start in ({}, *plan.starts):
        settings = plan.settings(default_point(plan.dimensions, start))
        for qp in plan.qps:
            plan.encoder_config(settings, qp, plan.frames)


def test_the_readme_names_them_all():
    text = (PLANS[0].parent / "README.md").read_text()
    assert all(f"| `{path.name}` |" in text for path in PLANS)
