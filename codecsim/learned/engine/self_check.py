"""Normative.  Proof, at start-up, that this machine computes what the format demands."""

import functools
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from codecsim.errors import ModelError
from codecsim.learned.engine.spec import CONV3, NetSpec
from codecsim.learned.engine.state import LearnerState
from codecsim.learned.engine.tile_net import Loss, Optimiser, PackedWeights, TileNet
from codecsim.learned.engine.update import ADAM, SGD, subnormal_product
from codecsim.learned.engine.weights import builtin_weights, split_mix

GOLDEN = "a554e975687b0d468590d01e9bf6ba47"
GOLDEN_MIXED = "d48a00d1a3ea5f444c5611e7820c2d43"
_STEPS = 16
_HUBER, _L2 = Loss(11, 2048), Loss(11, (1 << 17) - 1)
_PLAIN_RUNS = ((NetSpec.plain(2, 8, 2), ADAM, 2e-3, _HUBER), (NetSpec.plain(2, 16, 2), SGD, 2e-2, _L2))
_MIXED_RUNS = (
    (NetSpec(2, (("conv1", 16), ("depthwise3", 16), ("conv3", 8)), 2), ADAM, 2e-3, _HUBER),
    (NetSpec(2, (("conv3", 8), ("depthwise3", 8), ("conv1", 24))), SGD, 2e-2, _L2),
)


def keeps_subnormals() -> bool:
    """Whether the calling thread computes with subnormal numbers."""
    value = np.array([2.0**-100, 2.0**-40, 0.0], np.float32)
    subnormal_product(value)
    # as bits: where subnormal operands count as zero, a comparison of floats would hold for zero too
    return int(value.view(np.uint32)[2]) == 1 << 9


def golden_digest(ops: Any = None, mixed: bool = False) -> str:
    """Hex digest of some dozens of training steps on noise, through forward, backward and both optimisers.

    mixed : bool, whether with layers of all kinds and two outputs, or with 3x3 convolutions alone
    """
    digest = hashlib.blake2b(digest_size=16)
    noise = (split_mix(2 * 64 * 64) >> np.uint64(48)).astype(np.int64)
    planes = (noise.reshape(2, 64, 64) % 2049 - 1024).astype(np.int16)
    error = np.stack([planes[0] - planes[1] // 2 >> 5, planes[1] >> 6]).astype(np.int16)
    for spec, method, rate, loss in _MIXED_RUNS if mixed else _PLAIN_RUNS:
        state, packed, net = LearnerState(builtin_weights(spec)), PackedWeights(spec), TileNet(spec, 32, 32, True, ops)
        optimiser = Optimiser(method, np.array([rate, 0.9, 0.999, 1e-8], np.float32))
        for step in range(_STEPS):
            y0, x0 = step % 5 * 5, step % 7 * 3
            net.load(planes, y0, x0)
            net.step(state, packed, error[: spec.n_outputs], y0, x0, loss, optimiser)
        for index in range(spec.n_outputs):
            digest.update(net.output(index).astype("<i2").tobytes())
        digest.update(state.digest())
    return digest.hexdigest()


def require_subnormals() -> None:
    """Check the calling thread, whose floating-point mode any library may have changed since the start.

    Raises
    ------
    ModelError : if subnormal numbers are flushed to zero
    """
    if not keeps_subnormals():
        raise ModelError(
            "learned tools need subnormal numbers, which this process flushes to zero; "
            "another library has set the processor so: do not load it, or switch learned tools off"
        )


def check_engine(specs: Sequence[NetSpec] = ()) -> None:
    """Run the checks that networks of these shapes need, once a process.

    specs : NetSpecs; none or chains of 3x3 convolutions to one output need fewer kernels

    Raises
    ------
    ModelError : if subnormal numbers are flushed to zero, or training does not give the format's bits
    """
    _check_training(False)
    if any(kind != CONV3 for spec in specs for kind, _ in spec.hidden) or any(spec.n_outputs > 1 for spec in specs):
        _check_training(True)


@functools.cache
def _check_training(mixed: bool) -> None:
    require_subnormals()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(require_subnormals).result()
    found, expected = golden_digest(mixed=mixed), GOLDEN_MIXED if mixed else GOLDEN
    if found != expected:
        raise ModelError(
            f"self-check of the learning engine failed: digest {found}, expected {expected}; "
            "try CODECSIM_ENGINE=plain, or switch learned tools off"
        )
