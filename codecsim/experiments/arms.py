"""Arms: sets of encoder settings under a name, written as options of `codecsim encode`."""

import dataclasses
import re
import shlex
from collections.abc import Iterable

from codecsim.codec.config import EncoderConfig
from codecsim.errors import ConfigError
from codecsim.experiments.encoder_options import EncoderOptions, options_of_words

NAME = re.compile(r"[\w.+-]+")
DEFAULT_ARM = "off: --filter off"
SET_BY_CAMPAIGN = ("config", "qp", "frames")


@dataclasses.dataclass(frozen=True)
class Arm:
    """A name and what it stands for."""

    name: str
    options: str  # as given, or as a command line has them
    given: EncoderOptions

    def encoder_config(self, config: str, qp: int, frames: int | None) -> EncoderConfig:
        """Settings of one encoding.

        All-intra streams have none of the tools of pictures between others: there their settings are dropped, so that
        arms which differ in nothing else share their runs.
        """
        options = self.given.without_inter_tools() if config == "ai" else self.given
        return options.config(config=config, qp=qp, frames=frames)


def make_arm(name: str, given: EncoderOptions, options: str | None = None) -> Arm:
    """An arm whose options have been looked at together.

    Raises
    ------
    ConfigError : options that exclude each other
    """
    arm = Arm(name, shlex.join(given.words()) if options is None else options, given)
    try:
        arm.encoder_config("ldp", 32, 1)
    except ConfigError as error:
        raise ConfigError(f"arm {name!r}: {error}") from None
    return arm


def read_arm(text: str) -> Arm:
    """An arm from "NAME: OPTIONS", such as "coarse: --filter off --set search.amp=false".

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
        read = options_of_words(shlex.split(options), SET_BY_CAMPAIGN)
    except (ValueError, ConfigError) as error:
        raise ConfigError(f"arm {name!r}: {error}") from None
    return make_arm(name, read, options)


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
