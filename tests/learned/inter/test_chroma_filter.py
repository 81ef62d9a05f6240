"""The filter of chroma: its inputs and what it learns from, told again in NumPy."""

import dataclasses

import numpy as np
import pytest

from codecsim.learned.inter.chroma_filter import ChromaFilter, coded_chroma
from codecsim.learned.inter.input_planes import detail, sum_of_four
from codecsim.learned.learner import LearnerInputs
from codecsim.picture.blocks import CBF_CB, CBF_CR, CBF_Y
from codecsim.picture.planes import Planes
from codecsim.tools.inter_chroma import InterChromaSettings
from tests.reference import naive_engine

HEIGHT, WIDTH = 40, 72


def naive_cues(before, after):
    """(addition, detail) of luma at half its size, sample by sample."""
    h, w = before.shape[0] // 2, before.shape[1] // 2
    sums = np.zeros((2, h, w), np.int64)
    for plane, luma in zip(sums, (before, after), strict=True):
        for y in range(h):
            for x in range(w):
                plane[y, x] = sum(int(luma[2 * y + j, 2 * x + i]) for j in range(2) for i in range(2))
    found = np.zeros((h, w), np.int64)
    for y in range(h):
        for x in range(w):
            around = [
                sums[0][min(max(y + j, 0), h - 1), min(max(x + i, 0), w - 1)]
                for j in range(-2, 3)
                for i in range(-2, 3)
            ]
            found[y, x] = (sums[0][y, x] - sum(around) // 25) >> 2
    return sums[1] - sums[0], found


def naive_filter(master, params, pred, aux, qp, bit_depth):
    scale = 1 << (bit_depth - 8)
    p, taps = pred.astype(np.int64), (2, 4, 8, 11, 14, 11, 8, 4, 2)
    padded = np.pad(p, 4, mode="edge")
    h, w = p.shape
    planes = [8 * (p - 128 * scale) // scale]
    if params.high_pass:
        blur = sum(a * b * padded[i : i + h, j : j + w] for i, a in enumerate(taps) for j, b in enumerate(taps))
        planes.append(np.clip((4096 * p - blur + 32 * scale) // (64 * scale), -8191, 8191))
    planes += [np.clip(64 // scale * (plane.astype(np.int64) - p), -8191, 8191) for plane in aux]
    if params.qp_plane:
        planes.append(np.full_like(p, 128 * (qp - 32)))
    if len(planes) % 2:
        planes.append(np.zeros_like(p))
    margin = params.spec.margin
    x = np.pad(np.stack(planes), ((0, 0), (margin, margin), (margin, margin)), mode="edge")
    shape = naive_engine.plain(len(planes), params.channels, params.hidden_layers)
    _, (y,) = naive_engine.forward(naive_engine.quantise(naive_engine.split(master, *shape)), x)
    return np.clip(p + (y + 512 // scale) // (1024 // scale), 0, (1 << bit_depth) - 1)


def inputs(pred, overlapped, luma, qp, bit_depth=8):
    """Of U and V: LearnerInputs."""
    of_luma = LearnerInputs(pred.u, {"luma": pred.y, "filtered_luma": luma, "overlapped": overlapped[0]}, qp, bit_depth)
    return of_luma, dataclasses.replace(of_luma, prediction=pred.v, aux={**of_luma.aux, "overlapped": overlapped[1]})


def material(seed, bit_depth):
    """Prediction, overlapped chroma, filtered luma and reconstructed chroma that have much in common."""
    rng = np.random.default_rng(seed)
    scale = 1 << (bit_depth - 8)
    base = np.kron(rng.integers(0, 256 * scale, (HEIGHT // 8, WIDTH // 8)), np.ones((4, 4), np.int64))
    noise = rng.integers(-6 * scale, 6 * scale, (6, *base.shape))
    u, v, over_u, over_v, rec_u, rec_v = (np.clip(base + n, 0, 256 * scale - 1).astype(np.uint16) for n in noise)
    luma = np.kron(base, np.ones((2, 2), np.int64))
    before, after = (
        np.clip(luma + rng.integers(-9 * scale, 9 * scale, luma.shape), 0, 256 * scale - 1).astype(np.uint16)
        for _ in range(2)
    )
    return Planes(before, u, v), (over_u, over_v), after, (rec_u, rec_v)


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"luma_addition": False},
        {"luma_detail": False},
        {"overlapped": False, "high_pass": False, "qp_plane": False},
    ],
    ids=str,
)
def test_prediction_equals_naive_twin(change, bit_depth):
    params, qp = InterChromaSettings(channels=8, tile_log2=4, **change), 36
    chroma = ChromaFilter(params, WIDTH, HEIGHT, bit_depth)
    units = np.full((HEIGHT // 4, WIDTH // 4), CBF_Y | CBF_CB | CBF_CR, np.uint8)
    for k in range(3):
        pred, overlapped, luma, recon = material(k, bit_depth)
        addition, outstanding = naive_cues(pred.y, luma)
        found, lesson = chroma.predict(inputs(pred, overlapped, luma, qp, bit_depth))
        for net, plane, other, filtered in zip(chroma.members, pred[1:], overlapped, found, strict=True):
            aux = [other] if params.overlapped else []
            cues = [addition] if params.luma_addition else []
            cues += [outstanding] if params.luma_detail else []
            aux += [np.clip(plane + cue, 0, (1 << bit_depth) - 1) for cue in cues]
            expected = naive_filter(net.state.weights, params, plane, aux, qp, bit_depth)
            np.testing.assert_array_equal(filtered, expected)
        chroma.learn(lesson, recon, units)
    assert (found[0] != pred.u).any()
    assert chroma.members[0].digest() != chroma.members[1].digest()


def test_cues_equal_naive_twin():
    rng = np.random.default_rng(5)
    before, after = rng.integers(0, 4096, (2, 16, 24)).astype(np.uint16)
    addition, outstanding = naive_cues(before, after)
    np.testing.assert_array_equal(sum_of_four(after) - sum_of_four(before), addition)
    np.testing.assert_array_equal(detail(sum_of_four(before)) >> 2, outstanding)


@pytest.mark.parametrize("luma_coded", [False, True])
@pytest.mark.parametrize("component", [1, 2])
def test_coded_blocks(luma_coded, component):
    units = np.random.default_rng(1).integers(0, 8, (6, 10)).astype(np.uint8)
    units[:, :4] = 0
    own = CBF_CB if component == 1 else CBF_CR
    found = coded_chroma(units, luma_coded, component)
    for y in range(3):
        for x in range(5):
            bits = [int(bit) for bit in units[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].ravel()]
            assert found[y, x] == any(bit & own or (luma_coded and bit & CBF_Y) for bit in bits)


def test_reset_forgets_both_components():
    params = InterChromaSettings(channels=8, tile_log2=4)
    chroma, fresh = (ChromaFilter(params, WIDTH, HEIGHT) for _ in range(2))
    pred, overlapped, luma, recon = material(0, 8)
    _, lesson = chroma.predict(inputs(pred, overlapped, luma, 30))
    report = chroma.learn(lesson, recon, np.full((HEIGHT // 4, WIDTH // 4), CBF_CR, np.uint8))
    assert report.trained_steps and chroma.digest() != fresh.digest()
    chroma.reset()
    assert chroma.digest() == fresh.digest()


def test_luma_helps():
    """Where chroma errs as luma does, the luma filter's addition teaches chroma in a few pictures."""
    errors = []
    for on in (False, True):
        chroma = ChromaFilter(InterChromaSettings(channels=8, tile_log2=4, luma_addition=on), WIDTH, HEIGHT)
        units = np.full((HEIGHT // 4, WIDTH // 4), CBF_CB | CBF_CR, np.uint8)
        for k in range(8):
            pred, overlapped, luma, _ = material(k, 8)
            wanted = (sum_of_four(luma) - sum_of_four(pred.y)) // 2
            recon = tuple(np.clip(plane + wanted, 0, 255).astype(np.uint16) for plane in pred[1:])
            found, lesson = chroma.predict(inputs(pred, overlapped, luma, 30))
            chroma.learn(lesson, recon, units)
        errors.append(np.abs(found[0].astype(int) - recon[0]).sum())
    assert errors[1] < 0.8 * errors[0]
