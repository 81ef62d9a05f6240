"""SAD and SATD of small blocks as vector LLVM IR: the inner loops of distortion.py.  Encoder only.

Differences of 10-bit samples fit int16 lanes, and so do the sums of a Hadamard transform but for its last stage:
32 * 1023 < 2**15.  That stage is not computed, since |a + b| + |a - b| = 2 max(|a|, |b|).  Differences from what is
no sample but int16, twice a sample less another, are up to 2046, and the stage before the last takes int32 lanes.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from codecsim.kernels.vectors import (
    I16,
    I32,
    I64,
    INDEX,
    absolute,
    constant,
    integer,
    lanes,
    larger,
    load,
    loop,
    offset,
    total,
)


class _Rows:
    """Rows of a block of `n` lanes in a uint16 plane whose rows are contiguous."""

    def __init__(self, context, b, signature, args, position, n):
        plane = context.make_array(signature.args[position])(context, b, args[position])
        self._b, self._kind = b, ir.VectorType(I16, n)
        self._stride = b.extract_value(plane.strides, 0)
        y, x = args[position + 1], args[position + 2]
        start = b.add(b.mul(y, self._stride), b.mul(x, integer(2)))
        self._start = offset(b, plane.data, start, ir.IntType(8))

    def row(self, j):
        """Row `j`, an int or a 64-bit value."""
        j = integer(j) if isinstance(j, int) else j
        return load(self._b, offset(self._b, self._start, self._b.mul(j, self._stride), ir.IntType(8)), self._kind)


def _blocks(context, b, signature, args, n):
    """`_Rows` of the arguments (first, y, x, second, sy, sx)."""
    return (_Rows(context, b, signature, args, position, n) for position in (0, 3))


def _sad_columns(n):
    """Intrinsic of the SAD of `n` columns of at most 64 rows.

    A lane takes in one sample of each row: at most 64 * 1023 < 2**16.
    """

    @intrinsic
    def sad_columns(typingctx, first, y, x, second, sy, sx, h):
        def codegen(context, b, signature, args):
            one, other = _blocks(context, b, signature, args, n)
            kind = ir.VectorType(I16, n)
            sums = cgutils.alloca_once_value(b, constant(I16, n, 0))
            with loop(b, args[6]) as (j, _):
                error = absolute(b, b.sub(one.row(j), other.row(j)))
                b.store(b.add(b.load(sums, typ=kind), error), sums)
            return b.zext(total(b, b.zext(b.load(sums, typ=kind), ir.VectorType(I32, n))), I64)

        return types.int64(first, INDEX, INDEX, second, INDEX, INDEX, INDEX), codegen

    return sad_columns


sad_16_columns, sad_8_columns, sad_4_columns = (_sad_columns(n) for n in (16, 8, 4))


def _butterflies(b, rows, distance):
    """One stage of the Hadamard transforms down the columns: sums and differences of rows `distance` apart."""
    out = list(rows)
    for j in range(len(rows)):
        if not j & distance:
            out[j], out[j + distance] = b.add(rows[j], rows[j + distance]), b.sub(rows[j], rows[j + distance])
    return out


def _exchange_halves(b, first, second, side, run):
    """The lower halves of two vectors in one, and the upper halves in another, alternating every `run` lanes.

    Each `side` lanes belong to another block, whose halves they are.
    """
    low, high = [], []
    for block in range(0, first.type.count, side):
        for start in range(block, block + side // 2, run):
            for source in (start, first.type.count + start):
                low += range(source, source + run)
                high += range(source + side // 2, source + side // 2 + run)
    return b.shuffle_vector(first, second, lanes(low)), b.shuffle_vector(first, second, lanes(high))


def _half_transformed_sums(b, rows, side, wide):
    """Half of the sums of the magnitudes of Hadamard transforms, spread over int32 lanes.

    `rows` holds `side` vectors of int16 lanes; each `side` lanes belong to one block.  `wide`: the last stages of 8x8
    do not fit int16.  Columns need no transposition:
    where two rows exchange their halves, columns side / 2 apart meet in the same lane, and alternating runs leave the
    next stage's partners half a block apart again.  Which coefficient ends where does not matter for the sum.
    """
    distance = 1
    while distance < side:
        rows = _butterflies(b, rows, distance)
        distance *= 2
    run = 1
    while run < side // 2:
        if wide and run == 2:
            rows = [b.sext(row, ir.VectorType(I32, row.type.count)) for row in rows]
        crossed = [_exchange_halves(b, rows[j], rows[j + 1], side, run) for j in range(0, side, 2)]
        rows = [half for low, high in crossed for half in (b.add(low, high), b.sub(low, high))]
        run *= 2
    sums = None
    for j in range(0, side, 2):
        low, high = _exchange_halves(b, rows[j], rows[j + 1], side, run)
        most = larger(b, absolute(b, low), absolute(b, high))
        most = _pair_sums(b, most)
        sums = most if sums is None else b.add(sums, most)
    return sums


def _pair_sums(b, values):
    """Sums of lanes 2 k and 2 k + 1, all natural, as int32."""
    n = values.type.count // 2
    if values.type.element == I16:
        pairs = b.bitcast(values, ir.VectorType(I32, n))
        return b.add(b.and_(pairs, constant(I32, n, 0xFFFF)), b.lshr(pairs, constant(I32, n, 16)))
    halves = (b.shuffle_vector(values, values, lanes(range(k, 2 * n, 2))) for k in (0, 1))
    return b.add(*halves)


def _satd_blocks(side, n):
    """Intrinsic of the SATD of `n` // `side` square blocks beside each other."""

    @intrinsic
    def satd_blocks(typingctx, first, y, x, second, sy, sx):
        def codegen(context, b, signature, args):
            one, other = _blocks(context, b, signature, args, n)
            rows = [b.sub(one.row(j), other.row(j)) for j in range(side)]
            sums = _half_transformed_sums(b, rows, side, signature.args[0].dtype == types.int16)
            result = ir.Constant(I32, 0)
            for block in range(0, n // 2, side // 2):
                part = b.shuffle_vector(sums, sums, lanes(range(block, block + side // 2)))
                half = total(b, part)
                # (sum + 2) >> 2 of 8x8, (sum + 1) >> 1 of 4x4, the sum being twice `half`
                cost = b.lshr(b.add(half, ir.Constant(I32, 1)), ir.Constant(I32, 1)) if side == 8 else half
                result = b.add(result, cost)
            return b.zext(result, I64)

        return types.int64(first, INDEX, INDEX, second, INDEX, INDEX), codegen

    return satd_blocks


satd_8x8_pair, satd_8x8 = _satd_blocks(8, 16), _satd_blocks(8, 8)
satd_4x4_pair, satd_4x4 = _satd_blocks(4, 8), _satd_blocks(4, 4)
