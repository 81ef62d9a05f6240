"""The benchmark of sweeps: what the time of workers is divided into."""

import history
import pytest
import sweep

from codecsim.experiments.work import Span


def test_time_is_divided_without_rest():
    spans = {
        "a": [Span("a", 1.0, 2.0, 5.0), Span("a", 5.5, 5.5, 9.0)],
        "b": [Span("b", 2.0, 2.5, 8.0)],
    }
    found = sweep.shares(spans, 0.0, 10.0, 2)
    assert found == pytest.approx(
        {"busy": 12 / 20, "starting": 3 / 20, "loading": 1.5 / 20, "scheduling": 0.5 / 20, "ending": 3 / 20}
    )
    assert sum(found.values()) == pytest.approx(1)
    assert sweep.shares(spans, 0.0, 10.0, 3)["ending"] == pytest.approx(13 / 30)


def test_a_small_one(clips, tmp_path, capsys):
    words = ["--clips", str(clips), "--frames", "1", "-j", "2", "--output", str(tmp_path / "s.md")]
    words += ["--history", str(tmp_path / "h.jsonl")]
    assert sweep.main(sweep.parse(words)) == 0
    printed = capsys.readouterr().out
    assert "2 clips x 4 QPs x 3 arms, 1 pictures: 24 runs" in printed
    assert (tmp_path / "s.md").read_text() == printed
    (busy,) = (figure for figure in history.read(tmp_path / "h.jsonl") if figure["figure"] == "sweep, busy workers")
    assert f"| busy | {busy['value']:.2f} |" in printed
