"""The in-loop filter's network told again in int64 NumPy, from (spec, weights) to corrected samples."""

import numpy as np

from tests.reference.naive_engine import apply, wrap


def _clip(a):
    return np.clip(a, -8191, 8191)


def _layer(x, kind, w, b, leaky):
    """(n, h, w) int64 through a convolution with zeros around the picture."""
    w = np.clip(np.rint(w.astype(np.float64) * 2**13), -32767, 32767).astype(np.int64)
    b = np.rint(b.astype(np.float64) * 2**23).astype(np.int64)
    if w.shape[2] == 3:
        x = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    acc = wrap(apply({"kind": kind}, x, w) + b[:, None, None])
    if leaky:
        acc = np.where(acc > 0, acc, acc >> 3)
    return _clip(wrap(acc + 4096) >> 13)


def _dense(x, w, b):
    w = np.clip(np.rint(w.astype(np.float64) * 2**13), -32767, 32767).astype(np.int64)
    return w @ x + np.rint(b.astype(np.float64) * 2**23).astype(np.int64)


def _gate(y, tensors, name, qp, slice_type):
    area = y.shape[1] * y.shape[2]
    means = [int(2 * plane.sum() + area) // (2 * area) for plane in y]
    kind = [1024 * (slice_type == k) for k in (2, 1, 0)]
    x = np.array([*means, (qp - 32) * 64, *kind], np.int64)
    s = _dense(x, tensors[f"{name}.squeeze.weight"], tensors[f"{name}.squeeze.bias"])
    s = _clip((np.where(s > 0, s, s >> 3) + 4096) >> 13)
    z = _clip((_dense(s, tensors[f"{name}.excite.weight"], tensors[f"{name}.excite.bias"]) + 4096) >> 13)
    return np.clip(2048 + z, 0, 4096)


def filter_picture(planes, spec, tensors, qp, slice_type, bit_depth=8):
    """Planes without borders, filtered.

    tensors : dict of name to float32 array
    """
    y, u, v = (plane.astype(np.int64) for plane in planes)
    samples = np.stack([y[::2, ::2], y[::2, 1::2], y[1::2, ::2], y[1::2, 1::2], u, v])
    x = (samples - 2 ** (bit_depth - 1)) * 2 ** (13 - bit_depth)
    x = _layer(x, "conv3", tensors["head.weight"], tensors["head.bias"], True)
    kinds = {"plain": ("conv3", "conv3"), "separable": ("depthwise3", "conv1", "depthwise3", "conv1")}[spec.backbone]
    where = {"early": [0], "middle": [spec.blocks // 2], "late": [spec.blocks - 1], "all": range(spec.blocks)}
    for k in range(spec.blocks):
        r = x
        for i, kind in enumerate(kinds):
            name = f"blocks.{k}.residual.{i}"
            r = _layer(r, kind, tensors[f"{name}.weight"], tensors[f"{name}.bias"], i < len(kinds) - 1)
        if k in where[spec.attention]:
            r = (r * _gate(r, tensors, f"blocks.{k}", qp, slice_type)[:, None, None] + 1024) >> 11
        x = _clip(x + r)
    correction = _layer(x, "conv3", tensors["tail.weight"], tensors["tail.bias"], False)
    shift = 14 - bit_depth
    done = np.clip(samples + ((correction + 2 ** (shift - 1)) >> shift), 0, 2**bit_depth - 1)
    luma = np.zeros_like(y)
    for k in range(4):
        luma[k // 2 :: 2, k % 2 :: 2] = done[k]
    return luma, done[4], done[5]
