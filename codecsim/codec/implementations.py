"""Normative.  What runs for each learned tool, and what that costs the decoder."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from codecsim.codec.active_tools import ActiveTool, ActiveTools
from codecsim.codec.reports import PictureReport
from codecsim.learned.engine.complexity import block_macs, inference_kmac, step_macs, training_kmac
from codecsim.learned.inter.chroma_filter import ChromaFilter
from codecsim.learned.inter.experts import choose_experts, fitting_macs, inference_macs
from codecsim.learned.inter.input_planes import planes_of
from codecsim.learned.inter.prediction_filter import make_learner
from codecsim.learned.inter.size_classes import CLASS_LIMITS, SizeClassFilter, n_filters
from codecsim.learned.intra.filter import IntraFilter
from codecsim.learned.learner import Learner
from codecsim.learned.loop.filter import LoopFilter
from codecsim.learned.own_filters import make_own_filters
from codecsim.picture.planes import VideoFormat
from codecsim.syntax.headers import Sps
from codecsim.tools import INTER_CHROMA, INTER_LUMA, INTRA, LOOP

# Thousand multiply-accumulates a luma sample, mean over all pictures: of inference and of training.
Cost = tuple[float, float]


class Implementation(NamedTuple):
    """Of a learned tool."""

    make: Callable[[ActiveTool, Sps, int], Any]  # the filter, with a number of threads
    cost: Callable[[ActiveTool, int, Sequence[PictureReport]], Cost]  # from the luma samples of all pictures


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


def _inter_luma_cost(active: ActiveTool, samples: int, reports: Sequence[PictureReport]) -> Cost:
    settings, (inputs, initial) = active.settings, active.start
    filtered = sum(report.filtered_share is not None for report in reports)
    steps = sum(report.trained_steps or 0 for report in reports)
    experts = choose_experts(settings, initial)
    kind = experts, initial.spec, sum(plane.is_prediction for plane in planes_of(inputs))
    fitted = sum(report.fitted_samples or 0 for report in reports) / samples
    inference = inference_macs(*kind) / 1000 * filtered / len(reports) * n_filters(settings)
    training = training_kmac(initial.spec, settings, steps, samples) + fitted * fitting_macs(*kind) / 1000
    return inference, training


def _inter_chroma_cost(active: ActiveTool, samples: int, reports: Sequence[PictureReport]) -> Cost:
    spec = active.start.initial.spec
    ran = sum(report.chroma_used is not None for report in reports)
    steps = sum(report.chroma_trained_steps or 0 for report in reports)
    inference = inference_kmac(spec) / 2 * ran / len(reports)  # two components of a quarter
    return inference, training_kmac(spec, active.settings, steps, samples)


def _intra_cost(active: ActiveTool, samples: int, reports: Sequence[PictureReport]) -> Cost:
    net = active.model.spec.net  # type: ignore[union-attr]
    shares = [share for report in reports for share in (report.intra_filter_shares or {}).items()]
    macs = sum(share * block_macs(net, int(side)) for side, share in shares)
    trained = sum(report.intra_trained_samples or 0 for report in reports)
    return macs / 1000 / len(reports), trained * step_macs(net) / 1000 / samples


def _loop_cost(active: ActiveTool, samples: int, reports: Sequence[PictureReport]) -> Cost:
    macs = active.model.spec.macs  # type: ignore[union-attr]
    return macs / 1000 * sum(bool(report.loop_ran) for report in reports) / len(reports), 0.0


IMPLEMENTATIONS: Mapping[str, Implementation] = MappingProxyType(
    {
        INTER_LUMA.name: Implementation(_inter_luma, _inter_luma_cost),
        INTER_CHROMA.name: Implementation(_inter_chroma, _inter_chroma_cost),
        INTRA.name: Implementation(_intra, _intra_cost),
        LOOP.name: Implementation(_loop, _loop_cost),
    }
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
    found = {active.tool.name: IMPLEMENTATIONS[active.tool.name].make(active, sps, threads) for active in built_in}
    return found | make_own_filters(own, sps)


def kmac_per_pixel(
    active: ActiveTools, video_format: VideoFormat, reports: Sequence[PictureReport]
) -> dict[str, float] | None:
    """Costs of all learned tools in thousand multiply-accumulates a luma sample, mean over all pictures.

    Parameters
    ----------
    active : the tools of the run
    video_format : of the coded pictures
    reports : of all pictures

    Returns
    -------
    dict of float: inference of each learned tool that is on, by its name, `intra` of the blocks that take it, with
    their context, and `loop` of the pictures that take it; then their sum `inference`, and `training` of all, without
    the context of the intra filter's blocks.  None where no learned tool is on.
    """
    samples = video_format.width * video_format.height * len(reports)
    built_in = [one for one in active if one.tool.learned and not one.is_own]
    found = {one.tool.name: IMPLEMENTATIONS[one.tool.name].cost(one, samples, reports) for one in built_in}
    if not found:
        return None
    inference = {name: cost[0] for name, cost in found.items()}
    return {**inference, "inference": sum(inference.values()), "training": sum(cost[1] for cost in found.values())}
