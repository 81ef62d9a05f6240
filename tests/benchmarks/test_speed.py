"""Pictures a second."""

import pytest
import speed

from codecsim.errors import ConfigError


@pytest.mark.parametrize("words", (["--qp", "52"], ["--frames", "3"], ["--preset", "none"], ["--config", "none"]))
def test_wrong_values_are_refused_before_anything_runs(words, capsys):
    with pytest.raises(ConfigError):
        speed.main(speed.parse(words))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", (["--repeat", "0"], ["--frames", "-1"], ["--core", "-1"]))
def test_wrong_usage(words):
    with pytest.raises(SystemExit, match="2"):
        speed.parse(words)


def test_the_start_is_not_counted():
    assert speed.further_rate(13, 1.0, 3.0) == 5.0
    assert speed.further_rate(4, 1.01, 1.0) is None
