"""Normative.  The chroma filter of one sequence, as its parameter set announces it."""

from codecsim.errors import BitstreamError, ConfigError
from codecsim.learned.engine.weights import builtin_weights
from codecsim.learned.inter.chroma_filter import ChromaFilter
from codecsim.learned.inter.chroma_params import ChromaParams
from codecsim.learned.inter.learner_presets import settings_at
from codecsim.learned.inter.params import Control
from codecsim.learned.inter.stream import changes, learn_params, starting_model, with_changes
from codecsim.learned.model_files import INTER_CHROMA, find_model
from codecsim.syntax.headers import TOOL_CHROMA, ToolSettings

DEFAULT_MODEL = "prediction-chroma"  # ships with codecsim


class ChromaStream:
    """Parameters and weights of the chroma filter.

    Parameters
    ----------
    params : ChromaParams
    model : Model of kind INTER_CHROMA, None for the built-in weights

    Raises
    ------
    ConfigError : for a model that takes other inputs than the parameters say
    """

    def __init__(self, params, model=None):
        if model is not None and (model.inputs != params.inputs or model.spec.n_outputs != 1):
            raise ConfigError(
                f"model {model.name}: it takes {', '.join(model.inputs)} to {model.spec.n_outputs} output; "
                f"the settings of the chroma filter give {', '.join(params.inputs)} to 1 output"
            )
        self.params = params
        self.initial = builtin_weights(params.spec) if model is None else model.initial()

    @classmethod
    def from_config(cls, config):
        """That of an EncoderConfig, None where it is off or has no use.

        Raises
        ------
        ConfigError : settings that cannot be, or no such model
        ModelError : a damaged model
        """
        if config.chroma_filter == "off" or config.config == "ai":
            return None
        settings = settings_at(config.chroma_learn, config.qp, ChromaParams)
        if config.chroma_filter == "frozen":
            settings["control"] = Control.NEVER
        elif learn_params(config).control == Control.SIGNALLED:  # the same orders are for both
            settings.setdefault("control", Control.SIGNALLED)
        try:
            params = ChromaParams(**settings)
        except TypeError as error:
            raise ConfigError(f"chroma filter: {error}") from None
        return cls(params, starting_model(config.chroma_model, INTER_CHROMA, DEFAULT_MODEL, params))

    @classmethod
    def from_sps(cls, sps, places=()):
        """The one that a sequence parameter set announces, or None; its arithmetic and tools are known.

        places : files and folders where models may be, beside those that ship

        Raises
        ------
        BitstreamError : parameters out of range
        ModelError : weights that are not here
        """
        settings = sps.learned.settings_of(TOOL_CHROMA) if sps.learned else None
        if settings is None:
            return None
        try:
            params = with_changes(settings.parameters, ChromaParams)
            if settings.weights_digest == builtin_weights(params.spec).digest():
                return cls(params)
            return cls(params, find_model(settings.weights_digest, INTER_CHROMA, places))
        except ConfigError as error:
            raise BitstreamError(str(error), "learned_parameters") from None

    def settings(self):
        """`ToolSettings` for the sequence parameter set."""
        return ToolSettings(changes(self.params), self.initial.digest())

    def make_filter(self, sps, threads=1):
        """The learners, in their initial state, for pictures of the sequence's coded size."""
        return ChromaFilter(self.params, sps.width, sps.height, sps.bit_depth, self.initial, threads)
