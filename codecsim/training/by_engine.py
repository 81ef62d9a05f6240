"""Training of inter prediction filters by the integer engine itself: what is trained is what runs.

Samples come from the codec: the inputs that a filter sees while clips are encoded at several QPs, and what the
prediction lacks to the original in inter blocks.
"""

import itertools
import pathlib
import time

import click
import numpy as np

from codecsim.blocks import MODE_INTER
from codecsim.encoder import Encoder, internal_format
from codecsim.formats.video import InputOptions, open_video
from codecsim.learned.engine import Loss, Optimiser, PackedWeights, TileNet
from codecsim.learned.model_files import Model, save_model
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


def collect(path, config, count, learners):
    """Samples of one encoding, whose filters must add nothing and keep their inputs.

    Parameters
    ----------
    path : of a clip; the first `count` pictures of it are encoded
    config : EncoderConfig
    learners : called with the PictureCodec; returns the LearnerState of each filter, and the index of its component

    Yields
    ------
    planes, error : (n_inputs, h, w) int16 with margin; (h, w) int16 prediction minus original, MASKED in intra blocks
        and outside the picture
    """
    with open_video(path, InputOptions(None, None, 8)) as video:
        video_format = internal_format(config, video.format)
        encoder = Encoder(config, video_format)
        for structure, frame in coding_structure(config.config, itertools.islice(video.frames, count)):
            encoder.encode(structure, frame)
            codec = encoder.codec
            if not codec.is_inter:
                continue
            orig = planes_from_frame(frame, video_format)
            for state, c_idx in learners(codec):
                sample, plane = state.replay[0], codec.pred[c_idx]
                h, w = plane.shape
                unit = h // codec.blocks.pred_mode.shape[0]
                inter = np.kron(codec.blocks.pred_mode >= MODE_INTER, np.ones((unit, unit), bool))
                error = np.full_like(sample.error, MASKED)
                difference = plane.astype(np.int16) - orig[c_idx].astype(np.int16)
                error[:h, :w] = np.where(inter, difference, MASKED)
                yield sample.planes, error


class SampleFile:
    """Samples in one file, mapped into memory: a sequence of what `collect` yields.

    Parameters
    ----------
    path : of the file, which is written anew
    samples : iterable of (planes, error), int16
    """

    def __init__(self, path, samples):
        self._shapes = []
        path, at = pathlib.Path(path), 0
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for planes, error in samples:
                self._shapes.append((at, planes.shape, error.shape))
                for array in (planes, error):
                    np.ascontiguousarray(array, np.int16).tofile(file)
                at += planes.size + error.size
        self._data = np.memmap(path, np.int16, "r") if self._shapes else None

    def __len__(self):
        return len(self._shapes)

    def __getitem__(self, index):
        at, planes, error = self._shapes[index]
        middle = at + int(np.prod(planes))
        end = middle + int(np.prod(error))
        return self._data[at:middle].reshape(planes), self._data[middle:end].reshape(error)


def train(samples, params, steps, seed=0, report=lambda text: None):
    """(n,) float32 weights after so many steps of the engine, each on one tile: the running mean of the last ones.

    Parameters
    ----------
    samples : sequence of (planes, error)
    params : LearnParams or ChromaParams
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


def make_command(kind, samples_of, params_of):
    """The command line of the training of a kind of model.

    Parameters
    ----------
    kind : str, of model_files
    samples_of : called with path of a clip, QP, number of pictures; an iterable of samples
    params_of : called with the number of channels; LearnParams or ChromaParams
    """

    @click.command(
        help="Train on CLIPS by the integer engine, without torch. The folder OUT gets weights.safetensors, and the "
        "samples, which may be deleted then."
    )
    @click.argument("clips", nargs=-1, required=True)
    @click.option("-o", "--output", required=True, metavar="OUT")
    @click.option("--validate", multiple=True, metavar="CLIP", help="Clips to report the gain on.")
    @click.option("--frames", default=17, show_default=True, help="Pictures of each clip.")
    @click.option("--steps", default=150000, show_default=True)
    @click.option("--channels", default=16, show_default=True)
    @click.option("--seed", default=0, show_default=True)
    def command(clips, output, validate, frames, steps, channels, seed):
        """Collect, train, report, write."""
        params, sets = params_of(channels), {}
        for name, paths in (("training", clips), ("validation", validate)):
            every = (samples_of(path, qp, frames) for path, qp in itertools.product(paths, QPS))
            sets[name] = SampleFile(f"{output}/{name}.samples", itertools.chain.from_iterable(every))
            click.echo(f"{name}: {len(sets[name])} planes", err=True)
        weights = train(sets["training"], params, steps, seed, lambda text: click.echo(text, err=True))
        model = Model(kind, params.spec, weights, params.inputs)
        save_model(f"{output}/weights.safetensors", model)
        click.echo(f"digest {model.digest.hex()}")
        for name, samples in sets.items():
            if len(samples):
                click.echo(f"{name}: {gain(samples, params.spec, weights):.4f} of the squared error is left")

    return command
