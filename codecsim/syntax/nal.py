"""Normative. NAL units: the byte stream of Annex B, headers, emulation prevention (H.265 clauses 7.3.1 and B.2)."""

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from codecsim.errors import BitstreamError

TRAIL_N, TRAIL_R = 0, 1
RADL_N, RASL_N, RASL_R = 6, 8, 9
BLA_W_LP, IDR_W_RADL, IDR_N_LP, CRA = 16, 19, 20, 21
VPS, SPS, PPS, AUD, EOS, EOB, FILLER = 32, 33, 34, 35, 36, 37, 38
PREFIX_SEI, SUFFIX_SEI = 39, 40

MAX_NAL_BYTES = 1 << 27  # more than any level allows a coded picture; bounds the memory of a reader
_CHUNK = 1 << 16
_EMULATED = re.compile(rb"\x00\x00(?=[\x00-\x03])")


def is_irap(nal_type: int) -> bool:
    """Whether a slice type starts a random access point (IDR, BLA, CRA and reserved)."""
    return 16 <= nal_type <= 23


def is_idr(nal_type: int) -> bool:
    """Whether a slice type is an instantaneous decoding refresh."""
    return nal_type in (IDR_W_RADL, IDR_N_LP)


def is_slice(nal_type: int) -> bool:
    """Whether a type is a coded slice segment (of a type that is not reserved)."""
    return nal_type <= RASL_R or BLA_W_LP <= nal_type <= CRA


def is_sub_layer_reference(nal_type: int) -> bool:
    """Whether a slice type below IRAP may be referenced by pictures of its own temporal layer."""
    return nal_type > 15 or bool(nal_type & 1)


@dataclasses.dataclass(frozen=True)
class NalUnit:
    """One NAL unit as found in a stream."""

    type: int  # nal_unit_type, 0..63
    layer_id: int  # nuh_layer_id; units above 0 belong to extensions and are ignored
    temporal_id: int  # 0..6
    rbsp: bytes  # payload without header and emulation prevention
    byte: int  # position of the header in the stream, bytes
    size: int  # bytes in the stream, with start code and zeros around


def escape(rbsp: bytes) -> bytes:
    """Insert emulation prevention bytes: no start code can then occur inside."""
    escaped = _EMULATED.sub(b"\x00\x00\x03", rbsp)
    return escaped + b"\x03" if rbsp[-1:] == b"\x00" else escaped


def unescape(payload: bytes) -> bytes:
    """Remove emulation prevention bytes."""
    return payload.replace(b"\x00\x00\x03", b"\x00\x00")


def write_nal_unit(nal_type: int, rbsp: bytes, temporal_id: int = 0, long_start: bool = False) -> bytes:
    """Bytes of one NAL unit with its start code.

    Parameters
    ----------
    nal_type : int, 0..63
    rbsp : bytes, ending with its trailing bits
    temporal_id : int, 0..6
    long_start : bool
        Four-byte start code: for parameter sets and the first unit of an access unit.
    """
    start = b"\x00\x00\x00\x01" if long_start else b"\x00\x00\x01"
    return start + bytes([nal_type << 1, temporal_id + 1]) + escape(rbsp)


def _parse(payload: bytes, byte: int, size: int) -> NalUnit:
    if len(payload) < 2:
        raise BitstreamError(f"NAL unit of {len(payload)} bytes, expected at least 2", "nal_unit_header", byte)
    if payload[0] & 0x80:
        raise BitstreamError("the first bit of a NAL unit is 1, expected 0", "forbidden_zero_bit", byte)
    if not payload[1] & 7:
        raise BitstreamError("nuh_temporal_id_plus1 is 0", "nuh_temporal_id_plus1", byte)
    return NalUnit(
        type=payload[0] >> 1,
        layer_id=(payload[0] & 1) << 5 | payload[1] >> 3,
        temporal_id=(payload[1] & 7) - 1,
        rbsp=unescape(payload[2:]),
        byte=byte,
        size=size,
    )


def read_nal_units(file: Any, max_bytes: int = MAX_NAL_BYTES) -> Iterator[NalUnit]:
    """Iterate over the NAL units of an Annex B stream, holding one at a time.

    Parameters
    ----------
    file : binary file, read forward in chunks
    max_bytes : int
        Size limit of one NAL unit.

    Yields
    ------
    NalUnit

    Raises
    ------
    BitstreamError : no start code at the beginning, a unit that is too long, or a broken NAL header
    """
    buffer = bytearray()
    base = 0  # position of buffer[0] in the stream
    start = None  # in the buffer: first byte after the start code of the unit being collected
    scan = 0  # no start code begins before this position
    unit_begin = 0  # in the stream: where the bytes counted for the unit begin
    ended = False
    while not ended:
        chunk = file.read(_CHUNK)
        ended = not chunk
        buffer += chunk
        while True:
            found = buffer.find(b"\x00\x00\x01", scan)
            if found < 0 and not ended:
                scan = max(scan, len(buffer) - 2)
                break
            end = found if found >= 0 else len(buffer)
            if start is None:
                if any(buffer[:end]) or found < 0:
                    raise BitstreamError("no start code: this is not an Annex B byte stream", byte=base)
            else:
                payload = bytes(buffer[start:end]).rstrip(b"\x00")
                # A zero right before a start code belongs to that (four-byte) start code.
                zero = found >= 0 and found > start + len(payload)
                boundary = base + end - (1 if zero else 0)
                yield _parse(payload, base + start, boundary - unit_begin)
                unit_begin = boundary
            if found < 0:
                break
            start = found + 3
            scan = start
        if start is not None and start > 3:
            base += start
            del buffer[:start]
            scan -= start
            start = 0
        pending = len(buffer) - (start or 0)
        if pending > max_bytes:
            raise BitstreamError(f"NAL unit of more than {max_bytes} bytes", byte=base)
        if start is None and (any(buffer[:scan]) or len(buffer) > _CHUNK):
            raise BitstreamError("no start code: this is not an Annex B byte stream", byte=base)
