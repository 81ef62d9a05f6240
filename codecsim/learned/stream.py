"""Normative. What a stream says about its learned tools: parameters and weights of the sequence, switches of a picture."""

from codecsim.errors import BitstreamError, ConfigError, ModelError
from codecsim.learned.params import Control, LearnParams
from codecsim.learned.prediction_filter import PredictionFilter
from codecsim.learned.weights import builtin_weights
from codecsim.syntax.headers import LearnedTools

ARITHMETIC_VERSION = 1  # of everything that changes decoded samples of streams with learned tools
PREDICTION_FILTER = 1  # filter_mode: the inter luma prediction filter
_FILTER_ON = 1  # bit of the slice header extension's only byte


def learn_params(config):
    """`LearnParams` of an EncoderConfig whose filter is not off."""
    settings = dict(config.learn)
    if config.filter == "frozen":
        settings["control"] = Control.NEVER
    try:
        return LearnParams(**settings)
    except TypeError as error:
        raise ConfigError(f"learned tools: {error}") from None


class LearnedStream:
    """Learned tools of one sequence.

    Parameters
    ----------
    params : LearnParams

    Raises
    ------
    ConfigError : auxiliary predictions, which the codec does not make yet
    """

    def __init__(self, params):
        if params.n_aux:
            raise ConfigError(f"learned tools: n_aux is {params.n_aux}; expected 0, no auxiliary predictions exist yet")
        self.params = params
        self._initial = builtin_weights(params.spec)

    @classmethod
    def from_sps(cls, sps):
        """Those that a sequence parameter set announces, or None.

        Raises
        ------
        BitstreamError : another version of the arithmetic, an unknown tool, or parameters out of range
        ModelError : initial weights that are not here
        """
        announced = sps.learned
        if announced is None:
            return None
        if announced.arithmetic_version != ARITHMETIC_VERSION:
            raise BitstreamError(
                f"learned tools of arithmetic version {announced.arithmetic_version}; this decoder has version "
                f"{ARITHMETIC_VERSION}",
                "learned_arithmetic_version",
            )
        if announced.filter_mode != PREDICTION_FILTER:
            raise BitstreamError(f"unknown prediction filter {announced.filter_mode}", "learned_filter_mode")
        try:
            stream = cls(LearnParams.unpack(announced.parameters))
        except ConfigError as error:
            raise BitstreamError(str(error), "learned_parameters") from None
        if announced.weights_digest != stream._initial.digest():
            raise ModelError(
                f"the stream needs initial weights {announced.weights_digest.hex()}; "
                f"found only the built-in ones, {stream._initial.digest().hex()}"
            )
        return stream

    def announce(self):
        """`LearnedTools` for the sequence parameter set."""
        return LearnedTools(ARITHMETIC_VERSION, PREDICTION_FILTER, tuple(self.params.pack()), self._initial.digest())

    def make_filter(self, sps, threads=1):
        """The learner, in its initial state, for pictures of the sequence's coded size."""
        return PredictionFilter(self.params, sps.width, sps.height, sps.bit_depth, self._initial, threads)

    @staticmethod
    def picture_switches(filter_on):
        """Slice header extension of a picture."""
        return bytes([_FILTER_ON if filter_on else 0])

    @staticmethod
    def read_switches(extension):
        """Whether the prediction filter is on in a picture with this slice header extension."""
        if len(extension) != 1 or extension[0] & ~_FILTER_ON:
            raise BitstreamError("the learned tools' switches are not one byte of 0 or 1", "slice_segment_header_extension")
        return bool(extension[0] & _FILTER_ON)
