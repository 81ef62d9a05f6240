"""Normative. Supplemental enhancement information: hashes of the decoded picture and of the learner's state.

Source: H.265 clauses 7.3.5, D.2.7 (user data unregistered), D.2.19 (decoded picture hash).  Other messages are ignored.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from codecsim.errors import BitstreamError
from codecsim.syntax.bits import BitReader, BitWriter, Coder, ElementLog
from codecsim.syntax.nal import NalUnit

USER_DATA_UNREGISTERED = 5
DECODED_PICTURE_HASH = 132
HASH_TYPES = {"md5": (0, 16), "crc": (1, 2), "checksum": (2, 4)}  # name: (hash_type, bytes a plane)

# The identifier of user data that carry the hash of the learner's state.
LEARNER_UUID = bytes.fromhex("5b1ed6c0a34f4c0e9a7bc0dec51e4a9d")
LEARNER_HASH_BYTES = 16


@dataclasses.dataclass(frozen=True)
class PictureHash:
    """Hash of the three decoded planes at coded size."""

    method: str  # a key of HASH_TYPES
    values: tuple[bytes, bytes, bytes]  # Y, Cb, Cr


@dataclasses.dataclass(frozen=True)
class LearnerHash:
    """Hash of the learner's whole state after the picture."""

    digest: bytes  # 16 bytes


def code_picture_hash(coder: Coder, message: PictureHash | None) -> PictureHash | None:
    """decoded_picture_hash(); returns a PictureHash, or None for a hash type of a later edition."""
    hash_type = coder.u(8, HASH_TYPES[message.method][0] if message else 0, "hash_type")
    for name, (number, size) in HASH_TYPES.items():
        if number == hash_type:
            values = message.values if message else (None, None, None)
            y, cb, cr = (coder.octets(size, value, f"picture_{name}") for value in values)
            return PictureHash(name, (y, cb, cr))
    return None


def code_learner_hash(coder: Coder, message: LearnerHash | None) -> LearnerHash | None:
    """user_data_unregistered() of this project; returns a LearnerHash, or None if the data are somebody else's."""
    if coder.octets(16, LEARNER_UUID, "uuid_iso_iec_11578") != LEARNER_UUID:
        return None
    return LearnerHash(coder.octets(LEARNER_HASH_BYTES, message.digest if message else None, "learner_hash"))


_CODERS: dict[type, tuple[int, Callable[[Coder, Any], Any]]] = {
    PictureHash: (DECODED_PICTURE_HASH, code_picture_hash),
    LearnerHash: (USER_DATA_UNREGISTERED, code_learner_hash),
}


def _code_number(coder: Coder, value: int, name: str) -> int:
    """Payload type and size: bytes of 255 and a last one below, summed."""
    total = 0
    while True:
        step = coder.u(8, min(value - total, 255) if not coder.reading else 0, name)
        total += step
        if step != 255:
            return total


def write_sei(messages: Sequence[LearnerHash | PictureHash], trace: ElementLog | None = None) -> bytes:
    """Raw bytes of an SEI NAL unit (a suffix one) with these PictureHash and LearnerHash messages.

    trace : tracing.Tracer, optional
    """
    coder = BitWriter(trace)
    for message in messages:
        number, code = _CODERS[type(message)]
        payload = BitWriter()
        code(payload, message)
        _code_number(coder, number, "payload_type")
        _code_number(coder, len(payload.to_bytes()), "payload_size")
        code(coder, message)
    coder.trailing_bits()
    return coder.to_bytes()


def read_sei(nal: NalUnit, trace: ElementLog | None = None) -> list[LearnerHash | PictureHash]:
    """The PictureHash and LearnerHash messages in a NalUnit of type PREFIX_SEI or SUFFIX_SEI.

    trace : tracing.Tracer, optional

    Raises
    ------
    BitstreamError : a message does not fit in the unit, or a hash in its message
    """
    messages = []
    end = len(nal.rbsp.rstrip(b"\x00")) - 1  # the trailing bits are a byte of their own
    if end < 0 or nal.rbsp[end] != 0x80:
        raise BitstreamError("the messages do not end in trailing bits: cut or damaged", "rbsp_trailing_bits", nal.byte)
    start = 0
    while start < end:
        coder = BitReader(nal.rbsp[start:end], nal.byte + 2 + start, trace)
        number = _code_number(coder, 0, "payload_type")
        size = _code_number(coder, 0, "payload_size")
        start += coder.byte_position
        if start + size > end:
            coder.fail(f"a message of {size} bytes where {end - start} are left", "payload_size")
        payload = BitReader(nal.rbsp[start : start + size], nal.byte + 2 + start, trace)
        known = [code for kind, code in _CODERS.values() if kind == number]
        message = known[0](payload, None) if known and size >= 16 * (number == USER_DATA_UNREGISTERED) else None
        if message is not None:
            messages.append(message)
        else:
            payload.octets(size - payload.byte_position, None, "payload")
        start += size
    BitReader(nal.rbsp[end : end + 1], nal.byte + 2 + end, trace).trailing_bits()
    return messages
