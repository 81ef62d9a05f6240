"""Cost of the learned tools in multiply-accumulates, for reports.

Counted for the samples that are produced; the overlap of neighbouring tiles (a few percent) is left out, as is usual.
"""

from typing import Any

from codecsim.learned.engine.spec import NetSpec


def forward_macs(spec: NetSpec) -> int:
    """Multiply-accumulates a sample of one pass through the network of a NetSpec."""
    return sum(layer.bias - layer.weights for layer in spec.layers)


def block_macs(spec: NetSpec, size: int) -> float:
    """Multiply-accumulates a sample of a size x size block that is filtered alone, with the context of its layers."""
    total, around = 0, 0
    for layer in reversed(spec.layers):
        total += (layer.bias - layer.weights) * (size + 2 * around) ** 2
        around += layer.side // 2
    return total / size**2


def fit_macs(n_features: int) -> int:
    """Multiply-accumulates a sample to fit a linear filter of so many features.

    Half of the products of all pairs of features and target, and the products with the sample's weight.
    """
    return (n_features + 1) * (n_features + 2) // 2 + n_features + 1


def step_macs(spec: NetSpec) -> int:
    """Multiply-accumulates a sample of a training step: forward, weight gradients, gradients of activations."""
    backward = sum(layer.skip - layer.weights for layer in spec.layers[1:])
    return 2 * forward_macs(spec) + backward


def inference_kmac(spec: NetSpec) -> float:
    """Thousand multiply-accumulates a sample to filter a picture."""
    return forward_macs(spec) / 1000


def training_kmac(spec: NetSpec, params: Any, trained_steps: int, n_samples: int) -> float:
    """Thousand multiply-accumulates a sample that training under InterLumaSettings took.

    trained_steps : int, of all pictures; n_samples : int, luma samples of all pictures
    """
    return trained_steps * (1 << 2 * params.tile_log2) * step_macs(spec) / (1000 * n_samples)
