"""What streams may have beyond the standard: `TOOLS`, one description each, in the order of their bits."""

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


__all__ = ["INTER_CHROMA", "INTER_LUMA", "INTRA", "LOOP", "OVERLAP", "TOOLS", "Tool", "tool_named", "tools_of"]
