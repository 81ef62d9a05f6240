"""Header bits: what is written is read back, and nothing else passes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecsim.errors import BitstreamError
from codecsim.syntax.bits import BitReader, BitWriter

ELEMENTS = st.one_of(
    st.integers(1, 64).flatmap(lambda n: st.tuples(st.just("u"), st.just(n), st.integers(0, 2**n - 1))),
    st.tuples(st.just("ue"), st.just(0), st.integers(0, 2**32 - 2)),
    st.tuples(st.just("se"), st.just(0), st.integers(-(2**31) + 1, 2**31 - 1)),
)


def code(coder, kind, bits, value):
    if kind == "u":
        return coder.u(bits, value, "element")
    if kind == "ue":
        return coder.ue(value, "element")
    return coder.se(value, "element", -(2**31) + 1, 2**31 - 1)


@given(st.lists(ELEMENTS, max_size=20))
def test_round_trip(elements):
    writer = BitWriter(trace=[])
    for kind, bits, value in elements:
        assert code(writer, kind, bits, value) == value
    writer.trailing_bits()
    reader = BitReader(writer.to_bytes(), trace=[])
    for kind, bits, value in elements:
        assert code(reader, kind, bits, 0) == value
    reader.trailing_bits()
    assert reader.byte_position == len(writer.to_bytes())
    assert reader.trace == writer.trace


@pytest.mark.parametrize("value,bits", [(0, "1"), (1, "010"), (2, "011"), (3, "00100"), (8, "0001001")])
def test_known_exp_golomb_codes(value, bits):
    writer = BitWriter()
    writer.ue(value, "x")
    assert f"{writer._value:0{writer.bit_position}b}" == bits


@pytest.mark.parametrize("value,code_number", [(0, 0), (1, 1), (-1, 2), (2, 3), (-2, 4)])
def test_signed_codes_map_to_unsigned(value, code_number):
    signed, unsigned = BitWriter(), BitWriter()
    signed.se(value, "x", -2, 2)
    unsigned.ue(code_number, "x")
    assert signed._value == unsigned._value


def test_errors_name_the_element_and_the_byte():
    with pytest.raises(BitstreamError, match="ends inside width") as caught:
        BitReader(b"\x12", byte=7).u(9, 0, "width")
    assert caught.value.element == "width" and caught.value.byte == 7
    with pytest.raises(BitstreamError, match="expected 0..2"):
        BitReader(b"\x20").ue(0, "slice_type", 0, 2)
    with pytest.raises(BitstreamError, match="63 bits"):
        BitReader(bytes(9)).ue(0, "x")
    with pytest.raises(BitstreamError, match="tiles is not supported"):
        BitReader(b"\x80").only_u(1, 0, "tiles_enabled_flag", "tiles")
    with pytest.raises(BitstreamError, match="a one followed by zeros"):
        BitReader(b"\xc0").trailing_bits()


def test_a_writer_refuses_what_does_not_fit():
    for call in (
        lambda w: w.u(3, 8, "x"),
        lambda w: w.u(3, -1, "x"),
        lambda w: w.ue(-1, "x"),
        lambda w: w.ue(5, "x", 0, 4),
        lambda w: w.se(7, "x", -6, 6),
    ):
        with pytest.raises(ValueError, match="x"):
            call(BitWriter())


@given(st.binary(max_size=12), st.lists(st.sampled_from(["u", "ue", "se", "t"]), max_size=12))
def test_garbage_ends_in_a_bitstream_error(data, kinds):
    reader = BitReader(data)
    with contextlib.suppress(BitstreamError):
        for kind in kinds:
            reader.trailing_bits() if kind == "t" else code(reader, kind, 5, 0)
