"""Normative.  The intra filter learns from each row of coding tree units of an intra picture, before the next one."""

from typing import NamedTuple

import numpy as np

from codecsim.codec.recon import intra_example, reconstruct
from codecsim.hevc.tables import DC
from codecsim.kernels.jit import kernel
from codecsim.kernels.records import make_records
from codecsim.picture.blocks import CBF_Y, CTU_UNITS, MODE_INTRA, z_to_xy

_ROW_UNITS = int(CTU_UNITS**0.5)


class ChosenBlock:
    """A luma block to learn from."""

    uy: int  # its first unit
    ux: int
    log2: int  # of its size
    mode: int


class IntraTraining(NamedTuple):
    """What was learnt."""

    steps: int  # of the optimiser
    samples: int  # of the blocks that these took, again in each pass


def rows_of(rc):
    """Number of rows of coding tree units of the picture of a bound Recon."""
    return -(-rc.value.zorder.shape[0] // _ROW_UNITS)


def reconstruct_and_learn(rc, learner):
    """Reconstruct an intra picture row by row, learning after each; returns the IntraTraining.

    Parameters
    ----------
    rc : bound Recon
    learner : IntraLearner
    """
    rows = []
    for row in range(rows_of(rc)):
        reconstruct(rc, row, row + 1)
        rows.append(learn_from_row(rc, learner, row))
    return IntraTraining(sum(row.steps for row in rows), sum(row.samples for row in rows))


def learn_from_row(rc, learner, row):
    """Learn from the luma blocks with residual of a reconstructed row; returns the IntraTraining.

    Of more blocks than `params.blocks` so many are taken, evenly spread.
    """
    units = _ROW_UNITS * rc.value.zorder.shape[1]
    chosen = make_records(ChosenBlock, units)
    count, samples = choose_blocks(rc, row, learner.params.blocks, chosen)
    examples = learner.room(count, samples)
    take_examples(rc, chosen, count, learner.table, examples)
    steps = learner.learn(examples, count)
    return IntraTraining(steps, int((1 << 2 * chosen.log2[:count]).sum()) * learner.params.passes)


@kernel
def choose_blocks(rc, row, most, chosen):
    """Intra luma blocks with residual of a row, in decoding order: all or, evenly spread, `most`.

    Parameters
    ----------
    rc : bound Recon
    chosen : (n,) of ChosenBlock, written; with room for all units of the row

    Returns
    -------
    (int, int) : blocks; samples of their patches
    """
    blocks, (h4, w4), count = rc.blocks, rc.zorder.shape, np.int64(0)
    for column in range(0, w4, _ROW_UNITS):
        for z in range(CTU_UNITS):
            dx, dy = z_to_xy(z)
            uy, ux = _ROW_UNITS * row + dy, column + dx
            if uy >= h4 or ux >= w4 or blocks.pred_mode[uy, ux] != MODE_INTRA or not blocks.cbf[uy, ux] & CBF_Y:
                continue
            log2 = np.int64(blocks.tu_log2[uy, ux])
            if (uy | ux) & ((1 << max(log2 - 2, 0)) - 1) == 0:
                block = chosen[count]
                block.uy, block.ux, block.log2, block.mode = uy, ux, log2, np.int64(blocks.intra_luma[uy, ux])
                count += 1
    taken, samples = min(count, most), np.int64(0)
    for k in range(taken):
        block, source = chosen[k], chosen[k * count // taken]
        block.uy, block.ux, block.log2, block.mode = source.uy, source.ux, source.log2, source.mode
        side = (1 << block.log2) + 2 * rc.intra.margin
        samples += rc.intra.patch.shape[0] * side * side
    return taken, samples


@kernel
def take_examples(rc, chosen, count, table, examples):
    """What the learner needs of chosen blocks.

    Parameters
    ----------
    rc : bound Recon; its `pred` is as before after this
    chosen, count : of `choose_blocks`
    table : (2, 4) int64, IntraLearner.table
    examples : bound Examples, written
    """
    at = np.int64(0)
    for k in range(count):
        uy, ux, log2, mode = chosen[k].uy, chosen[k].ux, chosen[k].log2, chosen[k].mode
        block = examples.blocks[k]
        block.network, block.log2, block.start = table[int(mode > DC), log2 - 2], log2, at
        intra_example(rc, uy, ux, log2, mode, examples.errors[k])
        side = (1 << log2) + 2 * rc.intra.margin
        for c in range(rc.intra.patch.shape[0]):
            for y in range(side):
                row = rc.intra.patch[c, y]
                to = examples.patches[at : at + side]
                for x in range(side):
                    to[x] = row[x]
                at += side
