"""The shape of the house: who may import whom, how modules are named, how large they may grow."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "codecsim"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# A module imports only from its own line and the lines above it.
LAYERS = (
    ("errors", "resources", "extras"),
    ("kernels",),
    ("settings", "learned.engine.spec"),
    ("tools",),
    ("picture.areas", "picture.blocks", "picture.planes", "hevc.tables"),
    ("picture.metrics", "picture.similarity", "formats", "entropy"),
    ("hevc",),
    ("syntax",),
    ("picture",),
    ("codec.config", "codec.presets", "codec.structure", "codec.reports"),
    ("learned",),
    ("codec.active_tools", "codec.recon", "codec.slice_parameters"),
    ("codec.picture_store", "codec.block_choices", "codec.intra_rows"),
    ("codec.stages",),
    ("codec.implementations", "codec.picture_codec"),
    ("search",),
    ("codec", "tracing"),
    ("inspection",),
    ("training",),
    ("experiments",),
    ("api",),
    ("viewer",),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
BANNED_NAMES = {"utils", "util", "core", "common", "helpers", "misc", "base", "lib"}
MAX_LINES = 500
MAX_FUNCTION_LINES = 100
MANY_PARAMETERS, MOST_WITH_MANY = 8, 15


def level_of(module):
    """Line of LAYERS of a dotted module: that of its longest name there."""
    name = module.removeprefix("codecsim.")
    while name not in LEVEL:
        assert "." in name, f"{module} is in none of LAYERS"
        name = name.rpartition(".")[0]
    return LEVEL[name]


def module_name(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_name(path): path for path in SOURCES}


def imports_of(path):
    """Dotted names of the modules that a file imports, at its top or inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            found.update(name if name in MODULES else node.module for name in whole)
    return found


def package_imports(path):
    """Modules of the package that a file imports, without the package itself."""
    return {name for name in imports_of(path) if name.startswith("codecsim.")}


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_point_upwards(path):
    if path == PACKAGE / "__init__.py":
        return  # for type checkers alone: see test_importing_costs_nothing
    own = module_name(path)
    below = {other for other in package_imports(path) if level_of(other) > level_of(own)}
    assert not below, f"{own} imports {', '.join(sorted(below))} from below"


@pytest.mark.parametrize("own", ["syntax", "hevc", "learned", "codec.recon", "codec.decoder", "entropy"])
def test_the_decoder_never_reaches_the_search(own):
    seen, todo = set(), {name for name in MODULES if f"{name}.".startswith(f"codecsim.{own}.")}
    while todo:
        module = todo.pop()
        seen.add(module)
        todo |= package_imports(MODULES[module]) - seen
    barred = ("search", "codec.encoder", "training", "experiments", "cli")
    assert not {name for name in seen for part in barred if f"{name}.".startswith(f"codecsim.{part}.")}


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_only_training_imports_torch(path):
    """And the adaptor of a user's torch module, which is imported when it is asked for."""
    if "training" not in path.parts and module_name(path) != "codecsim.api.torch_adaptor":
        assert not {name for name in imports_of(path) if name.split(".")[0] == "torch"}


def test_importing_costs_nothing():
    """What is public is imported when it is used."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert {alias.name for node in imports for alias in node.names} == {"importlib", "TYPE_CHECKING"}


def test_names_say_what_is_inside():
    assert not [path for path in SOURCES if {*path.relative_to(PACKAGE).with_suffix("").parts} & BANNED_NAMES]


def test_files_stay_small():
    lengths = {module_name(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}


def functions_of(path):
    """Definitions of functions in a file, inner ones and methods too."""
    tree = ast.parse(path.read_text())
    return [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]


def parameters_of(function):
    """Names of the parameters of a definition."""
    arguments = function.args
    return [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def test_few_functions_have_many_parameters():
    """Those that build LLVM IR and the larger commands; a block's place and size are one tuple (picture.areas)."""
    found = {
        f"{module}.{function.name}": len(parameters_of(function))
        for module, path in MODULES.items()
        for function in functions_of(path)
    }
    many = {name: count for name, count in found.items() if count > MANY_PARAMETERS}
    assert len(many) <= MOST_WITH_MANY, many


def test_functions_stay_short():
    lengths = {
        f"{module}.{function.name}": function.end_lineno - function.lineno + 1
        for module, path in MODULES.items()
        for function in functions_of(path)
    }
    assert {name: length for name, length in lengths.items() if length > MAX_FUNCTION_LINES} == {}
