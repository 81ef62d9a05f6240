"""An experiment that cannot be decoded: weights fitted to each picture's source are supposed to be sent.

Before a picture is filtered, a copy of the net is trained on the picture's prediction and its source.  What that adds
to the weights is quantised, and the bits that an ideal adaptive arithmetic coder would need for it are counted.  Where
the picture's rate-distortion cost says so, the net takes the addition, as the decoder would if it were really sent.
That nothing is sent is told free of bits.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from codecsim.codec.picture_store import PictureStore
from codecsim.codec.stages.inter_filter import InterFiltering
from codecsim.errors import ConfigError
from codecsim.learned.inter.inputs import CODED
from codecsim.learned.inter.prediction_filter import PredictionFilter
from codecsim.learned.inter.signalled import SignalledLearner
from codecsim.learned.learner import Learner
from codecsim.picture.blocks import CHOICE_LOG2, MODE_INTER
from codecsim.syntax import nal as nal_units
from codecsim.syntax.headers import Sps
from codecsim.tools.learner import Control, Expert, Reset

EPOCHS_Q2 = 96  # of training on a picture's source
STEPS = tuple(2.0**-k for k in range(2, 9))  # of quantisation of what is added
TRIED = 2  # of all ways of sending, those with the best estimate are tried at full cost
_ESCAPE = 15  # magnitudes from here on are followed by an Exp-Golomb code
_HEADER_BITS = 4  # which step, and which weights
_NAL_BYTES = 6  # of a NAL unit beside its payload: start code, header, trailing bits


class WeightSender:
    """Chooses what to send for each picture.

    Parameters
    ----------
    luma : Learner, a PredictionFilter to whose weights is added, or one that takes orders
    sps : Sps

    Raises
    ------
    ConfigError : a net for each class of block sizes, or none that blocks may choose
    """

    def __init__(self, luma: Learner, sps: Sps) -> None:
        own = luma.learner if isinstance(luma, SignalledLearner) else luma
        if not isinstance(own, PredictionFilter):
            raise ConfigError("oracle 'weights' needs one net that learns, for blocks of all sizes")
        self._filter, params = own, own.params
        if not params.experts & (Expert.ONLINE | Expert.MIX):
            raise ConfigError("oracle 'weights' needs one net that learns, for blocks of all sizes")
        usual: dict[str, Any] = {
            "control": Control.ALWAYS,
            "reset": Reset.NEVER,
            "experts": Expert.ONLINE,
            "average_q8": 0,
        }
        params = dataclasses.replace(params, **usual, replay=1, epochs_q2=EPOCHS_Q2, hot_share_q8=1, worse_q8=0)
        size = sps.width, sps.height, sps.bit_depth
        self._tuner = PredictionFilter(params, *size, own.state.initial, inputs=own.inputs)
        last = own.net.spec.layers[-1]
        self._last_layer = np.zeros(own.net.spec.n_weights, bool)
        self._last_layer[last.weights : last.end] = True
        self.begin()

    def begin(self) -> None:
        """A new picture begins."""
        self._before, self.bits = None, 0

    def choose(
        self, picture: PictureStore, stage: InterFiltering, orig: np.ndarray, cost_of: Callable[[], float], lam: float
    ) -> None:
        """Send what makes the picture cheapest, or nothing; the stage's filter of luma has it then.

        Parameters
        ----------
        stage : InterFiltering, prepared
        orig : (h, w) uint16 source of luma
        cost_of : function without arguments: rate-distortion cost of the picture with what the stage has filtered
        lam : float, cost of a bit
        """
        learner = stage.luma
        if self._before is not None:  # another pass over the picture
            learner.restore(self._before)
        stage.filter(picture)
        self._before, self.bits = learner.snapshot(), 0
        best, kept = cost_of(), None
        for _, bits, delta in sorted(self._candidates(picture, stage, orig, lam), key=lambda found: found[0])[:TRIED]:
            learner.restore(self._before)
            self._filter.state.move(delta)
            stage.filter(picture)
            cost = cost_of() + lam * bits
            if cost < best:
                best, kept, self.bits = cost, delta, bits
        learner.restore(self._before)
        if kept is not None:
            self._filter.state.move(kept)

    def _candidates(
        self, picture: PictureStore, stage: InterFiltering, orig: np.ndarray, lam: float
    ) -> list[tuple[float, int, np.ndarray]]:
        """[(estimated cost, bits, (n,) float32 addition to the weights), ...]."""
        inputs, tuner = stage.inputs(picture), self._tuner
        inter = picture.blocks.pred_mode >= MODE_INTER
        start = self._filter.state.weights.copy()
        tuner.state.reset()
        tuner.state.master[:] = start
        _, lesson = tuner.predict(inputs)
        tuner.learn(lesson, orig, CODED * inter.astype(np.uint8))
        added, samples, found = tuner.state.master - start, np.kron(inter, np.ones((4, 4), bool)), {}
        plain = block_costs(picture.pred.y, orig, samples, lam)
        for chosen in (np.ones_like(self._last_layer), self._last_layer):
            for step in STEPS:
                levels = np.rint(np.where(chosen, added, 0) / step).astype(np.int64)
                if not levels.any():
                    continue
                bits = _HEADER_BITS + level_bits(levels[chosen])
                tuner.state.master[:] = start
                tuner.state.move((levels * step).astype(np.float32))
                cost = np.minimum(plain, block_costs(tuner.predict(inputs)[0][0], orig, samples, lam)).sum()
                found[levels.tobytes()] = float(cost) + lam * bits, bits, (levels * step).astype(np.float32)
        return list(found.values())

    def filler(self) -> bytes:
        """A NAL unit of filler data as long as what is sent, for it to count in the size."""
        payload = b"\xff" * max(0, -(-self.bits // 8) - _NAL_BYTES) + b"\x80"
        return nal_units.write_nal_unit(nal_units.FILLER, payload, 0)


def level_bits(levels: np.ndarray) -> int:
    """Bits of an ideal adaptive arithmetic code of integers: magnitudes by Krichevsky's and Trofimov's estimate, signs.

    Parameters
    ----------
    levels : (n,) int64

    Returns
    -------
    int, rounded up
    """
    magnitudes = np.abs(levels)
    counts = np.bincount(np.minimum(magnitudes, _ESCAPE), minlength=_ESCAPE + 1)
    log = math.lgamma(len(counts) / 2) - math.lgamma(levels.size + len(counts) / 2)
    log += sum(math.lgamma(count + 0.5) - math.lgamma(0.5) for count in counts)
    escaped = magnitudes[magnitudes >= _ESCAPE] - _ESCAPE
    golomb = sum(2 * int(value + 1).bit_length() - 1 for value in escaped)
    return math.ceil(-log / math.log(2)) + int(np.count_nonzero(levels)) + golomb


def block_costs(plane: np.ndarray, orig: np.ndarray, samples: np.ndarray, lam: float) -> np.ndarray:
    """What it costs to code the errors of a prediction in each 32x32 block, if they are Gaussian in each 8x8.

    A sample of variance v costs v if that is below D = lam / (2 ln 2), where a bit and the error that it saves are
    worth the same, else D and lam / 2 log2(v / D) for its bits.  Source: Cover and Thomas, Elements of Information
    Theory, reverse water-filling.

    Parameters
    ----------
    plane, orig : (h, w) uint16, h and w multiples of 8
    samples : (h, w) bool, those that count
    lam : float, squared error per bit

    Returns
    -------
    (H32, W32) float64, squared error
    """
    h, w = orig.shape
    errors = np.where(samples, (plane.astype(np.float64) - orig) ** 2, 0)
    variance = errors.reshape(h // 8, 8, w // 8, 8).mean((1, 3))
    worth = lam / (2 * math.log(2))
    costs = 64 * (np.minimum(variance, worth) + lam / 2 * np.log2(np.maximum(variance / worth, 1)))
    size = 1 << CHOICE_LOG2 - 3
    padded = np.zeros((-(-costs.shape[0] // size) * size, -(-costs.shape[1] // size) * size))
    padded[: costs.shape[0], : costs.shape[1]] = costs
    return padded.reshape(padded.shape[0] // size, size, -1, size).sum((1, 3))
