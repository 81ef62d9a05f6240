"""Where the files that ship with codecsim are: bundled clips, trained weights, presets of the learners."""

import json
import pathlib

_PACKAGE = pathlib.Path(__file__).parent


def resource_folder(name: str) -> pathlib.Path:
    """Folder 'data' or 'models': inside the installed package, or beside it in a checkout."""
    installed = _PACKAGE / name
    return installed if installed.is_dir() else _PACKAGE.parent / name


def bundled_clip() -> pathlib.Path:
    """Path of the clip that the demo and the tests use; `data/manifest.json` describes it."""
    folder = resource_folder("data")
    entry = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))[0]
    return folder / entry["file"]
