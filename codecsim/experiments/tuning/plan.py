"""A tuning plan: a TOML file that says what is searched, on which clips, and what is best."""

import dataclasses
import math
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from codecsim.codec.config import CONFIGS, EncoderConfig, find_setting
from codecsim.errors import ConfigError
from codecsim.experiments.arms import NAME, Arm, make_arm, read_arm
from codecsim.experiments.settings_files import TUNABLE, check_together, read_section
from codecsim.experiments.tuning.space import SPACE_KEYS, USUAL, Dimension
from codecsim.formats.toml_file import TomlFile
from codecsim.settings.by_qp import read_by_qp
from codecsim.settings.setting import Setting
from codecsim.tools import tool_named
from codecsim.tools.learner import THRESHOLD_QP
from codecsim.tools.tool import OFF

SEARCH = "search"  # in place of a range: the usual one
OBJECTIVES = ("bd_rate", "bd_rate and training")
SAMPLERS = ("tpe", "nsga2", "random")
_KEYS = {
    "name": (str, "a text"),
    "description": (str, "a text"),
    "config": (str, f"one of {', '.join(CONFIGS)}"),
    "frames": (int, "a number of pictures"),
    "qps": (list, "a list of at least two QPs, such as [22, 27, 32, 37]"),
    "options": (str, "options of encode, of all arms"),
    "reference": (str, "options of encode, of the arm that all are compared with"),
    "default": (str, "options of encode, of the arm that the preset is to beat"),
    "objective": (str, f"one of {', '.join(OBJECTIVES)}"),
    "training_at_most": (float, "a share of the default's training, such as 0.4"),
    "sampler": (str, f"one of {', '.join(SAMPLERS)}"),
    "seed": (int, "a number"),
    "prune": (bool, "true or false"),
    "clips": (dict, "a table [clips] with lists: validation, test, training"),
    **{group: (dict, f"a table [{group}] of settings") for group in TUNABLE},
    "start": (list, "tables [[start]] of settings"),
}
MAX_QP = 51
_CLIP_LISTS = ("validation", "test", "training")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What `codecsim tune` is asked to do.

    `fixed` holds, by full name, settings that belong to the preset but are not searched; `starts` settings of the same
    form that are tried first.  Clips are named without suffix; `training` names what the initial weights were trained
    on, which is kept beside the results and may not be used for anything else.
    """

    name: str
    dimensions: tuple[Dimension, ...]
    validation: tuple[str, ...]
    description: str = ""
    config: str = "ldp"
    frames: int = 9
    qps: tuple[int, ...] = THRESHOLD_QP
    options: str = ""
    reference: str = "--filter off"
    default: str = ""  # beside `options`
    objective: str = OBJECTIVES[0]
    training_at_most: float | None = None  # of the default's kMAC/pixel
    sampler: str = "tpe"
    seed: int = 1
    prune: bool = True  # give trials up whose first pictures are worse than the median
    test: tuple[str, ...] = ()
    training: tuple[str, ...] = ()
    fixed: Mapping[str, object] = dataclasses.field(default_factory=dict)
    starts: tuple[Mapping[str, object], ...] = ()
    path: str = ""  # of the file

    @property
    def multi_objective(self) -> bool:
        """Whether training is minimised too."""
        return self.objective == OBJECTIVES[1]

    def reference_arm(self) -> Arm:
        """The arm that all are compared with."""
        return read_arm(f"reference: {self.reference}")

    def default_arm(self) -> Arm:
        """The arm that the preset is to beat."""
        return read_arm(f"default: {self.options} {self.default}")

    def encoder_config(self, settings: Mapping[str, object], qp: int, frames: int) -> EncoderConfig:
        """Settings of an encoding with those of tools, by full name; the plan's options win.

        Those of a tool that the options have not on are not taken.
        """
        given = read_arm(f"preset: {self.options}").given
        taken = {name: value for name, value in settings.items() if given.takes(name)}
        whole = dataclasses.replace(given, settings={**taken, **given.settings})
        return make_arm("preset", whole).encoder_config(self.config, qp, frames)

    def settings(self, values: Mapping[str, object]) -> dict[str, object]:
        """Settings by full name: the fixed ones, and those that a trial chose."""
        return {**self.fixed, **{dimension.name: dimension.setting(values) for dimension in self.dimensions}}


def read_plan(path: str | os.PathLike) -> Plan:
    """The plan of a TOML file, as `benchmarks/tuning/README.md` describes it.

    Raises
    ------
    ConfigError : no TOML, an unknown or missing key, or a value that it cannot have, with its line
    """
    file = TomlFile(path)
    data = file.data
    for key, value in data.items():
        if key not in _KEYS:
            raise file.error(f"unknown key {key!r}; expected one of {', '.join(_KEYS)}", key)
        kind, expected = _KEYS[key]
        number = kind is float and isinstance(value, int) and not isinstance(value, bool)
        if not (isinstance(value, kind) or number) or (kind is int and isinstance(value, bool)):
            raise file.error(f"{key} is {value!r}; expected {expected}", key)
    for key, allowed in (("config", CONFIGS), ("objective", OBJECTIVES), ("sampler", SAMPLERS)):
        if data.get(key, allowed[0]) not in allowed:
            raise file.error(f"{key} is {data[key]!r}; expected {_KEYS[key][1]}", key)
    name = data.get("name", pathlib.Path(path).stem)
    if not NAME.fullmatch(name):
        raise file.error(f"name is {name!r}; expected letters and digits", "name")
    qps = data.get("qps", list(THRESHOLD_QP))
    if not all(map(_is_qp, qps)) or len(set(qps)) < 2:
        raise file.error(f"qps is {qps!r}; expected {_KEYS['qps'][1]}, within 0..51", "qps")
    if data.get("frames", 1) < 1 or not 0 < data.get("training_at_most", 1) < math.inf:
        key = "frames" if data.get("frames", 1) < 1 else "training_at_most"
        raise file.error(f"{key} is {data[key]}; expected {_KEYS[key][1]}, above 0", key)
    if data.get("seed", 0) < 0:
        raise file.error(f"seed is {data['seed']}; expected a whole number from 0", "seed")
    plain = {k: v for k, v in data.items() if k not in ("clips", *TUNABLE, "start", "qps", "name")}
    fixed, dimensions = _read_settings(file, tuple(qps))
    plan = Plan(
        name=name,
        path=file.path,
        dimensions=dimensions,
        qps=tuple(sorted(set(qps))),
        fixed=fixed,
        starts=_read_starts(file, dimensions),
        **plain,
        **_read_clips(file),
    )
    _check_arms(file, plan)
    return plan


def _is_qp(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_QP


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _read_clips(file: TomlFile) -> dict[str, Any]:
    """Names by list; no clip may serve two purposes."""
    lists = file.data.get("clips", {})
    used: dict[Any, Any] = {}
    for key, names in lists.items():
        if key not in _CLIP_LISTS:
            raise file.error(f"unknown key {key!r}; expected one of {', '.join(_CLIP_LISTS)}", "clips", key)
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise file.error(f"{key} is {names!r}; expected a list of names of clips", "clips", key)
        for name in names:
            if used.setdefault(name, key) != key:
                raise file.error(f"{name} is a clip of {used[name]} and of {key}", "clips", key)
    if not lists.get("validation"):
        raise file.error("expected names of clips in validation", "clips", "validation")
    return {key: tuple(lists.get(key, ())) for key in _CLIP_LISTS}


def _read_settings(file: TomlFile, qps: tuple[int, ...]) -> tuple[dict[str, Any], tuple[Dimension, ...]]:
    """Fixed settings by full name, and what is searched."""
    fixed: dict[Any, Any] = {}
    dimensions: list[Any] = []
    for group in TUNABLE:
        table = file.data.get(group, {})
        searched = [name for name, value in table.items() if _is_searched(value)]
        fixed |= read_section(file, group, {name: value for name, value in table.items() if name not in searched})
        for name in searched:
            try:
                declared = find_setting(f"{group}.{name}")
            except ConfigError as error:
                raise file.error(str(error), group, name) from None
            dimensions.append(_read_dimension(file, declared, table[name], qps))
    if not dimensions:
        expected = f"expected settings with {', '.join(SPACE_KEYS)}, or {SEARCH!r}"
        raise file.error(f"nothing is searched; {expected}", TUNABLE[0])
    return fixed, tuple(dimensions)


def _is_searched(value: object) -> bool:
    return value == SEARCH or (isinstance(value, dict) and bool({*SPACE_KEYS} & {*value}))


class _SpaceKey(NamedTuple):
    """What a key of a space may be."""

    allows: Callable[[object], bool]
    expected: str


_SPACE = {
    "low": _SpaceKey(_is_number, "a number"),
    "high": _SpaceKey(_is_number, "a number"),
    "log": _SpaceKey(lambda value: isinstance(value, bool), "true or false"),
    "choices": _SpaceKey(lambda value: isinstance(value, (list, tuple)) and len(value) > 0, "a list of values"),
    "by_qp": _SpaceKey(
        lambda value: isinstance(value, bool) or isinstance(value, list) and bool(value) and all(map(_is_qp, value)),
        f"true, false or a list of QPs within 0..{MAX_QP}",
    ),
}


def _read_dimension(
    file: TomlFile, declared: Setting, value: Mapping[str, Any] | str, qps: tuple[int, ...]
) -> Dimension:
    """One searched setting."""
    name, kind, place = declared.name, declared.kind, (declared.group, declared.name)
    given: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    unknown = [key for key in given if key not in SPACE_KEYS]
    if unknown:
        raise file.error(f"{name} has {unknown[0]!r}; expected {', '.join(SPACE_KEYS)}", *place)
    space = dict(given)
    if not {"low", "high", "choices"} & {*given}:
        if name not in USUAL:
            raise file.error(f"{name} has no usual range; expected low and high, or choices", *place)
        space = {**USUAL[name], **given}
    for key, found in space.items():
        if not _SPACE[key].allows(found):
            raise file.error(f"{key} of {name} is {found!r}; expected {_SPACE[key].expected}", *place)
    by_qp = space.pop("by_qp", False)
    qps = tuple(by_qp) if isinstance(by_qp, list) else qps if by_qp else THRESHOLD_QP if kind is tuple else ()
    choices = tuple(space.get("choices", ()))
    if choices and len(space) > 1:
        raise file.error(f"{name} has choices; expected no low, high or log beside them", *place)
    ordered = {"low", "high"} <= {*space} and space["low"] < space["high"]
    if not choices and not (kind in (int, float, tuple) and ordered):
        raise file.error(f"{name} is {given!r}; expected choices, or low below high for a number", *place)
    if not choices and space.get("log") and space["low"] <= 0:
        raise file.error(f"{name} is {given!r}; expected low above 0 where log is true", *place)
    low, high, log = space.get("low"), space.get("high"), space.get("log", False)
    dimension = Dimension(declared.full_name, low, high, log, choices, tuple(sorted({*qps})))
    for end in choices or (dimension.low, dimension.high):
        values = dict.fromkeys(dimension.parameters, end)
        try:
            check_together(declared.group, {declared.full_name: read_by_qp(declared, dimension.setting(values))})
        except ConfigError as error:
            raise file.error(str(error), *place) from None
    return dimension


def _read_starts(file: TomlFile, dimensions: tuple[Dimension, ...]) -> tuple[dict[str, Any], ...]:
    """Settings to try first."""
    known = {dimension.name: dimension for dimension in dimensions}
    starts = []
    for number, start in enumerate(file.data.get("start", ())):
        if not isinstance(start, dict):
            raise file.error(f"start is {start!r}; expected {_KEYS['start'][1]}", "start")
        found = {}
        for group, settings in start.items():
            if not isinstance(settings, dict):
                raise file.error(f"{group} is {settings!r}; expected a table of settings", "start", number, group)
            for own, value in settings.items():
                name = f"{group}.{own}"
                if name not in known:
                    raise file.error(f"{name} is not searched; expected {', '.join(known)}", "start", number, group)
                try:
                    found[name] = _read_start(known[name], value)
                except (TypeError, ValueError):
                    raise file.error(f"{name} is {value!r}", "start", number, group, own) from None
                except ConfigError as error:
                    raise file.error(str(error), "start", number, group, own) from None
        starts.append(found)
    return tuple(starts)


def _read_start(dimension: Dimension, value: Any) -> Any:
    """A value to try first, of a searched setting."""
    value = {int(qp): v for qp, v in value.items()} if isinstance(value, dict) else value
    setting = dimension.setting(dimension.point(value)) if dimension.kind is tuple else value  # one may stand for four
    declared = find_setting(dimension.name)
    check_together(declared.group, {dimension.name: read_by_qp(declared, setting)})
    dimension.point(value)
    return value


def _check_arms(file: TomlFile, plan: Plan) -> None:
    """The arms can be coded, and no option takes what is searched out of the trials' hands."""
    for key, make in (("reference", plan.reference_arm), ("default", plan.default_arm)):
        try:
            make()
        except ConfigError as error:
            raise file.error(str(error), key if key in file.data else "options") from None
    options = read_arm(f"options: {plan.options}").encoder_config(plan.config, plan.qps[0], 1)
    for group in TUNABLE:
        own = {name for name in (*plan.fixed, *(d.name for d in plan.dimensions)) if name.startswith(f"{group}.")}
        tool = tool_named(group)
        if own and (options.mode(tool) == OFF or (tool.inter_only and plan.config == "ai")):
            expected = "expected options that have it on" + (", and inter pictures" if tool.inter_only else "")
            raise file.error(f"[{group}] is of a tool that is off; {expected}", group)
        both = sorted(own & {*options.settings})
        if both:
            raise file.error(f"options set {both[0]}, which is a setting of [{group}]", "options")
