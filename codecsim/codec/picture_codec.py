"""Normative. One picture from its decisions to a reference: what encoder and decoder do alike.

A picture is a list of stages, see stages.stage.  `begin` binds all of them to a picture; between that and `predict` the
decoder parses and the encoder searches.  `predict` runs the stages of the prediction, `complete` the others.
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

from codecsim.codec.picture_store import PictureStore
from codecsim.codec.reports import PictureReport
from codecsim.codec.stages.borders import Borders
from codecsim.codec.stages.compensation import Compensation
from codecsim.codec.stages.deblocking import Deblocking
from codecsim.codec.stages.inter_filter import InterFiltering, InterLearning
from codecsim.codec.stages.loop_filter import LoopFiltering
from codecsim.codec.stages.reconstruction import Reconstruction
from codecsim.codec.stages.sample_offset import SampleOffset
from codecsim.codec.stages.stage import Opening, Stage
from codecsim.entropy.contexts import init_contexts
from codecsim.learned.learner import LearnerGroup
from codecsim.picture.dpb import CurrentPicture
from codecsim.syntax.headers import SLICE_I, Pps, SliceHeader, Sps
from codecsim.syntax.slice_data import code_slice_data
from codecsim.syntax.tool_switches import picture_switches
from codecsim.tools.learner import Order

Choose = Callable[[Stage], None]  # the encoder's choice in a stage that is prepared
AnyStage = TypeVar("AnyStage", bound=Stage)


def make_stages(sps: Sps, filters: Mapping[str, Any]) -> list[Stage]:
    """The stages of a sequence, in order; parameters as of PictureCodec."""
    inter_luma, inter_chroma, intra, loop = map(filters.get, ("inter_luma", "inter_chroma", "intra", "loop"))
    compensation = Compensation(sps)
    stages: list[Stage] = [compensation]
    learning: list[Stage] = []
    if inter_luma is not None:
        filtering = InterFiltering(sps, compensation, inter_luma, inter_chroma)
        stages.append(filtering)
        learning.append(InterLearning(sps, filtering))
    stages += [Reconstruction(intra), *learning, Deblocking(), SampleOffset()]
    if loop is not None:
        stages.append(LoopFiltering(sps, loop))
    return [*stages, Borders()]


class PictureCodec(PictureStore):
    """Codes the pictures of one sequence, one after the other.

    Parameters
    ----------
    sps : Sps
    filters : of the learned tools that are on, by name: see implementations.make_filters

    Attributes
    ----------
    stages : list of Stage
    observers : functions that are called with each stage just applied and this codec; they change nothing
    """

    def __init__(self, sps: Sps, filters: Mapping[str, Any] = MappingProxyType({})) -> None:
        super().__init__(sps)
        self.stages = make_stages(sps, filters)
        self._learners = LearnerGroup([learner for stage in self.stages for learner in stage.learners])
        self.observers: list[Callable[[Stage, PictureCodec], None]] = []

    def find(self, kind: type[AnyStage]) -> AnyStage | None:
        """The stage of a class, None where the sequence has none."""
        return next((stage for stage in self.stages if isinstance(stage, kind)), None)

    def stage(self, kind: type[AnyStage]) -> AnyStage:
        """The stage of a class, of those that every sequence has."""
        return next(stage for stage in self.stages if isinstance(stage, kind))

    def begin(
        self, current: CurrentPicture, header: SliceHeader, pps: Pps, tools: int, order: Order = Order.TRAIN
    ) -> None:
        """Bind to a picture.

        Parameters
        ----------
        tools : bits of the tools that the picture has beyond the standard
        order : to the learners
        """
        opening = Opening(header, header.slice_type != SLICE_I, tools, order)
        flags: dict[str, int] = {}
        fields: dict[str, Any] = {}
        for stage in self.stages:
            flags |= stage.begin(self, opening)
            fields |= stage.recon_fields(header.qp)
        self.bind_to(current, header, pps, flags, fields)

    def code_slice_data(self, mode: int, coder: Any, trace: Any = None) -> int:
        """Write or read the slice data between the picture's store and a bound coder; returns the CTUs done.

        trace : Tracer that takes what the coder has recorded, CTU by CTU
        """
        init_contexts(coder.value.ctx, self.slice.cabac_init_type, self.slice.qp)
        for stage in self.stages:
            stage.code_choice(mode, coder)
        store = self.bound_syntax, self.bound_blocks, self.bound_motion, self.bound_levels, self.bound_sao
        if trace is None:
            return code_slice_data(mode, coder, *store, (0, self.num_ctus))
        trace.take(coder.value.record, None)
        for address in range(self.num_ctus):
            done = code_slice_data(mode, coder, *store, (address, address + 1))
            trace.take(coder.value.record, address)
            if done <= address:
                return done
        return self.num_ctus

    def predict(self, choose: Choose | None = None) -> None:
        """Run the stages before the residual is added; an encoder may do so again, until `complete`.

        choose : the encoder's choice between `prepare` and `apply`; the decoder has read it
        """
        self._run((stage for stage in self.stages if stage.predicts), choose)

    def complete(self, choose: Choose | None = None) -> None:
        """Run the other stages: the picture is one that others can refer to; `choose` as for `predict`."""
        self._run((stage for stage in self.stages if not stage.predicts), choose)

    def _run(self, stages: Iterable[Stage], choose: Choose | None) -> None:
        for stage in stages:
            stage.prepare(self)
            if choose is not None:
                choose(stage)
            stage.apply(self)
            for observer in self.observers:
                observer(stage, self)

    def header_fields(self, tools: int) -> dict[str, Any]:
        """Fields of the picture's SliceHeader that follow from choices; `tools`: those that `begin` was given."""
        fields = {name: value for stage in self.stages for name, value in stage.header_fields.items()}
        unused = sum(stage.unused_tools for stage in self.stages)
        order = max(stage.order for stage in self.stages)
        return {"extension": picture_switches(tools, tools & ~unused, order), **fields}

    def report(self, report: PictureReport) -> None:
        """Let all stages say what they did in the picture, and what all that learns is after it."""
        for stage in self.stages:
            stage.report(self, report)
        if self.learns:
            report.learner_hash = self.learner_digest().hex()

    @property
    def learns(self) -> bool:
        """Whether there is a state that the stream has hashes of."""
        return bool(self._learners.members)

    @property
    def takes_orders(self) -> bool:
        """Whether slice headers carry orders to the learners."""
        return any(stage.takes_orders for stage in self.stages)

    def reset_learners(self) -> None:
        """At an IDR: what has been learnt is as the learners' parameters say."""
        self._learners.reset()

    def learner_digest(self) -> bytes:
        """16 bytes that name the state of all that learns."""
        return self._learners.digest()
