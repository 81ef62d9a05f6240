"""What a user can set about an encoding; the parameter sets say what the stream tells of it."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

from codecsim.errors import ConfigError

CONFIGS = ("ai", "ldp")
FILTERS = ("off", "frozen", "online")
HASHES = ("md5", "crc", "checksum")
BIT_DEPTHS = (8, 10)  # of coded samples


@dataclasses.dataclass(frozen=True)
class Preset:
    """How much time the search may take; each field with its reason in search.state.Effort."""

    merge_rd: int  # merge candidates tried with full rate-distortion cost, 1..5
    intra_rd: int  # intra modes tried so in blocks from 16x16, beside the most probable ones
    intra_rd_small: int  # the same in 4x4 and 8x8
    split_after_skip: bool  # look into smaller CUs where the best is skipped
    rectangles: bool  # try 2NxN and Nx2N
    range: int  # motion search range, full samples, a power of two
    transform_depth: int  # max_transform_hierarchy_depth of intra and inter, 0..2
    filter_passes: int  # searches of a picture with the learned filter, each knowing what it added in the last; >= 1
    sao: bool  # sample adaptive offset; a few percent of time for a few percent of bits


PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "fast": Preset(1, 1, 2, False, False, 32, 1, 1, True),
        "medium": Preset(2, 3, 5, True, True, 64, 1, 2, True),
        "slow": Preset(3, 3, 8, True, True, 64, 2, 2, True),
    }
)


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """Settings of one encoding.

    Raises
    ------
    ConfigError : at construction, for a value that is unknown or out of range
    """

    config: str = "ldp"  # structure: ai or ldp
    qp: int = 32  # base QP, 0..51
    frames: int | None = None  # encode at most so many pictures
    preset: str = "medium"  # a key of PRESETS
    intra_period: int = 0  # pictures from one IDR to the next, 0: only the first; ai and ldp
    filter: str = "online"  # prediction filter: off, frozen (never trained), online
    model: str | None = None  # initial weights; None: the built-in ones
    learn: Mapping[str, object] = dataclasses.field(default_factory=dict)  # fields of learned.params.LearnParams
    hash: str = "md5"  # picture hash: md5, crc or checksum
    internal_bit_depth: int | None = None  # of the coded samples, a value of BIT_DEPTHS; None: the input's
    threads: int = 1  # of the prediction filter; results do not depend on it

    def __post_init__(self):
        _choice("configuration", self.config, CONFIGS)
        _choice("preset", self.preset, tuple(PRESETS))
        _choice("prediction filter", self.filter, FILTERS)
        _choice("picture hash", self.hash, HASHES)
        _choice("internal bit depth", self.internal_bit_depth, (None, *BIT_DEPTHS))
        for name, value, low, high in (
            ("QP", self.qp, 0, 51),
            ("number of pictures", self.frames or 1, 1, 1 << 30),
            ("intra period", self.intra_period, 0, 1 << 30),
            ("number of threads", self.threads, 1, 256),
        ):
            if not isinstance(value, int) or not low <= value <= high:
                raise ConfigError(f"{name} is {value}; expected {low}..{high}")
        if self.model is not None:
            raise ConfigError(f"no model {self.model!r}: only the built-in weights exist yet; leave --model out")


def _choice(name, value, allowed):
    if value not in allowed:
        raise ConfigError(f"unknown {name} {value!r}; expected one of {', '.join(map(str, filter(None, allowed)))}")
