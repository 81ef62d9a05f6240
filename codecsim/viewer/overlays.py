"""Block data of a picture as the page draws them: flat lists of integers, one row of fields after the other."""

import numpy as np

from codecsim.inspection.bits import Q
from codecsim.inspection.observer import PictureData
from codecsim.inspection.planes import sum_squares
from codecsim.picture.blocks import CHOICE_EVERYWHERE, CHOICE_LOG2, CHOICE_NOWHERE, CTU_SIZE
from codecsim.syntax.loop_choice import SIZES_LOG2, LoopChoice

# The page has the same lists, in blocks.js.
CU_FIELDS = ("x", "y", "size", "mode", "part", "qp", "intra_filter", "bits_q8")
PU_FIELDS = (
    *("x", "y", "width", "height", "mode", "merge", "ref_idx0", "ref_idx1", "poc0", "poc1"),
    *("mv0x", "mv0y", "mv1x", "mv1y", "intra_luma", "intra_chroma"),
)
TU_FIELDS = ("x", "y", "size", "cbf")


def block_data(data: PictureData) -> dict[str, int | list[int]]:
    """What the page needs to draw and explain the blocks of a picture, as JSON can hold it.

    Parameters
    ----------
    data : inspection.observer.PictureData
    """
    height, width = data.reconstruction.y.shape
    return {
        "width": width,
        "height": height,
        "ctu_size": CTU_SIZE,
        "cu": _rows(data.coding_units()),
        "pu": _rows(data.prediction_units()),
        "tu": _rows(data.transform_units()),
        "ctu_bits_q8": data.bits.ctu.ravel().tolist(),
        "bits_q": Q,
        "other_bits_q8": data.bits.before + data.bits.after,
        "choice_size": 1 << CHOICE_LOG2,
        "experts": data.experts,
        "filtering": data.blocks.filtering.taken.ravel().tolist() if data.experts else None,
        "chroma_filtered": bool(data.chroma_filtered),
        "overlap": data.blocks.overlap.taken.ravel().tolist() if data.overlap_used else None,
        "loss": None if data.losses is None else sum_squares(data.losses, 1 << (CHOICE_LOG2 - 2)).ravel().tolist(),
        "loop": _loop_choice(data.loop, width, height),
        "deblocked": bool(data.deblocked),
        "sao": data.sao.type_idx.reshape(3, -1).tolist(),
    }


def _rows(units: np.ndarray) -> list[int]:
    """Fields of a structured array, row by row."""
    columns = [units[name].reshape(len(units), -1) for name in units.dtype.names or ()]
    return np.concatenate(columns, 1, dtype=np.int64, casting="unsafe").ravel().tolist()


def _loop_choice(loop: LoopChoice | None, width: int, height: int) -> dict[str, int | list[list[int]]] | None:
    """Size in luma samples of the blocks of the learned in-loop filter, and a flag for each by component."""
    if loop is None:
        return None
    log2 = SIZES_LOG2[loop.size[0]]
    rows, columns = (height - 1 >> log2) + 1, (width - 1 >> log2) + 1
    flags = []
    for where, of_blocks in zip(loop.where, loop.flags, strict=True):
        if where in (CHOICE_NOWHERE, CHOICE_EVERYWHERE):
            flags.append([int(where == CHOICE_EVERYWHERE)] * (rows * columns))
        else:
            flags.append((of_blocks[:rows, :columns] != 0).astype(int).ravel().tolist())
    return {"size": 1 << log2, "flags": flags}
