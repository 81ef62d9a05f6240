"""The shape of the house: who may import whom, how modules are named, how large they may grow."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "codecsim"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# A module imports only from its own line and the lines above it.
LAYERS = (
    ("errors", "truth", "resources", "linking", "vectors"),
    ("jit",),
    ("compilation", "config", "binding"),
    ("tables", "picture", "blocks"),
    ("metrics", "similarity", "formats", "entropy"),
    ("tools", "reports"),
    ("syntax",),
    ("picture_hash", "dpb", "structure"),
    ("learned",),
    ("recon", "slice_tools"),
    ("picture_codec", "block_choices", "intra_learning", "loop_stage"),
    ("search",),
    ("encoder", "decoder", "tracing"),
    ("inspection",),
    ("training",),
    ("experiments",),
    ("viewer",),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
BANNED_NAMES = {"utils", "util", "core", "common", "helpers", "misc", "base", "lib"}
MAX_LINES = 500


def part_of(module):
    """First name below `codecsim` of a dotted module."""
    return module.split(".")[1]


def module_name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path):
    """Dotted names of the modules that a file imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [alias.name for alias in node.names]
            found.update([f"codecsim.{name}" for name in names] if node.module == "codecsim" else [node.module])
    return found


def package_imports(path):
    return {part_of(name) for name in imports_of(path) if name.startswith("codecsim.")} - {"__version__"}


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_point_upwards(path):
    if path == PACKAGE / "__init__.py":
        assert not package_imports(path)
        return
    own = part_of(module_name(path))
    below = {other for other in package_imports(path) if LEVEL[other] > LEVEL[own]}
    assert not below, f"{own} imports {', '.join(sorted(below))} from below"


@pytest.mark.parametrize("own", ["syntax", "tools", "learned", "recon", "decoder", "entropy"])
def test_the_decoder_never_reaches_the_search(own):
    seen, todo = set(), {own}
    while todo:
        part = todo.pop()
        seen.add(part)
        files = [path for path in SOURCES if module_name(path) != "codecsim" and part_of(module_name(path)) == part]
        todo |= {other for path in files for other in package_imports(path)} - seen
    assert not seen & {"search", "encoder", "training", "experiments", "cli"}


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_only_training_imports_torch(path):
    if "training" not in path.parts:
        assert not {name for name in imports_of(path) if name.split(".")[0] == "torch"}


def test_names_say_what_is_inside():
    assert not [path for path in SOURCES if {*path.relative_to(PACKAGE).with_suffix("").parts} & BANNED_NAMES]


def test_files_stay_small():
    lengths = {module_name(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}
