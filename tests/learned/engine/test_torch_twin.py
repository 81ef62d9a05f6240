"""An independent twin of training in PyTorch, integers carried exactly in float64."""

import numpy as np
import pytest

from codecsim.learned.engine.spec import NetSpec
from codecsim.learned.engine.state import LearnerState
from codecsim.learned.engine.tile_net import Loss, Optimiser, PackedWeights, TileNet
from codecsim.learned.engine.weights import builtin_weights

torch = pytest.importorskip("torch")
functional = torch.nn.functional
torch.set_num_threads(1)


def wrap(a):
    return torch.remainder(a + 2.0**31, 2.0**32) - 2.0**31


def requantise(acc, positive, shift, clip):
    acc = torch.where(positive, acc, torch.floor(acc / 8))
    return torch.clamp(torch.floor((acc + 2.0 ** (shift - 1)) / 2.0**shift), -clip, clip)


class Twin:
    """The network as torch tensors; float32 master weights, everything between them in float64."""

    def __init__(self, spec, master):
        self.spec, self.master = spec, torch.from_numpy(master.copy())
        self.moment, self.square = torch.zeros_like(self.master), torch.zeros_like(self.master)
        self.powers = torch.ones(2)

    def parts(self, vector):
        found = []
        for layer in self.spec.layers:
            found.append(vector[layer.weights : layer.skip].reshape(layer.weight_shape))
            found.append(vector[layer.bias : layer.end])
        last = self.spec.layers[-1]
        return found, vector[last.skip : last.bias].reshape(last.n_out, -1, 5, 5)

    def step(self, x, error, loss, rates):
        parts, skip = self.parts(self.master.double())
        quantised = lambda w: torch.clamp(torch.round(w * 8192), -32767, 32767)  # noqa: E731
        weights = [quantised(w) for w in parts[::2]]
        biases = [torch.round(b * 2.0**23)[None, :, None, None] for b in parts[1::2]]
        groups = [layer.n_in if layer.kind == "depthwise3" else 1 for layer in self.spec.layers]
        x = torch.from_numpy(x.astype(np.float64))[None]
        acts = [functional.pad(x, [-self.spec.margin + 1 + sum(w.shape[2] // 2 for w in weights[:-1])] * 4)]
        for w, b, g in zip(weights[:-1], biases[:-1], groups[:-1], strict=True):
            acc = wrap(functional.conv2d(acts[-1], w, groups=g) + b)
            acts.append(requantise(acc, acc > 0, 13, 8191))
        inner = self.spec.margin - 2
        context = functional.pad(x, [-inner] * 4)
        acc = wrap(functional.conv2d(acts[-1], weights[-1]) + functional.conv2d(context, quantised(skip)) + biases[-1])
        y = torch.clamp(torch.floor((acc + 256) / 512), -32767, 32767)

        shift = loss.bound.bit_length() - 12
        error = torch.from_numpy(error.astype(np.float64))[None]
        e = torch.clamp(error * 2.0**loss.sample_shift + y, -loss.bound, loss.bound)
        g = torch.clamp(torch.floor((e + (1 << max(shift, 0)) // 2) / 2.0**shift), -4095, 4095)
        g = torch.where(error == -32768, 0.0, g)
        gradient = torch.zeros_like(self.master, dtype=torch.float64)
        scale = torch.zeros_like(gradient)
        slots, skip_slot = self.parts(gradient)
        scales, skip_scale = self.parts(scale)
        factor = 2.0 ** (shift - 24) / y[0, 0].numel()
        skip_slot[:] = torch.nn.grad.conv2d_weight(context, skip.shape, g)
        skip_scale[:] = factor
        for i in range(len(weights) - 1, -1, -1):
            slots[2 * i][:] = torch.nn.grad.conv2d_weight(acts[i], weights[i].shape, g, groups=groups[i])
            slots[2 * i + 1][:] = g.sum((0, 2, 3)) * 1024
            scales[2 * i][:] = scales[2 * i + 1][:] = factor
            if i:
                fans = weights[i].abs().sum((1, 2, 3) if groups[i] > 1 else (0, 2, 3))
                headroom = 1 if i == len(weights) - 1 or groups[i] > 1 else 3
                back = max(1, max(int(fans.max()), 1).bit_length() - headroom)
                acc = wrap(torch.nn.grad.conv2d_input(acts[i].shape, weights[i], g, groups=groups[i]))
                g = requantise(acc, acts[i] > 0, back, 4095)
                factor *= 2.0 ** (back - 13)
        self._adam((gradient * scale).float(), rates)
        return y[0].numpy(), gradient.numpy()

    def _adam(self, g, rates):
        rate, beta1, beta2, epsilon = torch.tensor(rates)
        self.powers = self.powers * torch.stack([beta1, beta2])
        self.moment = beta1 * self.moment + (1 - beta1) * g
        self.square = beta2 * self.square + (1 - beta2) * (g * g)
        change = rate / (1 - self.powers[0]) * self.moment
        # through float64: torch's float32 square root may come from a library that does not round correctly
        root = torch.sqrt((self.square * (1 / (1 - self.powers[1]))).double()).float()
        change = change / (root + epsilon)
        self.master = torch.clamp(self.master - change, -32767 / 8192, 32767 / 8192)


ALL_KINDS = (("conv1", 16), ("depthwise3", 16), ("conv3", 8), ("conv1", 24))


@pytest.mark.parametrize(
    ("spec", "steps"),
    [
        (NetSpec.plain(4, 16, 2), 60),
        (NetSpec.plain(2, 8, 3), 60),
        (NetSpec.plain(8, 32, 1), 15),
        (NetSpec(4, ALL_KINDS), 60),
        (NetSpec(8, (("depthwise3", 8), ("conv1", 64)), 2), 40),
        (NetSpec(4, (("conv1", 8),), 2), 40),
    ],
    ids=str,
)
def test_training_run_equals_torch(spec, steps):
    rates, loss = np.array([4e-3, 0.9, 0.999, 1e-8], np.float32), Loss(11, 2048)
    state, size = LearnerState(builtin_weights(spec)), 16
    twin = Twin(spec, state.master)
    net, packed = TileNet(spec, size, size, train=True), PackedWeights(spec)
    edge = size + 2 * spec.margin
    rng = np.random.default_rng(4)
    planes = rng.integers(-1000, 1001, (spec.n_inputs, 64, 64)).astype(np.int16)
    error = (planes[: spec.n_outputs] // 256 + rng.integers(-3, 4, (spec.n_outputs, 64, 64))).astype(np.int16)
    error[:, 20:30, 10:50] = -32768
    for step in range(steps):
        y0, x0 = rng.integers(0, 64 - edge, 2)
        net.load(planes, y0, x0)
        net.step(state, packed, error, y0, x0, loss, Optimiser(0, rates))
        tile = planes[:, y0 : y0 + edge, x0 : x0 + edge]
        y, gradient = twin.step(tile, error[:, y0 : y0 + size, x0 : x0 + size], loss, rates)
        outputs = [net.output(k) for k in range(spec.n_outputs)]
        np.testing.assert_array_equal(outputs, y, err_msg=f"step {step}")
        np.testing.assert_array_equal(net.gradient, gradient, err_msg=f"step {step}")
        np.testing.assert_array_equal(state.master, twin.master.numpy(), err_msg=f"step {step}")
    assert np.abs(outputs).max() > 100
