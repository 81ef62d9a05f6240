"""Twin of learned.inter.rls: one sample and one product after the other, integers of any size, Python floats."""

import numpy as np


def features(pred, others, sides, y, x, bit_depth):
    """List of the features of a sample."""
    down = max(bit_depth - 10, 0)
    h, w = pred.shape
    found = []
    for plane, side in enumerate(sides):
        reach = side // 2
        for dy in range(-reach, reach + 1):
            for dx in range(-reach, reach + 1):
                at = min(max(y + dy, 0), h - 1), min(max(x + dx, 0), w - 1)
                if plane:
                    found.append((int(others[plane - 1][at]) - int(pred[at])) >> down)
                elif dy or dx:
                    found.append((int(pred[at]) >> down) - (int(pred[y, x]) >> down))
    return [*found, 16]


class LinearTwin:
    """As LinearFilter, of the predictions themselves."""

    def __init__(self, size, bit_depth, sides):
        self.size, self.bit_depth, self.sides = size, bit_depth, sides
        n = sides[0] ** 2 - 1 + sum(side**2 for side in sides[1:]) + 1
        self.matrix = [[0] * n for _ in range(n)]
        self.vector = [0] * n
        self.coefficients = [0] * n

    def predict(self, pred, others, base):
        """List of rows of filtered samples."""
        shift, largest = 13 - max(self.bit_depth - 10, 0), (1 << self.bit_depth) - 1
        rows = []
        for y in range(pred.shape[0]):
            rows.append([])
            for x in range(pred.shape[1]):
                inputs = features(pred, others, self.sides, y, x, self.bit_depth)
                total = sum(c * f for c, f in zip(self.coefficients, inputs, strict=True))
                rows[-1].append(min(max(int(base[y, x]) + ((total + (1 << shift - 1)) >> shift), 0), largest))
        return np.array(rows)

    def learn(self, pred, others, base, filtered, recon, coded):
        n, down = len(self.vector), max(self.bit_depth - 10, 0)
        self.matrix = [[value - (value >> 4) for value in row] for row in self.matrix]
        self.vector = [value - (value >> 4) for value in self.vector]
        for y, x in np.ndindex(pred.shape):
            if not coded[y // 4, x // 4]:
                continue
            inputs = features(pred, others, self.sides, y, x, self.bit_depth)
            target = (int(recon[y, x]) - int(base[y, x])) >> down
            error = abs(int(recon[y, x]) - int(filtered[y, x])) * 4 >> (self.bit_depth - 8)  # quarters of 8-bit samples
            weight = max(1, int(32 / (1 + min(error, 255) / 4) + 0.5))
            for i in range(n):
                for j in range(n):
                    self.matrix[i][j] += weight * inputs[i] * inputs[j]
                self.vector[i] += weight * inputs[i] * target
        self.solve()

    def solve(self):
        """Columns of L from the left, then forward and backward substitution."""
        n, (width, height) = len(self.vector), self.size
        ridge = 0.5 * (width * height * 4 ** (min(self.bit_depth, 10) - 8))
        low, pivots, z = [[0.0] * n for _ in range(n)], [0.0] * n, [0.0] * n
        for j in range(n):
            diagonal = float(self.matrix[j][j])
            pivots[j] = diagonal + diagonal * 2.0**-6 + ridge
            for k in range(j):
                pivots[j] -= low[j][k] * low[j][k] * pivots[k]
            assert pivots[j] > 0
            for i in range(j + 1, n):
                value = float(self.matrix[i][j])
                for k in range(j):
                    value -= low[i][k] * pivots[k] * low[j][k]
                low[i][j] = value / pivots[j]
        for i in range(n):
            z[i] = float(self.vector[i])
            for k in range(i):
                z[i] -= low[i][k] * z[k]
        z = [value / pivot for value, pivot in zip(z, pivots, strict=True)]
        for i in range(n - 1, -1, -1):
            for k in range(i + 1, n):
                z[i] -= low[k][i] * z[k]
        self.coefficients = [min(max(round(value * 8192), -32767), 32767) for value in z]
