"""What is taken from the picture codec while a picture is decoded."""

import dataclasses

import numpy as np

from codecsim.codec.block_choices import mark_coded
from codecsim.codec.picture_codec import FILTERED, FINISHED, RECONSTRUCTED
from codecsim.entropy.cabac import make_marks
from codecsim.hevc.sao import SaoParams
from codecsim.inspection.bits import SliceBits, slice_bits
from codecsim.inspection.planes import predict_intra_unfiltered, unit_losses
from codecsim.inspection.units import coding_units, prediction_units, transform_units
from codecsim.learned.inter.params import Expert
from codecsim.picture.blocks import MODE_INTRA, Blocks
from codecsim.picture.planes import Motion, Planes
from codecsim.syntax.loop_choice import LoopChoice


@dataclasses.dataclass(frozen=True)
class PictureData:
    """Everything about one decoded picture.  Planes are uint16, of the coded size, without borders."""

    bit_depth: int
    slice_type: int  # 0 B, 1 P, 2 I
    prediction: Planes  # before the learned filters; overlapped motion compensation is in it
    filtered_prediction: Planes  # what the residual is added to: the same where no learned filter is used
    unfiltered: Planes  # prediction and residual: before the in-loop filters
    reconstruction: Planes  # the decoded picture
    blocks: Blocks
    motion: Motion
    ref_poc: np.ndarray  # (2, 16) int32, of the entries of both reference lists
    zorder: np.ndarray  # (H4, W4) int32, see tables.make_zorder
    bits: SliceBits
    deblocked: bool
    sao: SaoParams  # all off where the slice does not use it
    loop: LoopChoice | None  # where the learned in-loop filter is used; None where the picture has none
    overlap_used: bool  # whether blocks choose overlapped motion compensation
    experts: tuple[str, ...]  # what 1, 2, ... in blocks.filtering mean; empty where the filter does not run
    chroma_filtered: bool  # whether blocks take filtered chroma with filtered luma
    losses: np.ndarray | None  # (H4, W4) int64, see planes.unit_losses; None where no net learns

    def residual(self):
        """What was decoded beside the prediction: Planes of int32."""
        return Planes(*(a.astype(np.int32) - b for a, b in zip(self.unfiltered, self.filtered_prediction, strict=True)))

    def coding_units(self):
        """(n,) units.CODING_UNIT in decoding order."""
        return coding_units(self.blocks, self.zorder, self.bits.cu)

    def prediction_units(self):
        """(n,) units.PREDICTION_UNIT in decoding order."""
        return prediction_units(self.blocks, self.zorder, self.motion, self.ref_poc)

    def transform_units(self):
        """(n,) units.TRANSFORM_UNIT in decoding order."""
        return transform_units(self.blocks, self.zorder)


class PictureObserver:
    """Collects `PictureData` by picture; for decoder.decode().

    Attributes
    ----------
    pictures : dict of PictureData by place in coding order; take out what is not needed any more
    """

    def __init__(self):
        self.pictures = {}
        self._count = 0
        self._found = {}
        self._marks = make_marks(0, 0)

    def begin(self, codec, first_bit, end_bit):
        """A picture's slice data, from `first_bit` on, are about to be parsed; returns room for marks."""
        self._found = {}
        self._slice = first_bit, end_bit
        self._marks = make_marks(*codec.blocks.cu_log2.shape)
        return self._marks

    def __call__(self, step, codec):
        if step == FILTERED:
            self._found["prediction"] = _copied(codec.pred)
        elif step == RECONSTRUCTED:
            self._take_prediction(codec)
        elif step == FINISHED:
            self.pictures[self._count] = PictureData(**self._found, **self._take_finished(codec))
            self._found = {}
            self._count += 1

    def _take_prediction(self, codec):
        found, blocks = self._found, codec.blocks
        found["filtered_prediction"] = _copied(codec.pred)
        found["unfiltered"] = _copied(codec.picture.inner())
        intra = blocks.pred_mode == MODE_INTRA
        for plane, final in zip(found["prediction"], codec.pred, strict=True):
            n = plane.shape[0] // len(intra)
            np.copyto(plane, final, where=np.repeat(np.repeat(intra, n, 0), n, 1))
        if blocks.intra_filter.any():
            predict_intra_unfiltered(codec.rc, found["prediction"].y)
        found["losses"] = None
        if codec.filtered is not None:
            online = codec.learned_filter.output(Expert.ONLINE)
            if online is not None:
                coded = np.zeros(blocks.cbf.shape, np.uint8)
                mark_coded(blocks, coded)
                found["losses"] = unit_losses(online, found["unfiltered"].y, coded)

    def _take_finished(self, codec):
        syntax = codec.tools.syntax
        experts = codec.learned_filter.experts if codec.filtered is not None else ()
        return {
            "bit_depth": codec.sps.bit_depth,
            "slice_type": syntax.slice_type,
            "reconstruction": _copied(codec.picture.inner()),
            "blocks": _copied(codec.blocks),
            "motion": _copied(codec.picture.motion),
            "ref_poc": codec.picture.ref_poc.copy(),
            "zorder": codec.zorder,
            "bits": slice_bits(self._marks, *self._slice),
            "deblocked": codec.tools.deblocking,
            "sao": _copied(codec.sao),
            "loop": _copied(codec.loop.choice) if codec.loop.on else None,
            "overlap_used": bool(syntax.obmc_on),
            "experts": tuple(expert.name.lower() for expert in experts),
            "chroma_filtered": codec.chroma_used,
        }


def _copied(arrays):
    """A namedtuple of arrays and such namedtuples, copied."""
    if isinstance(arrays, np.ndarray):
        return arrays.copy()
    return type(arrays)(*map(_copied, arrays))
