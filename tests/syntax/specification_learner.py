"""A second learner of inter luma, written from clauses 6, 7 and 11 of codecsim/syntax/README.md alone, in NumPy.

Integers are int64, and sums that the specification takes modulo 2^32 are wrapped.  It shares no code with codecsim.
"""

import hashlib
import math
import struct

import numpy as np

LIMIT = np.float32(32767 / 8192)
LIGHT, MASKED = 16384, -32768


def digest(*parts):
    return hashlib.blake2b(b"".join(parts), digest_size=16).digest()


def wrap(a):
    return (a + 2**31) % 2**32 - 2**31


def correlate(x, w):
    """Valid correlation of (inputs, h, w) with (outputs, inputs, k, k)."""
    k = w.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), (1, 2))
    return np.einsum("ihwab,oiab->ohw", windows, w, optimize=True)


def inner(x, n):
    return x[:, n : x.shape[1] - n, n : x.shape[2] - n]


class Network:
    """Clauses 6.1 to 6.4 for a chain of 3x3 layers with one output."""

    def __init__(self, n_inputs, channels, layers):
        self.shapes, n_in = [], n_inputs
        for _ in range(layers):
            self.shapes += [(channels, n_in, 3, 3), (channels,)]
            n_in = channels
        self.shapes += [(1, n_in, 3, 3), (1, n_inputs, 5, 5), (1,)]
        self.hidden = layers
        self.margin = max(2, layers + 1)

    def split(self, vector):
        found, at = [], 0
        for shape in self.shapes:
            size = math.prod(shape)
            found.append(vector[at : at + size].reshape(shape))
            at += size
        assert at == len(vector)
        return found

    def quantise(self, master):
        return [
            np.rint(part.astype(np.float64) * 2.0 ** (23 if part.ndim == 1 else 13)).astype(np.int64)
            for part in self.split(master)
        ]

    def forward(self, weights, x):
        """Activations that enter each layer, and the output."""
        *hidden, last, skip, bias = weights
        acts = [inner(x, self.margin - 1 - self.hidden)]
        for w, b in zip(hidden[0::2], hidden[1::2], strict=True):
            acc = wrap(correlate(acts[-1], w) + b[:, None, None])
            a = np.where(acc > 0, acc, acc >> 3)
            acts.append(np.clip(wrap(a + 2**12) >> 13, -8191, 8191))
        acc = wrap(correlate(acts[-1], last) + correlate(inner(x, self.margin - 2), skip) + bias[:, None, None])
        return acts, np.clip(wrap(acc + 2**8) >> 9, -32767, 32767)[0]

    def gradients(self, weights, x, error, s, bound, light):
        """Gradients of a tile as one vector of integers, and the scale of each, without the tile's size."""
        acts, y = self.forward(weights, x)
        u = bound.bit_length() - 12
        is_light = error > LIGHT // 2
        e = np.clip((np.where(is_light, error - LIGHT, error) << s) + y, -bound, bound)
        e = (e + (1 << u - 1)) >> u if u > 0 else e << -u
        g = np.clip(e, -4095, 4095)
        if light:
            g = np.where(is_light, (g + (1 << light - 1)) >> light, g)
        g = np.where(error == MASKED, 0, g)[None]
        scale = 2.0 ** (u - 24)
        parts = [g.sum((1, 2)) << 10, self._products(inner(x, self.margin - 2), g, 5), self._products(acts[-1], g, 3)]
        scales = [scale] * 3
        layers = [*weights[0 : 2 * self.hidden : 2], weights[-3]]
        for i in range(self.hidden, 0, -1):
            w = layers[i]
            largest = max(1, int(np.abs(w).sum((0, 2, 3)).max()))
            q = max(1, largest.bit_length() - (1 if i == self.hidden else 3))
            acc = wrap(correlate(np.pad(g, ((0, 0), (2, 2), (2, 2))), w[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)))
            a = np.where(acts[i] > 0, acc, acc >> 3)
            g = np.clip(wrap(a + (1 << q - 1)) >> q, -4095, 4095)
            scale *= 2.0 ** (q - 13)
            parts += [g.sum((1, 2)) << 10, self._products(acts[i - 1], g, 3)]
            scales += [scale] * 2
        vector = np.concatenate([part.ravel() for part in reversed(parts)])
        return vector, np.repeat(scales[::-1], [part.size for part in reversed(parts)])

    @staticmethod
    def _products(x, g, k):
        windows = np.lib.stride_tricks.sliding_window_view(x, g.shape[1:], (1, 2))
        return np.einsum("iabhw,ohw->oiab", windows, g, optimize=True)


class State:
    """Clause 6.7."""

    def __init__(self, settings, initial, tiles):
        self.settings, self.initial, self.tiles = settings, initial, tiles
        self.reset()

    def reset(self):
        self.master = self.initial.copy()
        self.moment, self.square = np.zeros_like(self.master), np.zeros_like(self.master)
        self.powers = np.ones(2, np.float32)
        self.average = self.master.copy() if self.settings["average_q8"] else None
        self.steps = self.pictures = self.order = self.waiting_loss = self.online_loss = self.initial_loss = 0
        self.replay, self.qps = [], []
        self.tile_losses = dict.fromkeys(self.tiles, 0)

    def draw(self, n):
        self.order = (6364136223846793005 * self.order + 1442695040888963407) % 2**64
        return (self.order >> 33) * n >> 31

    def weights(self):
        return self.master if self.average is None else self.average

    def digest(self):
        arrays = [self.master, self.moment, self.square, self.powers]
        arrays += [] if self.average is None else [self.average]
        numbers = [self.steps, self.pictures, self.order, self.waiting_loss, self.online_loss, self.initial_loss]
        numbers += [len(self.replay), *self.tile_losses.values()]
        return digest(
            *(array.astype("<f4").tobytes() for array in arrays),
            *(struct.pack("<Q", number) for number in numbers),
            *(struct.pack("<h", qp) for qp in self.qps),
        )

    def step(self, gradient, scales):
        """Clause 6.4."""
        rate, b1, b2, eps = (np.float32(self.settings[k]) for k in ("learning_rate", "beta1", "beta2", "epsilon"))
        one = np.float32(1)
        self.powers = self.powers * np.array([b1, b2], np.float32)
        step, unbias = rate / (one - self.powers[0]), one / (one - self.powers[1])
        g = (gradient.astype(np.float64) * scales).astype(np.float32)
        if self.settings["method"] == 0:
            self.moment = b1 * self.moment + (one - b1) * g
            self.square = b2 * self.square + (one - b2) * (g * g)
            w = self.master - step * self.moment / (np.sqrt(self.square * unbias) + eps)
        else:
            self.moment = b1 * self.moment + g
            w = self.master - rate * self.moment
        self.master = np.clip(w, -LIMIT, LIMIT)
        if self.average is not None:
            k = np.float32(self.settings["average_q8"] / 256)
            self.average = self.average + k * (self.master - self.average)


class Linear:
    """Clause 7.11."""

    def __init__(self, width, height, depth, further, is_mix):
        self.depth, self.down, self.is_mix = depth, max(depth - 10, 0), is_mix
        self.n = 24 + 9 * further + is_mix + 1
        self.r = -(-(self.n + 1) // 8) * 8
        self.ridge = 0.5 * (width * height << 2 * (min(depth, 10) - 8))
        self.reset()

    def reset(self):
        self.equations = np.zeros((self.r, self.r), np.int64)
        self.c = np.zeros(self.n, np.int64)

    def features(self, pred, others, online):
        h, w = pred.shape
        edged = np.pad(pred, 2, mode="edge")
        found = []
        for dy in range(5):
            for dx in range(5):
                if (dy, dx) != (2, 2):
                    found.append((edged[dy : dy + h, dx : dx + w] >> self.down) - (pred >> self.down))
        for other in others:
            difference = np.pad((other - pred) >> self.down, 1, mode="edge")
            found += [difference[dy : dy + h, dx : dx + w] for dy in range(3) for dx in range(3)]
        if self.is_mix:
            found.append((online - pred) >> self.down)
        return np.stack([*found, np.full_like(pred, 16)])

    def predict(self, features, base):
        total = np.tensordot(self.c, features, 1)
        change = (total + (1 << 12 - self.down)) >> (13 - self.down)
        return np.clip(base + change, 0, (1 << self.depth) - 1)

    def learn(self, features, base, out, recon, coded):
        self.equations -= self.equations >> 4
        rows = np.concatenate([features, ((recon - base) >> self.down)[None]])[:, coded]
        e = np.minimum(255, (np.abs(recon - out) << (10 - min(self.depth, 10)) >> self.down)[coded])
        w = np.maximum(1, (128 + (4 + e) // 2) // (4 + e))
        self.equations[: self.n + 1, : self.n + 1] += (rows * w) @ rows.T
        self._solve()

    def _solve(self):
        n, a = self.n, self.equations[: self.n, : self.n].astype(float).tolist()
        b = self.equations[self.n, : self.n].astype(float).tolist()
        d, lower = [0.0] * n, [[0.0] * n for _ in range(n)]
        for i in range(n):
            a[i][i] = a[i][i] + a[i][i] * (1 / 64) + self.ridge
        for j in range(n):
            pivot = a[j][j]
            for k in range(j):
                pivot = pivot - lower[j][k] * lower[j][k] * d[k]
            d[j] = pivot if pivot > 0 else 0.0
            for i in range(j + 1, n):
                v = a[i][j]
                for k in range(j):
                    v = v - lower[i][k] * d[k] * lower[j][k]
                lower[i][j] = v / pivot if pivot > 0 else 0.0
        z = []
        for i in range(n):
            value = b[i]
            for k in range(i):
                value = value - lower[i][k] * z[k]
            z.append(value)
        z = [value / pivot if pivot > 0 else 0.0 for value, pivot in zip(z, d, strict=True)]
        for i in range(n - 1, -1, -1):
            for k in range(i + 1, n):
                z[i] = z[i] - lower[k][i] * z[k]
        self.c = np.array([min(max(round(value * 8192), -32767), 32767) for value in z], np.int64)

    def digest(self):
        return digest(self.equations.astype("<i8").tobytes(), self.c.astype("<i4").tobytes())


class LumaLearner:
    """Clause 7 for networks of equal 3x3 layers, without sizes of blocks.

    Parameters
    ----------
    settings : dict of specification_reader.settings_of
    experts : numbers of specification_reader.experts_of
    initial : (n,) float32 weights
    shape : inputs, channels and layers of the network
    width, height, depth : int
    """

    def __init__(self, settings, experts, initial, shape, width, height, depth):
        self.settings, self.experts = settings, experts
        self.width, self.height, self.depth, self.s = width, height, depth, 18 - depth
        self.net = Network(*shape)
        self.t = 1 << settings["tile_log2"]
        self.grid = -(-height // self.t) * self.t, -(-width // self.t) * self.t
        corners = [(y, x) for y in range(0, self.grid[0], self.t) for x in range(0, self.grid[1], self.t)]
        self.adds_nothing = not any(part.any() for part in self.net.split(initial)[-3:])
        self.state = State(settings, initial, corners if settings["control"] == 1 else ())
        further = settings["overlapped"] + settings["further"]
        self.linear = {e: Linear(width, height, depth, further, e == 8) for e in experts if e >= 4}
        self.lesson = None

    def begin_idr(self):
        """Clause 7.8."""
        self.lesson = None
        if self.settings["reset"] == 0:
            self.state.replay = []
        else:
            self.reset()

    def reset(self):
        self.state.reset()
        for linear in self.linear.values():
            linear.reset()

    def obey(self, order):
        """Clause 7.8."""
        if self.settings["control"] != 3:
            return
        lesson, self.lesson = self.lesson, None
        if order == 2:
            self.reset()
        elif order == 0 and lesson:
            self._learn(*lesson)

    def predict(self, pred, others, qp):
        """Outputs of the experts in order (clauses 7.1 to 7.3)."""
        self.pred, self.others = pred, others
        self.planes = self._planes(pred, others, qp)
        self.outputs, self.features = {}, {}
        if {2, 8} & {*self.experts}:
            self.outputs[2] = self._run(self.state.weights(), pred, self.planes)
        if 1 in self.experts:
            self.outputs[1] = self._run(self.state.initial, pred, self.planes)
        for expert, linear in self.linear.items():
            self.features[expert] = linear.features(pred, others, self.outputs.get(2))
            base = self.outputs[2] if expert == 8 else pred
            self.outputs[expert] = linear.predict(self.features[expert], base)
        return [self.outputs[expert] for expert in self.experts]

    def _planes(self, pred, others, qp):
        """Clause 7.2, with the margin, over the whole grid."""
        b, found, scale = self.depth, [], 1 << (14 - self.depth)
        found.append(((pred - (1 << b - 1)) << 11) >> b)
        if self.settings["high_pass"]:
            taps, edged = np.array([2, 4, 8, 11, 14, 11, 8, 4, 2]), np.pad(pred, 4, mode="edge")
            windows = np.lib.stride_tricks.sliding_window_view(edged, (9, 9))
            blurred = np.einsum("hwab,a,b->hw", windows, taps, taps, optimize=True)
            found.append(np.clip(((pred << 12) - blurred + (1 << b - 3)) >> (b - 2), -8191, 8191))
        found += [np.clip((other - pred) * scale, -8191, 8191) for other in others]
        if self.settings["qp_plane"]:
            found.append(np.full_like(pred, (qp - 32) * 128))
        if len(found) % 2:
            found.append(np.zeros_like(pred))
        m = self.net.margin
        below, right = m + self.grid[0] - self.height, m + self.grid[1] - self.width
        return np.pad(np.stack(found), ((0, 0), (m, below), (m, right)), mode="edge")

    def _run(self, master, pred, planes):
        _, y = self.net.forward(self.net.quantise(master), planes)
        change = (y[: self.height, : self.width] + (1 << self.s - 1)) >> self.s
        return np.clip(pred + change, 0, (1 << self.depth) - 1)

    def learn(self, recon, coded, uncoded, qp):
        """After the picture; coded, uncoded : (h / 4, w / 4) bool."""
        lesson = (recon, coded, uncoded, qp, self.pred, self.others, self.planes, self.outputs, self.features)
        if self.settings["control"] == 3:
            self.lesson = lesson
        else:
            self._learn(*lesson)

    def _learn(self, recon, coded, uncoded, qp, pred, others, planes, outputs, features):
        """Clause 7.5."""
        settings, state, b = self.settings, self.state, self.depth
        samples = np.kron(coded, np.ones((4, 4), bool))
        for expert, linear in self.linear.items():
            base = outputs[2] if expert == 8 else pred
            linear.learn(features[expert], base, outputs[expert], recon, samples)
        if 2 not in outputs:
            return
        before = pred if self.adds_nothing else self._run(state.initial, pred, planes)
        online, initial = (int(np.abs(plane - recon)[samples].sum()) for plane in (outputs[2], before))
        state.waiting_loss += online
        n = settings["reset_memory_log2"]
        if n:
            state.online_loss -= state.online_loss >> n
            state.initial_loss -= state.initial_loss >> n
        state.online_loss += online
        state.initial_loss += initial
        worse = 256 * state.online_loss > (256 + settings["reset_margin_q8"]) * state.initial_loss
        if settings["reset"] == 2 and worse:
            waiting = state.waiting_loss
            state.reset()
            state.waiting_loss = waiting
        if settings["control"] == 1:
            for y, x in state.tile_losses:
                tile = slice(y, y + self.t), slice(x, x + self.t)
                state.tile_losses[y, x] += int(np.abs(outputs[2] - recon)[tile][samples[tile]].sum())
        tiles = self._tiles(coded, qp)
        error = np.full(self.grid, MASKED)
        error[: self.height, : self.width][samples] = (pred - recon)[samples]
        if settings["uncoded_q7"]:
            faint = np.kron(uncoded, np.ones((4, 4), bool))
            error[: self.height, : self.width][faint] = (pred - recon)[faint] + LIGHT
        state.replay = [(planes, error, tiles), *state.replay][: settings["replay"]]
        state.pictures += 1
        epochs = settings["epochs_q2"]
        if settings["worse_q8"]:
            state.qps = [qp, *state.qps][:8]
            steps = qp - min(state.qps)
            epochs = epochs * (256 - settings["worse_q8"]) ** steps >> 8 * steps
        enough = settings["control"] in (0, 3)
        if settings["control"] == 1:
            threshold = self._threshold("threshold_q8", qp)
            enough = 256 * state.waiting_loss > (threshold * self.width * self.height) << (b - 8)
        if enough:
            state.waiting_loss = 0
            self._train(self._plan(epochs))

    def _threshold(self, name, qp):
        v, at = [self.settings[f"{name}[{k}]"] for k in range(4)], (22, 27, 32, 37)
        if qp <= at[0]:
            return v[0]
        for i in range(3):
            if qp <= at[i + 1]:
                return v[i] + (v[i + 1] - v[i]) * (qp - at[i]) // (at[i + 1] - at[i])
        return v[3]

    def _tiles(self, coded, qp):
        """Clause 7.6."""
        found, units, losses = [], self.t // 4, self.state.tile_losses
        for y in range(0, self.grid[0], self.t):
            for x in range(0, self.grid[1], self.t):
                tile = coded[y // 4 : y // 4 + units, x // 4 : x // 4 + units]
                c = int(tile.sum())
                if c and 256 * c >= self.settings["hot_share_q8"] * tile.size:
                    found.append((y, x))
        if self.settings["control"] == 1:
            least = self._threshold("tile_threshold_q8", qp) << (self.depth - 8 + 2 * self.settings["tile_log2"])
            found = [tile for tile in found if 256 * losses[tile] >= least]
            for tile in found:
                losses[tile] = 0
        return found

    def _plan(self, epochs):
        """Clause 7.6."""
        state, jitter = self.state, self.settings["jitter"]
        tiles = [(k, *tile) for k, picture in enumerate(state.replay) for tile in picture[2]]
        if not tiles or not epochs:
            return []
        plan, bag = [], []
        while len(plan) < max(1, epochs * len(tiles) // (4 * len(state.replay))):
            if not bag:
                bag = list(tiles)
                for i in range(len(bag) - 1, 0, -1):
                    j = state.draw(i + 1)
                    bag[i], bag[j] = bag[j], bag[i]
            k, y, x = bag.pop()
            y += state.draw(2 * jitter + 1) - jitter
            x += state.draw(2 * jitter + 1) - jitter
            plan.append((k, min(max(y, 0), self.grid[0] - self.t), min(max(x, 0), self.grid[1] - self.t)))
        return plan

    def _train(self, plan):
        """Clause 7.7."""
        settings, state = self.settings, self.state
        bound = {0: settings["huber_bound_q4"] * 64, 1: 65535, 2: 64}[settings["loss"]]
        light = 8 - settings["uncoded_q7"].bit_length()
        group, side = 1 << settings["tiles_log2"], self.t + 2 * self.net.margin
        for first in range(0, len(plan), group):
            weights, total = self.net.quantise(state.master), 0
            for k, y, x in plan[first : first + group]:
                planes, error, _ = state.replay[k]
                tile = planes[:, y : y + side, x : x + side], error[y : y + self.t, x : x + self.t]
                gradient, scales = self.net.gradients(weights, *tile, self.s, bound, light)
                total = total + gradient
            state.step(total, scales / self.t**2 / group)
            state.steps += len(plan[first : first + group])

    def digest(self):
        """Clause 11."""
        parts = [self.state.digest(), *(linear.digest() for linear in self.linear.values())]
        if self.settings["control"] == 3:
            parts.append(bytes([self.lesson is not None]))
        return parts[0] if len(parts) == 1 else digest(*parts)
