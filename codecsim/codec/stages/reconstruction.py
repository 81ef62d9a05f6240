"""Normative. Reconstruction: intra prediction, with its learned filter, and the residual."""

from collections.abc import Iterable, Mapping
from typing import Any

from codecsim.codec.block_choices import intra_filter_shares
from codecsim.codec.intra_rows import IntraTraining, reconstruct_and_learn, rows_of
from codecsim.codec.picture_store import PictureStore
from codecsim.codec.recon import reconstruct
from codecsim.codec.reports import PictureReport
from codecsim.codec.stages.stage import Opening, Samples, Stage
from codecsim.learned.intra.filter import IntraFilter, unused_intra_net
from codecsim.learned.intra.learner import IntraLearner
from codecsim.tools import INTRA


class Reconstruction(Stage):
    """The first stage behind the prediction; intra coding units say whether they use the filter.

    Parameters
    ----------
    intra : IntraFilter, or None

    Attributes
    ----------
    on : bool, whether intra coding units may choose the filter
    learning : IntraLearner that learns from the picture, row by row, or None
    """

    name = "reconstruction"

    def __init__(self, intra: IntraFilter | None = None) -> None:
        super().__init__()
        self._intra, self._unused = intra, None if intra else unused_intra_net()
        self.learners = (intra.learner,) if intra and intra.learner else ()
        self.on = False
        self.learning: IntraLearner | None = None
        self.training: IntraTraining | None = None  # of the picture, if it has been learnt from

    def begin(self, picture: PictureStore, opening: Opening) -> Mapping[str, int]:
        """Nothing is chosen."""
        picture.blocks.intra_filter[:] = 0
        self.on, self.learning, self.training = False, None, None
        if self._intra is not None and opening.tools & INTRA.bit:
            self.on = self._intra.params.inter_pictures or not opening.is_inter
            self.learning = None if opening.is_inter else self._intra.learner
        return {"intra_filter_on": int(self.on)}

    def recon_fields(self, qp: int) -> Mapping[str, Any]:
        """The intra filter's net."""
        return {"intra": self._intra.net(qp) if self._intra else self._unused}

    def apply(self, picture: PictureStore) -> None:
        """Reconstruct all rows of coding tree units; where the intra filter learns, it does after each."""
        if self.learning is None:
            reconstruct(picture.rc, 0, rows_of(picture.rc))
        else:
            self.training = reconstruct_and_learn(picture.rc, self.learning)

    def report(self, picture: PictureStore, report: PictureReport) -> None:
        """Where the intra filter is used, and what it learnt."""
        if self.on:
            report.intra_filter_shares = intra_filter_shares(picture.blocks)
        if self.training is not None:
            report.intra_trained_steps, report.intra_trained_samples = self.training

    def inspect(self, picture: PictureStore) -> Mapping[str, Any]:
        """The whole prediction, and what the residual makes of it."""
        return {"filtered_prediction": picture.pred, "unfiltered": picture.picture.inner()}

    def samples(self, picture: PictureStore) -> Iterable[Samples]:
        """The picture so far."""
        return [("reconstructed_samples", picture.picture.inner())]
