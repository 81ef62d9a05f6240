import pathlib
import re
import shlex

import pytest

from codecsim.cli import run

ROOT = pathlib.Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
EXAMPLES = [line for block in BLOCKS for line in block.splitlines() if line.startswith("codecsim ")]
PATHS = sorted(set(re.findall(r"`((?:codecsim|tests|benchmarks|data|models)/[\w./-]*)`", README)))


def test_examples_run(clip, tmp_path, monkeypatch, capsys):
    (tmp_path / "clip.y4m").write_bytes(clip.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert len(EXAMPLES) >= 5
    for line in EXAMPLES:
        words, _, target = line.removeprefix("codecsim ").partition(" > ")
        assert run([*shlex.split(words)]) == 0, line
        output = capsys.readouterr().out
        assert output
        if target:
            (tmp_path / target).write_text(output)
    assert (tmp_path / "learned.json").stat().st_size > 1000


def test_the_first_screen_has_the_two_commands():
    first_screen = README[: README.index("## How it works")]
    assert "pip install . && codecsim demo" in first_screen
    assert "pip install '.[test]' && pytest" in first_screen


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:codecsim|tests|benchmarks|data|models)/[\w./-]*)`", README)))
)
def test_paths_exist(path):
    assert (ROOT / path).exists()
