"""Naive twin of codecsim.hevc.intra: the standard's text, sample by sample, on dictionaries p[(x, y)]."""

ANGLES = [32, 26, 21, 17, 13, 9, 5, 2, 0, -2, -5, -9, -13, -17, -21, -26]
ANGLES = dict(enumerate(ANGLES + [-32] + ANGLES[::-1], start=2))


def available(zorder, x, y, neighbour_x, neighbour_y):
    """Whether luma location `neighbour` is decoded before the block at luma location (x, y)."""
    units_high, units_wide = zorder.shape
    if not (0 <= neighbour_x < 4 * units_wide and 0 <= neighbour_y < 4 * units_high):
        return False
    return zorder[neighbour_y // 4, neighbour_x // 4] < zorder[y // 4, x // 4]


def gather(samples, zorder, x, y, n, c_idx, bit_depth):
    """Reference samples p[(i, j)] around the block at (x, y) of `samples`, an unpadded plane (8.4.4.2.2)."""
    scale = 1 if c_idx == 0 else 2
    order = [(-1, j) for j in range(2 * n - 1, -2, -1)] + [(i, -1) for i in range(2 * n)]
    p = {}
    for i, j in order:
        if available(zorder, x * scale, y * scale, (x + i) * scale, (y + j) * scale):
            p[i, j] = int(samples[y + j, x + i])
    if not p:
        return dict.fromkeys(order, 1 << bit_depth - 1)
    if order[0] not in p:
        p[order[0]] = next(p[at] for at in order if at in p)
    for before, at in zip(order, order[1:], strict=False):
        p.setdefault(at, p[before])
    return p


def smooth(p, n, mode, c_idx, strong, bit_depth):
    """Filtered references, or `p` itself where the standard does not filter (8.4.4.2.3)."""
    threshold = {4: 99, 8: 7, 16: 1, 32: 0}[n]
    if c_idx > 0 or mode == 1 or min(abs(mode - 26), abs(mode - 10)) <= threshold:
        return p
    last = 2 * n - 1
    f = {(-1, last): p[-1, last], (last, -1): p[last, -1]}
    limit = 1 << bit_depth - 5
    bilinear = strong and n == 32
    bilinear = bilinear and abs(p[-1, -1] + p[last, -1] - 2 * p[n - 1, -1]) < limit
    bilinear = bilinear and abs(p[-1, -1] + p[-1, last] - 2 * p[-1, n - 1]) < limit
    if bilinear:
        f[-1, -1] = p[-1, -1]
        for k in range(63):
            f[-1, k] = ((63 - k) * p[-1, -1] + (k + 1) * p[-1, 63] + 32) >> 6
            f[k, -1] = ((63 - k) * p[-1, -1] + (k + 1) * p[63, -1] + 32) >> 6
        return f
    f[-1, -1] = (p[-1, 0] + 2 * p[-1, -1] + p[0, -1] + 2) >> 2
    for k in range(last):
        f[-1, k] = (p[-1, k + 1] + 2 * p[-1, k] + p[-1, k - 1] + 2) >> 2
        f[k, -1] = (p[k - 1, -1] + 2 * p[k, -1] + p[k + 1, -1] + 2) >> 2
    return f


def predict(p, n, mode, c_idx, bit_depth):
    """Prediction {(x, y): sample} from references already smoothed (8.4.4.2.4 to 8.4.4.2.6)."""
    block = [(x, y) for y in range(n) for x in range(n)]
    edges = c_idx == 0 and n < 32
    log2 = n.bit_length() - 1
    if mode == 0:
        return {
            (x, y): ((n - 1 - x) * p[-1, y] + (x + 1) * p[n, -1] + (n - 1 - y) * p[x, -1] + (y + 1) * p[-1, n] + n)
            >> log2 + 1
            for x, y in block
        }
    if mode == 1:
        mean = (sum(p[k, -1] + p[-1, k] for k in range(n)) + n) >> log2 + 1
        out = dict.fromkeys(block, mean)
        if edges:
            for k in range(1, n):
                out[k, 0] = (p[k, -1] + 3 * mean + 2) >> 2
                out[0, k] = (p[-1, k] + 3 * mean + 2) >> 2
            out[0, 0] = (p[-1, 0] + 2 * mean + p[0, -1] + 2) >> 2
        return out
    angle = ANGLES[mode]
    vertical = mode >= 18

    def reference(along, across):
        return p[along, across] if vertical else p[across, along]

    ref = {x: reference(-1 + x, -1) for x in range(2 * n + 1)}
    if angle < 0:
        inverse = -round(8192 / -angle)
        if (n * angle) >> 5 < -1:
            for x in range((n * angle) >> 5, 0):
                ref[x] = reference(-1, -1 + ((x * inverse + 128) >> 8))
    out = {}
    for a, b in block:
        index, fraction = ((b + 1) * angle) >> 5, ((b + 1) * angle) & 31
        sample = ref[a + index + 1]
        if fraction:
            sample = ((32 - fraction) * sample + fraction * ref[a + index + 2] + 16) >> 5
        if angle == 0 and a == 0 and edges:
            sample = ref[1] + ((reference(-1, b) - reference(-1, -1)) >> 1)
            sample = min(max(sample, 0), (1 << bit_depth) - 1)
        out[(a, b) if vertical else (b, a)] = sample
    return out
