"""The encoder's choices for a picture: its blocks, then stage by stage what the decoder reads."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from codecsim.codec.config import EncoderConfig
from codecsim.codec.picture_codec import PictureCodec
from codecsim.codec.stages.compensation import Compensation
from codecsim.codec.stages.inter_filter import InterFiltering
from codecsim.codec.stages.loop_filter import LoopFiltering
from codecsim.codec.stages.sample_offset import SampleOffset
from codecsim.codec.stages.stage import Stage
from codecsim.kernels.binding import bind
from codecsim.picture.planes import Planes
from codecsim.search.aim import Aim
from codecsim.search.inter_filter import InterFilterSearch
from codecsim.search.loop import choose_loop_filter
from codecsim.search.overlap import choose_overlap
from codecsim.search.picture import PictureSearch
from codecsim.search.sao import SaoSearch


class PictureChoices:
    """Chooses for the pictures of one sequence.

    To give a stage its choice, add it to `_choices`: a function of codec, stage and Aim, called when the stage is
    prepared and not yet applied.

    Parameters
    ----------
    codec : PictureCodec, whose store and stages receive what is chosen
    config : EncoderConfig
    """

    def __init__(self, codec: PictureCodec, config: EncoderConfig) -> None:
        self._codec, effort = codec, config.search
        self._search = PictureSearch(codec, effort, config.hevc.adaptive_qp)
        self._filtering = codec.find(InterFiltering)
        self._filter_search = InterFilterSearch(codec, config) if self._filtering is not None else None
        self._passes = effort.filter_passes
        self._choices: dict[str, Callable[[PictureCodec, Any, Aim], None]] = {
            Compensation.name: choose_overlap,
            SampleOffset.name: SaoSearch(codec).choose,
            LoopFiltering.name: choose_loop_filter,
        }
        if self._filter_search is not None:
            self._choices[InterFiltering.name] = self._filter_search.choose

    def predict(self, orig: Planes, lam: float) -> None:
        """Search the picture and run its stages of prediction.

        With the learned filter on, as often as the preset says: each search knows what the last filter added.

        Parameters
        ----------
        orig : Planes, unpadded source at coded size
        lam : float, squared error per bit
        """
        self._search.begin(orig, lam)
        if self._filter_search is not None:
            self._filter_search.begin(orig)
        again = self._passes if self._filtering is not None and self._filtering.on else 1
        target = orig
        while again > 0:
            state = self._search.run(target)
            self._aim = Aim(orig, lam, bind(state.value._replace(orig=orig)))
            self._codec.predict(self.choose)
            again -= 1
            if again > 0:
                target = self._source_before_choices(orig)

    def choose(self, stage: Stage) -> None:
        """The choice in a stage that is prepared, as PictureCodec.predict and complete ask for it."""
        choice = self._choices.get(stage.name)
        if choice is not None:
            choice(self._codec, stage, self._aim)

    def units(self) -> Mapping[str, bytes]:
        """NAL units that go with the picture, by the part of its bits that they are."""
        return self._filter_search.units() if self._filter_search is not None else {}

    def _source_before_choices(self, orig: Planes) -> Planes:
        """The source less what overlap and filter add where they are chosen: what a further search has to predict.

        The search knows neither.  Given this source, it looks for the prediction that they make right.
        """
        final, plain = self._codec.pred, self._codec.stage(Compensation).plain
        top = (1 << self._codec.sps.bit_depth) - 1
        aims = (np.clip(o - (f.astype(np.int32) - p), 0, top) for o, f, p in zip(orig, final, plain, strict=True))
        return Planes(*(aim.astype(np.uint16) for aim in aims))
