"""Recording of what is coded, at no cost where nobody records.

Whether there is a recording is a matter of the coder's type: a `Coder` has no field `record`, a `TracedCoder` has one.
A function marked `recording` runs where its coder is traced; for other coders a call of it emits no code at all.
"""

import inspect

from numba import types
from numba.extending import intrinsic

from codecsim.kernels.binding import BoundType
from codecsim.kernels.jit import kernel
from codecsim.kernels.records import make_records

BYPASS, TERMINATE = -1, -2  # `what` of bins that have no context; of others it is their context
FIRST_ELEMENT = 1 << 16  # added to the number of an element
ROWS = 1 << 18  # more than a CTU can need: 6144 levels of fewer than 40 bins


class Row:
    """A row of a recording: bins of one kind, or a syntax element, which owns the bins since the last one."""

    what: int
    value: int
    count: int  # of bins
    state: int  # of their context, and that of the coder, before them
    range: int
    register: int
    position: int
    place: int  # of an element, as `located` packs it


def make_recording():
    """(ROWS,) records; row 0 holds in `what` the last row used, in `count` how many no element owns, and the place."""
    return make_records(Row, ROWS)


def recording(function):
    """Make `function(cd, ...)` something that kernels call, which does nothing unless the coder `cd` is traced.

    In either case the call's value is its last argument.
    """

    def define(typingctx, *kinds):
        kinds = [types.unliteral(kind) for kind in kinds]
        coder = kinds[0].fields if isinstance(kinds[0], BoundType) else kinds[0]

        def emit(context, builder, signature, values):
            if "record" in coder.fields:
                context.compile_internal(builder, function, types.none(*kinds), values)
            return values[-1]

        return kinds[-1](*kinds), emit

    given = inspect.signature(function)
    context = inspect.Parameter("typingctx", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    define.__signature__ = given.replace(parameters=[context, *given.parameters.values()])
    define.__name__ = function.__name__
    return intrinsic(define)


@recording
def named(cd, element, value):
    """`value` of a syntax element whose bins have just been coded; without bins it is not in the stream.

    element : int, of codecsim.entropy.elements
    """
    record = cd.record
    if record[0].count == 0:
        return
    record[0].count = 0
    row = record[0].what + 1
    record[0].what = row
    if row < len(record):
        record[row].what = FIRST_ELEMENT + element
        record[row].value = value
        record[row].place = record[0].place


@recording
def located(cd, x, y, width, height, component):
    """What follows belongs to a block.

    x, y, width, height : int, luma samples
    component : int, 0 Y, 1 Cb, 2 Cr; -1 where that makes no difference
    """
    cd.record[0].place = x | y << 16 | width << 32 | height << 40 | (component + 1) << 48


@kernel
def begin_bins(record, what, state, range_before, register, position):
    """Some bins follow: `what` they are, the state of their context, and that of the coder, before them."""
    row = record[0].what + 1
    record[0].what = row
    record[0].count += 1
    if row < len(record):
        record[row].what = what
        record[row].state = state
        record[row].range = range_before
        record[row].register = register
        record[row].position = position


@recording
def end_bins(cd, count, value):
    """The `count` bins that have begun have been coded; the first one is the highest bit of `value`."""
    record = cd.record
    row = record[0].what
    if count == 0:
        record[0].what -= 1
        record[0].count -= 1
    elif row < len(record):
        record[row].count = count
        record[row].value = value
