"""The figures of the README are those of the tables that are kept, rounded to the digits that it shows."""

import re

import pytest

from tests.benchmarks.conftest import BENCHMARKS

README = (BENCHMARKS.parent / "README.md").read_text()
KEPT = sorted({*(BENCHMARKS / "results").glob("*.md"), BENCHMARKS / "learned.md", BENCHMARKS / "presets.md"})


def table(name, title):
    """Rows of the table below `title` in a kept file: dicts by column, by what of their first three cells is text."""
    text = (BENCHMARKS / name).read_text()
    block = re.search(rf"^\**{re.escape(title)}.*\n\n((?:\|.*\n)+)", text, re.MULTILINE)[1]
    head, _, *rows = ([cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines())
    found = {}
    for row in rows:
        leading = [cell for cell in row[:3] if not re.fullmatch(r"[-+]?[\d.]+|-", cell)]
        found[" ".join(leading).strip()] = dict(zip(head, row, strict=True))
    return found


def line(label):
    """Cells behind the first of the README's line of figures that begins with a label, or is it."""
    section = README[README.index("## Measured") : README.index("## Training initial weights")]
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in re.findall(r"^\|.*$", section, re.MULTILINE)]
    found = [row for row in rows if row[0] == label] or [row for row in rows if row[0].startswith(label)]
    assert len(found) == 1, label
    return found[0][1:]


def same(text, *values, unit=""):
    """Require that the numbers of a text before `unit` are these values, each rounded to the digits it has there."""
    shown = re.findall(rf"(?<![\w.])[-+]?\d+(?:\.\d+)?(?= ?{re.escape(unit)})", text)
    assert len(shown) == len(values), text
    for number, value in zip(shown, values, strict=True):
        half = 0.5 * 10.0 ** -len(number.partition(".")[2])
        assert abs(float(number) - float(value)) <= half * (1 + 1e-9), f"{text}: {number} is {value}"


def host(config, arm, against, column="Y %"):
    name = "results/host_ldb.md" if config == "ldb" else "results/host.md"
    options = {"slow": "--filter off --preset slow", "medium": "--filter off"}[arm]
    return table(name, f"{config}, {arm} (`{options}`) against {against}")["mean"][column]


def test_against_other_encoders():
    slow, medium = ([host(config, arm, "hm16") for config in ("ai", "ldp", "ra", "ldb")] for arm in ("slow", "medium"))
    same(line("luma BD-rate against the reference encoder HM-16, preset slow")[0], *slow, unit="%")
    same(line("the same, preset medium")[0], *medium, unit="%")
    same(line("luma BD-rate against x265")[0], *(host("ldp", arm, "x265") for arm in ("slow", "medium")), unit="%")
    times = [host(config, "medium", "slow", "EncT %") for config in ("ai", "ldp", "ldb", "ra")]
    same(line("encoding time, medium against slow")[0], *times, unit="%")
    text = (BENCHMARKS / "results" / "x265.md").read_text()
    same(line("encoding time, medium, against x265")[0], re.search(r"luma PSNR: ([\d.]+) x", text)[1], unit="x")


def test_speed_memory_and_start():
    text = (BENCHMARKS / "results" / "speed.md").read_text()
    rows = {row[1]: row for row in re.findall(r"^(\| (off|online) \|.*)$", text, re.MULTILINE)}
    for mode, label in (("off", "CIF, QP 32, one core, filter off"), ("online", "the same, filter online")):
        mode_, qp, encode, _, _, decode, cpu, _ = (cell.strip() for cell in rows[mode][0].strip("|").split("|"))
        assert (mode_, qp) == (mode, "32")
        told, _, without = line(label)[0].partition(", over ")
        encoded, decoded = re.findall(r"codes (\d+)", told)
        assert int(encoded) == round(float(encode))
        assert int(decoded) == round(float(decode), -1 if mode == "off" else 0)
        assert not without or float(cpu) > int(without.split()[0])
    memory = table("results/memory.md", "Maximum resident set")
    peaks = [round(float(memory[f"online {what}"]["peak MB"]), -1) for what in ("encode", "decode")]
    same(line("peak memory at CIF, 300 pictures")[0], *peaks, unit="MB")
    starts = [row["seconds"] for row in table("results/cold_start.md", "Whole process").values()]
    first, encode, decode, help_ = map(float, starts)
    same(line("first run on a machine")[0], first, unit="s")
    same(line("a later start to the end of the first picture")[0], encode, decode, unit="s")
    same(line("`codecsim --help`")[0], help_, unit="s")


def test_engine():
    text = (BENCHMARKS / "results" / "engine.md").read_text()
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in re.findall(r"^\|.*$", text, re.MULTILINE)]
    (net,) = (row for row in rows if row[0] == "16" and len(row) == 9)
    same(line("engine, 16 channels, one thread")[0], net[5], net[6], unit="x")
    same(line("the same network against torch float32")[0], net[7], net[8], unit="x")
    told = line("its single layers of 16 to 64 channels")[0]
    for name, label in (("conv3", "3x3"), ("conv1", "1x1"), ("depthwise3", "depthwise 3x3")):
        ratios = [float(row[6]) for row in rows if row[0] == name and min(int(row[1]), int(row[2])) >= 16]
        (shown,) = re.findall(rf"(?:^|, ){label} ([\d.]+(?: to [\d.]+)?) x", told)
        low, _, high = shown.partition(" to ")
        same(low, min(ratios)) if high else [same(low, ratio) for ratio in ratios]
        same(high or low, max(ratios))


TOOLS = (  # label in the README, arms whose figures stand in each column
    ("`--obmc`", {"ldp": ["obmc"]}),
    ("`--filter frozen`", {"ldp": ["frozen"], "ra": ["frozen"]}),
    ("`--filter online`, the net alone, from untrained weights", {"ldp": ["untrained"]}),
    ("`--filter online`, the net alone", {"ldp": ["online"], "ra": ["online"]}),
    ("`--filter online`, the default", {"ldp": ["default"], "ra": ["experts"]}),
    ("`--model prediction-luma-large`", {"ldp": ["large"], "ra": ["large"]}),
    ("`--settings threshold-ldp`", {"ldp": ["threshold"], "ra": ["light"]}),
    ("`inter_luma.control=signalled`", {"ldp": ["signalled"]}),
    ("`--intra-filter frozen`, `online`", {"ai": ["intra", "intra-online"]}),
    ("all prediction tools", {"ai": ["intra"], "ldp": ["all"], "ra": ["all"]}),
    ("`--loop-filter on`", {"ai": ["loop"], "ldp": ["loop"], "ra": ["loop"]}),
    ("`--loop-filter loop-filter-light`", {"ai": ["loop-light"], "ldp": ["loop-light"], "ra": ["loop-light"]}),
    ("`--loop-filter loop-filter-separable`", {"ai": ["loop-separable"]}),
    ("in-loop filter and all", {"ai": ["loop+intra"], "ldp": ["loop+all"], "ra": ["loop+all"]}),
    ("bounds", {"ldp": ["oracle", "sent"]}),
)


@pytest.mark.parametrize(("label", "arms"), TOOLS)
def test_learned_tools(label, arms):
    cells = line(label)
    for config, cell in zip(("ai", "ldp", "ra"), cells, strict=True):
        if config not in arms:
            assert not cell
            continue
        rows = [table("learned.md", f"{config}: means")[arm] for arm in arms[config]]
        values = [row["Y %"] for row in rows]
        if "U and V" in cell:
            values.append((float(rows[0]["U %"]) + float(rows[0]["V %"])) / 2)
        same(cell, *values, unit="%")


def test_shares_that_the_text_tells():
    means = table("learned.md", "ldp: means")
    work = float(means["threshold"]["of training"]) / float(means["online"]["of training"])
    presets = BENCHMARKS.parent / "models" / "learner_presets"
    for text in (README, *((presets / name).read_text() for name in ("README.md", "threshold-ldp.toml"))):
        shares = re.findall(r"threshold-ldp.*?(\d+) % of (?:the|its) training", text, re.DOTALL)
        assert shares and all(int(share) == round(100 * work) for share in shares)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.name)
def test_kept_tables_say_what_made_them(path):
    head = path.read_text().split("\n|", 1)[0]
    assert re.search(r"^`\S*\.py .*`, 20\d\d-\d\d-\d\d", head, re.MULTILINE)
    assert re.search(
        r"codecsim \d.*, sources \w{16}, commit \w{12}|^Kept by commit \w{7}, before heads", head, re.MULTILINE
    )
