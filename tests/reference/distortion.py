"""Naive twins of codecsim.hevc.distortion."""

import numpy as np


def hadamard(n):
    matrix = np.ones((1, 1), np.int64)
    while len(matrix) < n:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix


def satd(first, second):
    difference = first.astype(np.int64) - second
    height, width = difference.shape
    n = 8 if height % 8 == 0 and width % 8 == 0 else 4
    total = 0
    for y in range(0, height, n):
        for x in range(0, width, n):
            block = hadamard(n) @ difference[y : y + n, x : x + n] @ hadamard(n)
            total += (abs(block).sum() + n // 4) >> n // 4
    return total
