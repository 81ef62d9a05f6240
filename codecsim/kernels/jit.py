"""The one decorator through which every Numba kernel is declared.

Kernels never allocate: scratch memory is passed in.  That lets reference counting be switched off, so that passing a
namedtuple of thirty arrays costs no atomic operations.

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

import numba
import numba.core.config

from codecsim.kernels.linking import Unit, track

_PACKAGE = pathlib.Path(__file__).parents[1]
# Parsing the sources would take a noticeable part of a second at every start.
_IMPORT = re.compile(r"^[ \t]*(?:from (codecsim[\w.]*) import (\([^)]*\)|.*)|import (.*))", re.MULTILINE)
_BOUNDSCHECK = os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0")
CACHE_ROOT = pathlib.Path(
    os.environ.get("CODECSIM_CACHE_DIR")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "codecsim"
)


def _source_path(module):
    """Path of the source of dotted `module` inside the package, or None if there is none."""
    base = _PACKAGE.parent.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@functools.cache
def _direct_imports(module):
    """The codecsim modules that `module` names in its import statements."""
    found = set()
    for origin, names, plain in _IMPORT.findall(_source_path(module).read_text()):
        found.update(re.findall(r"codecsim[\w.]*", plain))
        if origin:
            found.update({origin, *(f"{origin}.{name}" for name in re.findall(r"\w+", names))})
    return {name for name in found if _source_path(name)}


@functools.cache
def source_digest(module, *others):
    """Hex digest of the sources of these modules and of all package modules that they reach through imports."""
    reached, todo = set(), [module, *others]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo.extend(_direct_imports(name))
    digest = hashlib.sha256(f"{numba.__version__} {sys.version} {_BOUNDSCHECK}".encode())
    for name in sorted(reached):
        digest.update(name.encode() + b"\0" + _source_path(name).read_bytes())
    return digest.hexdigest()[:16]


def _package_modules():
    """Dotted names of all modules of the package."""
    paths = (path.relative_to(_PACKAGE.parent).with_suffix("") for path in _PACKAGE.rglob("*.py"))
    return [".".join(path.parts).removesuffix(".__init__") for path in paths]


def kernel(function=None, *, inline=False, unit=False, recursive=None, any_type=False):
    """Compile `function` in no-Python mode, cached on disk, without allocation, reference counts or fused arithmetic.

    Parameters
    ----------
    inline : bool
        Ask LLVM to inline every call.  For leaves of a few lines; it multiplies compile time elsewhere.
    unit : bool
        Compile on its own and call by address (see linking): for kernels that do much work a call.
    recursive : Numba type
        Return type of a kernel that calls itself, which is then a unit.
    any_type : bool
        The arguments may be namedtuples of any module.  The cache knows types by name, so it is renewed with them.

    Notes
    -----
    A kernel takes scalars, arrays, and (named) tuples of these, releases the interpreter lock, divides as C does, and
    wraps integers modulo their width.
    """
    if function is None:
        return functools.partial(kernel, inline=inline, unit=unit, recursive=recursive, any_type=any_type)
    module = function.__module__
    owner = module if module.startswith("codecsim") and _source_path(module) else None
    previous = numba.core.config.CACHE_DIR
    if owner:
        digest = source_digest(owner, *(_package_modules() if any_type else ()))
        numba.core.config.CACHE_DIR = str(CACHE_ROOT / f"{owner}-{digest}")
    try:
        dispatcher = numba.njit(
            cache=owner is not None,
            boundscheck=_BOUNDSCHECK,
            nogil=True,
            error_model="numpy",
            no_cfunc_wrapper=True,
            forceinline=inline,
            _nrt=False,
        )(function)
    finally:
        numba.core.config.CACHE_DIR = previous
    track(dispatcher)
    return Unit(dispatcher, recursive) if unit or recursive is not None else dispatcher
