"""Normative. One picture from its decisions to a reference: what encoder and decoder do alike.

`begin` binds the working memory to a picture; `predict` compensates motion; `filter` puts overlapped prediction where
it is chosen and runs the learned filter; `complete` reconstructs, lets the filter learn, and deblocks; `offset` applies
sample adaptive offset; `finish` runs the in-loop filter and makes the picture fit to be referred to. Between `begin`
and `predict` the decoder parses and the encoder searches; the encoder chooses before `filter` where prediction is
overlapped, before `complete` where the learned filter applies, and before `finish` the sample adaptive offsets.
"""

import hashlib

import numpy as np

from codecsim.codec.block_choices import apply_choice, intra_filter_shares, mark_coded, mark_residuals
from codecsim.codec.intra_rows import reconstruct_and_learn, rows_of
from codecsim.codec.loop_stage import LoopStage
from codecsim.codec.recon import Recon, make_scratch, predict_inter, reconstruct
from codecsim.codec.slice_tools import slice_tools
from codecsim.entropy.contexts import init_contexts
from codecsim.hevc.compensation import References
from codecsim.hevc.deblock import DeblockParams, deblock_picture
from codecsim.hevc.motion import make_motion_context
from codecsim.hevc.obmc import make_overlap_scratch, predict_overlapped
from codecsim.hevc.sao import make_sao_params, sao_picture
from codecsim.hevc.tables import make_zorder
from codecsim.kernels.binding import bind
from codecsim.learned.inter.auxiliary import Further, predict_further, stack_reference_motion
from codecsim.learned.inter.controller import Order
from codecsim.learned.inter.inputs import CODED
from codecsim.learned.inter.params import BlockSize
from codecsim.learned.inter.size_classes import block_areas
from codecsim.learned.intra.filter import unused_intra_net
from codecsim.picture.blocks import (
    CBF_CB,
    CBF_CR,
    CBF_Y,
    CTU_SIZE,
    MODE_INTER,
    Blocks,
    choose_nowhere,
    make_blocks,
    make_levels,
)
from codecsim.picture.planes import PAD_C, PAD_Y, Planes
from codecsim.syntax.headers import SLICE_I, TOOL_CHROMA, TOOL_INTRA, TOOL_LOOP, TOOL_OBMC
from codecsim.syntax.slice_data import code_slice_data

# Steps after which observers are called: all inter prediction is made, but not yet chosen from; reconstructed, before
# the learners learn and the in-loop filters run; the learners have learnt; deblocked; with sample adaptive offset;
# ready to be referred to.
FILTERED, RECONSTRUCTED, LEARNED, DEBLOCKED = "filtered", "reconstructed", "learned", "deblocked"
OFFSET, FINISHED = "offset", "finished"


class PictureCodec:
    """Working memory for the pictures of one sequence.

    Parameters
    ----------
    sps : Sps
    learned_filter : learned.prediction_filter.PredictionFilter or None
    intra_filter : learned.intra_filter.IntraFilter or None
    chroma_filter : learned.chroma_filter.ChromaFilter or None, which goes with a learned filter
    loop_filter : learned.loop_filter.LoopFilter or None
    """

    def __init__(self, sps, learned_filter=None, intra_filter=None, chroma_filter=None, loop_filter=None):
        self.sps = sps
        self.learned_filter = learned_filter
        self.chroma_filter = chroma_filter
        self.chroma_used = False  # whether blocks take filtered chroma with filtered luma: TOOL_CHROMA of the picture
        self.intra_filter = intra_filter
        self.loop = LoopStage(sps, loop_filter)
        self._filtered_chroma = ()  # what the chroma filter made of U and V, used or not
        self._unused_intra = None if intra_filter else unused_intra_net()
        width, height = sps.width, sps.height
        self.zorder = make_zorder(height // 4, width // 4)
        self.blocks: Blocks = make_blocks(height, width)
        self.levels = make_levels(height, width)
        self.sao = make_sao_params(height, width)
        self._bound_blocks, self._bound_levels = bind(self.blocks), bind(self.levels)
        self._bound_sao = bind(self.sao)
        self._deblocked = None  # planes for the use of sample adaptive offset
        shapes = (height, width), (height // 2, width // 2), (height // 2, width // 2)
        self.pred = Planes(*(np.zeros(shape, np.uint16) for shape in shapes))
        self.chroma_report = None  # LearnReport of the chroma filter, if it ran
        self.intra_training = None  # IntraTraining of the picture, if the intra filter learnt
        self.overlapped = None  # prediction with overlap, where it has been asked for, if the picture may choose it
        self.filtered = None  # if the learned filter ran: Planes of (experts, H, W), of no chroma where that stays
        self._overlapped = Planes(*(np.zeros_like(plane) for plane in self.pred)) if sps.tools & TOOL_OBMC else None
        self._overlapped_chroma = tuple(np.zeros_like(plane) for plane in self.pred[1:]) if chroma_filter else ()
        self._everywhere = np.ones_like(self.blocks.overlap.taken)
        self.order = Order.TRAIN  # to the learners, before they filter the picture
        self._scratch = make_scratch()
        self._coded = np.zeros((height // 4, width // 4), np.uint8)
        self.observers = []  # for inspection: called with the step just done and this codec
        self.oracle = None  # for research: planes that the filter learns from, which no decoder has
        count = learned_filter.params.n_aux if learned_filter else 0
        self._auxiliary = tuple(np.zeros((height, width), np.uint16) for _ in range(count))
        self._inter_scratch, self._overlap_scratch = bind(self._scratch.inter), bind(make_overlap_scratch())
        self._stack = Planes(*(np.zeros((0, 0, 0), np.uint16) for _ in range(3)))
        self._places = []  # the picture whose planes stand at each place of the stack

    def begin(self, current, header, pps, tools, order=Order.TRAIN):
        """Bind to a picture.

        Parameters
        ----------
        current : dpb.CurrentPicture
        header : SliceHeader
        pps : Pps
        tools : int, TOOL_* bits of what the picture has beyond the standard
        order : Order to the learners
        """
        self.order = order
        self.picture = current.picture
        self.is_inter = header.slice_type != SLICE_I
        if self.is_inter and self.intra_filter and not self.intra_filter.params.inter_pictures:
            tools &= ~TOOL_INTRA
        self.pps_qp_offsets = (pps.cb_qp_offset, pps.cr_qp_offset)
        experts = len(self.learned_filter.experts) if self.learned_filter else 0
        self.tools = slice_tools(header, self.sps, pps, tools, experts)
        self.chroma_used = tools & TOOL_CHROMA > 0 and self.tools.syntax.experts > 0
        self.loop.begin(tools & TOOL_LOOP > 0)
        self.overlapped = self.filtered = self.chroma_report = None
        self._bound_motion = bind(self.picture.motion)
        self._bound_syntax = bind(self.tools.syntax)
        recon = Recon(
            blocks=self.blocks,
            motion=self.picture.motion,
            levels=self.levels,
            pred=self.pred,
            rec=self.picture.planes,
            refs=self._load_references(current.lists),
            zorder=self.zorder,
            scratch=self._scratch,
            bit_depth=self.sps.bit_depth,
            strong_intra=int(self.sps.strong_intra_smoothing),
            cb_qp_offset=self.tools.cb_qp_offset,
            cr_qp_offset=self.tools.cr_qp_offset,
            intra=self.intra_filter.net(self.tools.qp) if self.intra_filter else self._unused_intra,
        )
        self.rc = bind(recon)
        self.blocks.qp[:] = self.tools.qp
        choose_nowhere(self.blocks.filtering)
        choose_nowhere(self.blocks.overlap)
        self.blocks.intra_filter[:] = 0
        self.sao.type_idx[:] = 0
        self.motion_context = bind(
            make_motion_context(
                self.picture, current.collocated, current.list_pocs, header, self.zorder, self.blocks.pred_mode
            )
        )

    @property
    def num_ctus(self):
        """CTUs of a picture."""
        return -(-self.sps.height // CTU_SIZE) * -(-self.sps.width // CTU_SIZE)

    def code_slice_data(self, mode, coder, trace=None):
        """Write or read the slice data between the picture's store and a bound coder; returns the CTUs done.

        trace : Tracer that takes what the coder has recorded, CTU by CTU
        """
        init_contexts(coder.value.ctx, self.tools.cabac_init_type, self.tools.qp)
        self.loop.code_choice(mode, coder)
        store = self._bound_syntax, self._bound_blocks, self._bound_motion, self._bound_levels, self._bound_sao
        if trace is None:
            return code_slice_data(mode, coder, *store, (0, self.num_ctus))
        trace.take(coder.value.record, None)
        for address in range(self.num_ctus):
            done = code_slice_data(mode, coder, *store, (address, address + 1))
            trace.take(coder.value.record, address)
            if done <= address:
                return done
        return self.num_ctus

    def _load_references(self, lists):
        """The reference pictures' planes in one array a component; what stands there already is not copied again."""
        wanted = list({id(picture): picture for entries in lists for picture in entries}.values())
        self._places = [p if any(p is picture for picture in wanted) else None for p in self._places]
        if len(self._places) < max(len(wanted), 1):
            count = max(len(wanted), 4)
            shapes = [plane.shape for plane in self.picture.planes]
            self._stack = Planes(*(np.zeros((count, *shape), np.uint16) for shape in shapes))
            self._places = [None] * count
        for picture in wanted:
            if not any(p is picture for p in self._places):
                place = self._places.index(None)
                self._places[place] = picture
                for stack, plane in zip(self._stack, picture.planes, strict=True):
                    stack[place] = plane
        slot_of = np.zeros((2, 16), np.int64)
        for row, entries in zip(slot_of, lists, strict=True):
            row[: len(entries)] = [next(k for k, p in enumerate(self._places) if p is entry) for entry in entries]
        return References(*self._stack, slot_of, self.sps.bit_depth)

    @property
    def places(self):
        """The reference picture at each place of `References`, None where it is free."""
        return tuple(self._places)

    def predict(self):
        """Motion compensation."""
        if self.is_inter:
            predict_inter(self.rc)

    def _show(self, step):
        """Let the observers, if any, look at what a step has left; they change nothing."""
        for observer in self.observers:
            observer(step, self)

    def overlap(self, where=None):
        """Overlapped prediction, from the plain one, if the picture may choose it.

        Parameters
        ----------
        where : (H32, W32) uint8, not zero in the 32x32 blocks wanted; None: all
        """
        if not self.tools.syntax.obmc_on:
            return
        self.overlapped = self._overlapped
        for c_idx in range(3):
            self._overlap_component(c_idx, self._everywhere if where is None else where, self.overlapped[c_idx])

    def _overlap_component(self, c_idx, where, out):
        refs, scratch = bind(self.rc.value.refs), (self._inter_scratch, self._overlap_scratch)
        predict_overlapped(self._bound_motion, refs, c_idx, where, self.pred[c_idx], out, *scratch)

    def filter(self):
        """Put overlapped prediction where it is chosen, then run the learned filter over the picture if it is on."""
        self.prepare_filter()
        self.run_filter()

    def prepare_filter(self):
        """Take the learned filter's inputs if it is on, then put overlapped prediction where it is chosen."""
        if self.tools.syntax.experts > 0:
            self._auxiliary_predictions()
        if self.overlapped is None:
            self.overlap(self.blocks.overlap.taken)
        if self.overlapped is not None:
            for other, pred in zip(self.overlapped, self.pred, strict=True):
                apply_choice(self._bound_blocks, self.blocks.overlap.taken, other[np.newaxis], pred)

    def run_filter(self):
        """After `prepare_filter`: let the learners obey the picture's order, then filter if the filter is on."""
        if self.tools.syntax.experts > 0:
            for learner in self.learners:
                learner.obey(self.order)
            luma = np.stack(self.learned_filter.predict(*self.filter_inputs()))
            if self.chroma_filter:
                self._filtered_chroma = self.chroma_filter.predict(
                    self.pred, self._overlapped_chroma, luma[-1], self.tools.qp
                )
            self.filtered = Planes(luma, *self.pred[1:])
            self.use_chroma(self.chroma_used)
        self._show(FILTERED)

    def filter_inputs(self):
        """What the learned filter takes, after `prepare_filter`: arguments of PredictionFilter.predict."""
        sizes_count = self.learned_filter.params.block_size != BlockSize.SHARED
        return self.pred.y, self._auxiliary, self.tools.qp, block_areas(self.blocks) if sizes_count else None

    def use_chroma(self, used):
        """Say, after `filter`, whether blocks take filtered chroma with any of the luma experts."""
        self.chroma_used, count = used, len(self.filtered.y) if used else 0
        planes = self._filtered_chroma if used else self.pred[1:]
        self.filtered = Planes(self.filtered.y, *(np.repeat(plane[np.newaxis], count, 0) for plane in planes))

    def chroma_alternative(self):
        """U and V as the chroma filter made them, whether used or not; nothing where it did not run."""
        return self._filtered_chroma if self.chroma_filter and self.filtered is not None else ()

    def _auxiliary_predictions(self):
        """Make the further luma predictions that the learned filter takes as inputs, while the plain one stands.

        Those of chroma that the chroma filter takes are kept too.
        """
        if self.chroma_filter and self.chroma_filter.params.overlapped:
            for c_idx, plane in enumerate(self._overlapped_chroma, 1):
                self._overlap_component(c_idx, self._everywhere, plane)
        refs, planes = bind(self.rc.value.refs), iter(self._auxiliary)
        if self.learned_filter.params.overlapped:
            self._overlap_component(0, self._everywhere, next(planes))
        if self.learned_filter.params.further:
            context = self.motion_context.value
            further = bind(
                Further(*stack_reference_motion(self._places), context.ref_poc, context.num_ref, context.cur_poc)
            )
            for rank, plane in enumerate(planes):
                predict_further(self._bound_motion, refs, further, rank, plane, self._inter_scratch)

    def complete(self):
        """Reconstruct, learn, deblock; returns the learner's report, or None where it did not run."""
        report = None
        if self.filtered is not None:
            for others, pred in zip(self.filtered, self.pred, strict=True):
                if len(others):
                    apply_choice(self._bound_blocks, self.blocks.filtering.taken, others, pred)
        self.intra_training = None
        if self.learning_intra is None:
            reconstruct(self.rc, 0, rows_of(self.rc))
        else:
            self.intra_training = reconstruct_and_learn(self.rc, self.learning_intra)
        self._show(RECONSTRUCTED)
        if self.filtered is not None:
            mark_coded(self._bound_blocks, self._coded)
            luma = self.picture.planes.y[PAD_Y:-PAD_Y, PAD_Y:-PAD_Y]
            if self.oracle is not None:
                luma = self.oracle.y
                self._coded[:] = CODED * (self.blocks.pred_mode >= MODE_INTER)
            report = self.learned_filter.learn(luma, self._coded, self.tools.qp)
            self._learn_chroma()
            self._show(LEARNED)
        if self.tools.deblocking:
            params = DeblockParams(
                beta_offset=2 * self.tools.beta_offset_div2,
                tc_offset=2 * self.tools.tc_offset_div2,
                cb_qp_offset=self.pps_qp_offsets[0],
                cr_qp_offset=self.pps_qp_offsets[1],
                bit_depth=self.sps.bit_depth,
            )
            planes = bind(self.picture.planes)
            deblock_picture(self._bound_blocks, self._bound_motion, self.picture.ref_poc, planes, bind(params))
        self._show(DEBLOCKED)
        return report

    def _learn_chroma(self):
        if self.chroma_filter is None:
            return
        mark_residuals(self._bound_blocks, self._coded)
        chroma = [plane[PAD_C:-PAD_C, PAD_C:-PAD_C] for plane in self.picture.planes[1:]]
        if self.oracle is not None:
            chroma = self.oracle[1:]
            self._coded[:] = np.where(self.blocks.pred_mode >= MODE_INTER, CBF_Y | CBF_CB | CBF_CR, 0)
        self.chroma_report = self.chroma_filter.learn(chroma, self._coded, self.tools.qp)

    @property
    def learners(self):
        """All that learns from picture to picture between others: the filters of inter prediction."""
        return tuple(learner for learner in (self.learned_filter, self.chroma_filter) if learner is not None)

    @property
    def _states(self):
        """All that has a state, in the order of the tools."""
        intra = self.intra_filter.learner if self.intra_filter else None
        return (*self.learners, intra) if intra else self.learners

    @property
    def learns(self):
        """Whether there is a state that the stream has hashes of."""
        return bool(self._states)

    @property
    def learning_intra(self):
        """The IntraLearner that learns from the present picture, or None."""
        on = self.intra_filter and self.tools.syntax.intra_filter_on and not self.is_inter
        return self.intra_filter.learner if on else None

    def reset_learners(self):
        """At an IDR: what has been learnt is as the learners' parameters say."""
        for learner in self._states:
            learner.reset()

    def learner_digest(self):
        """16 bytes that name the state of all that learns."""
        found = [learner.digest() for learner in self._states]
        return found[0] if len(found) == 1 else hashlib.blake2b(b"".join(found), digest_size=16).digest()

    def use_sao(self, luma, chroma):
        """Switch sample adaptive offset on or off in the slice; the encoder's choice, after `begin`."""
        syntax = self.tools.syntax._replace(sao_luma=int(luma), sao_chroma=int(chroma))
        self.tools = self.tools._replace(syntax=syntax)
        self._bound_syntax = bind(syntax)

    def offset(self):
        """Apply sample adaptive offset."""
        if self.tools.syntax.sao_luma or self.tools.syntax.sao_chroma:
            if self._deblocked is None:
                self._deblocked = Planes(*(np.zeros_like(plane) for plane in self.picture.planes))
            sao_picture(self.picture.planes, self._deblocked, self.sao, self.sps.bit_depth)
        self._show(OFFSET)

    def finish(self):
        """Take what the in-loop filter makes where it is chosen, then extend the borders."""
        self.loop.apply(self.picture.planes, self.tools)
        self.picture.pad()
        self._show(FINISHED)

    def expert_shares(self):
        """Share of the 32x32 blocks that take each expert of the learned filter, by its name."""
        taken = self.blocks.filtering.taken
        names = [expert.name.lower() for expert in self.learned_filter.experts]
        return {name: float(np.mean(taken == k)) for k, name in enumerate(names, 1)}

    def intra_filter_shares(self):
        """Share of the luma that the intra filter made, by side of its blocks; None where the picture cannot."""
        return intra_filter_shares(self.blocks) if self.tools.syntax.intra_filter_on else None

    def overlapped_share(self):
        """Share of the 32x32 blocks that use overlapped motion compensation, None where the picture cannot."""
        return float(np.mean(self.blocks.overlap.taken)) if self.tools.syntax.obmc_on else None
