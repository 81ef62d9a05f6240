"""What a picture says of the tools beyond the standard."""

import itertools

import pytest

from codecsim.errors import BitstreamError
from codecsim.syntax.tool_switches import picture_switches, read_switches, usable_tools
from codecsim.tools import INTER_LUMA, INTRA, LOOP, OVERLAP
from codecsim.tools.learner import Order

LUMA = INTER_LUMA.bit


def test_intra_pictures_have_their_own_tools():
    assert usable_tools(LUMA | OVERLAP.bit, False) == 0
    assert usable_tools(LUMA | LOOP.bit | INTRA.bit, False) == LOOP.bit | INTRA.bit
    assert usable_tools(LUMA | LOOP.bit, True) == LUMA | LOOP.bit
    assert read_switches(0, b"\x05") == (0, Order.TRAIN)


def test_switches_of_a_picture():
    for announced in (LUMA, OVERLAP.bit, LUMA | OVERLAP.bit):
        assert picture_switches(announced, announced) == b""
        for tools in range(announced + 1):
            if tools & ~announced == 0:
                assert read_switches(announced, picture_switches(announced, tools)) == (tools, Order.TRAIN)
    for announced, wrong in ((1, b"\x01"), (1, b"\x02"), (2, b"\x01"), (3, b"\x03"), (3, b"\x00\x00"), (3, b"\x80")):
        with pytest.raises(BitstreamError, match="the tools' switches are none of"):
            read_switches(announced, wrong)


def test_orders_of_a_picture():
    for tools, order in itertools.product((1, 3, 5, 7), Order):
        extension = picture_switches(7, tools, order)
        assert read_switches(7, extension, signalled=True) == (tools, order)
        assert len(extension) == (2 if order else tools != 7)
        if order:
            with pytest.raises(BitstreamError, match="the tools' switches are none of"):
                read_switches(7, extension)
    for wrong in (b"\x06\x01", b"\x07\x01\x01", b"\x08\x01"):  # the filter is off; too long; no such tool
        with pytest.raises(BitstreamError, match="the tools' switches are none of"):
            read_switches(7, wrong, signalled=True)
    for wrong in (b"\x07\x00", b"\x07\x03", b"\x05\xff"):
        with pytest.raises(BitstreamError, match="no such order"):
            read_switches(7, wrong, signalled=True)
