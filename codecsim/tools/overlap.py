"""Overlapped block motion compensation."""

from codecsim.tools.tool import OFF, ON, Tool

OVERLAP = Tool(
    name="overlap",
    bit=2,
    title="overlapped motion compensation",
    option="obmc",
    modes=(OFF, ON),
    help="Overlapped block motion compensation, chosen per 32x32.",
    is_switch=True,
    inter_only=True,
    shown=("overlapped_share",),
)
