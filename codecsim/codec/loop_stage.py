"""Normative.  The in-loop filter of one picture: what it makes of the samples, where that is chosen, and its use."""

import numpy as np

from codecsim.codec.block_choices import take_filtered
from codecsim.picture.blocks import CHOICE_EVERYWHERE, CHOICE_NOWHERE, CHOICE_PER_BLOCK
from codecsim.picture.planes import PAD_C, PAD_Y
from codecsim.syntax.loop_choice import SIZES_LOG2, code_loop_choice, make_loop_choice


class LoopStage:
    """State of the picture; the filter itself has none.

    Parameters
    ----------
    sps : Sps
    loop_filter : learned.loop_filter.LoopFilter or None

    Attributes
    ----------
    on : bool, whether the picture may choose it
    choice : LoopChoice, read from the slice data or written by the encoder's search
    filtered : Planes that it made of the picture, None if it has not run
    """

    def __init__(self, sps, loop_filter):
        self._size, self._filter = (sps.height, sps.width), loop_filter
        self.choice = make_loop_choice(*self._size)
        self.begin(False)

    def begin(self, on):
        """Begin a picture that uses it nowhere."""
        self.on, self.filtered = on, None
        self.choice.where[:] = CHOICE_NOWHERE

    def code_choice(self, mode, coder):
        """Read or write the choice, where the picture has one."""
        if self.on:
            code_loop_choice(mode, coder, self.choice, *self._size)

    def run(self, planes, slice_tools):
        """Filter the whole picture.

        Parameters
        ----------
        planes : Planes with padding, as sample adaptive offset leaves them
        slice_tools : SliceTools
        """
        self.filtered = self._filter.run(planes, slice_tools.qp, slice_tools.syntax.slice_type)

    def apply(self, planes, slice_tools):
        """Take filtered samples where they are chosen; filters the picture if that is needed and not done."""
        if not self.ran:
            return
        if self.filtered is None:
            self.run(planes, slice_tools)
        log2 = SIZES_LOG2[self.choice.size[0]]
        pads, scales = (PAD_Y, PAD_C, PAD_C), (log2, log2 - 1, log2 - 1)
        for c, (filtered, plane) in enumerate(zip(self.filtered, planes, strict=True)):
            if self.choice.where[c] != CHOICE_NOWHERE:
                where = int(self.choice.where[c])
                take_filtered(filtered, where, self.choice.flags[c], scales[c], pads[c], plane)

    @property
    def ran(self):
        """Whether any component takes what the filter makes, so that the decoder runs it; None where it is off."""
        return bool((self.choice.where != CHOICE_NOWHERE).any()) if self.on else None

    @property
    def share(self):
        """Share of the luma blocks that the filter made, None where it is off."""
        if not self.on:
            return None
        if self.choice.where[0] != CHOICE_PER_BLOCK:
            return float(self.choice.where[0] == CHOICE_EVERYWHERE)
        log2, (height, width) = SIZES_LOG2[self.choice.size[0]], self._size
        return float(np.mean(self.choice.flags[0][: (height - 1 >> log2) + 1, : (width - 1 >> log2) + 1]))
