"""Naive twins of codecsim.hevc.transform: H.265 8.6 in Python integers and whole-matrix products."""

import numpy as np

from codecsim.hevc.tables import DCT32, DST4

LEVEL_SCALE = [40, 45, 51, 57, 64, 72]


def matrix(n, is_dst):
    return (DST4 if is_dst else DCT32[:: 32 // n, :n]).astype(np.int64)


def dequantise(levels, qp, bit_depth):
    n = levels.shape[0]
    shift = bit_depth + n.bit_length() - 1 + 10 - 15
    out = np.zeros((n, n), np.int64)
    for v in range(n):
        for u in range(n):
            scaled = int(levels[v, u]) * 16 * LEVEL_SCALE[qp % 6] << qp // 6
            out[v, u] = min(max(scaled + (1 << shift - 1) >> shift, -32768), 32767)
    return out


def inverse(coefs, is_dst, bit_depth):
    weights = matrix(coefs.shape[0], is_dst)
    stage = np.clip(weights.T @ coefs + 64 >> 7, -32768, 32767)
    shift = 20 - bit_depth
    return stage @ weights + (1 << shift - 1) >> shift


def transform_skip(coefs, bit_depth):
    shift = 20 - bit_depth
    return (coefs << 5 + coefs.shape[0].bit_length() - 1) + (1 << shift - 1) >> shift


def forward(res, is_dst, bit_depth):
    n = res.shape[0]
    log2 = n.bit_length() - 1
    weights = matrix(n, is_dst)
    first, second = log2 + bit_depth - 9, log2 + 6
    stage = res.astype(np.int64) @ weights.T + (1 << first >> 1) >> first
    return weights @ stage + (1 << second - 1) >> second
