"""The encoder's choice of overlapped motion compensation."""

import numpy as np

from codecsim.codec.picture_store import PictureStore
from codecsim.codec.stages.compensation import Compensation
from codecsim.entropy.contexts import OBMC_CHOICE
from codecsim.picture.planes import Planes
from codecsim.search.aim import Aim
from codecsim.search.alternatives import choose_where


def choose_overlap(picture: PictureStore, stage: Compensation, aim: Aim) -> None:
    """Choose overlap per 32x32, where the picture may have it, and update its decisions."""
    if stage.on:
        others = Planes(*(stage.overlapped(picture, component)[np.newaxis] for component in range(3)))
        choose_where(picture, aim.state, others, aim.state.value.rc.blocks.overlap, OBMC_CHOICE)
