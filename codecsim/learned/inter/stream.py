"""Normative. What a stream says about tools beyond the standard: parameters and weights, and switches of a picture."""

from codecsim.errors import BitstreamError, ConfigError
from codecsim.learned.engine.weights import builtin_weights, with_more_inputs
from codecsim.learned.inter.controller import Order
from codecsim.learned.inter.learner_presets import settings_at
from codecsim.learned.inter.params import Control, Expert, LearnParams
from codecsim.learned.inter.prediction_filter import PredictionFilter
from codecsim.learned.inter.size_classes import CLASS_LIMITS, SizeClassFilter
from codecsim.learned.model_files import INTER_LUMA, find_model, load_model
from codecsim.syntax.headers import (
    INTER_TOOLS,
    TOOL_CHROMA,
    TOOL_FILTER,
    TOOL_INTRA,
    TOOL_LOOP,
    TOOL_OBMC,
    LearnedTools,
    ToolSettings,
)

ARITHMETIC_VERSION = 4  # of everything that changes decoded samples of streams with such tools
DEFAULT_MODEL = "prediction-luma"  # ships with codecsim; learning starts there where the settings ask for its shape
UNTRAINED = "untrained"  # in place of a model's name: the built-in weights
NOT_DECODABLE = 255  # in place of the version, in what an encoder with an oracle makes: for its bits to be counted
KNOWN_TOOLS = TOOL_FILTER | TOOL_OBMC | TOOL_CHROMA | TOOL_INTRA | TOOL_LOOP  # those that this decoder has


def learn_params(config):
    """`LearnParams` of an EncoderConfig whose filter is not off."""
    settings = settings_at(config.learn, config.qp)
    if config.filter == "frozen":
        settings["control"] = Control.NEVER
        settings.setdefault("experts", Expert.ONLINE)  # those that are fitted to pictures only where they are asked for
    elif config.config == "ra":
        # What the net learnt from the first, distant picture of a group fits the others badly: measured on validation
        # clips, luma gains 1.9 % with the initial net to choose too, 0.8 % without.
        settings.setdefault("experts", Expert.INITIAL | Expert.ONLINE | Expert.RLS)
    if config.filter != "frozen" and config.search_effort.learner_trials:
        settings.setdefault("control", Control.SIGNALLED)
    try:
        return LearnParams(**settings)
    except TypeError as error:
        raise ConfigError(f"learned tools: {error}") from None


def _mask_words(kind):
    """Words of 32 bits that say which fields of a class of parameters are changed."""
    return -(-len(kind.packed_fields) // 32)


def changes(params):
    """Parameters as the stream carries them: where they differ from the default ones, which belong to the version.

    Returns
    -------
    tuple of int : nothing, or a mask of the changed fields, lowest bit first, in words of 32 bits, and their values
    """
    changed = [
        (k, value)
        for k, (value, usual) in enumerate(zip(params.pack(), type(params)().pack(), strict=True))
        if value != usual
    ]
    if not changed:
        return ()
    mask = sum(1 << k for k, _ in changed)
    words = ((mask >> 32 * word) & 0xFFFFFFFF for word in range(_mask_words(type(params))))
    return (*words, *(value for _, value in changed))


def with_changes(values, kind=LearnParams):
    """Parameters of the class `kind` from what `changes` returns.

    Raises
    ------
    ConfigError : for values that are out of range or not as many as the mask says
    """
    packed, words = kind().pack(), _mask_words(kind)
    mask = sum(value << 32 * word for word, value in enumerate(values[:words]))
    fields = [k for k in range(32 * words) if mask >> k & 1]
    changed = values[words:]
    if len(fields) != len(changed) or (fields and fields[-1] >= len(packed)):
        raise ConfigError(f"learned tools: {len(values)} parameters do not fit the mask {mask:#x}")
    for k, value in zip(fields, changed, strict=True):
        packed[k] = value
    return kind.unpack(packed)


class LearnedStream:
    """Learned tools of one sequence.

    Parameters
    ----------
    params : LearnParams
    model : Model of the prediction filter, None for the built-in weights

    Attributes
    ----------
    initial : InitialWeights
    digest : bytes, name of the weights in a stream: the model's, as it was before it got further inputs

    Raises
    ------
    ConfigError : for a model that takes other inputs than the parameters say
    """

    def __init__(self, params, model=None):
        self.params = params
        self.initial = builtin_weights(params.spec) if model is None else _initial_weights(params, model)
        self.digest = self.initial.digest() if model is None else model.digest

    @classmethod
    def from_config(cls, config):
        """Those of an EncoderConfig whose filter is not off.

        Raises
        ------
        ConfigError : settings that cannot be, or no such model
        ModelError : a damaged model
        """
        params = learn_params(config)
        return cls(params, starting_model(config.model, INTER_LUMA, DEFAULT_MODEL, params))

    @classmethod
    def from_sps(cls, sps, places=(), own=()):
        """The learned ones that a sequence parameter set announces, or None.

        places : files and folders where models may be, beside those that ship
        own : names of tools in whose place the decoder has been given filters, see learned.own_filters

        Raises
        ------
        BitstreamError : another version of the arithmetic, an unknown tool, or parameters out of range
        ModelError : initial weights that are not here
        """
        announced = sps.learned
        if announced is None:
            return None
        if announced.arithmetic_version == NOT_DECODABLE and not own:
            raise BitstreamError(
                "an experiment with an oracle, which cannot be decoded: its encoder learned from the original; "
                "or one with a filter of its own, which the decoder has not been given",
                "learned_arithmetic_version",
            )
        if announced.arithmetic_version != (NOT_DECODABLE if own else ARITHMETIC_VERSION):
            raise BitstreamError(
                f"learned tools of arithmetic version {announced.arithmetic_version}; this decoder has version "
                f"{ARITHMETIC_VERSION}",
                "learned_arithmetic_version",
            )
        if not announced.tools or announced.tools & ~KNOWN_TOOLS:
            raise BitstreamError(f"unknown tools {announced.tools:#x}", "learned_tools")
        settings = None if "inter_luma" in own else announced.settings_of(TOOL_FILTER)
        if not announced.tools & TOOL_FILTER and announced.tools & TOOL_CHROMA:
            raise BitstreamError("the chroma filter goes with the luma one, which is missing", "learned_tools")
        if settings is None:
            return None
        try:
            params = with_changes(settings.parameters)
        except ConfigError as error:
            raise BitstreamError(str(error), "learned_parameters") from None
        if settings.weights_digest == builtin_weights(params.spec).digest():
            return cls(params)
        model = find_model(settings.weights_digest, INTER_LUMA, places)
        try:
            return cls(params, model)
        except ConfigError as error:
            raise BitstreamError(str(error), "learned_parameters") from None

    def settings(self):
        """`ToolSettings` of the prediction filter for the sequence parameter set."""
        return ToolSettings(changes(self.params), self.digest)

    @property
    def is_signalled(self):
        """Whether slice headers carry orders to the learners."""
        return self.params.control == Control.SIGNALLED

    def make_filter(self, sps, threads=1):
        """The learner, in its initial state, for pictures of the sequence's coded size."""
        kind = SizeClassFilter if self.params.block_size in CLASS_LIMITS else PredictionFilter
        return kind(self.params, sps.width, sps.height, sps.bit_depth, self.initial, threads)


def starting_model(name, kind, default, params):
    """Model that a learner starts from, None for the built-in weights.

    Parameters
    ----------
    name : str, of a model, UNTRAINED, or None: the default one where the parameters ask for its shape and inputs
    kind : str, of model_files
    default : str, name of a model that ships
    params : LearnParams or ChromaParams

    Raises
    ------
    ConfigError : no such model
    ModelError : a damaged one
    """
    if name == UNTRAINED:
        return None
    if name is not None:
        return load_model(name, kind)
    model, wanted = load_model(default, kind), params.without_sizes
    return model if (model.inputs, model.spec) == (wanted.inputs, wanted.spec) else None


def _initial_weights(params, model):
    """Those of a model, which need not know the sizes of blocks.

    Raises
    ------
    ConfigError : a model for other inputs than the parameters say
    """
    if model.spec.n_outputs == 1 and model.inputs in (params.inputs, params.without_sizes.inputs):
        if model.inputs == params.inputs:
            return model.initial()
        try:
            return with_more_inputs(model.initial(), len(model.inputs), params.spec.n_inputs)
        except ValueError as error:
            raise ConfigError(f"model {model.name}: it cannot take the sizes of blocks too: {error}") from None
    further = sum(name.startswith("further_") for name in model.inputs)
    switches = [("high_pass", "high_pass"), ("overlapped", "overlapped"), ("qp_plane", "qp")]
    wanted = [f"{field}={int(name in model.inputs)}" for field, name in switches] + [f"further={further}"]
    raise ConfigError(
        f"model {model.name}: it takes {', '.join(model.inputs)} to {model.spec.n_outputs} output; the settings give "
        f"{', '.join(params.inputs)} to 1 output; to have what it takes, say --learner {' --learner '.join(wanted)}"
    )


def announce(tools, decodable=True):
    """`LearnedTools` for the sequence parameter set.

    Parameters
    ----------
    tools : dict of TOOL_* bit to its ToolSettings, or to None for a tool without settings
    decodable : bool, false in an experiment with an oracle: decoders refuse the stream

    Returns
    -------
    LearnedTools, or None where there are no tools
    """
    if not tools:
        return None
    settings = tuple(tools[bit] for bit in sorted(tools) if tools[bit] is not None)
    return LearnedTools(ARITHMETIC_VERSION if decodable else NOT_DECODABLE, sum(tools), settings)


def usable_tools(announced, is_inter):
    """TOOL_* bits, of those of the sequence, that a picture can use."""
    return announced if is_inter else announced & ~INTER_TOOLS


def picture_switches(announced, tools, order=Order.TRAIN):
    """Slice header extension of a picture: nothing where all tools are on and train, as is the rule.

    Else a byte with the tools that are on; then one with an order that is not to train.

    Parameters
    ----------
    announced : int, TOOL_* bits that the picture can use
    tools : int, those of them that the picture has on
    order : Order to the learners, TRAIN in a picture without TOOL_FILTER and where learners take no orders
    """
    if order != Order.TRAIN:
        return bytes([tools, order])
    return b"" if tools == announced else bytes([tools])


def read_switches(announced, extension, signalled=False):
    """What is on in a picture with this slice header extension, and what it orders.

    Parameters
    ----------
    announced : int, TOOL_* bits that the picture can use; where there are none, the extension says nothing
    extension : bytes
    signalled : bool, whether the learners of the stream take orders

    Returns
    -------
    (TOOL_* bits, Order)

    Raises
    ------
    BitstreamError : not what `picture_switches` returns
    """
    if not extension or not announced:
        return announced, Order.TRAIN
    tools, *orders = extension
    can_order = signalled and tools & TOOL_FILTER and len(orders) == 1
    if tools & ~announced or (not can_order if orders else tools == announced):
        raise BitstreamError(f"the tools' switches are none of {announced:#x}", "slice_segment_header_extension")
    if not orders:
        return tools, Order.TRAIN
    if orders[0] not in (Order.HOLD, Order.RESET):
        raise BitstreamError(f"no such order to the learner: {orders[0]}", "slice_segment_header_extension")
    return tools, Order(orders[0])
