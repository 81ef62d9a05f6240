"""An example of a learned tool with settings: a second, light network behind the in-loop filters."""

import dataclasses
from types import MappingProxyType

from codecsim.settings.setting import setting
from codecsim.settings.wire import StreamSettings
from codecsim.tools.tool import OFF, ON, Tool


@dataclasses.dataclass(frozen=True)
class PolishSettings(StreamSettings):
    """Settings of the example."""

    group = "polish"

    model: str = setting("", "Weights: name or path. Default: those that ship.")
    strength_q2: int = setting(2, "Share of the network's correction that is taken.", low=1, high=4, bits=3, unit="1/4")


POLISH = Tool(
    name="polish",
    bit=32,
    title="polishing filter",
    option="polish",
    modes=(OFF, ON),
    help="A second network behind the in-loop filters, everywhere.",
    settings=PolishSettings,
    model_kind="loop",
    default_model="loop-filter-light",
    times=MappingProxyType({ON: 0.3}),
)
