"""Bits of coding tree units and coding units, from how far the decoder had read at their ends.

An arithmetic decoder stands between two bits: what it has read less log2(range / 256).  Differences of such positions
are the exact share of the code that the symbols between them take, to fractions of a bit, and they add up.
"""

from typing import NamedTuple

import numpy as np

from codecsim.entropy.cabac import MARK_CTU, MARK_CTU_END, MARK_CU, MARK_CU_END
from codecsim.picture.blocks import CTU_LOG2

Q = 8  # positions are rounded to 2**-8 bit
_LOG2_RANGE = np.rint((np.log2(np.maximum(np.arange(512), 1)) - 8) * (1 << Q)).astype(np.int64)


class SliceBits(NamedTuple):
    """Where the bits of a picture's slice data are, in 2**-8 bit.  `before`, `ctu` and `after` sum to all of them.

    A CTU's bits are those of its CUs, and of its SAO, splitting, choices and end.
    """

    before: int  # what comes before the first CTU: start of the decoder, choices for the whole picture
    ctu: np.ndarray  # (CTUs high, CTUs wide) int64
    cu: np.ndarray  # (H4, W4) int64: of coding_unit(), at the CU's top-left unit; 0 elsewhere
    after: int  # the end of the slice, and alignment


def slice_bits(marks: np.ndarray, begin: int, end: int) -> SliceBits:
    """`SliceBits` of a parsed picture.

    Parameters
    ----------
    marks : (H4, W4, 4, 2) int32, see entropy.cabac.Coder
    begin, end : int, first bit of the slice data and the one past its last
    """
    positions = (marks[..., 0].astype(np.int64) << Q) - _LOG2_RANGE[marks[..., 1]]
    corners = positions[:: 1 << (CTU_LOG2 - 2), :: 1 << (CTU_LOG2 - 2)]
    return SliceBits(
        int(corners[0, 0, MARK_CTU]) - (begin << Q),
        corners[..., MARK_CTU_END] - corners[..., MARK_CTU],
        positions[..., MARK_CU_END] - positions[..., MARK_CU],
        (end << Q) - int(corners[-1, -1, MARK_CTU_END]),
    )
