"""The filter of inter prediction, chroma: U and V have a learner each."""

import dataclasses
from types import MappingProxyType
from typing import Any

from codecsim.errors import ConfigError
from codecsim.settings.setting import setting
from codecsim.tools.learner import Control, LearnerSettings
from codecsim.tools.tool import FROZEN, OFF, ONLINE, Run, Tool


@dataclasses.dataclass(frozen=True)
class InterChromaSettings(LearnerSettings):
    """Settings of the filter of inter prediction, chroma.  Sizes are in chroma samples.

    Blocks have the experts that they have in luma: `experts` is not looked at.
    """

    group = "inter_chroma"
    switches = (
        ("high_pass", "high_pass"),
        ("overlapped", "overlapped"),
        ("luma_addition", "luma_addition"),
        ("luma_detail", "luma_detail"),
        ("qp", "qp_plane"),
    )

    further: int = setting(0, "None: chroma has no predictions from other references.", low=0, high=3, bits=2)
    # below luma's, since its weights are trained before
    learning_rate: float = setting(1e-3, "Step of the optimiser.", low=0, high=1, bits=32, training=True)
    luma_addition: bool = setting(True, "Input plane: what the luma filter adds.", bits=1)
    luma_detail: bool = setting(True, "Input plane: luma prediction minus the mean of its neighbours.", bits=1)
    luma_coded: bool = setting(True, "Learn also where only luma has a residual.", bits=1)

    def _check(self) -> None:
        super()._check()
        if self.further:
            raise ConfigError(f"inter_chroma.further is {self.further}; expected 0")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input planes, in order, as model files have them."""
        return ("prediction", *(plane for plane, name in self.switches if getattr(self, name)))


def _usual(own: dict[str, Any], run: Run) -> dict[str, Any]:
    if run.mode == FROZEN:
        return {**own, "control": Control.NEVER}
    luma = run.settings["inter_luma"]
    if luma is not None and luma.control == Control.SIGNALLED:  # the same orders are for both
        return {"control": Control.SIGNALLED, **own}
    return own


INTER_CHROMA = Tool(
    name="inter_chroma",
    bit=4,
    title="chroma filter",
    option="chroma_filter",
    modes=(OFF, FROZEN, ONLINE),
    help="Filter of inter prediction, chroma, where blocks choose that of luma.",
    settings=InterChromaSettings,
    model_kind="inter_chroma",
    default_model="prediction-chroma",
    inter_only=True,
    needs="inter_luma",
    usual=_usual,
    times=MappingProxyType({FROZEN: 0.2, ONLINE: 0.4}),
    shown=("chroma_used",),
)
