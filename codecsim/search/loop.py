"""The encoder's choice of the in-loop filter: where in the picture, and by blocks of which size."""

import numpy as np

from codecsim.codec.picture_store import PictureStore
from codecsim.codec.stages.loop_filter import LoopFiltering
from codecsim.codec.structure import chroma_weight
from codecsim.picture.blocks import CHOICE_EVERYWHERE, CHOICE_NOWHERE, CHOICE_PER_BLOCK
from codecsim.search.aim import Aim
from codecsim.syntax.loop_choice import SIZES_LOG2


def choose_loop_filter(picture: PictureStore, stage: LoopFiltering, aim: Aim) -> None:
    """Run the in-loop filter and choose where it stays, by squared error and an estimate of the bits of its flags."""
    if not stage.on:
        return
    given, orig, lam = picture.slice, aim.orig, aim.lam
    weights = [1.0] + [chroma_weight(given.qp, offset) for offset in (given.cb_qp_offset, given.cr_qp_offset)]
    before = picture.picture.inner()
    gains = []  # by component: on the grid of the smallest blocks, weighted squared error that the filter takes away
    for c, (source, plain, filtered) in enumerate(zip(orig, before, stage.filter(picture), strict=True)):
        gain = _squared_error(source, plain) - _squared_error(source, filtered)
        gains.append(weights[c] * _block_sums(gain, 1 << (SIZES_LOG2[0] - (c > 0))))
    best = None
    for size in range(len(SIZES_LOG2)):
        choices = [_choose(_block_sums(gain, 1 << size), lam) for gain in gains]
        cost = sum(choice[0] for choice in choices)
        if best is None or cost < best[0]:
            best = cost, size, choices
    assert best is not None
    _, size, choices = best
    stage.choice.size[0] = size
    for c, (_, where, flags) in enumerate(choices):
        stage.choice.where[c] = where
        stage.choice.flags[c][: flags.shape[0], : flags.shape[1]] = flags


def _squared_error(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a.astype(np.int64) - b) ** 2


def _block_sums(values: np.ndarray, side: int) -> np.ndarray:
    """Sums over blocks of `side` x `side`, those at the edges smaller."""
    rows = np.add.reduceat(values, np.arange(0, values.shape[0], side), axis=0)
    return np.add.reduceat(rows, np.arange(0, values.shape[1], side), axis=1)


def _choose(gain: np.ndarray, lam: float) -> tuple[float, int, np.ndarray]:
    """(cost, CHOICE_*, flags) of a component from the gain of each block."""
    flags = (gain > 0).astype(np.uint8)
    share = flags.mean()
    entropy = 0.0 if share in (0, 1) else -share * np.log2(share) - (1 - share) * np.log2(1 - share)
    options = (
        (0.0, CHOICE_NOWHERE),
        (-gain.sum(), CHOICE_EVERYWHERE),
        (lam * (2 + entropy * gain.size) - gain[flags > 0].sum(), CHOICE_PER_BLOCK),
    )
    cost, where = min(options)
    return cost, where, flags
