"""Normative. What a stream says about tools beyond the standard: parameters and weights, and switches of a picture."""

from codecsim.errors import BitstreamError, ConfigError, ModelError
from codecsim.learned.params import Control, LearnParams
from codecsim.learned.prediction_filter import PredictionFilter
from codecsim.learned.weights import builtin_weights
from codecsim.syntax.headers import TOOL_FILTER, TOOL_OBMC, LearnedTools

ARITHMETIC_VERSION = 2  # of everything that changes decoded samples of streams with such tools


def learn_params(config):
    """`LearnParams` of an EncoderConfig whose filter is not off."""
    settings = dict(config.learn)
    if config.filter == "frozen":
        settings["control"] = Control.NEVER
    try:
        return LearnParams(**settings)
    except TypeError as error:
        raise ConfigError(f"learned tools: {error}") from None


def changes(params):
    """Parameters as the stream carries them: where they differ from the default ones, which belong to the version.

    Returns
    -------
    tuple of int : nothing, or a mask of the changed fields, lowest bit first, and their values
    """
    changed = [
        (k, value)
        for k, (value, usual) in enumerate(zip(params.pack(), LearnParams().pack(), strict=True))
        if value != usual
    ]
    return (sum(1 << k for k, _ in changed), *(value for _, value in changed)) if changed else ()


def with_changes(values):
    """`LearnParams` from what `changes` returns.

    Raises
    ------
    ConfigError : for values that are out of range or not as many as the mask says
    """
    packed = LearnParams().pack()
    mask = values[0] if values else 0
    fields = [k for k in range(32) if mask >> k & 1]
    if len(fields) != len(values[1:]) or (fields and fields[-1] >= len(packed)):
        raise ConfigError(f"learned tools: {len(values)} parameters do not fit the mask {mask:#x}")
    for k, value in zip(fields, values[1:], strict=True):
        packed[k] = value
    return LearnParams.unpack(packed)


class LearnedStream:
    """Learned tools of one sequence.

    Parameters
    ----------
    params : LearnParams
    """

    def __init__(self, params):
        self.params = params
        self._initial = builtin_weights(params.spec)

    @classmethod
    def from_sps(cls, sps):
        """The learned ones that a sequence parameter set announces, or None.

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
        if not announced.tools or announced.tools & ~(TOOL_FILTER | TOOL_OBMC):
            raise BitstreamError(f"unknown tools {announced.tools:#x}", "learned_tools")
        if not announced.tools & TOOL_FILTER:
            return None
        try:
            stream = cls(with_changes(announced.parameters))
        except ConfigError as error:
            raise BitstreamError(str(error), "learned_parameters") from None
        if announced.weights_digest != stream._initial.digest():
            raise ModelError(
                f"the stream needs initial weights {announced.weights_digest.hex()}; "
                f"found only the built-in ones, {stream._initial.digest().hex()}"
            )
        return stream

    def announce(self, others=0):
        """`LearnedTools` for the sequence parameter set; `others`: TOOL_* bits of what the stream has beside these."""
        return LearnedTools(ARITHMETIC_VERSION, TOOL_FILTER | others, changes(self.params), self._initial.digest())

    def make_filter(self, sps, threads=1):
        """The learner, in its initial state, for pictures of the sequence's coded size."""
        return PredictionFilter(self.params, sps.width, sps.height, sps.bit_depth, self._initial, threads)


def picture_switches(announced, tools):
    """Slice header extension of an inter picture: nothing where all tools are on, as is the rule, else those that are.

    Parameters
    ----------
    announced : int, TOOL_* bits of the sequence
    tools : int, those of them that the picture has on
    """
    return b"" if tools == announced else bytes([tools])


def read_switches(announced, extension):
    """TOOL_* bits of what is on in an inter picture with this slice header extension.

    Raises
    ------
    BitstreamError : not what `picture_switches` returns
    """
    if not extension:
        return announced
    tools = extension[0]
    if len(extension) > 1 or tools == announced or tools & ~announced:
        raise BitstreamError(f"the tools' switches are none of {announced:#x}", "slice_segment_header_extension")
    return tools
