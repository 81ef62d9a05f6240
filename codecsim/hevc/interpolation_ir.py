"""Normative.  Eight-tap filters along a line of int16 samples as vector LLVM IR.

The taps' products fit int32 and are exact; samples, filtered or not, fit int16.  Source: H.265 8.5.3.3.3.1.
"""

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from codecsim.kernels.vectors import (
    I16,
    I32,
    INDEX,
    constant,
    dot_pairs,
    entry,
    integer,
    interleave,
    larger,
    load,
    loop,
    offset,
    smaller,
    splat,
    store,
)

LANES = 8
_TAPS = 8


def _filtered(b, source, step, weights):
    """Sums of eight neighbours `step` entries apart, the first at `source`, as int32 lanes."""
    kind = ir.VectorType(I16, LANES)
    lines = [load(b, offset(b, source, b.mul(step, integer(k)), I16), kind) for k in range(_TAPS)]
    acc = constant(I32, LANES, 0)
    for k in range(0, _TAPS, 2):
        acc = b.add(acc, dot_pairs(b, interleave(b, lines[k], lines[k + 1], LANES), weights[k // 2], LANES))
    return acc


def _weights(b, taps):
    """Pairs of neighbouring taps for `_filtered`."""
    scalars = [splat(b, b.trunc(load(b, offset(b, taps, integer(k), I32), I32, 4), I16), LANES) for k in range(_TAPS)]
    return [interleave(b, scalars[k], scalars[k + 1], LANES) for k in range(0, _TAPS, 2)]


def _shift(b, value, shift):
    return b.ashr(value, splat(b, b.trunc(shift, I32), LANES))


@intrinsic
def filter_line(typingctx, source, at, step, taps, tap_at, out, out_at, count, shift):
    """Filter `count` samples (a multiple of LANES): int16 out[out_at + i] is, shifted right, the sum of products.

    `source` is int16 or uint16 with samples below 2**15; out[out_at + i] is of source[at + i + k * step], k = 0..7,
    and taps[tap_at + k], int32.  Indices count entries of contiguous arrays.
    """

    def codegen(context, b, signature, args):
        pointers = [entry(context, b, signature, args, i, kind) for i, kind in ((0, I16), (3, I32), (5, I16))]
        start, step, weights, out = pointers[0], args[2], _weights(b, pointers[1]), pointers[2]
        with loop(b, args[7], LANES) as (i, _):
            acc = _shift(b, _filtered(b, offset(b, start, i, I16), step, weights), args[8])
            store(b, b.trunc(acc, ir.VectorType(I16, LANES)), offset(b, out, i, I16))
        return context.get_dummy_value()

    return types.void(source, INDEX, INDEX, taps, INDEX, out, INDEX, INDEX, INDEX), codegen


@intrinsic
def filter_line_rounded(typingctx, source, at, step, taps, tap_at, out, out_at, count, bit_depth):
    """As `filter_line` with the second stage's shift by 6, and rounding to samples of `bit_depth` in uint16 `out`."""

    def codegen(context, b, signature, args):
        pointers = [entry(context, b, signature, args, i, kind) for i, kind in ((0, I16), (3, I32), (5, I16))]
        start, step, weights, out = pointers[0], args[2], _weights(b, pointers[1]), pointers[2]
        one = ir.Constant(I32, 1)
        depth = b.trunc(args[8], I32)
        down = b.sub(ir.Constant(I32, 14), depth)
        rounding = splat(b, b.shl(one, b.sub(down, one)), LANES)
        top = splat(b, b.sub(b.shl(one, depth), one), LANES)
        down = splat(b, down, LANES)
        with loop(b, args[7], LANES) as (i, _):
            acc = b.ashr(_filtered(b, offset(b, start, i, I16), step, weights), constant(I32, LANES, 6))
            sample = b.ashr(b.add(acc, rounding), down)
            sample = smaller(b, larger(b, sample, constant(I32, LANES, 0)), top)
            store(b, b.trunc(sample, ir.VectorType(I16, LANES)), offset(b, out, i, I16))
        return context.get_dummy_value()

    return types.void(source, INDEX, INDEX, taps, INDEX, out, INDEX, INDEX, INDEX), codegen
