"""Normative. Motion compensation of prediction blocks from one reference picture or from two (8.5.3.3).

The reference pictures of a slice stand once each in a stack; `References.slot_of` leads from a list entry to its place.
"""

from typing import NamedTuple

import numpy as np

from codecsim.hevc.inter import (
    TMP_SIZE,
    average_bi,
    predict_chroma_14bit,
    predict_chroma_uni,
    predict_luma_14bit,
    predict_luma_uni,
)
from codecsim.kernels.jit import kernel
from codecsim.picture.areas import Area, Place, Vector


class References(NamedTuple):
    """What a slice predicts from."""

    y: np.ndarray  # (places, padded height, padded width) uint16
    u: np.ndarray
    v: np.ndarray
    slot_of: np.ndarray  # (2, 16) int64: place of each entry of both lists; entries beyond a list's end lead to place 0
    bit_depth: int


class InterScratch(NamedTuple):
    """Working memory of the kernels here, one per thread of control."""

    tmp: np.ndarray  # (TMP_SIZE,) int32, interpolation
    first: np.ndarray  # (64, 64) int32, prediction from list 0 at 14 bits
    second: np.ndarray  # the same from list 1


def make_inter_scratch():
    """Fresh working memory."""
    return InterScratch(np.zeros(TMP_SIZE, np.int32), np.zeros((64, 64), np.int32), np.zeros((64, 64), np.int32))


@kernel(inline=True)
def _vector(motion, unit, side):
    """The motion vector of a unit in one list."""
    return Vector(np.int64(motion.mv[unit.y, unit.x, side, 0]), np.int64(motion.mv[unit.y, unit.x, side, 1]))


@kernel
def _predict_half(plane, c_idx, mv, area, dst, tmp, bit_depth):
    """The prediction from one list at 14 bits, into the top-left corner of dst."""
    if c_idx == 0:
        predict_luma_14bit(plane, mv, area, dst, Place(0, 0), tmp, bit_depth)
    else:
        predict_chroma_14bit(plane, mv, area, dst, Place(0, 0), tmp, bit_depth)


@kernel(unit=True)
def compensate(refs, c_idx, motion, unit, area, dst, at, scratch):
    """Prediction of a block of one component with the motion of one unit.

    Parameters
    ----------
    refs : References
    c_idx : int, 0 luma, 1 Cb, 2 Cr
    motion : Motion
    unit : Place of the unit of 4x4 luma samples whose motion is used; at least one of its lists is
    area : Area, the block in the picture, in samples of the component; luma w, h <= 64
    dst : uint16, at : Place: dst[at.y + j, at.x + i] is written
    scratch : InterScratch
    """
    planes = refs.y if c_idx == 0 else refs.u if c_idx == 1 else refs.v
    k0, k1 = np.int64(motion.ref_idx[unit.y, unit.x, 0]), np.int64(motion.ref_idx[unit.y, unit.x, 1])
    tmp, depth = scratch.tmp, refs.bit_depth
    if k0 >= 0 and k1 >= 0:
        first, second = planes[refs.slot_of[0, k0]], planes[refs.slot_of[1, k1]]
        _predict_half(first, c_idx, _vector(motion, unit, 0), area, scratch.first, tmp, depth)
        _predict_half(second, c_idx, _vector(motion, unit, 1), area, scratch.second, tmp, depth)
        average_bi(scratch.first, scratch.second, Area(0, 0, area.w, area.h), dst, at, depth)
        return
    side = 0 if k0 >= 0 else 1
    plane = planes[refs.slot_of[side, max(k0, k1)]]
    if c_idx == 0:
        predict_luma_uni(plane, _vector(motion, unit, side), area, dst, at, tmp, depth)
    else:
        predict_chroma_uni(plane, _vector(motion, unit, side), area, dst, at, tmp, depth)
