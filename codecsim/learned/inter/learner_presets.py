"""Presets of the learners: settings from a file, which may differ from base QP to base QP.

Only the encoder knows of presets: what a stream carries are the settings that follow.
"""

import bisect
import dataclasses
import pathlib
from collections.abc import Mapping
from types import MappingProxyType

from codecsim.errors import ConfigError
from codecsim.formats.toml_file import TomlFile
from codecsim.learned.inter.chroma_params import ChromaParams
from codecsim.learned.inter.params import LearnParams
from codecsim.resources import resource_folder

LEARNERS: Mapping[str, type] = MappingProxyType({"luma": LearnParams, "chroma": ChromaParams})
QP_RANGE = range(52)
_POWERS = ("channels", "uncoded_q7")  # not every number between two values is one
_SECTIONS = ("name", "description", *LEARNERS, "tuned")


@dataclasses.dataclass(frozen=True)
class LearnerPreset:
    """Settings of the learners.

    `luma` and `chroma` hold fields of LearnParams and ChromaParams; a value is one for all base QPs, or a mapping of
    base QPs to values, see `settings_at`.
    """

    name: str
    description: str = ""
    luma: Mapping[str, object] = dataclasses.field(default_factory=dict)
    chroma: Mapping[str, object] = dataclasses.field(default_factory=dict)
    tuned: Mapping[str, object] = dataclasses.field(default_factory=dict)  # how it was found and measured, free in form


def settings_at(settings: Mapping[str, object], qp: int, kind: type = LearnParams) -> dict[str, object]:
    """Settings of a learner for an encoding with the base QP `qp`.

    A value that is a mapping of base QPs is linear between them where it is a number, integers rounded to the nearest
    and halves up, and that of the nearest QP, of two the lower one, where it is not; beyond them it is constant.

    Parameters
    ----------
    settings : names of fields to values or to mappings of int QPs to values
    kind : dataclass of the fields
    """
    types = {field.name: field.type for field in dataclasses.fields(kind)}
    found = dict(settings)
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found[name] = value_at(value, qp, None if name in _POWERS else types.get(name))
    return found


def value_at(by_qp: Mapping[int, object], qp: int, kind: type | None) -> object:
    """Value at `qp` of a mapping of QPs; linear where `kind` is int or float."""
    qps = sorted(by_qp)
    if not qps:
        raise ConfigError("learned tools: a setting by QP has no values")
    above = bisect.bisect_left(qps, qp)
    if above == len(qps):
        return by_qp[qps[-1]]
    if above == 0 or qps[above] == qp:
        return by_qp[qps[above]]
    low, high = qps[above - 1], qps[above]
    if kind not in (int, float):
        return by_qp[low if qp - low <= high - qp else high]
    start, end = by_qp[low], by_qp[high]
    if kind is int:
        start, end = int(start), int(end)
        return start + (2 * (end - start) * (qp - low) + (high - low)) // (2 * (high - low))
    start, end = float(start), float(end)
    return start + (end - start) * (qp - low) / (high - low)


def _folder():
    return resource_folder("models") / "learner_presets"


def shipped_presets() -> list[str]:
    """Names of the presets that ship with codecsim."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def load_preset(name: str) -> LearnerPreset:
    """A preset by the name of one that ships, or by the path of its file.

    Raises
    ------
    ConfigError : no such preset, or a file that `read_preset` refuses
    """
    if name in shipped_presets():
        return read_preset(_folder() / f"{name}.toml")
    if not pathlib.Path(name).is_file():
        raise ConfigError(f"no learner preset {name!r}: expected a file or one of {', '.join(shipped_presets())}")
    return read_preset(name)


def read_preset(path) -> LearnerPreset:
    """The preset of a TOML file, as `models/learner_presets/README.md` describes it.

    Raises
    ------
    ConfigError : no TOML, an unknown section or setting, or a value that it cannot have, with its line
    """
    file = TomlFile(path)
    for section, content in file.data.items():
        if section not in _SECTIONS:
            raise file.error(f"unknown section {section!r}; expected one of {', '.join(_SECTIONS)}", section)
        kind = str if section in ("name", "description") else dict
        if not isinstance(content, kind):
            expected = "a text" if kind is str else f"a table [{section}]"
            raise file.error(f"{section} is {content!r}; expected {expected}", section)
    learners = {section: _read_learner(file, section, kind) for section, kind in LEARNERS.items()}
    return LearnerPreset(
        file.data.get("name", pathlib.Path(path).stem),
        file.data.get("description", ""),
        **learners,
        tuned=file.data.get("tuned", {}),
    )


def _read_learner(file, section, kind):
    """Checked settings of one learner."""
    known = [field.name for field in dataclasses.fields(kind)]
    settings = {}
    for name, value in file.data.get(section, {}).items():
        if name not in known:
            raise file.error(f"no setting {name!r}; expected one of {', '.join(known)}", section, name)
        settings[name] = _read_by_qp(file, section, name, value) if isinstance(value, Mapping) else value
        for single in settings[name].values() if isinstance(value, Mapping) else (value,):
            try:
                kind(**{name: single})
            except ConfigError as error:
                raise file.error(str(error), section, name) from None
    check_settings(settings, kind, lambda text: file.error(text, section))
    return settings


def _read_by_qp(file, section, name, by_qp):
    """Mapping of int QPs from one of their texts."""
    allowed = f"expected values by QP, such as {{ {QP_RANGE[22]} = ..., {QP_RANGE[37]} = ... }}, within 0..51"
    if not by_qp:
        raise file.error(f"{name} has no values; {allowed}", section, name)
    for qp in by_qp:
        if not (qp.isdecimal() and int(qp) in QP_RANGE):
            raise file.error(f"{name} has the key {qp!r}; {allowed}", section, name)
    return {int(qp): value for qp, value in by_qp.items()}


def check_settings(settings: Mapping[str, object], kind: type = LearnParams, failure=ConfigError) -> None:
    """Make sure that settings give parameters at every base QP.

    failure : makes the exception from a text

    Raises
    ------
    What `failure` makes
    """
    for qp in QP_RANGE if any(isinstance(value, Mapping) for value in settings.values()) else QP_RANGE[:1]:
        try:
            kind(**settings_at(settings, qp, kind))
        except ConfigError as error:
            raise failure(str(error)) from None
