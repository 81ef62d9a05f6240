"""The options of `codecsim encode` that set the encoder, for the command line and for experiment files alike."""

import dataclasses
from types import MappingProxyType

import click

from codecsim.codec.config import (
    CONFIGS,
    FILTERS,
    HASHES,
    INTRA_FILTERS,
    ORACLES,
    PRESETS,
    QP_GROUPS,
    RA_GOP_SIZE,
    EncoderConfig,
    Preset,
    read_effort,
)
from codecsim.codec.structure import GOPS
from codecsim.errors import ConfigError
from codecsim.experiments.number_choice import NumberChoice
from codecsim.learned.inter.chroma_params import ChromaParams
from codecsim.learned.inter.chroma_stream import ChromaStream
from codecsim.learned.inter.learner_presets import LearnerPreset, check_settings, load_preset
from codecsim.learned.inter.params import THRESHOLD_QP, Control, LearnParams, Reset
from codecsim.learned.inter.stream import LearnedStream
from codecsim.learned.intra.params import IntraParams
from codecsim.learned.intra.stream import IntraStream
from codecsim.learned.loop.stream import LoopStream
from codecsim.picture.planes import BIT_DEPTHS

EFFORT_HELP = "Any field of codecsim.codec.config.Preset, instead of the preset's; may be given several times."
INTERNAL_BIT_DEPTH_HELP = "Of the coded samples; the input's if not given. 8 to 10 bits is a shift, 10 to 8 rounds."
CHROMA_FILTER_HELP = "Prediction filter of chroma, where the one of luma is chosen."
CHROMA_MODEL_HELP = "Initial weights of the chroma filter, or untrained; those that ship if not given."
CHROMA_LEARNER_HELP = "Any field of codecsim.learned.inter.chroma_params.ChromaParams; may be given several times."
INTRA_FILTER_HELP = "Filter of intra luma prediction, chosen per coding unit; with it streams are not HEVC."
INTRA_LEARNER_HELP = "Any field of codecsim.learned.intra.params.IntraParams but online; may be given several times."
INTRA_PERIOD_HELP = (
    f"An intra picture every N, 0: only the first. In ra a multiple of {RA_GOP_SIZE}, "
    f"{GOPS['ra'].open_period} if not given; else 0."
)
LEARN_PRESET_HELP = (
    "Learners' settings: a preset that ships, or a file, see models/learner_presets/README.md; other options win."
)
LEARNER_HELP = "Any field of codecsim.learned.inter.params.LearnParams; may be given several times."
MODEL_HELP = (
    "Initial weights of the filter, see models/README.md, or untrained; those that ship if not given, where the "
    "filter's settings ask for their shape."
)
LOSS_THRESHOLD_HELP = "With --learn threshold: train once the mean error of pictures, in 8-bit samples, sums to X."
LOOP_FILTER_HELP = (
    "Convolutional in-loop filter over whole pictures, by blocks. On: with the weights that ship; a name or path: with "
    "others. Such streams are not HEVC."
)
ORACLE_HELP = (
    "For research, what no decoder can follow: there is no stream, only the result, with its bits. original: the "
    "filter learns from the original picture; weights: those fitted to it are sent where that pays; their bits count."
)


def _names(kind) -> list[str]:
    return [member.name.lower() for member in kind]


# What the options NAME=VALUE may name: fields of these.
NAMED = MappingProxyType(
    {"learner": LearnParams, "effort": Preset, "chroma-learner": ChromaParams, "intra-learner": IntraParams}
)
# What is of no use to a frozen filter: those of these settings that only matter to training, by the filter's option.
LEARNING = MappingProxyType(
    {
        "filter": ("control", "threshold_q8", "learning_rate"),
        "chroma_filter": ("control", "threshold_q8", "learning_rate"),
        "intra_filter": ("learning_rate", "blocks", "passes", "reset_margin_q8"),
    }
)
NEVER = ("never", str(Control.NEVER.value))  # what control may be of a frozen filter
# In the order of the help text. Each is a decorator of click.
_OPTIONS = (
    click.option("--config", type=click.Choice(CONFIGS), default="ldp", show_default=True, help="Coding structure."),
    click.option("-q", "--qp", type=click.IntRange(0, 51), default=32, show_default=True, help="Base QP."),
    click.option("--frames", type=click.IntRange(min=1), metavar="N", help="Encode at most so many pictures."),
    click.option("--intra-period", type=click.IntRange(0), metavar="N", help=INTRA_PERIOD_HELP),
    click.option(
        "--preset", type=click.Choice(list(PRESETS)), default="medium", show_default=True, help="Time against bits."
    ),
    click.option("--effort", multiple=True, metavar="NAME=VALUE", help=EFFORT_HELP),
    click.option("--internal-bit-depth", type=NumberChoice(BIT_DEPTHS), help=INTERNAL_BIT_DEPTH_HELP),
    click.option(
        "--transform-skip/--no-transform-skip", default=True, show_default=True, help="4x4 blocks without transform."
    ),
    click.option(
        "--adaptive-qp", type=click.IntRange(0, 12), default=0, metavar="N", help="Vary the QP by activity, N at most."
    ),
    click.option(
        "--qp-group",
        type=NumberChoice(QP_GROUPS),
        default=32,
        show_default=True,
        help="Side of areas with their own QP.",
    ),
    click.option("--hash", type=click.Choice(HASHES), default="md5", show_default=True, help="Picture hash."),
    click.option(
        "--threads", type=click.IntRange(1, 256), default=1, show_default=True, help="Same stream with any number."
    ),
    click.option("--obmc", is_flag=True, help="Overlapped block motion compensation; the stream is not standard then."),
    click.option(
        "--filter", type=click.Choice(FILTERS), default="online", show_default=True, help="The prediction filter."
    ),
    click.option("--model", metavar="NAME|PATH|untrained", help=MODEL_HELP),
    click.option(
        "--chroma-filter", type=click.Choice(FILTERS), default="off", show_default=True, help=CHROMA_FILTER_HELP
    ),
    click.option("--chroma-model", metavar="NAME|PATH|untrained", help=CHROMA_MODEL_HELP),
    click.option("--chroma-learner", multiple=True, metavar="NAME=VALUE", help=CHROMA_LEARNER_HELP),
    click.option(
        "--intra-filter", type=click.Choice(INTRA_FILTERS), default="off", show_default=True, help=INTRA_FILTER_HELP
    ),
    click.option(
        "--intra-model", metavar="NAME|PATH", help="Weights of the intra filter; those that ship if not given."
    ),
    click.option("--intra-learner", multiple=True, metavar="NAME=VALUE", help=INTRA_LEARNER_HELP),
    click.option("--learn-preset", metavar="NAME|FILE", help=LEARN_PRESET_HELP),
    click.option("--learn", type=click.Choice(_names(Control)), help="When the filter is trained; signalled: by trial"),
    click.option("--loss-threshold", type=click.FloatRange(0, 65535), metavar="X", help=LOSS_THRESHOLD_HELP),
    click.option("--learning-rate", type=click.FloatRange(0, 1), metavar="X", help="Step of the optimiser."),
    click.option("--reset", type=click.Choice(_names(Reset)), help="When the filter returns to its initial weights."),
    click.option("--oracle", type=click.Choice(ORACLES), help=ORACLE_HELP),
    click.option("--learner", multiple=True, metavar="NAME=VALUE", help=LEARNER_HELP),
    click.option("--loop-filter", metavar="off|on|NAME|PATH", default="off", show_default=True, help=LOOP_FILTER_HELP),
)


def encoder_options(function):
    """Decorator: gives a click command all options that set the encoder."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command("encode", add_help_option=False)
@encoder_options
def parse_options(**settings):
    """Only reads options: `parse_options.make_context` knows those that set the encoder, and no others."""
    return settings


OPTIONS_BY_NAME = {max(option.opts, key=len).removeprefix("--"): option for option in parse_options.params}


def encoder_config(
    learn_preset=None,
    learn=None,
    loss_threshold=None,
    learning_rate=None,
    reset=None,
    learner=(),
    chroma_learner=(),
    intra_learner=(),
    effort=(),
    **settings,
):
    """Settings of the command line as an `EncoderConfig`; `learner` and `effort`: pairs NAME=VALUE.

    Of a preset's settings those count whose filter is on.

    Raises
    ------
    ConfigError : a wrong setting, or one of a tool that is off, or of how a frozen one learns
    """
    modes = {name: settings.get(name, getattr(EncoderConfig, name)) for name in LEARNING}
    preset = load_preset(learn_preset) if learn_preset is not None else LearnerPreset("none")
    learner = named_settings("learner", learner)
    chroma_learner = named_settings("chroma-learner", chroma_learner)
    intra_learner = named_settings("intra-learner", intra_learner)
    if learn is not None:
        learner["control"] = Control[learn.upper()]
    if learning_rate is not None:
        learner["learning_rate"] = learning_rate
    if reset is not None:
        learner["reset"] = Reset[reset.upper()]
    if loss_threshold is not None:
        if {**preset.luma, **learner}.get("control") not in (Control.THRESHOLD, "threshold"):
            raise ConfigError("--loss-threshold needs --learn threshold")
        learner["threshold_q8"] = (round(loss_threshold * 256),) * len(THRESHOLD_QP)
    given = {"filter": learner, "chroma_filter": chroma_learner, "intra_filter": intra_learner}
    for name, mode in modes.items():
        _check_frozen(name, mode, given[name])
    if modes["filter"] != "off":
        learner = {**preset.luma, **learner}
    if modes["chroma_filter"] != "off":
        chroma_learner = {**preset.chroma, **chroma_learner}
    check_settings(learner)  # so that wrong values are refused before the input is opened
    effort = named_settings("effort", effort)
    config = EncoderConfig(
        learn=learner, chroma_learn=chroma_learner, intra_learn=intra_learner, effort=effort, **settings
    )
    ChromaStream.from_config(config)
    IntraStream.from_config(config)
    LoopStream.from_config(config)
    if config.model is not None:
        LearnedStream.from_config(config)
    return config


def _check_frozen(name, mode, given):
    """No setting of how a filter learns where it never does."""
    for field in LEARNING[name] if mode == "frozen" else ():
        if field in given and not (field == "control" and str(given[field]).lower() in NEVER):
            option = name.replace("_", "-")
            raise ConfigError(f"{field} is a setting of how a filter learns, but --{option} frozen never does")


def named_settings(option, pairs) -> dict[str, str]:
    """Pairs NAME=VALUE of an option, a key of NAMED, as a dict."""
    known = names_of(option)
    settings = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or name not in known:
            raise ConfigError(f"--{option} {pair}: expected NAME=VALUE with a name of {', '.join(known)}")
        settings[name] = value
    return settings


def names_of(option) -> list[str]:
    """Names that an option NAME=VALUE may set."""
    names = [field.name for field in dataclasses.fields(NAMED[option])]
    return [name for name in names if (option, name) != ("intra-learner", "online")]  # said by --intra-filter


def check_named(option, name, value):
    """Look whether an option NAME=VALUE may set `name` to `value`, a string.

    Raises
    ------
    ConfigError : it may not
    """
    if NAMED[option] is Preset:
        read_effort({name: value})
    else:
        NAMED[option](**{name: value})
