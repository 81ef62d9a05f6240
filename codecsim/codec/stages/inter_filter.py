"""Normative. The learned filters of inter prediction, luma and chroma: what they make, and where it is taken."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from codecsim.codec.block_choices import apply_choice, mark_coded, mark_residuals
from codecsim.codec.picture_store import PictureStore
from codecsim.codec.reports import PictureReport
from codecsim.codec.stages.compensation import Compensation
from codecsim.codec.stages.stage import Opening, Samples, Stage
from codecsim.kernels.binding import bind
from codecsim.learned.inter.auxiliary import Further, predict_further, stack_reference_motion
from codecsim.learned.inter.blocks import prediction_blocks
from codecsim.learned.inter.inputs import CODED
from codecsim.learned.inter.size_classes import block_areas
from codecsim.picture.blocks import CBF_CB, CBF_CR, CBF_Y, MODE_INTER, choose_nowhere
from codecsim.picture.planes import PAD_C, PAD_Y, Planes
from codecsim.syntax.headers import Sps
from codecsim.tools import INTER_CHROMA, INTER_LUMA
from codecsim.tools.learner import BlockSize, Control, Expert


class InterFiltering(Stage):
    """Filters the prediction of the whole picture; 32x32 blocks choose which of the results they take.

    Parameters
    ----------
    compensation : Compensation of the same list, before this stage
    luma : learned.inter.PredictionFilter, or what has its interface
    chroma : learned.inter.ChromaFilter, or None

    Attributes
    ----------
    on : bool, whether the filters run in the picture
    chroma_used : bool, whether blocks take filtered chroma with filtered luma
    filtered : Planes of (experts, H, W), of no chroma where that stays as it is; None until the filters have run
    """

    name = "inter_filter"
    predicts = True

    def __init__(self, sps: Sps, compensation: Compensation, luma: Any, chroma: Any = None) -> None:
        super().__init__()
        self.luma, self.chroma, self._compensation = luma, chroma, compensation
        self.learners = (luma,) if chroma is None else (luma, chroma)
        self._further = [np.zeros((sps.height, sps.width), np.uint16) for _ in range(luma.params.further)]
        self._auxiliary: list[np.ndarray] = []
        self._chroma_overlapped: tuple[np.ndarray, ...] = ()
        self.on, self.chroma_used = False, False
        self.takes_orders = luma.params.control == Control.SIGNALLED
        self._forget()

    def _forget(self) -> None:
        self.filtered: Planes | None = None
        self._filtered_chroma: tuple[np.ndarray, ...] = ()
        self.reports: tuple[Any, ...] = ()  # LearnReport of each learner, when they have learnt

    def begin(self, picture: PictureStore, opening: Opening) -> Mapping[str, int]:
        """Nothing is chosen."""
        choose_nowhere(picture.blocks.filtering)
        self._forget()
        self.on, self.order = opening.tools & INTER_LUMA.bit > 0, opening.order
        self.chroma_used = self.on and opening.tools & INTER_CHROMA.bit > 0
        return {"experts": len(self.luma.names) if self.on else 0}

    def prepare(self, picture: PictureStore) -> None:
        """Make the further predictions that the filters take as inputs."""
        self._forget()
        if not self.on:
            return
        other, settings = self._compensation, self.luma.params
        if self.chroma is not None and self.chroma.params.overlapped:
            self._chroma_overlapped = tuple(other.overlapped(picture, component) for component in (1, 2))
        self._auxiliary = [other.overlapped(picture, 0)] if settings.overlapped else []
        if settings.further:
            context, refs = picture.motion_context.value, bind(picture.rc.value.refs)
            further = bind(
                Further(*stack_reference_motion(picture.places), context.ref_poc, context.num_ref, context.cur_poc)
            )
            for rank, plane in enumerate(self._further):
                predict_further(picture.bound_motion, refs, further, rank, plane, picture.bound_inter_scratch)
            self._auxiliary += self._further

    def inputs(self, picture: PictureStore) -> tuple[Any, ...]:
        """What the luma filter takes, after `prepare`: arguments of PredictionFilter.predict."""
        if self.luma.wants_blocks:
            blocks: Any = prediction_blocks(picture.blocks, picture.picture.motion)
        else:
            sizes_count = self.luma.params.block_size != BlockSize.SHARED
            blocks = block_areas(picture.blocks) if sizes_count else None
        return picture.pred.y, self._auxiliary, picture.slice.qp, blocks

    def filter(self, picture: PictureStore) -> None:
        """Let the learners obey the picture's order, then filter the prediction."""
        for learner in self.learners:
            learner.obey(self.order)
        luma = np.stack(self.luma.predict(*self.inputs(picture)))
        if self.chroma is not None:
            self._filtered_chroma = self.chroma.predict(
                picture.pred, self._chroma_overlapped or picture.pred[1:], luma[-1], picture.slice.qp
            )
        self.filtered = Planes(luma, *picture.pred[1:])
        self.use_chroma(picture, self.chroma_used)

    def use_chroma(self, picture: PictureStore, used: bool) -> None:
        """Say, after `filter`, whether blocks take filtered chroma with any of the luma experts."""
        self.chroma_used, luma = used, self.filtered.y
        planes, count = (self._filtered_chroma, len(luma)) if used else (picture.pred[1:], 0)
        self.filtered = Planes(luma, *(np.repeat(plane[np.newaxis], count, 0) for plane in planes))

    @property
    def chroma_alternative(self) -> tuple[np.ndarray, ...]:
        """U and V as the chroma filter made them, whether used or not; nothing where it did not run."""
        return self._filtered_chroma

    def apply(self, picture: PictureStore) -> None:
        """Take what the filters make where it is chosen; they run if they have not yet."""
        if not self.on:
            return
        if self.filtered is None:
            self.filter(picture)
        for others, pred in zip(self.filtered, picture.pred, strict=True):
            if len(others):
                apply_choice(picture.bound_blocks, picture.blocks.filtering.taken, others, pred)

    @property
    def unused_tools(self) -> int:
        """The chroma filter, where luma alone is taken."""
        return INTER_CHROMA.bit if self.chroma is not None and self.on and not self.chroma_used else 0

    def _shares(self, picture: PictureStore) -> dict[str, float]:
        """Share of the 32x32 blocks that take each expert, by its name."""
        taken = picture.blocks.filtering.taken
        return {name: float(np.mean(taken == k)) for k, name in enumerate(self.luma.names, 1)}

    def report(self, picture: PictureStore, report: PictureReport) -> None:
        """Where the filters' results are taken, and what they learnt."""
        if not self.reports:
            return
        luma, *chroma = self.reports
        report.expert_shares = self._shares(picture)
        report.filtered_share = sum(report.expert_shares.values())
        report.trained_steps, report.accumulated_loss, report.reset, report.fitted_samples = luma
        if chroma:
            report.chroma_used, report.chroma_trained_steps = self.chroma_used, chroma[0].trained_steps
        if self.takes_orders:
            report.learner_order = self.order.name.lower()

    def inspect(self, picture: PictureStore) -> Mapping[str, Any]:
        """Who has been chosen from."""
        return {"experts": self.luma.names if self.on else (), "chroma_filtered": self.chroma_used}

    def samples(self, picture: PictureStore) -> Iterable[Samples]:
        """What each expert made."""
        if self.filtered is not None:
            for name, plane in zip(self.luma.names, self.filtered.y, strict=True):
                yield f"filtered_samples_{name}", [plane]


class InterLearning(Stage):
    """The filters of inter prediction learn from the reconstruction before the in-loop filters.

    Attributes
    ----------
    oracle : Planes that they learn from instead, for research: no decoder has them; or None
    """

    name = "inter_learning"

    def __init__(self, sps: Sps, filtering: InterFiltering) -> None:
        super().__init__()
        self._filtering = filtering
        self._coded = np.zeros((sps.height // 4, sps.width // 4), np.uint8)
        self.oracle: Planes | None = None
        self._online: np.ndarray | None = None

    def apply(self, picture: PictureStore) -> None:
        """Let the filters learn if they have run."""
        stage, coded, self._online = self._filtering, self._coded, None
        if stage.filtered is None:
            return
        planes, inter = picture.picture.planes, picture.blocks.pred_mode >= MODE_INTER
        mark_coded(picture.bound_blocks, coded)
        luma = planes.y[PAD_Y:-PAD_Y, PAD_Y:-PAD_Y]
        self._online = stage.luma.output(Expert.ONLINE)
        if self.oracle is not None:
            luma, coded[:] = self.oracle.y, CODED * inter
        stage.reports = (stage.luma.learn(luma, coded, picture.slice.qp),)
        if stage.chroma is None:
            return
        mark_residuals(picture.bound_blocks, coded)
        chroma = [plane[PAD_C:-PAD_C, PAD_C:-PAD_C] for plane in planes[1:]]
        if self.oracle is not None:
            chroma, coded[:] = list(self.oracle[1:]), np.where(inter, CBF_Y | CBF_CB | CBF_CR, 0)
        stage.reports += (stage.chroma.learn(chroma, coded, picture.slice.qp),)

    @property
    def has_learnt(self) -> bool:
        """Whether the filters have run and learnt."""
        return bool(self._filtering.reports)

    def inspect(self, picture: PictureStore) -> Mapping[str, Any]:
        """What the net that learns missed the reconstruction by."""
        if self._online is None:
            return {"losses": None}
        mark_coded(picture.bound_blocks, self._coded)
        return {"losses": unit_losses(self._online, picture.picture.inner().y, self._coded)}


def unit_losses(filtered: np.ndarray, recon: np.ndarray, coded: np.ndarray) -> np.ndarray:
    """The learner's loss by unit: (H4, W4) int64, sum of absolute errors of the filtered prediction where it teaches.

    Parameters
    ----------
    filtered, recon : (h, w) uint16, what the net made of the prediction; the picture before in-loop filters
    coded : (H4, W4) uint8, learned.inputs.CODED in the units that count
    """
    error = np.abs(filtered.astype(np.int32) - recon)
    h4, w4 = coded.shape
    return np.where(coded == CODED, error.reshape(h4, 4, w4, 4).sum((1, 3), dtype=np.int64), 0)
