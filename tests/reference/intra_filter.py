"""Naive twin of codecsim.learned.intra.inputs and intra_filter, on dictionaries and in NumPy."""

import numpy as np

from tests.reference import intra, naive_engine


def _further_line(samples, zorder, x, y, n, p):
    """References two samples away, named as those one sample away; p where they are not decoded."""
    found = {}
    for i, j in p:
        if intra.available(zorder, x, y, x + i, y + j):
            found[i, j] = int(samples[y + (j if j >= 0 else -2), x + (i if i >= 0 else -2)])
        else:
            found[i, j] = p[i, j]
    return found


def _block(found, n):
    return np.array([[found[i, j] for i in range(n)] for j in range(n)], np.int64)


def planes(names, samples, zorder, x, y, n, mode, pred, qp, bit_depth, margin):
    """Input planes (len(names), n + 2 margin, n + 2 margin) of a block.

    samples, pred : (h, w), reconstruction so far and prediction
    """
    p = intra.gather(samples, zorder, x, y, n, 0, bit_depth)
    log2 = n.bit_length() - 1
    mean = (sum(p[k, -1] + p[-1, k] for k in range(n)) + n) >> log2 + 1
    side = n + 2 * margin
    scale = 2 ** (13 - bit_depth)
    base, place = np.zeros((side, side), np.int64), np.zeros((side, side), np.int64)
    for j in range(side):
        for i in range(side):
            v, u = j - margin, i - margin
            if v >= 0 and u >= 0:
                base[j, i] = int(pred[y + min(v, n - 1), x + min(u, n - 1)])
                place[j, i] = 1024 if v < n and u < n else 512
            elif intra.available(zorder, x, y, x + u, y + v):
                base[j, i], place[j, i] = int(samples[y + v, x + u]), -1024
            else:
                base[j, i], place[j, i] = p[max(u, -1), max(v, -1)], -512
    inner = slice(margin, margin + n)
    block = pred[y : y + n, x : x + n].astype(np.int64)

    def difference(references, of_mode):
        out = np.zeros((side, side), np.int64)
        smooth = intra.smooth(references, n, of_mode, 0, False, bit_depth)
        out[inner, inner] = _block(intra.predict(smooth, n, of_mode, 0, bit_depth), n) - block
        return np.clip(scale * out, -8191, 8191)

    turn = 2 <= mode < 18
    ramp = np.tile((np.arange(side) - margin) * 64, (side, 1))
    made = {
        "samples": lambda: np.clip((base - mean) * scale, -8191, 8191),
        "place": lambda: place,
        "planar": lambda: difference(p, 0),
        "second_line": lambda: difference(_further_line(samples, zorder, x, y, n, p), mode),
    }
    constant = {
        "qp": (qp - 32) * 128,
        "size": (2 * log2 - 7) * 512,
        "angle": 32 * intra.ANGLES[mode] if mode > 1 else 0,
        "mode": {0: 1024, 1: -1024}.get(mode, 0),
    }
    out = []
    for name in names:
        if name in made:
            out.append(made[name]().T if turn else made[name]())
        elif name in ("row", "column"):
            out.append(ramp.T if name == "row" else ramp)
        else:
            out.append(np.full((side, side), constant[name]))
    return np.array(out, np.int64)


def filtered(model, samples, zorder, x, y, n, mode, pred, qp, bit_depth):
    """The filtered prediction of a block, (n, n)."""
    spec, log2 = model.spec.net, n.bit_length() - 1
    which = {"none": 0, "direction": mode > 1, "size": log2 > 3, "both": 2 * (mode > 1) + (log2 > 3)}[model.spec.split]
    weights = model.weights[which * spec.n_weights :][: spec.n_weights]
    x_in = planes(model.inputs, samples, zorder, x, y, n, mode, pred, qp, bit_depth, spec.margin)
    if len(model.inputs) % 2:
        x_in = np.concatenate([x_in, np.zeros_like(x_in[:1])])
    layers = naive_engine.quantise(naive_engine.split(weights, spec.n_inputs, spec.hidden))
    change = naive_engine.forward(layers, x_in)[1][0]
    shift = 14 - 4 - (bit_depth - 8)
    change = (change + (1 << (shift - 1))) >> shift
    change = change.T if 2 <= mode < 18 else change
    block = pred[y : y + n, x : x + n].astype(np.int64)
    return np.clip(block + change, 0, 2**bit_depth - 1)
