"""Figures: plotly takes them, and they show what tables and results say."""

import dataclasses
import itertools
import json

import numpy as np
import plotly.graph_objects
import pytest

from codecsim.experiments.compare import coded_bits
from codecsim.experiments.report.overview import comparisons
from codecsim.experiments.report.page import FIGURES, all_figures
from codecsim.experiments.report.progress import gain_figure, learning_figure, pictures_figure
from codecsim.experiments.report.rates import costs_figure, gains_figure, rd_figure, savings_figure
from codecsim.experiments.report.shares import experts_figure, parts_figure
from codecsim.experiments.report.study import read_study
from codecsim.experiments.report.style import ARMS, DARK, EXPERTS, OTHER, PARTS, REFERENCE, SYMBOLS, colour_of, line
from tests.experiments.report.synthetic import OFF, QPS, make_database


def traces(figure, name, panel=0):
    """Traces of this name in a panel."""
    axis = f"y{panel + 1}" if panel else "y"
    return [trace for trace in figure["data"] if trace["name"] == name and trace.get("yaxis", "y") == axis]


def test_all_figures_are_there_and_plotly_takes_them(study, tables):
    figures = all_figures(study, tables)
    counts = {"config": 2, "clip": 2 * 3, "metric": 2 * 3, "qp": 2 * 3 * 4}
    for name, kind in FIGURES.items():
        found = figures[name]["found"]
        assert len(found) == counts[kind.per], name
        for figure in found.values():
            plotly.graph_objects.Figure(figure)  # raises where there is no such setting
    keys = {f"{i}/{j}/{qp}" for i, j, qp in itertools.product(range(2), range(3), QPS)}
    assert set(figures["pictures"]["found"]) == keys
    json.dumps(figures, allow_nan=False)


def test_rate_and_distortion_leave_hashes_out(study):
    figure = rd_figure(study, "ldp", "cars")
    curve = study.curves["ldp"]["cars"]["obmc"]
    (trace,) = traces(figure, "obmc", panel=1)
    assert trace["x"] == pytest.approx([r["bits"] * 25 / 6 / 1000 for r in curve.encoded], rel=1e-4)
    assert trace["y"] == pytest.approx([result["psnr_u"] for result in curve.encoded], rel=1e-4)
    ticks = figure["layout"]["xaxis"]["tickvals"]
    assert min(ticks) <= min(trace["x"]) and max(ticks) >= max(trace["x"])


def test_gains_are_those_of_the_table(study, tables):
    figure = gains_figure(study, "ldp", tables["ldp"])
    table = tables["ldp"]["online"]
    (clips,), (mean,) = traces(figure, "online"), traces(figure, "online, mean")
    assert clips["x"] == pytest.approx([table.value(row, "Y %") for row in table.rows[:3]], rel=1e-4)
    assert clips["text"] == ["cars", "foliage", "walk"]
    assert mean["x"] == pytest.approx([table.value(table.rows[-2], "Y %")], rel=1e-4)
    low, high = table.intervals["Y %"]
    assert mean["x"][0] - mean["error_x"]["arrayminus"][0] == pytest.approx(low, rel=1e-3)
    assert mean["x"][0] + mean["error_x"]["array"][0] == pytest.approx(high, rel=1e-3)


def test_savings_are_the_bd_rate_where_curves_are_parallel(study, tables):
    figure = savings_figure(study, "ldp", "cars")
    (trace,) = traces(figure, "obmc")
    assert trace["y"] == pytest.approx([tables["ldp"]["obmc"].rows[0].values[1]] * len(trace["y"]), abs=0.1)
    values = [result["psnr_y"] for result in study.curves["ldp"]["cars"]["obmc"].encoded]
    assert min(values) < trace["x"][0] < trace["x"][-1] < max(values)


def test_costs(study, tables):
    figure = costs_figure(study, "ldp", tables["ldp"])
    table = tables["ldp"]["online"]
    clips, mean = traces(figure, "online", panel=2)
    assert clips["x"] == [15.5] * 3 and mean["x"] == [15.5]
    clips, mean = traces(figure, "online")
    assert mean["x"] == pytest.approx([table.value(table.rows[3], "EncT %")], rel=1e-4)
    assert mean["y"] == pytest.approx([table.value(table.rows[3], "Y %")], rel=1e-4)
    assert [(t["x"], t["y"]) for t in traces(figure, "off")] == [([100], [0.0])]


def test_the_gain_of_all_pictures_is_the_bd_rate(study, tables):
    (trace,) = traces(gain_figure(study, "ldp", "walk"), "online")
    assert trace["x"] == [1, 2, 3, 4, 5, 6]
    (row,) = (row for row in tables["ldp"]["online"].rows if row.values[0] == "walk")
    assert trace["y"][-1] == pytest.approx(row.values[1], rel=1e-4)


def test_long_clips_have_few_points(tmp_path):
    study = read_study(make_database(tmp_path / "e.sqlite", clips=("a",), frames=150))
    (trace,) = traces(gain_figure(study, "ldp", "a"), "online")
    assert len(trace["x"]) == 40 and trace["x"][-1] == 150


def test_differences_of_pictures(study):
    figure = pictures_figure(study, "ldp", "cars", 27)
    (quality,), (bits,) = traces(figure, "online"), traces(figure, "online", panel=1)
    curves = study.curves["ldp"]["cars"]
    off, online = (curves[name].encoded[1]["pictures"] for name in ("off", "online"))
    expected = [100 * (b["bits"] / a["bits"] - 1) for a, b in zip(off, online, strict=True)]
    assert bits["y"] == pytest.approx(expected, rel=1e-3) and quality["y"] == [0.0] * 6
    assert bits["text"][1] == "POC 1, P, QP 28" and not traces(figure, "off")


def test_losses_and_their_sums(study):
    figure = learning_figure(study, "ldp", "cars", 22)
    loss, waiting, steps = (traces(figure, "online", panel)[0] for panel in range(3))
    assert loss["x"] == [2, 3, 4, 5, 6]  # the first picture is not predicted
    assert loss["y"] == [1.0] * 5  # of each picture alone
    assert waiting["y"] == [1.0, 2.0, 3.0, 1.0, 2.0]
    assert steps["y"] == [0, 0, 80, 0, 0]
    symbol = SYMBOLS[2]
    assert loss["marker"]["symbol"] == [f"{symbol}-open"] * 2 + [symbol] + [f"{symbol}-open"] * 2
    (_, reset) = traces(figure, "online")
    assert (reset["x"], reset["y"], reset["marker"]["symbol"]) == ([6], [1.0], "x")
    assert {trace["name"] for trace in figure["data"]} == {"online"}


def changed(study, change):
    """The study with other pictures of arm online, clip cars, QP 22: `change` makes one of a picture."""
    own = dict(study.curves["ldp"]["cars"])
    curve = own["online"]
    first = curve.encoded[0] | {"pictures": [change(picture) for picture in curve.encoded[0]["pictures"]]}
    own["online"] = dataclasses.replace(curve, encoded=(first, *curve.encoded[1:]))
    return dataclasses.replace(study, curves={"ldp": {"cars": own}})


def test_idr_pictures_are_marked(study):
    other = changed(study, lambda picture: picture | {"poc": picture["poc"] % 3})
    shapes = learning_figure(other, "ldp", "cars", 22)["layout"]["shapes"]
    assert [(shape["xref"], shape["x0"]) for shape in shapes] == [("x", 4), ("x2", 4), ("x3", 4)]
    assert not learning_figure(study, "ldp", "cars", 22)["layout"]["shapes"]


def test_a_learner_that_takes_orders(study):
    orders = {1: "train", 2: "hold", 3: "train", 4: "reset", 5: "train"}

    def with_order(picture):
        order = orders.get(picture["poc"])
        trained = {"trained_steps": 80, "accumulated_loss": 25344} if order == "train" else {}
        nothing = {"trained_steps": 0, "accumulated_loss": 0}
        return picture | (nothing | trained | {"reset": order == "reset", "learner_order": order} if order else {})

    figure = learning_figure(changed(study, with_order), "ldp", "cars", 22)
    (loss, reset), (_, other), (steps,) = (traces(figure, "online", panel) for panel in range(3))
    assert loss["y"] == [1.0, None, 1.0, None, 1.0] and steps["y"] == [80, 0, 80, 0, 80]
    assert [text.split(": ")[1] for text in loss["text"]] == list(orders.values())
    assert (reset["x"], reset["y"]) == (other["x"], other["y"]) == ([5], [0.0])


def test_shares_of_experts_sum_to_all_blocks(study):
    figure = experts_figure(study, "ldp", "cars")
    by_name = {trace["name"]: trace for trace in figure["data"]}
    columns = list(zip(*by_name["online"]["x"], strict=True))
    assert columns == [(arm, str(qp)) for arm in ("obmc", "online") for qp in QPS]
    sums = np.sum([by_name[name]["y"] for name in ("online", "rls", "off")], axis=0)
    assert sums[4:] == pytest.approx([100.0] * 4) and by_name["online"]["y"][4:] == [40.0] * 4
    assert by_name["overlapped motion"]["y"] == [75.0] * 4
    assert by_name["overlapped motion"]["meta"] == {"arms": [1] * 4}
    assert by_name["chroma filter, of pictures"]["y"] == [40.0] * 4
    assert by_name["intra filter, of luma"]["y"] == [50.0] * 4


def test_parts_sum_to_all_bits(study):
    figure = parts_figure(study, "ldp", "cars")
    qps, arms = figure["data"][0]["x"]
    sums = np.sum([trace["y"] for trace in figure["data"]], axis=0)
    curves = study.curves["ldp"]["cars"]
    for qp, arm, found in zip(qps, arms, sums, strict=True):
        k = QPS.index(int(qp.split()[1]))
        assert found == pytest.approx(100 * curves[arm].encoded[k]["bits"] / coded_bits(curves["off"].encoded[k]), 1e-3)
    assert list(dict.fromkeys(qps)) == [f"QP {qp}" for qp in QPS] and arms[:3] == ["off", "obmc", "online"]


def test_without_a_reference_only_what_needs_none_is_drawn(tmp_path):
    missing = [("off", clip, qp) for clip in ("cars", "walk", "foliage") for qp in QPS]
    study = read_study(make_database(tmp_path / "e.sqlite", missing=missing))
    figures = all_figures(study, comparisons(study))
    there = {name for name, figure in figures.items() if figure["found"]}
    assert there == {"rd", "learning", "experts"}


def test_arms_that_share_a_colour_differ_in_symbol_and_dash():
    looks = []
    for k in range(24):
        trace = line(k, "a", [1], [1])
        looks.append((trace["line"]["color"], trace["marker"]["symbol"], trace["line"]["dash"]))
    assert len(set(looks)) == 24
    assert colour_of(0) == REFERENCE and colour_of(1) == colour_of(1 + len(ARMS))


def test_texts_of_figures_are_no_tags(tmp_path):
    name = "<b>bold</b> & <a href='x'>y</a>"
    arms = {"off": (OFF, 1.0), name: (OFF, 0.9)}
    study = read_study(make_database(tmp_path / "e.sqlite", arms, clips=("a<b>c",)))
    text = json.dumps(all_figures(study, comparisons(study)))
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; " in text and "a&lt;b&gt;c" in text
    assert "<" not in text


# Linear RGB to what dichromats see. Source: F. Vienot, H. Brettel, J. D. Mollon, Color Res. Appl. 24 (1999).
DICHROMATS = {
    "none": np.eye(3),
    "protan": np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]]),
    "deutan": np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]]),
}


def seen(colour, matrix):
    """CIE Lab of a colour as a dichromat sees it."""
    linear = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    linear = (matrix @ linear).clip(0, 1)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = np.array(to_xyz) @ linear / [0.9505, 1.0, 1.089]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("palette", [[REFERENCE, *ARMS], [*EXPERTS.values(), OTHER], [*PARTS.values(), OTHER]])
@pytest.mark.parametrize("who", DICHROMATS)
def test_colours_can_be_told_apart(palette, who, dark):
    colours = sorted({DARK.get(colour, colour) if dark else colour for colour in palette})
    points = [seen(colour, DICHROMATS[who]) for colour in colours]
    for (a, first), (b, second) in itertools.combinations(zip(colours, points, strict=True), 2):
        assert np.linalg.norm(first - second) > 10, (a, b)
