"""Normative.  The matrix products of the transforms as vector LLVM IR.

Two int16 values that are multiplied and added together stand in one int32, the first in its lower half: see `pack`.
A processor with pmaddwd or its like does both multiplications and the addition at once.  Four lines of a product are
computed together, so that what is read of the right matrix serves four times.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from codecsim.kernels.jit import kernel
from codecsim.kernels.vectors import (
    I16,
    I32,
    INDEX,
    constant,
    dot_pairs,
    entry,
    integer,
    larger,
    load,
    loop,
    offset,
    smaller,
    splat,
    store,
)

STEP = 32  # entries from one line of a packed matrix to the next
_LINES = 4


def _sums(b, left, left_line, left_step, right, count, n):
    """Sums of products of _LINES lines and `n` columns, as vectors."""
    kind, pairs = ir.VectorType(I32, n), ir.VectorType(I16, 2 * n)
    slots = [cgutils.alloca_once_value(b, constant(I32, n, 0)) for _ in range(_LINES)]
    for slot in slots:
        b.store(constant(I32, n, 0), slot)
    with loop(b, count) as (k, _):
        vector = b.bitcast(load(b, offset(b, right, b.mul(k, integer(STEP)), I32), kind, 4), pairs)
        here = offset(b, left, b.mul(k, left_step), I32)
        for line, slot in enumerate(slots):
            scalar = load(b, offset(b, here, b.mul(left_line, integer(line)), I32), I32, 4)
            product = dot_pairs(b, vector, b.bitcast(splat(b, scalar, n), pairs), n)
            b.store(b.add(b.load(slot, typ=kind), product), slot)
    return [b.load(slot, typ=kind) for slot in slots]


def _lines_of_product(n, packed):
    """Intrinsic of _LINES lines and `n` columns of `multiply_packed` (`packed`) or `multiply`."""

    @intrinsic
    def lines_of_product(
        typingctx, left, left_at, left_line, left_step, right, right_at, count, out, out_at, out_step, shift
    ):
        def codegen(context, b, signature, args):
            left, right, out = (entry(context, b, signature, args, position, I32) for position in (0, 4, 7))
            sums = _sums(b, left, args[2], args[3], right, args[6], n)
            one, shift = ir.Constant(I32, 1), b.trunc(args[10], I32)
            rounding = splat(b, b.ashr(b.shl(one, shift), one), n)
            lines = [b.ashr(b.add(total, rounding), splat(b, shift, n)) for total in sums]
            if packed:
                low, high = constant(I32, n, -32768), constant(I32, n, 32767)
                lines = [smaller(b, larger(b, line, low), high) for line in lines]
                halves = zip(lines[::2], lines[1::2], strict=True)
                half, mask = constant(I32, n, 16), constant(I32, n, 0xFFFF)
                lines = [b.or_(b.and_(first, mask), b.shl(second, half)) for first, second in halves]
            for k, line in enumerate(lines):
                store(b, line, offset(b, out, b.mul(args[9], integer(k)), I32))
            return context.get_dummy_value()

        arrays = (left, *[INDEX] * 3, right, INDEX, INDEX, out, *[INDEX] * 3)
        return types.void(*arrays), codegen

    return lines_of_product


_packed_4, _packed_8, _packed_16 = (_lines_of_product(n, True) for n in (4, 8, 16))
_plain_4, _plain_8, _plain_16 = (_lines_of_product(n, False) for n in (4, 8, 16))


@kernel(inline=True)
def pack(first, second):
    """Two int32 that fit int16 in one int32."""
    return np.int32((first & 0xFFFF) | (second << 16))


@kernel
def multiply_packed(left, left_at, left_line, left_step, right, right_at, count, n, lines, shift, out, out_at):
    """Product of two matrices of packed pairs, rounded, shifted right, clipped to int16, its lines packed in pairs.

    Line j and column u of the product are the sum over k < count of left[left_at + j * left_line + k * left_step] .
    right[right_at + STEP * k + u], where `.` multiplies both halves and adds.  Lines 2 k and 2 k + 1 are written at
    out[out_at + STEP * k + u].  There are n columns, 4, 8, 16 or 32, and `lines` lines, rounded up to a multiple of 4.
    Flat indices into contiguous int32 arrays.
    """
    for j in range(0, lines, _LINES):
        here, there = left_at + j * left_line, out_at + (STEP >> 1) * j
        if n == 4:
            _packed_4(left, here, left_line, left_step, right, right_at, count, out, there, STEP, shift)
        elif n == 8:
            _packed_8(left, here, left_line, left_step, right, right_at, count, out, there, STEP, shift)
        else:
            for u in range(0, n, 16):
                _packed_16(left, here, left_line, left_step, right, right_at + u, count, out, there + u, STEP, shift)


@kernel
def multiply(left, left_at, left_line, left_step, right, right_at, count, n, shift, out):
    """As `multiply_packed` with n lines, neither clipped nor packed, into out[j * n + u]."""
    for j in range(0, n, _LINES):
        here = left_at + j * left_line
        if n == 4:
            _plain_4(left, here, left_line, left_step, right, right_at, count, out, j * n, n, shift)
        elif n == 8:
            _plain_8(left, here, left_line, left_step, right, right_at, count, out, j * n, n, shift)
        else:
            for u in range(0, n, 16):
                _plain_16(left, here, left_line, left_step, right, right_at + u, count, out, j * n + u, n, shift)
