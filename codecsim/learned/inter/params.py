"""Normative.  What a stream says about its learner."""

import functools
import operator
from dataclasses import dataclass, fields, replace
from enum import IntEnum, IntFlag
from typing import NamedTuple

import numpy as np

from codecsim.errors import ConfigError
from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.engine.update import ADAM, SGD
from codecsim.settings.truth import EXPECTED, read_truth


class Control(IntEnum):
    """When to train: after each picture; when the accumulated loss passes the QP's threshold; not at all; as ordered.

    Orders travel in slice headers, see controller.Order.
    """

    ALWAYS = 0
    THRESHOLD = 1
    NEVER = 2
    SIGNALLED = 3


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

    Classes: see size_classes.CLASS_LIMITS.
    """

    SHARED = 0
    INPUT = 1
    TWO_CLASSES = 2
    THREE_CLASSES = 3


class Method(IntEnum):
    """Optimiser."""

    ADAM = ADAM
    SGD = SGD


class Expert(IntFlag):
    """Filters among which each block of a picture has the choice, as a set.

    The net with its initial weights; the net as it learns; a linear filter fitted to all pictures so far; the same
    with the learning net's output as base and as a further input.  In this order they are numbered from 1.
    """

    INITIAL = 1
    ONLINE = 2
    RLS = 4
    MIX = 8


class Field(NamedTuple):
    """One signalled integer: `bits` wide, within low..high."""

    name: str
    bits: int
    low: int
    high: int


# The order of pack().  A field named "x[i]" is an element of a tuple, "x:float" the bit pattern of a float32.
LEARNER_FIELDS = (
    Field("channels", 6, 8, 32),
    Field("hidden_layers", 3, 1, 4),
    Field("high_pass", 1, 0, 1),
    Field("overlapped", 1, 0, 1),
    Field("further", 2, 0, 3),
    Field("qp_plane", 1, 0, 1),
    Field("tile_log2", 3, 4, 7),
    Field("epochs_q2", 8, 0, 255),
    Field("replay", 4, 1, 8),
    Field("hot_share_q8", 9, 0, 256),
    Field("jitter", 5, 0, 31),
    Field("loss", 2, 0, 2),
    Field("huber_bound_q4", 11, 1, 1023),
    Field("method", 1, 0, 1),
    Field("learning_rate:float", 32, 0, 0x7F7FFFFF),
    Field("beta1:float", 32, 0, 0x7F7FFFFF),
    Field("beta2:float", 32, 0, 0x7F7FFFFF),
    Field("epsilon:float", 32, 0, 0x7F7FFFFF),
    Field("average_q8", 8, 0, 255),
    Field("control", 2, 0, 3),
    Field("threshold_q8[0]", 24, 0, 2**24 - 1),
    Field("threshold_q8[1]", 24, 0, 2**24 - 1),
    Field("threshold_q8[2]", 24, 0, 2**24 - 1),
    Field("threshold_q8[3]", 24, 0, 2**24 - 1),
    Field("reset", 2, 0, 2),
    Field("reset_margin_q8", 10, 0, 1023),
    Field("reset_memory_log2", 4, 0, 15),
    Field("experts", 4, 1, 15),
    Field("tiles_log2", 2, 0, 3),
    Field("uncoded_q7", 8, 0, 128),
    Field("tile_threshold_q8[0]", 24, 0, 2**24 - 1),
    Field("tile_threshold_q8[1]", 24, 0, 2**24 - 1),
    Field("tile_threshold_q8[2]", 24, 0, 2**24 - 1),
    Field("tile_threshold_q8[3]", 24, 0, 2**24 - 1),
    Field("worse_q8", 9, 0, 256),
)
FIELDS = (*LEARNER_FIELDS, Field("block_size", 2, 0, 3))
THRESHOLD_QP = (22, 27, 32, 37)
BLOCK_SIZE = "block_size"  # name of the input plane


def _integer(value):
    number = int(value)
    if number != value and not isinstance(value, str):
        raise ValueError(value)
    return number


def _read_flags(kind, value):
    """Set of `kind` from a number, or from names such as "initial,online"."""
    if isinstance(value, str) and not value.isdigit():
        return functools.reduce(operator.or_, (kind[name.strip().upper()] for name in value.split(",")))
    return kind(_integer(value))


def _convert(field, value):
    """`value` as the type of a dataclass field; strings, as a command line gives them, are read."""
    if issubclass(field.type, IntFlag):
        return _read_flags(field.type, value)
    if issubclass(field.type, IntEnum):
        by_name = isinstance(value, str) and not value.isdigit()
        return field.type[value.upper()] if by_name else field.type(_integer(value))
    if field.type is bool:
        found = read_truth(value)
        if found is None:
            raise ValueError(value)
        return found
    if field.type is float:
        with np.errstate(over="ignore"):
            return float(np.float32(value))
    if field.type is tuple:
        return tuple(_integer(item) for item in (value.split(",") if isinstance(value, str) else value))
    return field.type(_integer(value))


@dataclass(frozen=True)
class LearnParams:
    """Signalled parameters of a learner: encoder and decoder must hold the same.

    Values may be given as strings ("huber", "2e-3", "128,256,512,1024").

    Raises
    ------
    ConfigError : at construction, for a value out of range
    """

    channels: int = 16  # width of hidden layers: 8, 16 or 32; cost grows with the square
    hidden_layers: int = 2  # 1..4
    high_pass: bool = True  # input: prediction minus its blur
    overlapped: bool = True  # input: overlapped motion compensation minus prediction
    further: int = 1  # inputs: predictions from so many other reference pictures minus prediction, 0..3
    qp_plane: bool = True  # input: the QP
    tile_log2: int = 5  # training tile: 16..128 samples square
    epochs_q2: int = 16  # quarter epochs after each picture, 0..255; cost of training is proportional
    replay: int = 2  # pictures to draw tiles from, the newest ones, 1..8
    hot_share_q8: int = 1  # train on tiles with at least this share of coded samples, in 1/256
    jitter: int = 8  # tiles move by up to this many samples, 0..31
    loss: LossKind = LossKind.HUBER
    huber_bound_q4: int = 64  # in 1/16 of an 8-bit sample, 1..1023
    method: Method = Method.ADAM
    learning_rate: float = 3e-3  # float32, 0..1
    beta1: float = 0.9  # Adam's first beta or SGD's momentum, float32 below 1
    beta2: float = 0.999  # float32 below 1
    epsilon: float = 1e-8  # float32, above 0
    average_q8: int = 5  # filter with a running mean of the weights, this rate a step in 1/256; 0 = with the newest
    control: Control = Control.ALWAYS
    threshold_q8: tuple = (0, 0, 0, 0)  # THRESHOLD, at QP 22, 27, 32, 37: sum of mean errors, in 1/256 8-bit samples
    tile_threshold_q8: tuple = (64, 96, 128, 160)  # THRESHOLD: the same of a tile, before it is trained on
    reset: Reset = Reset.IDR
    reset_margin_q8: int = 8  # AUTO: by how much, in 1/256, the loss must exceed that of the initial weights
    tiles_log2: int = 0  # log2 of the tiles of a step of the optimiser, 0..3
    uncoded_q7: int = 0  # weight of inter blocks without residual in the loss, in 1/128: 0 or a power of two up to 128
    worse_q8: int = 0  # per QP above the best of the last 8 pictures, epochs shrink by so many 1/256; 256: no training
    reset_memory_log2: int = 3  # AUTO: both losses are averaged over about 2**n pictures; 0 = since the last reset
    experts: Expert = Expert.ONLINE | Expert.RLS  # what blocks choose among, besides no filter; each costs inference
    block_size: BlockSize = BlockSize.SHARED  # classes: each costs the inference and has the memory of a whole filter

    packed_fields = FIELDS  # not annotated, so that it is no field: the same for all

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            try:
                converted = _convert(field, value)
            except (TypeError, ValueError, OverflowError, KeyError):
                kind = EXPECTED if field.type is bool else field.type.__name__.lower()
                if issubclass(field.type, (IntEnum, IntFlag)):
                    kind = " or ".join(choice.name.lower() for choice in field.type)
                raise ConfigError(f"learned tools: {field.name} is {value!r}; expected {kind}") from None
            object.__setattr__(self, field.name, converted)
        self._check()

    def _check(self):
        for name in ("threshold_q8", "tile_threshold_q8"):
            found = len(getattr(self, name))
            if found != len(THRESHOLD_QP):
                raise ConfigError(f"learned tools: {name} needs {len(THRESHOLD_QP)} values, has {found}")
        for field, value in zip(self.packed_fields, self.pack(), strict=True):
            if not field.low <= value <= field.high:
                name, _, kind = field.name.partition(":")
                shown, low, high = (getattr(self, name), 0.0, 3.4e38) if kind else (value, field.low, field.high)
                raise ConfigError(f"learned tools: {name} is {shown}; expected {low}..{high}")
        if self.channels not in (8, 16, 32):
            raise ConfigError(f"learned tools: channels is {self.channels}; expected 8, 16 or 32")
        if self.n_planes > 8:
            raise ConfigError(f"learned tools: {self.n_planes} input planes; at most 8 are possible")
        if self.uncoded_q7 & (self.uncoded_q7 - 1):
            raise ConfigError(f"learned tools: uncoded_q7 is {self.uncoded_q7}; expected 0 or a power of two up to 128")
        if not (self.beta1 < 1 and self.beta2 < 1 and self.epsilon > 0 and self.learning_rate <= 1):
            raise ConfigError("learned tools: expected beta1 and beta2 below 1, epsilon above 0, learning_rate up to 1")

    @property
    def n_aux(self):
        """Auxiliary predictions that `PredictionFilter.predict` takes, the overlapped one first."""
        return self.overlapped + self.further

    @property
    def inputs(self):
        """Names of the input planes, in order, as model files have them."""
        further = (f"further_{k + 1}" for k in range(self.further))
        switched = (("high_pass", self.high_pass), ("overlapped", self.overlapped))
        names = ("prediction", *(name for name, on in switched if on), *further)
        names = (*names, "qp") if self.qp_plane else names
        return (*names, BLOCK_SIZE) if self.block_size == BlockSize.INPUT else names

    @property
    def without_sizes(self):
        """The same of a filter that does not take the sizes of blocks: models for it serve too."""
        return replace(self, block_size=BlockSize.SHARED)

    @property
    def n_planes(self):
        """Input planes before padding to an even number."""
        return len(self.inputs)

    @property
    def spec(self):
        """NetSpec of the network that has no model file."""
        return NetSpec.plain(self.n_planes + self.n_planes % 2, self.channels, self.hidden_layers)

    @property
    def rates(self):
        """(4,) float32 rates for update.optimise."""
        return np.array([self.learning_rate, self.beta1, self.beta2, self.epsilon], np.float32)

    def pack(self):
        """List of integers, one for each of `packed_fields`."""
        packed = []
        for field in self.packed_fields:
            name, _, kind = field.name.partition(":")
            name, _, index = name.partition("[")
            value = getattr(self, name)
            if kind:
                packed.append(int(np.float32(value).view(np.uint32)))
            else:
                packed.append(int(value[int(index[:-1])] if index else value))
        return packed

    @classmethod
    def unpack(cls, values):
        """Parameters from the integers of `pack`.

        Raises
        ------
        ConfigError : for a wrong number of values or a value out of range
        """
        if len(values) != len(cls.packed_fields):
            raise ConfigError(f"learned tools: {len(values)} parameters; expected {len(cls.packed_fields)}")
        found = {field.name: () for field in fields(cls) if field.type is tuple}
        for field, value in zip(cls.packed_fields, values, strict=True):
            if not field.low <= value <= field.high:
                raise ConfigError(f"learned tools: {field.name} is {value}; expected {field.low}..{field.high}")
            name, _, kind = field.name.partition(":")
            name, _, index = name.partition("[")
            if kind:
                value = float(np.uint32(value).view(np.float32))
            found[name] = (*found[name], value) if index else value
        return cls(**found)
