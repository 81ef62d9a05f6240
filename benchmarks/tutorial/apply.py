"""Make the edits and write the files that a tutorial shows.

    python benchmarks/tutorial/apply.py                  edits of the sources here, files into this folder
    python benchmarks/tutorial/apply.py --sources OTHER  of those below OTHER

In the text a block of kind `diff` begins with `--- FILE`; what stands above its line `===` is found in that file, once,
and replaced by what stands below. A line begins with a space or, where it is new, with `+`. A block of kind `python` or
`toml` whose first line is `# NAME` is a file.
"""

import argparse
import pathlib
import re
import sys
from typing import NamedTuple

HERE = pathlib.Path(__file__).parent
TEXT = HERE / "README.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of code of a text."""

    kind: str  # such as sh
    body: str


class Edit(NamedTuple):
    """A place in a file, and what stands there afterwards."""

    file: str
    old: str
    new: str


def blocks(text):
    """Blocks of code of a text in Markdown, in order."""
    return [Block(*found) for found in _BLOCK.findall(text)]


def edits(text):
    """Edits of a text, in order.

    Raises
    ------
    ValueError : a block that is none
    """
    found = []
    for block in blocks(text):
        if block.kind == "diff":
            head, _, body = block.body.partition("\n")
            old, separator, new = body.partition("===\n")
            lines = (old + new).splitlines()
            if not head.startswith("--- ") or not separator or any(line and line[0] not in " +" for line in lines):
                raise ValueError(f"no edit: {block.body}")
            found.append(
                Edit(head[4:], *("".join(f"{line[1:]}\n" for line in part.splitlines()) for part in (old, new)))
            )
    return found


def files(text):
    """Contents of the files of a text, by name."""
    named = [block for block in blocks(text) if block.kind in ("python", "toml") and block.body.startswith("# ")]
    return {block.body.splitlines()[0][2:]: block.body for block in named}


def edited(source, edit):
    """A source with an edit made.

    Raises
    ------
    ValueError : the place is not there, or there twice, or the edit has been made
    """
    # the last line that is looked for may go on
    old, new = edit.old.removesuffix("\n"), edit.new.removesuffix("\n")
    if new in source:
        raise ValueError(f"{edit.file}: has been edited already, and nothing is changed; it has:\n{edit.new}")
    if source.count(old) != 1:
        raise ValueError(f"{edit.file}: found {source.count(old)} times, expected once:\n{edit.old}")
    return source.replace(old, new)


def edit_sources(root, text=None):
    """Contents of the sources below `root` with all edits made, by name; nothing is written."""
    changed = {}
    for edit in edits(text or TEXT.read_text()):
        source = changed.get(edit.file) or (pathlib.Path(root) / edit.file).read_text()
        changed[edit.file] = edited(source, edit)
    return changed


def main():
    """Edit and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", default=str(HERE.parents[1]), help="folder of the sources; default: this checkout")
    arguments = parser.parse_args()
    try:
        changed = edit_sources(arguments.sources)
    except (OSError, ValueError) as error:
        print(f"apply: error: {error}", file=sys.stderr)
        return 1
    for name, source in changed.items():
        (pathlib.Path(arguments.sources) / name).write_text(source)
        print(f"edited {name}")
    for name, content in files(TEXT.read_text()).items():
        pathlib.Path(name).write_text(content)
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
