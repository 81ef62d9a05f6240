"""Normative. The arrays of the picture in work, which all stages read and write."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from codecsim.codec.recon import Recon, make_scratch
from codecsim.codec.slice_parameters import slice_parameters
from codecsim.hevc.compensation import References
from codecsim.hevc.motion import make_motion_context
from codecsim.hevc.sao import make_sao_params
from codecsim.hevc.tables import make_zorder
from codecsim.kernels.binding import bind
from codecsim.picture.blocks import CTU_SIZE, Blocks, make_blocks, make_levels
from codecsim.picture.dpb import CurrentPicture
from codecsim.picture.planes import Picture, Planes
from codecsim.syntax.headers import SLICE_I, Pps, SliceHeader, Sps


class PictureStore:
    """Working memory for the pictures of one sequence.

    Parameters
    ----------
    sps : Sps

    Attributes
    ----------
    blocks, levels, sao : Blocks, Levels and SaoParams, what the slice data say; `bound_*` are the same for kernels
    pred : Planes without borders, the prediction as far as the stages have come
    picture : Picture, whose planes are the reconstruction as far as the stages have come
    slice : SliceParameters
    rc : bound Recon
    motion_context : bound MotionContext
    is_inter : bool, whether the picture refers to others
    """

    picture: Picture

    def __init__(self, sps: Sps) -> None:
        self.sps = sps
        width, height = sps.width, sps.height
        self.zorder = make_zorder(height // 4, width // 4)
        self.blocks: Blocks = make_blocks(height, width)
        self.levels = make_levels(height, width)
        self.sao = make_sao_params(height, width)
        self.bound_blocks, self.bound_levels = bind(self.blocks), bind(self.levels)
        self.bound_sao = bind(self.sao)
        shapes = (height, width), (height // 2, width // 2), (height // 2, width // 2)
        self.pred = Planes(*(np.zeros(shape, np.uint16) for shape in shapes))
        self._scratch = make_scratch()
        self.bound_inter_scratch = bind(self._scratch.inter)
        self._stack = Planes(*(np.zeros((0, 0, 0), np.uint16) for _ in range(3)))
        self._places: list[Picture | None] = []  # the picture whose planes stand at each place of the stack

    def bind_to(
        self,
        current: CurrentPicture,
        header: SliceHeader,
        pps: Pps,
        flags: Mapping[str, int],
        recon_fields: Mapping[str, Any],
    ) -> None:
        """Bind to a picture.

        Parameters
        ----------
        flags : fields of SliceSyntax that the stages have decided
        recon_fields : fields of Recon that the stages own
        """
        self.picture = current.picture
        self.is_inter = header.slice_type != SLICE_I
        self.slice = slice_parameters(header, self.sps, pps, flags)
        self.bound_syntax = bind(self.slice.syntax)
        self.bound_motion = bind(self.picture.motion)
        self.rc = bind(
            Recon(
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
                cb_qp_offset=self.slice.cb_qp_offset,
                cr_qp_offset=self.slice.cr_qp_offset,
                **recon_fields,
            )
        )
        self.blocks.qp[:] = self.slice.qp
        self.motion_context = bind(
            make_motion_context(
                self.picture, current.collocated, current.list_pocs, header, self.zorder, self.blocks.pred_mode
            )
        )

    def change_syntax(self, **flags: int) -> None:
        """Change fields of the SliceSyntax after `bind_to`: a choice of the encoder."""
        self.slice = self.slice._replace(syntax=self.slice.syntax._replace(**flags))
        self.bound_syntax = bind(self.slice.syntax)

    @property
    def num_ctus(self) -> int:
        """CTUs of a picture."""
        return -(-self.sps.height // CTU_SIZE) * -(-self.sps.width // CTU_SIZE)

    @property
    def places(self) -> tuple[Picture | None, ...]:
        """The reference picture at each place of `References`, None where it is free."""
        return tuple(self._places)

    def _load_references(self, lists: Sequence[Sequence[Picture]]) -> References:
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
