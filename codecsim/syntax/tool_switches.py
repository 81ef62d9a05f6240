"""Normative.  Not in H.265: what a slice header's extension says about the tools beyond the standard."""

from codecsim.errors import BitstreamError
from codecsim.tools import INTER_LUMA, TOOLS
from codecsim.tools.learner import Order


def usable_tools(announced: int, is_inter: bool) -> int:
    """Bits of the tools, of those of the sequence, that a picture can use."""
    return announced if is_inter else announced & ~sum(tool.bit for tool in TOOLS if tool.inter_only)


def picture_switches(announced: int, tools: int, order: Order = Order.TRAIN) -> bytes:
    """Slice header extension of a picture: nothing where all tools are on and train, as is the rule.

    Else a byte with the tools that are on; then one with an order that is not to train.

    Parameters
    ----------
    announced : bits of the tools that the picture can use
    tools : those of them that the picture has on
    order : to the learners; TRAIN in a picture without the prediction filter and where learners take no orders
    """
    if order != Order.TRAIN:
        return bytes([tools, order])
    return b"" if tools == announced else bytes([tools])


def read_switches(announced: int, extension: bytes, signalled: bool = False) -> tuple[int, Order]:
    """What is on in a picture with this slice header extension, and what it orders.

    Parameters
    ----------
    announced : bits of the tools that the picture can use; where there are none, the extension says nothing
    extension : bytes
    signalled : whether the learners of the stream take orders

    Returns
    -------
    (bits of the tools, Order)

    Raises
    ------
    BitstreamError : not what `picture_switches` returns
    """
    if not extension or not announced:
        return announced, Order.TRAIN
    tools, *orders = extension
    can_order = signalled and tools & INTER_LUMA.bit and len(orders) == 1
    if tools & ~announced or (not can_order if orders else tools == announced):
        raise BitstreamError(f"the tools' switches are none of {announced:#x}", "slice_segment_header_extension")
    if not orders:
        return tools, Order.TRAIN
    if orders[0] not in (Order.HOLD, Order.RESET):
        raise BitstreamError(f"no such order to the learner: {orders[0]}", "slice_segment_header_extension")
    return tools, Order(orders[0])
