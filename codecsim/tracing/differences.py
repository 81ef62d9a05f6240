"""The first difference between two traces."""

import collections
import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from codecsim.errors import CodecError
from codecsim.tracing.records import SAMPLES, Record, text_line

_DERIVED = {"bits"}  # from the bins, rounded in files


@dataclasses.dataclass(frozen=True)
class Difference:
    """Where two traces part."""

    index: int  # of the element, from 0
    before: list[Record]  # the last ones that are equal
    records: tuple[Record | None, Record | None]  # the first ones that differ; None: the trace has ended
    after: tuple[list[Record], list[Record]]  # what follows them
    errors: tuple[str | None, str | None]  # why a trace has ended, if its stream is at fault
    fields: list[str]  # names of those that differ; none where a trace has ended


class _Side:
    """A trace that may end in an error."""

    def __init__(self, records: Iterable[Record]):
        self._records = iter(records)
        self.error: str | None = None

    def next(self) -> Record | None:
        """The next record, None at the end."""
        try:
            return next(self._records, None)
        except CodecError as error:
            self.error = str(error)
            self._records = iter(())
            return None

    def take(self, count: int) -> list[Record]:
        """The next records, at most so many."""
        found = (self.next() for _ in range(count))
        return [record for record in found if record is not None]


def first_difference(
    first: Iterable[Record], second: Iterable[Record], same_side: bool, context: int = 5
) -> tuple[Difference | None, int]:
    """Compare two traces, holding a few records of each.

    Parameters
    ----------
    first, second : iterables of Record
    same_side : bool, both are from encoders or both from decoders: ivlLow or ivlOffset have to be equal too
    context : int, records before and after the difference

    Returns
    -------
    (Difference or None, number of records that are equal)
    """
    ignored = _DERIVED if same_side else {*_DERIVED, "register"}
    compared = [k for k, name in enumerate(Record._fields) if name not in ignored]
    sides = _Side(first), _Side(second)
    before: collections.deque[Record] = collections.deque(maxlen=context)
    index = 0
    while True:
        one, other = sides[0].next(), sides[1].next()
        if one is None and other is None and sides[0].error == sides[1].error:
            return None, index
        fields = []
        if one is not None and other is not None:
            fields = [Record._fields[k] for k in compared if one[k] != other[k]]
            if not fields:
                before.append(one)
                index += 1
                continue
        after = sides[0].take(context), sides[1].take(context)
        errors = sides[0].error, sides[1].error
        return Difference(index, list(before), (one, other), after, errors, fields), index


def as_object(difference: Difference) -> dict[str, Any]:
    """A Difference as JSON can hold it."""

    def objects(records: Iterable[Record | None]) -> list[dict[str, Any] | None]:
        return [None if record is None else record._asdict() for record in records]

    return {
        "index": difference.index,
        "fields": difference.fields,
        "records": objects(difference.records),
        "before": objects(difference.before),
        "after": [objects(records) for records in difference.after],
        "errors": list(difference.errors),
    }


def explain(difference: Difference, names: tuple[str, str] = ("A", "B")) -> Iterator[str]:
    """Lines of text that show a difference.

    names : of the two traces
    """
    first, second = difference.records
    where = first or second
    if where is not None:
        poc = "unknown" if where.poc is None else where.poc
        place = f"picture {where.picture} (POC {poc}), {where.unit}"
        place += "" if where.ctu is None else f", CTU {where.ctu}"
        place += "" if where.x is None else f", block {where.size} at ({where.x}, {where.y})"
        yield f"first difference: element {difference.index}, {place}"
    else:
        yield f"first difference: element {difference.index}, after the last one"
    width = max(map(len, names))
    for equal in difference.before:
        yield f"  {'':{width}}  {text_line(equal)}"
    for name, record, error in zip(names, difference.records, difference.errors, strict=True):
        yield f"> {name:{width}}  {_ended(error) if record is None else text_line(record)}"
    for field in difference.fields:
        label = "offset or low" if field == "register" else field
        yield f"  {label}: {getattr(first, field)} | {getattr(second, field)}"
    if difference.fields:
        yield f"  {_meaning(difference)}"
    for name, records, error in zip(names, difference.after, difference.errors, strict=True):
        for following in records:
            yield f"  {name:{width}}  {text_line(following)}"
        if error and (records or None not in difference.records):
            yield f"  {name:{width}}  {_ended(error)}"


def _ended(error: str | None) -> str:
    return f"(stopped: {error})" if error else "(ended)"


def _meaning(difference: Difference) -> str:
    """One sentence on what kind of difference it is."""
    fields = set(difference.fields)
    first, second = difference.records
    assert first is not None and second is not None
    if first.unit == second.unit == SAMPLES and first[:9] == second[:9]:
        return "the syntax is the same up to here; what this step makes of it differs"
    if first.element != second.element or fields & {"x", "y", "size", "component", "ctu", "unit", "picture"}:
        return "the syntax goes another way: what decides whether an element is coded differs"
    if fields == {"register"}:
        return "the bits to come differ: the arithmetic coder already holds the first ones"
    if "value" in fields:
        return "the same element has another value"
    if "range" in fields or "position" in fields or "register" in fields:
        return "the value is the same; the arithmetic coders have come into different states before it"
    return "the value is the same; it is coded in other contexts, or these have other states"
