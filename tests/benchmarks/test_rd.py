"""Campaigns: what is kept and found again, what a kill leaves, and that tables say what `codecsim compare` says."""

import csv
import json
import re
import sqlite3
import subprocess
import sys

import pytest
import rd

from codecsim.cli import run as codecsim
from codecsim.codec.config import CONFIGS
from codecsim.errors import ConfigError, FormatError
from codecsim.experiments.arms import read_arm
from codecsim.experiments.database import run_key
from tests.benchmarks.conftest import BENCHMARKS

OFF, THIN, ONLINE = (
    "off: --filter off --preset fast",
    "thin: --filter off --preset fast --set search.sao=off",
    "on: --preset fast",
)
QPS = (22, 27, 32, 37)


def command(clips, folder, *words):
    """Words of a command line over clip a with one process and low delay P; more clips and structures add to these."""
    own = ["--clips", clips, "--clip", "a", "--config", "ldp", "-j", 1, "--database", folder / "runs.sqlite"]
    return [str(word) for word in [*own, *words]]


def rows_of(folder):
    connection = sqlite3.connect(folder / "runs.sqlite")
    connection.row_factory = sqlite3.Row
    rows = [dict(row) for row in connection.execute("SELECT rowid, * FROM runs ORDER BY rowid")]
    connection.close()
    return rows


def campaign(clips, folder, *words):
    return rd.campaign(rd.parse(command(clips, folder, *words)))


def cells_of(text, title):
    """Rows of the table whose title holds `title`, as lists of cells without the head."""
    lines = text.split(title, 1)[1].split("\n\n", 2)[1].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_a_run_is_found_again_and_tables_equal_those_of_compare(clips, tmp_path, capsys):
    words = ["--clip", "b", "--arm", OFF, "--arm", THIN, "--frames", 2]
    assert campaign(clips, tmp_path, *words) == 0
    printed = capsys.readouterr()
    assert "16 runs to do, 0 already" in printed.err
    rows = rows_of(tmp_path)
    assert len(rows) == 16
    assert all(row["decoder_seconds"] > 0 and row["hash_bits"] > 0 and row["frames"] == 2 for row in rows)
    assert {json.loads(row["options"])["settings"].get("search.sao", True) for row in rows} == {True, False}
    assert str(clips) not in "".join(str(row) for row in rows)

    assert campaign(clips, tmp_path, *words) == 0
    again = capsys.readouterr()
    assert "0 runs to do, 16 already" in again.err
    assert again.out == printed.out
    assert rows_of(tmp_path) == rows

    for clip in "ab":
        files = {}
        for arm in ("off", "thin"):
            files[arm] = [tmp_path / f"{arm}_{qp}.json" for qp in QPS]
            for qp, path in zip(QPS, files[arm], strict=True):
                options = [OFF, THIN][arm == "thin"].split(": ")[1].split()
                encode = [
                    "encode",
                    str(clips / f"{clip}.y4m"),
                    "-o",
                    str(tmp_path / "s.bin"),
                    "--frames",
                    "2",
                    *options,
                ]
                assert codecsim([*encode, "--qp", str(qp), "--json", "--quiet"]) == 0
                path.write_text(capsys.readouterr().out)
        assert codecsim(["compare", *map(str, files["off"]), "--test", *map(str, files["thin"]), "--json"]) == 0
        (found,) = json.loads(capsys.readouterr().out)["clips"]
        (row,) = [row for row in cells_of(printed.out, "against off") if row[0] == clip]
        assert row[1:4] == [f"{found['bd_rate'][plane]:+.2f}" for plane in "yuv"]


def test_what_changes_a_run_is_another_run(clips, tmp_path):
    assert campaign(clips, tmp_path, "--arm", OFF, "--frames", 1, "--qp", 37) == 0
    configs = [["--config", config] for config in CONFIGS if config != "ldp"]
    for words in (["--frames", 2], ["--qp", 36], ["--arm", THIN], ["--clip", "b"], *configs):
        before = len(rows_of(tmp_path))
        given = ["--arm", OFF] if "--arm" not in words else []
        assert campaign(clips, tmp_path, *given, "--frames", 1, "--qp", 37, *words) == 0
        assert len(rows_of(tmp_path)) == before + 1
    config = read_arm(OFF).encoder_config("ldp", 32, 1)
    assert len({run_key(config, clip, sources) for clip in "ab" for sources in "cd"}) == 4


def test_what_was_not_decoded_is_run_again_to_be(clips, tmp_path, capsys):
    words = ["--arm", OFF, "--frames", 1, "--qp", 37]
    assert campaign(clips, tmp_path, *words, "--no-decode") == 0
    assert rows_of(tmp_path)[0]["decoder_seconds"] is None
    assert campaign(clips, tmp_path, *words) == 0
    (row,) = rows_of(tmp_path)
    assert row["decoder_seconds"] > 0
    assert campaign(clips, tmp_path, *words, "--no-decode") == 0
    assert rows_of(tmp_path) == [row]


def test_learned_tools_have_their_costs(clips, tmp_path, capsys):
    assert campaign(clips, tmp_path, "--arm", OFF, "--arm", ONLINE) == 0
    ((_, *figures, inference, training),) = cells_of(capsys.readouterr().out, "against off")
    results = [json.loads(row["result"]) for row in rows_of(tmp_path)]
    costs = [result["kmac_per_pixel"] for result in results if "kmac_per_pixel" in result]
    assert float(inference) == pytest.approx(sum(cost["inference"] for cost in costs) / 4, abs=0.005)
    assert float(training) == pytest.approx(sum(cost["training"] for cost in costs) / 4, abs=0.005)
    assert float(training) > 0


def write_anchors(path, rows, change=lambda point: point):
    """Our own runs as the points of an anchor, with twice as many bits: a whole number."""
    names = ("clip", "width", "height", "fps", "frames", "codec", "config", "qp", "bits", "psnr_y", "psnr_u", "psnr_v")
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for row in rows:
            bits = 2 * (row["bits"] - row["hash_bits"])
            point = {name: row[name] for name in names if name in row} | {"codec": "hm16", "bits": bits}
            point = change(point | {"width": 64, "height": 64, "fps": 25.0})
            if point:
                writer.writerow(point)


@pytest.fixture(scope="module")
def coded(clips, tmp_path_factory):
    """Folder with runs of clip a, two pictures, at all QPs."""
    folder = tmp_path_factory.mktemp("coded")
    assert campaign(clips, folder, "--arm", OFF, "--frames", 2) == 0
    return folder


def against_anchors(clips, coded, path, *words):
    return rd.campaign(rd.parse(command(clips, coded, "--arm", OFF, "--anchors", path, *words)))


def test_anchors_set_pictures_and_qps_and_leave_hashes_out(clips, coded, tmp_path, capsys):
    write_anchors(tmp_path / "a.csv", rows_of(coded))
    assert against_anchors(clips, coded, tmp_path / "a.csv") == 0
    printed = capsys.readouterr()
    assert "0 runs to do, 4 already" in printed.err
    (row,) = cells_of(printed.out, "against hm16")
    assert row[:6] == ["a", *["-50.00"] * 3, "-", "-"]
    assert "no point" not in printed.out and "pictures differ" not in printed.out


def test_anchors_that_lack_a_point_or_have_other_pictures_are_said(clips, coded, tmp_path, capsys):
    path = tmp_path / "a.csv"
    write_anchors(path, rows_of(coded), lambda point: point if point["qp"] != 27 else None)
    assert against_anchors(clips, coded, path, "--qp", *QPS) == 0
    printed = capsys.readouterr().out
    assert "- **a**: the reference has no point at QP 27" in printed
    assert "anchor: 3 points, expected at least 4" in printed

    write_anchors(path, rows_of(coded), lambda point: point | {"frames": 9})
    assert against_anchors(clips, coded, path, "--frames", 2) == 0
    printed = capsys.readouterr().out
    assert cells_of(printed, "against hm16")[0][1:6] == ["-"] * 5
    assert "the reference is 9 pictures of 64x64, this arm 2 pictures of 64x64" in printed

    write_anchors(path, rows_of(coded), lambda point: point | {"config": "ai"})
    assert against_anchors(clips, coded, path, "--frames", 2) == 0
    assert "no points of hm16" in capsys.readouterr().out


def test_bad_anchors_are_refused(clips, coded, tmp_path):
    path = tmp_path / "a.csv"
    with pytest.raises(FormatError, match="cannot be read"):
        against_anchors(clips, coded, path)
    path.write_text("clip,codec\n")
    with pytest.raises(FormatError, match="no column 'config'"):
        against_anchors(clips, coded, path)
    write_anchors(path, rows_of(coded), lambda point: point | {"bits": "many"})
    with pytest.raises(FormatError, match="line 2: .*many"):
        against_anchors(clips, coded, path)
    write_anchors(path, rows_of(coded) * 2)
    with pytest.raises(FormatError, match="line 6: a second point"):
        against_anchors(clips, coded, path)
    write_anchors(path, rows_of(coded), lambda point: point | {"frames": point["qp"]})
    with pytest.raises(FormatError, match="points of 22, 27, 32, 37 pictures"):
        against_anchors(clips, coded, path)
    write_anchors(path, rows_of(coded))
    with pytest.raises(ConfigError, match="no points of 'x265'; there are hm16"):
        against_anchors(clips, coded, path, "--codec", "x265")


def test_another_version_is_compared_with(clips, coded, tmp_path, capsys, monkeypatch):
    assert campaign(clips, coded, "--arm", OFF, "--frames", 2, "--label", "before") == 0
    capsys.readouterr()
    monkeypatch.setattr(rd, "sources_digest", lambda: "another")
    words = ["--arm", OFF, "--frames", 2, "--against-version", "before"]
    assert campaign(clips, coded, *words) == 0
    printed = capsys.readouterr()
    assert "4 runs to do, 0 already" in printed.err
    (row,) = cells_of(printed.out, "against version before")
    assert row[:4] == ["a", "+0.00", "+0.00", "+0.00"]
    assert re.fullmatch(r"\d+", row[4]) and re.fullmatch(r"\d+", row[5])
    with pytest.raises(ConfigError, match="choose another"):
        campaign(clips, coded, *words, "--label", "before")
    with pytest.raises(ConfigError, match="no version .*'after'.*before"):
        campaign(clips, coded, *words, "--against-version", "after")


def test_times_of_different_machines_are_not_compared(clips, coded, capsys):
    assert campaign(clips, coded, "--arm", OFF, "--arm", THIN, "--frames", 2) == 0
    capsys.readouterr()
    connection = sqlite3.connect(coded / "runs.sqlite")
    with connection:
        connection.execute("UPDATE runs SET machine = 'another' WHERE settings LIKE '%sao%'")
    connection.close()
    assert campaign(clips, coded, "--arm", OFF, "--arm", THIN, "--frames", 2) == 0
    printed = capsys.readouterr().out
    assert cells_of(printed, "against off")[0][4:6] == ["-", "-"]
    assert "the machines differ" in printed


def test_a_failed_run_ends_neither_the_others_nor_unnoticed(clips, tmp_path, capsys):
    folder = tmp_path / "clips"
    folder.mkdir()
    for name in "ab":
        (folder / f"{name}.y4m").write_bytes((clips / f"{name}.y4m").read_bytes())
    with open(folder / "b.y4m", "r+b") as file:
        file.truncate(len((clips / "b.y4m").read_bytes()) - 10)
    words = ["--clip", "b", "--arm", OFF, "--qp", 37, "--frames", 3]
    assert campaign(folder, tmp_path, *words) == 1
    assert [row["clip"] for row in rows_of(tmp_path)] == ["a"]
    assert "**Failed**: b ldp QP 37 off: " in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, message",
    [
        (["--arm", OFF, "--against", "on"], "no such arm; there are off"),
        (["--codec", "hm16"], "needs --anchors"),
        (["--against-version", "x"], "no version"),
    ],
)
def test_contradictions_are_refused(clips, tmp_path, words, message):
    with pytest.raises(ConfigError, match=message):
        campaign(clips, tmp_path, *words)


def test_errors_are_one_line(clips, tmp_path):
    words = [sys.executable, BENCHMARKS / "rd.py", *command(clips, tmp_path, "--arm", "x")]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("rd: error: arm 'x': ") and done.stderr.count("\n") == 1


def test_arms_with_an_oracle_are_not_decoded(clips, tmp_path, capsys):
    words = ["--arm", ONLINE, "--arm", "oracle: --preset fast --oracle original", "--frames", 2, "--qp", 30]
    assert campaign(clips, tmp_path, *words) == 0
    assert {json.loads(row["options"]).get("oracle"): row["decoder_seconds"] for row in rows_of(tmp_path)} == {
        None: pytest.approx(10, abs=10),
        "original": None,
    }
    capsys.readouterr()
    assert campaign(clips, tmp_path, *words) == 0
    assert "0 runs to do, 2 already" in capsys.readouterr().err
