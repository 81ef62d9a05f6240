"""Normative.  When to train, on what, and when to start again.  Integers only."""

from typing import Any, NamedTuple

import numpy as np

from codecsim.learned.engine.state import LearnerState
from codecsim.learned.inter.inputs import CODED
from codecsim.tools.learner import THRESHOLD_QP, Control, LearnerSettings, Reset

RECENT = 8  # pictures among which the best QP is sought: a group of pictures of any structure


class TrainingStep(NamedTuple):
    """One tile to train on: index into the replay pictures, and the tile's corner."""

    picture: int
    y0: int
    x0: int


def threshold_of_qp(values: tuple[int, int, int, int], qp: int) -> int:
    """Threshold at `qp`, linear between `values` at THRESHOLD_QP, constant outside them, rounded down."""
    if qp <= THRESHOLD_QP[0]:
        return values[0]
    for i in range(len(THRESHOLD_QP) - 1):
        low, high = THRESHOLD_QP[i], THRESHOLD_QP[i + 1]
        if qp <= high:
            return values[i] + (values[i + 1] - values[i]) * (qp - low) // (high - low)
    return values[-1]


def observe_loss(params: LearnerSettings, state: LearnerState, online: int, initial: int) -> bool:
    """Take in a picture's absolute errors; reset the state where `Reset.AUTO` asks for it.

    Parameters
    ----------
    params : InterLumaSettings
    state : LearnerState, mutated
    online, initial : int, sums of absolute errors with the present and with the initial weights

    Returns
    -------
    bool : whether the state was reset
    """
    state.waiting_loss += online
    if params.reset_memory_log2:
        state.online_loss -= state.online_loss >> params.reset_memory_log2
        state.initial_loss -= state.initial_loss >> params.reset_memory_log2
    state.online_loss += online
    state.initial_loss += initial
    worse = state.online_loss * 256 > state.initial_loss * (256 + params.reset_margin_q8)
    if params.reset == Reset.AUTO and worse:
        waiting = state.waiting_loss
        state.reset()
        state.waiting_loss = waiting
        return True
    return False


def should_train(params: LearnerSettings, state: LearnerState, qp: int, n_samples: int, bit_depth: int) -> bool:
    """Whether to train after this picture.

    n_samples : int, luma samples of a picture: the mean of errors is over all of them
    """
    if params.control == Control.THRESHOLD:
        threshold = threshold_of_qp(params.threshold_q8, qp)
        return state.waiting_loss * 256 > (threshold * n_samples) << (bit_depth - 8)
    return params.control != Control.NEVER


def hot_tiles(params: LearnerSettings, coded: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Corners of the grid tiles with enough coded samples, in raster order.

    coded : (h // 4, w // 4) uint8, inputs.CODED where the residual is coded
    """
    coded = coded == CODED
    units = (1 << params.tile_log2) // 4
    h, w = coded.shape
    rows, columns = -(-h // units), -(-w // units)
    found = []
    for i in range(rows):
        for j in range(columns):
            tile = coded[i * units : (i + 1) * units, j * units : (j + 1) * units]
            count = int(np.count_nonzero(tile))
            if count and count * 256 >= params.hot_share_q8 * tile.size:
                found.append((4 * units * i, 4 * units * j))
    return tuple(found)


def lossy_tiles(
    params: LearnerSettings,
    state: LearnerState,
    tiles: tuple[tuple[int, int], ...],
    qp: int,
    bit_depth: int,
) -> tuple[tuple[int, int], ...]:
    """Those of the tiles that deserve training: with Control.THRESHOLD, those whose loss has passed the threshold.

    Parameters
    ----------
    params : InterLumaSettings
    state : LearnerState; the losses of the tiles that are returned begin again at 0
    tiles : tuple of corners, of hot_tiles
    qp, bit_depth : int, of the picture

    Returns
    -------
    tuple of corners
    """
    if params.control != Control.THRESHOLD:
        return tiles
    log2, losses = params.tile_log2, state.tile_losses
    least = threshold_of_qp(params.tile_threshold_q8, qp) << (bit_depth - 8 + 2 * log2)
    chosen = tuple((y0, x0) for y0, x0 in tiles if int(losses[y0 >> log2, x0 >> log2]) * 256 >= least)
    for y0, x0 in chosen:
        losses[y0 >> log2, x0 >> log2] = 0
    return chosen


def epochs_of_picture(params: LearnerSettings, state: LearnerState, qp: int) -> int:
    """Quarter epochs after a picture, fewer where its QP is above the best of the last pictures.

    state : LearnerState; it remembers the QP
    """
    if not params.worse_q8:
        return params.epochs_q2
    state.qps = (int(qp), *state.qps)[:RECENT]
    steps = qp - min(state.qps)
    return params.epochs_q2 * (256 - params.worse_q8) ** steps >> 8 * steps


def plan_training(
    params: LearnerSettings,
    state: LearnerState,
    grid: tuple[int, int],
    epochs_q2: int | None = None,
) -> list[TrainingStep]:
    """Tiles to train on after this picture, in order.

    The tiles of all replay pictures are shuffled, again for each pass; together they are visited as often as the epochs
    ask of one picture's tiles.  Each is moved a little, within the grid.

    Parameters
    ----------
    params : InterLumaSettings
    state : LearnerState; its generator advances
    grid : (height, width) of the grid of tiles in samples
    epochs_q2 : int, of epochs_of_picture; default: those of the parameters

    Returns
    -------
    list of TrainingStep
    """
    tiles = [(i, *corner) for i, sample in enumerate(state.replay) for corner in sample.tiles]
    epochs_q2 = params.epochs_q2 if epochs_q2 is None else epochs_q2
    if not tiles or not epochs_q2:
        return []
    count = max(1, epochs_q2 * len(tiles) // (4 * len(state.replay)))
    size = 1 << params.tile_log2
    bag: list[Any] = []
    steps: list[Any] = []
    while len(steps) < count:
        if not bag:
            bag = tiles.copy()
            for i in range(len(bag) - 1, 0, -1):
                j = state.draw(i + 1)
                bag[i], bag[j] = bag[j], bag[i]
        picture, y0, x0 = bag.pop()
        y0 += state.draw(2 * params.jitter + 1) - params.jitter
        x0 += state.draw(2 * params.jitter + 1) - params.jitter
        steps.append(TrainingStep(picture, min(max(y0, 0), grid[0] - size), min(max(x0, 0), grid[1] - size)))
    return steps
