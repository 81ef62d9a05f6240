"""Normative.  Sizes of blocks as the filter of inter prediction takes them, and a filter for each class of sizes."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from codecsim.learned.inter.experts import PictureLesson
from codecsim.learned.inter.prediction_filter import make_learner
from codecsim.learned.learner import LearnerGroup, LearnerInputs, LearnReport, joined_report
from codecsim.picture.blocks import (
    MODE_INTER,
    Blocks,
    PART_2NxnD,
    PART_2NxnU,
    PART_nLx2N,
    PART_nRx2N,
)
from codecsim.tools.learner import BlockSize, LearnerSettings

# Largest log2 of areas of each class but the last one.
CLASS_LIMITS = MappingProxyType({BlockSize.TWO_CLASSES: (8,), BlockSize.THREE_CLASSES: (7, 9)})
_DOUBLED = np.array([0, 1, 1, 2, 1, 1, 1, 1])  # by PART_*: doublings from the larger part's area to the CU's


def n_filters(params: LearnerSettings) -> int:
    """Filters that run over each picture with these LearnerSettings."""
    return len(CLASS_LIMITS.get(params.block_size, ())) + 1


def block_areas(blocks: Blocks) -> np.ndarray:
    """Log2 of the area of each prediction unit of inter blocks, rounded down, and of other coding units.

    Parameters
    ----------
    blocks : Blocks

    Returns
    -------
    (H4, W4) uint8 : 5..12, in samples
    """
    log2 = blocks.cu_log2.astype(np.int64)
    part = np.where(blocks.pred_mode == MODE_INTER, blocks.part_mode, 0)
    units, (rows, columns) = 1 << (log2 - 2), np.indices(part.shape)
    y, x, quarter = rows % units, columns % units, units // 4
    is_quarter = (
        (part == PART_2NxnU) & (y < quarter)
        | (part == PART_2NxnD) & (y >= units - quarter)
        | (part == PART_nLx2N) & (x < quarter)
        | (part == PART_nRx2N) & (x >= units - quarter)
    )
    return (2 * log2 - _DOUBLED[part] - is_quarter).astype(np.uint8)


class _SizeLesson:
    """Lessons of the filter of each class; a Lesson."""

    def __init__(self, inputs: LearnerInputs, classes: np.ndarray) -> None:
        self.inputs, self.classes = inputs, classes
        self.lessons: tuple[PictureLesson, ...] = ()

    def merge(self, planes: Sequence[np.ndarray]) -> np.ndarray:
        """What the block's class has of planes, one for each class."""
        return np.choose(np.repeat(np.repeat(self.classes, 4, 0), 4, 1), planes)

    def output(self, name: str) -> np.ndarray | None:
        """As Lesson.output."""
        planes = [plane for plane in (lesson.output(name) for lesson in self.lessons) if plane is not None]
        return self.merge(planes) if planes else None


class SizeClassFilter(LearnerGroup):
    """A PredictionFilter for each class of block sizes: each block has what its class's made, and teaches that alone.

    Parameters and errors as PredictionFilter.  A Learner.
    """

    def __init__(self, params: LearnerSettings, *args: Any, **kwargs: Any) -> None:
        super().__init__([make_learner(params, *args, **kwargs) for _ in range(n_filters(params))])
        self.params, self._limits = params, CLASS_LIMITS[params.block_size]
        self.names = self.members[0].names
        self.needs = (*self.members[0].needs, "areas")

    def predict(self, inputs: LearnerInputs) -> tuple[list[np.ndarray], _SizeLesson]:
        """As Learner.predict; the classes follow from `areas`."""
        lesson = _SizeLesson(inputs, np.searchsorted(self._limits, inputs.aux["areas"]).astype(np.uint8))
        made, lesson.lessons = zip(*(own.predict(inputs) for own in self.members), strict=True)
        return [lesson.merge(planes) for planes in zip(*made, strict=True)], lesson

    def learn(self, lesson: _SizeLesson, target: np.ndarray, coded: np.ndarray) -> LearnReport:
        """As Learner.learn."""
        return joined_report(
            [
                own.learn(part, target, np.where(lesson.classes == k, coded, np.uint8(0)))
                for k, (own, part) in enumerate(zip(self.members, lesson.lessons, strict=True))
            ]
        )
