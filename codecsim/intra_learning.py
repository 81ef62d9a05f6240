"""Normative.  The intra filter learns from each row of coding tree units of an intra picture, before the next one."""

import numpy as np

from codecsim.blocks import CBF_Y, CTU_UNITS, MODE_INTRA
from codecsim.learned.intra_learner import Example
from codecsim.recon import intra_example, reconstruct

_ROW_UNITS = int(CTU_UNITS**0.5)


def rows_of(rc):
    """Number of rows of coding tree units of the picture of a bound Recon."""
    return -(-rc.value.zorder.shape[0] // _ROW_UNITS)


def reconstruct_and_learn(rc, learner):
    """Reconstruct an intra picture row by row, learning after each; returns the steps of the optimiser.

    Parameters
    ----------
    rc : bound Recon
    learner : IntraLearner
    """
    steps = 0
    for row in range(rows_of(rc)):
        reconstruct(rc, row, row + 1)
        steps += learn_from_row(rc, learner, row)
    return steps


def learn_from_row(rc, learner, row):
    """Learn from the luma blocks with residual of a reconstructed row; returns the steps of the optimiser.

    Of more blocks than `params.blocks` so many are taken, evenly spread.
    """
    recon = rc.value
    table, size, most = learner.table, recon.intra.patch.shape[0], learner.params.blocks
    found = coded_blocks(recon, row)
    if len(found) > most:
        found = [found[k * len(found) // most] for k in range(most)]
    examples, error = [], np.zeros((32, 32), np.int16)
    for uy, ux, log2, mode in found:
        intra_example(rc, uy, ux, log2, mode, error)
        n, side = 1 << log2, (1 << log2) + 2 * recon.intra.margin
        patch = recon.intra.patch[:size, :side, :side].copy()
        network = int(table[int(mode > 1), log2 - 2])
        examples.append(Example(network, log2, patch, error[:n, :n].copy()))
    return learner.learn(examples)


def coded_blocks(recon, row):
    """Intra luma blocks with residual of a row, in decoding order: list of (uy, ux, log2 of the size, mode)."""
    blocks, first = recon.blocks, _ROW_UNITS * row
    rows = slice(first, first + _ROW_UNITS)
    log2 = blocks.tu_log2[rows].astype(np.int64)
    inside = (1 << np.maximum(log2 - 2, 0)) - 1
    uy, ux = np.indices(log2.shape)
    corner = (uy & inside | ux & inside) == 0
    wanted = corner & (blocks.pred_mode[rows] == MODE_INTRA) & (blocks.cbf[rows] & CBF_Y > 0)
    uy, ux = np.nonzero(wanted)
    order = np.argsort(recon.zorder[rows][uy, ux], kind="stable")
    modes = blocks.intra_luma[rows]
    return [
        (int(first + y), int(x), int(log2[y, x]), int(modes[y, x])) for y, x in zip(uy[order], ux[order], strict=True)
    ]
