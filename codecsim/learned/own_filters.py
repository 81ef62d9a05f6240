"""Filters of one's own in place of the built-in ones: any object with the right methods, numpy or torch inside.

    class MyFilter:
        def predict(self, inputs): ...  # FilterInputs -> (h, w) plane, the filtered luma prediction
        def learn(self, lesson): ...    # OwnLesson: the same inputs, and what the picture became

    encode(config, video_format, frames, filters={"inter_luma": MyFilter()})

`predict` runs once the motion of a picture is known, more than once where the encoder searches the picture again;
`learn` runs once a picture, after its reconstruction.  Optional: `reset()`, called at every IDR picture; `digest()`,
bytes that name the state, which the stream then carries a hash of; `needs`, the names of the further predictions in
`inputs.aux`, default overlapped and further_1.

    class MyLoopFilter:
        def filter(self, planes): ...  # Planes of (h, w) uint16 -> three planes, the filtered picture

    encode(config, video_format, frames, filters={"loop": MyLoopFilter()})

Planes that come back are rounded and clipped to samples.  The encoder chooses per 32x32 (in-loop: per picture or block)
where they are taken, and pays the bits of that choice, as with the built-in filters.  The stream says that no decoder
can follow, but one that is given a filter with the same arithmetic and state can: `decode(..., filters=...)`.
"""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from codecsim.errors import ConfigError
from codecsim.learned.inter.inputs import CODED
from codecsim.learned.inter.prediction_filter import LearnReport
from codecsim.picture.blocks import Blocks
from codecsim.picture.planes import PAD_C, PAD_Y, Planes
from codecsim.syntax.headers import Sps
from codecsim.tools import INTER_LUMA, LOOP
from codecsim.tools.inter_luma import InterLumaSettings
from codecsim.tools.learner import Control

_NEEDS = ("overlapped", "further_1")


class FilterInputs(NamedTuple):
    """What a filter of inter prediction knows of a picture.  Arrays are not to be written to."""

    prediction: np.ndarray  # (h, w) uint16 luma
    aux: Mapping[str, np.ndarray]  # further predictions alike: overlapped, further_1, ...; those the filter needs
    qp: int  # of the slice
    bit_depth: int
    blocks: Blocks | None = None  # decisions per 4x4: see picture.blocks


class OwnLesson(NamedTuple):
    """What a filter can learn from a picture."""

    inputs: FilterInputs
    target: np.ndarray  # (h, w) uint16, the reconstruction before in-loop filters
    coded: (
        np.ndarray
    )  # (h, w) bool, samples of inter blocks with a residual: where the target is more than a prediction


def to_samples(plane: Any, shape: tuple[int, ...], bit_depth: int, name: str) -> np.ndarray:
    """A plane that a filter returned as contiguous uint16 samples, rounded and clipped.

    Raises
    ------
    ConfigError : another shape, or values that are no numbers
    """
    found = np.asarray(plane)
    if found.shape != shape or found.dtype.kind not in "fiu":
        raise ConfigError(f"{name} returned {found.dtype} {found.shape}; expected numbers {shape}")
    if found.dtype.kind == "f":
        if not np.isfinite(found).all():
            raise ConfigError(f"{name} returned values that are no finite numbers")
        found = np.rint(found)
    return np.ascontiguousarray(np.clip(found, 0, (1 << bit_depth) - 1), np.uint16)


class OwnInterFilter:
    """A filter of one's own, with the interface of PredictionFilter.

    Parameters
    ----------
    own : object with `predict` and `learn`, see above
    sps : Sps
    """

    has_lesson = False
    names = ("own",)

    def __init__(self, own: Any, sps: Sps) -> None:
        self._own, self._shape, self.bit_depth = own, (sps.height, sps.width), sps.bit_depth
        self._needs = tuple(getattr(own, "needs", _NEEDS))
        known = ("overlapped", *(f"further_{k}" for k in (1, 2, 3)))
        if not {*self._needs} <= {*known}:
            raise ConfigError(f"the filter needs {', '.join(self._needs)}; there are {', '.join(known)}")
        further = max((known.index(name) for name in self._needs), default=0)
        self.params = InterLumaSettings(control=Control.NEVER, overlapped="overlapped" in self._needs, further=further)
        self._inputs: FilterInputs | None = None

    def predict(self, pred_y, aux, qp, areas=None) -> list[np.ndarray]:
        """As PredictionFilter.predict."""
        names = (*(["overlapped"] if self.params.overlapped else []), "further_1", "further_2", "further_3")
        found = {name: plane.copy() for name, plane in zip(names, aux, strict=False) if name in self._needs}
        self._inputs = FilterInputs(pred_y.copy(), found, qp, self.bit_depth)
        return [to_samples(self._own.predict(self._inputs), self._shape, self.bit_depth, "predict()")]

    def output(self, expert: Any) -> None:
        """As PredictionFilter.output: there is none."""

    def learn(self, recon_y: np.ndarray, coded: np.ndarray, qp: int) -> LearnReport:
        """As PredictionFilter.learn."""
        where = np.repeat(np.repeat(coded == CODED, 4, 0), 4, 1)
        self._own.learn(OwnLesson(self._inputs, np.ascontiguousarray(recon_y), where))
        return LearnReport(0, 0, False)

    def obey(self, order: Any) -> None:
        """As PredictionFilter.obey: it takes no orders."""

    def reset(self) -> None:
        """At an IDR picture."""
        if callable(getattr(self._own, "reset", None)):
            self._own.reset()

    def digest(self) -> bytes:
        """16 bytes that name the state, as far as the filter tells it."""
        named = self._own.digest() if callable(getattr(self._own, "digest", None)) else b""
        return hashlib.blake2b(named, digest_size=16).digest()


class OwnLoopFilter:
    """An in-loop filter of one's own, with the interface of LoopFilter.

    Parameters
    ----------
    own : object with `filter`, see above
    sps : Sps
    """

    def __init__(self, own: Any, sps: Sps) -> None:
        self._own, self._bit_depth = own, sps.bit_depth

    def run(self, planes: Planes, qp: int, slice_type: int) -> Planes:
        """As LoopFilter.run."""
        inner = [plane[pad:-pad, pad:-pad].copy() for plane, pad in zip(planes, (PAD_Y, PAD_C, PAD_C), strict=True)]
        made = self._own.filter(Planes(*inner))
        if len(made) != len(inner):
            raise ConfigError(f"filter() returned {len(made)} planes; expected 3")
        return Planes(*(to_samples(m, i.shape, self._bit_depth, "filter()") for m, i in zip(made, inner, strict=True)))


class _Place(NamedTuple):
    """Where a filter of one's own can go."""

    methods: tuple[str, ...]
    adaptor: type


_PLACES: Mapping[str, _Place] = MappingProxyType(
    {
        INTER_LUMA.name: _Place(("predict", "learn"), OwnInterFilter),
        LOOP.name: _Place(("filter",), OwnLoopFilter),
    }
)


def check_own_filters(filters: Mapping[str, Any]) -> None:
    """Refuse what cannot be a filter.

    Raises
    ------
    ConfigError : an unknown place, or an object without its methods
    """
    for place, own in filters.items():
        if place not in _PLACES:
            raise ConfigError(f"no filter of one's own goes in place of {place!r}; expected {' or '.join(_PLACES)}")
        missing = [name for name in _PLACES[place].methods if not callable(getattr(own, name, None))]
        if missing:
            raise ConfigError(f"the filter for {place} has no method {missing[0]}()")


def make_own_filters(filters: Mapping[str, Any], sps: Sps) -> dict[str, Any]:
    """Arguments of PictureCodec: what stands in for the built-in filters.

    Raises
    ------
    ConfigError : a filter that needs what there is not
    """
    return {place: _PLACES[place].adaptor(own, sps) for place, own in filters.items()}
