"""The README: its examples run, its paths exist, and it tells every option."""

import pathlib
import re
import shlex

import click
import pytest

from codecsim.cli import group, run
from tests.cli.clips import write_clip

ROOT = pathlib.Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```([^\n]*)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
EXAMPLES = [
    command.removeprefix("codecsim ")
    for kind, block in BLOCKS
    if kind == "sh"
    for line in block.splitlines()
    for command in line.split(" && ")
    if command.startswith("codecsim ")
]
NOT_RUN = {  # what begins so, or holds this, is only checked to be a command line that is understood
    "demo": "takes a minute; tests/cli/test_commands.py runs it on fewer pictures",
    "train ": "takes minutes to hours; tests/training runs each training on little material",
    "--scheduler": "needs a cluster; tests/experiments/test_cluster.py starts one",
}
PATHS = sorted(set(re.findall(r"`((?:codecsim|tests|benchmarks|data|models)/[\w./-]*)`", README)))
IN_PLACE_OF = {"FOLDER": "clips", "40": "1"}  # words of the examples; 40: trials
FRAMES = 2


def is_run(example):
    return not any(example.startswith(text) or text in example.split() for text in NOT_RUN)


@pytest.fixture
def reader(clip, tmp_path, monkeypatch, capsys):
    """Folder of a reader of the README, with all that its examples take for granted; the working directory."""
    monkeypatch.chdir(tmp_path)
    pathlib.Path("clip.y4m").write_bytes(clip.read_bytes())
    for mode in ("off", "online"):
        for qp in (22, 27, 32, 37):
            encode = f"encode clip.y4m -o x.bin --filter {mode} --qp {qp} --preset fast --json --quiet"
            assert run(encode.split()) == 0
            pathlib.Path(f"{mode}_{qp}.json").write_text(capsys.readouterr().out)
    for name in ("experiments/bunny.toml", "tuning/threshold-ldp.toml"):
        target = pathlib.Path("benchmarks") / name
        target.parent.mkdir(parents=True)
        text, changed = re.subn(r"^frames = \d+", f"frames = {FRAMES}", (ROOT / target).read_text(), flags=re.MULTILINE)
        assert changed == 1
        target.write_text(text)
    pathlib.Path("clips").mkdir()
    lists = re.findall(r"^(?:validation|test) = \[(.*?)\]", text, re.DOTALL | re.MULTILINE)
    for seed, name in enumerate(re.findall(r'"(\w+)"', "".join(lists))):
        write_clip(pathlib.Path("clips") / f"{name}.y4m", seed)
    return tmp_path


def test_examples_run(reader, capsys):
    done = [example for example in EXAMPLES if is_run(example)]
    assert len(done) >= 14
    for example in done:
        command, _, target = example.partition(" > ")
        assert run([IN_PLACE_OF.get(word, word) for word in shlex.split(command)]) == 0, example
        output = capsys.readouterr().out
        assert output, example
        if target:
            pathlib.Path(target).write_text(output)
    for name, least in (("learned.json", 1000), ("bunny.html", 1_000_000), ("bunny.md", 100), ("preset.toml", 100)):
        assert pathlib.Path(name).stat().st_size > least


def test_python_runs(clip, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("clip.y4m").write_bytes(clip.read_bytes())
    (program,) = (block for kind, block in BLOCKS if kind == "python")
    exec(program, {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("example", [example for example in EXAMPLES if not is_run(example)])
def test_other_examples_are_understood(example):
    command, words = group, shlex.split(example)
    while isinstance(command, click.Group):
        command, words = command.get_command(None, words[0]), words[1:]
        assert command, example
    with click.Context(command) as context:
        command.parse_args(context, words)


def test_examples_are_marked_as_such():
    assert {kind for kind, block in BLOCKS if "codecsim " in block} == {"sh"}
    for text in NOT_RUN:
        assert any(example.startswith(text) or text in example.split() for example in EXAMPLES), text


def test_the_first_screen_has_the_two_commands():
    first_screen = README[: README.index("## How it works")]
    assert "pip install . && codecsim demo" in first_screen
    assert "pip install '.[test]' && pytest" in first_screen


@pytest.mark.parametrize("path", PATHS)
def test_paths_exist(path):
    assert (ROOT / path).exists()


def test_every_option_of_encode_is_told():
    table = README[README.index("| option of `encode`") : README.index("### From an idea to a number")]
    for option in group.get_command(None, "encode").params:
        if isinstance(option, click.Option) and option.name != "output":
            names = {*option.opts, *option.secondary_opts}
            assert any(re.search(rf"{name}\b", table) for name in names), names
