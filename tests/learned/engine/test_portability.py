"""More than 1000 training steps give one digest on all instruction sets, optimisation levels, threads and engines."""

import os
import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
# What training_digest.py prints everywhere.  It may change only together with codec.active_tools.ARITHMETIC_VERSION.
GOLDEN = """\
1fd221b6ee90aee3f6357e18784ac271 5be89e98c7c1
b44019b8aa085b2a2d28059d869f5233 187d16450b
5d04548df55c65876abefdc3502bc6b8 ca2c34ab
5c462f60c7cd2c2d016faa1cde3b1105 ca47e10d
525b574939cf6c6692cf8303090d3060 1878944c04
4d3a95b94d9ccb7efc54f3a674038d3e 1d81339e03380c34
92ad7df157e591166e721d446936e2bf 5be61f2a012b
63e0a095f50b216be5e0474817be9423 187b3d1b4f
1936e80a39cd49c573720698aa6c87ae ca20dfd0
a61b7d73646da305d2cef24cb0a74c87 5bdeaef0acbe
7c848aa476898e725c5ce769a19146d3
d48a00d1a3ea5f444c5611e7820c2d43
"""
HOST = {}
GENERIC = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}


def digest(threads=1, **environment):
    """Output of training_digest.py in a process of its own."""
    root = HERE.parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), **environment}
    command = [sys.executable, str(HERE / "training_digest.py"), str(threads)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_this_processor():
    assert digest() == GOLDEN


def test_generic_processor_and_two_threads():
    assert digest(threads=2, **GENERIC) == GOLDEN


@pytest.mark.slow
@pytest.mark.parametrize("cpu", ["x86-64-v2", "x86-64-v3"])
def test_instruction_sets(cpu):
    assert digest(NUMBA_CPU_NAME=cpu, NUMBA_CPU_FEATURES="") == GOLDEN


@pytest.mark.slow
@pytest.mark.parametrize("setting", [HOST, GENERIC], ids=["host", "generic"])
def test_plain_engine(setting):
    assert digest(CODECSIM_ENGINE="plain", **setting) == GOLDEN


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["vector", "plain"])
def test_low_optimisation(tmp_path, engine):
    """Numba's cache does not know the optimisation level, hence a cache of its own."""
    setting = {"NUMBA_OPT": "1", "CODECSIM_CACHE_DIR": str(tmp_path), "CODECSIM_ENGINE": engine}
    assert digest(threads=2, **setting) == GOLDEN
