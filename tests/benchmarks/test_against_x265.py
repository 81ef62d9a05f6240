"""Timing beside x265."""

import argparse
import pathlib
import shutil
import sys

import against_x265
import history
import measuring
import pytest

from codecsim.errors import ConfigError
from tests.benchmarks.test_rd import cells_of


def test_without_x265_a_message_says_so(capsys):
    with pytest.raises(ConfigError, match="no-such-x265: not installed"):
        against_x265.main(against_x265.parse(["--x265", "no-such-x265"]))


@pytest.mark.parametrize(
    ("words", "message"),
    ((["--qp", "52"], "qp is 52"), (["--qp", "50", "--x265-offset", "2"], "x265's QP is 52; expected 0..51")),
)
def test_wrong_qps(words, message):
    """With a program that is there, but codes nothing."""
    with pytest.raises(ConfigError, match=message):
        against_x265.main(against_x265.parse(["--x265", sys.executable, *words]))


@pytest.mark.parametrize("words", (["--repeat", "0"], ["--frames", "0"], ["--core", "-1"]))
def test_wrong_usage(words):
    with pytest.raises(SystemExit, match="2"):
        against_x265.parse(words)


@pytest.mark.skipif(shutil.which("x265") is None, reason="x265 is not installed")
def test_both_encoders_are_described(clips, capsys):
    words = ["--clips", str(clips), "--clip", "a", "--frames", "2", "--qp", "30", "--preset", "fast", "--repeat", "1"]
    assert against_x265.main(against_x265.parse([*words, "--x265-offset", "1"])) == 0
    ours, theirs = cells_of(capsys.readouterr().out, "at CIF")
    assert (ours[0], theirs[0]) == ("ours --qp 30", "x265 --qp 31")
    assert (ours[1], theirs[1:3]) == ("30.00", ["28.00", "31.00"])
    for row in (ours, theirs):
        assert int(row[3]) > 0 and all(20 < float(psnr) < 60 for psnr in row[4:7])
    own, other, half = float(ours[7]), float(theirs[7]), 0.005  # of the last digit that is shown
    assert (own - half) / (other + half) - half <= float(ours[8]) <= (own + half) / (other - half) + half


def test_same_quality_at_twice_the_time(tmp_path, capsys):
    report = measuring.Report(argparse.Namespace(output=None, history=str(tmp_path / "history.jsonl")), "title")
    points = [
        {"width": 64, "height": 64, "frames": 2, "bits": 1000 * 2**i, "seconds": 1.5**i, "psnr_y": 30.0 + 3 * i}
        | {"psnr_u": 36.0 + i, "psnr_v": 36.0 + i}
        for i in range(4)
    ]
    slow = [point | {"seconds": 2 * point["seconds"], "bits": point["bits"] // 2} for point in points]
    against_x265.summarise(report, pathlib.Path("cif.y4m"), "a clip", (22, 27, 32, 37), slow, points)
    report.save()
    printed = capsys.readouterr().out
    assert "(BD-rate): Y -50.00 %, U -50.00 %, V -50.00 %." in printed
    assert "QPs as given: 2.00 x." in printed
    assert "same luma PSNR: 2.00 x." in printed
    kept = [(figure["unit"], round(figure["value"], 6)) for figure in history.read(tmp_path / "history.jsonl")]
    assert kept == [("x CPU time", 2), ("% BD-rate", -50)]


def test_an_output_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    arguments = argparse.Namespace(output=str(tmp_path / "file" / "table.md"), history=None)
    assert measuring.guarded(lambda arguments: measuring.Report(arguments, "title").save(), arguments) == 1
    assert "table.md: cannot be written" in capsys.readouterr().err
