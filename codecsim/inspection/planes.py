"""Samples that the decoder does not keep, found again from what it keeps."""

import numpy as np

from codecsim.hevc.intra import Surroundings, predict_intra
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Place, TransformBlock
from codecsim.picture.blocks import MODE_INTRA
from codecsim.picture.planes import PAD_Y


@kernel
def predict_intra_unfiltered(rc, out):
    """Luma prediction of the intra units that use the intra prediction filter, without it.

    To be called when the picture is reconstructed and the in-loop filters have not run: what each block is predicted
    from then stands where it stood.

    Parameters
    ----------
    rc : Recon
    out : (H, W) uint16, mutated in those units
    """
    blocks = rc.blocks
    strong = rc.strong_intra != 0
    h4, w4 = blocks.cu_log2.shape
    for uy in range(h4):
        for ux in range(w4):
            log2 = np.int64(blocks.tu_log2[uy, ux])
            if (uy | ux) & ((1 << (log2 - 2)) - 1):
                continue
            if blocks.pred_mode[uy, ux] == MODE_INTRA and blocks.intra_filter[uy, ux]:
                mode, tb = np.int64(blocks.intra_luma[uy, ux]), TransformBlock(4 * uy, 4 * ux, log2, 0)
                around = Surroundings(rc.rec.y, PAD_Y, rc.zorder)
                predict_intra(around, tb, mode, strong, rc.bit_depth, rc.scratch.refs, out, Place(tb.y, tb.x))


def sum_squares(units: np.ndarray, side: int) -> np.ndarray:
    """Sums over squares of `side` units: (ceil(H4 / side), ceil(W4 / side)) of (H4, W4)."""
    rows = np.add.reduceat(units, np.arange(0, units.shape[0], side), 0)
    return np.add.reduceat(rows, np.arange(0, units.shape[1], side), 1)
