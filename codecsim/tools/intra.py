"""The filter of intra prediction, luma."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

from codecsim.errors import ConfigError
from codecsim.settings.setting import setting
from codecsim.settings.wire import StreamSettings, pack, unpack, words_of
from codecsim.tools.tool import FROZEN, OFF, ONLINE, Run, Tool


@dataclasses.dataclass(frozen=True)
class IntraSettings(StreamSettings):
    """Settings of the filter of intra prediction; those from `learning_rate` on are of use where it learns."""

    group = "intra"

    model: str = setting("", "Weights: name or path. Default: those that ship.")
    inter_pictures: bool = setting(True, "Intra coding units of inter pictures may use it too.", bits=1)
    online: bool = setting(
        False, "It learns from each row of coding tree units of intra pictures.", bits=1, by_mode=True
    )
    learning_rate: float = setting(1e-4, "Step of Adam.", low=0, high=1, bits=32, training=True)
    blocks: int = setting(
        128, "Blocks of a row that it learns from at most.", low=1, high=4095, bits=12, training=True, unit="blocks"
    )
    passes: int = setting(1, "Passes over these blocks.", low=1, high=8, bits=4, training=True)
    reset_margin_q8: int = setting(
        4, "Return to the initial weights where these would have done so much better.", low=0, high=1023, bits=10,
        training=True, unit="1/256",
    )  # fmt: skip

    def to_stream(self) -> tuple[int, ...]:
        """Words for the sequence parameter set: all, or the first where it does not learn."""
        return tuple(pack(self)[: None if self.online else 1])

    @classmethod
    def from_stream(cls, numbers: Sequence[int]) -> Self:
        """Settings from the words of `to_stream`.

        Raises
        ------
        ConfigError : a wrong number of words, or one out of range
        """
        words = words_of(cls)
        if len(numbers) not in (1, len(words)):
            raise ConfigError(f"intra: {len(numbers)} parameters; expected 1 or {len(words)}")
        return unpack(cls, [*numbers, *pack(cls())[len(numbers) :]])


def _usual(own: dict[str, Any], run: Run) -> dict[str, Any]:
    return {**own, "online": run.mode == ONLINE}


INTRA = Tool(
    name="intra",
    bit=8,
    title="intra filter",
    option="intra_filter",
    modes=(OFF, FROZEN, ONLINE),
    help="Filter of intra prediction, luma, chosen per coding unit.",
    settings=IntraSettings,
    model_kind="intra",
    default_model="prediction-intra",
    usual=_usual,
    shown=("intra_filter_shares",),
)
