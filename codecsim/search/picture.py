"""The search of one picture as the encoder calls it."""

from typing import Any

import numpy as np

from codecsim.codec.intra_rows import learn_from_row, rows_of
from codecsim.codec.picture_codec import PictureCodec
from codecsim.codec.presets import SearchSettings
from codecsim.codec.stages.reconstruction import Reconstruction
from codecsim.codec.structure import chroma_weight
from codecsim.kernels.binding import Bound, bind
from codecsim.kernels.records import make_record
from codecsim.picture.blocks import choose_nowhere
from codecsim.picture.planes import PAD_Y, Planes
from codecsim.search.adaptive_qp import LEVELS, aim_by_activity
from codecsim.search.motion import interpolate_picture
from codecsim.search.partition import search_rows
from codecsim.search.refine import copy_decisions
from codecsim.search.state import (
    Effort,
    Search,
    Weights,
    make_counter,
    make_search_memory,
    make_unit_motion,
    make_versions,
    version_views,
)


class PictureSearch:
    """Memory of the search for pictures of one size; fills a PictureCodec's store with decisions.

    For each picture: `begin`, then `run` as often as wanted.

    Parameters
    ----------
    codec : PictureCodec
    effort : config.Preset
    adaptive_qp : int, largest QP offset by activity; 0: the picture has one QP
    """

    def __init__(self, codec: PictureCodec, effort: SearchSettings, adaptive_qp: int = 0):
        self._codec = codec
        self._adaptive_qp = adaptive_qp
        self._effort = Effort(*(int(getattr(effort, name)) for name in Effort._fields))
        width, height = codec.sps.width, codec.sps.height
        self._versions = make_versions(height, width)
        self._counter = make_counter()
        self._qp_aim = np.zeros((LEVELS, height // 8, width // 8), np.int8)
        self._memory = make_search_memory()
        self._weights = make_record(Weights)
        self._padded = (height + 2 * PAD_Y, width + 2 * PAD_Y)
        self._rows = np.zeros(self._padded, np.int16)
        self._target, self._unit = np.zeros((64, 64), np.int16), make_unit_motion()
        self._interpolated: list[Any] = []  # the picture whose interpolated planes stand at each place
        self._subpel = np.zeros((0, 16, *self._padded), np.uint16)
        self._vectors = np.zeros((0, 0, 0, 2), np.int32)

    def begin(self, orig: Planes, lam: float) -> None:
        """Prepare for the picture that the codec is bound to.

        Parameters
        ----------
        orig : Planes, unpadded source at coded size, by whose activity the QP varies
        lam : float, squared error per bit
        """
        codec, rc = self._codec, self._codec.rc.value
        weights = self._weights
        weights.lam, weights.sqrt_lam = lam, lam**0.5
        weights.cb, weights.cr = (chroma_weight(codec.slice.qp, k) for k in (rc.cb_qp_offset, rc.cr_qp_offset))
        self._interpolate()
        aim_by_activity(orig.y, codec.slice.qp, self._adaptive_qp, codec.sps.bit_depth, self._qp_aim)

    def run(self, target: Planes) -> Bound:
        """Decide the picture; returns the bound Search.

        Parameters
        ----------
        target : Planes like the source: what the prediction and the reconstruction shall be close to
        """
        codec = self._codec
        blocks, motion, levels, rec = version_views(self._versions, 0)
        blocks.qp[:] = codec.slice.qp
        blocks.pred_mode[:] = 0
        choose_nowhere(blocks.filtering)
        choose_nowhere(blocks.overlap)
        rc = codec.rc.value._replace(blocks=blocks, motion=motion, levels=levels, rec=rec)
        context = codec.motion_context.value._replace(pred_mode=blocks.pred_mode, mv=motion.mv, ref_idx=motion.ref_idx)
        self._vectors[:] = 0
        search = Search(
            rc=rc,
            sl=codec.slice.syntax._replace(experts=0, obmc_on=0),
            mctx=context,
            orig=target,
            cd=self._counter,
            versions=self._versions,
            subpel=self._subpel,
            target=self._target,
            unit=self._unit,
            vectors=self._vectors,
            weights=self._weights,
            qp_aim=self._qp_aim,
            effort=self._effort,
            **self._memory,
        )
        state = bind(search)
        self._search(state)
        copy_decisions(rc, codec)
        return state

    def _search(self, state: Bound) -> None:
        """Decide all rows; where the intra filter learns, it does so as it will in the reconstruction."""
        codec = self._codec
        count, learner = rows_of(codec.rc), codec.stage(Reconstruction).learning
        if learner is None:
            search_rows(state, codec.slice.qp, 0, count)
            return
        before, rc = learner.snapshot(), bind(state.value.rc)
        for row in range(count):
            search_rows(state, codec.slice.qp, row, row + 1)
            learn_from_row(rc, learner, row)
        learner.restore(before)

    def _interpolate(self) -> None:
        """Make sure that the interpolated planes of all reference pictures stand at the codec's places."""
        places = self._codec.places
        if len(self._interpolated) != len(places):
            height, width = self._codec.sps.height, self._codec.sps.width
            self._subpel = np.zeros((len(places), 16, *self._padded), np.uint16)
            self._vectors = np.zeros(((height + 15) // 16, (width + 15) // 16, len(places), 2), np.int32)
            self._interpolated = [None] * len(places)
        for place, picture in enumerate(places):
            if picture is not None and picture is not self._interpolated[place]:
                interpolate_picture(picture.planes.y, self._subpel[place], self._rows, self._codec.sps.bit_depth)
            self._interpolated[place] = picture
