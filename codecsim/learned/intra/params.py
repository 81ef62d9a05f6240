"""Normative.  What a stream says about its intra prediction filter."""

from dataclasses import dataclass, fields

import numpy as np

from codecsim.errors import ConfigError
from codecsim.settings.truth import EXPECTED, read_truth


@dataclass(frozen=True)
class IntraParams:
    """Signalled parameters of the intra prediction filter; those from `learning_rate` on only where it learns.

    Raises
    ------
    ConfigError : at construction, for a value out of range
    """

    inter_pictures: bool = True  # intra coding units of inter pictures may use it too
    online: bool = False  # it learns from each row of coding tree units of intra pictures
    learning_rate: float = 1e-4  # float32, 0..1, of Adam
    blocks: int = 128  # of a row that it learns from at most, 1..4095
    passes: int = 1  # over these blocks, 1..8
    reset_margin_q8: int = 4  # returns to the initial weights where these would have done so much better, 0..1023

    def __post_init__(self):
        for field in fields(self):
            low, high = _RANGES.get(field.name, (0, 1))
            value = getattr(self, field.name)
            found = read_truth(value) if field.type is bool else _number(field.type, value)
            if found is None or not low <= found <= high:
                expected = EXPECTED if field.type is bool else f"{low}..{high}"
                raise ConfigError(f"intra filter: {field.name} is {value!r}; expected {expected}")
            object.__setattr__(self, field.name, found)

    def pack(self):
        """Tuple of integers, one for each field; a float as its bit pattern."""
        values = [getattr(self, field.name) for field in fields(self)[: None if self.online else 1]]
        return tuple(int(np.float32(v).view(np.uint32)) if isinstance(v, float) else int(v) for v in values)

    @classmethod
    def unpack(cls, values):
        """Parameters from the integers of `pack`.

        Raises
        ------
        ConfigError : for a wrong number of values or a value out of range
        """
        own = fields(cls)
        if len(values) not in (1, len(own)):
            raise ConfigError(f"intra filter: {len(values)} parameters; expected 1 or {len(own)}")
        found = (
            float(np.uint32(value & 0xFFFFFFFF).view(np.float32)) if field.type is float else value
            for field, value in zip(own, values, strict=False)
        )
        return cls(*found)


_RANGES = {"learning_rate": (0, 1), "blocks": (1, 4095), "passes": (1, 8), "reset_margin_q8": (0, 1023)}


def _number(kind, value):
    """`value` as an int, or as a float that float32 can hold; None where it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if kind is float:
        with np.errstate(over="ignore"):
            return float(np.float32(number))
    return int(number) if number.is_integer() else None  # infinity and what is no number are none
