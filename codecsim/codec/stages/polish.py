"""Normative.  The stage of the example in tools/polish.py."""

from typing import Any

import numpy as np

from codecsim.codec.picture_store import PictureStore
from codecsim.codec.stages.stage import Stage
from codecsim.picture.planes import PAD_C, PAD_Y


class Polish(Stage):
    """Moves each sample by a share of what the network would correct.

    Parameters
    ----------
    network : learned.loop.LoopFilter
    strength_q2 : int, the share in quarters
    """

    name = "polish"

    def __init__(self, network: Any, strength_q2: int) -> None:
        super().__init__()
        self._network, self._strength = network, strength_q2

    def apply(self, picture: PictureStore) -> None:
        """Correct all planes; a sample stays between what it was and what the network makes of it."""
        planes, given = picture.picture.planes, picture.slice
        made = self._network.run(planes, given.qp, given.syntax.slice_type)
        for plane, corrected, pad in zip(planes, made, (PAD_Y, PAD_C, PAD_C), strict=True):
            inner = plane[pad:-pad, pad:-pad]
            inner += ((corrected.astype(np.int32) - inner) * self._strength >> 2).astype(np.uint16)
