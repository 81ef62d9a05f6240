"""The list of modules that mypy leaves to Numba holds those with kernels, and no others."""

import ast
import pathlib
import tomllib

ROOT = pathlib.Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
COMPILED = {"kernel", "intrinsic", "recording"}  # decorators of what Numba types


def decorators(function):
    """Names of the decorators of a function."""
    for node in function.decorator_list:
        node = node.func if isinstance(node, ast.Call) else node
        yield node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def has_kernels(path):
    functions = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if hasattr(node, "returns"))
    return any(COMPILED & {*decorators(function)} for function in functions)


def test_only_modules_with_kernels_go_without_annotations():
    (loose,) = (rule for rule in SETTINGS["overrides"] if rule.get("disallow_untyped_defs") is False)
    sources = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in ROOT.glob("codecsim/**/*.py")}
    assert sorted(loose["module"]) == sorted(name for name, path in sources.items() if has_kernels(path))


def test_everything_else_must_be_annotated():
    assert SETTINGS["disallow_untyped_defs"] and SETTINGS["check_untyped_defs"]
    assert SETTINGS["files"] == ["codecsim"] and "exclude" not in SETTINGS
    packages = {"llvmlite", "numba", "torch", "joblib", "distributed", "optuna", "pandas", "safetensors"}
    for rule in SETTINGS["overrides"]:
        assert not any(rule.get(name) for name in ("ignore_errors", "disable_error_code"))
        if "follow_imports" in rule:
            assert {name.partition(".")[0] for name in rule["module"]} <= packages
