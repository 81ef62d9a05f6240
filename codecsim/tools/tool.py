"""What a tool is: one thing that streams of this project may have beyond the standard."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from codecsim.settings.wire import StreamSettings

OFF, FROZEN, ONLINE, ON = "off", "frozen", "online", "on"
UNTRAINED = "untrained"  # in place of a model's name: the built-in weights


class Run(NamedTuple):
    """What the defaults of a tool's settings may depend on."""

    mode: str  # of the tool
    config: str  # coding structure: ai, ldp, ldb, ra
    learner_trials: bool  # the search tries orders to the learners
    settings: Mapping[str, Any]  # of the tools before it in TOOLS that are on, by name


def _unchanged(own: dict[str, Any], run: Run) -> dict[str, Any]:
    return own


@dataclasses.dataclass(frozen=True)
class Tool:
    """Description of a tool.  Encoder, decoder, command line, files, reports and documentation read it.

    What a tool does to a picture is its stage: see codec/stages.
    """

    name: str  # as users write it
    bit: int  # in learned_tools of the sequence parameter set, and in the switches of a picture
    title: str  # for sentences
    option: str  # of `encode` and field of EncoderConfig that says how it is used
    modes: tuple[str, ...]  # values of the option, `off` first
    help: str  # of the option, one line
    default_mode: str = OFF  # where nothing is said
    settings: type[StreamSettings] | None = None
    model_kind: str = ""  # of its weights; nothing: it has none
    default_model: str = ""  # name of one that ships
    is_switch: bool = False  # the option is a flag
    names_model: bool = False  # other values of the option than modes are names of its weights
    inter_only: bool = False  # pictures of I slices cannot use it
    needs: str = ""  # name of the tool that must be on
    usual: Callable[[dict[str, Any], Run], dict[str, Any]] = _unchanged  # settings of a run from what is set
    # What it adds to the time of coding, in parts of that without tools, by mode; roughly.
    times: Mapping[str, float] = dataclasses.field(default_factory=dict)
    own_method: str = ""  # that a filter of one's own needs to take its place; nothing: none can
    shown: tuple[str, ...] = ()  # fields of PictureReport that tables of pictures show

    @property
    def learned(self) -> bool:
        """Whether the stream names its weights."""
        return bool(self.model_kind)

    def mode(self, value: str | bool) -> str:
        """One of `modes` from a value of the option."""
        if isinstance(value, bool):
            return ON if value else OFF
        return ON if self.names_model and value not in self.modes else value

    def value(self, mode: str) -> str | bool:
        """What the option is in a mode: a switch is true or false."""
        return mode == ON if self.is_switch else mode

    def named_model(self, value: str | bool) -> str:
        """Name of the weights that a value of the option gives, or nothing."""
        return str(value) if self.names_model and value not in self.modes else ""
