"""Files about the project as a whole: citation, changelog, type marker."""

import configparser
import datetime
import importlib.util
import re

import codecsim
from tests.test_architecture import PACKAGE, ROOT

CHANGES = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")  # of Keep a Changelog


def read_citation():
    """CITATION.cff as a dict; without a YAML parser only its top level, values as texts."""
    text = (ROOT / "CITATION.cff").read_text()
    if importlib.util.find_spec("yaml"):
        import yaml

        return {key: str(value) for key, value in yaml.safe_load(text).items()}
    return {key: value.strip(' "') for key, value in re.findall(r"^([\w-]+):(.*)$", text, re.MULTILINE)}


def test_the_citation_has_what_its_format_requires():
    citation = read_citation()
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert citation["version"] == codecsim.__version__
    assert citation["license"] == "BSD-3-Clause"
    assert datetime.date.fromisoformat(citation["date-released"])


def test_the_changelog_has_the_form_and_the_version():
    text = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", text, re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    assert headings[1] == (codecsim.__version__, read_citation()["date-released"])
    dates = [datetime.date.fromisoformat(date) for _, date in headings[1:]]
    assert dates == sorted(dates, reverse=True)
    assert set(re.findall(r"^### (.+)$", text, re.MULTILINE)) <= {*CHANGES}


def test_type_checkers_find_the_types():
    assert (PACKAGE / "py.typed").is_file()
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["options.package_data"]["codecsim"].split() == ["py.typed"]


def test_pages_name_files_that_exist():
    for page in ("CONTRIBUTING.md", "CHANGELOG.md"):
        text = (ROOT / page).read_text()
        for name in re.findall(r"`((?:[\w.-]+/)*[\w.-]*(?:\.(?:py|md|cfg|toml|cff)|/))`", text):
            assert any((place / name).exists() for place in (ROOT, PACKAGE)), f"{page}: no {name}"
        for name in re.findall(r"\]\((?!https?:)([^#)]+)", text):
            assert (ROOT / name).exists(), f"{page}: no {name}"
