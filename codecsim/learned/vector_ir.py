"""Normative.  Convolution and weight-gradient loops as vector LLVM IR, for Numba kernels.

The fast half of the engine, behind ops_vector.py; ops_plain.py gives the same bits.  Written as generic IR (sign
extension, multiply, add of neighbours) which LLVM turns into pmaddwd, vpmaddwd, vpdpwssd or smlal.  All sums are of
integers modulo 2**32 or exact, so the vector width and blocking chosen here for the target never show in a result.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from codecsim.learned.spec import ACT_CLIP, GRAD_CLIP, LANES, LEAK_SHIFT, OUTPUT_CLIP, OUTPUT_SHIFT, SKIP

I16, I32, I64 = ir.IntType(16), ir.IntType(32), ir.IntType(64)
INDEX = types.int64


def _lanes(context):
    """int32 lanes of a vector register of the target of this compilation."""
    _, cpu, features = context.codegen().magic_tuple()
    if "+avx512bw" in features or cpu == "x86-64-v4":
        return 16
    return 8 if "+avx2" in features or cpu == "x86-64-v3" else 4


def _int(value):
    return ir.Constant(I64, value)


def _const(kind, n, value):
    return ir.Constant(ir.VectorType(kind, n), [ir.Constant(kind, value)] * n)


def _mask(lanes):
    return ir.Constant(ir.VectorType(I32, len(lanes)), list(lanes))


def _offset(b, pointer, index, kind):
    return b.gep(b.bitcast(pointer, kind.as_pointer()), [index], source_etype=kind)


def _load(b, pointer, kind, align=2):
    return b.load(b.bitcast(pointer, kind.as_pointer()), align=align, typ=kind)


def _store(b, value, pointer):
    b.store(value, b.bitcast(pointer, value.type.as_pointer()), align=2)


def _splat(b, scalar, n):
    kind = ir.VectorType(scalar.type, n)
    first = b.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(I32, 0))
    return b.shuffle_vector(first, ir.Constant(kind, ir.Undefined), _mask([0] * n))


def _loop(b, n, step=1):
    return cgutils.for_range_slice(b, _int(0), n, _int(step), intp=I64)


def _dot_pairs(b, x, w, n):
    """Sums of products of neighbours: 2 n int16 x 2 n int16 -> n int32."""
    wide = ir.VectorType(I32, 2 * n)
    product = b.mul(b.sext(x, wide), b.sext(w, wide))
    undefined = ir.Constant(wide, ir.Undefined)
    even = b.shuffle_vector(product, undefined, _mask(range(0, 2 * n, 2)))
    return b.add(even, b.shuffle_vector(product, undefined, _mask(range(1, 2 * n, 2))))


def _add_pairs(b, acc, x_at, w_at, tap, n):
    """acc[j][v] += (pair of weights j of `tap`) . (pair of inputs of vector v); `acc` are stack slots."""
    kind, pair = ir.VectorType(I32, n), ir.VectorType(I16, 2 * n)
    xs = [_load(b, _offset(b, x_at, _int(2 * v * n), I16), pair) for v in range(len(acc[0]))]
    for j, row in enumerate(acc):
        w = b.bitcast(_splat(b, b.load(_offset(b, w_at, _int(tap + j), I32), typ=I32), n), pair)
        for v, slot in enumerate(row):
            b.store(b.add(b.load(slot, typ=kind), _dot_pairs(b, xs[v], w, n)), slot)


def _requantise(b, acc, shift, clip, n):
    """clip((acc + half) >> shift, +-clip) as int16; `shift` is an int32 value."""
    one = ir.Constant(I32, 1)
    half = _splat(b, b.shl(one, b.sub(shift, one)), n)
    acc = b.ashr(b.add(acc, half), _splat(b, shift, n))
    high, low = _const(I32, n, clip), _const(I32, n, -clip)
    acc = b.select(b.icmp_signed("<", acc, high), acc, high)
    acc = b.select(b.icmp_signed(">", acc, low), acc, low)
    return b.trunc(acc, ir.VectorType(I16, n))


def _data(context, b, signature, args, position, kind):
    """Pointer to element args[position + 1] of array args[position]."""
    array = context.make_array(signature.args[position])(context, b, args[position])
    return _offset(b, array.data, args[position + 1], kind)


def _leak(b, acc, positive, n):
    return b.select(positive, acc, b.ashr(acc, _const(I32, n, LEAK_SHIFT)))


def _conv(backward):
    """Intrinsic of a 3x3 convolution to blocks of 8 channels.  See ops_plain._conv3 for its meaning."""
    clip = GRAD_CLIP if backward else ACT_CLIP

    @intrinsic
    def conv3(
        typingctx, x, xo, w, wo, bias, bo, out, oo, flat, fo, mask, mo, n_blocks, n_pairs, cs, rs, n, shift, planar
    ):
        arrays = [item for array in (x, w, bias, out, flat, mask) for item in (array, INDEX)]
        signature = types.void(*arrays, *([INDEX] * 7))

        def codegen(context, b, sig, args):
            v_len = _lanes(context)
            group, n_vec = {16: (8, 2), 8: (8, 1), 4: (4, 2)}[v_len]
            kinds = (I16, I32, I32, I16, I16, I16)
            xp, wp, bp, op, fp, mp = (_data(context, b, sig, args, 2 * i, kind) for i, kind in enumerate(kinds))
            n_blocks, n_pairs, cs, rs, n, shift, planar = args[12:]
            shift = b.trunc(shift, I32)
            kind = ir.VectorType(I32, v_len)
            acc = [[cgutils.alloca_once(b, kind) for _ in range(n_vec)] for _ in range(group)]
            parts = LANES // group
            with _loop(b, n, v_len * n_vec) as (p, _), _loop(b, b.mul(n_blocks, _int(parts))) as (sub, _):
                first = b.mul(sub, _int(group))
                block, lane = b.udiv(sub, _int(parts)), b.mul(b.urem(sub, _int(parts)), _int(group))
                for j in range(group):
                    start = _splat(b, b.load(_offset(b, bp, b.add(first, _int(j)), I32), typ=I32), v_len)
                    for slot in acc[j]:
                        b.store(start, slot)
                w_at = _offset(b, wp, b.add(b.mul(block, b.mul(n_pairs, _int(9 * LANES))), lane), I32)
                x_at = _offset(b, xp, b.mul(p, _int(2)), I16)
                with _loop(b, n_pairs) as (c, _):
                    xc = _offset(b, x_at, b.mul(c, b.mul(cs, _int(2))), I16)
                    wc = _offset(b, w_at, b.mul(c, _int(9 * LANES)), I32)
                    for ky in range(3):
                        row = _offset(b, xc, b.mul(rs, _int(2 * ky)), I16)
                        for kx in range(3):
                            _add_pairs(b, acc, _offset(b, row, _int(2 * kx), I16), wc, (3 * ky + kx) * LANES, v_len)
                for v in range(n_vec):
                    done = []
                    at = b.add(b.add(p, _int(v * v_len)), b.mul(first, cs))
                    for j in range(group):
                        a = b.load(acc[j][v], typ=kind)
                        here = b.add(at, b.mul(cs, _int(j)))
                        if backward:
                            h = _load(b, _offset(b, mp, here, I16), ir.VectorType(I16, v_len))
                            a = _leak(b, a, b.icmp_signed(">", h, _const(I16, v_len, 0)), v_len)
                        else:
                            a = _leak(b, a, b.icmp_signed(">", a, _const(I32, v_len, 0)), v_len)
                        done.append(_requantise(b, a, shift, clip, v_len))
                    for j in range(0, group, 2):
                        both = b.shuffle_vector(
                            done[j], done[j + 1], _mask([k for u in range(v_len) for k in (u, v_len + u)])
                        )
                        pair = b.add(
                            b.add(b.mul(first, cs), b.mul(cs, _int(j))), b.mul(b.add(p, _int(v * v_len)), _int(2))
                        )
                        _store(b, both, _offset(b, op, pair, I16))
                    with b.if_then(b.icmp_signed("!=", planar, _int(0))):
                        for j in range(group):
                            _store(b, done[j], _offset(b, fp, b.add(at, b.mul(cs, _int(j))), I16))
            return context.get_dummy_value()

        return signature, codegen

    return conv3


conv3_forward = _conv(backward=False)
conv3_backward = _conv(backward=True)


@intrinsic
def conv_output(typingctx, x, xo, w, wo, skip, so, sw, swo, bias, bo, out, oo, n_pairs, n_skip_pairs, cs, rs, n):
    """Intrinsic of the last layer: 3x3 over hidden channels plus 5x5 over inputs.  See ops_plain.output."""
    arrays = [item for array in (x, w, skip, sw, bias, out) for item in (array, INDEX)]
    signature = types.void(*arrays, *([INDEX] * 5))

    def codegen(context, b, sig, args):
        v_len, n_vec = _lanes(context), 8
        kinds = (I16, I32, I16, I32, I32, I16)
        xp, wp, sp, swp, bp, op = (_data(context, b, sig, args, 2 * i, kind) for i, kind in enumerate(kinds))
        n_pairs, n_skip_pairs, cs, rs, n = args[12:]
        kind = ir.VectorType(I32, v_len)
        acc = [[cgutils.alloca_once(b, kind) for _ in range(n_vec)]]
        with _loop(b, n, v_len * n_vec) as (p, _):
            start = _splat(b, b.load(bp, typ=I32), v_len)
            for slot in acc[0]:
                b.store(start, slot)
            for source, weights, pairs, taps in ((xp, wp, n_pairs, 3), (sp, swp, n_skip_pairs, SKIP)):
                at = _offset(b, source, b.mul(p, _int(2)), I16)
                with _loop(b, pairs) as (c, _):
                    xc = _offset(b, at, b.mul(c, b.mul(cs, _int(2))), I16)
                    wc = _offset(b, weights, b.mul(c, _int(taps * taps)), I32)
                    with _loop(b, _int(taps)) as (ky, _):
                        row = _offset(b, xc, b.mul(b.mul(rs, ky), _int(2)), I16)
                        wr = _offset(b, wc, b.mul(ky, _int(taps)), I32)
                        for kx in range(taps):
                            _add_pairs(b, acc, _offset(b, row, _int(2 * kx), I16), wr, kx, v_len)
            for v, slot in enumerate(acc[0]):
                q = _requantise(b, b.load(slot, typ=kind), ir.Constant(I32, OUTPUT_SHIFT), OUTPUT_CLIP, v_len)
                _store(b, q, _offset(b, op, b.add(p, _int(v * v_len)), I16))
        return context.get_dummy_value()

    return signature, codegen


def _sum(b, vector, n):
    """Exact int64 sum of n int32 lanes."""
    vector = b.sext(vector, ir.VectorType(I64, n))
    while n > 1:
        undefined = ir.Constant(vector.type, ir.Undefined)
        low = b.shuffle_vector(vector, undefined, _mask(range(n // 2)))
        vector = b.add(low, b.shuffle_vector(vector, undefined, _mask(range(n // 2, n))))
        n //= 2
    return b.extract_element(vector, ir.Constant(I32, 0))


def _weight_gradient(taps, n_g, n_x):
    """Intrinsic of a weight gradient, `n_g` outputs by `n_x` inputs by `taps` taps of a row at a time.

    A lane of an accumulator takes in at most 64 products of +-8191 * +-4095, which is less than 2**31.
    """

    @intrinsic
    def weight_gradient(typingctx, x, xo, g, go, dw, do, n_out, n_in, cs, rs, n):
        signature = types.void(*[item for array in (x, g, dw) for item in (array, INDEX)], *([INDEX] * 5))

        def codegen(context, b, sig, args):
            v_len = _lanes(context)
            go_n, gx_n = (2, n_x) if v_len < 16 and n_g == 4 else (n_g, n_x)
            xp, gp, dp = (_data(context, b, sig, args, 2 * i, kind) for i, kind in enumerate((I16, I16, I64)))
            n_out, n_in, cs, rs, n = args[6:]
            kind, pair = ir.VectorType(I32, v_len), ir.VectorType(I16, 2 * v_len)
            acc = [[[cgutils.alloca_once(b, kind) for _ in range(taps)] for _ in range(gx_n)] for _ in range(go_n)]
            chunk = _int(64 * v_len)
            with (
                _loop(b, n, 64 * v_len) as (p0, _),
                _loop(b, n_out, go_n) as (co, _),
                _loop(b, n_in, gx_n) as (ci, _),
                _loop(b, _int(taps)) as (ky, _),
            ):
                left = b.sub(n, p0)
                count = b.select(b.icmp_signed("<", left, chunk), left, chunk)
                for slot in (slot for plane in acc for row in plane for slot in row):
                    b.store(_const(I32, v_len, 0), slot)
                g0 = _offset(b, gp, b.add(p0, b.mul(co, cs)), I16)
                x0 = _offset(b, xp, b.add(b.add(p0, b.mul(ci, cs)), b.mul(ky, rs)), I16)
                with _loop(b, count, 2 * v_len) as (p, _):
                    gs = [_load(b, _offset(b, g0, b.add(p, b.mul(cs, _int(j))), I16), pair) for j in range(go_n)]
                    for c in range(gx_n):
                        xc = _offset(b, x0, b.add(p, b.mul(cs, _int(c))), I16)
                        for k in range(taps):
                            xv = _load(b, _offset(b, xc, _int(k), I16), pair)
                            for j in range(go_n):
                                slot = acc[j][c][k]
                                b.store(b.add(b.load(slot, typ=kind), _dot_pairs(b, gs[j], xv, v_len)), slot)
                for j in range(go_n):
                    for c in range(gx_n):
                        plane = b.add(b.mul(b.add(co, _int(j)), n_in), b.add(ci, _int(c)))
                        at = b.add(b.mul(plane, _int(taps * taps)), b.mul(ky, _int(taps)))
                        for k in range(taps):
                            where = _offset(b, dp, b.add(at, _int(k)), I64)
                            total = _sum(b, b.load(acc[j][c][k], typ=kind), v_len)
                            b.store(b.add(b.load(where, typ=I64), total), where)
            return context.get_dummy_value()

        return signature, codegen

    return weight_gradient


gradient_hidden = _weight_gradient(3, 4, 2)
gradient_output = _weight_gradient(3, 1, 4)
gradient_skip = _weight_gradient(SKIP, 1, 2)
