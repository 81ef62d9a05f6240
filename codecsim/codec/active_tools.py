"""Normative.  The tools of an encoding or a stream with settings and weights: resolved once, then passed on."""

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from codecsim.codec.config import EncoderConfig
from codecsim.errors import BitstreamError, ConfigError
from codecsim.learned.engine.weights import builtin_weights
from codecsim.learned.inter.start import Start, start_of
from codecsim.learned.model_files import Model, find_model, load_model
from codecsim.syntax.headers import LearnedTools, Sps, ToolSettings
from codecsim.tools import INTER_LUMA, TOOLS, Tool, tool_named
from codecsim.tools.learner import Control, LearnerSettings
from codecsim.tools.tool import OFF, UNTRAINED, Run

ARITHMETIC_VERSION = 4  # of everything that changes decoded samples of streams with such tools
NOT_DECODABLE = 255  # in place of the version, in what no decoder can follow: for its bits to be counted
NO_WEIGHTS = bytes(16)  # in place of their digest: a filter of one's own, which the stream does not describe


@dataclasses.dataclass(frozen=True)
class ActiveTool:
    """A tool that is on.

    Raises
    ------
    ConfigError : at construction, for a model that takes other inputs than the settings say
    """

    tool: Tool
    settings: Any = None  # of the type tool.settings; None of a filter of one's own
    model: Model | None = None  # None: the built-in weights, or a tool that has none
    is_own: bool = False  # a filter of one's own takes its place: see learned.own_filters

    def __post_init__(self) -> None:
        if isinstance(self.settings, LearnerSettings):
            start_of(self.settings, self.model)

    @property
    def start(self) -> Start:
        """Input planes and weights that a learner starts from."""
        return start_of(self.settings, self.model)

    @property
    def digest(self) -> bytes:
        """Name of the weights in a stream: the model's, as it was before it got further inputs."""
        return builtin_weights(self.settings.spec).digest() if self.model is None else self.model.digest

    def announcement(self) -> ToolSettings | None:
        """What the sequence parameter set says of it beside its bit."""
        if not self.tool.learned:
            return None
        if self.is_own:
            return ToolSettings((), NO_WEIGHTS)
        return ToolSettings(self.settings.to_stream() if self.settings else (), self.digest)


class ActiveTools:
    """Those that are on, in the order of TOOLS; `active[tool]` is one of them or None."""

    def __init__(self, tools: Iterable[ActiveTool] = (), decodable: bool = True) -> None:
        self._by_name = {active.tool.name: active for active in tools}
        self._decodable = decodable

    def __iter__(self) -> Iterator[ActiveTool]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __getitem__(self, tool: Tool) -> ActiveTool | None:
        return self._by_name.get(tool.name)

    @property
    def takes_orders(self) -> bool:
        """Whether slice headers carry orders to the learners."""
        luma = self[INTER_LUMA]
        return luma is not None and not luma.is_own and luma.settings.control == Control.SIGNALLED

    def announcement(self) -> LearnedTools | None:
        """For the sequence parameter set; None where there are no tools."""
        if not self._by_name:
            return None
        settings = tuple(found for found in (active.announcement() for active in self) if found is not None)
        follows = self._decodable and not any(active.is_own for active in self)
        version = ARITHMETIC_VERSION if follows else NOT_DECODABLE
        return LearnedTools(version, sum(active.tool.bit for active in self), settings)


def resolve_tools(config: EncoderConfig, own: Collection[str] = ()) -> ActiveTools:
    """The tools of an encoding.

    own : names of the tools that filters of one's own take the place of

    Raises
    ------
    ConfigError : settings that cannot be, or no such model
    ModelError : a damaged model
    """
    found: dict[str, ActiveTool] = {}
    for tool in TOOLS:
        if tool.name in own:
            found[tool.name] = ActiveTool(tool, is_own=True)
        elif config.mode(tool) != OFF and not (tool.inter_only and config.config == "ai"):
            settings = {name: active.settings for name, active in found.items()}
            run = Run(config.mode(tool), config.config, config.search.learner_trials, settings)
            found[tool.name] = _resolve(tool, config, run)
    return ActiveTools(found.values(), decodable=config.oracle is None)


def _resolve(tool: Tool, config: EncoderConfig, run: Run) -> ActiveTool:
    own, name = config.tool_settings(tool), config.model_name(tool)
    settings = tool.settings(**tool.usual(own, run)) if tool.settings else None
    model = starting_model(tool, name, settings)
    if tool.settings and model is not None and model.learner:
        settings = tool.settings(**tool.usual({**model.learner, **own}, run))
    return ActiveTool(tool, settings, model)


def starting_model(tool: Tool, name: str, settings: Any) -> Model | None:
    """Model that a tool starts from, None for the built-in weights or none at all.

    Parameters
    ----------
    name : of a model, a path, or UNTRAINED; nothing: the one that ships, for a learner if its settings ask for its
        shape and inputs
    settings : of the tool

    Raises
    ------
    ConfigError : no such model
    ModelError : a damaged one
    """
    if not tool.learned:
        return None
    if not isinstance(settings, LearnerSettings):
        return load_model(name or tool.default_model, tool.model_kind)
    if name == UNTRAINED:
        return None
    model = load_model(name or tool.default_model, tool.model_kind)
    wanted = settings.without_sizes
    fits = bool(name) or (model.inputs, model.spec) == (wanted.inputs, wanted.spec)
    return model if fits else None


def read_tools(sps: Sps, places: Sequence = (), own: Collection[str] = ()) -> ActiveTools:
    """The tools that a sequence parameter set announces.

    places : files and folders where models may be, beside those that ship
    own : names of the tools that the decoder has been given filters for

    Raises
    ------
    BitstreamError : another version of the arithmetic, an unknown tool, settings out of range, or a filter of one's own
        that the decoder has not been given
    ConfigError : one that the stream does not need
    ModelError : weights that are not here
    """
    announced = sps.learned
    _check_own(own, announced)
    if announced is None:
        return ActiveTools()
    if announced.arithmetic_version == NOT_DECODABLE and not own:
        raise BitstreamError(
            "an experiment with an oracle, which cannot be decoded: its encoder learned from the original",
            "learned_arithmetic_version",
        )
    if announced.arithmetic_version != (NOT_DECODABLE if own else ARITHMETIC_VERSION):
        raise BitstreamError(
            f"learned tools of arithmetic version {announced.arithmetic_version}; this decoder has version "
            f"{ARITHMETIC_VERSION}",
            "learned_arithmetic_version",
        )
    if not announced.tools or announced.tools & ~sum(tool.bit for tool in TOOLS):
        raise BitstreamError(f"unknown tools {announced.tools:#x}", "learned_tools")
    found = []
    for tool in TOOLS:
        if announced.tools & tool.bit:
            if tool.needs and not announced.tools & tool_named(tool.needs).bit:
                needed = tool_named(tool.needs).title
                raise BitstreamError(f"the {tool.title} goes with the {needed}, which is missing", "learned_tools")
            is_own = tool.name in own
            found.append(ActiveTool(tool, is_own=True) if is_own else _read(tool, announced.settings_of(tool), places))
    return ActiveTools(found)


def _check_own(given: Collection[str], announced: LearnedTools | None) -> None:
    """The decoder has been given the filters of one's own that a sequence needs, and no others."""
    for tool in TOOLS:
        if not tool.own_method:
            continue
        name, settings = tool.name, announced.settings_of(tool) if announced else None
        is_needed = settings is not None and settings.weights_digest == NO_WEIGHTS
        if is_needed and name not in given:
            raise BitstreamError(
                f"the stream needs a filter of one's own for {name}: decode(..., tools={{'{name}': ...}})",
                "learned_weights_digest",
            )
        if name in given and not is_needed:
            raise ConfigError(f"the stream has no filter of one's own for {name}, but one is given")


def _read(tool: Tool, announced: ToolSettings | None, places: Sequence) -> ActiveTool:
    if announced is None:
        return ActiveTool(tool)
    try:
        if tool.settings is None and announced.parameters:
            raise ConfigError(f"the {tool.title} has no parameters")
        settings = tool.settings.from_stream(announced.parameters) if tool.settings else None
        learner = isinstance(settings, LearnerSettings)
        if learner and announced.weights_digest == builtin_weights(settings.spec).digest():  # type: ignore[union-attr]
            return ActiveTool(tool, settings)
        return ActiveTool(tool, settings, find_model(announced.weights_digest, tool.model_kind, places))
    except ConfigError as error:
        raise BitstreamError(str(error), "learned_parameters") from None
