"""Normative.  Not in H.265: where a picture takes what the in-loop filter makes, coded before its first CTU."""

from typing import NamedTuple

import numpy as np

from codecsim.entropy import contexts as C
from codecsim.entropy import elements as E
from codecsim.entropy.cabac import DECODE, PART_LEARNED, code_bin, code_bypass
from codecsim.entropy.trace import named
from codecsim.kernels.jit import kernel
from codecsim.picture.blocks import CHOICE_EVERYWHERE, CHOICE_NOWHERE, CHOICE_PER_BLOCK

SIZES_LOG2 = (5, 6, 7)  # of the blocks that have flags: 32, 64 or 128 luma samples a side


class LoopChoice(NamedTuple):
    """Where the in-loop filter holds in a picture, by component."""

    size: np.ndarray  # (1,) uint8, index into SIZES_LOG2
    where: np.ndarray  # (3,) uint8 CHOICE_*
    flags: np.ndarray  # (3, H32, W32) uint8: of block (y, x) at the size of the picture, in luma samples


def make_loop_choice(height, width):
    """Choice of nowhere for a picture of coded luma size `height` x `width`."""
    smallest = 1 << SIZES_LOG2[0]
    flags = np.zeros((3, -(-height // smallest), -(-width // smallest)), np.uint8)
    return LoopChoice(np.zeros(1, np.uint8), np.zeros(3, np.uint8), flags)


@kernel
def code_loop_choice(mode, cd, choice, height, width):
    """The whole choice of a picture.

    Parameters
    ----------
    choice : LoopChoice
    height, width : int, coded luma size
    """
    cd.reg.part = PART_LEARNED
    blockwise = 0
    for c in range(3):
        context = C.LOOP_CHOICE + (C.LOOP_CONTEXTS if c > 0 else 0)
        where = np.int64(choice.where[c])
        if code_bin(mode, cd, context, 1 if where == CHOICE_PER_BLOCK else 0):
            where, blockwise = CHOICE_PER_BLOCK, 1
        elif code_bin(mode, cd, context + 1, 1 if where == CHOICE_EVERYWHERE else 0):
            where = CHOICE_EVERYWHERE
        else:
            where = CHOICE_NOWHERE
        named(cd, E.LOOP_FILTER_WHERE, where)
        if mode == DECODE:
            choice.where[c] = where
    if not blockwise:
        return
    size = np.int64(choice.size[0])
    if code_bypass(mode, cd, 1, 1 if size > 0 else 0):  # noqa: SIM108 - one bin after the other
        size = 1 + code_bypass(mode, cd, 1, 1 if size > 1 else 0)
    else:
        size = 0
    named(cd, E.LOOP_FILTER_SIZE, size)
    if mode == DECODE:
        choice.size[0] = size
    log2 = SIZES_LOG2[0] + size
    for c in range(3):
        if choice.where[c] == CHOICE_PER_BLOCK:
            _code_flags(mode, cd, choice.flags[c], c, ((height - 1) >> log2) + 1, ((width - 1) >> log2) + 1)


@kernel
def _code_flags(mode, cd, flags, c, rows, columns):
    """The flags of a component, by those of the blocks to the left and above."""
    context = C.LOOP_CHOICE + (C.LOOP_CONTEXTS if c > 0 else 0) + C.CHOICE_TAKEN
    for y in range(rows):
        for x in range(columns):
            inc = (1 if x > 0 and flags[y, x - 1] else 0) + (1 if y > 0 and flags[y - 1, x] else 0)
            flag = named(cd, E.LOOP_FILTER_FLAG, code_bin(mode, cd, context + inc, np.int64(flags[y, x])))
            if mode == DECODE:
                flags[y, x] = flag
