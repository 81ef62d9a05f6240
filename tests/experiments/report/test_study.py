"""What a report finds in a database, and what it says is missing."""

import pytest

from codecsim.codec.config import EncoderConfig
from codecsim.errors import ConfigError, FormatError
from codecsim.experiments.clips import Clip
from codecsim.experiments.curves import compare_curves
from codecsim.experiments.database import Database
from codecsim.experiments.report import study as module
from codecsim.experiments.report.overview import comparisons, overview
from codecsim.experiments.report.study import Selection, read_study
from tests.experiments.report.synthetic import ARMS, CLIPS, OFF, QPS, SOURCES, keep_run, make_database


def test_an_experiment_is_read_as_it_was_kept(tmp_path):
    study = read_study(make_database(tmp_path / "e.sqlite", configs=("ra", "ldp")))
    assert study.title == "trial" and 'name = "trial"' in study.definition
    assert [arm.name for arm in study.arms] == list(ARMS) and study.reference == "off"
    assert study.arms[1].options == "--options-of obmc"
    assert list(study.curves) == ["ldp", "ra"] and list(study.curves["ra"]) == sorted(CLIPS)
    assert {curve.qps for clips in study.curves.values() for arms in clips.values() for curve in arms.values()} == {QPS}
    assert study.runs == study.asked == 2 * 3 * 3 * 4
    assert study.warnings == () and study.machines == ("2 x processor",)
    assert study.versions == (f"codecsim 0.1.0, sources {SOURCES}",)


def test_missing_runs_are_named_and_the_rest_is_compared(tmp_path):
    missing = [("online", "walk", qp) for qp in QPS] + [("obmc", "cars", 27), ("off", "foliage", 22)]
    study = read_study(make_database(tmp_path / "e.sqlite", missing=missing))
    assert (study.runs, study.asked) == (30, 36)
    assert "Missing: online, ldp, walk, QP 22, 27, 32, 37." in study.warnings
    assert "Missing: obmc, ldp, cars, QP 27." in study.warnings
    tables = comparisons(study)["ldp"]
    assert ("walk", "this arm has no points") in tables["online"].warnings
    assert ("foliage", "the reference has no point at QP 22") in tables["online"].warnings
    rows = overview(study, "ldp", tables).cells()
    assert rows[1][:2] == ["online", "2 of 3"]


def test_an_arm_without_any_run_has_no_table(tmp_path):
    missing = [("online", clip, qp) for clip in CLIPS for qp in QPS]
    study = read_study(make_database(tmp_path / "e.sqlite", missing=missing))
    assert list(comparisons(study)["ldp"]) == ["obmc"]


def test_another_reference_and_fewer_arms(tmp_path):
    path = make_database(tmp_path / "e.sqlite")
    study = read_study(path, Selection(reference="obmc", arms=("online",)))
    assert [arm.name for arm in study.arms] == ["obmc", "online"]
    assert (study.runs, study.asked) == (24, 24)
    (table,) = comparisons(study)["ldp"].values()
    pairs = study.pairs("ldp", "online")
    assert (
        table.rows[0].values[1]
        == compare_curves("cars", *pairs["cars"]).bd_rate["y"]
        == pytest.approx(100 * (0.9 / 0.95 - 1), abs=0.2)
    )
    with pytest.raises(ConfigError, match="no arm 'best'; there are: off; obmc; online"):
        read_study(path, Selection(arms=("best",)))


def test_the_last_of_several_experiments(tmp_path):
    make_database(tmp_path / "e.sqlite", experiment="first")
    make_database(tmp_path / "e.sqlite", clips=("walk",), experiment="second")
    study = read_study(tmp_path / "e.sqlite")
    assert study.title == "second" and "The file also holds: first" in study.warnings[0]
    assert read_study(tmp_path / "e.sqlite", Selection("first")).asked == 36
    with pytest.raises(ConfigError, match="no experiment 'third'; there are: second, first"):
        read_study(tmp_path / "e.sqlite", Selection("third"))


def test_without_an_experiment_settings_are_arms(tmp_path):
    path = make_database(tmp_path / "campaign.sqlite", experiment=None)
    study = read_study(path)
    assert study.title == "campaign" and study.definition is None
    assert [arm.name for arm in study.arms] == ["filter=off", "filter=off, obmc", "defaults"]
    assert study.reference == "filter=off" and study.runs == 36
    assert study.warnings[0] == module.NO_EXPERIMENT
    make_database(path, {"slow": (EncoderConfig(filter="off", preset="slow"), 0.8)}, clips=("walk",), experiment=None)
    study = read_study(path)
    tables = comparisons(study)["ldp"]
    name = "filter=off, preset=slow"
    assert [row.values[0] for row in tables[name].rows] == ["walk"] and not tables[name].warnings
    assert overview(study, "ldp", tables).cells()[-1][:2] == [name, "1 of 3"]
    with pytest.raises(ConfigError, match="no experiment 'e'; there are: none"):
        read_study(path, Selection("e"))


def test_of_several_versions_the_latest_or_the_one_asked_for(tmp_path, monkeypatch):
    path = make_database(tmp_path / "campaign.sqlite", experiment=None)
    monkeypatch.setattr("codecsim.experiments.database._now", lambda: "2099-01-01T00:00:00+00:00")
    with Database(path) as kept:
        kept.add_version("other", "label")
        for qp in QPS:
            keep_run(kept, f"new {qp}", Clip("cars", "", "sha of cars", 176, 144, 6), OFF, 1.0, "ldp", qp, "other")
    study = read_study(path)
    assert study.runs == 4 and study.versions == ("codecsim 0.1.0, sources other (label)",)
    assert any(f"--version NAME reports on {SOURCES}" in text for text in study.warnings)
    assert read_study(path, Selection(version=SOURCES[:4])).runs == 36


def test_too_many_arms_are_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_ARMS", 2)
    study = read_study(make_database(tmp_path / "e.sqlite", missing=[("obmc", "cars", 22)]))
    assert [arm.name for arm in study.arms] == ["off", "online"]
    assert any("3 arms are too many" in text for text in study.warnings)


def test_clips_of_one_name_are_told_apart(tmp_path):
    path = make_database(tmp_path / "campaign.sqlite", clips=("cars",), experiment=None)
    with Database(path) as kept:
        for qp in QPS:
            keep_run(kept, f"3 {qp}", Clip("cars", "", "sha of cars", 176, 144, 6), OFF, 1.0, "ldp", qp, frames=3)
            keep_run(kept, f"o {qp}", Clip("cars", "", "another sha", 176, 144, 6), OFF, 1.0, "ldp", qp)
    clips = list(read_study(path).curves["ldp"])
    assert clips == ["cars anothe", "cars sha of, 3 pictures", "cars sha of, 6 pictures"]


def test_what_is_no_database(tmp_path):
    with pytest.raises(FormatError, match="there is no such file"):
        read_study(tmp_path / "none.sqlite")
    assert not (tmp_path / "none.sqlite").exists()
    (tmp_path / "text").write_text("something else, long enough to look at" * 10)
    with pytest.raises(FormatError, match="is no database of runs"):
        read_study(tmp_path / "text")
    make_database(tmp_path / "empty.sqlite", clips=())
    with pytest.raises(FormatError, match="holds no runs"):
        read_study(tmp_path / "empty.sqlite")
    make_database(tmp_path / "nothing.sqlite", clips=(), experiment=None)
    with pytest.raises(FormatError, match="holds no runs"):
        read_study(tmp_path / "nothing.sqlite")
