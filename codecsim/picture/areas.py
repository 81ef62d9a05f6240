"""Places in a picture, as small tuples that kernels pass as one argument.

Their numbers are int64: what is loaded from an array of another type is wrapped in np.int64 first.
"""

from typing import NamedTuple


class Place(NamedTuple):
    """An entry of a plane or of an array of units, or where a block begins there."""

    y: int
    x: int


class Vector(NamedTuple):
    """A motion vector, in quarter luma samples unless said otherwise."""

    x: int
    y: int


class Area(NamedTuple):
    """w x h samples from (x, y) on: luma unless said otherwise."""

    x: int
    y: int
    w: int
    h: int


class Square(NamedTuple):
    """1 << log2 luma samples a side from 4x4 unit (uy, ux) on: a coding unit, or a node of a quadtree."""

    uy: int
    ux: int
    log2: int


class TransformBlock(NamedTuple):
    """1 << log2 samples a side of one component, from its sample (y, x) on."""

    y: int
    x: int
    log2: int
    c_idx: int  # 0 Y, 1 Cb, 2 Cr
