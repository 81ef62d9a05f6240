"""What the encoder's choices in the stages of a picture aim at."""

from typing import Any, NamedTuple

from codecsim.picture.planes import Planes


class Aim(NamedTuple):
    """For one picture, or one search of it."""

    orig: Planes  # unpadded source at coded size
    lam: float  # squared error per bit
    state: Any  # bound Search, as PictureSearch.run left it, with the source
