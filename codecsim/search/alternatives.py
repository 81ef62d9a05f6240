"""The encoder's choice among whole predictions, per 32x32 of a searched picture."""

from typing import Any

import numpy as np

from codecsim.codec.picture_store import PictureStore
from codecsim.kernels.binding import bind
from codecsim.picture.blocks import CHOICE_EVERYWHERE, CHOICE_NOWHERE, CHOICE_PER_BLOCK, MAX_ALTERNATIVES, Choice
from codecsim.picture.planes import Planes
from codecsim.search.refine import Alternatives, copy_decisions, nearest_alternative, refine_picture

_TRIALS = 2  # combinations of alternatives that a region is coded with, beside the plain one


def _bind(plain: Planes, others: Planes, choice: Choice, context: int) -> Any:
    return bind(Alternatives(plain, others, choice, context, np.zeros(MAX_ALTERNATIVES + 1), _TRIALS))


def _keep(picture: PictureStore) -> Planes:
    """The prediction in memory of its own."""
    return Planes(*(plane.copy() for plane in picture.pred))


def _return_to(picture: PictureStore, plain: Planes) -> None:
    for pred, kept in zip(picture.pred, plain, strict=True):
        np.copyto(pred, kept)


def choose_where(picture: PictureStore, state: Any, others: Planes, choice: Choice, context: int) -> None:
    """Choose where in the picture which prediction is taken, and update the picture's decisions, not its prediction.

    Parameters
    ----------
    state : bound Search, with the source
    others, choice, context : of Alternatives, beside the prediction that stands; the choice is one of the Search's
    """
    plain, qp = _keep(picture), picture.slice.qp
    bound = _bind(plain, others, choice, context)
    nearest = nearest_alternative(state, bound)
    everywhere, _ = refine_picture(state, bound, qp, CHOICE_EVERYWHERE, nearest)
    chosen, nowhere = refine_picture(state, bound, qp, CHOICE_PER_BLOCK, 0)
    costs = {CHOICE_PER_BLOCK: chosen, CHOICE_EVERYWHERE: everywhere, CHOICE_NOWHERE: nowhere}
    where = min(costs, key=costs.__getitem__)
    if where != CHOICE_PER_BLOCK:
        refine_picture(state, bound, qp, where, nearest if where == CHOICE_EVERYWHERE else 0)
    choice.where[0] = where
    copy_decisions(state.value.rc, picture)
    _return_to(picture, plain)


def cost_of_choice(picture: PictureStore, state: Any, others: Planes, choice: Choice, context: int) -> float:
    """Rate-distortion cost of the picture if each 32x32 has the choice; parameters as above, decisions stay."""
    plain = _keep(picture)
    cost, _ = refine_picture(state, _bind(plain, others, choice, context), picture.slice.qp, CHOICE_PER_BLOCK, 0)
    _return_to(picture, plain)
    return cost
