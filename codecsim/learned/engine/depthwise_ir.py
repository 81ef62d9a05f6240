"""Normative.  Depthwise 3x3 layers and their weight gradient as vector LLVM IR, see vector_ir.py.

Taps are paired, not channels: a vector of 2 n samples times (w0, w1, w0, w1, ...) with its neighbours added is a part
of the n even outputs, times (0, w0, 0, w0, ...) of the n odd ones; the vector two samples on gives the rest.
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
    constant,
    dot_pairs,
    integer,
    interleave,
    join,
    load,
    loop,
    offset,
    splat,
    store,
    total,
)
from codecsim.learned.engine.spec import ACT_CLIP, GRAD_CLIP
from codecsim.learned.engine.vector_ir import LayerArguments, gradient_arguments, lanes_of, rectify, requantise


def _filter(b, x_at, w_at, start, rs, n):
    """Accumulators of 2 n outputs of one channel: even ones, odd ones."""
    pair = ir.VectorType(I16, 2 * n)
    sums = [start, start]
    for ky in range(3):
        row = offset(b, x_at, b.mul(rs, integer(ky)), I16)
        xs = [load(b, offset(b, row, integer(2 * half), I16), pair) for half in range(2)]
        for parity in range(2):
            for half in range(2):
                operand = b.load(offset(b, w_at, integer(4 * ky + 2 * parity + half), I32), typ=I32)
                w = b.bitcast(splat(b, operand, n), pair)
                sums[parity] = b.add(sums[parity], dot_pairs(b, xs[half], w, n))
    return sums


def _signs(b, mask_at, n):
    """Where 2 n samples are positive: even ones, odd ones."""
    words = load(b, mask_at, ir.VectorType(I32, n))
    sixteen, zero = constant(I32, n, 16), constant(I32, n, 0)
    return b.icmp_signed(">", b.shl(words, sixteen), zero), b.icmp_signed(">", b.ashr(words, sixteen), zero)


def _depthwise3(backward):
    """Intrinsic of a depthwise layer.  See ops_plain._depthwise3 for its meaning."""
    clip = GRAD_CLIP if backward else ACT_CLIP

    @intrinsic
    def depthwise3(typingctx, operands, job, shift):
        signature = types.void(operands, job, INDEX)

        def codegen(context, b, sig, args):
            v_len = lanes_of(context)
            layer = LayerArguments(context, b, sig, args)
            xp, wp, bp, op, fp, mp = layer.pointers
            n_out, _, cs, rs, n = layer.sizes
            with loop(b, n_out, 2) as (first, _), loop(b, n, 2 * v_len) as (p, _):
                done = []
                for j in range(2):
                    channel = b.add(first, integer(j))
                    at = b.add(p, b.mul(channel, cs))
                    start = splat(b, b.load(offset(b, bp, channel, I32), typ=I32), v_len)
                    w_at = offset(b, wp, b.mul(channel, integer(12)), I32)
                    sums = _filter(b, offset(b, xp, at, I16), w_at, start, rs, v_len)
                    signs = _signs(b, offset(b, mp, at, I16), v_len) if backward else (None, None)
                    both = [
                        requantise(b, rectify(b, acc, layer.leak, v_len, sign), layer.shift, clip, v_len)
                        for acc, sign in zip(sums, signs, strict=True)
                    ]
                    done.append(both)
                    with b.if_then(layer.planar):
                        store(b, join(b, *both, v_len), offset(b, fp, at, I16))
                with b.if_then(layer.paired):
                    even, odd = (
                        b.bitcast(join(b, done[0][k], done[1][k], v_len), ir.VectorType(I32, v_len)) for k in range(2)
                    )
                    where = b.add(b.mul(p, integer(2)), b.mul(first, cs))
                    store(b, interleave(b, even, odd, v_len), offset(b, op, where, I16))
            return context.get_dummy_value()

        return signature, codegen

    return depthwise3


depthwise3_forward, depthwise3_backward = _depthwise3(backward=False), _depthwise3(backward=True)


@intrinsic
def gradient_depthwise3(typingctx, x, g, dw, job):
    """Intrinsic of a depthwise layer's weight gradient.

    A lane of an accumulator takes in at most 64 products of +-8191 * +-4095, which is less than 2**31.
    """
    signature = types.void(x, g, dw, job)

    def codegen(context, b, sig, args):
        v_len = lanes_of(context)
        (xp, gp, dp), (n_out, _, cs, rs, n) = gradient_arguments(context, b, sig, args)
        kind, pair = ir.VectorType(I32, v_len), ir.VectorType(I16, 2 * v_len)
        acc = [cgutils.alloca_once(b, kind) for _ in range(9)]
        chunk = integer(64 * v_len)
        with loop(b, n_out) as (channel, _), loop(b, n, 64 * v_len) as (p0, _):
            left = b.sub(n, p0)
            count = b.select(b.icmp_signed("<", left, chunk), left, chunk)
            for slot in acc:
                b.store(constant(I32, v_len, 0), slot)
            start = b.add(p0, b.mul(channel, cs))
            with loop(b, count, 2 * v_len) as (p, _):
                at = b.add(start, p)
                gs = load(b, offset(b, gp, at, I16), pair)
                for ky in range(3):
                    row = offset(b, xp, b.add(at, b.mul(rs, integer(ky))), I16)
                    for kx in range(3):
                        xs = load(b, offset(b, row, integer(kx), I16), pair)
                        slot = acc[3 * ky + kx]
                        b.store(b.add(b.load(slot, typ=kind), dot_pairs(b, gs, xs, v_len)), slot)
            for k, slot in enumerate(acc):
                where = offset(b, dp, b.add(b.mul(channel, integer(9)), integer(k)), I64)
                exact = b.sext(b.load(slot, typ=kind), ir.VectorType(I64, v_len))
                b.store(b.add(b.load(where, typ=I64), total(b, exact)), where)
        return context.get_dummy_value()

    return signature, codegen
