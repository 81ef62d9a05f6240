"""The encoder's choice of overlap and of experts of the learned filter, per 32x32 of a searched picture."""

import functools

import numpy as np

from codecsim.codec.block_choices import apply_choice
from codecsim.entropy.contexts import FILTER_CHOICE, OBMC_CHOICE
from codecsim.kernels.binding import bind
from codecsim.picture.blocks import CHOICE_EVERYWHERE, CHOICE_NOWHERE, CHOICE_PER_BLOCK, MAX_ALTERNATIVES, MODE_INTER
from codecsim.picture.planes import Planes
from codecsim.search.orders import choose_order
from codecsim.search.refine import Alternatives, copy_decisions, nearest_alternative, refine_picture
from codecsim.search.state import LAM, WEIGHT_CB, WEIGHT_CR

_TRIALS = 2  # combinations of alternatives that a region is coded with, beside the plain one


def choose_prediction(codec, state, orig, sender=None):
    """Predict what `codec` holds, choose overlap and learned filter per 32x32, and update its decisions.

    Parameters
    ----------
    codec : PictureCodec, searched
    state : bound Search, as PictureSearch.run left it
    orig : Planes, unpadded source at coded size
    sender : sent_weights.WeightSender in an experiment, or None

    Returns
    -------
    Planes : the plain prediction, from motion compensation alone
    """
    state = bind(state.value._replace(orig=orig))
    blocks = state.value.rc.blocks
    codec.predict()
    codec.overlap()
    plain = _copy(codec.pred)
    if codec.overlapped is not None:
        others = Planes(*(plane[np.newaxis] for plane in codec.overlapped))
        _choose(codec, state, others, blocks.overlap, OBMC_CHOICE)
    codec.prepare_filter()
    if codec.learned_filter is not None and codec.tools.syntax.experts:
        cost_of, lam = functools.partial(_filtering_cost, codec, state, orig), state.value.lam[LAM]
        if codec.learned_filter.has_lesson:
            choose_order(codec, cost_of, lam)
        if sender is not None:
            sender.choose(codec, orig.y, cost_of, lam)
    codec.run_filter()
    if codec.filtered is not None:
        choose_chroma(codec, state, orig)
        _choose(codec, state, codec.filtered, blocks.filtering, FILTER_CHOICE)
    return plain


def _filtering_cost(codec, state, orig):
    """Cost of the picture if each 32x32 has the choice among what `codec.filtered` holds; decisions stay."""
    choose_chroma(codec, state, orig)
    plain = _copy(codec.pred)
    alternatives = Alternatives(
        plain, codec.filtered, state.value.rc.blocks.filtering, FILTER_CHOICE, np.zeros(MAX_ALTERNATIVES + 1), _TRIALS
    )
    cost, _ = refine_picture(state, bind(alternatives), codec.tools.qp, CHOICE_PER_BLOCK, 0)
    for pred, kept in zip(codec.pred, plain, strict=True):
        np.copyto(pred, kept)
    return cost


def choose_chroma(codec, state, orig):
    """Let the picture use filtered chroma unless that is farther from the source than the prediction is.

    codec, state, orig : as for `choose_prediction`, after `codec.filter`
    """
    filtered = codec.chroma_alternative()
    if not filtered:
        return
    inter = np.kron(codec.blocks.pred_mode >= MODE_INTER, np.ones((2, 2), bool))
    gain = 0.0
    for k, weight in ((1, WEIGHT_CB), (2, WEIGHT_CR)):
        source = orig[k].astype(np.int64)
        before, after = ((source - plane)[inter] for plane in (codec.pred[k], filtered[k - 1]))
        gain += state.value.lam[weight] * float(np.sum(before * before) - np.sum(after * after))
    codec.use_chroma(gain >= 0)


def _copy(planes):
    """Planes of their own memory."""
    return Planes(*(plane.copy() for plane in planes))


def _choose(codec, state, others, choice, context):
    """Choose where in the picture which prediction is taken, and update the codec's decisions, not its prediction.

    others, choice, context : of Alternatives, beside the prediction that stands
    """
    plain, qp = _copy(codec.pred), codec.tools.qp
    bound = bind(Alternatives(plain, others, choice, context, np.zeros(MAX_ALTERNATIVES + 1), _TRIALS))
    nearest = nearest_alternative(state, bound)
    everywhere, _ = refine_picture(state, bound, qp, CHOICE_EVERYWHERE, nearest)
    chosen, nowhere = refine_picture(state, bound, qp, CHOICE_PER_BLOCK, 0)
    costs = {CHOICE_PER_BLOCK: chosen, CHOICE_EVERYWHERE: everywhere, CHOICE_NOWHERE: nowhere}
    where = min(costs, key=costs.get)
    if where != CHOICE_PER_BLOCK:
        refine_picture(state, bound, qp, where, nearest if where == CHOICE_EVERYWHERE else 0)
    choice.where[0] = where
    copy_decisions(state.value.rc, codec)
    for pred, kept in zip(codec.pred, plain, strict=True):
        np.copyto(pred, kept)


def source_before_choices(codec, orig, plain):
    """The source less what overlap and filter add where they are chosen: what a further search has to predict.

    The search knows neither.  Given this source, it looks for the prediction that they make right.

    Parameters
    ----------
    codec : PictureCodec, after `choose_prediction`
    orig : Planes, unpadded source at coded size
    plain : Planes, what that returned

    Returns
    -------
    Planes
    """
    final = _copy(codec.pred)
    if codec.filtered is not None:
        for others, pred in zip(codec.filtered, final, strict=True):
            if len(others):
                apply_choice(bind(codec.blocks), codec.blocks.filtering.taken, others, pred)
    top = (1 << codec.sps.bit_depth) - 1
    aims = (np.clip(o - (f.astype(np.int32) - p), 0, top) for o, f, p in zip(orig, final, plain, strict=True))
    return Planes(*(aim.astype(np.uint16) for aim in aims))
