"""Print the digest of a long run of predict and learn; test_portability.py starts it in many settings."""

import sys
from dataclasses import replace

import numpy as np

from codecsim.learned.engine.self_check import golden_digest
from codecsim.learned.engine.spec import CONV1, CONV3, DEPTHWISE3, NetSpec
from codecsim.learned.engine.weights import builtin_weights
from codecsim.learned.inter.inputs import CODED, UNCODED
from codecsim.learned.intra.filter import UNIT_LOG2, pack_nets
from codecsim.learned.intra.learner import IntraLearner
from codecsim.tools.inter_luma import InterLumaSettings
from codecsim.tools.intra import IntraSettings
from codecsim.tools.learner import Control, Method, Reset
from tests.learned.inter.running import Running
from tests.learned.inter.settings import PLAIN
from tests.learned.intra.intra_examples import learn
from tests.learned.intra.intra_models import random_model
from tests.reference.intra_learner import Example


def pictures(count, height, width):
    """Pairs of prediction and reconstruction, made with integers only."""
    y, x = np.mgrid[:height, :width]
    z = np.arange(height * width, dtype=np.uint64).reshape(height, width)
    for k in range(count):
        noise = ((z + np.uint64(k * 977)) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(59)).astype(np.int64)
        recon = 90 + ((x * x // 37 + y * 3 + 5 * k) % 61) + ((x // 8 + y // 8 + k) % 3) * 20
        pred = (recon + np.roll(recon, 1, 1) * 2 + np.roll(recon, 1, 0)) // 4 + noise // 4 - 4
        yield pred.clip(0, 255).astype(np.uint16), recon.clip(0, 255).astype(np.uint16)


def run(params, threads, count, spec=None, height=128, width=192):
    """Digest of the outputs and the states, and the number of training steps."""
    learner = Running(params, width, height, 8, builtin_weights(spec or params.spec), threads)
    areas = (5 + (np.arange(height // 4)[:, None] // 3 + np.arange(width // 4) // 5) % 8).astype(np.uint8)
    kinds = np.array([CODED, CODED, CODED, UNCODED, 0], np.uint8)
    coded = kinds[(np.arange(height // 4)[:, None] + np.arange(width // 4)) % 5]
    outputs, steps = 0, 0
    for pred, recon in pictures(count, height, width):
        aux = [np.roll(recon, 1 + k, k % 2) for k in range(4)]
        for filtered in learner.predict(pred, aux, 30, areas):
            outputs = (outputs * 31 + int(filtered.astype(np.int64).sum())) % 2**61
        steps += learner.learn(recon, coded).trained_steps
    return f"{learner.digest().hex()} {outputs:x}", steps


def run_intra():
    """Digest of an intra filter that has learnt from blocks of all sizes, and of its steps."""
    model = random_model(hidden=(("conv3", 16), ("conv3", 16)), split="both")
    params = IntraSettings(online=True, learning_rate=1e-3, passes=2, reset_margin_q8=1023)
    packed = pack_nets(model.spec, model.weights)
    learner = IntraLearner(params, model.spec, model.weights, packed, 8, UNIT_LOG2)
    pred, recon = next(pictures(1, 128, 192))
    examples, steps = [], 0
    for k in range(60):
        log2 = 2 + k % 4
        side = (1 << log2) + 2 * model.spec.net.margin
        y, x = 7 * k % 80, 11 * k % 140
        patch = np.stack([np.roll(pred, c, c % 2)[y : y + side, x : x + side] for c in range(model.spec.net.n_inputs)])
        error = (pred.astype(np.int16) - recon.astype(np.int16))[y : y + (1 << log2), x : x + (1 << log2)]
        examples.append(Example(k % 2 + 2 * (log2 > 3), log2, ((patch.astype(np.int16) - 128) * 8), error.copy()))
        if len(examples) == 10:
            steps += learn(learner, examples)
            examples.clear()
    return learner.digest().hex(), steps


def main(threads):
    """Long runs: Adam in the usual shape, SGD in a narrow deep one, thresholds and replay in a wide one.

    Then absolute errors everywhere, four tiles a step; defaults; linear filters beside the net; layers of all kinds,
    with Adam and with SGD; sizes of blocks as an input and in classes; the intra filter; in the self-check's, two
    outputs.
    """
    total = 0
    wide = ((CONV1, 24), (DEPTHWISE3, 24), (CONV1, 16), (CONV3, 8))
    for params, count, spec in (
        (replace(PLAIN, epochs_q2=40), 6, None),
        (replace(PLAIN, channels=8, hidden_layers=3, method=Method.SGD, learning_rate=0.01, epochs_q2=40), 4, None),
        (replace(PLAIN, channels=32, control=Control.THRESHOLD, reset=Reset.AUTO, replay=2), 3, None),
        (replace(PLAIN, loss="l1", tiles_log2=2, uncoded_q7=32, worse_q8=40), 3, None),
        (InterLumaSettings(experts="online"), 4, None),
        (InterLumaSettings(channels=8, epochs_q2=8, further=3, experts="online,rls,mix"), 5, None),
        (replace(PLAIN, tile_log2=5), 6, NetSpec(4, wide)),
        (
            replace(PLAIN, further=3, overlapped=True, tile_log2=5, method=Method.SGD, learning_rate=0.01),
            4,
            NetSpec(8, ((DEPTHWISE3, 8), (CONV1, 64), (DEPTHWISE3, 64), (CONV1, 16))),
        ),
        (replace(PLAIN, block_size="input", tile_log2=5), 3, None),
        (InterLumaSettings(channels=8, block_size="three_classes"), 3, None),
    ):
        digest, steps = run(params, threads, count, spec)
        total += steps
        print(digest)
    digest, steps = run_intra()
    total += steps
    print(digest)
    print(golden_digest(mixed=True))
    assert total >= 1000, total


if __name__ == "__main__":
    main(int(sys.argv[1]))
