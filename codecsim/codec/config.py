"""What a user can set about an encoding; the parameter sets say what the stream tells of it."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from codecsim.codec.presets import PRESETS, SearchSettings
from codecsim.errors import ConfigError
from codecsim.picture.planes import BIT_DEPTHS
from codecsim.settings.by_qp import QP_RANGE, read_by_qp, value_at
from codecsim.settings.setting import Setting, Settings, setting
from codecsim.settings.values import similar
from codecsim.tools import TOOLS, Tool, tool_named
from codecsim.tools.learner import Control
from codecsim.tools.tool import FROZEN, OFF

CONFIGS = ("ai", "ldp", "ldb", "ra")
RA_GOP_SIZE = 8  # pictures of a group in ra
ORACLES = ("original", "weights")  # for research, what no decoder can follow: see EncoderConfig
QP_GROUPS = (8, 16, 32, 64)
HASHES = ("md5", "crc", "checksum")
_TOOL_NAMES = tuple(tool.name for tool in TOOLS)


@dataclasses.dataclass(frozen=True)
class HevcSettings(Settings):
    """The standard's tools, and how the encoder uses them."""

    group = "hevc"

    internal_bit_depth: int = setting(
        0, "Of the coded samples. 0: the input's. 8 to 10 bits is a shift, 10 to 8 rounds.", allowed=(0, *BIT_DEPTHS),
        unit="bits",
    )  # fmt: skip
    transform_skip: bool = setting(True, "Try 4x4 blocks without transform.")
    adaptive_qp: int = setting(
        0, "Largest QP offset of a quantisation group by its activity. 0: one QP a picture.", low=0, high=12
    )
    qp_group: int = setting(
        32, "Side of the quantisation groups. Smaller ones follow activity at more bits.", allowed=QP_GROUPS,
        unit="samples",
    )  # fmt: skip


# All settings, by the first part of their full names.
GROUPS: Mapping[str, type[Settings]] = MappingProxyType(
    {
        HevcSettings.group: HevcSettings,
        SearchSettings.group: SearchSettings,
        **{tool.name: tool.settings for tool in TOOLS if tool.settings},
    }
)


def settable(group: str) -> tuple[Setting, ...]:
    """The settings of a group that a user can set."""
    return tuple(declared for declared in GROUPS[group].declared() if not declared.by_mode)


def find_setting(full_name: str) -> Setting:
    """The setting of a full name such as `inter_luma.learning_rate`.

    Raises
    ------
    ConfigError : there is none; the text names the most similar one
    """
    group, _, name = full_name.partition(".")
    if group not in GROUPS:
        known = _full_names()
        near = similar(group, GROUPS) or similar(f"inter_luma.{full_name}", known) or similar(full_name, known)
        raise ConfigError(f"no setting {full_name!r}{near}; a name begins with one of {', '.join(GROUPS)} and a point")
    by_name = {declared.name: declared for declared in settable(group)}
    if name not in by_name:
        raise ConfigError(f"no setting {full_name!r}{similar(name, by_name)}; {group} has {', '.join(by_name)}")
    return by_name[name]


def _full_names() -> list[str]:
    return [declared.full_name for group in GROUPS for declared in settable(group)]


def flat_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by full name, from full names or from tables of names by group, not yet read."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if "." in name or not isinstance(value, Mapping):
            found[name] = value
        else:
            found |= {f"{name}.{own}": given for own, given in value.items()}
    return found


def read_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Checked settings by full name, in the order of declaration.

    Parameters
    ----------
    settings : full names such as "search.range" to values, or groups to tables of names and values; a value may be a
        text as the command line has it, and that of a tool's setting a mapping of base QPs to values

    Raises
    ------
    ConfigError : no such setting, or a value that it cannot have
    """
    found = {}
    for name, value in flat_settings(settings).items():
        declared = find_setting(name)
        found[name] = read_by_qp(declared, value) if declared.group in _TOOL_NAMES else declared.read(value)
    return {name: found[name] for name in _full_names() if name in found}


MANY = 1 << 30  # pictures, more than any clip has


def _mode(name: str) -> Any:
    """The field that says how a tool is used."""
    tool = tool_named(name)
    return setting(tool.default_mode, tool.help, allowed=() if tool.names_model else tool.modes)


@dataclasses.dataclass(frozen=True)
class EncoderConfig(Settings):
    """Settings of one encoding.

    Raises
    ------
    ConfigError : at construction, for a value that is unknown or out of range, or a setting of a tool that is off
    """

    config: str = setting("ldp", "Coding structure: all intra, low delay P or B, random access.", allowed=CONFIGS)
    qp: int = setting(32, "Base QP.", low=QP_RANGE[0], high=QP_RANGE[-1])
    frames: int | None = setting(
        None, "Encode at most so many pictures.", kind=int, low=1, high=MANY, optional=True, unit="pictures"
    )
    preset: str = setting("medium", "Time against bits.", allowed=tuple(PRESETS))
    intra_period: int | None = setting(
        None,
        f"An intra picture every N. 0: only the first. In ra a multiple of {RA_GOP_SIZE}, 32 if not given; else 0.",
        kind=int,
        low=0,
        high=MANY,
        optional=True,
        unit="pictures",
    )
    filter: str = _mode("inter_luma")
    chroma_filter: str = _mode("inter_chroma")
    intra_filter: str = _mode("intra")
    loop_filter: str = _mode("loop")
    obmc: bool = setting(False, tool_named("overlap").help)
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)  # see `read_settings`; held by full names
    oracle: str | None = setting(
        None,
        "What no decoder can follow: the filter learns from the original, or weights fitted to each picture are sent.",
        kind=str,
        allowed=ORACLES,
        optional=True,
        research=True,
    )
    hash: str = setting("md5", "Picture hash.", allowed=HASHES)
    threads: int = setting(1, "Worker threads. The stream does not depend on it.", low=1, high=256)

    def _check(self) -> None:
        if self.config == "ra" and (self.intra_period or 0) % RA_GOP_SIZE:
            raise ConfigError(f"intra_period is {self.intra_period}; in ra expected a multiple of {RA_GOP_SIZE}")
        object.__setattr__(self, "settings", read_settings(self.settings))
        for tool in TOOLS:
            self._check_tool(tool)
        if self.oracle is not None and (self.filter == OFF or self.config == "ai"):
            raise ConfigError(f"oracle {self.oracle!r} needs the prediction filter on, in pictures between others")
        if self.oracle == "original" and self.filter != "online":
            raise ConfigError("oracle 'original' needs the prediction filter online")

    def _check_tool(self, tool: Tool) -> None:
        """No tool without the one it needs; no setting of a tool that is off, or of how a frozen one learns."""
        mode, option = self.mode(tool), tool.option.replace("_", "-")
        if mode != OFF and tool.needs and self.mode(tool_named(tool.needs)) == OFF:
            raise ConfigError(f"the {tool.title} goes with the {tool_named(tool.needs).title}, which is off")
        for name, value in self.of_group(tool.name).items():
            declared = GROUPS[tool.name].find(name)
            assert declared is not None
            if mode == OFF:
                raise ConfigError(f"{declared.full_name} is a setting of the {tool.title}, which is off (--{option})")
            if mode == FROZEN and declared.training and value is not Control.NEVER:
                what = "is a setting of how a filter learns"
                raise ConfigError(f"{declared.full_name} {what}, but --{option} frozen never does")
        self._check_every_qp(tool)

    def _check_every_qp(self, tool: Tool) -> None:
        """Settings fit each other at every base QP."""
        own = self.of_group(tool.name)
        for qp in QP_RANGE if any(isinstance(value, dict) for value in own.values()) else QP_RANGE[:1]:
            if tool.settings:
                tool.settings(**self._at_qp(tool.name, qp))

    def with_settings(self, settings: Mapping[str, Any]) -> "EncoderConfig":
        """The same with these settings, in any form that `read_settings` takes, beside or in place of its own."""
        return dataclasses.replace(self, settings={**self.settings, **flat_settings(settings)})

    def mode(self, tool: Tool) -> str:
        """How a tool is used: one of its modes."""
        return tool.mode(getattr(self, tool.option))

    def of_group(self, group: str) -> dict[str, Any]:
        """What is set of a group, by names in it; values may be by QP."""
        return {name.partition(".")[2]: v for name, v in self.settings.items() if name.partition(".")[0] == group}

    def tool_settings(self, tool: Tool) -> dict[str, Any]:
        """What is set of a tool at the base QP, by names in its group."""
        return self._at_qp(tool.name, self.qp)

    def _at_qp(self, group: str, qp: int) -> dict[str, Any]:
        own = self.of_group(group)
        return {name: value_at(find_setting(f"{group}.{name}"), value, qp) for name, value in own.items()}

    @property
    def search(self) -> SearchSettings:
        """The preset with the settings that replace its own."""
        return dataclasses.replace(PRESETS[self.preset], **self.of_group("search"))

    @property
    def hevc(self) -> HevcSettings:
        """How the standard's tools are used."""
        return HevcSettings(**self.of_group("hevc"))

    def model_name(self, tool: Tool) -> str:
        """Name or path of the weights that are set for a tool, or nothing."""
        return tool.named_model(getattr(self, tool.option)) or self.of_group(tool.name).get("model", "")

    @property
    def named_weights(self) -> dict[str, str]:
        """Weights that are set, by the tool: a name, a path or `untrained`."""
        found = {tool.name: self.model_name(tool) for tool in TOOLS if self.mode(tool) != OFF}
        return {name: value for name, value in found.items() if value}
