"""Settings of what learns from picture to picture."""

import dataclasses
from collections.abc import Sequence
from enum import IntEnum, IntFlag
from typing import Any, ClassVar, Self

from codecsim.errors import ConfigError
from codecsim.learned.engine.spec import NetSpec
from codecsim.settings.setting import setting
from codecsim.settings.wire import StreamSettings

THRESHOLD_QP = (22, 27, 32, 37)
MAX_PLANES = 8  # inputs of a network
MODEL_HELP = (
    "Initial weights: name, path, or untrained. Default: those that ship, where the settings ask for their shape."
)


class Control(IntEnum):
    """When to train: after each picture; when the accumulated loss passes the QP's threshold; not at all; as ordered.

    Orders travel in slice headers, see `Order`.
    """

    ALWAYS = 0
    THRESHOLD = 1
    NEVER = 2
    SIGNALLED = 3


class Order(IntEnum):
    """What a learner with Control.SIGNALLED does before a picture about the lesson, the last picture that it filtered.

    Train on it as with Control.ALWAYS; hold: forget the lesson; reset: forget all, return to the initial weights.
    """

    TRAIN = 0
    HOLD = 1
    RESET = 2


class Reset(IntEnum):
    """When to return to the initial weights: never; at an IDR; also when learning has made things worse."""

    NEVER = 0
    IDR = 1
    AUTO = 2


class LossKind(IntEnum):
    """Huber: absolute error beyond a bound, squared within.  L2: squared, up to 64 8-bit samples.  L1: absolute."""

    HUBER = 0
    L2 = 1
    L1 = 2


class BlockSize(IntEnum):
    """How the filter takes the sizes of blocks: not at all; as an input; with a net of its own for each class of sizes.

    Classes: see learned.inter.size_classes.CLASS_LIMITS.
    """

    SHARED = 0
    INPUT = 1
    TWO_CLASSES = 2
    THREE_CLASSES = 3


class Method(IntEnum):
    """Optimiser."""

    ADAM = 0
    SGD = 1


class Expert(IntFlag):
    """Filters among which each block of a picture has the choice, as a set.

    The net with its initial weights; the net as it learns; a linear filter fitted to all pictures so far; the same
    with the learning net's output as base and as a further input.  In this order they are numbered from 1.
    """

    INITIAL = 1
    ONLINE = 2
    RLS = 4
    MIX = 8


def _thresholds(values: tuple[int, ...], help: str) -> Any:
    return setting(values, help, low=0, high=2**24 - 1, bits=24, unit="1/256 of an 8-bit sample")


@dataclasses.dataclass(frozen=True)
class LearnerSettings(StreamSettings):
    """What encoder and decoder must agree on about a learner, and the weights that it starts from."""

    model: str = setting("", MODEL_HELP)
    channels: int = setting(16, "Width of the hidden layers. Cost grows with its square.", allowed=(8, 16, 32), bits=6)
    hidden_layers: int = setting(2, "Number of hidden layers.", low=1, high=4, bits=3)
    high_pass: bool = setting(True, "Input plane: prediction minus its blur.", bits=1)
    overlapped: bool = setting(True, "Input plane: overlapped motion compensation minus prediction.", bits=1)
    further: int = setting(
        1, "Input planes: predictions from so many other references minus prediction.", low=0, high=3, bits=2
    )
    qp_plane: bool = setting(True, "Input plane: the QP.", bits=1)
    tile_log2: int = setting(5, "Log2 of a training tile's side.", low=4, high=7, bits=3, unit="samples")
    epochs_q2: int = setting(
        16, "Epochs after each picture, in quarters. The cost of training grows with it.", low=0, high=255, bits=8,
        unit="1/4",
    )  # fmt: skip
    replay: int = setting(
        2, "Train on tiles of so many of the newest pictures.", low=1, high=8, bits=4, unit="pictures"
    )
    hot_share_q8: int = setting(
        1, "Train on tiles with at least this share of coded samples.", low=0, high=256, bits=9, unit="1/256"
    )
    jitter: int = setting(8, "Move tiles by up to so many samples.", low=0, high=31, bits=5, unit="samples")
    loss: LossKind = setting(LossKind.HUBER, "Loss of the training.", bits=2)
    huber_bound_q4: int = setting(
        64, "Error at which the Huber loss turns linear.", low=1, high=1023, bits=11, unit="1/16 of an 8-bit sample"
    )
    method: Method = setting(Method.ADAM, "Optimiser.", bits=1)
    learning_rate: float = setting(3e-3, "Step of the optimiser.", low=0, high=1, bits=32, training=True)
    beta1: float = setting(0.9, "Adam's first beta, or the momentum of SGD.", low=0, high=1, below=True, bits=32)
    beta2: float = setting(0.999, "Adam's second beta.", low=0, high=1, below=True, bits=32)
    epsilon: float = setting(1e-8, "Adam's epsilon.", low=0, high=3.4e38, above=True, bits=32)
    average_q8: int = setting(
        5, "Filter with a running mean of the weights, this rate a step. 0: with the newest weights.",
        low=0, high=255, bits=8, unit="1/256",
    )  # fmt: skip
    control: Control = setting(Control.ALWAYS, "When to train.", bits=2, training=True)
    threshold_q8: tuple = _thresholds(
        (0, 0, 0, 0), "Control threshold: train when the mean errors of pictures sum to this, at QP 22, 27, 32, 37."
    )
    reset: Reset = setting(Reset.IDR, "When to return to the initial weights.", bits=2)
    reset_margin_q8: int = setting(
        8, "Reset auto: the loss must exceed that of the initial weights by this share.", low=0, high=1023, bits=10,
        unit="1/256",
    )  # fmt: skip
    reset_memory_log2: int = setting(
        3, "Reset auto: average both losses over about 2**n pictures. 0: since the last reset.", low=0, high=15, bits=4
    )
    experts: Expert = setting(
        Expert.ONLINE | Expert.RLS, "What blocks choose among, besides no filter. Each costs inference.",
        low=1, high=15, bits=4,
    )  # fmt: skip
    tiles_log2: int = setting(0, "Log2 of the tiles of one step of the optimiser.", low=0, high=3, bits=2)
    uncoded_q7: int = setting(
        0, "Weight of inter blocks without residual in the loss.", allowed=(0, 1, 2, 4, 8, 16, 32, 64, 128), bits=8,
        unit="1/128",
    )  # fmt: skip
    tile_threshold_q8: tuple = _thresholds(
        (64, 96, 128, 160), "Control threshold: train on a tile when its mean errors sum to this."
    )
    worse_q8: int = setting(
        0, "For each QP step above the lowest QP of the last 8 pictures, train this share fewer epochs.",
        low=0, high=256, bits=9, unit="1/256",
    )  # fmt: skip

    block_size = BlockSize.SHARED  # without an annotation, so that it is no field: a learner may make it one

    def _check(self) -> None:
        if len(self.inputs) > MAX_PLANES:
            raise ConfigError(f"{self.group}: {len(self.inputs)} input planes; at most {MAX_PLANES} are possible")

    # input planes by names in model files, and the settings that switch them
    switches: ClassVar[tuple[tuple[str, str], ...]] = ()

    @classmethod
    def can_switch(cls, plane: str) -> bool:
        """Whether settings say if a net takes an input plane; of others model files say so alone."""
        return plane in ("prediction", "block_size") or plane.startswith("further_") or plane in dict(cls.switches)

    def planes_of(self, inputs: Sequence[str]) -> dict[str, int]:
        """The settings that give the inputs of a model, as far as settings can."""
        wanted = {name: int(plane in inputs) for plane, name in self.switches}
        return {**wanted, "further": sum(plane.startswith("further_") for plane in inputs)}

    @property
    def spec(self) -> NetSpec:
        """Shape of the network that has no model file."""
        count = len(self.inputs)
        return NetSpec.plain(count + count % 2, self.channels, self.hidden_layers)

    @property
    def without_sizes(self) -> Self:
        """The same of a filter that does not take the sizes of blocks: models for it serve too."""
        is_field = self.find("block_size") is not None
        shared: dict[str, Any] = {"block_size": BlockSize.SHARED}
        return dataclasses.replace(self, **shared) if is_field else self

    @property
    def rates(self) -> tuple[float, float, float, float]:
        """Rates for update.optimise."""
        return self.learning_rate, self.beta1, self.beta2, self.epsilon

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the input planes, in order, as model files have them."""
        raise NotImplementedError
