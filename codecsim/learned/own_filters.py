"""Filters of one's own in place of those that ship: any object with the right methods, numpy or torch inside.

    class MyFilter:
        def predict(self, inputs): ...  # FilterInputs -> (h, w) integers, the filtered luma prediction
        def learn(self, lesson): ...  # FilterLesson: the same inputs, and what the picture became

    class MyLoopFilter:
        def filter(self, planes): ...  # LoopPlanes -> three planes, the filtered picture

The encoder chooses per 32x32, in-loop per picture or block, where blocks take what comes back, and pays the bits of
that choice.  A decoder follows if it is given the same filter and its arithmetic gives the same bits there.
"""

import copy
import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np

from codecsim.errors import ConfigError
from codecsim.learned.inter.blocks import PredictionBlocks, prediction_blocks
from codecsim.learned.inter.inputs import CODED
from codecsim.learned.learner import LearnerInputs, LearnReport
from codecsim.picture.planes import PAD_C, PAD_Y, Planes
from codecsim.syntax.headers import Sps
from codecsim.tools import INTER_LUMA, LOOP, check_own_filter, own_filter_method

ADDITION = 16  # 8-bit samples: unit of differences in `FilterInputs.features`
FURTHER = ("overlapped", "further_1", "further_2", "further_3")  # predictions that there can be
NEEDS = ("overlapped", "further_1")  # unless a filter says otherwise
PICTURE_TYPES = "BPI"  # by slice_type

Maker = Callable[[], Any]  # makes a fresh filter each time


@dataclasses.dataclass(frozen=True, eq=False)
class FilterInputs:
    """What a filter of inter luma prediction sees of a picture.  Its arrays cannot be written to.

    Planes are of the coded size, whose sides are the video's rounded up to multiples of 8.

    Attributes
    ----------
    prediction : (h, w) uint16, 0..2**bit_depth-1
    aux : further predictions of the same kind by name: "overlapped", by overlapped motion compensation, "further_1" to
        "further_3", from other reference pictures; those that the filter's `needs` names
    qp : of the picture
    bit_depth : 8 or 10
    blocks : sizes, modes and motion
    """

    prediction: np.ndarray
    aux: Mapping[str, np.ndarray]
    qp: int
    bit_depth: int
    blocks: PredictionBlocks

    def features(self) -> np.ndarray:
        """(2 + len(aux), h, w) float32, about -1..1: what networks like.

        In order: the prediction, (sample - mid-grey) / 128 of 8 bits; each of aux, (its sample - prediction) / 16;
        the QP, (QP - 32) / 8.
        """
        unit = np.float32(1 << (self.bit_depth - 8))
        plane = self.prediction.astype(np.float32) / unit
        others = [(other / unit - plane) / np.float32(ADDITION) for other in self.aux.values()]
        qp = np.full_like(plane, (self.qp - 32) / 8)
        return np.stack([plane / 128 - 1, *others, qp]).astype(np.float32)

    def rounded(self, plane: np.ndarray) -> np.ndarray:
        """A plane of real numbers as samples: rounded, clipped to what `bit_depth` allows, uint16."""
        return np.clip(np.rint(plane), 0, (1 << self.bit_depth) - 1).astype(np.uint16)


@dataclasses.dataclass(frozen=True, eq=False)
class FilterLesson:
    """What a filter learns from after a picture: encoder and decoder know it alike.

    Attributes
    ----------
    inputs : FilterInputs
    output : (h, w) uint16, what `predict` returned
    target : (h, w) uint16, the reconstruction before the in-loop filters
    coded : (h/4, w/4) bool: inter blocks with a residual, where the target is better than the prediction
    """

    inputs: FilterInputs
    output: np.ndarray
    target: np.ndarray
    coded: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """(h, w) bool: samples of coded blocks."""
        return np.repeat(np.repeat(self.coded, 4, 0), 4, 1)


class InterFilter(Protocol):
    """A filter of inter luma prediction.

    It may have more: `learn(lesson: FilterLesson)`, called after each picture that it has filtered, which may return
    how many steps it trained; `reset()`, called at each IDR picture, where without it a fresh one takes its place;
    `digest() -> bytes`, which names its state for the decoder to check; `needs`, names of the further predictions that
    it wants, ("overlapped", "further_1") if it does not say.
    """

    def predict(self, inputs: FilterInputs) -> np.ndarray:
        """(h, w) integers, 0..2**bit_depth-1: a better prediction.

        It may be called several times for a picture, where the encoder searches it again, so it must not learn.
        """


class LoopFilter(Protocol):
    """A filter of decoded pictures, behind the standard's in-loop filters."""

    def filter(self, planes: "LoopPlanes") -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Better planes y, u, v of integers, 0..2**bit_depth-1.

        The decoder calls it only where blocks take what it makes, so it must not learn.
        """


class LoopPlanes(Planes):
    """Planes y (h, w), u and v (h/2, w/2), uint16 of the coded size.  They can be written to: they are copies.

    Attributes
    ----------
    qp : of the picture
    picture_type : "I", "P" or "B"
    bit_depth : 8 or 10
    """

    qp: int
    picture_type: str
    bit_depth: int


def checked_plane(what: str, plane: object, shape: tuple[int, ...], bit_depth: int) -> np.ndarray:
    """A plane that a filter returned, as contiguous uint16.

    Raises
    ------
    ConfigError : it is none
    """
    if not isinstance(plane, np.ndarray):
        raise ConfigError(f"{what} returned a {type(plane).__name__}; expected an array of {shape} integers")
    if plane.shape != shape or plane.dtype.kind not in "iu":
        hint = "; inputs.rounded() rounds and clips" if plane.dtype.kind == "f" else ""
        raise ConfigError(f"{what} returned {plane.shape} {plane.dtype}; expected {shape} integers{hint}")
    low, high, largest = int(plane.min()), int(plane.max()), (1 << bit_depth) - 1
    if low < 0 or high > largest:
        raise ConfigError(f"{what} returned samples {low}..{high}; {bit_depth} bits allow 0..{largest}")
    return np.ascontiguousarray(plane, np.uint16)


def _kept(plane: np.ndarray) -> np.ndarray:
    """A copy that cannot be written to."""
    kept = plane.copy()
    kept.flags.writeable = False
    return kept


class _Filtered(NamedTuple):
    """A picture that has been filtered; a Lesson."""

    inputs: FilterInputs
    made: np.ndarray

    def output(self, name: str) -> np.ndarray | None:
        """As Lesson.output."""
        return self.made if name == OwnInterFilter.names[0] else None


class OwnInterFilter:
    """A filter of one's own as a Learner.

    Parameters
    ----------
    make : makes the filter
    sps : Sps

    Attributes
    ----------
    own : the filter in its present state
    """

    takes_orders = False
    names = ("own",)

    def __init__(self, make: Maker, sps: Sps) -> None:
        self._make, self.own = make, make()
        self._shape, self.bit_depth = (sps.height, sps.width), sps.bit_depth
        self.needs = tuple(getattr(self.own, "needs", NEEDS))
        if not {*self.needs} <= {*FURTHER}:
            raise ConfigError(f"the filter needs {', '.join(self.needs)}; there are {', '.join(FURTHER)}")
        self._history = bytes(16)

    def predict(self, inputs: LearnerInputs) -> tuple[list[np.ndarray], _Filtered]:
        """As Learner.predict."""
        assert inputs.blocks is not None and inputs.motion is not None
        found = {name: _kept(inputs.aux[name]) for name in FURTHER if name in self.needs}
        shown = PredictionBlocks(*map(_kept, prediction_blocks(inputs.blocks, inputs.motion)))
        kept = FilterInputs(_kept(inputs.prediction), MappingProxyType(found), inputs.qp, self.bit_depth, shown)
        made = _kept(checked_plane("predict()", self.own.predict(kept), self._shape, self.bit_depth))
        return [made], _Filtered(kept, made)

    def learn(self, lesson: _Filtered, target: np.ndarray, coded: np.ndarray) -> LearnReport:
        """As Learner.learn."""
        self._history = hashlib.blake2b(self._history + lesson.made.tobytes(), digest_size=16).digest()
        shown = FilterLesson(lesson.inputs, lesson.made, _kept(target.astype(np.uint16)), _kept(coded == CODED))
        steps = self.own.learn(shown) if callable(getattr(self.own, "learn", None)) else 0
        error = np.abs(lesson.made.astype(np.int64) - target)[shown.mask]
        return LearnReport(steps if isinstance(steps, int) else 0, int(error.sum()), False)

    def reset(self) -> None:
        """At an IDR picture."""
        self._history = bytes(16)
        if callable(getattr(self.own, "reset", None)):
            self.own.reset()
        else:
            self.own = self._make()

    def snapshot(self) -> Any:
        """As Learner.snapshot."""
        return copy.deepcopy(self.own), self._history

    def restore(self, snapshot: Any) -> None:
        """As Learner.restore."""
        own, self._history = snapshot
        self.own = copy.deepcopy(own)

    def digest(self) -> bytes:
        """16 bytes that name what it has made since the IDR picture, and its state as far as it tells that."""
        named = self.own.digest() if callable(getattr(self.own, "digest", None)) else b""
        return hashlib.blake2b(self._history + named, digest_size=16).digest()


class OwnLoopFilter:
    """An in-loop filter of one's own, with the interface of LoopFilter.

    Parameters, `own`: as OwnInterFilter.
    """

    def __init__(self, make: Maker, sps: Sps) -> None:
        self.own, self._bit_depth = make(), sps.bit_depth

    def run(self, planes: Planes, qp: int, slice_type: int) -> Planes:
        """As LoopFilter.run."""
        inner = [plane[pad:-pad, pad:-pad].copy() for plane, pad in zip(planes, (PAD_Y, PAD_C, PAD_C), strict=True)]
        shown = LoopPlanes(*inner)
        shown.qp, shown.picture_type, shown.bit_depth = qp, PICTURE_TYPES[slice_type], self._bit_depth
        made = self.own.filter(shown)
        if not isinstance(made, (tuple, list)) or len(made) != len(inner):
            count = f"{len(made)} planes" if isinstance(made, (tuple, list)) else f"a {type(made).__name__}"
            raise ConfigError(f"filter() returned {count}; expected 3 planes")
        pairs = zip(made, inner, strict=True)
        return Planes(*(checked_plane("filter()", plane, i.shape, self._bit_depth) for plane, i in pairs))


ADAPTORS: Mapping[str, Callable[[Maker, Sps], Any]] = MappingProxyType(
    {INTER_LUMA.name: OwnInterFilter, LOOP.name: OwnLoopFilter}
)


def make_own_filters(filters: Mapping[str, Maker], sps: Sps) -> dict[str, Any]:
    """Arguments of PictureCodec: what stands in for the filters that ship.

    Raises
    ------
    ConfigError : no filter for its tool, or one that needs what there is not
    """
    found = {}
    for name, make in filters.items():
        own_filter_method(name)  # refuses a place that there is not
        found[name] = ADAPTORS[name](make, sps)
        check_own_filter(name, found[name].own)
    return found
