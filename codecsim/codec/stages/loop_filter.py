"""Normative.  The in-loop filter of one picture: what it makes of the samples, where that is chosen, and its use."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from codecsim.codec.block_choices import take_filtered
from codecsim.codec.picture_store import PictureStore
from codecsim.codec.reports import PictureReport
from codecsim.codec.stages.stage import Opening, Stage
from codecsim.entropy.cabac import Coder
from codecsim.picture.blocks import CHOICE_EVERYWHERE, CHOICE_NOWHERE, CHOICE_PER_BLOCK
from codecsim.picture.planes import PAD_C, PAD_Y, Planes
from codecsim.syntax.headers import Sps
from codecsim.syntax.loop_choice import SIZES_LOG2, code_loop_choice, make_loop_choice
from codecsim.tools import LOOP


class LoopFiltering(Stage):
    """The filter itself has no state from picture to picture.

    Parameters
    ----------
    sps : Sps
    loop_filter : learned.loop.LoopFilter, or what has its `run`

    Attributes
    ----------
    on : bool, whether the picture may choose it
    choice : LoopChoice, read from the slice data or written by the encoder's search
    filtered : Planes that it made of the picture, None if it has not run
    """

    name = "loop_filter"

    def __init__(self, sps: Sps, loop_filter: Any) -> None:
        super().__init__()
        self._size, self._filter = (sps.height, sps.width), loop_filter
        self.choice = make_loop_choice(*self._size)
        self.on = False
        self.filtered: Planes | None = None

    def begin(self, picture: PictureStore, opening: Opening) -> Mapping[str, int]:
        """Nothing is chosen."""
        self.on, self.filtered = opening.tools & LOOP.bit > 0, None
        self.choice.where[:] = CHOICE_NOWHERE
        return {}

    def code_choice(self, mode: int, coder: Coder) -> None:
        """Write or read the choice, where the picture has one."""
        if self.on:
            code_loop_choice(mode, coder, self.choice, *self._size)

    def filter(self, picture: PictureStore) -> Planes:
        """What the filter makes of the whole picture, as sample adaptive offset leaves it."""
        given = picture.slice
        self.filtered = self._filter.run(picture.picture.planes, given.qp, given.syntax.slice_type)
        return self.filtered

    def apply(self, picture: PictureStore) -> None:
        """Take filtered samples where they are chosen; the filter runs if that is needed and not done."""
        if not self.ran:
            return
        made = self.filtered or self.filter(picture)
        log2 = SIZES_LOG2[self.choice.size[0]]
        pads, scales = (PAD_Y, PAD_C, PAD_C), (log2, log2 - 1, log2 - 1)
        for c, (filtered, plane) in enumerate(zip(made, picture.picture.planes, strict=True)):
            if self.choice.where[c] != CHOICE_NOWHERE:
                where = int(self.choice.where[c])
                take_filtered(filtered, where, self.choice.flags[c], scales[c], pads[c], plane)

    @property
    def ran(self) -> bool:
        """Whether any component takes what the filter makes, so that the decoder runs it."""
        return self.on and bool((self.choice.where != CHOICE_NOWHERE).any())

    @property
    def share(self) -> float:
        """Share of the luma blocks that the filter made."""
        if self.choice.where[0] != CHOICE_PER_BLOCK:
            return float(self.choice.where[0] == CHOICE_EVERYWHERE)
        log2, (height, width) = SIZES_LOG2[self.choice.size[0]], self._size
        return float(np.mean(self.choice.flags[0][: (height - 1 >> log2) + 1, : (width - 1 >> log2) + 1]))

    def report(self, picture: PictureStore, report: PictureReport) -> None:
        """How much of luma it made."""
        if self.on:
            report.loop_share, report.loop_ran = self.share, self.ran

    def inspect(self, picture: PictureStore) -> Mapping[str, Any]:
        """Where it is chosen."""
        return {"loop": self.choice if self.on else None}
