"""Normative.  The in-loop filter of one sequence, as its parameter set announces it."""

from codecsim.errors import BitstreamError
from codecsim.learned.loop.filter import LoopFilter
from codecsim.learned.model_files import LOOP, find_model, load_model
from codecsim.syntax.headers import TOOL_LOOP, ToolSettings

DEFAULT_MODEL = "loop-filter"  # ships with codecsim


class LoopStream:
    """Weights of the in-loop filter.

    Parameters
    ----------
    model : Model of kind LOOP
    """

    def __init__(self, model):
        self.model = model

    @classmethod
    def from_config(cls, config):
        """That of an EncoderConfig, None where it is off.

        Raises
        ------
        ConfigError : no such model
        ModelError : a damaged model
        """
        if config.loop_filter == "off":
            return None
        return cls(load_model(DEFAULT_MODEL if config.loop_filter == "on" else config.loop_filter, LOOP))

    @classmethod
    def from_sps(cls, sps, places=()):
        """The one that a sequence parameter set announces, or None; its arithmetic and tools are known.

        places : files and folders where models may be, beside those that ship

        Raises
        ------
        BitstreamError : parameters, which this filter does not have
        ModelError : weights that are not here
        """
        settings = sps.learned.settings_of(TOOL_LOOP) if sps.learned else None
        if settings is None:
            return None
        if settings.parameters:
            raise BitstreamError("the in-loop filter has no parameters", "learned_parameters")
        return cls(find_model(settings.weights_digest, LOOP, places))

    def settings(self):
        """`ToolSettings` for the sequence parameter set."""
        return ToolSettings((), self.model.digest)

    def make_filter(self, sps, threads=1):
        """The filter for pictures of the sequence."""
        return LoopFilter(self.model.spec, self.model.weights, sps.width, sps.height, sps.bit_depth, threads)
