"""Normative.  The input planes that nets of inter prediction can take, one entry each.

Which of them a net takes, in which order, stands in its model file; without one the settings switch some of them on.
To add a plane, add its entry to PLANES: a name, what its values mean, what it needs, and the function that fills it.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from codecsim.errors import ConfigError
from codecsim.learned.inter.inputs import (
    extend_plane,
    fill_block_size,
    fill_difference,
    fill_high_pass,
    fill_prediction,
    fill_qp,
)
from codecsim.learned.learner import LearnerInputs

_SAMPLE = "64 a sample of 8 bits"


class Canvas(NamedTuple):
    """Where planes are filled in."""

    planes: np.ndarray  # (n_inputs, >= h + 2 margin, >= w + 2 margin) int16
    margin: int  # samples of context on each side; made of the outermost samples when a plane is filled
    rows: np.ndarray  # (h, w) int32 scratch


class InputPlane(NamedTuple):
    """One plane that a net can take."""

    name: str  # as model files have it
    scale: str  # what its values mean; they are int16 within +-8191
    fill: Callable[[LearnerInputs, Canvas, int], None]  # writes the samples of plane k of the canvas
    needs: tuple[str, ...] = ()  # names in LearnerInputs.aux
    is_prediction: bool = False  # whether what it needs is another prediction: a feature of linear filters too


def _prediction(inputs: LearnerInputs, canvas: Canvas, k: int) -> None:
    fill_prediction(inputs.prediction, canvas.margin, inputs.bit_depth, canvas.planes, k)


def _high_pass(inputs: LearnerInputs, canvas: Canvas, k: int) -> None:
    fill_high_pass(inputs.prediction, canvas.margin, inputs.bit_depth, canvas.rows, canvas.planes, k)


def _qp(inputs: LearnerInputs, canvas: Canvas, k: int) -> None:
    fill_qp(inputs.qp, canvas.planes, k)


def _block_size(inputs: LearnerInputs, canvas: Canvas, k: int) -> None:
    fill_block_size(inputs.aux["areas"], canvas.margin, canvas.planes, k)


def _fill_other(other: np.ndarray, inputs: LearnerInputs, canvas: Canvas, k: int) -> None:
    fill_difference(other, inputs.prediction, canvas.margin, inputs.bit_depth, canvas.planes, k)


def _other_prediction(name: str) -> InputPlane:
    """The plane of another prediction."""

    def fill(inputs: LearnerInputs, canvas: Canvas, k: int) -> None:
        _fill_other(inputs.aux[name], inputs, canvas, k)

    return InputPlane(name, f"the other prediction minus the prediction, {_SAMPLE}", fill, (name,), True)


def _fill_cue(cue: np.ndarray, inputs: LearnerInputs, canvas: Canvas, k: int) -> None:
    """A cue in samples, as far as the prediction moved by it stays within samples."""
    top = (1 << inputs.bit_depth) - 1
    moved = np.clip(inputs.prediction.astype(np.int32) + cue, 0, top).astype(np.uint16)
    _fill_other(moved, inputs, canvas, k)


def sum_of_four(luma: np.ndarray) -> np.ndarray:
    """Sums over 2x2 samples: (h, w) uint16 of at most 12 bits -> (h / 2, w / 2) int32."""
    rows = luma[0::2].astype(np.int32) + luma[1::2]
    return rows[:, 0::2] + rows[:, 1::2]


def detail(sums: np.ndarray) -> np.ndarray:
    """What stands out of its surroundings, at four times the scale of samples.

    Parameters
    ----------
    sums : (h, w) int32 of `sum_of_four`

    Returns
    -------
    (h, w) int32 : a sum minus the mean of the 5x5 around it, rounded down
    """
    h, w = sums.shape
    padded = np.pad(sums, 2, mode="edge")
    rows = reduce(np.add, (padded[k : k + h] for k in range(5)))
    return sums - reduce(np.add, (rows[:, k : k + w] for k in range(5))) // 25


def _luma_sums(inputs: LearnerInputs) -> np.ndarray:
    return inputs.once("luma sums", lambda: sum_of_four(inputs.aux["luma"]))


def _luma_addition(inputs: LearnerInputs, canvas: Canvas, k: int) -> None:
    added = inputs.once("addition", lambda: sum_of_four(inputs.aux["filtered_luma"]) - _luma_sums(inputs))
    _fill_cue(added, inputs, canvas, k)


def _luma_detail(inputs: LearnerInputs, canvas: Canvas, k: int) -> None:
    _fill_cue(inputs.once("detail", lambda: detail(_luma_sums(inputs)) >> 2), inputs, canvas, k)


PLANES: Mapping[str, InputPlane] = {
    plane.name: plane
    for plane in (
        InputPlane("prediction", "the prediction minus mid-grey, 8 a sample of 8 bits", _prediction),
        InputPlane("high_pass", f"the prediction minus its blur, {_SAMPLE}", _high_pass),
        _other_prediction("overlapped"),
        _other_prediction("further_1"),
        _other_prediction("further_2"),
        _other_prediction("further_3"),
        InputPlane("qp", "the QP minus 32, 128 a step", _qp),
        InputPlane(
            "block_size",
            "log2 of the area of the block, 256 a doubling, 0 between 16x16 and 16x32",
            _block_size,
            needs=("areas",),
        ),
        InputPlane(
            "luma_addition",
            f"what the luma filter adds to 2x2 samples in sum, {_SAMPLE}",
            _luma_addition,
            needs=("luma", "filtered_luma"),
        ),
        InputPlane(
            "luma_detail",
            f"luma minus the mean of its neighbours, {_SAMPLE}",
            _luma_detail,
            needs=("luma",),
        ),
    )
}


def planes_of(names: Sequence[str]) -> tuple[InputPlane, ...]:
    """The planes with these names.

    Raises
    ------
    ConfigError : a name that is none
    """
    unknown = [name for name in names if name not in PLANES]
    if unknown:
        raise ConfigError(
            f"learned tools: there is no input plane {unknown[0]!r}; expected some of {', '.join(PLANES)}"
        )
    return tuple(PLANES[name] for name in names)


def fill_planes(planes: Sequence[InputPlane], inputs: LearnerInputs, canvas: Canvas) -> None:
    """Fill the first planes of a canvas, margins included; further ones stay as they are."""
    h, w = inputs.prediction.shape
    for k, plane in enumerate(planes):
        plane.fill(inputs, canvas, k)
        extend_plane(canvas.planes, k, canvas.margin, h, w)
