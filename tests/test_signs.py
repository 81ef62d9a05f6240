"""The signs on the doors: each package folder has a README, and what it says of files and imports holds."""

import pathlib
import re
import tokenize

import pytest

from tests.test_architecture import MODULES, PACKAGE, ROOT, package_imports

FOLDERS = sorted(path.parent for path in PACKAGE.rglob("__init__.py") if path.parent != PACKAGE)
NAMED = re.compile(r"`([\w./-]+(?:\.(?:py|md|js|css|html|svg)|/))`")  # files and folders in backticks
FOR_ALL = ("errors", "resources", "extras")  # what everything may import


def name_of(folder):
    return str(folder.relative_to(PACKAGE))


def text_of(folder):
    """The README of a folder; that of syntax without the specification."""
    return (folder / "README.md").read_text().partition("\n---\n")[0]


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_it_is_short_and_names_files_that_exist(folder):
    text = text_of(folder)
    assert text.startswith("# ")
    assert 10 <= len(text.splitlines()) <= 45
    for name in NAMED.findall(text):
        assert any((place / name).exists() for place in (folder, ROOT, PACKAGE)), f"{name_of(folder)}: no {name}"


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_it_names_every_module(folder):
    if len(list(folder.glob("*.py"))) == 1:
        pytest.skip("only folders in it")
    listed = {pathlib.Path(name).name for name in NAMED.findall(text_of(folder))}
    missing = {path.name for path in folder.glob("*.py")} - {"__init__.py"} - listed
    assert not missing, f"{name_of(folder)}: the README does not say what is in {', '.join(sorted(missing))}"


@pytest.mark.parametrize("folder", FOLDERS, ids=name_of)
def test_it_says_what_may_be_imported(folder):
    said = re.search(r"^May import: (.*?)(?:\n\n|\Z)", text_of(folder), re.MULTILINE | re.DOTALL)[1]
    if said.startswith("every"):
        return
    allowed = {name.partition(".")[0] for name in re.findall(r"`([\w.]+)`", said.partition(". ")[0])}
    own = name_of(folder).partition("/")[0]
    used = {
        name.split(".")[1]
        for module, path in MODULES.items()
        if path.parent == folder
        for name in package_imports(path)
    } & {path.stem for path in PACKAGE.iterdir()}
    extra = used - allowed - {own, *FOR_ALL}
    assert not extra, f"{name_of(folder)} imports {', '.join(sorted(extra))} too"


@pytest.mark.parametrize("folder", ["codecsim", "tests", "benchmarks"])
def test_texts_in_sources_name_files_that_exist(folder):
    """Files of Python that comments and docstrings name are there, wherever it is."""
    known = {path.name for place in ("codecsim", "tests", "benchmarks") for path in (ROOT / place).rglob("*.py")}
    for path in (ROOT / folder).rglob("*.py"):
        with path.open("rb") as file:
            texts = [
                token.string
                for token in tokenize.tokenize(file.readline)
                if token.type == tokenize.COMMENT or token.string.startswith('"""')
            ]
        missing = {name for text in texts for name in re.findall(r"\b([a-z_]+\.py)\b", text)} - known
        assert not missing, f"{path.relative_to(ROOT)} names {', '.join(sorted(missing))}"
