"""Commands import what they use, when they use it."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from codecsim.cli import COMMANDS

ROOT = pathlib.Path(__file__).parents[2]
HEAVY = ("numba", "llvmlite", "cv2", "av", "plotly", "flask", "joblib", "optuna", "pandas", "torch", "rich")

PROBE = """
import json, sys
from codecsim.cli import run
status = run(sys.argv[1:])
print(json.dumps([status, sorted(sys.modules)]))
"""

# A package that is not there, for a process and those that it starts.
BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
"""


def imported(*arguments):
    """Names of the modules that a command line imports, in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *map(str, arguments)], env=environment, capture_output=True, text=True, check=True
    )
    status, names = json.loads(done.stdout.splitlines()[-1])
    assert status == 0, done.stderr
    return set(names)


def run_without(packages, *arguments):
    """Status and standard error of a command line in a process that lacks some packages."""
    code = f"BLOCKED = {set(packages)!r}\n{BLOCKED}\nfrom codecsim.cli import run\nsys.exit(run(sys.argv[1:]))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], env=environment, capture_output=True, text=True
    )
    return done.returncode, done.stderr


def test_help_imports_nothing_heavy():
    assert not imported("--help") & {*HEAVY, "numpy"}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_imports_nothing_heavy(name):
    assert not imported(name, "--help") & set(HEAVY)


def test_the_package_alone_imports_nothing_heavy():
    code = "import sys, codecsim; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {*HEAVY, "numpy"}


@pytest.fixture(scope="module")
def stream(clip, tmp_path_factory):
    """Path of a stream with all learned tools of inter prediction; not to be changed."""
    path = tmp_path_factory.mktemp("stream") / "s.bin"
    from codecsim.cli import run

    assert run(["encode", str(clip), "-o", str(path), "--filter", "online", "--quiet"]) == 0
    assert run(["decode", str(path), "--quiet"]) == 0  # all kernels are compiled
    return path


def test_decoding_imports_no_more_than_it_uses(stream, tmp_path):
    """Not what reads other videos, nor what Numba imports to compile, nor the encoder."""
    found = imported("decode", stream, "-o", tmp_path / "d.y4m", "--quiet")
    assert {"numba", "codecsim.codec.decoder"} <= found
    spared = {*HEAVY, "scipy.linalg", "numba.np.arraymath", "codecsim.codec.encoder", "codecsim.experiments.quality"}
    assert not found & (spared - {"numba", "llvmlite"})


def test_coding_without_opencv_and_what_else_it_can_spare(clip, tmp_path):
    coded, decoded = tmp_path / "s.bin", tmp_path / "d.y4m"
    spared = ("cv2", "av", "plotly", "flask", "joblib", "optuna", "pandas", "torch", "jinja2", "tomlkit", "rich")
    encode = ("encode", clip, "-o", coded, "--filter", "online", "--loop-filter", "on", "--quiet")
    assert run_without(spared, *encode)[0] == 0
    assert run_without(spared, "decode", coded, "-o", decoded, "--quiet")[0] == 0
    assert decoded.stat().st_size == clip.stat().st_size


@pytest.mark.parametrize(
    ("missing", "words", "told"),
    [
        ("optuna", ["tune", "plan.toml"], "tune needs optuna, which is not installed: pip install '.[tune]'"),
        ("tomlkit", ["tune", "plan.toml"], "tune needs tomlkit, which is not installed: pip install '.[tune]'"),
        ("flask", ["view", "a.bin"], "view needs flask, which is not installed: pip install flask"),
        (
            "torch",
            ["train", "loop", "samples", "-o", "x.safetensors"],
            "this training needs torch, which is not installed: pip install '.[train]'",
        ),
        (
            "cv2",
            ["metrics", "CLIP", "CLIP", "--metrics", "ssim", "--quiet"],
            "SSIM needs cv2, which is not installed: pip install opencv-python-headless",
        ),
        ("av", ["metrics", "OTHER", "OTHER"], "other.mkv needs av, which is not installed: pip install av"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(clip, tmp_path, missing, words, told):
    other = tmp_path / "other.mkv"
    other.write_bytes(b"no y4m")
    status, error = run_without([missing], *({"CLIP": clip, "OTHER": other}.get(word, word) for word in words))
    assert status == 2
    assert error.endswith(f"{told}\n") and error.startswith("codecsim: error: ") and error.count("\n") == 1
