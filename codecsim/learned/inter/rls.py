"""Normative.  Linear filters of the prediction, fitted to all pictures so far by recursive least squares.

    P' = clip(base + sum of coefficients * features)

Features of a sample, at most 10 bits and sign: differences of the 5x5 around it in the prediction to itself, the 3x3
around it (or itself alone) in planes of differences of further predictions to the prediction, and a constant.  After
each picture the normal equations take in the samples of coded inter blocks as exact integers, each with a weight that
falls with the filter's error, so that the fit is robust; before that they forget a part of the past.  Their solution,
drawn towards zero, is computed in double precision in one written order (L D L^T), and rounded to Q13.
Source: Haykin, Adaptive Filter Theory, for the recursion; Huber, Robust Statistics, for the weights.
"""

import hashlib
from typing import NamedTuple

import numpy as np

from codecsim.kernels.jit import kernel
from codecsim.kernels.records import make_record
from codecsim.learned.engine.packing import GradientJob
from codecsim.learned.engine.tile_net import engine_ops

MARGIN = 2  # samples of context on each side
FEATURE_BITS = 10
FEATURE_CLIP = (1 << FEATURE_BITS) - 1
COEFFICIENT_BITS = 13
COEFFICIENT_CLIP = 32767
CONSTANT = 16  # the constant feature, at FEATURE_BITS
PREDICTION_SIDE, DIFFERENCE_SIDE, MAX_FEATURES = 5, 3, 63
# Weight of an error of e quarter 8-bit samples: 32 / (1 + e / 4), rounded, at least 1.
WEIGHTS = np.array([max(1, (128 + (4 + e) // 2) // (4 + e)) for e in range(256)], np.int16)
FORGET_LOG2 = 4  # the equations lose 1/16 before each picture
RIDGE_LOG2 = 6  # what draws to zero: this part of the diagonal, and
_RIDGE_PER_SAMPLE = 0.5  # so much for each sample of a picture
_CHUNK, _CHUNK_STRIDE = 1024, 1024 + 320  # samples fitted at a time; the kernels read some past them


def make_taps(sides):
    """(features - 1, 3) int32 [plane, dy, dx]: squares of these sides, in the first plane without the centre."""
    found = [
        (plane, dy, dx)
        for plane, side in enumerate(sides)
        for dy in range(-(side // 2), side // 2 + 1)
        for dx in range(-(side // 2), side // 2 + 1)
        if plane or dy or dx
    ]
    return np.array(found, np.int32)


@kernel
def fill_samples(pred, shift, planes):
    """planes[0] = pred >> shift, edges repeated over the margin."""
    h, w = pred.shape
    for y in range(planes.shape[1]):
        row, to = pred[min(max(y - MARGIN, 0), h - 1)], planes[0, y]
        for x in range(planes.shape[2]):
            to[x] = np.int16(row[min(max(x - MARGIN, 0), w - 1)] >> shift)


@kernel
def fill_feature_difference(other, pred, shift, planes, plane):
    """planes[plane] = (other - pred) >> shift, edges repeated over the margin."""
    h, w = pred.shape
    for y in range(planes.shape[1]):
        source = min(max(y - MARGIN, 0), h - 1)
        one, two, to = other[source], pred[source], planes[plane, y]
        for x in range(planes.shape[2]):
            at = min(max(x - MARGIN, 0), w - 1)
            to[x] = np.int16((np.int32(one[at]) - np.int32(two[at])) >> shift)


@kernel
def apply_linear(planes, taps, coefficients, base, shift, largest, sums, out):
    """out = clip(base + (sum + half) >> shift).

    Parameters
    ----------
    planes : (n, h + 4, w + 4) int16, within +-FEATURE_CLIP
    taps : of make_taps
    coefficients : (taps + 1,) int32 Q13, the constant's last; sums of at most 63 products stay below 2**31
    base : (h, w) uint16
    shift : int, from the sums to samples
    largest : int, of a sample
    sums : (w,) int32 scratch
    out : (h, w) uint16, written
    """
    h, w = base.shape
    n = taps.shape[0]
    half = np.int32(1 << (shift - 1))
    centre = np.int32(0)
    for i in range(n):
        if taps[i, 0] == 0:
            centre -= coefficients[i]
    for y in range(h):
        row = planes[0, y + MARGIN][MARGIN : MARGIN + w]
        start = np.int32(coefficients[n] * CONSTANT + half)
        for x in range(w):
            sums[x] = start + centre * np.int32(row[x])
        for i in range(n):
            c = coefficients[i]
            if c != 0:
                left = MARGIN + taps[i, 2]
                row = planes[taps[i, 0], y + MARGIN + taps[i, 1]][left : left + w]
                for x in range(w):
                    sums[x] += c * np.int32(row[x])
        from_row, to = base[y], out[y]
        for x in range(w):
            value = np.int32(from_row[x]) + (sums[x] >> shift)
            to[x] = np.uint16(min(max(value, np.int32(0)), np.int32(largest)))


class Fitted(NamedTuple):
    """A picture that the filter is fitted to."""

    base: np.ndarray  # (h, w) uint16, what the filter added to
    filtered: np.ndarray  # (h, w) uint16, what came of it
    recon: np.ndarray  # (h, w) uint16
    coded: np.ndarray  # (h // 4, w // 4) uint8, not zero where samples count


class Progress:
    """How far the samples of a picture have been taken in."""

    unit: int  # the 4x4 to begin at
    found: int  # samples, at the last call


@kernel
def gather_features(planes, taps, picture, progress, bit_depth, features, weighted):
    """Features, and features times weights, of the next coded samples.

    Parameters
    ----------
    planes, taps : as for apply_linear
    picture : Fitted
    progress : Progress, mutated
    bit_depth : int
    features, weighted : (rows * _CHUNK_STRIDE,) int16, written: a row of samples a feature, then the constant, then the
        target; zeros behind the samples
    """
    base, filtered, recon, coded = picture
    columns = coded.shape[1]
    unit, count, n = progress.unit, 0, taps.shape[0]
    down = max(bit_depth - FEATURE_BITS, 0)
    quarters = FEATURE_BITS - min(bit_depth, FEATURE_BITS)
    while unit < coded.size and count < _CHUNK:
        y0, x0 = 4 * (unit // columns), 4 * (unit % columns)
        if coded[unit // columns, unit % columns]:
            for j in range(4):
                y, at = y0 + j, count + 4 * j
                weights = weighted[(n + 2) * _CHUNK_STRIDE + at :]  # a row of its own, for a while
                for i in range(4):
                    error = abs(np.int32(recon[y, x0 + i]) - np.int32(filtered[y, x0 + i])) << quarters >> down
                    weights[i] = WEIGHTS[min(error, 255)]
                    target = np.int32(np.int32(recon[y, x0 + i]) - np.int32(base[y, x0 + i])) >> down
                    features[(n + 1) * _CHUNK_STRIDE + at + i] = target
                    features[n * _CHUNK_STRIDE + at + i] = CONSTANT
                centres = planes[0, y + MARGIN][MARGIN + x0 :]
                for k in range(n):
                    row = planes[taps[k, 0], y + MARGIN + taps[k, 1]][MARGIN + x0 + taps[k, 2] :]
                    to = features[k * _CHUNK_STRIDE + at :]
                    for i in range(4):
                        to[i] = row[i] - (centres[i] if taps[k, 0] == 0 else np.int16(0))
                for k in range(n + 2):
                    row, to = features[k * _CHUNK_STRIDE + at :], weighted[k * _CHUNK_STRIDE + at :]
                    for i in range(4):
                        to[i] = np.int16(np.int32(row[i]) * np.int32(weights[i]))
            count += 16
        unit += 1
    for k in range(n + 2):
        features[k * _CHUNK_STRIDE + count : (k + 1) * _CHUNK_STRIDE] = 0
        weighted[k * _CHUNK_STRIDE + count : (k + 1) * _CHUNK_STRIDE] = 0
    weighted[(n + 2) * _CHUNK_STRIDE : (n + 3) * _CHUNK_STRIDE] = 0
    progress.unit, progress.found = unit, count


@kernel
def forget(equations, log2):
    """equations -= equations >> log2."""
    for i in range(equations.size):
        equations[i] -= equations[i] >> log2


@kernel
def solve_normal_equations(equations, rows, n, ridge, factor, solution, coefficients):
    """coefficients = (A + R)^-1 b in Q13, R diagonal.

    Parameters
    ----------
    equations : (rows * rows,) int64, row-major: A in the first n rows and columns, b in row n
    rows, n : int
    ridge : float64 added to each entry of the diagonal, beside a 2**-RIDGE_LOG2 part of it
    factor : (rows * rows,) float64 scratch
    solution : (rows,) float64 scratch
    coefficients : (n,) int32, written

    Notes
    -----
    A unit lower triangle L and a diagonal D, column by column; sums run over ascending indices.  A pivot that is not
    positive, which the ridge keeps from happening but for rounding, leaves its feature out.
    """
    part = np.float64(1.0) / np.float64(1 << RIDGE_LOG2)
    for i in range(n):
        for j in range(i + 1):
            factor[i * rows + j] = np.float64(equations[i * rows + j])
        diagonal = factor[i * rows + i]
        factor[i * rows + i] = diagonal + diagonal * part + ridge
    for j in range(n):
        pivot = factor[j * rows + j]
        for k in range(j):
            pivot = pivot - factor[j * rows + k] * factor[j * rows + k] * factor[k * rows + k]
        usable = pivot > 0.0
        factor[j * rows + j] = pivot if usable else 0.0
        for i in range(j + 1, n):
            value = factor[i * rows + j]
            for k in range(j):
                value = value - factor[i * rows + k] * factor[k * rows + k] * factor[j * rows + k]
            factor[i * rows + j] = value / pivot if usable else 0.0
    for i in range(n):
        value = np.float64(equations[n * rows + i])
        for k in range(i):
            value = value - factor[i * rows + k] * solution[k]
        solution[i] = value
    for i in range(n):
        pivot = factor[i * rows + i]
        solution[i] = solution[i] / pivot if pivot > 0.0 else 0.0
    for i in range(n - 1, -1, -1):
        value = solution[i]
        for k in range(i + 1, n):
            value = value - factor[k * rows + i] * solution[k]
        solution[i] = value
    limit = np.float64(COEFFICIENT_CLIP)
    for i in range(n):
        value = np.rint(solution[i] * np.float64(1 << COEFFICIENT_BITS))
        coefficients[i] = np.int32(min(max(value, -limit), limit))


class LinearFilter:
    """A linear filter and its normal equations.

    Parameters
    ----------
    width, height : int, of the picture, multiples of 4
    bit_depth : int, 8..12
    sides : tuple of int, side of the square of taps in each plane of features

    Attributes
    ----------
    equations : (rows * rows,) int64: sums of weight * feature * feature, the target being the feature behind the last
    coefficients : (features,) int32 Q13
    """

    def __init__(self, width, height, bit_depth, sides):
        self.taps, self.bit_depth = make_taps(sides), bit_depth
        self.n_features = len(self.taps) + 1
        if self.n_features > MAX_FEATURES:
            raise ValueError(f"{self.n_features} features; at most {MAX_FEATURES} are possible")
        self.rows = -(-(self.n_features + 1) // 8) * 8
        self._down = max(bit_depth - FEATURE_BITS, 0)
        size = (self.rows + 2) * _CHUNK_STRIDE
        self._features, self._weighted = np.zeros(size, np.int16), np.zeros(size, np.int16)
        self._factor, self._solution = np.zeros(self.rows * self.rows), np.zeros(self.rows)
        self._sums = np.zeros(width, np.int32)
        self._ridge = _RIDGE_PER_SAMPLE * (width * height << 2 * (min(bit_depth, FEATURE_BITS) - 8))
        self._gram = engine_ops().gradient_conv1
        self._job = make_record(GradientJob, n_out=self.rows, n_in=self.rows, cs=_CHUNK_STRIDE)
        self.reset()

    def reset(self):
        """Forget all; the filter adds nothing then."""
        self.equations = np.zeros(self.rows * self.rows, np.int64)
        self.coefficients = np.zeros(self.n_features, np.int32)

    def snapshot(self):
        """Copies of what the filter has learnt, for `restore`."""
        return self.equations.copy(), self.coefficients.copy()

    def restore(self, snapshot):
        """Be as at a `snapshot`, which may be used again."""
        self.equations, self.coefficients = (array.copy() for array in snapshot)

    def predict(self, planes, base):
        """The filtered prediction, (h, w) uint16.

        planes : of feature_planes; base : (h, w) uint16, what the filter adds to
        """
        out = np.empty_like(base)
        largest = (1 << self.bit_depth) - 1
        shift = COEFFICIENT_BITS - self._down
        apply_linear(planes, self.taps, self.coefficients, base, shift, largest, self._sums, out)
        return out

    def learn(self, planes, base, filtered, recon, coded):
        """Take in a picture and solve again.

        Parameters
        ----------
        planes, base : as `predict` had them; filtered : (h, w) uint16, what it returned
        recon : (h, w) uint16
        coded : (h // 4, w // 4) uint8, not zero where samples count
        """
        forget(self.equations, FORGET_LOG2)
        picture, progress = Fitted(base, filtered, recon, coded), make_record(Progress)
        while progress.unit < coded.size:
            gather_features(planes, self.taps, picture, progress, self.bit_depth, self._features, self._weighted)
            self._job.n = -(-int(progress.found) // 64) * 64
            if progress.found:
                self._gram(self._features, self._weighted, self.equations, self._job)
        solve_normal_equations(
            self.equations, self.rows, self.n_features, self._ridge, self._factor, self._solution, self.coefficients
        )

    def digest(self):
        """16 bytes that name equations and coefficients."""
        data = self.equations.astype("<i8").tobytes() + self.coefficients.astype("<i4").tobytes()
        return hashlib.blake2b(data, digest_size=16).digest()


def feature_planes(pred, others, bit_depth):
    """Planes of features: the prediction itself, then differences to it, (n, h + 4, w + 4) int16.

    pred : (h, w) uint16; others : sequence of (h, w) uint16
    """
    h, w = pred.shape
    planes = np.empty((1 + len(others), h + 2 * MARGIN, w + 2 * MARGIN), np.int16)
    down = max(bit_depth - FEATURE_BITS, 0)
    fill_samples(pred, down, planes)
    for k, other in enumerate(others, 1):
        fill_feature_difference(other, pred, down, planes, k)
    return planes
