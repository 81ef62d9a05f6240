"""From an experiment file to the page: what encoder and decoder really say is what a report shows."""

import json

import plotly.graph_objects

from codecsim.cli import run
from codecsim.experiments.database import Database
from codecsim.experiments.report.overview import comparisons
from codecsim.experiments.report.page import all_figures
from codecsim.experiments.report.study import read_study

EXPERIMENT = """
name = "tools"
clips = ["bundled"]
configs = ["ldp", "ai"]
qps = [32, 34, 36, 38]
frames = {ldp = 4, ai = 1}
[common]
preset = "fast"
[arms.off]
filter = "off"
[arms.all]
inter_luma = {experts = "online,rls,mix"}
chroma-filter = "online"
obmc = true
intra-filter = "frozen"
loop-filter = "on"
"""


def test_a_sweep_is_reported(tmp_path, capsys):
    (tmp_path / "tools.toml").write_text(EXPERIMENT)
    assert run(["sweep", str(tmp_path / "tools.toml"), "--jobs", "1", "--quiet"]) == 0
    swept = capsys.readouterr().out
    database = tmp_path / "tools.sqlite"
    assert run(["report", str(database), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["runs"] == found["asked"] == 16 and (tmp_path / "tools.html").stat().st_size > 1e6
    study = read_study(database)
    assert study.title == "tools" and study.definition == EXPERIMENT and study.warnings == ()
    tables = comparisons(study)
    for config in ("ldp", "ai"):
        assert "\n".join(tables[config]["all"].markdown()) in swept
    figures = all_figures(study, tables)
    for name, kind in figures.items():
        assert kind["found"], name
        for figure in kind["found"].values():
            plotly.graph_objects.Figure(figure)
    drawn = {trace["name"] for figure in figures["experts"]["found"].values() for trace in figure["data"]}
    assert {"online", "off", "overlapped motion", "in-loop filter", "chroma filter, of pictures"} <= drawn
    with Database(database) as kept:
        (row,) = (row for row in kept.runs() if (row["config"], row["qp"]) == ("ldp", 32) and "obmc" in row["settings"])
    result = json.loads(row["result"])
    (loss,) = (t for t in figures["learning"]["found"]["1/0/32"]["data"] if t.get("yaxis", "y") == "y2")
    samples = result["width"] * result["height"]
    waiting = [p["accumulated_loss"] / samples for p in result["pictures"] if "accumulated_loss" in p]
    assert loss["y"] == [float(f"{value:.5g}") for value in waiting] and len(waiting) == 3
