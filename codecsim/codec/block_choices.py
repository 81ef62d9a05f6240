"""Normative. What follows from the decisions of blocks: which samples they take, and which teach the learners."""

import numpy as np

from codecsim.codec.recon import copy_block
from codecsim.kernels.jit import kernel
from codecsim.learned.inter.inputs import CODED, UNCODED
from codecsim.picture.blocks import CBF_CB, CBF_CR, CBF_Y, CHOICE_EVERYWHERE, CHOICE_LOG2, MODE_INTER, MODE_INTRA


@kernel
def mark_coded(blocks, coded):
    """CODED in units of inter blocks with luma residual, UNCODED in the others of them, else 0: (H4, W4) uint8."""
    h4, w4 = blocks.cbf.shape
    for j in range(h4):
        for i in range(w4):
            is_coded = blocks.pred_mode[j, i] == MODE_INTER and blocks.cbf[j, i] & CBF_Y
            coded[j, i] = CODED if is_coded else UNCODED if blocks.pred_mode[j, i] >= MODE_INTER else 0


@kernel
def mark_residuals(blocks, units):
    """units[y, x] = CBF_* bits of inter blocks, 0 elsewhere: (H4, W4) uint8, for the learners of chroma."""
    h4, w4 = blocks.cbf.shape
    for j in range(h4):
        for i in range(w4):
            coded = blocks.cbf[j, i] & (CBF_Y | CBF_CB | CBF_CR)
            units[j, i] = coded if blocks.pred_mode[j, i] == MODE_INTER else 0


def intra_filter_shares(blocks):
    """Share of the luma that the intra filter made, by the side of its transform blocks: dict of "4".."32" to float."""
    sides = 1 << blocks.tu_log2[(blocks.intra_filter > 0) & (blocks.pred_mode == MODE_INTRA)].astype(np.int64)
    return {str(side): float(np.mean(sides == side) * sides.size / blocks.tu_log2.size) for side in np.unique(sides)}


@kernel
def apply_choice(blocks, taken, others, pred):
    """Replace the inter prediction of one component by the alternatives that the 32x32 blocks take.

    Parameters
    ----------
    blocks : Blocks
    taken : (H32, W32) uint8, of a Choice in blocks
    others : (alternatives, H, W) or (alternatives, H / 2, W / 2) uint16
    pred : (H, W) or (H / 2, W / 2) uint16, mutated
    """
    shift = CHOICE_LOG2 - 2
    h4, w4 = blocks.pred_mode.shape
    n = pred.shape[0] // h4
    for j in range(h4):
        for i in range(w4):
            k = np.int64(taken[j >> shift, i >> shift])
            if k > 0 and blocks.pred_mode[j, i] >= MODE_INTER:
                copy_block(others[k - 1], n * j, n * i, pred, n * j, n * i, n, n)


@kernel
def take_filtered(filtered, where, flags, log2, pad, plane):
    """Replace samples of a component by those of the in-loop filter, where they are chosen.

    Parameters
    ----------
    filtered : (h, w) uint16
    where : int, CHOICE_*
    flags : (H32, W32) uint8, of blocks of 2**log2 samples of this component
    pad : int, of the plane
    plane : (h + 2 pad, w + 2 pad) uint16, mutated
    """
    h, w = filtered.shape
    for y in range(h):
        to = plane[y + pad][pad:]
        for x in range(w):
            if where == CHOICE_EVERYWHERE or flags[y >> log2, x >> log2]:
                to[x] = filtered[y, x]
