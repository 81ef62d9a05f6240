"""What the learned tools cost in a run, in thousand multiply-accumulates a luma sample, as the decoder does them."""

from codecsim.learned.engine.complexity import block_macs, fit_macs, inference_kmac, step_macs, training_kmac
from codecsim.learned.inter.chroma_stream import ChromaStream
from codecsim.learned.inter.params import Expert
from codecsim.learned.inter.prediction_filter import choose_experts, linear_sides
from codecsim.learned.inter.rls import make_taps
from codecsim.learned.inter.size_classes import n_filters
from codecsim.learned.inter.stream import LearnedStream
from codecsim.learned.intra.stream import IntraStream
from codecsim.learned.loop.stream import LoopStream


def kmac_per_pixel(config, video_format, reports):
    """Costs of all learned tools, mean over all pictures.

    Parameters
    ----------
    config : EncoderConfig
    video_format : VideoFormat, of the coded pictures
    reports : list of PictureReport

    Returns
    -------
    dict of float: inference of each tool that is on, `inter`, `chroma`, `intra` (of the blocks that take it, with their
    context) and `loop` (of the pictures that take it); then their sum `inference`, and `training` of all, without the
    context of the intra filter's blocks.  None where no learned tool is on.
    """
    luma = None if config.filter == "off" else LearnedStream.from_config(config)
    chroma = None if config.filter == "off" else ChromaStream.from_config(config)
    intra, loop = IntraStream.from_config(config), LoopStream.from_config(config)
    samples, count = video_format.width * video_format.height * len(reports), len(reports)
    costs, training = {}, 0.0
    if luma is not None:
        costs["inter"], training = _inter(luma, samples, reports)
    if chroma is not None:
        ran = sum(report.chroma_used is not None for report in reports)
        steps = sum(report.chroma_trained_steps or 0 for report in reports)
        costs["chroma"] = inference_kmac(chroma.initial.spec) / 2 * ran / count  # two components of a quarter
        training += training_kmac(chroma.initial.spec, chroma.params, steps, samples)
    if intra is not None:
        shares = [share for report in reports for share in (report.intra_filter_shares or {}).items()]
        macs = sum(share * block_macs(intra.model.spec.net, int(side)) for side, share in shares)
        costs["intra"] = macs / 1000 / count
        trained = sum(report.intra_trained_samples or 0 for report in reports)
        training += trained * step_macs(intra.model.spec.net) / 1000 / samples
    if loop is not None:
        costs["loop"] = loop.model.spec.macs / 1000 * sum(bool(report.loop_ran) for report in reports) / count
    return {**costs, "inference": sum(costs.values()), "training": training} if costs else None


def _inter(learned, samples, reports):
    """Inference and training of the filter of inter luma; samples: of all pictures."""
    spec = learned.initial.spec
    filtered = sum(report.filtered_share is not None for report in reports)
    steps = sum(report.trained_steps or 0 for report in reports)
    experts = choose_experts(learned.params, learned.initial)
    features = [len(make_taps(sides)) + 1 for sides in linear_sides(learned.params, experts).values()]
    fitted = sum(report.fitted_samples or 0 for report in reports) / samples
    nets = len({Expert.ONLINE if expert == Expert.MIX else expert for expert in experts} - {Expert.RLS})
    inference = (nets * inference_kmac(spec) + sum(features) / 1000) * filtered / len(reports)
    inference *= n_filters(learned.params)
    training = training_kmac(spec, learned.params, steps, samples) + fitted * sum(map(fit_macs, features)) / 1000
    return inference, training
