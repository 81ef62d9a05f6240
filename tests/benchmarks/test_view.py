"""Times of the viewer."""

import shutil

import history
import pytest
import view

from codecsim.errors import ConfigError


def test_without_a_browser_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ConfigError, match="no browser: expected one of chromium"):
        view.main(view.parse([]))
    assert capsys.readouterr().out == ""


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, view.BROWSERS)), reason="no chromium on the path")
def test_measures(tmp_path):
    pytest.importorskip("playwright")
    output = tmp_path / "view.md"
    assert view.main(view.parse(["--frames", "4", "--output", str(output), "--history", str(tmp_path / "h")])) == 0
    rows = [line for line in output.read_text().splitlines() if line.startswith("| ")]
    assert [row.split("|")[1].strip() for row in rows[2:]] == ["off", "online", "both side by side"]
    assert all(len(row.split("|")) == len(rows[0].split("|")) for row in rows)
    assert len(history.read(tmp_path / "h")) == 9
