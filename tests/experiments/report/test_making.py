"""Files of a report: what is in them, that nothing in them is a danger, and what a failed run leaves."""

import base64
import csv
import gzip
import html.parser
import json
import pathlib
import re
import sqlite3

import pytest

from codecsim.cli import run
from codecsim.experiments.report import page
from codecsim.experiments.report.making import csv_tables
from codecsim.experiments.report.overview import comparisons, overview
from codecsim.experiments.report.study import read_study
from tests.experiments.report.synthetic import ARMS, OFF, make_database

DANGER = "<script>alert('x')</script>&\"<img src=x onerror=alert(1)>"
NEVER_CLOSED = {"meta", "img", "input", "link", "br", "hr"}


class Reader(html.parser.HTMLParser):
    """Tags of a page with their attributes, the texts of table cells, and the text of each script."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.cells, self.scripts = [], [], [], {}
        self.feed(text)
        self.close()
        assert not self.open, "tags that are not closed"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in NEVER_CLOSED:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[self.tags[-1][1].get("id")] = data
        elif {"td", "th"} & set(self.open):
            self.cells[-1] += data


def unpacked(text):
    return gzip.decompress(base64.b64decode(text))


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return make_database(tmp_path_factory.mktemp("making") / "exp.sqlite", configs=("ldp", "ra"))


def test_a_page_needs_nothing_but_itself(database, tmp_path, capsys):
    assert run(["report", str(database), "-o", str(tmp_path / "p.html")]) == 0
    text = (tmp_path / "p.html").read_text()
    assert capsys.readouterr().out == f"{tmp_path / 'p.html'}: 72 of 72 runs, 3 arms, {len(text) / 1e6:.1f} MB\n"
    read = Reader(text)
    links = [v for _, found in read.tags for name, v in found.items() if name in ("src", "href", "action", "srcset")]
    assert links and all(link.startswith("#") for link in links)
    assert not re.search(r"@import|url\(", text[: text.index("</style>")])
    assert unpacked(read.scripts["library"]) == page.plotly_script()
    data = json.loads(unpacked(read.scripts["data"]))
    assert data["arms"] == list(ARMS) and [config["name"] for config in data["configs"]] == ["ldp", "ra"]


def test_tables_of_the_page_and_of_markdown_are_the_same(database, tmp_path):
    words = ["report", str(database), "-o", str(tmp_path / "p.html"), "--markdown", str(tmp_path / "t.md")]
    assert run(words) == 0
    study = read_study(database)
    text, cells = (tmp_path / "t.md").read_text(), Reader((tmp_path / "p.html").read_text()).cells
    for config, tables in comparisons(study).items():
        for table in [overview(study, config, tables), *tables.values()]:
            assert "\n".join(table.markdown()) in text
            flat = [cell for row in table.cells() for cell in row]
            assert any(cells[k : k + len(flat)] == flat for k in range(len(cells)))
    assert "72 of 72 runs, compared with off" in text


def test_csv_has_all_tables(database, tmp_path):
    words = ["report", str(database), "-o", str(tmp_path / "p.html"), "--csv", str(tmp_path / "new" / "tables")]
    assert run(words) == 0
    kinds = ["means", "obmc_against_off", "online_against_off", *(f"{arm}_points" for arm in ARMS)]
    names = {f"{config}_{kind}.csv" for config in ("ldp", "ra") for kind in kinds}
    assert {path.name for path in (tmp_path / "new" / "tables").iterdir()} == names
    table = comparisons(read_study(database))["ldp"]["online"]
    rows = list(csv.reader((tmp_path / "new/tables/ldp_online_against_off.csv").open()))
    assert [float(row[1]) for row in rows[1:4]] == [row.values[1] for row in table.rows[:3]]


def test_a_workbook_has_all_tables(database, tmp_path, capsys, monkeypatch):
    openpyxl = pytest.importorskip("openpyxl")
    path = tmp_path / "tables.xlsx"
    words = ["report", str(database), "-o", str(tmp_path / "p.html"), "--csv", str(tmp_path), "--xlsx", str(path)]
    assert run(words) == 0
    book = openpyxl.load_workbook(path)
    assert len(book.sheetnames) == len(list(tmp_path.glob("*.csv")))
    (name,) = (name for name in book.sheetnames if name.endswith(" ldp_online_against_off"))
    rows = list(csv.reader((tmp_path / "ldp_online_against_off.csv").open()))
    found = [["" if cell is None else str(cell) for cell in row] for row in book[name].iter_rows(values_only=True)]
    assert [row[0] for row in found] == [row[0] for row in rows] and found[0] == rows[0]
    monkeypatch.setitem(__import__("sys").modules, "openpyxl", None)
    assert run(words) == 2
    assert "report --xlsx needs openpyxl, which is not installed: pip install '.[xlsx]'" in capsys.readouterr().err


def test_csv_names_never_meet(tmp_path):
    study = read_study(make_database(tmp_path / "e.sqlite", {"off": (OFF, 1.0), "a b": (OFF, 0.9), "a/b": (OFF, 0.8)}))
    tables = comparisons(study)
    found = csv_tables(study, tables)
    assert found["ldp_a_b_against_off.csv"] == tables["ldp"]["a b"]
    assert found["ldp_a_b_against_off_2.csv"] == tables["ldp"]["a/b"]
    assert len(found) == 6


def test_texts_of_a_database_are_no_html(tmp_path):
    path = make_database(
        tmp_path / "e.sqlite",
        {"off": (OFF, 1.0), DANGER: (OFF, 0.9)},
        clips=(DANGER,),
        missing=[(DANGER, DANGER, 22)],
        experiment=DANGER,
    )
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE runs SET machine = ?, software = ?, date = ?", [DANGER] * 3)
        connection.execute("UPDATE versions SET label = ?, version = ?", [DANGER] * 2)
        connection.execute("UPDATE experiments SET definition = ?", [DANGER])
    connection.close()
    out = tmp_path / "p.html"
    more = ["--csv", str(tmp_path / "t"), "--markdown", str(tmp_path / "m")]
    assert run(["report", str(path), "-o", str(out), *more]) == 0
    plain = tmp_path / "plain.html"
    assert run(["report", str(make_database(tmp_path / "plain.sqlite", clips=("a",))), "-o", str(plain)]) == 0
    read, expected = Reader(out.read_text()), Reader(plain.read_text())
    for tag in ("script", "img"):
        assert sum(name == tag for name, _ in read.tags) == sum(name == tag for name, _ in expected.tags)
    assert not any(name.startswith("on") for _, found in read.tags for name in found)
    assert DANGER in read.cells
    assert b"<script" not in unpacked(read.scripts["data"]).replace(json.dumps(DANGER)[1:-1].encode(), b"")
    names = [found.name for found in (tmp_path / "t").iterdir()]
    assert names and not [name for name in names if set(name) & set("<>&/\"'")]


def test_json(database, tmp_path, capsys):
    assert run(["report", str(database), "-o", str(tmp_path / "p.html"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["runs"], found["asked"]) == (72, 72) and len(found["tables"]) == 4
    assert found["bytes"] == (tmp_path / "p.html").stat().st_size


def test_the_page_is_beside_the_database_or_on_standard_output(database, tmp_path, capsysbinary):
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(database.read_bytes())
    assert run(["report", str(copy)]) == 0
    capsysbinary.readouterr()
    assert run(["report", str(copy), "-o", "-"]) == 0
    assert capsysbinary.readouterr().out == (tmp_path / "copy.html").read_bytes()


def test_one_arm_has_nothing_to_compare(tmp_path):
    path = make_database(tmp_path / "e.sqlite", {"off": (OFF, 1.0)})
    assert run(["report", str(path), "-o", str(tmp_path / "p.html"), "--csv", str(tmp_path / "t")]) == 0
    assert "There is only one arm" in (tmp_path / "p.html").read_text()
    assert [found.name for found in (tmp_path / "t").iterdir()] == ["ldp_off_points.csv"]


@pytest.mark.parametrize(
    "words, status, message",
    [
        (["none.sqlite"], 1, "there is no such file"),
        (["."], 1, ".: there is no such file"),
        ([".."], 1, "..: there is no such file"),
        ([""], 1, "there is no such file"),
        (["DATABASE", "--experiment", "x"], 2, "no experiment 'x'; there are: trial"),
        (["DATABASE", "--reference", "x"], 2, "no arm 'x'; there are: off; obmc; online"),
        (["DATABASE", "--version", "x"], 2, "no version"),
        (["DATABASE", "-o", "-", "--json"], 2, "cannot be both"),
        (["DATABASE", "-o", "PAGE", "--markdown", "PAGE"], 2, "cannot have the same name"),
        (["DATABASE", "-o", "DATABASE"], 2, "cannot have the same name"),
        (["DATABASE", "-o", "PAGE", "--csv", "DATABASE"], 1, "cannot be written"),
        (["DATABASE", "-o", "PAGE", "--markdown", "none/such/file"], 1, "cannot be written"),
    ],
)
def test_what_goes_wrong_is_one_line_and_leaves_none(database, tmp_path, capsys, monkeypatch, words, status, message):
    monkeypatch.chdir(tmp_path)
    words = [{"DATABASE": str(database), "PAGE": "p.html"}.get(word, word) for word in words]
    assert run(["report", *words]) == status
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1 and message in captured.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["plotly", "jinja2"])
def test_a_missing_package_is_named(database, tmp_path, capsys, monkeypatch, package):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run(["report", str(database), "-o", str(tmp_path / "p.html")]) == 2
    assert f"needs {package}, which is not installed" in capsys.readouterr().err
    assert not pathlib.Path(tmp_path / "p.html").exists()
