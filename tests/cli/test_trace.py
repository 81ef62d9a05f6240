import json

import pytest

from codecsim.cli import run


@pytest.fixture(scope="module")
def coded(clip, tmp_path_factory):
    """Folder with a stream and its encoder's trace."""
    folder = tmp_path_factory.mktemp("coded")
    arguments = ["encode", str(clip), "-o", str(folder / "s.bin"), "--filter", "off", "--quiet"]
    assert run([*arguments, "--trace", str(folder / "s.trace.gz")]) == 0
    return folder


def test_columns_and_json_say_the_same(coded, capsys):
    capsys.readouterr()
    assert run(["trace", str(coded / "s.bin"), "--quiet", "--element", "slice_type"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[2:]] == [
        ["0", "0", "IDR_W_RADL"],
        ["1", "1", "TRAIL_R"],
        ["2", "2", "TRAIL_R"],
    ]
    assert lines[0] == "# codecsim trace 1 decoder"
    assert run(["trace", str(coded / "s.bin"), "--quiet", "--element", "slice_type", "--json"]) == 0
    first, *objects = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {"trace": 1, "side": "decoder", "samples": False}
    assert [(found["poc"], found["value"]) for found in objects] == [(0, 2), (1, 1), (2, 1)]


def test_samples(coded, capsys):
    capsys.readouterr()
    arguments = ["--quiet", "--samples", "--element", "picture_samples", "--poc", "1"]
    outputs = []
    for name in ("s.bin", "s.trace.gz"):
        assert run(["trace", str(coded / name), *arguments]) == 0
        outputs.append(capsys.readouterr().out.splitlines())
    assert outputs[0][0].endswith("decoder samples") and outputs[1][0].endswith("encoder samples")
    assert outputs[0][2:] == outputs[1][2:]
    assert [line.split()[7] for line in outputs[0][2:]] == ["Y", "Cb", "Cr"]


def test_diff(coded, tmp_path, capsys):
    capsys.readouterr()
    assert run(["trace", "--diff", str(coded / "s.trace.gz"), str(coded / "s.bin")]) == 0
    assert capsys.readouterr().out.startswith("equal: ")
    data = bytearray((coded / "s.bin").read_bytes())
    data[-60] ^= 1
    (tmp_path / "d.bin").write_bytes(data)
    assert run(["trace", "--diff", str(coded / "s.bin"), str(tmp_path / "d.bin")]) == 1
    assert capsys.readouterr().out.startswith("first difference: element ")
    assert run(["trace", "--diff", str(coded / "s.bin"), str(tmp_path / "d.bin"), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["difference"]["index"] == found["equal_elements"] > 100


def test_a_damaged_stream_is_traced_to_its_end(coded, tmp_path, capsys):
    capsys.readouterr()
    (tmp_path / "cut.bin").write_bytes((coded / "s.bin").read_bytes()[:-20])
    assert run(["trace", str(tmp_path / "cut.bin"), "--quiet", "-o", str(tmp_path / "t.xz")]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert run(["trace", str(tmp_path / "t.xz"), "--element", "end_of_slice_segment_flag", "--quiet"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 + 3


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--diff", "s.bin"], 2, "expected two"),
        (["s.bin", "s.bin"], 2, "expected one"),
        (["none.bin"], 1, "none.bin: cannot be read"),
        (["text"], 1, "text: no trace"),
        (["--diff", "s.bin", "text"], 1, "text: no trace"),
        (["other"], 1, "other: trace of version 9"),
        (["broken"], 1, "broken: trace: a line of 2 columns"),
        (["half.gz"], 1, "half.gz: cannot be read"),
    ],
)
def test_wrong_inputs(coded, monkeypatch, capsys, arguments, status, says):
    monkeypatch.chdir(coded)
    (coded / "text").write_text("hello\n")
    (coded / "other").write_text("# codecsim trace 9 decoder\n")
    (coded / "broken").write_text("# codecsim trace 1 decoder\n1 2\n")
    whole = (coded / "s.trace.gz").read_bytes()
    (coded / "half.gz").write_bytes(whole[: len(whole) // 2])
    capsys.readouterr()
    output = [] if "--diff" in arguments else ["-o", "out"]
    assert run(["trace", *arguments, "--quiet", *output]) == status
    error = capsys.readouterr().err
    assert error.startswith("codecsim: error: ") and says in error and error.count("\n") == 1
    assert not (coded / "out").exists()


def test_the_trace_needs_a_name_of_its_own(coded, clip, capsys):
    name = str(coded / "x.bin")
    assert run(["encode", str(clip), "-o", name, "--trace", name, "--quiet"]) == 2
    assert "name of its own" in capsys.readouterr().err


def test_block_statistics(coded, clip, tmp_path, capsys):
    name = str(tmp_path / "s.csv")
    assert run(["trace", str(coded / "s.bin"), "--blocks", name, "--source", str(clip), "--quiet"]) == 0
    lines = (tmp_path / "s.csv").read_text().splitlines()
    assert lines[0] == "%;syntax-version;v1.22" and lines[-1].startswith("2;")
    (tmp_path / "cut.bin").write_bytes((coded / "s.bin").read_bytes()[:-20])
    assert run(["trace", str(tmp_path / "cut.bin"), "--blocks", str(tmp_path / "cut.csv"), "--quiet"]) == 1
    assert not (tmp_path / "cut.csv").exists()


def test_summary(coded, capsys):
    capsys.readouterr()
    assert run(["trace", str(coded / "s.bin"), "--summary", "--quiet"]) == 0
    assert "picture_md5" in capsys.readouterr().out
    assert run(["trace", str(coded / "s.bin"), "--summary", "--quiet", "--json", "--element", "slice_type"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["element"], row["count"], row["bits"], row["share"]) == ("slice_type", 3, 9.0, 1.0)
