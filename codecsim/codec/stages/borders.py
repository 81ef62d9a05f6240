"""Normative. The last stage: the picture becomes one that others can refer to."""

from collections.abc import Iterable

from codecsim.codec.picture_store import PictureStore
from codecsim.codec.stages.stage import Samples, Stage


class Borders(Stage):
    """There is nothing to choose."""

    name = "borders"

    def apply(self, picture: PictureStore) -> None:
        """Extend the picture's borders."""
        picture.picture.pad()

    def samples(self, picture: PictureStore) -> Iterable[Samples]:
        """The decoded picture."""
        return [("picture_samples", picture.picture.inner())]
