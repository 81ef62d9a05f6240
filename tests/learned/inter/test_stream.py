"""What a stream says about its learner, and what it may not say."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from codecsim.codec.config import EncoderConfig
from codecsim.errors import BitstreamError, ConfigError, ModelError
from codecsim.learned.inter.controller import Order
from codecsim.learned.inter.params import FIELDS, Control, LearnParams
from codecsim.learned.inter.stream import (
    ARITHMETIC_VERSION,
    LearnedStream,
    announce,
    changes,
    learn_params,
    picture_switches,
    read_switches,
    usable_tools,
    with_changes,
)
from codecsim.syntax.headers import TOOL_FILTER, TOOL_INTRA, TOOL_LOOP, TOOL_OBMC, LearnedTools
from tests.learned.inter.settings import PLAIN

USUAL = LearnParams().pack()


@st.composite
def any_params(draw):
    """LearnParams with a random set of fields changed."""
    packed = list(USUAL)
    for k in draw(st.sets(st.integers(0, len(FIELDS) - 1))):
        packed[k] = draw(st.integers(FIELDS[k].low, FIELDS[k].high))
    try:
        return LearnParams.unpack(packed)
    except ConfigError:
        assume(False)


@given(any_params())
def test_changes_are_inverted(params):
    values = changes(params)
    assert with_changes(values) == params
    assert all(type(value) is int and 0 <= value < 1 << 32 for value in values)


def test_usual_settings_take_no_room():
    assert changes(LearnParams()) == ()
    assert with_changes(()) == LearnParams()
    assert with_changes((0,)) == LearnParams()
    assert changes(LearnParams(channels=32, qp_plane=False)) == (0b100001, 0, 32, 0)


@pytest.mark.parametrize(
    "values",
    [
        (1, 0),  # too few values
        (1, 0, 16, 16),  # too many
        (0, 0, 5),
        (3, 0, 8),
        (0, 1 << len(FIELDS) - 32, 1),  # no such field
        (0, 1 << 31, 1),
        (0xFFFFFFFF, 0xFFFFFFFF, *USUAL, *[0] * (64 - len(USUAL))),
        tuple(USUAL),  # without a mask
    ],
)
def test_masks_that_do_not_fit(values):
    with pytest.raises(ConfigError, match="do not fit the mask"):
        with_changes(values)


@pytest.mark.parametrize("values", [(1, 0, 24), (1, 0, 64), (1 << 3, 0, 2), (1 << 4, 0, 4), (1 << 14, 0, 0x7F800000)])
def test_values_out_of_range(values):
    with pytest.raises(ConfigError):
        with_changes(values)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=6))
def test_anything_ends_in_parameters_or_a_clear_error(values):
    try:
        params = with_changes(tuple(values))
    except ConfigError:
        return
    assert with_changes(changes(params)) == params


class SpsOf:
    """As much of a sequence parameter set as the learner reads."""

    def __init__(self, learned):
        self.learned = learned
        self.width, self.height, self.bit_depth = 64, 32, 8


@pytest.mark.parametrize("params", [LearnParams(), PLAIN, LearnParams(channels=8, further=3)], ids=str)
def test_announced_and_found(params):
    sps = SpsOf(announce({TOOL_FILTER: LearnedStream(params).settings()}))
    found = LearnedStream.from_sps(sps)
    assert found.params == params
    learner = found.make_filter(sps)
    pred = np.full((32, 64), 9, np.uint16)
    np.testing.assert_array_equal(learner.predict(pred, (pred,) * params.n_aux, 30)[0], pred)
    assert LearnedStream.from_sps(SpsOf(None)) is None


def test_overlapped_motion_compensation_alone_is_not_learned():
    assert LearnedStream.from_sps(SpsOf(LearnedTools(ARITHMETIC_VERSION, TOOL_OBMC))) is None
    with pytest.raises(BitstreamError, match="arithmetic version 77"):
        LearnedStream.from_sps(SpsOf(LearnedTools(77, TOOL_OBMC)))


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"arithmetic_version": 0}, BitstreamError, "arithmetic version 0"),
        ({"arithmetic_version": 1}, BitstreamError, "arithmetic version 1; this decoder has version 4"),
        ({"tools": 0x21}, BitstreamError, "unknown tools 0x21"),
        ({"tools": 0}, BitstreamError, "unknown tools 0x0"),
        ({"parameters": (1,)}, BitstreamError, "do not fit the mask 0x1"),
        ({"parameters": (1, 0, 24)}, BitstreamError, "channels is 24"),
        ({"weights_digest": bytes(16)}, ModelError, "needs weights of kind inter_luma with the digest 0000"),
    ],
)
def test_refused(wrong, error, message):
    announced = announce({TOOL_FILTER: LearnedStream(LearnParams()).settings()})
    assert isinstance(announced, LearnedTools)
    of_filter = {name: wrong[name] for name in wrong if name in ("parameters", "weights_digest")}
    if of_filter:
        wrong = {"settings": (dataclasses.replace(announced.settings[0], **of_filter),)}
    with pytest.raises(error, match=message):
        LearnedStream.from_sps(SpsOf(dataclasses.replace(announced, **wrong)))


def test_nothing_to_announce():
    assert announce({}) is None


def test_intra_pictures_have_their_own_tools():
    assert usable_tools(TOOL_FILTER | TOOL_OBMC, False) == 0
    assert usable_tools(TOOL_FILTER | TOOL_LOOP | TOOL_INTRA, False) == TOOL_LOOP | TOOL_INTRA
    assert usable_tools(TOOL_FILTER | TOOL_LOOP, True) == TOOL_FILTER | TOOL_LOOP
    assert read_switches(0, b"\x05") == (0, Order.TRAIN)


def test_switches_of_a_picture():
    for announced in (TOOL_FILTER, TOOL_OBMC, TOOL_FILTER | TOOL_OBMC):
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


def test_settings_of_a_configuration():
    config = EncoderConfig("ldp", 30, filter="online", learn={"channels": 8, "further": 0})
    assert learn_params(config) == LearnParams(channels=8, further=0)
    assert learn_params(dataclasses.replace(config, filter="frozen")).control == Control.NEVER
    with pytest.raises(ConfigError, match="n_aux"):
        learn_params(dataclasses.replace(config, learn={"n_aux": 1}))


def test_learning_starts_from_the_weights_that_ship_where_they_fit():
    config = EncoderConfig("ldp", 30)
    trained = LearnedStream.from_config(config).initial.digest()
    untrained = LearnedStream.from_config(dataclasses.replace(config, model="untrained")).initial.digest()
    assert trained != untrained
    narrow = LearnedStream.from_config(dataclasses.replace(config, learn={"channels": 8})).initial
    assert narrow.is_identity
