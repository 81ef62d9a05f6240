"""Rectangles of a picture, in decoding order, with what the stream says about each."""

import numpy as np

from codecsim.picture.blocks import (
    MODE_INTRA,
    Blocks,
    PART_2Nx2N,
    PART_2NxN,
    PART_2NxnD,
    PART_2NxnU,
    PART_nLx2N,
    PART_nRx2N,
    PART_Nx2N,
    PART_NxN,
)
from codecsim.picture.planes import Motion
from codecsim.syntax.prediction import part_geometry

# Places and sizes are in luma samples.
CODING_UNIT = np.dtype(
    [
        ("x", np.int16),
        ("y", np.int16),
        ("size", np.int16),
        ("mode", np.uint8),  # MODE_* of blocks
        ("part", np.uint8),  # PART_*
        ("qp", np.int8),
        ("intra_filter", np.uint8),
        ("bits_q8", np.int32),  # of coding_unit(), in 2**-8 bit
    ]
)
PREDICTION_UNIT = np.dtype(
    [
        ("x", np.int16),
        ("y", np.int16),
        ("width", np.int16),
        ("height", np.int16),
        ("mode", np.uint8),  # MODE_*
        ("merge", np.uint8),  # merge_idx + 1, 0 where not merged
        ("ref_idx", np.int8, 2),  # -1 where the list is not used
        ("ref_poc", np.int32, 2),  # of the pictures referred to, 0 where the list is not used
        ("mv", np.int16, (2, 2)),  # [list, (x, y)], quarter samples
        ("intra_luma", np.uint8),  # intra mode 0..34; 1 where not intra
        ("intra_chroma", np.uint8),  # intra_chroma_pred_mode, 4: as luma
    ]
)
TRANSFORM_UNIT = np.dtype(
    [
        ("x", np.int16),
        ("y", np.int16),
        ("size", np.int16),
        ("cbf", np.uint8),  # CBF_* and TSKIP_* bits
    ]
)
_INTER_PARTS = (PART_2NxN, PART_Nx2N, PART_2NxnU, PART_2NxnD, PART_nLx2N, PART_nRx2N)


def _corners(log2: np.ndarray, zorder: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(y, x) units of the top-left corners of square blocks whose size stands in all their units, in decoding order."""
    rows, columns = np.indices(log2.shape)
    last = (1 << (log2.astype(np.int64) - 2)) - 1
    y, x = np.nonzero((rows & last == 0) & (columns & last == 0))
    order = np.argsort(zorder[y, x])
    return y[order], x[order]


def coding_units(blocks: Blocks, zorder: np.ndarray, cu_bits: np.ndarray) -> np.ndarray:
    """(n,) CODING_UNIT.

    Parameters
    ----------
    blocks : blocks.Blocks of a decoded picture
    zorder : (H4, W4) int32, see tables.make_zorder
    cu_bits : (H4, W4) int64, of inspection.bits.SliceBits
    """
    at = y, x = _corners(blocks.cu_log2, zorder)
    found = np.zeros(len(y), CODING_UNIT)
    found["x"], found["y"], found["size"] = 4 * x, 4 * y, 1 << blocks.cu_log2[at].astype(np.int64)
    found["mode"], found["part"], found["qp"] = blocks.pred_mode[at], blocks.part_mode[at], blocks.qp[at]
    found["intra_filter"], found["bits_q8"] = blocks.intra_filter[at], cu_bits[at]
    return found


def transform_units(blocks: Blocks, zorder: np.ndarray) -> np.ndarray:
    """(n,) TRANSFORM_UNIT.  The chroma of four 4x4 ones is in the last, its flags are in all."""
    at = y, x = _corners(blocks.tu_log2, zorder)
    found = np.zeros(len(y), TRANSFORM_UNIT)
    found["x"], found["y"], found["size"] = 4 * x, 4 * y, 1 << blocks.tu_log2[at].astype(np.int64)
    found["cbf"] = blocks.cbf[at]
    return found


def prediction_units(blocks: Blocks, zorder: np.ndarray, motion: Motion, ref_poc: np.ndarray) -> np.ndarray:
    """(n,) PREDICTION_UNIT.

    Parameters
    ----------
    motion : picture.Motion
    ref_poc : (2, 16) int32, of the entries of both reference lists
    """
    y, x = _corners(blocks.cu_log2, zorder)
    size = 1 << blocks.cu_log2[y, x].astype(np.int64)
    part = blocks.part_mode[y, x]
    found_rectangles = []  # (index of the CU, index of the part, x, y, width, height)
    for kind, count in ((PART_2Nx2N, 1), (PART_NxN, 4), *((part_mode, 2) for part_mode in _INTER_PARTS)):
        for n in np.unique(size[part == kind]):
            index = np.flatnonzero((part == kind) & (size == n))
            for k in range(count):
                left, top, width, height = part_geometry(kind, int(n), k)
                columns = (index, k, 4 * x[index] + left, 4 * y[index] + top, width, height)
                found_rectangles.append(np.stack(np.broadcast_arrays(*columns), 1))
    rectangles = np.concatenate(found_rectangles)
    rectangles = rectangles[np.lexsort(rectangles[:, 1::-1].T)]
    found = np.zeros(len(rectangles), PREDICTION_UNIT)
    for name, column in zip(("x", "y", "width", "height"), rectangles[:, 2:].T, strict=True):
        found[name] = column
    at = found["y"] >> 2, found["x"] >> 2
    found["mode"], found["merge"] = blocks.pred_mode[at], blocks.merge[at]
    found["intra_luma"], found["intra_chroma"] = blocks.intra_luma[at], blocks.intra_chroma[at]
    intra = found["mode"] == MODE_INTRA
    found["merge"][intra] = 0
    found["intra_luma"][~intra], found["intra_chroma"][~intra] = 1, 4
    found["ref_idx"] = motion.ref_idx[at]
    used = found["ref_idx"] >= 0
    found["mv"] = np.where(used[..., np.newaxis], motion.mv[at], 0)
    found["ref_poc"] = np.where(used, ref_poc[[[0, 1]], np.maximum(found["ref_idx"], 0)], 0)
    return found
