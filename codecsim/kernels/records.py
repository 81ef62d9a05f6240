"""State that kernels change, with a name for each number.

A class that lists its numbers declares a record:

    class Registers:
        low: int  # what each one means
        range: int

`make_record(Registers)` is one such record, `make_records(Registers, (4, 3))` an array of them.  Python and kernels
read and write the same memory as `record.low` and `records[2, 1].low`; in Python `records.low` is an array of all.  An
`int` is an int64, a `float` a float64.  A record may stand in a tree that `binding.bind` passes on.
"""

import functools
from typing import Any, TypeVar

import numpy as np

_DTYPES = {int: np.int64, float: np.float64}
_Fields = TypeVar("_Fields")


@functools.cache
def layout(fields: type) -> np.dtype:
    """The dtype of records that a class declares."""
    taken = [name for name in fields.__annotations__ if hasattr(np.recarray, name) or hasattr(np.record, name)]
    if taken:
        raise TypeError(f"{fields.__name__}: NumPy's records have attributes of these names: {', '.join(taken)}")
    return np.dtype([(name, _DTYPES[kind]) for name, kind in fields.__annotations__.items()], align=True)


def make_records(fields: type, shape: int | tuple[int, ...]) -> Any:
    """An array of records, all zero."""
    return np.zeros(shape, layout(fields)).view(np.recarray)


def stack(records: Any) -> Any:
    """An array of records from a sequence of records, or of arrays of records of one shape."""
    return np.stack([np.asarray(record) for record in records]).view(np.recarray)


@functools.cache
def _one(fields: type) -> tuple[np.dtype, dict[str, int]]:
    """The dtype of a record with attributes, and the usual value of each field."""
    return np.dtype((np.record, layout(fields))), dict.fromkeys(fields.__annotations__, 0)


def make_record(fields: type[_Fields], **values: float) -> _Fields:
    """One record; what has no value is zero."""
    declared: type = fields
    kind, usual = _one(declared)  # in one step, since records are made for every layer of a network's every pass
    return np.array([tuple({**usual, **values}.values())], kind)[0]
