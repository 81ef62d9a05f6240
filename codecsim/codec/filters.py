"""Normative.  The learned filters of the tools that are on, ready to run."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from codecsim.codec.active_tools import ActiveTool, ActiveTools
from codecsim.learned.inter.chroma_filter import ChromaFilter
from codecsim.learned.inter.prediction_filter import make_learner
from codecsim.learned.inter.size_classes import CLASS_LIMITS, SizeClassFilter
from codecsim.learned.intra.filter import IntraFilter
from codecsim.learned.learner import Learner
from codecsim.learned.loop.filter import LoopFilter
from codecsim.learned.own_filters import make_own_filters
from codecsim.syntax.headers import Sps
from codecsim.tools import INTER_CHROMA, INTER_LUMA, INTRA, LOOP


def _inter_luma(active: ActiveTool, sps: Sps, threads: int) -> Learner:
    make: Callable[..., Learner] = SizeClassFilter if active.settings.block_size in CLASS_LIMITS else make_learner
    inputs, initial = active.start
    return make(active.settings, sps.width, sps.height, sps.bit_depth, initial, threads, inputs)


def _inter_chroma(active: ActiveTool, sps: Sps, threads: int) -> ChromaFilter:
    inputs, initial = active.start
    return ChromaFilter(active.settings, sps.width, sps.height, sps.bit_depth, initial, threads, inputs)


def _intra(active: ActiveTool, sps: Sps, threads: int) -> IntraFilter:
    return IntraFilter(active.settings, active.model, sps.bit_depth)


def _loop(active: ActiveTool, sps: Sps, threads: int) -> LoopFilter:
    model: Any = active.model
    return LoopFilter(model.spec, model.weights, sps.width, sps.height, sps.bit_depth, threads)


MAKERS: Mapping[str, Callable[[ActiveTool, Sps, int], Any]] = MappingProxyType(
    {INTER_LUMA.name: _inter_luma, INTER_CHROMA.name: _inter_chroma, INTRA.name: _intra, LOOP.name: _loop}
)


def make_filters(
    tools: ActiveTools, sps: Sps, threads: int = 1, own: Mapping[str, Any] = MappingProxyType({})
) -> dict[str, Any]:
    """Filters in their initial state for pictures of a sequence, by the name of the tool, as PictureCodec takes them.

    own : filters of one's own by the names of the tools whose place they take

    Raises
    ------
    ConfigError : a model that its filter cannot run, or a filter of one's own that needs what there is not
    ModelError : this machine does not compute as the format demands
    """
    built_in = [active for active in tools if active.tool.learned and not active.is_own]
    found = {active.tool.name: MAKERS[active.tool.name](active, sps, threads) for active in built_in}
    return found | make_own_filters(own, sps)
