"""Normative. Header bits: one interface that writes or reads, so that each header structure is spelled once.

A `code_*` function calls `coder.u(bits, value, name)` and its like for every syntax element and uses what they return.
A `BitWriter` writes the value and returns it; a `BitReader` ignores the value given and returns the one it read.
Source: H.265 clauses 7.2 and 9.2.
"""

import abc
from typing import NoReturn, Protocol

from codecsim.errors import BitstreamError

_MAX_UE = 2**32 - 2


class ElementLog(Protocol):
    """Takes elements: a list, or a tracing.Tracer."""

    def append(self, element: tuple[str, int | bytes, int, int], /) -> object:
        """An element: (name, value, bits, position)."""


class Coder(abc.ABC):
    """What writing and reading share."""

    reading = False
    bit_position: int

    def __init__(self, trace: ElementLog | None = None, origin: int = 0):
        self.trace = trace  # None, or something like a list to append (name, value, bits, position) of every element to
        self._origin = origin  # position of the first bit

    @abc.abstractmethod
    def _bits(self, bits: int, value: int, name: str) -> int:
        """Write or read so many bits."""

    @abc.abstractmethod
    def _golomb(self, value: int, name: str) -> int:
        """Write or read an Exp-Golomb code."""

    @abc.abstractmethod
    def trailing_bits(self, name: str = "rbsp_trailing_bits") -> None:
        """A one and zeros up to the next byte: rbsp_trailing_bits and byte_alignment are the same."""

    @abc.abstractmethod
    def _fail(self, message: str, name: str) -> NoReturn:
        """Refuse an element."""

    def u(self, bits: int, value: int, name: str, low: int = 0, high: int | None = None) -> int:
        """Unsigned integer of `bits` bits, checked to be in low..high."""
        start = self.bit_position
        value = self._bits(bits, int(value), name)
        return self._element(name, value, low, high, start)

    def flag(self, value: int, name: str) -> bool:
        """One bit as a bool."""
        return bool(self.u(1, bool(value), name))

    def ue(self, value: int, name: str, low: int = 0, high: int = _MAX_UE) -> int:
        """Unsigned Exp-Golomb code, checked to be in low..high."""
        start = self.bit_position
        value = self._golomb(int(value), name)
        return self._element(name, value, low, high, start)

    def se(self, value: int, name: str, low: int, high: int) -> int:
        """Signed Exp-Golomb code, checked to be in low..high."""
        start = self.bit_position
        code = self._golomb(2 * value - 1 if value > 0 else -2 * value, name)
        value = (code + 1) >> 1 if code & 1 else -(code >> 1)
        return self._element(name, value, low, high, start)

    def octets(self, count: int, value: bytes | None, name: str) -> bytes:
        """`count` bytes."""
        start = self.bit_position
        given = value if value is not None and not self.reading else bytes(count)
        found = bytes(self._bits(8, octet, name) for octet in given[:count])
        self._note(name, found, start)
        return found

    def only_u(self, bits: int, value: int, name: str, feature: str) -> None:
        """An element whose other values mean `feature`, which is refused."""
        if self.u(bits, value, name) != value:
            self._fail(f"{feature} is not supported", name)

    def only_ue(self, value: int, name: str, feature: str) -> None:
        """As `only_u`, Exp-Golomb coded."""
        got = self.ue(value, name)
        if got != value:
            self._fail(f"{feature} is not supported ({name} is {got}, supported is {value})", name)

    def fail(self, message: str, name: str) -> NoReturn:
        """Refuse what has been read (BitstreamError) or asked to be written (ValueError)."""
        self._fail(message, name)

    def _element(self, name: str, value: int, low: int, high: int | None, start: int) -> int:
        self._note(name, value, start)
        if value < low or (high is not None and value > high):
            self._fail(f"{name} is {value}, expected {low}..{'' if high is None else high}", name)
        return value

    def _note(self, name: str, value: bytes | int, start: int) -> None:
        if self.trace is not None and self.bit_position > start:
            self.trace.append((name, value, self.bit_position - start, self._origin + start))


class BitWriter(Coder):
    """Writes header bits.

    Parameters
    ----------
    trace : list, or tracing.Tracer, optional
        Receives (name, value, bits, position) of every element; in bits.
    """

    reading = False

    def __init__(self, trace: ElementLog | None = None):
        super().__init__(trace)
        self._value = 0
        self.bit_position = 0

    def _bits(self, bits: int, value: int, name: str) -> int:
        if value < 0 or value >> bits:
            raise ValueError(f"{name} = {value} does not fit in {bits} bits")
        self._value = self._value << bits | value
        self.bit_position += bits
        return value

    def _golomb(self, value: int, name: str) -> int:
        if not 0 <= value <= _MAX_UE:
            raise ValueError(f"{name} = {value} is outside 0..{_MAX_UE}")
        return self._bits(2 * (value + 1).bit_length() - 1, value + 1, name) - 1

    def _fail(self, message: str, name: str) -> NoReturn:
        raise ValueError(message)

    def trailing_bits(self, name: str = "rbsp_trailing_bits") -> None:
        """A one and zeros up to the next byte: rbsp_trailing_bits and byte_alignment are the same."""
        start = self.bit_position
        self._bits(1, 1, "stop bit")
        self._bits(-self.bit_position % 8, 0, "alignment")
        self._note(name, 1 << self.bit_position - start - 1, start)

    def to_bytes(self) -> bytes:
        """What was written; the position must be at a byte boundary."""
        if self.bit_position % 8:
            raise ValueError(f"{self.bit_position} bits written, not whole bytes")
        return self._value.to_bytes(self.bit_position // 8, "big")


class BitReader(Coder):
    """Reads header bits; every failure is a BitstreamError that names the element.

    Parameters
    ----------
    data : bytes-like
        Raw byte sequence payload, without emulation prevention.
    byte : int
        Position of `data` in the stream, for messages.
    trace : list, or tracing.Tracer, optional
        Receives (name, value, bits, position) of every element; in bits, the data beginning at `byte`.
    """

    reading = True

    def __init__(self, data: bytes, byte: int = 0, trace: ElementLog | None = None):
        super().__init__(trace, 8 * byte)
        self._data = data
        self._byte = byte
        self.bit_position = 0

    def _bits(self, bits: int, value: int, name: str) -> int:
        end = self.bit_position + bits
        if end > 8 * len(self._data):
            self._fail(f"the data ends inside {name}", name)
        last = (end + 7) >> 3
        word = int.from_bytes(self._data[self.bit_position >> 3 : last], "big") >> (8 * last - end)
        self.bit_position = end
        return word & ((1 << bits) - 1)

    def _golomb(self, value: int, name: str) -> int:
        zeros = 0
        while self._bits(1, 0, name) == 0:
            zeros += 1
            if zeros > 31:
                self._fail(f"{name} has a code of more than 63 bits", name)
        return (1 << zeros | self._bits(zeros, 0, name)) - 1

    def _fail(self, message: str, name: str) -> NoReturn:
        raise BitstreamError(message, element=name, byte=self._byte + (self.bit_position >> 3))

    def trailing_bits(self, name: str = "rbsp_trailing_bits") -> None:
        """Read the one and the zeros up to the next byte, and insist on them."""
        start = self.bit_position
        if self._bits(1, 0, "stop bit") != 1 or self._bits(-self.bit_position % 8, 0, "alignment") != 0:
            self._fail("a one followed by zeros up to the byte boundary was expected", "trailing bits")
        self._note(name, 1 << self.bit_position - start - 1, start)

    @property
    def byte_position(self) -> int:
        """Bytes read so far; the position must be at a byte boundary."""
        if self.bit_position % 8:
            raise ValueError(f"{self.bit_position} bits read, not whole bytes")
        return self.bit_position >> 3
