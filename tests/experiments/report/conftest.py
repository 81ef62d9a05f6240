import pytest

from codecsim.experiments.report.overview import comparisons
from codecsim.experiments.report.study import read_study
from tests.experiments.report.synthetic import make_database


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """Three clips, three arms, two configurations."""
    return read_study(make_database(tmp_path_factory.mktemp("report") / "e.sqlite", configs=("ldp", "ra")))


@pytest.fixture(scope="session")
def tables(study):
    """Comparisons of `study`."""
    return comparisons(study)
