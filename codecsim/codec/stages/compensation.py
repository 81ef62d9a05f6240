"""Normative. Motion compensation, and overlapped prediction in the 32x32 blocks that choose it."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from codecsim.codec.block_choices import apply_choice
from codecsim.codec.picture_store import PictureStore
from codecsim.codec.recon import predict_inter
from codecsim.codec.reports import PictureReport
from codecsim.codec.stages.stage import Opening, Samples, Stage
from codecsim.hevc.obmc import make_overlap_scratch, predict_overlapped
from codecsim.kernels.binding import bind
from codecsim.picture.blocks import choose_nowhere
from codecsim.picture.planes import Planes
from codecsim.syntax.headers import Sps
from codecsim.tools import OVERLAP


class Compensation(Stage):
    """Predicts inter blocks from the reference pictures.

    Attributes
    ----------
    on : bool, whether blocks may choose overlapped prediction
    plain : Planes, the prediction without overlap; it stands until the next `prepare`
    """

    name = "compensation"
    predicts = True

    def __init__(self, sps: Sps) -> None:
        super().__init__()
        height, width = sps.height, sps.width
        shapes = (height, width), (height // 2, width // 2), (height // 2, width // 2)
        self.on = False
        self.plain = Planes(*(np.zeros(shape, np.uint16) for shape in shapes))
        self._overlapped = Planes(*(np.zeros(shape, np.uint16) for shape in shapes))
        self._is_everywhere = [False] * 3  # by component: whether all of `_overlapped` is of this picture
        self._scratch = bind(make_overlap_scratch())

    def begin(self, picture: PictureStore, opening: Opening) -> Mapping[str, int]:
        """Nothing is chosen."""
        choose_nowhere(picture.blocks.overlap)
        self.on = opening.tools & OVERLAP.bit > 0
        return {"obmc_on": int(self.on)}

    def prepare(self, picture: PictureStore) -> None:
        """Motion compensation of all blocks."""
        self._is_everywhere = [False] * 3
        if picture.is_inter:
            predict_inter(picture.rc)
            for plain, pred in zip(self.plain, picture.pred, strict=True):
                np.copyto(plain, pred)

    def overlapped(self, picture: PictureStore, component: int) -> np.ndarray:
        """Overlapped prediction of a component everywhere, after `prepare`; it stands until the next one."""
        if not self._is_everywhere[component]:
            self._overlap(picture, component, np.ones_like(picture.blocks.overlap.taken))
            self._is_everywhere[component] = True
        return self._overlapped[component]

    def _overlap(self, picture: PictureStore, component: int, where: np.ndarray) -> None:
        """Overlapped prediction in the 32x32 blocks where (H32, W32) uint8 is not zero."""
        predict_overlapped(
            picture.bound_motion,
            bind(picture.rc.value.refs),
            component,
            where,
            self.plain[component],
            self._overlapped[component],
            picture.bound_inter_scratch,
            self._scratch,
        )

    def apply(self, picture: PictureStore) -> None:
        """Put overlapped prediction where it is chosen."""
        if not self.on:
            return
        taken = picture.blocks.overlap.taken
        for component, pred in enumerate(picture.pred):
            if not self._is_everywhere[component]:
                self._overlap(picture, component, taken)
            apply_choice(picture.bound_blocks, taken, self._overlapped[component][np.newaxis], pred)

    def report(self, picture: PictureStore, report: PictureReport) -> None:
        """Share of the blocks that use overlap."""
        if self.on:
            report.overlapped_share = float(np.mean(picture.blocks.overlap.taken))

    def inspect(self, picture: PictureStore) -> Mapping[str, Any]:
        """The prediction before the learned filters."""
        return {"prediction": picture.pred, "overlap_used": self.on}

    def samples(self, picture: PictureStore) -> Iterable[Samples]:
        """The prediction before the learned filters."""
        return [("predicted_samples", picture.pred)] if picture.is_inter else []
