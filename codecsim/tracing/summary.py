"""What each syntax element takes, over a trace."""

import collections
from collections.abc import Iterable

from codecsim.tracing.records import SAMPLES, Record


def summarise(records: Iterable[Record]) -> list[dict]:
    """Sums by element and component, those that take most first.

    Returns
    -------
    list of {'element': str, 'component': str or None, 'count': int, 'bins': int, 'bits': float, 'share': float}
        `bins` are those of the arithmetic coder, none in headers; `share` is that of all bits.
    """
    sums: dict[tuple[str, str | None], list] = collections.defaultdict(lambda: [0, 0, 0.0])
    for record in records:
        if record.unit != SAMPLES:
            found = sums[record.element, record.component]
            found[0] += 1
            found[1] += sum(token.index("@") for token in (record.bins or "").split())
            found[2] += record.bits
    total = sum(bits for _, _, bits in sums.values()) or 1.0
    names = ("element", "component", "count", "bins", "bits", "share")
    rows = [(*key, *values, values[2] / total) for key, values in sums.items()]
    return [dict(zip(names, row, strict=True)) for row in sorted(rows, key=lambda row: -row[4])]
