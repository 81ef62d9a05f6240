"""Initial weights of the chroma filter, trained by the integer engine itself: what is trained is what runs.

Samples come from the codec: the inputs that the filter sees while clips are encoded at several QPs, and what the
prediction lacks to the original in inter blocks.  `python -m codecsim.training.chroma CLIP... -o FOLDER`.
"""

import itertools
import time

import click
import numpy as np

from codecsim.blocks import MODE_INTER
from codecsim.config import EncoderConfig
from codecsim.encoder import _Encoder, internal_format
from codecsim.formats.video import InputOptions, open_video
from codecsim.learned.chroma_params import ChromaParams
from codecsim.learned.chroma_stream import UNTRAINED
from codecsim.learned.engine import Loss, Optimiser, PackedWeights, TileNet
from codecsim.learned.model_files import INTER_CHROMA, Model, save_model
from codecsim.learned.prediction_filter import UNIT_LOG2
from codecsim.learned.spec import OUTPUT_BITS
from codecsim.learned.state import LearnerState
from codecsim.learned.update import ADAM, MASKED, update_average
from codecsim.learned.weights import builtin_weights
from codecsim.picture import planes_from_frame
from codecsim.structure import coding_structure

QPS = (22, 27, 32, 37)
_BASE_RATE, _WARM_UP = 2e-3, 500
_AVERAGE = np.float32(1 / 1024)


def collect(path, qp, count):
    """Samples of one encoding.

    Returns
    -------
    list of (planes, error) : (n_inputs, h, w) int16 with margin; (h, w) int16 prediction minus original, MASKED in
        intra blocks and outside the picture
    """
    config = EncoderConfig("ldp", qp, preset="fast", chroma_filter="frozen", chroma_model=UNTRAINED)
    samples = []
    with open_video(path, InputOptions(None, None, 8)) as video:
        video_format = internal_format(config, video.format)
        encoder = _Encoder(config, video_format)
        for structure, frame in coding_structure("ldp", itertools.islice(video.frames, count)):
            encoder.encode(structure, frame)
            codec = encoder._codec
            if not codec.is_inter:
                continue
            orig = planes_from_frame(frame, video_format)
            inter = np.kron(codec.blocks.pred_mode >= MODE_INTER, np.ones((2, 2), bool))
            for net, plane, source in zip(codec.chroma_filter.components, codec.pred[1:], orig[1:], strict=True):
                sample = net.state.replay[0]
                error = np.full_like(sample.error, MASKED)
                h, w = plane.shape
                error[:h, :w] = np.where(inter, plane.astype(np.int16) - source.astype(np.int16), MASKED)
                samples.append((sample.planes, error))
    return samples


def train(samples, params, steps, seed=0, report=lambda text: None):
    """(n,) float32 weights after so many steps of the engine, each on one tile: the running mean of the last ones.

    Parameters
    ----------
    samples : list, of `collect`
    params : ChromaParams
    """
    rng = np.random.default_rng(seed)
    spec, size = params.spec, 1 << params.tile_log2
    state, packed = LearnerState(builtin_weights(spec), averaging=True), PackedWeights(spec)
    net = TileNet(spec, size, size, train=True)
    loss = make_loss(params)
    started = time.perf_counter()
    for step in range(steps):
        planes, error = samples[rng.integers(len(samples))]
        y0, x0 = (int(rng.integers(n - size + 1)) for n in error.shape)
        rate = _BASE_RATE * min(1, (step + 1) / _WARM_UP) * (0.5 + 0.5 * np.cos(np.pi * step / steps)) + 1e-6
        optimiser = Optimiser(ADAM, np.array([rate, 0.9, 0.999, 1e-8], np.float32))
        net.load(planes, y0, x0)
        net.step(state, packed, error, y0, x0, loss, optimiser)
        update_average(state.average, state.master, _AVERAGE)
        if step % 10000 == 9999:
            report(f"step {step + 1} of {steps}, {time.perf_counter() - started:.0f} s")
    return state.average


def make_loss(params):
    """Loss of the online learner at 8 bits."""
    return Loss(OUTPUT_BITS - UNIT_LOG2, params.huber_bound_q4 << (OUTPUT_BITS - UNIT_LOG2 - 4))


def gain(samples, spec, weights):
    """Squared error that weights leave, as a share of that of the prediction, over whole samples."""
    packed = PackedWeights(spec)
    packed.update(weights)
    before = after = 0
    for planes, error in samples:
        h, w = error.shape
        net = TileNet(spec, h, w)
        net.load(planes, 0, 0)
        net.forward(packed)
        used = error != MASKED
        e = error[used].astype(np.float64)
        found = np.rint(net.output()[used] / 2.0 ** (OUTPUT_BITS - UNIT_LOG2))
        before += float(np.sum(e * e))
        after += float(np.sum((e + found) ** 2))
    return after / max(before, 1.0)


@click.command(help="Train on the clips CLIP... and write weights.safetensors into the folder OUT.")
@click.argument("clips", nargs=-1, required=True)
@click.option("-o", "--output", required=True, metavar="OUT")
@click.option("--validate", multiple=True, metavar="CLIP", help="Clips to report the gain on.")
@click.option("--frames", default=17, show_default=True, help="Pictures of each clip.")
@click.option("--steps", default=150000, show_default=True)
@click.option("--channels", default=16, show_default=True)
@click.option("--seed", default=0, show_default=True)
def command(clips, output, validate, frames, steps, channels, seed):
    """Collect, train, report, write."""
    params = ChromaParams(channels=channels)
    sets = {}
    for name, paths in (("training", clips), ("validation", validate)):
        sets[name] = []
        for path, qp in itertools.product(paths, QPS):
            sets[name] += collect(path, qp, frames)
        click.echo(f"{name}: {len(sets[name])} planes", err=True)
    weights = train(sets["training"], params, steps, seed, lambda text: click.echo(text, err=True))
    model = Model(INTER_CHROMA, params.spec, weights, params.inputs)
    save_model(f"{output}/weights.safetensors", model)
    click.echo(f"digest {model.digest.hex()}")
    for name, samples in sets.items():
        if samples:
            click.echo(f"{name}: {gain(samples, params.spec, weights):.4f} of the squared error is left")


if __name__ == "__main__":
    command()
