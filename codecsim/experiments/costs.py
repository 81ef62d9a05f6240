"""What the learned tools cost in a run, in thousand multiply-accumulates a luma sample, as the decoder does them."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from codecsim.codec.active_tools import ActiveTool, ActiveTools
from codecsim.codec.reports import PictureReport
from codecsim.learned.engine.complexity import block_macs, fit_macs, inference_kmac, step_macs, training_kmac
from codecsim.learned.inter.experts import choose_experts, linear_sides
from codecsim.learned.inter.input_planes import planes_of
from codecsim.learned.inter.rls import make_taps
from codecsim.learned.inter.size_classes import n_filters
from codecsim.picture.planes import VideoFormat
from codecsim.tools import INTER_CHROMA, INTER_LUMA, INTRA, LOOP
from codecsim.tools.learner import Expert

Cost = tuple[float, float]  # inference, training


def kmac_per_pixel(
    active: ActiveTools, video_format: VideoFormat, reports: Sequence[PictureReport]
) -> dict[str, float] | None:
    """Costs of all learned tools, mean over all pictures.

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
    found = {one.tool.name: COSTS[one.tool.name](one, samples, reports) for one in built_in}
    if not found:
        return None
    inference = {name: cost[0] for name, cost in found.items()}
    return {**inference, "inference": sum(inference.values()), "training": sum(cost[1] for cost in found.values())}


def _inter_luma(active: ActiveTool, samples: int, reports: Sequence[PictureReport]) -> Cost:
    settings, (inputs, initial) = active.settings, active.start
    filtered = sum(report.filtered_share is not None for report in reports)
    steps = sum(report.trained_steps or 0 for report in reports)
    experts = choose_experts(settings, initial)
    sides = [linear_sides(expert, sum(plane.is_prediction for plane in planes_of(inputs))) for expert in experts]
    features = [len(make_taps(squares)) + 1 for squares in sides if squares]
    fitted = sum(report.fitted_samples or 0 for report in reports) / samples
    nets = len({Expert.ONLINE if expert == Expert.MIX else expert for expert in experts} - {Expert.RLS})
    inference = (
        (nets * inference_kmac(initial.spec) + sum(features) / 1000) * filtered / len(reports) * n_filters(settings)
    )
    training = training_kmac(initial.spec, settings, steps, samples) + fitted * sum(map(fit_macs, features)) / 1000
    return inference, training


def _inter_chroma(active: ActiveTool, samples: int, reports: Sequence[PictureReport]) -> Cost:
    spec = active.start.initial.spec
    ran = sum(report.chroma_used is not None for report in reports)
    steps = sum(report.chroma_trained_steps or 0 for report in reports)
    inference = inference_kmac(spec) / 2 * ran / len(reports)  # two components of a quarter
    return inference, training_kmac(spec, active.settings, steps, samples)


def _intra(active: ActiveTool, samples: int, reports: Sequence[PictureReport]) -> Cost:
    net = active.model.spec.net  # type: ignore[union-attr]
    shares = [share for report in reports for share in (report.intra_filter_shares or {}).items()]
    macs = sum(share * block_macs(net, int(side)) for side, share in shares)
    trained = sum(report.intra_trained_samples or 0 for report in reports)
    return macs / 1000 / len(reports), trained * step_macs(net) / 1000 / samples


def _loop(active: ActiveTool, samples: int, reports: Sequence[PictureReport]) -> Cost:
    macs = active.model.spec.macs  # type: ignore[union-attr]
    return macs / 1000 * sum(bool(report.loop_ran) for report in reports) / len(reports), 0.0


COSTS: Mapping[str, Callable[[ActiveTool, int, Sequence[PictureReport]], Cost]] = MappingProxyType(
    {INTER_LUMA.name: _inter_luma, INTER_CHROMA.name: _inter_chroma, INTRA.name: _intra, LOOP.name: _loop}
)
