"""The tutorial's text, executed: its edits, its files, its commands."""

import json
import os
import re
import subprocess
import sys

import pytest

from tests.benchmarks.conftest import BENCHMARKS
from tests.benchmarks.edited_sources import replace_sources

sys.path.insert(0, str(BENCHMARKS / "tutorial"))
import apply

ROOT = BENCHMARKS.parent
TEXT = apply.TEXT.read_text()
COMMANDS = [block.body for block in apply.blocks(TEXT) if block.kind == "sh"]
FRAMES = 4  # in place of the text's, so that every third picture is among them


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Folder like the reader's after all edits, and the environment there."""
    folder = tmp_path_factory.mktemp("tutorial")
    replace_sources(folder / "edited", ROOT, apply.edit_sources(ROOT))
    (folder / "data").symlink_to(ROOT / "data")  # not the package: kernels are cached by the place of its sources
    for name, content in apply.files(TEXT).items():
        (folder / name).write_text(fewer(content))
    programs = folder / "bin"
    programs.mkdir()
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (programs / "codecsim").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m codecsim "$@"\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join((str(folder / "edited"), str(ROOT))),
    }
    return folder, environment


def fewer(text):
    """The text with fewer pictures and QPs."""
    text = text.replace("qps = [22, 27, 32, 37]", "qps = [22, 37]")
    return re.sub(r"(--frames|frames =) 9\b", rf"\1 {FRAMES}", text)


def run(place, command):
    folder, environment = place
    shell = ["bash", "-euo", "pipefail", "-c", fewer(command)]
    done = subprocess.run(shell, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_every_edit_finds_its_place():
    changed = apply.edit_sources(ROOT)
    assert {*changed} == {
        f"codecsim/{name}.py"
        for name in ("learned/inter/input_planes", "learned/inter/controller", "tools/inter_luma", "tools/learner")
    }
    for name, source in changed.items():
        compile(source, name, "exec")
        assert max(map(len, source.splitlines())) <= 120
    with pytest.raises(ValueError, match="found 0 times"):
        apply.edited("x = 1\n", apply.Edit("f.py", "y = 2\n", "y = 3\n"))
    with pytest.raises(ValueError, match="found 2 times"):
        apply.edited("x = 1\nx = 1\n", apply.Edit("f.py", "x = 1\n", "x = 3\n"))
    with pytest.raises(ValueError, match="no edit"):
        apply.edits("```diff\n--- f.py\n-x\n===\n+y\n```\n")


def test_edits_are_made_on_request(tmp_path):
    for name in apply.edit_sources(ROOT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    command = [sys.executable, BENCHMARKS / "tutorial" / "apply.py", "--sources", tmp_path]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "edited codecsim/learned/inter/input_planes.py" in done.stdout
    assert {name: (tmp_path / name).read_text() for name in apply.edit_sources(ROOT)} == apply.edit_sources(ROOT)
    assert "NetSpec(" in (tmp_path / "stack.py").read_text()


def test_edits_are_made_once(tmp_path):
    edited = apply.edit_sources(ROOT)
    for name, source in edited.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(source)
    command = [sys.executable, BENCHMARKS / "tutorial" / "apply.py", "--sources", tmp_path]
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 1 and again.stdout == ""
    assert again.stderr.startswith("apply: error: codecsim/learned/inter/input_planes.py: has been edited already")
    assert {name: (tmp_path / name).read_text() for name in edited} == edited
    assert not (tmp_path / "stack.py").exists()
    for edit in apply.edits(TEXT):  # each of them would be refused
        with pytest.raises(ValueError, match="edited already"):
            apply.edited(edited[edit.file], edit)


def test_the_text_says_what_it_uses():
    for path in re.findall(r"`((?:codecsim|tests|benchmarks|models)/[\w./]+)`", TEXT):
        assert (ROOT / path).exists(), path


def test_the_commands_do_what_the_text_says(place):
    stack, activity, every, table = COMMANDS
    said = run(place, stack)
    assert "conv1 16 - depthwise3 16 - conv1 16" in said and "all hashes right" in said
    said = run(place, activity)
    assert "4 passed" in said and "all hashes right" in said
    said = run(place, every)
    assert "all hashes right" in said
    pictures = json.loads(run(place, "codecsim info every.bin --json --quiet"))["pictures"]
    assert [picture.get("trained_steps", 0) > 0 for picture in pictures] == [False, False, False, True]
    said = run(place, table)
    for arm in ("usual", "stack", "activity", "every"):
        assert re.search(rf"{arm}.* against off", said), said
    assert "failed" not in said.lower()


def test_without_the_edits_the_settings_are_not_there(place):
    folder, environment = place
    command = [sys.executable, "-m", "codecsim", "decode", "activity.bin"]
    unedited = environment | {"PYTHONPATH": str(ROOT)}
    assert (folder / "activity.bin").exists()
    done = subprocess.run(command, cwd=folder, env=unedited, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.count("codecsim: error") == 1
