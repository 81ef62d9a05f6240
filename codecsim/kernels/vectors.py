"""Normative. Vector LLVM IR for kernels whose loops LLVM does not vectorise well by itself.

The pieces that intrinsics are built of.  Written as generic IR, which LLVM turns into whatever the processor has: the
results are those of integer arithmetic and never depend on it.  `b` is an llvmlite IRBuilder, `n` a number of lanes.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils

I16, I32, I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
INDEX = types.int64


def integer(value: int) -> ir.Constant:
    """Constant of 64 bits."""
    return ir.Constant(I64, value)


def constant(kind: ir.Type, n: int, value: int) -> ir.Constant:
    """Vector of n equal constants."""
    return ir.Constant(ir.VectorType(kind, n), [ir.Constant(kind, value)] * n)


def lanes(order: Sequence[int]) -> ir.Constant:
    """Constant that names lanes for `shuffle_vector`."""
    return ir.Constant(ir.VectorType(I32, len(order)), list(order))


def offset(b: ir.IRBuilder, pointer: ir.Value, index: ir.Value, kind: ir.Type) -> ir.Value:
    """Pointer to entry `index` of type `kind` behind `pointer`."""
    return b.gep(b.bitcast(pointer, kind.as_pointer()), [index], source_etype=kind)


def entry(context: Any, b: ir.IRBuilder, signature: Any, args: Any, position: int, kind: ir.Type) -> ir.Value:
    """Pointer to entry args[position + 1], of type `kind`, of the contiguous array args[position] of an intrinsic."""
    array = context.make_array(signature.args[position])(context, b, args[position])
    return offset(b, array.data, args[position + 1], kind)


def numbers(b: ir.IRBuilder, kind: Any, record: ir.Value, names: Iterable[str]) -> list[ir.Value]:
    """The int64 fields of these names of a record, of Numba's type `kind`, that an intrinsic has as an argument."""
    data = b.bitcast(record, ir.IntType(8).as_pointer())
    return [load(b, b.gep(data, [integer(kind.offset(name))]), I64, 8) for name in names]


def starts(
    context: Any,
    b: ir.IRBuilder,
    arrays: Iterable[tuple[Any, ir.Value]],
    places: Iterable[ir.Value],
    kinds: Iterable[ir.Type],
) -> list[ir.Value]:
    """Pointers to an entry of each of some contiguous arrays.

    arrays : (Numba's type, value) each; places : int64 values, the entries' indices; kinds : the entries' types
    """
    data = [context.make_array(kind)(context, b, value).data for kind, value in arrays]
    return [offset(b, *where) for where in zip(data, places, kinds, strict=True)]


def load(b: ir.IRBuilder, pointer: ir.Value, kind: ir.Type, align: int = 2) -> ir.Value:
    """Value of type `kind` at `pointer`, aligned to `align` bytes."""
    return b.load(b.bitcast(pointer, kind.as_pointer()), align=align, typ=kind)


def store(b: ir.IRBuilder, value: ir.Value, pointer: ir.Value) -> None:
    """Store a value whose elements are aligned to 2 bytes."""
    b.store(value, b.bitcast(pointer, value.type.as_pointer()), align=2)


def splat(b: ir.IRBuilder, scalar: ir.Value, n: int) -> ir.Value:
    """Vector of n times `scalar`."""
    kind = ir.VectorType(scalar.type, n)
    first = b.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(I32, 0))
    return b.shuffle_vector(first, ir.Constant(kind, ir.Undefined), lanes([0] * n))


def loop(b: ir.IRBuilder, n: int, step: int = 1) -> AbstractContextManager[Any]:
    """Loop from 0 to below `n`: a context manager of (index, count)."""
    return cgutils.for_range_slice(b, integer(0), n, integer(step), intp=I64)


def dot_pairs(b: ir.IRBuilder, x: ir.Value, w: ir.Value, n: int) -> ir.Value:
    """Sums of products of neighbours: 2 n int16 x 2 n int16 -> n int32, which is pmaddwd on x86."""
    wide = ir.VectorType(I32, 2 * n)
    product = b.mul(b.sext(x, wide), b.sext(w, wide))
    undefined = ir.Constant(wide, ir.Undefined)
    even = b.shuffle_vector(product, undefined, lanes(range(0, 2 * n, 2)))
    return b.add(even, b.shuffle_vector(product, undefined, lanes(range(1, 2 * n, 2))))


def interleave(b: ir.IRBuilder, first: ir.Value, second: ir.Value, n: int) -> ir.Value:
    """2 n lanes: first[0], second[0], first[1], second[1], ..."""
    return b.shuffle_vector(first, second, lanes([k for u in range(n) for k in (u, n + u)]))


def join(b: ir.IRBuilder, first: ir.Value, second: ir.Value, n: int) -> ir.Value:
    """`interleave` of int32 lanes that fit 16 bits, as 2 n int16."""
    low = b.and_(first, constant(I32, n, 0xFFFF))
    return b.bitcast(b.or_(low, b.shl(second, constant(I32, n, 16))), ir.VectorType(I16, 2 * n))


def absolute(b: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Magnitude of signed lanes."""
    zero = ir.Constant(value.type, [0] * value.type.count)
    return b.select(b.icmp_signed("<", value, zero), b.sub(zero, value), value)


def larger(b: ir.IRBuilder, first: ir.Value, second: ir.Value) -> ir.Value:
    """Greater of signed lanes."""
    return b.select(b.icmp_signed(">", first, second), first, second)


def smaller(b: ir.IRBuilder, first: ir.Value, second: ir.Value) -> ir.Value:
    """Lesser of signed lanes."""
    return b.select(b.icmp_signed("<", first, second), first, second)


def total(b: ir.IRBuilder, vector: ir.Value) -> ir.Value:
    """Sum of the lanes, modulo their width."""
    n = vector.type.count
    while n > 1:
        undefined = ir.Constant(vector.type, ir.Undefined)
        low = b.shuffle_vector(vector, undefined, lanes(range(n // 2)))
        vector = b.add(low, b.shuffle_vector(vector, undefined, lanes(range(n // 2, n))))
        n //= 2
    return b.extract_element(vector, ir.Constant(I32, 0))
