"""Normative.  Sizes of blocks as the filter of inter prediction takes them, and a filter for each class of sizes."""

import hashlib
from types import MappingProxyType

import numpy as np

from codecsim.errors import ConfigError
from codecsim.learned.inter.prediction_filter import LearnReport, PredictionFilter
from codecsim.picture.blocks import (
    MODE_INTER,
    PART_2NxnD,
    PART_2NxnU,
    PART_nLx2N,
    PART_nRx2N,
)
from codecsim.tools.learner import BlockSize

# Largest log2 of areas of each class but the last one.
CLASS_LIMITS = MappingProxyType({BlockSize.TWO_CLASSES: (8,), BlockSize.THREE_CLASSES: (7, 9)})
_DOUBLED = np.array([0, 1, 1, 2, 1, 1, 1, 1])  # by PART_*: doublings from the larger part's area to the CU's


def n_filters(params):
    """Filters that run over each picture with these InterLumaSettings."""
    return len(CLASS_LIMITS.get(params.block_size, ())) + 1


def block_areas(blocks):
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
    units, (y, x) = 1 << (log2 - 2), np.indices(part.shape)
    y, x, quarter = y % units, x % units, units // 4
    is_quarter = (
        (part == PART_2NxnU) & (y < quarter)
        | (part == PART_2NxnD) & (y >= units - quarter)
        | (part == PART_nLx2N) & (x < quarter)
        | (part == PART_nRx2N) & (x >= units - quarter)
    )
    return (2 * log2 - _DOUBLED[part] - is_quarter).astype(np.uint8)


class SizeClassFilter:
    """A PredictionFilter for each class of block sizes: each block has what its class's made, and teaches that alone.

    Parameters, errors, `experts` and `names`: as PredictionFilter.
    """

    wants_blocks = False  # but their areas

    def __init__(self, params, *args):
        self.params, self._limits = params, CLASS_LIMITS[params.block_size]
        self.filters = tuple(PredictionFilter(params, *args) for _ in range(n_filters(params)))
        self.experts, self.names = self.filters[0].experts, self.filters[0].names
        self._classes = None

    def predict(self, pred_y, aux, qp, areas):
        """Filter a picture's prediction, and keep the inputs for `learn`: as PredictionFilter.

        areas : (height // 4, width // 4) uint8 of `block_areas`
        """
        self._classes = np.searchsorted(self._limits, areas).astype(np.uint8)
        made = [own.predict(pred_y, aux, qp) for own in self.filters]
        return [self._merge(planes) for planes in zip(*made, strict=True)]

    def _merge(self, planes):
        """What the block's class has of planes, one for each class."""
        return np.choose(np.repeat(np.repeat(self._classes, 4, 0), 4, 1), planes)

    def output(self, expert):
        """As PredictionFilter.output."""
        planes = [own.output(expert) for own in self.filters]
        return None if planes[0] is None else self._merge(planes)

    def learn(self, recon_y, coded, qp):
        """Learn from the reconstruction of the picture that `predict` saw last: as PredictionFilter."""
        if self._classes is None:
            raise ConfigError("learned tools: learn() needs the inputs of a predict() before it")
        reports = [
            own.learn(recon_y, np.where(self._classes == k, coded, np.uint8(0)), qp)
            for k, own in enumerate(self.filters)
        ]
        return LearnReport(
            sum(report.trained_steps for report in reports),
            sum(report.accumulated_loss for report in reports),
            any(report.reset for report in reports),
            sum(report.fitted_samples for report in reports),
        )

    @property
    def has_lesson(self):
        """Whether a picture waits for an order."""
        return self.filters[0].has_lesson

    def obey(self, order):
        """As PredictionFilter.obey."""
        for own in self.filters:
            own.obey(order)

    def snapshot(self):
        """As PredictionFilter.snapshot."""
        return tuple(own.snapshot() for own in self.filters)

    def restore(self, snapshot):
        """As PredictionFilter.restore."""
        for own, kept in zip(self.filters, snapshot, strict=True):
            own.restore(kept)

    def reset(self):
        """At an IDR: as PredictionFilter.reset."""
        for own in self.filters:
            own.reset()

    def digest(self):
        """16 bytes that name the state of all."""
        states = b"".join(own.digest() for own in self.filters)
        return hashlib.blake2b(states, digest_size=16).digest()
