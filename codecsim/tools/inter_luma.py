"""The filter of inter prediction, luma: what the project is about."""

import dataclasses
from types import MappingProxyType
from typing import Any

from codecsim.settings.setting import setting
from codecsim.tools.learner import BlockSize, Control, Expert, LearnerSettings
from codecsim.tools.tool import FROZEN, OFF, ONLINE, Run, Tool

BLOCK_SIZE = "block_size"  # name of the input plane


@dataclasses.dataclass(frozen=True)
class InterLumaSettings(LearnerSettings):
    """Settings of the filter of inter prediction, luma."""

    group = "inter_luma"
    switches = (("high_pass", "high_pass"), ("overlapped", "overlapped"), ("qp", "qp_plane"))

    block_size: BlockSize = setting(
        BlockSize.SHARED, "How the filter takes the sizes of blocks. Each class has the cost of a whole filter.", bits=2
    )

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input planes, in order, as model files have them."""
        planes = {
            "prediction": True,
            "high_pass": self.high_pass,
            "overlapped": self.overlapped,
            **{f"further_{k + 1}": True for k in range(self.further)},
            "qp": self.qp_plane,
            BLOCK_SIZE: self.block_size == BlockSize.INPUT,
        }
        return tuple(name for name, taken in planes.items() if taken)


def _usual(own: dict[str, Any], run: Run) -> dict[str, Any]:
    if run.mode == FROZEN:
        # those experts that are fitted to pictures only where they are asked for
        return {"experts": Expert.ONLINE, **own, "control": Control.NEVER}
    usual: dict[str, Any] = {}
    if run.config == "ra":
        # What the net learnt from the first, distant picture of a group fits the others badly: measured on validation
        # clips, luma gains 1.9 % with the initial net to choose too, 0.8 % without.
        usual["experts"] = Expert.INITIAL | Expert.ONLINE | Expert.RLS
    if run.learner_trials:
        usual["control"] = Control.SIGNALLED
    return {**usual, **own}


INTER_LUMA = Tool(
    name="inter_luma",
    bit=1,
    title="prediction filter",
    option="filter",
    modes=(OFF, FROZEN, ONLINE),
    help="Filter of inter prediction, luma. frozen: it never trains.",
    default_mode=ONLINE,
    settings=InterLumaSettings,
    model_kind="inter_luma",
    default_model="prediction-luma",
    inter_only=True,
    usual=_usual,
    times=MappingProxyType({FROZEN: 0.4, ONLINE: 0.8}),
    own_method="predict",
    shown=("filtered_share", "trained_steps"),
)
