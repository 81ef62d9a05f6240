"""The learning engine told again in int64 NumPy: no packing, no tiles, no shared code with codecsim.learned.

Weights are a list of layers, each a dict with kind, w (co, ci, k, k), b (co,) and, in the last, skip (co, n, 5, 5),
quantised to integers.  All sums are exact; what the engine keeps modulo 2**32 is wrapped here on purpose.
"""

import numpy as np

F32 = np.float32


def wrap(a):
    return (a + 2**31) % 2**32 - 2**31


def conv(x, w):
    """Valid correlation of (ci, h, w) with (co, ci, k, k)."""
    k = w.shape[2]
    h, width = x.shape[1] - k + 1, x.shape[2] - k + 1
    out = np.zeros((w.shape[0], h, width), np.int64)
    for ky in range(k):
        for kx in range(k):
            patch = x[:, ky : ky + h, kx : kx + width].reshape(x.shape[0], -1)
            out += (w[:, :, ky, kx] @ patch).reshape(out.shape)
    return out


def split(master, n_inputs, hidden, n_outputs=1):
    """Canonical vector -> list of dicts of kind and views w, b, skip (None but in the last layer).

    hidden : ((kind, channels), ...)
    """
    layers, at, n_in = [], 0, n_inputs

    def take(*shape):
        nonlocal at
        at += int(np.prod(shape))
        return master[at - int(np.prod(shape)) : at].reshape(shape)

    for kind, n_out in hidden:
        shape = {"conv3": (n_out, n_in, 3, 3), "conv1": (n_out, n_in, 1, 1), "depthwise3": (n_out, 1, 3, 3)}[kind]
        layers.append({"kind": kind, "w": take(*shape), "b": take(n_out), "skip": None})
        n_in = n_out
    w, skip = take(n_outputs, n_in, 3, 3), take(n_outputs, n_inputs, 5, 5)
    layers.append({"kind": "conv3", "w": w, "skip": skip, "b": take(n_outputs)})
    assert at == master.size
    return layers


def plain(n_inputs, channels, hidden_layers):
    """Shape, as `split` takes it, of a chain of equal 3x3 layers."""
    return n_inputs, (("conv3", channels),) * hidden_layers


def quantise(layers):
    """float32 layers -> int64 layers."""
    weight = lambda w: np.clip(np.rint(w.astype(np.float64) * 2**13), -32767, 32767).astype(np.int64)  # noqa: E731
    return [
        {
            "kind": layer["kind"],
            "w": weight(layer["w"]),
            "b": np.rint(layer["b"].astype(np.float64) * 2**23).astype(np.int64),
            "skip": None if layer["skip"] is None else weight(layer["skip"]),
        }
        for layer in layers
    ]


def leak(a, positive):
    return np.where(positive, a, a >> 3)


def requantise(acc, shift, clip):
    return np.clip(wrap(acc + (1 << (shift - 1))) >> shift, -clip, clip)


def apply(layer, x, w):
    """Sums of a layer with the weights w: all channels together, or one by one in a depthwise layer."""
    if layer["kind"] == "depthwise3":
        return np.concatenate([conv(x[c : c + 1], w[c : c + 1]) for c in range(x.shape[0])])
    return conv(x, w)


def margin_of(layers):
    return max(2, sum(layer["w"].shape[2] // 2 for layer in layers))


def crop(x, n):
    return x[:, n : x.shape[1] - n, n : x.shape[2] - n]


def forward(layers, x):
    """Inputs of all layers, and the outputs (n_outputs, h, w)."""
    margin = margin_of(layers)
    acts = [crop(x, margin - sum(layer["w"].shape[2] // 2 for layer in layers))]
    for layer in layers[:-1]:
        acc = wrap(apply(layer, acts[-1], layer["w"]) + layer["b"][:, None, None])
        acts.append(requantise(leak(acc, acc > 0), 13, 8191))
    last = layers[-1]
    acc = wrap(conv(acts[-1], last["w"]) + conv(crop(x, margin - 2), last["skip"]) + last["b"][:, None, None])
    return acts, requantise(acc, 9, 32767)


def loss_gradient(y, error, sample_shift, bound, light=0):
    """Gradient, in y's shape, for `error` in samples, -32768 where masked, and the shift that was taken.

    Errors beyond 8192 are those of samples of weight 2**-light, stored 16384 higher.
    """
    shift = int(bound).bit_length() - 12
    is_light = error > 8192
    e = np.clip((np.where(is_light, error.astype(np.int64) - 16384, error) << sample_shift) + y, -bound, bound)
    g = np.floor(e / 2.0**shift + 0.5) if shift > 0 else e * 2**-shift
    g = np.clip(g, -4095, 4095).astype(np.int64)
    g = np.where(is_light, np.floor(g / 2.0**light + (0.5 if light else 0)).astype(np.int64), g)
    return np.where(error == -32768, 0, g), shift


def weight_gradient(x, g, k):
    """sum over pixels of g[co] * x[ci] shifted, (co, ci, k, k)."""
    h, w = g.shape[1:]
    out = np.zeros((g.shape[0], x.shape[0], k, k), np.int64)
    for ky in range(k):
        for kx in range(k):
            out[:, :, ky, kx] = g.reshape(g.shape[0], -1) @ x[:, ky : ky + h, kx : kx + w].reshape(x.shape[0], -1).T
    return out


def gradient_shift_of_weights(layer, is_last):
    axes = (1, 2, 3) if layer["kind"] == "depthwise3" else (0, 2, 3)
    bits = int(max(1, np.abs(layer["w"]).sum(axes).max())).bit_length()
    return max(1, bits - (1 if is_last or layer["kind"] == "depthwise3" else 3))


def backward(layers, acts, x0, g):
    """Gradients of all layers (w, b, skip), and each layer's power of two relative to the last's.

    acts : inputs of all layers; x0 : inputs of the net; g : (n_outputs, h, w)
    """
    found, power = [], 0
    for i in range(len(layers) - 1, -1, -1):
        layer, x = layers[i], acts[i]
        depthwise, k = layer["kind"] == "depthwise3", layer["w"].shape[2]
        if depthwise:
            w = np.concatenate([weight_gradient(x[c : c + 1], g[c : c + 1], k) for c in range(x.shape[0])])
        else:
            w = weight_gradient(x, g, k)
        grads = {"w": w, "b": g.sum((1, 2)) << 10, "skip": None, "power": power}
        if layer["skip"] is not None:
            grads["skip"] = weight_gradient(crop(x0, margin_of(layers) - 2), g, 5)
        found.insert(0, grads)
        if i:
            shift = gradient_shift_of_weights(layer, i == len(layers) - 1)
            padded = np.pad(g, ((0, 0), (k - 1, k - 1), (k - 1, k - 1)))
            mirrored = layer["w"][:, :, ::-1, ::-1]
            acc = wrap(apply(layer, padded, mirrored if depthwise else mirrored.transpose(1, 0, 2, 3)))
            g = requantise(leak(acc, x > 0), shift, 4095)
            power += shift - 13
    return found


def optimise(method, state, gradient, rates):
    """One optimiser step in float32; `state` is a dict of master, moment, square, powers; `gradient` float32."""
    rate, beta1, beta2, epsilon = (F32(r) for r in rates)
    one = F32(1)
    state["powers"] = state["powers"] * np.array([beta1, beta2], F32)
    if method == 0:
        state["moment"] = beta1 * state["moment"] + (one - beta1) * gradient
        state["square"] = beta2 * state["square"] + (one - beta2) * (gradient * gradient)
        step = rate / (one - state["powers"][0])
        unbias = one / (one - state["powers"][1])
        change = step * state["moment"] / (np.sqrt(state["square"] * unbias) + epsilon)
    else:
        state["moment"] = beta1 * state["moment"] + gradient
        change = rate * state["moment"]
    limit = F32(32767 / 8192)
    state["master"] = np.clip(state["master"] - change, -limit, limit)


def step(shape, state, x, error, loss, method, rates):
    """A training step; returns the output and the int64 gradient in canonical order.

    shape : (n_inputs, hidden, n_outputs), see `split`; error : (n_outputs, h, w); loss : (sample_shift, bound)
    """
    layers = quantise(split(state["master"], *shape))
    acts, y = forward(layers, x)
    g, shift = loss_gradient(y, error, *loss)
    grads = backward(layers, acts, x, g)
    total, floats = [], []
    for grad in grads:
        parts = [grad[name].ravel() for name in ("w", "skip", "b") if grad[name] is not None]
        scale = 2.0 ** (shift - 24 + grad["power"]) / y[0].size
        total.extend(parts)
        floats.extend((part.astype(np.float64) * scale).astype(F32) for part in parts)
    optimise(method, state, np.concatenate(floats), rates)
    return y, np.concatenate(total)
