"""Normative. Sample adaptive offset over a deblocked picture."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from codecsim.codec.picture_store import PictureStore
from codecsim.codec.stages.stage import Opening, Samples, Stage
from codecsim.hevc.sao import sao_picture
from codecsim.picture.planes import Planes


class SampleOffset(Stage):
    """The choice is in `sao` of the store, CTU by CTU, and in the slice header."""

    name = "sample_offset"

    def __init__(self) -> None:
        super().__init__()
        self._deblocked: Planes | None = None
        self._header_fields: dict[str, bool] = {}

    def begin(self, picture: PictureStore, opening: Opening) -> Mapping[str, int]:
        """Nothing is chosen but what the header says."""
        picture.sao.type_idx[:] = 0
        header = opening.header
        self._header_fields = {"sao_luma": header.sao_luma, "sao_chroma": header.sao_chroma}
        return {name: int(value) for name, value in self._header_fields.items()}

    def use(self, picture: PictureStore, luma: bool, chroma: bool) -> None:
        """Switch it on or off in the slice; the encoder's choice."""
        self._header_fields = {"sao_luma": bool(luma), "sao_chroma": bool(chroma)}
        picture.change_syntax(sao_luma=int(luma), sao_chroma=int(chroma))

    def apply(self, picture: PictureStore) -> None:
        """Add the offsets."""
        if not any(self._header_fields.values()):
            return
        planes = picture.picture.planes
        if self._deblocked is None:
            self._deblocked = Planes(*(np.zeros_like(plane) for plane in planes))
        sao_picture(planes, self._deblocked, picture.sao, picture.sps.bit_depth)

    @property
    def header_fields(self) -> Mapping[str, Any]:
        """slice_sao_luma_flag and slice_sao_chroma_flag."""
        return self._header_fields

    def inspect(self, picture: PictureStore) -> Mapping[str, Any]:
        """Parameters by CTU."""
        return {"sao": picture.sao}

    def samples(self, picture: PictureStore) -> Iterable[Samples]:
        """The picture so far."""
        return [("sao_samples", picture.picture.inner())]
