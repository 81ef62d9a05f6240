"""Optional packages: where they are declared, and what is said where they are missing."""

import configparser
import pathlib
import re

import pytest

from codecsim.errors import ConfigError
from codecsim.extras import EXTRAS, install_command, needed

ROOT = pathlib.Path(__file__).parents[1]
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")
DISTRIBUTIONS = {"imageio_ffmpeg": "imageio-ffmpeg"}


def packages(text):
    """Names of the packages of some requirements."""
    return {re.split(r"[\[<>=]", line)[0].lower() for line in text.split("\n") if line}


def test_each_extra_has_the_modules_that_it_is_named_for():
    for module, extra in EXTRAS.items():
        assert DISTRIBUTIONS.get(module, module) in packages(SETUP["options.extras_require"][extra])


def test_all_has_everything_but_tests():
    extras = dict(SETUP["options.extras_require"])
    everything, tests = extras.pop("all"), extras.pop("test")
    (named,) = re.findall(r"codecsim\[(.*)\]", everything)
    assert sorted(named.split(",")) == sorted(extras)
    assert "codecsim[all]" in tests


def test_nothing_is_both_needed_and_optional():
    needed_always = packages(SETUP["options"]["install_requires"])
    for extra, text in SETUP["options.extras_require"].items():
        assert not needed_always & packages(text), extra


def test_install_commands():
    assert install_command("optuna") == "pip install '.[tune]'"
    assert install_command("cv2") == "pip install opencv-python-headless"


def test_needed(monkeypatch, tmp_path):
    assert needed("math", "nobody").pi > 3
    with pytest.raises(ConfigError, match=r"^x needs no_such_module, which is not installed: pip install no_such"):
        needed("no_such_module", "x")
    (tmp_path / "broken_module.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match="x needs broken_module, which cannot be imported .No module named"):
        needed("broken_module", "x")
