"""Where compiled kernels are kept, and what tells those of one version of the sources from those of another.

Numba's own disk cache looks only at the file a function stands in; a change in a callee elsewhere would go unnoticed.
Here each module's kernels are cached in a folder named by a digest of that module and of every codecsim module it
imports, directly or not, so a stale result cannot be found and an edit recompiles no more than what depends on it.
"""

import functools
import hashlib
import os
import pathlib
import re
import sys

import platformdirs

BOUNDSCHECK = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")
CACHE_ROOT = pathlib.Path(
    os.environ.get("CODECSIM_CACHE_DIR") or platformdirs.user_cache_path("codecsim", appauthor=False)
)

_PARENT = pathlib.Path(__file__).parents[2]  # of the package
# Parsing the sources would take a noticeable part of a second at every start.
_IMPORT = re.compile(r"^[ \t]*(?:from (codecsim[\w.]*) import (\([^)]*\)|.*)|import (.*))", re.MULTILINE)


def cache_folder(module: str) -> pathlib.Path | None:
    """Folder for the compiled kernels of dotted `module`, or None if it is no module of the package."""
    if not module.startswith("codecsim.") or _source(module) is None:
        return None
    return CACHE_ROOT / f"{module}-{source_digest(module)}"


@functools.cache
def source_digest(module: str) -> str:
    """Hex digest of the source of a module and of those of all package modules that it reaches through imports."""
    import numba

    reached: set[str] = set()
    todo = [module]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo.extend(_direct_imports(name))
    digest = hashlib.sha256(f"{numba.__version__} {sys.version} {BOUNDSCHECK}".encode())
    for name in sorted(reached):
        digest.update(name.encode() + b"\0" + (_source(name) or b""))
    return digest.hexdigest()[:16]


@functools.cache
def _direct_imports(module: str) -> frozenset[str]:
    """The codecsim modules that `module` names in its import statements."""
    found: set[str] = set()
    for origin, names, plain in _IMPORT.findall((_source(module) or b"").decode()):
        if origin:
            found.update({origin, *(f"{origin}.{name}" for name in re.findall(r"\w+", names))})
        elif "codecsim" in plain:
            found.update(re.findall(r"codecsim[\w.]*", plain))
    return frozenset(name for name in found if _source(name) is not None)


@functools.cache
def _source(module: str) -> bytes | None:
    """Source of dotted `module` inside the package, or None if there is none."""
    base = str(_PARENT.joinpath(*module.split(".")))
    for path in (f"{base}.py", os.path.join(base, "__init__.py")):
        try:
            with open(path, "rb") as file:
                return file.read()
        except OSError:
            continue
    return None
