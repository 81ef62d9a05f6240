"""NAL units: emulation prevention, splitting of streams, damage."""

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codecsim.errors import BitstreamError
from codecsim.syntax import nal as nal_units
from codecsim.syntax.nal import escape, read_nal_units, unescape, write_nal_unit

# Mostly zeros and small values: what emulation prevention is about.
PAYLOADS = st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4, 128, 255]), min_size=1, max_size=40).map(bytes)


class Trickle(io.BytesIO):
    """A file that gives a few bytes at a time, as a pipe may."""

    def read(self, size=-1):
        return super().read(min(size, 3))


@given(PAYLOADS, st.sampled_from([b"\x80", b"\x80\0\0", b"\x80\0\0\0\0"]))
def test_escaped_payloads_hold_no_start_code(payload, end):
    payload += end  # trailing bits, perhaps with cabac_zero_words
    escaped = escape(payload)
    for value in range(3):
        assert bytes([0, 0, value]) not in escaped
    assert escaped[-1] != 0
    assert unescape(escaped) == payload


@given(st.lists(st.tuples(st.integers(0, 63), st.integers(0, 6), PAYLOADS, st.booleans()), min_size=1, max_size=5))
def test_streams_split_into_what_was_written(units):
    units = [(kind, layer, payload + b"\x80", long) for kind, layer, payload, long in units]
    written = [write_nal_unit(kind, payload, tid, long) for kind, tid, payload, long in units]
    for file in (io.BytesIO(b"".join(written)), Trickle(b"".join(written))):
        found = list(read_nal_units(file))
        assert [(n.type, n.temporal_id, n.rbsp) for n in found] == [(k, t, p) for k, t, p, _ in units]
        assert [n.size for n in found] == [len(data) for data in written]
        assert all(n.layer_id == 0 for n in found)
    position = 0
    for unit, data, (_, _, _, long) in zip(found, written, units, strict=True):
        assert unit.byte == position + (4 if long else 3)
        position += len(data)


def test_zeros_around_units_are_counted_and_dropped():
    data = b"\0\0\0" + write_nal_unit(1, b"\x80") + b"\0\0\0\0" + write_nal_unit(2, b"\x81", long_start=True) + b"\0\0"
    units = list(read_nal_units(io.BytesIO(data)))
    assert [u.rbsp for u in units] == [b"\x80", b"\x81"]
    assert sum(u.size for u in units) == len(data)


def test_units_longer_than_a_chunk():
    payload = bytes(range(1, 251)) * 1000 + b"\x80"
    data = write_nal_unit(1, payload) * 3
    assert [u.rbsp for u in read_nal_units(io.BytesIO(data))] == [payload] * 3


@pytest.mark.parametrize(
    "data,message",
    [
        (b"", "no start code"),
        (b"YUV4MPEG2 W8 H8", "no start code"),
        (b"\0\0", "no start code"),
        (bytes(200000), "no start code"),
        (b"\0\0\1", "NAL unit of 0 bytes"),
        (b"\0\0\1\x40", "NAL unit of 1 bytes"),
        (b"\0\0\1\xc0\1\x80", "first bit"),
        (b"\0\0\1\x40\0\x80", "nuh_temporal_id_plus1"),
    ],
)
def test_damage_is_named(data, message):
    with pytest.raises(BitstreamError, match=message):
        list(read_nal_units(io.BytesIO(data)))


def test_too_long_a_unit():
    with pytest.raises(BitstreamError, match="more than 1000 bytes"):
        list(read_nal_units(io.BytesIO(b"\0\0\1\x40\1" + b"\x55" * 100000), max_bytes=1000))


@given(st.binary(max_size=60))
def test_garbage_ends_in_units_or_an_error(data):
    for prefix in (b"", b"\0\0\1"):
        with contextlib.suppress(BitstreamError):
            for unit in read_nal_units(io.BytesIO(prefix + data)):
                assert 0 <= unit.type < 64


def test_kinds_of_slices():
    assert [t for t in range(64) if nal_units.is_slice(t)] == [*range(10), *range(16, 22)]
    assert nal_units.is_irap(nal_units.CRA) and not nal_units.is_idr(nal_units.CRA)
    assert not nal_units.is_sub_layer_reference(nal_units.TRAIL_N)
