"""Normative.  Convolution and weight-gradient loops as vector LLVM IR, for Numba kernels.

The fast half of the engine, behind ops_vector.py; ops_plain.py gives the same bits.  Written as generic IR (sign
extension, multiply, add of neighbours) which LLVM turns into pmaddwd, vpmaddwd, vpdpwssd or smlal.  All sums are of
integers modulo 2**32 or exact, so the vector width and blocking chosen here for the target never show in a result.
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
    join,
    larger,
    load,
    loop,
    numbers,
    offset,
    smaller,
    splat,
    starts,
    store,
    total,
)
from codecsim.learned.engine.packing import FLAT, PAIRED
from codecsim.learned.engine.spec import ACT_CLIP, GRAD_CLIP, LANES, OUTPUT_CLIP, OUTPUT_SHIFT, SKIP


def lanes_of(context):
    """int32 lanes of a vector register of the target of this compilation."""
    _, cpu, features = context.codegen().magic_tuple()
    if "+avx512bw" in features or cpu == "x86-64-v4":
        return 16
    return 8 if "+avx2" in features or cpu == "x86-64-v3" else 4


def _add_pairs(b, acc, x_at, w_at, tap, n):
    """acc[j][v] += (pair of weights j of `tap`) . (pair of inputs of vector v); `acc` are stack slots."""
    kind, pair = ir.VectorType(I32, n), ir.VectorType(I16, 2 * n)
    xs = [load(b, offset(b, x_at, integer(2 * v * n), I16), pair) for v in range(len(acc[0]))]
    for j, row in enumerate(acc):
        w = b.bitcast(splat(b, b.load(offset(b, w_at, integer(tap + j), I32), typ=I32), n), pair)
        for v, slot in enumerate(row):
            b.store(b.add(b.load(slot, typ=kind), dot_pairs(b, xs[v], w, n)), slot)


def requantise(b, acc, shift, clip, n):
    """clip((acc + half) >> shift, +-clip), n int32; `shift` is an int32 value."""
    one = ir.Constant(I32, 1)
    half = splat(b, b.shl(one, b.sub(shift, one)), n)
    acc = b.ashr(b.add(acc, half), splat(b, shift, n))
    high, low = constant(I32, n, clip), constant(I32, n, -clip)
    return larger(b, smaller(b, acc, high), low)


def rectify(b, acc, leak, n, positive=None):
    """acc where it is `positive`, else acc >> leak; its own sign decides where `positive` is None."""
    less = b.ashr(acc, splat(b, leak, n))
    return larger(b, acc, less) if positive is None else b.select(positive, acc, less)


class LayerArguments:
    """Arguments of an intrinsic of a layer, (Operands, LayerJob, shift), see ops_plain.py.

    Attributes
    ----------
    pointers : to where x, w, bias, paired, flat and mask begin
    sizes : outputs, inputs, cs, rs, n, int64 values
    paired, planar : whether to write these forms
    leak, shift : int32 values
    """

    def __init__(self, context, b, sig, args):
        operands, job, _ = sig.args
        places = numbers(b, job, args[1], ("x", "w", "bias", "to_paired", "to_flat", "mask"))
        arrays = zip(operands.types, cgutils.unpack_tuple(b, args[0]), strict=True)
        self.pointers = starts(context, b, arrays, places, (I16, I32, I32, I16, I16, I16))
        self.sizes = numbers(b, job, args[1], ("n_out", "n_in", "cs", "rs", "n"))
        forms, leak = numbers(b, job, args[1], ("forms", "leak"))
        self.paired, self.planar = (
            b.icmp_signed("!=", b.and_(forms, integer(form)), integer(0)) for form in (PAIRED, FLAT)
        )
        self.leak, self.shift = b.trunc(leak, I32), b.trunc(args[2], I32)


def gradient_arguments(context, b, sig, args):
    """Of an intrinsic of a gradient, (x, g, dw, GradientJob): pointers to where the arrays begin, and sizes."""
    job, record = sig.args[3], args[3]
    arrays = zip(sig.args[:3], args[:3], strict=True)
    pointers = starts(context, b, arrays, numbers(b, job, record, ("x", "g", "dw")), (I16, I16, I64))
    return pointers, numbers(b, job, record, ("n_out", "n_in", "cs", "rs", "n"))


def _conv(taps, backward):
    """Intrinsic of a convolution of `taps` x `taps` to blocks of 8 channels.  See ops_plain._conv for its meaning."""
    clip = GRAD_CLIP if backward else ACT_CLIP

    @intrinsic
    def conv(typingctx, operands, job, shift):
        signature = types.void(operands, job, INDEX)

        def codegen(context, b, sig, args):
            v_len = lanes_of(context)
            group, n_vec = {16: (8, 2), 8: (8, 1), 4: (4, 2)}[v_len]
            layer = LayerArguments(context, b, sig, args)
            xp, wp, bp, op, fp, mp = layer.pointers
            n_out, n_in, cs, rs, n = layer.sizes
            n_pairs = b.lshr(n_in, integer(1))
            kind = ir.VectorType(I32, v_len)
            acc = [[cgutils.alloca_once(b, kind) for _ in range(n_vec)] for _ in range(group)]
            with loop(b, n, v_len * n_vec) as (p, _), loop(b, n_out, group) as (first, _):
                block, lane = b.udiv(first, integer(LANES)), b.urem(first, integer(LANES))
                for j in range(group):
                    start = splat(b, b.load(offset(b, bp, b.add(first, integer(j)), I32), typ=I32), v_len)
                    for slot in acc[j]:
                        b.store(start, slot)
                w_at = offset(b, wp, b.add(b.mul(block, b.mul(n_pairs, integer(taps * taps * LANES))), lane), I32)
                x_at = offset(b, xp, b.mul(p, integer(2)), I16)
                with loop(b, n_pairs) as (c, _):
                    xc = offset(b, x_at, b.mul(c, b.mul(cs, integer(2))), I16)
                    wc = offset(b, w_at, b.mul(c, integer(taps * taps * LANES)), I32)
                    for ky in range(taps):
                        row = offset(b, xc, b.mul(rs, integer(2 * ky)), I16)
                        for kx in range(taps):
                            tap = (taps * ky + kx) * LANES
                            _add_pairs(b, acc, offset(b, row, integer(2 * kx), I16), wc, tap, v_len)
                for v in range(n_vec):
                    done = []
                    at = b.add(b.add(p, integer(v * v_len)), b.mul(first, cs))
                    for j in range(group):
                        a = b.load(acc[j][v], typ=kind)
                        positive = None
                        if backward:
                            here = offset(b, mp, b.add(at, b.mul(cs, integer(j))), I16)
                            h = load(b, here, ir.VectorType(I16, v_len))
                            positive = b.icmp_signed(">", h, constant(I16, v_len, 0))
                        done.append(requantise(b, rectify(b, a, layer.leak, v_len, positive), layer.shift, clip, v_len))
                    with b.if_then(layer.paired):
                        for j in range(0, group, 2):
                            pair = b.add(
                                b.add(b.mul(first, cs), b.mul(cs, integer(j))),
                                b.mul(b.add(p, integer(v * v_len)), integer(2)),
                            )
                            store(b, join(b, done[j], done[j + 1], v_len), offset(b, op, pair, I16))
                    with b.if_then(layer.planar):
                        for j in range(group):
                            narrow = b.trunc(done[j], ir.VectorType(I16, v_len))
                            store(b, narrow, offset(b, fp, b.add(at, b.mul(cs, integer(j))), I16))
            return context.get_dummy_value()

        return signature, codegen

    return conv


conv3_forward, conv3_backward = _conv(3, backward=False), _conv(3, backward=True)
conv1_forward, conv1_backward = _conv(1, backward=False), _conv(1, backward=True)


@intrinsic
def conv_output(typingctx, x, w, bias, out, job):
    """Intrinsic of the last layer: 3x3 over hidden channels plus 5x5 over inputs.  See ops_plain.output."""
    signature = types.void(x, w, bias, out, job)

    def codegen(context, b, sig, args):
        v_len, n_vec = lanes_of(context), 8
        x, w, bias, out = zip(sig.args[:4], args[:4], strict=True)
        places = numbers(b, sig.args[4], args[4], ("x", "w", "skip_x", "skip_w", "bias", "out"))
        arrays, kinds = (x, w, x, w, bias, out), (I16, I32, I16, I32, I32, I16)
        xp, wp, sp, swp, bp, op = starts(context, b, arrays, places, kinds)
        n_pairs, n_skip_pairs, cs, rs, n = numbers(
            b, sig.args[4], args[4], ("n_pairs", "n_skip_pairs", "cs", "rs", "n")
        )
        kind = ir.VectorType(I32, v_len)
        acc = [[cgutils.alloca_once(b, kind) for _ in range(n_vec)]]
        with loop(b, n, v_len * n_vec) as (p, _):
            start = splat(b, b.load(bp, typ=I32), v_len)
            for slot in acc[0]:
                b.store(start, slot)
            for source, weights, pairs, taps in ((xp, wp, n_pairs, 3), (sp, swp, n_skip_pairs, SKIP)):
                at = offset(b, source, b.mul(p, integer(2)), I16)
                with loop(b, pairs) as (c, _):
                    xc = offset(b, at, b.mul(c, b.mul(cs, integer(2))), I16)
                    wc = offset(b, weights, b.mul(c, integer(taps * taps)), I32)
                    with loop(b, integer(taps)) as (ky, _):
                        row = offset(b, xc, b.mul(b.mul(rs, ky), integer(2)), I16)
                        wr = offset(b, wc, b.mul(ky, integer(taps)), I32)
                        for kx in range(taps):
                            _add_pairs(b, acc, offset(b, row, integer(2 * kx), I16), wr, kx, v_len)
            for v, slot in enumerate(acc[0]):
                q = requantise(b, b.load(slot, typ=kind), ir.Constant(I32, OUTPUT_SHIFT), OUTPUT_CLIP, v_len)
                store(b, b.trunc(q, ir.VectorType(I16, v_len)), offset(b, op, b.add(p, integer(v * v_len)), I16))
        return context.get_dummy_value()

    return signature, codegen


def _weight_gradient(taps, n_g, n_x):
    """Intrinsic of a weight gradient, `n_g` outputs by `n_x` inputs by `taps` taps of a row at a time.

    A lane of an accumulator takes in at most 64 products of +-8191 * +-4095, which is less than 2**31.
    """

    @intrinsic
    def weight_gradient(typingctx, x, g, dw, job):
        signature = types.void(x, g, dw, job)

        def codegen(context, b, sig, args):
            v_len = lanes_of(context)
            go_n, gx_n = (n_g // 2 if v_len < 16 and n_g > 1 else n_g), n_x
            (xp, gp, dp), (n_out, n_in, cs, rs, n) = gradient_arguments(context, b, sig, args)
            kind, pair = ir.VectorType(I32, v_len), ir.VectorType(I16, 2 * v_len)
            acc = [[[cgutils.alloca_once(b, kind) for _ in range(taps)] for _ in range(gx_n)] for _ in range(go_n)]
            chunk = integer(64 * v_len)
            with (
                loop(b, n, 64 * v_len) as (p0, _),
                loop(b, n_out, go_n) as (co, _),
                loop(b, n_in, gx_n) as (ci, _),
                loop(b, integer(taps)) as (ky, _),
            ):
                left = b.sub(n, p0)
                count = b.select(b.icmp_signed("<", left, chunk), left, chunk)
                for slot in (slot for plane in acc for row in plane for slot in row):
                    b.store(constant(I32, v_len, 0), slot)
                g0 = offset(b, gp, b.add(p0, b.mul(co, cs)), I16)
                x0 = offset(b, xp, b.add(b.add(p0, b.mul(ci, cs)), b.mul(ky, rs)), I16)
                with loop(b, count, 2 * v_len) as (p, _):
                    gs = [load(b, offset(b, g0, b.add(p, b.mul(cs, integer(j))), I16), pair) for j in range(go_n)]
                    for c in range(gx_n):
                        xc = offset(b, x0, b.add(p, b.mul(cs, integer(c))), I16)
                        for k in range(taps):
                            xv = load(b, offset(b, xc, integer(k), I16), pair)
                            for j in range(go_n):
                                slot = acc[j][c][k]
                                b.store(b.add(b.load(slot, typ=kind), dot_pairs(b, gs[j], xv, v_len)), slot)
                for j in range(go_n):
                    for c in range(gx_n):
                        plane = b.add(b.mul(b.add(co, integer(j)), n_in), b.add(ci, integer(c)))
                        at = b.add(b.mul(plane, integer(taps * taps)), b.mul(ky, integer(taps)))
                        for k in range(taps):
                            where = offset(b, dp, b.add(at, integer(k)), I64)
                            exact = b.sext(b.load(acc[j][c][k], typ=kind), ir.VectorType(I64, v_len))
                            b.store(b.add(b.load(where, typ=I64), total(b, exact)), where)
            return context.get_dummy_value()

        return signature, codegen

    return weight_gradient


gradient_conv3 = _weight_gradient(3, 4, 2)
gradient_conv1 = _weight_gradient(1, 8, 2)
gradient_output = _weight_gradient(3, 1, 4)
gradient_skip = _weight_gradient(SKIP, 1, 2)
