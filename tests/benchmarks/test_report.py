"""The benchmark of reports: as many runs as asked for, and no copy like the other."""

import report

from codecsim.experiments.database import Database


def test_copies_are_reported(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(report, "ARMS", report.ARMS[:2])
    monkeypatch.setattr(report, "QPS", (32, 37))
    page = tmp_path / "page.html"
    assert report.main(report.parse(["--runs", "11", "--frames", "2", "--page", str(page)])) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("| 11 | 2 |") and last.endswith("| yes |")
    assert page.stat().st_size > 1e6
    report.keep_runs(tmp_path / "runs.sqlite", report.parse(["--runs", "11", "--frames", "2"]))
    with Database(tmp_path / "runs.sqlite") as kept:
        assert len({(row["bits"], row["psnr_y"]) for row in kept.runs()}) == 11
