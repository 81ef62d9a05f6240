"""What a network costs on a device that torch drives: floating point, as a yardstick beside the exact engine."""

import time
from collections.abc import Callable

import torch

from codecsim.learned.engine.spec import DEPTHWISE3, NetSpec

functional = torch.nn.functional


class FloatNet(torch.nn.Module):
    """A network of a NetSpec in floating point: (b, n_inputs, h + 2 R, w + 2 R) -> (b, n_outputs, h, w)."""

    def __init__(self, spec: NetSpec):
        super().__init__()
        self.spec = spec
        *hidden, last = (
            torch.nn.Conv2d(x.n_in, x.n_out, x.side, groups=x.n_in if x.kind == DEPTHWISE3 else 1) for x in spec.layers
        )
        self.hidden, self.last = torch.nn.ModuleList(hidden), last
        self.skip = torch.nn.Conv2d(spec.n_inputs, spec.n_outputs, 5, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        lead, inner = self.spec.margin - 1 - self.spec.reach, self.spec.margin - 2
        skip = self.skip(functional.pad(x, [-inner] * 4))
        x = functional.pad(x, [-lead] * 4)
        for layer in self.hidden:
            x = functional.leaky_relu(layer(x), 0.125)
        return self.last(x) + skip


def device_name(device: str) -> str | None:
    """Name of a device of torch, or None where it is not there."""
    if device == "cpu":
        return "CPU"
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def best_seconds(function: Callable[[], object], device: str, runs: int = 5) -> float:
    """Least time of one call, with all that it started."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    least = float("inf")
    function()
    for _ in range(runs):
        wait()
        start = time.perf_counter()
        function()
        wait()
        least = min(least, time.perf_counter() - start)
    return least


def inference_seconds(spec: NetSpec, width: int, height: int, device: str = "cuda") -> float:
    """Seconds of a picture's inference, in half precision on a GPU."""
    dtype, margin = torch.float16 if device == "cuda" else torch.float32, 2 * spec.margin
    net = FloatNet(spec).to(device, dtype, memory_format=torch.channels_last).eval()
    picture = torch.zeros(1, spec.n_inputs, height + margin, width + margin, device=device, dtype=dtype)
    picture = picture.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        return best_seconds(lambda: net(picture), device)


def step_seconds(spec: NetSpec, tile: int, device: str = "cuda") -> float:
    """Seconds of one training step on a tile of `tile` samples a side; the codec takes one after another."""
    net, margin = FloatNet(spec).to(device), 2 * spec.margin
    inputs = torch.zeros(1, spec.n_inputs, tile + margin, tile + margin, device=device)
    target = torch.zeros(1, spec.n_outputs, tile, tile, device=device)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)

    def step() -> None:
        adam.zero_grad()
        functional.huber_loss(net(inputs), target).backward()
        adam.step()

    return best_seconds(step, device, 20)
