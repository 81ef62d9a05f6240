"""What is taken from the picture codec while a picture is decoded."""

import dataclasses
from typing import Any

import numpy as np

from codecsim.codec.picture_codec import PictureCodec
from codecsim.codec.stages.reconstruction import Reconstruction
from codecsim.codec.stages.stage import Stage
from codecsim.entropy.cabac import make_marks
from codecsim.hevc.sao import SaoParams
from codecsim.inspection.bits import SliceBits, slice_bits
from codecsim.inspection.planes import predict_intra_unfiltered
from codecsim.inspection.units import coding_units, prediction_units, transform_units
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
    overlap_used: bool  # whether blocks choose overlapped motion compensation
    loop: LoopChoice | None = None  # where the learned in-loop filter is used; None where the picture has none
    experts: tuple[str, ...] = ()  # what 1, 2, ... in blocks.filtering mean; empty where the filter does not run
    chroma_filtered: bool = False  # whether blocks take filtered chroma with filtered luma
    losses: np.ndarray | None = None  # (H4, W4) int64, see inter_filter.unit_losses; None where no net learns

    def residual(self) -> Planes:
        """What was decoded beside the prediction: Planes of int32."""
        return Planes(*(a.astype(np.int32) - b for a, b in zip(self.unfiltered, self.filtered_prediction, strict=True)))

    def coding_units(self) -> np.ndarray:
        """(n,) units.CODING_UNIT in decoding order."""
        return coding_units(self.blocks, self.zorder, self.bits.cu)

    def prediction_units(self) -> np.ndarray:
        """(n,) units.PREDICTION_UNIT in decoding order."""
        return prediction_units(self.blocks, self.zorder, self.motion, self.ref_poc)

    def transform_units(self) -> np.ndarray:
        """(n,) units.TRANSFORM_UNIT in decoding order."""
        return transform_units(self.blocks, self.zorder)


class PictureObserver:
    """Collects `PictureData` by picture; for decoder.decode().

    Attributes
    ----------
    pictures : dict of PictureData by place in coding order; take out what is not needed any more
    """

    def __init__(self) -> None:
        self.pictures: dict[int, PictureData] = {}
        self._count = 0
        self._found: dict[str, Any] = {}
        self._marks = make_marks(0, 0)

    def begin(self, codec: PictureCodec, first_bit: int, end_bit: int) -> np.ndarray:
        """A picture's slice data, from `first_bit` on, are about to be parsed; returns room for marks."""
        self._found = {}
        self._slice = first_bit, end_bit
        self._marks = make_marks(*codec.blocks.cu_log2.shape)
        return self._marks

    def __call__(self, stage: Stage, codec: PictureCodec) -> None:
        """Take what a stage has left."""
        self._found |= {name: _copied(value) for name, value in stage.inspect(codec).items()}
        if stage.name == Reconstruction.name:
            self._complete_prediction(codec)
        if stage is codec.stages[-1]:
            self.pictures[self._count] = PictureData(**self._found, **self._take_store(codec))
            self._found = {}
            self._count += 1

    def _complete_prediction(self, codec: PictureCodec) -> None:
        """Put intra prediction without its filter, which is made during reconstruction, to inter prediction."""
        prediction, blocks = self._found["prediction"], codec.blocks
        intra = blocks.pred_mode == MODE_INTRA
        for plane, final in zip(prediction, codec.pred, strict=True):
            n = plane.shape[0] // len(intra)
            np.copyto(plane, final, where=np.repeat(np.repeat(intra, n, 0), n, 1))
        if blocks.intra_filter.any():
            predict_intra_unfiltered(codec.rc, prediction.y)

    def _take_store(self, codec: PictureCodec) -> dict[str, Any]:
        return {
            "bit_depth": codec.sps.bit_depth,
            "slice_type": codec.slice.syntax.slice_type,
            "reconstruction": _copied(codec.picture.inner()),
            "blocks": _copied(codec.blocks),
            "motion": _copied(codec.picture.motion),
            "ref_poc": codec.picture.ref_poc.copy(),
            "zorder": codec.zorder,
            "bits": slice_bits(self._marks, *self._slice),
        }


def _copied(value: Any) -> Any:
    """A copy of an array, or of a namedtuple of arrays and such namedtuples; anything else as it is."""
    if isinstance(value, np.ndarray):
        return value.copy()
    return type(value)(*map(_copied, value)) if hasattr(value, "_fields") else value
