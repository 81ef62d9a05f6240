"""Tables: the same figures as the comparison's, means by class, and every format's own dangers."""

import csv
import dataclasses

import pytest

from codecsim.experiments.bootstrap import confidence_of_mean
from codecsim.experiments.compare import mean_of
from codecsim.experiments.curves import Curve, compare_curves
from codecsim.experiments.tables import CLASSES, Column, Row, Table, class_of, comparison_table, points_table

QPS = (22, 27, 32, 37)


def curve(scale=1.0, size=(176, 144), costs=None, seconds=2.0, qps=QPS):
    """Four points whose bits are `scale` times as many."""
    encoded = []
    for qp in qps:
        bits = round(scale * 1000 * 2 ** ((37 - qp) / 5))
        point = {"width": size[0], "height": size[1], "frames": 3, "bits": bits, "seconds": seconds, "qp": qp}
        point |= {f"psnr_{plane}": 60 - qp / 2 for plane in "yuv"}
        point |= {"version": 2, "hash_bits": 100, "pictures": [{"parts": {"residual": bits}}]}
        encoded.append(point | ({"kmac_per_pixel": costs} if costs else {}))
    decoded = [
        {name: point[name] for name in ("width", "height", "frames", "bits")} | {"decoder": {}, "seconds": 1.0}
        for point in encoded
    ]
    return Curve(tuple(qps), tuple(encoded), tuple(decoded), frozenset({"this"}))


def test_rows_are_those_of_the_comparison():
    pairs = {"a": (curve(), curve(0.9, seconds=3.0)), "b": (curve(), curve(1.2))}
    table = comparison_table("t", pairs)
    compared = [compare_curves(clip, *pair) for clip, pair in pairs.items()]
    for row, expected in zip(table.rows, [*compared, mean_of(compared)], strict=True):
        assert row.values[:4] == (expected.clip, *(expected.bd_rate[plane] for plane in "yuv"))
        assert row.values[4:6] == (100 * expected.encoder_time, 100 * expected.decoder_time)
    assert [row.kind for row in table.rows] == ["clip", "clip", "mean"]
    assert table.cells()[0][1:6] == ["-10.00", "-10.00", "-10.00", "150", "100"]
    assert table.rows[0].values[6:] == (3 * 4 / 12.0, 3 * 4 / 4.0)


def test_classes_of_several_clips_have_their_mean():
    large = (720, 480)
    pairs = {"a": (curve(), curve(0.9)), "b": (curve(), curve(0.7))}
    pairs |= {name: (curve(size=large), curve(0.5, large)) for name in "cd"}
    pairs["e"] = (curve(size=(4096, 2160)), curve(1.0, (4096, 2160)))
    cells = comparison_table("t", pairs).cells()
    assert [row[:2] for row in cells[5:-1]] == [
        ["2 clips up to 176x144", "-20.00"],
        ["2 clips up to 832x480", "-50.00"],
        ["mean", "-28.00"],
    ]
    percents = [-10.0, -30.0, -50.0, -50.0, 0.0]
    ends = confidence_of_mean(percents)
    assert cells[-1] == ["95 % interval", *["{:+.2f} .. {:+.2f}".format(*ends)] * 3, *["-"] * 4]
    assert comparison_table("t", pairs).intervals["Y %"] == pytest.approx(ends)
    assert class_of(pairs["e"][0]) == len(CLASSES)


def measured(found, **figures):
    """A curve with more figures, each a function of the QP."""
    qualities = [{name: figure(qp) for name, figure in figures.items()} for qp in found.qps]
    return dataclasses.replace(found, encoded=tuple(r | more for r, more in zip(found.encoded, qualities, strict=True)))


def test_other_metrics_have_bd_rates_alone():
    figures = {"vmaf": lambda qp: 120 - 2 * qp, "ssim_y": lambda qp: 1 - 10 ** (-2 + qp / 50)}
    pairs = {
        "a": (measured(curve(), **figures), measured(curve(0.9, costs={"inference": 3.0, "training": 1.0}), **figures)),
        "b": (measured(curve(), **figures), measured(curve(0.8), **figures)),
        "c": (Curve((), ()), measured(curve(), **figures)),
    }
    table = comparison_table("t", pairs, "vmaf")
    assert [column.name for column in table.columns] == ["clip", "Y %"]
    assert table.cells() == [["a", "-10.00"], ["b", "-20.00"], ["c", "-"], ["mean of 2 of 3 clips", "-15.00"]]
    table = comparison_table("t", pairs, "ssim")  # chroma was too small for its window
    assert table.cells()[0] == ["a", "-10.00", "-", "-"] and table.cells()[-1][1:] == ["-15.00", "-", "-"]
    worse = pairs | {"a": (pairs["a"][0], measured(curve(0.9), vmaf=lambda qp: 118 - 2 * qp))}
    assert comparison_table("t", worse, "vmaf").rows[0].values[1] > -10
    assert comparison_table("t", worse).cells()[0][1] == "-10.00"


def test_a_clip_without_figures_is_in_no_mean():
    pairs = {"a": (curve(), curve(0.9)), "b": (curve(), curve()), "c": (Curve((), ()), curve())}
    table = comparison_table("t", pairs)
    assert table.cells()[2][1:6] == ["-"] * 5
    assert table.cells()[-1][:2] == ["mean of 2 of 3 clips", "-5.00"]
    assert table.intervals == {}
    assert ("c", "the reference has no points") in table.warnings


def test_costs_are_shown_where_there_are_any():
    pairs = {"a": (curve(), curve(costs={"inference": 3.0, "training": 15.5}))}
    table = comparison_table("t", pairs)
    assert [column.name for column in table.columns[-2:]] == ["kMAC/px", "of training"]
    assert table.cells()[0][-2:] == ["3.00", "15.50"]
    assert len(comparison_table("t", {"a": (curve(), curve())}).columns) == len(table.columns) - 2
    pairs["b"] = (curve(), curve(costs={"inference": 4.0, "training": 0.0}))
    table = comparison_table("t", pairs)
    assert table.cells()[-1][-4:] == ["-", "-", "3.50", "7.75"]
    assert table.value(table.rows[0], "kMAC/px") == 3.0
    assert table.value(table.rows[0], "SSIM") is None


def test_markdown_keeps_one_line_a_row():
    table = Table(
        "t", (Column("a|b"), Column("x %", "{:+.1f}")), (Row(("c|\nd", 1.25)), Row(("e", None))), (("c", "w"),)
    )
    assert table.markdown() == [r"| a\|b | x % |", "| --- | --- |", r"| c\| d | +1.2 |", "| e | - |", "", "- **c**: w"]


def test_csv_keeps_all_digits():
    values = ('a,"b"\nc', 1 / 3)
    table = Table("t", (Column("clip"), Column("x", "{:.1f}"), Column("y")), (Row((*values, None)),))
    assert list(csv.reader(table.csv().splitlines(keepends=True))) == [["clip", "x", "y"], [values[0], repr(1 / 3), ""]]


def test_points():
    (row,) = points_table("t", {"a": curve(qps=(27,))}).rows
    assert row.values == ("a", 3, 27, 4000, 100, 46.5, 46.5, 46.5, 2.0, pytest.approx(1.0))
    one = measured(curve(qps=(27,)), vmaf=lambda qp: 90.0, ssim_y=lambda qp: 0.5)
    table = points_table("t", {"a": one})
    assert [column.name for column in table.columns[-4:]] == ["SSIM Y", "SSIM U", "SSIM V", "VMAF Y"]
    assert table.cells()[0][-4:] == ["0.50000", "-", "-", "90.000"]
    table = points_table("t", {"a": one, "b": measured(curve(qps=(27,)), vmaf=lambda qp: 80.0)})
    assert [column.name for column in table.columns[10:]] == ["VMAF Y"]
