"""Normative. The block store: every decision about a picture, per 4x4 luma unit, for syntax and reconstruction.

The parser fills a store, the encoder's search fills one too, and the syntax writer, reconstruction, deblocking and the
learner's coded-block mask all read the same arrays.
"""

from typing import NamedTuple

import numpy as np

from codecsim.kernels.jit import kernel

CTU_LOG2 = 6
CTU_SIZE = 64
CTU_UNITS = 256  # 4x4 units of a CTU
MIN_CU_LOG2 = 3
MAX_TU_LOG2 = 5

MODE_NONE, MODE_INTRA, MODE_INTER, MODE_SKIP = 0, 1, 2, 3
PART_2Nx2N, PART_2NxN, PART_Nx2N, PART_NxN = 0, 1, 2, 3
PART_2NxnU, PART_2NxnD, PART_nLx2N, PART_nRx2N = 4, 5, 6, 7
CBF_Y, CBF_CB, CBF_CR = 1, 2, 4
TSKIP_Y, TSKIP_CB, TSKIP_CR = 8, 16, 32  # of a component whose CBF_* is set
TSKIP_SHIFT = 3  # from CBF_* to TSKIP_*
CHROMA_DM = 4
CHOICE_LOG2 = 5  # overlapped motion compensation and the prediction filter are chosen per 32x32
CHOICE_NOWHERE, CHOICE_EVERYWHERE, CHOICE_PER_BLOCK = 0, 1, 2  # of a picture
MAX_ALTERNATIVES = 4  # that a choice may have


class Choice(NamedTuple):
    """Where in a picture inter prediction is replaced by one of the alternatives, numbered from 1."""

    where: np.ndarray  # (1,) uint8 CHOICE_* of the picture
    taken: np.ndarray  # (H32, W32) uint8, 0 where it stays, else the alternative; all alike with CHOICE_EVERYWHERE


class Blocks(NamedTuple):
    """Decisions per 4x4 luma unit; arrays (H4, W4) uint8 unless said otherwise."""

    cu_log2: np.ndarray  # log2 of the CU size, 3..6
    pred_mode: np.ndarray  # MODE_*
    part_mode: np.ndarray  # PART_*
    tu_log2: np.ndarray  # log2 of the luma transform size, 2..5
    cbf: np.ndarray  # CBF_* and TSKIP_* bits; the chroma of four 4x4 luma blocks of an 8x8 is stored in all four
    intra_luma: np.ndarray  # 0..34; DC where not intra
    intra_chroma: np.ndarray  # intra_chroma_pred_mode, 4 = as luma
    intra_filter: np.ndarray  # 1 where the intra prediction filter is on; of intra coding units
    merge: np.ndarray  # 0 = not merged, else merge_idx + 1; all units of the prediction unit
    mvp_idx: np.ndarray  # (H4, W4, 2) mvp_l0_flag, mvp_l1_flag
    mvd: np.ndarray  # (H4, W4, 2, 2) int16 motion vector difference [list, (x, y)], at the top-left unit of the PU
    qp: np.ndarray  # int8 luma QP
    filtering: Choice  # of the prediction filter
    overlap: Choice  # of overlapped motion compensation


class Levels(NamedTuple):
    """Quantised transform coefficients of a picture: int16 planes of coded size, zero where nothing is coded."""

    y: np.ndarray
    u: np.ndarray
    v: np.ndarray


def make_blocks(height, width):
    """Empty store for a picture of coded luma size `height` x `width` (multiples of 8)."""
    h4, w4 = height // 4, width // 4
    u8 = [np.zeros((h4, w4), np.uint8) for _ in range(9)]
    return Blocks(
        *u8,
        mvp_idx=np.zeros((h4, w4, 2), np.uint8),
        mvd=np.zeros((h4, w4, 2, 2), np.int16),
        qp=np.zeros((h4, w4), np.int8),
        filtering=make_choice(height, width),
        overlap=make_choice(height, width),
    )


def make_choice(height, width, versions=()):
    """Choice of nowhere for a picture of coded luma size `height` x `width`; `versions`: leading dimensions."""
    size = 1 << CHOICE_LOG2
    of_blocks = -(-height // size), -(-width // size)
    return Choice(np.zeros((*versions, 1), np.uint8), np.zeros((*versions, *of_blocks), np.uint8))


def choose_nowhere(choice):
    """Set a Choice to nowhere."""
    choice.where[:], choice.taken[:] = CHOICE_NOWHERE, 0


def make_levels(height, width):
    """All-zero coefficient planes for a picture of coded luma size `height` x `width`."""
    half = (height // 2, width // 2)
    return Levels(np.zeros((height, width), np.int16), np.zeros(half, np.int16), np.zeros(half, np.int16))


@kernel
def fill_units(array, uy, ux, size, value):
    """Set the `size` x `size` units from (uy, ux) of the (H4, W4) `array`."""
    for j in range(uy, uy + size):
        for i in range(ux, ux + size):
            array[j, i] = value


@kernel(inline=True)
def z_to_xy(z):
    """Unit offset (x, y), each 0..15, of z-scan index `z` inside a CTU (6.5.2)."""
    x = (z & 1) | (z >> 1 & 2) | (z >> 2 & 4) | (z >> 3 & 8)
    y = (z >> 1 & 1) | (z >> 2 & 2) | (z >> 3 & 4) | (z >> 4 & 8)
    return x, y


@kernel(inline=True)
def chroma_mode(syntax, luma_mode):
    """Intra chroma prediction mode from intra_chroma_pred_mode and the luma mode (8.4.3)."""
    if syntax == CHROMA_DM:
        return luma_mode
    mode = 0 if syntax == 0 else 26 if syntax == 1 else 10 if syntax == 2 else 1
    return 34 if mode == luma_mode else mode
