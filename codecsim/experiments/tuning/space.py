"""What may be searched: settings of learned tools, each within a range or among choices, alone or by QP."""

import dataclasses
import enum
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from codecsim.codec.config import find_setting
from codecsim.settings.by_qp import interpolated
from codecsim.tools.learner import THRESHOLD_QP


class Space(dict):
    """Range or choices of a setting, as a plan writes them: low, high, log, choices, by_qp."""


# Ranges where a plan gives none: about those in which a setting has been seen to matter.
USUAL: Mapping[str, Space] = MappingProxyType(
    {
        "learning_rate": Space(low=3e-4, high=2e-2, log=True),
        "epochs_q2": Space(low=1, high=32, log=True),
        "replay": Space(low=1, high=8),
        "hot_share_q8": Space(low=1, high=128, log=True),
        "jitter": Space(low=0, high=16),
        "loss": Space(choices=("huber", "l2", "l1")),
        "huber_bound_q4": Space(low=4, high=512, log=True),
        "method": Space(choices=("adam", "sgd")),
        "beta1": Space(low=0.5, high=0.98),
        "beta2": Space(low=0.9, high=0.9999),
        "average_q8": Space(low=1, high=64, log=True),
        "threshold_q8": Space(low=1, high=2048, log=True),
        "tile_threshold_q8": Space(low=1, high=2048, log=True),
        "reset": Space(choices=("idr", "auto")),
        "reset_margin_q8": Space(low=0, high=128),
        "reset_memory_log2": Space(low=0, high=6),
        "tile_log2": Space(low=4, high=6),
        "tiles_log2": Space(low=0, high=3),
        "uncoded_q7": Space(choices=(0, 1, 2, 4, 8, 16, 32, 64, 128)),
        "worse_q8": Space(low=0, high=256),
    }
)
MIDDLE_QP = 32  # whose value is taken where one is searched for all QPs
SPACE_KEYS = ("low", "high", "log", "choices", "by_qp")


@dataclasses.dataclass(frozen=True)
class Dimension:
    """One searched setting."""

    name: str  # in full, such as inter_luma.learning_rate
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple = ()  # instead of a range
    qps: tuple[int, ...] = ()  # a value of its own at each of these QPs; none: one for all

    @property
    def kind(self) -> type:
        """Type of the setting."""
        return find_setting(self.name).kind

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of what a trial chooses: one, or one a QP."""
        return tuple(f"{self.name}@{qp}" for qp in self.qps) or (self.name,)

    def suggest(self, trial: Any) -> None:
        """Let an Optuna trial choose."""
        low: Any = self.low
        high: Any = self.high
        for parameter in self.parameters:
            if self.choices:
                trial.suggest_categorical(parameter, self.choices)
            elif self.kind is float:
                trial.suggest_float(parameter, low, high, log=self.log)
            else:
                trial.suggest_int(parameter, int(low), int(high), log=self.log)

    def setting(self, values: Mapping[str, object]) -> object:
        """The setting, as a preset has it, from what a trial chose."""
        chosen = [values[parameter] for parameter in self.parameters]
        if not self.qps:
            return chosen[0]
        by_qp = dict(zip(self.qps, chosen, strict=True))
        if self.kind is not tuple:
            return by_qp
        return [interpolated(by_qp, qp, int) for qp in THRESHOLD_QP]

    def point(self, value: object) -> dict[str, object]:
        """What a trial would choose for a value that a preset might have, moved into the range.

        value : one for all QPs, a mapping of QPs, or four values at THRESHOLD_QP
        """
        if self.kind is tuple and not isinstance(value, Mapping):
            four = value if isinstance(value, (list, tuple)) else (value,) * len(THRESHOLD_QP)
            value = dict(zip(THRESHOLD_QP, four, strict=True))
        kind = int if self.kind is tuple else self.kind
        return {
            parameter: self._within(interpolated(value, qp, kind) if isinstance(value, Mapping) else value)
            for parameter, qp in zip(self.parameters, self.qps or (MIDDLE_QP,), strict=True)
        }

    def _within(self, value: Any) -> Any:
        """The value, or the nearest that the search may choose."""
        if isinstance(value, enum.Enum):
            value = value.name.lower()
        if self.choices:
            return value if value in self.choices else self.choices[0]
        return min(max(value, self.low), self.high)


def default_point(dimensions: Iterable[Dimension], settings: Mapping[str, object]) -> dict[str, object]:
    """Where the search begins: given settings, else the defaults.

    settings : by full name
    """
    point: dict[Any, Any] = {}
    for dimension in dimensions:
        point |= dimension.point(settings.get(dimension.name, find_setting(dimension.name).default))
    return point
