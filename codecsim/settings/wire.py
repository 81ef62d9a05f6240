"""Normative.  Settings as a stream carries them: words of 32 bits.

A setting takes one word, a tuple one for each value.  Whole numbers, truth values and choices stand as numbers, a float
as the bit pattern of a float32.  A group of settings is carried as what differs from its defaults, which belong to the
version of the arithmetic:

    nothing, where nothing differs; else
    a mask of the words that differ, lowest bit first, in as many words of 32 bits as all words need
    the words that differ, in order
"""

import struct
from collections.abc import Sequence
from typing import Any, NamedTuple, Self, TypeVar

from codecsim.errors import ConfigError
from codecsim.settings.setting import Setting, Settings

Group = TypeVar("Group", bound=Settings)
LARGEST_FLOAT = 0x7F7FFFFF  # bit pattern of the largest finite float32


class Word(NamedTuple):
    """One word of a group."""

    declared: Setting
    index: int  # type: ignore[assignment]  # of the value in a tuple

    @property
    def name(self) -> str:
        """As the specification has it: of a tuple with the index."""
        return f"{self.declared.name}[{self.index}]" if self.declared.kind is tuple else self.declared.name

    @property
    def low(self) -> int:
        """Smallest value."""
        return min(self._range)

    @property
    def high(self) -> int:
        """Largest value."""
        return max(self._range)

    @property
    def _range(self) -> tuple[int, ...]:
        declared = self.declared
        if declared.kind is float:
            return 0, LARGEST_FLOAT
        if declared.kind is bool:
            return 0, 1
        if declared.low is not None and declared.high is not None:
            return int(declared.low), int(declared.high)
        allowed: Any = declared.allowed or declared.kind  # an enumeration
        return tuple(map(int, allowed))

    def pack(self, settings: Settings) -> int:
        """Its value as a number."""
        value = getattr(settings, self.declared.name)
        if self.declared.kind is float:
            return struct.unpack("<I", struct.pack("<f", value))[0]
        return int(value[self.index] if self.declared.kind is tuple else value)

    def unpack(self, number: int) -> Any:
        """The value of a number.

        Raises
        ------
        ConfigError : out of range
        """
        if not self.low <= number <= self.high:
            raise ConfigError(f"{self.declared.group}.{self.name} is {number}; expected {self.low}..{self.high}")
        return struct.unpack("<f", struct.pack("<I", number))[0] if self.declared.kind is float else number


def words_of(kind: type[Settings]) -> tuple[Word, ...]:
    """All words of a group, in order."""
    return tuple(
        Word(declared, index)
        for declared in kind.on_wire()
        for index in range(len(declared.default) if declared.kind is tuple else 1)
    )


def pack(settings: Settings) -> list[int]:
    """All words of a group, as numbers."""
    return [word.pack(settings) for word in words_of(type(settings))]


def unpack(kind: type[Group], numbers: Sequence[int]) -> Group:
    """The group of the numbers of `pack`.

    Raises
    ------
    ConfigError : a wrong count of numbers, or one out of range
    """
    words = words_of(kind)
    if len(numbers) != len(words):
        raise ConfigError(f"{kind.group}: {len(numbers)} parameters; expected {len(words)}")
    found: dict[str, Any] = {}
    for word, number in zip(words, numbers, strict=True):
        value, name = word.unpack(number), word.declared.name
        found[name] = (*found.get(name, ()), value) if word.declared.kind is tuple else value
    return kind(**found)


def _mask_words(kind: type[Settings]) -> int:
    return -(-len(words_of(kind)) // 32)


def write_changes(settings: Settings) -> tuple[int, ...]:
    """A group as what differs from its defaults."""
    kind = type(settings)
    pairs = zip(pack(settings), pack(kind()), strict=True)
    changed = [(k, value) for k, (value, usual) in enumerate(pairs) if value != usual]
    if not changed:
        return ()
    mask = sum(1 << k for k, _ in changed)
    masks = ((mask >> 32 * word) & 0xFFFFFFFF for word in range(_mask_words(kind)))
    return (*masks, *(value for _, value in changed))


def read_changes(kind: type[Group], numbers: Sequence[int]) -> Group:
    """The group of the numbers of `write_changes`.

    Raises
    ------
    ConfigError : values that are out of range, or not as many as the mask says
    """
    packed, words = pack(kind()), _mask_words(kind)
    mask = sum(value << 32 * word for word, value in enumerate(numbers[:words]))
    fields = [k for k in range(32 * words) if mask >> k & 1]
    changed = numbers[words:]
    if len(fields) != len(changed) or (fields and fields[-1] >= len(packed)):
        raise ConfigError(f"{kind.group}: {len(numbers)} parameters do not fit the mask {mask:#x}")
    for k, value in zip(fields, changed, strict=True):
        packed[k] = value
    return unpack(kind, packed)


class StreamSettings(Settings):
    """Settings that a stream carries; those without bits are known to the encoder alone."""

    def to_stream(self) -> tuple[int, ...]:
        """Words for the sequence parameter set."""
        return write_changes(self)

    @classmethod
    def from_stream(cls, numbers: Sequence[int]) -> Self:
        """Settings from the words of `to_stream`.

        Raises
        ------
        ConfigError : not what `to_stream` returns
        """
        return read_changes(cls, numbers)
