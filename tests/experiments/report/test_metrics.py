"""Other metrics than PSNR: where all runs have them, they have tables and curves; elsewhere it is said."""

import csv
import json

import pytest

from codecsim.cli import run
from codecsim.experiments.compare import decibels
from codecsim.experiments.report.overview import comparisons, overview, quality_comparisons
from codecsim.experiments.report.page import all_figures
from codecsim.experiments.report.rates import rd_figure, savings_figure
from codecsim.experiments.report.study import read_study
from tests.browsers import needs_chromium, open_browser
from tests.experiments.report.synthetic import make_database


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return make_database(tmp_path_factory.mktemp("metrics") / "e.sqlite", measured=True)


@pytest.fixture(scope="module")
def page(database):
    """Path of the page; Markdown and CSV are beside it."""
    folder = database.parent
    words = ["-o", str(folder / "p.html"), "--markdown", str(folder / "t.md"), "--csv", str(folder / "tables")]
    assert run(["report", str(database), *words]) == 0
    return folder / "p.html"


def test_tables_are_everywhere(database, page, capsys):
    study = read_study(database)
    assert study.metrics == ("psnr", "ssim", "vmaf") and study.warnings == ()
    found = quality_comparisons(study)
    assert list(found) == ["ssim", "vmaf"]
    text, shown = (page.parent / "t.md").read_text(), page.read_text()
    psnr = comparisons(study)["ldp"]["online"].rows[0].values[1]
    for metric, planes in (("ssim", 3), ("vmaf", 1)):
        table = found[metric]["ldp"]["online"]
        assert [column.name for column in table.columns] == ["clip", "Y %", "U %", "V %"][: planes + 1]
        assert table.rows[0].values == ("cars", *[pytest.approx(psnr)] * planes)  # all metrics fall evenly with the QP
        for part in (table, overview(study, "ldp", found[metric]["ldp"])):
            assert "\n".join(part.markdown()) in text
        rows = list(csv.reader((page.parent / "tables" / f"ldp_online_against_off_{metric}.csv").open()))
        assert [float(cell) for cell in rows[1][1:]] == list(table.rows[0].values[1:])
        assert (page.parent / "tables" / f"ldp_means_{metric}.csv").exists()
    assert "### ldp, VMAF" in text and "VMAF is of luma" in text and "VMAF is of luma" in shown
    found = overview(study, "ldp", found["vmaf"]["ldp"])
    assert [column.name for column in found.columns] == ["arm", "clips", "Y %", "95 % interval of Y"]
    for title in ("PSNR", "SSIM", "VMAF"):
        assert f"ldp, {title}: mean over clips against off" in shown
    assert "<h3>ldp, PSNR</h3>" in shown and "<h3>ldp, VMAF</h3>" in shown
    with (page.parent / "tables" / "ldp_off_points.csv").open() as file:
        assert next(csv.reader(file))[-2:] == ["SSIM V", "VMAF Y"]
    capsys.readouterr()
    assert run(["report", str(database), "-o", str(page.parent / "again.html"), "--json"]) == 0
    titles = [table["title"] for table in json.loads(capsys.readouterr().out)["tables"]]
    assert titles[1:4] == ["ldp, online against off", "ldp, obmc against off, SSIM", "ldp, online against off, SSIM"]


def test_curves_are_of_what_is_compared(database):
    study = read_study(database)
    curve = study.curves["ldp"]["walk"]["online"]
    figure = rd_figure(study, "ldp", "walk", "ssim")
    (own,) = (t for t in figure["data"] if t["name"] == "online" and t.get("yaxis") == "y2")
    assert own["y"] == pytest.approx([decibels(result["ssim_u"]) for result in curve.encoded], rel=1e-4)
    assert figure["layout"]["yaxis"]["title"]["text"] == "SSIM, dB"
    figure = rd_figure(study, "ldp", "walk", "vmaf")
    assert len(figure["data"]) == 3 and figure["layout"]["yaxis"]["title"]["text"] == "VMAF"
    assert figure["data"][2]["y"] == [result["vmaf"] for result in curve.encoded]
    (own,) = (t for t in savings_figure(study, "ldp", "walk", "vmaf")["data"] if t["name"] == "online")
    percent = quality_comparisons(study)["vmaf"]["ldp"]["online"].rows[2].values[1]
    assert own["y"] == pytest.approx([percent] * len(own["y"]), abs=0.1)
    keys = {f"0/{clip}/{metric}" for clip in range(3) for metric in study.metrics}
    assert set(all_figures(study, quality_comparisons(study)["ssim"])["rd"]["found"]) == keys


def test_what_only_some_runs_have_is_left_out_and_said(tmp_path):
    path = make_database(tmp_path / "e.sqlite", clips=("cars",), experiment=None, measured=True)
    make_database(path, clips=("walk",), experiment=None)
    study = read_study(path)
    assert study.metrics == ("psnr",) and quality_comparisons(study) == {}
    assert "VMAF is left out: 12 of 24 runs have it." in study.warnings
    assert run(["report", str(path), "-o", str(tmp_path / "p.html")]) == 0
    assert "VMAF is of luma" not in (tmp_path / "p.html").read_text()


@needs_chromium
def test_the_reader_chooses_the_metric_of_the_curves(page, tmp_path):
    plain = make_database(tmp_path / "plain.sqlite", clips=("walk",))
    assert run(["report", str(plain), "-o", str(tmp_path / "plain.html")]) == 0
    with open_browser() as browser:
        seen = browser.new_page()
        complaints = []
        seen.on("pageerror", lambda error: complaints.append(str(error)))
        seen.goto(page.as_uri())
        seen.wait_for_selector("html[data-ready=yes]", timeout=60000)
        titles = seen.locator("[data-figure=rd] .ytitle, [data-figure=savings] .xtitle")
        assert titles.all_text_contents()[:2] == ["PSNR, dB", "PSNR, dB"]
        seen.select_option("#metric", label="VMAF")
        assert titles.all_text_contents() == ["VMAF", "VMAF"]
        assert seen.locator("#figure-rd .of").inner_text() == "ldp, cars, VMAF."
        assert seen.locator("#figure-gain .of").inner_text() == "ldp, cars."
        seen.select_option("#clip", label="walk")
        assert seen.locator("#figure-savings .of").inner_text() == "ldp, walk, VMAF."
        seen.goto((tmp_path / "plain.html").as_uri())
        seen.wait_for_selector("html[data-ready=yes]", timeout=60000)
        assert seen.locator("#metric").is_hidden() and seen.locator("#qp").is_visible()
        assert seen.locator("#figure-rd .of").inner_text() == "ldp, walk."
        assert complaints == []
