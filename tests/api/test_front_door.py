"""`import codecsim` is cheap, and gives what it says."""

import ast
import re
import subprocess
import sys

import codecsim
from tests.test_architecture import PACKAGE


def test_names():
    assert set(codecsim.__all__) <= set(dir(codecsim))
    for name in codecsim.__all__:
        assert getattr(codecsim, name).__doc__, name
    assert not hasattr(codecsim, "encoder")


def test_type_checkers_see_the_same_names():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.asname: node.module.removeprefix("codecsim.") for node in block.body for alias in node.names}
    assert seen == codecsim._PLACES


def test_importing_is_cheap():
    code = "import sys, codecsim; assert not {'numba', 'numpy', 'codecsim.api'} & set(sys.modules); codecsim.encode"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_example_runs(capsys):
    """Ten lines with nothing imported but codecsim."""
    (code,) = re.findall(r"```python\n(.*?)```", (PACKAGE / "api" / "README.md").read_text(), re.DOTALL)
    lines = [line for line in code.splitlines() if line]
    assert len(lines) == 10 and [line for line in lines if "import" in line] == ["import codecsim"]
    found = {}
    exec(code, found)
    assert float(capsys.readouterr().out) < 1
    assert found["y"].shape == (4, 176, 320) and (found["y"] == found["own"][0].recon.to_arrays()[0]).all()
