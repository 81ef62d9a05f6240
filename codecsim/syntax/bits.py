"""Normative. Header bits: one interface that writes or reads, so that each header structure is spelled once.

A `code_*` function calls `coder.u(bits, value, name)` and its like for every syntax element and uses what they return.
A `BitWriter` writes the value and returns it; a `BitReader` ignores the value given and returns the one it read.
Source: H.265 clauses 7.2 and 9.2.
"""

from codecsim.errors import BitstreamError

_MAX_UE = 2**32 - 2


class _Coder:
    """What writing and reading share; subclasses define `reading`, `_bits` and `_fail`."""

    reading = False

    def __init__(self, trace=None, origin=0):
        self.trace = trace  # None, or something like a list to append (name, value, bits, position) of every element to
        self._origin = origin  # position of the first bit

    def u(self, bits, value, name, low=0, high=None):
        """Unsigned integer of `bits` bits, checked to be in low..high."""
        start = self.bit_position
        value = self._bits(bits, int(value), name)
        return self._element(name, value, low, high, start)

    def flag(self, value, name):
        """One bit as a bool."""
        return bool(self.u(1, bool(value), name))

    def ue(self, value, name, low=0, high=_MAX_UE):
        """Unsigned Exp-Golomb code, checked to be in low..high."""
        start = self.bit_position
        value = self._golomb(int(value), name)
        return self._element(name, value, low, high, start)

    def se(self, value, name, low, high):
        """Signed Exp-Golomb code, checked to be in low..high."""
        start = self.bit_position
        code = self._golomb(2 * value - 1 if value > 0 else -2 * value, name)
        value = (code + 1) >> 1 if code & 1 else -(code >> 1)
        return self._element(name, value, low, high, start)

    def octets(self, count, value, name):
        """`count` bytes."""
        start = self.bit_position
        found = bytes(self._bits(8, value[i] if not self.reading else 0, name) for i in range(count))
        self._note(name, found, start)
        return found

    def only_u(self, bits, value, name, feature):
        """An element whose other values mean `feature`, which is refused."""
        if self.u(bits, value, name) != value:
            self._fail(f"{feature} is not supported", name)

    def only_ue(self, value, name, feature):
        """As `only_u`, Exp-Golomb coded."""
        got = self.ue(value, name)
        if got != value:
            self._fail(f"{feature} is not supported ({name} is {got}, supported is {value})", name)

    def fail(self, message, name):
        """Refuse what has been read (BitstreamError) or asked to be written (ValueError)."""
        self._fail(message, name)

    def _element(self, name, value, low, high, start):
        self._note(name, value, start)
        if value < low or (high is not None and value > high):
            self._fail(f"{name} is {value}, expected {low}..{'' if high is None else high}", name)
        return value

    def _note(self, name, value, start):
        if self.trace is not None and self.bit_position > start:
            self.trace.append((name, value, self.bit_position - start, self._origin + start))


class BitWriter(_Coder):
    """Writes header bits.

    Parameters
    ----------
    trace : list, or tracing.Tracer, optional
        Receives (name, value, bits, position) of every element; in bits.
    """

    reading = False

    def __init__(self, trace=None):
        super().__init__(trace)
        self._value = 0
        self.bit_position = 0

    def _bits(self, bits, value, name):
        if value < 0 or value >> bits:
            raise ValueError(f"{name} = {value} does not fit in {bits} bits")
        self._value = self._value << bits | value
        self.bit_position += bits
        return value

    def _golomb(self, value, name):
        if not 0 <= value <= _MAX_UE:
            raise ValueError(f"{name} = {value} is outside 0..{_MAX_UE}")
        return self._bits(2 * (value + 1).bit_length() - 1, value + 1, name) - 1

    def _fail(self, message, name):
        raise ValueError(message)

    def trailing_bits(self, name="rbsp_trailing_bits"):
        """A one and zeros up to the next byte: rbsp_trailing_bits and byte_alignment are the same."""
        start = self.bit_position
        self._bits(1, 1, "stop bit")
        self._bits(-self.bit_position % 8, 0, "alignment")
        self._note(name, 1 << self.bit_position - start - 1, start)

    def to_bytes(self):
        """What was written; the position must be at a byte boundary."""
        if self.bit_position % 8:
            raise ValueError(f"{self.bit_position} bits written, not whole bytes")
        return self._value.to_bytes(self.bit_position // 8, "big")


class BitReader(_Coder):
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

    def __init__(self, data, byte=0, trace=None):
        super().__init__(trace, 8 * byte)
        self._data = data
        self._byte = byte
        self.bit_position = 0

    def _bits(self, bits, value, name):
        end = self.bit_position + bits
        if end > 8 * len(self._data):
            self._fail(f"the data ends inside {name}", name)
        last = (end + 7) >> 3
        word = int.from_bytes(self._data[self.bit_position >> 3 : last], "big") >> (8 * last - end)
        self.bit_position = end
        return word & ((1 << bits) - 1)

    def _golomb(self, value, name):
        zeros = 0
        while self._bits(1, 0, name) == 0:
            zeros += 1
            if zeros > 31:
                self._fail(f"{name} has a code of more than 63 bits", name)
        return (1 << zeros | self._bits(zeros, 0, name)) - 1

    def _fail(self, message, name):
        raise BitstreamError(message, element=name, byte=self._byte + (self.bit_position >> 3))

    def trailing_bits(self, name="rbsp_trailing_bits"):
        """Read the one and the zeros up to the next byte, and insist on them."""
        start = self.bit_position
        if self._bits(1, 0, "stop bit") != 1 or self._bits(-self.bit_position % 8, 0, "alignment") != 0:
            self._fail("a one followed by zeros up to the byte boundary was expected", "trailing bits")
        self._note(name, 1 << self.bit_position - start - 1, start)

    @property
    def byte_position(self):
        """Bytes read so far; the position must be at a byte boundary."""
        if self.bit_position % 8:
            raise ValueError(f"{self.bit_position} bits read, not whole bytes")
        return self.bit_position >> 3
