"""Normative.  The intra prediction filter of one sequence, as its parameter set announces it."""

from codecsim.errors import BitstreamError, ConfigError
from codecsim.learned.intra.filter import IntraFilter, input_kinds
from codecsim.learned.intra.params import IntraParams
from codecsim.learned.model_files import INTRA, find_model, load_model
from codecsim.syntax.headers import TOOL_INTRA, ToolSettings

DEFAULT_MODEL = "prediction-intra"  # ships with codecsim


class IntraStream:
    """Parameters and weights of the intra filter.

    Parameters
    ----------
    params : IntraParams
    model : Model of kind INTRA

    Raises
    ------
    ConfigError : for a model that the filter cannot run
    """

    def __init__(self, params, model):
        input_kinds(model)
        self.params, self.model = params, model

    @classmethod
    def from_config(cls, config):
        """That of an EncoderConfig, None where it is off.

        Raises
        ------
        ConfigError : settings that cannot be, or no such model
        ModelError : a damaged model
        """
        if config.intra_filter == "off":
            return None
        try:
            params = IntraParams(**config.intra_learn, online=config.intra_filter == "online")
        except TypeError as error:
            raise ConfigError(f"intra filter: {error}") from None
        return cls(params, load_model(config.intra_model or DEFAULT_MODEL, INTRA))

    @classmethod
    def from_sps(cls, sps, places=()):
        """The one that a sequence parameter set announces, or None; its arithmetic and tools are known.

        places : files and folders where models may be, beside those that ship

        Raises
        ------
        BitstreamError : parameters out of range
        ModelError : weights that are not here
        """
        settings = sps.learned.settings_of(TOOL_INTRA) if sps.learned else None
        if settings is None:
            return None
        model = find_model(settings.weights_digest, INTRA, places)
        try:
            return cls(IntraParams.unpack(settings.parameters), model)
        except ConfigError as error:
            raise BitstreamError(str(error), "learned_parameters") from None

    def settings(self):
        """`ToolSettings` for the sequence parameter set."""
        return ToolSettings(self.params.pack(), self.model.digest)

    def make_filter(self, sps):
        """The filter for pictures of the sequence."""
        return IntraFilter(self.params, self.model, sps.bit_depth)
