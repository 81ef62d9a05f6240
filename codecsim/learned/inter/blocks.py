"""What filters of one's own may know of a picture's blocks before its residual is decoded."""

from typing import NamedTuple

import numpy as np

from codecsim.learned.inter.size_classes import block_areas
from codecsim.picture.blocks import MODE_INTER, Blocks
from codecsim.picture.planes import Motion


class PredictionBlocks(NamedTuple):
    """Blocks as arrays with an element for each 4x4 luma samples: (h/4, w/4) unless said otherwise."""

    is_inter: np.ndarray  # bool; false in intra blocks
    size: np.ndarray  # uint8: side of the coding unit in samples, 8..64
    area_log2: np.ndarray  # uint8: log2 of the area of the prediction unit in samples, rounded down
    reference: np.ndarray  # (h/4, w/4, 2) int8: index in each reference list, -1 where it is not used
    motion: np.ndarray  # (h/4, w/4, 2, 2) int16: vectors [list, (x, y)] in quarter samples, 0 where there is none


def prediction_blocks(blocks: Blocks, motion: Motion) -> PredictionBlocks:
    """Those of a picture whose inter prediction is known, in arrays of their own."""
    is_inter = blocks.pred_mode >= MODE_INTER
    reference = np.where(is_inter[..., np.newaxis], motion.ref_idx, np.int8(-1))
    vectors = np.where((reference >= 0)[..., np.newaxis], motion.mv, np.int16(0))
    size = (1 << blocks.cu_log2.astype(np.int64)).astype(np.uint8)
    return PredictionBlocks(is_inter, size, block_areas(blocks), reference, vectors)
