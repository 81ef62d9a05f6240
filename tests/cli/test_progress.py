import numba
import pytest

from codecsim.cli import progress
from codecsim.cli.progress import PictureProgress
from codecsim.kernels.compilation import watch_compilation


@pytest.fixture
def eager(monkeypatch):
    """Every plain line is printed, however soon after the one before."""
    monkeypatch.setattr(progress, "PLAIN_PERIOD", 0)


def test_plain_lines_where_there_is_no_terminal(capsys, eager):
    with PictureProgress("encode", 2) as shown:
        shown.advance("first")
        numba.njit(lambda x: x + 1)(1)
        shown.advance("second")
    captured = capsys.readouterr()
    assert captured.out == ""
    first, compiling, second, last = captured.err.splitlines()
    assert first.startswith("codecsim: encode: 1 of 2 pictures, ")
    assert first.endswith(" a second first")
    assert compiling.startswith("codecsim: compiling kernels (first run only): 0 done, now ")
    assert second.endswith("second")
    assert last.startswith("codecsim: encode: 2 of 2 pictures, ")


def test_lines_do_not_flood(capsys):
    with PictureProgress("decode", None) as shown:
        for _ in range(100):
            shown.advance()
    assert capsys.readouterr().err.count("\n") <= 3


def test_quiet_and_failed_runs(capsys, eager):
    with PictureProgress("encode", 2, quiet=True) as shown:
        shown.advance()
    with pytest.raises(KeyError), PictureProgress("encode", 2):
        raise KeyError
    assert capsys.readouterr().err == ""


def test_compilation_is_watched_once():
    function = numba.njit(lambda x: x * 2)
    with watch_compilation() as watch:
        function(1)
        assert watch.kernels == 1
        assert watch.seconds > 0
        function(2)
        function(2.5)
        assert watch.kernels == 2
    function(1j)
    assert watch.kernels == 2
