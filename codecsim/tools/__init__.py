"""What streams may have beyond the standard: `TOOLS`, one description each, in the order of their bits."""

from codecsim.errors import ConfigError
from codecsim.tools.inter_chroma import INTER_CHROMA
from codecsim.tools.inter_luma import INTER_LUMA
from codecsim.tools.intra import INTRA
from codecsim.tools.loop import LOOP
from codecsim.tools.overlap import OVERLAP
from codecsim.tools.tool import Tool

TOOLS: tuple[Tool, ...] = (INTER_LUMA, OVERLAP, INTER_CHROMA, INTRA, LOOP)


def tool_named(name: str) -> Tool:
    """The tool of this name."""
    return next(tool for tool in TOOLS if tool.name == name)


def tools_of(bits: int) -> tuple[Tool, ...]:
    """The tools whose bits are set."""
    return tuple(tool for tool in TOOLS if tool.bit & bits)


def own_filter_method(name: str) -> str:
    """The method that a filter of one's own needs to take the place of a tool's filter.

    Raises
    ------
    ConfigError : none can take that place
    """
    methods = {tool.name: tool.own_method for tool in TOOLS if tool.own_method}
    if name not in methods:
        raise ConfigError(f"a filter of one's own can be {' or '.join(methods)}, not {name}")
    return methods[name]


def check_own_filter(name: str, own: object) -> None:
    """Make sure that an object can take the place of a tool's filter.

    Raises
    ------
    ConfigError : none can, or this one has not the method for it
    """
    method = own_filter_method(name)
    if not callable(getattr(own, method, None)):
        raise ConfigError(f"{name}: {type(own).__name__} has no method {method}()")


__all__ = [
    "INTER_CHROMA",
    "INTER_LUMA",
    "INTRA",
    "LOOP",
    "OVERLAP",
    "TOOLS",
    "Tool",
    "check_own_filter",
    "own_filter_method",
    "tool_named",
    "tools_of",
]
