"""Normative. The learned filters of inter prediction, luma and chroma: what they make, and where it is taken."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from codecsim.codec.block_choices import apply_choice, mark_coded, mark_residuals
from codecsim.codec.picture_store import PictureStore
from codecsim.codec.reports import PictureReport
from codecsim.codec.stages.compensation import Compensation
from codecsim.codec.stages.stage import Opening, Samples, Stage
from codecsim.kernels.binding import bind
from codecsim.learned.inter.auxiliary import Further, predict_further, stack_reference_motion
from codecsim.learned.inter.chroma_filter import ChromaFilter
from codecsim.learned.inter.inputs import CODED
from codecsim.learned.inter.size_classes import block_areas
from codecsim.learned.learner import Learner, LearnerGroup, LearnerInputs, LearnReport
from codecsim.picture.blocks import CBF_CB, CBF_CR, CBF_Y, MODE_INTER, choose_nowhere
from codecsim.picture.planes import Planes
from codecsim.syntax.headers import Sps
from codecsim.tools import INTER_CHROMA, INTER_LUMA

FURTHER = ("further_1", "further_2", "further_3")  # predictions from the first, second, third other reference picture


class InterFiltering(Stage):
    """Filters the prediction of the whole picture; 32x32 blocks choose which of the results they take.

    Parameters
    ----------
    compensation : Compensation of the same list, before this stage
    luma : Learner, which finds in LearnerInputs.aux what it needs of `overlapped`, `further_1` to `further_3` and
        `areas`, of size_classes.block_areas
    chroma : ChromaFilter, or None

    Attributes
    ----------
    on : bool, whether the filters run in the picture
    chroma_used : bool, whether blocks take filtered chroma with filtered luma
    filtered : Planes of (experts, H, W), of no chroma where that stays as it is; None until the filters have run
    chroma_alternative : U and V as the chroma filter made them, whether used or not; nothing where it did not run
    lessons : of each learner, when they have run
    reports : LearnReport of each, when they have learnt
    """

    name = "inter_filter"
    predicts = True

    def __init__(self, sps: Sps, compensation: Compensation, luma: Learner, chroma: ChromaFilter | None = None) -> None:
        super().__init__()
        self.luma, self.chroma, self._compensation = luma, chroma, compensation
        self.learners = (luma,) if chroma is None else (luma, chroma)
        self.group = LearnerGroup(self.learners)
        self.takes_orders = luma.takes_orders
        self._further = {name: np.zeros((sps.height, sps.width), np.uint16) for name in FURTHER if name in luma.needs}
        self._aux: dict[str, np.ndarray] = {}
        self.on, self.chroma_used = False, False
        self._forget()

    def _forget(self) -> None:
        self.filtered: Planes | None = None
        self.chroma_alternative: tuple[np.ndarray, ...] = ()
        self.lessons: tuple[Any, ...] = ()
        self.reports: tuple[LearnReport, ...] = ()

    def begin(self, picture: PictureStore, opening: Opening) -> Mapping[str, int]:
        """Nothing is chosen."""
        choose_nowhere(picture.blocks.filtering)
        self._forget()
        self.on, self.order = opening.tools & INTER_LUMA.bit > 0, opening.order
        self.chroma_used = self.on and opening.tools & INTER_CHROMA.bit > 0
        return {"experts": len(self.luma.names) if self.on else 0}

    def prepare(self, picture: PictureStore) -> None:
        """Make what the filter of luma takes beside the prediction."""
        self._forget()
        if not self.on:
            return
        self._aux = {}
        if "overlapped" in self.luma.needs:
            self._aux["overlapped"] = self._compensation.overlapped(picture, 0)
        if "areas" in self.luma.needs:
            self._aux["areas"] = block_areas(picture.blocks)
        if self._further:
            context, refs = picture.motion_context.value, bind(picture.rc.value.refs)
            mv, target = stack_reference_motion(picture.places)
            further = bind(Further(mv, target, context.ref_poc, context.num_ref, context.cur_poc))
            for name, plane in self._further.items():
                rank = FURTHER.index(name)
                predict_further(picture.bound_motion, refs, further, rank, plane, picture.bound_inter_scratch)
            self._aux |= self._further

    @property
    def has_lesson(self) -> bool:
        """Whether the learners wait for an order."""
        return self.takes_orders and self.group.has_lesson

    def inputs(self, picture: PictureStore) -> LearnerInputs:
        """What the filter of luma takes, after `prepare`."""
        motion, depth = picture.picture.motion, picture.sps.bit_depth
        return LearnerInputs(picture.pred.y, self._aux, picture.slice.qp, depth, picture.blocks, motion)

    def _chroma_inputs(self, picture: PictureStore, filtered_luma: np.ndarray) -> list[LearnerInputs]:
        """What the filters of U and V take: LearnerInputs that share what is made once."""
        needs = self.chroma.needs if self.chroma is not None else ()
        luma = replace(self.inputs(picture), aux={"luma": picture.pred.y, "filtered_luma": filtered_luma})
        found = []
        for component in (1, 2):
            aux = dict(luma.aux)
            if "overlapped" in needs:
                aux["overlapped"] = self._compensation.overlapped(picture, component)
            found.append(replace(luma, prediction=picture.pred[component], aux=aux))
        return found

    def filter(self, picture: PictureStore) -> Planes:
        """Let the learners obey the picture's order, then filter the prediction; returns `filtered`."""
        self.group.obey(self.order)
        planes, lesson = self.luma.predict(self.inputs(picture))
        luma, self.lessons = np.stack(planes), (lesson,)
        if self.chroma is not None:
            self.chroma_alternative, lesson = self.chroma.predict(self._chroma_inputs(picture, luma[-1]))
            self.lessons += (lesson,)
        self.filtered = Planes(luma, *picture.pred[1:])
        return self.use_chroma(picture, self.chroma_used)

    def use_chroma(self, picture: PictureStore, used: bool) -> Planes:
        """Say, after `filter`, whether blocks take filtered chroma with any of the luma experts; returns `filtered`."""
        luma = self.filtered.y if self.filtered is not None else np.zeros((0, 0, 0), np.uint16)
        planes, count = (self.chroma_alternative, len(luma)) if used else (picture.pred[1:], 0)
        self.chroma_used = used
        self.filtered = Planes(luma, *(np.repeat(plane[np.newaxis], count, 0) for plane in planes))
        return self.filtered

    def apply(self, picture: PictureStore) -> None:
        """Take what the filters make where it is chosen; they run if they have not yet."""
        if not self.on:
            return
        for others, pred in zip(self.filtered or self.filter(picture), picture.pred, strict=True):
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

    def apply(self, picture: PictureStore) -> None:
        """Let the filters learn if they have run."""
        stage, coded = self._filtering, self._coded
        if not stage.lessons:
            return
        planes, inter = picture.picture.inner(), picture.blocks.pred_mode >= MODE_INTER
        mark_coded(picture.bound_blocks, coded)
        if self.oracle is not None:
            planes, coded[:] = self.oracle, CODED * inter
        stage.reports = (stage.luma.learn(stage.lessons[0], planes.y, coded),)
        if stage.chroma is None:
            return
        mark_residuals(picture.bound_blocks, coded)
        if self.oracle is not None:
            coded[:] = np.where(inter, CBF_Y | CBF_CB | CBF_CR, 0)
        stage.reports += (stage.chroma.learn(stage.lessons[1], planes[1:], coded),)

    @property
    def has_learnt(self) -> bool:
        """Whether the filters have run and learnt."""
        return bool(self._filtering.reports)

    def inspect(self, picture: PictureStore) -> Mapping[str, Any]:
        """What the net that learns missed the reconstruction by."""
        lessons = self._filtering.lessons
        online = lessons[0].output("online") if lessons else None
        if online is None:
            return {"losses": None}
        mark_coded(picture.bound_blocks, self._coded)
        return {"losses": unit_losses(online, picture.picture.inner().y, self._coded)}


def unit_losses(filtered: np.ndarray, recon: np.ndarray, coded: np.ndarray) -> np.ndarray:
    """The learner's loss by unit: (H4, W4) int64, sum of absolute errors of the filtered prediction where it teaches.

    Parameters
    ----------
    filtered, recon : (h, w) uint16, what the net made of the prediction; the picture before in-loop filters
    coded : (H4, W4) uint8, learned.inter.inputs.CODED in the units that count
    """
    error = np.abs(filtered.astype(np.int32) - recon)
    h4, w4 = coded.shape
    return np.where(coded == CODED, error.reshape(h4, 4, w4, 4).sum((1, 3), dtype=np.int64), 0)
