"""Settings from files: of learners, found by hand or by `codecsim tune`, which may differ from base QP to base QP.

Only the encoder knows of them: what a stream carries are the settings that follow.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from codecsim.codec.config import GROUPS, find_setting
from codecsim.errors import ConfigError
from codecsim.formats.toml_file import TomlFile
from codecsim.resources import resource_folder
from codecsim.settings.by_qp import QP_RANGE, read_by_qp, value_at
from codecsim.tools import TOOLS

_TEXTS = ("name", "description")
_SECTIONS = (*_TEXTS, *GROUPS, "tuned")


@dataclasses.dataclass(frozen=True)
class SettingsFile:
    """What a file of settings says."""

    name: str
    description: str = ""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # by full name; values may be by QP
    tuned: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # how it was found and measured, free in form


def _folder() -> pathlib.Path:
    return resource_folder("models") / "learner_presets"


def shipped_settings() -> list[str]:
    """Names of the files that ship with codecsim."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def load_settings(name: str | os.PathLike) -> SettingsFile:
    """Settings by the name of a file that ships, or by a path.

    Raises
    ------
    ConfigError : no such file, or one that `read_settings_file` refuses
    """
    path = _folder() / f"{name}.toml" if name in shipped_settings() else pathlib.Path(name)
    if not path.is_file():
        shipped = ", ".join(shipped_settings())
        raise ConfigError(f"no settings {os.fspath(name)!r}: expected a file or one of {shipped}")
    return _read_once(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _read_once(path: pathlib.Path, changed: int) -> SettingsFile:
    return read_settings_file(path)


def read_settings_file(path: str | os.PathLike) -> SettingsFile:
    """The settings of a TOML file, as `models/learner_presets/README.md` describes it.

    Raises
    ------
    ConfigError : no TOML, an unknown section or setting, or a value that it cannot have, with its line
    """
    file = TomlFile(path)
    for section, content in file.data.items():
        if section not in _SECTIONS:
            raise file.error(f"unknown section {section!r}; expected one of {', '.join(_SECTIONS)}", section)
        kind = str if section in _TEXTS else dict
        if not isinstance(content, kind):
            expected = "a text" if kind is str else f"a table [{section}]"
            raise file.error(f"{section} is {content!r}; expected {expected}", section)
    settings: dict[Any, Any] = {}
    for group in GROUPS:
        settings |= read_section(file, group, file.data.get(group, {}))
    data = file.data
    name = data.get("name", pathlib.Path(path).stem)
    return SettingsFile(name, data.get("description", ""), settings, data.get("tuned", {}))


def read_section(file: TomlFile, group: str, table: Mapping[str, Any]) -> dict[str, Any]:
    """Checked settings of one group by full name.

    Raises
    ------
    ConfigError : an unknown setting, or a value that it cannot have, with its line
    """
    found = {}
    for name, value in table.items():
        try:
            declared = find_setting(f"{group}.{name}")
            found[declared.full_name] = read_by_qp(declared, value)
        except ConfigError as error:
            raise file.error(str(error), group, name) from None
    try:
        check_together(group, found)
    except ConfigError as error:
        raise file.error(str(error), group) from None
    return found


def check_together(group: str, settings: Mapping[str, Any]) -> None:
    """Make sure that settings of a group, by full name, fit each other at every base QP.

    Raises
    ------
    ConfigError
    """
    for qp in QP_RANGE if any(isinstance(value, dict) for value in settings.values()) else QP_RANGE[:1]:
        at_qp = {name: value_at(find_setting(name), value, qp) for name, value in settings.items()}
        GROUPS[group](**{name.partition(".")[2]: value for name, value in at_qp.items()})


TUNABLE: tuple[str, ...] = tuple(tool.name for tool in TOOLS if tool.settings)  # groups that `codecsim tune` searches
