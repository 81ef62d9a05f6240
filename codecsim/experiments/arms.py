"""Arms: sets of encoder settings under a name, written as options of `codecsim encode`."""

import dataclasses
import re
import shlex
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import click
from click.core import ParameterSource

from codecsim.codec.config import EncoderConfig
from codecsim.errors import ConfigError
from codecsim.experiments.encoder_options import encoder_config, parse_options

NAME = re.compile(r"[\w.+-]+")
DEFAULT_ARM = "off: --filter off"
SET_BY_CAMPAIGN = ("config", "qp", "frames")
INTER_TOOLS_OFF = MappingProxyType(
    {
        "filter": "off",
        "chroma_filter": "off",
        "obmc": False,
        "learner": (),
        "chroma_learner": (),
        **dict.fromkeys(("oracle", "model", "chroma_model", "learn_preset")),
        **dict.fromkeys(("learn", "loss_threshold", "learning_rate", "reset")),
    }
)


@dataclasses.dataclass(frozen=True)
class Arm:
    """A name and what it stands for."""

    name: str
    options: str  # as given
    settings: Mapping[str, object]  # arguments of encoder_options.encoder_config

    def encoder_config(self, config: str, qp: int, frames: int) -> EncoderConfig:
        """Settings of one encoding.

        All-intra streams have neither the prediction filter nor overlapped motion compensation: there their settings
        are dropped, so that arms which differ in nothing else share their runs.
        """
        settings = {**self.settings, **INTER_TOOLS_OFF} if config == "ai" else self.settings
        return encoder_config(**settings, config=config, qp=qp, frames=frames)


def read_arm(text: str) -> Arm:
    """An arm from "NAME: OPTIONS", such as "coarse: --filter off --effort amp=false".

    Raises
    ------
    ConfigError : no such form, options that `encode` does not know, or those that the campaign itself sets
    """
    name, separator, options = (part.strip() for part in text.partition(":"))
    if not separator or not NAME.fullmatch(name):
        raise ConfigError(
            f"arm {text!r}: expected NAME: OPTIONS, such as {DEFAULT_ARM!r}; a name is letters and digits"
        )
    try:
        words = shlex.split(options)
    except ValueError as error:
        raise ConfigError(f"arm {name!r}: {error}") from None
    return arm_of_words(name, words, options)


def arm_of_words(name: str, words: Iterable[str], options: str | None = None) -> Arm:
    """An arm from the words of a command line; `options` is how they are shown.

    Raises
    ------
    ConfigError : options that `encode` does not know, or those that the campaign itself sets
    """
    words = list(words)
    try:
        context = parse_options.make_context("encode", list(words))
        settings = {n: value for n, value in context.params.items() if n not in SET_BY_CAMPAIGN}
        arm = Arm(name, shlex.join(words) if options is None else options, settings)
        arm.encoder_config("ldp", 32, 1)
    except (click.ClickException, ConfigError) as error:
        message = error.format_message() if isinstance(error, click.ClickException) else error
        raise ConfigError(f"arm {name!r}: {message}") from None
    wrong = [n for n in SET_BY_CAMPAIGN if context.get_parameter_source(n) is ParameterSource.COMMANDLINE]
    if wrong:
        raise ConfigError(f"arm {name!r}: {', '.join(wrong)} cannot differ between arms")
    return arm


def read_arms(texts: Iterable[str]) -> list[Arm]:
    """Arms with different names.

    Raises
    ------
    ConfigError
    """
    arms = [read_arm(text) for text in texts]
    names = [arm.name for arm in arms]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"several arms have the name {twice[0]!r}")
    return arms
