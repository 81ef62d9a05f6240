"""Which order the learners of a signalled stream get before a picture: train, hold or reset, by trial."""

from codecsim.learned.inter.controller import Order
from codecsim.learned.inter.stream import picture_switches

MARGIN = 1 / 256  # of the picture's cost, that another order must save: a lesson serves later pictures too
HEADER_BITS = 2 + 8 * len(picture_switches(0, 0, Order.HOLD))  # that another order than to train takes more


def choose_order(codec, cost_of, lam):
    """Try each order on the picture, and leave the codec with the best one, obeyed.

    Only this picture is looked at; that later ones gain from the lesson is allowed for by MARGIN.

    Parameters
    ----------
    codec : PictureCodec after `prepare_filter`, whose learners wait for an order
    cost_of : function without arguments: rate-distortion cost of the picture with what `codec.filtered` holds
    lam : float, cost of a bit
    """
    before, best, kept = _snapshot(codec), None, None
    for order in Order:
        _restore(codec, before)
        codec.order = order
        codec.run_filter()
        cost = cost_of()
        if order == Order.TRAIN:
            handicap = MARGIN * cost + lam * HEADER_BITS
        else:
            cost += handicap
        if best is None or cost < best:
            best, kept = cost, (order, _snapshot(codec))
    codec.order, after = kept
    _restore(codec, after)


def _snapshot(codec):
    return [learner.snapshot() for learner in codec.learners]


def _restore(codec, snapshots):
    for learner, snapshot in zip(codec.learners, snapshots, strict=True):
        learner.restore(snapshot)
