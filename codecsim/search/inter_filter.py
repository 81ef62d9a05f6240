"""The encoder's choices in the learned filters of inter prediction: orders, chroma, and experts per 32x32."""

import functools
from collections.abc import Mapping

import numpy as np

from codecsim.codec.config import EncoderConfig
from codecsim.codec.picture_codec import PictureCodec
from codecsim.codec.stages.inter_filter import InterFiltering, InterLearning
from codecsim.entropy.contexts import FILTER_CHOICE
from codecsim.picture.blocks import MODE_INTER
from codecsim.picture.planes import Planes
from codecsim.search.aim import Aim
from codecsim.search.alternatives import choose_where, cost_of_choice
from codecsim.search.orders import choose_order
from codecsim.search.sent_weights import WeightSender


class InterFilterSearch:
    """Chooses for the stage InterFiltering of a codec.

    Parameters
    ----------
    codec : PictureCodec
    config : EncoderConfig
    """

    def __init__(self, codec: PictureCodec, config: EncoderConfig) -> None:
        self._learning = codec.find(InterLearning)
        self._from_source = config.oracle == "original"
        filtering, sends = codec.find(InterFiltering), config.oracle == "weights"
        self._sender = WeightSender(filtering.luma, codec.sps) if filtering is not None and sends else None

    def begin(self, orig: Planes) -> None:
        """A picture begins, of which this is the source."""
        if self._learning is not None:
            self._learning.oracle = orig if self._from_source else None
        if self._sender is not None:
            self._sender.begin()

    def choose(self, codec: PictureCodec, stage: InterFiltering, aim: Aim) -> None:
        """Choose how the filters learn and where the picture takes what they make, and update its decisions."""
        if not stage.on:
            return
        cost_of, lam = functools.partial(_filtering_cost, codec, stage, aim), aim.state.value.weights.lam
        if stage.has_lesson:
            choose_order(codec, stage, cost_of, lam)
        if self._sender is not None:
            self._sender.choose(codec, stage, aim.orig.y, cost_of, lam)
        stage.filter(codec)
        choose_where(
            codec, aim.state, choose_chroma(codec, stage, aim), aim.state.value.rc.blocks.filtering, FILTER_CHOICE
        )

    def units(self) -> Mapping[str, bytes]:
        """NAL units that go with the picture, by the part of its bits that they are."""
        return {"sent_weights": self._sender.filler()} if self._sender is not None and self._sender.bits else {}


def _filtering_cost(codec: PictureCodec, stage: InterFiltering, aim: Aim) -> float:
    """Cost of the picture if each 32x32 has the choice among what the stage has filtered; decisions stay."""
    choice = aim.state.value.rc.blocks.filtering
    return cost_of_choice(codec, aim.state, choose_chroma(codec, stage, aim), choice, FILTER_CHOICE)


def choose_chroma(codec: PictureCodec, stage: InterFiltering, aim: Aim) -> Planes:
    """Let the picture use filtered chroma unless that is farther from the source than the prediction is.

    Returns
    -------
    Planes : what the filtered stage lets blocks choose from
    """
    if not stage.chroma_alternative:
        return stage.use_chroma(codec, False)
    inter = np.kron(codec.blocks.pred_mode >= MODE_INTER, np.ones((2, 2), bool))
    gain = 0.0
    weights = aim.state.value.weights
    for k, weight in ((1, weights.cb), (2, weights.cr)):
        source = aim.orig[k].astype(np.int64)
        before, after = ((source - plane)[inter] for plane in (codec.pred[k], stage.chroma_alternative[k - 1]))
        gain += weight * float(np.sum(before * before) - np.sum(after * after))
    return stage.use_chroma(codec, gain >= 0)
