"""Options that arms have in common: each arm takes those that are of use to its tools."""

from collections.abc import Mapping
from types import MappingProxyType

from codecsim.experiments.encoder_options import LEARNING, OPTIONS_BY_NAME

# Options that need a tool, by the option that switches it.
OPTIONS_OF = MappingProxyType(
    {
        "filter": ("model", "learner", "learn", "loss-threshold", "learning-rate", "reset"),
        "chroma-filter": ("chroma-model", "chroma-learner"),
        "intra-filter": ("intra-model", "intra-learner"),
    }
)
TOOL_OF = MappingProxyType({option: tool for tool, options in OPTIONS_OF.items() for option in options})
OF_LEARNING = ("learn", "loss-threshold", "learning-rate")  # of no use to a filter that is frozen


def of_use(common: Mapping[str, object], own: Mapping[str, object]) -> dict[str, object]:
    """Those of the common options that an arm takes: none of a tool that it has off, none of learning if it is frozen.

    Parameters
    ----------
    common, own : valid options without dashes before them; what is NAME=VALUE is a table
    """
    given = {_spelled(name): value for name, value in {**common, **own}.items()}
    found = {}
    for name, value in common.items():
        tool = TOOL_OF.get(_spelled(name))
        mode = given.get(tool, OPTIONS_BY_NAME[tool].default) if tool else None
        if mode == "off" or (mode == "frozen" and _spelled(name) in OF_LEARNING):
            continue
        if mode == "frozen" and isinstance(value, Mapping):
            learning = LEARNING[tool.replace("-", "_")]
            value = {field: v for field, v in value.items() if field.replace("-", "_") not in learning}
            if not value:
                continue
        found[name] = value
    return found


def _spelled(name):
    """An option's name as the command line has it."""
    return name.replace("_", "-")
