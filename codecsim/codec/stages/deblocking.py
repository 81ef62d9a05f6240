"""Normative. The deblocking filter over a reconstructed picture."""

from collections.abc import Iterable, Mapping
from typing import Any

from codecsim.codec.picture_store import PictureStore
from codecsim.codec.stages.stage import Samples, Stage
from codecsim.hevc.deblock import DeblockParams, deblock_picture
from codecsim.kernels.binding import bind


class Deblocking(Stage):
    """There is nothing to choose but in the headers."""

    name = "deblocking"

    def apply(self, picture: PictureStore) -> None:
        """Filter the edges of blocks."""
        given = picture.slice
        if not given.deblocking:
            return
        params = DeblockParams(
            beta_offset=2 * given.beta_offset_div2,
            tc_offset=2 * given.tc_offset_div2,
            cb_qp_offset=given.pps_cb_qp_offset,
            cr_qp_offset=given.pps_cr_qp_offset,
            bit_depth=picture.sps.bit_depth,
        )
        planes, ref_poc = bind(picture.picture.planes), picture.picture.ref_poc
        deblock_picture(picture.bound_blocks, picture.bound_motion, ref_poc, planes, bind(params))

    def inspect(self, picture: PictureStore) -> Mapping[str, Any]:
        """Whether the picture is deblocked."""
        return {"deblocked": picture.slice.deblocking}

    def samples(self, picture: PictureStore) -> Iterable[Samples]:
        """The picture so far."""
        return [("deblocked_samples", picture.picture.inner())]
