"""Which order the learners of a signalled stream get before a picture: train, hold or reset, by trial."""

from collections.abc import Callable

from codecsim.codec.picture_store import PictureStore
from codecsim.codec.stages.inter_filter import InterFiltering
from codecsim.syntax.tool_switches import picture_switches
from codecsim.tools.learner import Order

MARGIN = 1 / 256  # of the picture's cost, that another order must save: a lesson serves later pictures too
HEADER_BITS = 2 + 8 * len(picture_switches(0, 0, Order.HOLD))  # that another order than to train takes more


def choose_order(picture: PictureStore, stage: InterFiltering, cost_of: Callable[[], float], lam: float) -> None:
    """Try each order on the picture, and leave the stage with the best one, obeyed.

    Only this picture is looked at; that later ones gain from the lesson is allowed for by MARGIN.

    Parameters
    ----------
    stage : InterFiltering, prepared, whose learners wait for an order
    cost_of : rate-distortion cost of the picture with what the stage has filtered
    lam : cost of a bit
    """
    before, handicap = stage.group.snapshot(), 0.0
    least, best, after = float("inf"), Order.TRAIN, before
    for order in Order:
        stage.group.restore(before)
        stage.order = order
        stage.filter(picture)
        cost = cost_of() + handicap
        if order == Order.TRAIN:
            handicap = MARGIN * cost + lam * HEADER_BITS
        if cost < least:
            least, best, after = cost, order, stage.group.snapshot()
    stage.order = best
    stage.group.restore(after)
