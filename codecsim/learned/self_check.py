"""Normative.  Proof, at start-up, that this machine computes what the format demands."""

import functools
import hashlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from codecsim.errors import ModelError
from codecsim.learned.engine import Loss, Optimiser, PackedWeights, TileNet
from codecsim.learned.spec import NetSpec
from codecsim.learned.state import LearnerState
from codecsim.learned.update import ADAM, SGD, subnormal_product
from codecsim.learned.weights import builtin_weights, split_mix

GOLDEN = "a554e975687b0d468590d01e9bf6ba47"
_STEPS = 16


def keeps_subnormals():
    """Whether the calling thread computes with subnormal numbers."""
    value = np.array([2.0**-100, 2.0**-40, 0.0], np.float32)
    subnormal_product(value)
    # as bits: where subnormal operands count as zero, a comparison of floats would hold for zero too
    return int(value.view(np.uint32)[2]) == 1 << 9


def golden_digest(ops=None):
    """Hex digest of some dozens of training steps on noise, through forward, backward and both optimisers."""
    digest = hashlib.blake2b(digest_size=16)
    noise = (split_mix(2 * 64 * 64) >> np.uint64(48)).astype(np.int64)
    planes = (noise.reshape(2, 64, 64) % 2049 - 1024).astype(np.int16)
    error = (planes[0] - planes[1] // 2 >> 5).astype(np.int16)
    for channels, method, rate, loss in ((8, ADAM, 2e-3, Loss(11, 2048)), (16, SGD, 2e-2, Loss(11, (1 << 17) - 1))):
        spec = NetSpec.plain(2, channels, 2)
        state, packed, net = LearnerState(builtin_weights(spec)), PackedWeights(spec), TileNet(spec, 32, 32, True, ops)
        optimiser = Optimiser(method, np.array([rate, 0.9, 0.999, 1e-8], np.float32))
        for step in range(_STEPS):
            y0, x0 = step % 5 * 5, step % 7 * 3
            net.load(planes, y0, x0)
            net.step(state, packed, error, y0, x0, loss, optimiser)
        digest.update(net.output().astype("<i2").tobytes() + state.digest())
    return digest.hexdigest()


def require_subnormals():
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


@functools.cache
def check_engine():
    """Run the checks, once a process.

    Raises
    ------
    ModelError : if subnormal numbers are flushed to zero, or training does not give the format's bits
    """
    require_subnormals()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(require_subnormals).result()
    found = golden_digest()
    if found != GOLDEN:
        raise ModelError(
            f"self-check of the learning engine failed: digest {found}, expected {GOLDEN}; "
            "try CODECSIM_ENGINE=plain, or switch learned tools off"
        )
