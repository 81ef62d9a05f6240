"""Runs commands with some sources of the package replaced, without copying it.

A copy would compile all kernels again, for their cache goes by the place of the sources. Here each process reads the
replaced modules' text from elsewhere, and only what depends on them is compiled.
"""

import pathlib

_CUSTOMISE = '''
import importlib.machinery
import importlib.util
import pathlib
import sys

MODULES = {modules!r}  # name: (path in the package, path of the text)


class Loader(importlib.machinery.SourceFileLoader):
    """Takes the text of a module from another file."""

    def get_code(self, name):
        return compile(pathlib.Path(MODULES[name][1]).read_bytes(), MODULES[name][0], "exec", dont_inherit=True)


class DigestLoader(importlib.machinery.SourceFileLoader):
    """Lets the digests of kernels see the other text."""

    def exec_module(self, module):
        super().exec_module(module)
        usual = module._source
        module._source = lambda name: pathlib.Path(MODULES[name][1]).read_bytes() if name in MODULES else usual(name)


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in MODULES:
            return importlib.util.spec_from_loader(name, Loader(name, MODULES[name][0]))
        if name == "codecsim.kernels.sources":
            return importlib.util.spec_from_loader(name, DigestLoader(name, {digests!r}))
        return None


sys.meta_path.insert(0, Finder)
'''


def replace_sources(folder, root, sources):
    """Write a folder that, first in PYTHONPATH, replaces modules.

    Parameters
    ----------
    folder : path, which is made
    root : path of the checkout
    sources : contents by path below `root`
    """
    folder, root = pathlib.Path(folder), pathlib.Path(root)
    folder.mkdir()
    modules = {}
    for name, content in sources.items():
        dotted = ".".join(pathlib.PurePath(name).with_suffix("").parts)
        (folder / f"{dotted}.txt").write_text(content)
        modules[dotted] = (str(root / name), str(folder / f"{dotted}.txt"))
    text = _CUSTOMISE.format(modules=modules, digests=str(root / "codecsim" / "kernels" / "sources.py"))
    (folder / "sitecustomize.py").write_text(text)
