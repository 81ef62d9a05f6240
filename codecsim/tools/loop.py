"""The convolutional in-loop filter."""

from types import MappingProxyType

from codecsim.tools.tool import OFF, ON, Tool

LOOP = Tool(
    name="loop",
    bit=16,
    title="in-loop filter",
    option="loop_filter",
    modes=(OFF, ON),
    help="Convolutional in-loop filter. on: with the weights that ship; else their name or path.",
    model_kind="loop",
    default_model="loop-filter",
    names_model=True,
    times=MappingProxyType({ON: 0.6}),
    own_method="filter",
    shown=("loop_share",),
)
