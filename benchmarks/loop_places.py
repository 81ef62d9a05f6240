"""Where attention stands in the in-loop filter: one short training for each place, measured on other material.

    codecsim train loop-samples CLIPS PHOTOS -o samples && codecsim train loop-samples OTHERS -o others
    python -m benchmarks loop-places samples --validation others

All have the same data, seed and steps; the gates differ in number, so `all` has a few more parameters.  A short
training ranks what is learned first and says little about the end; give more `--steps` and `--seed`s for that.
"""

import argparse
import dataclasses
import pathlib
import sys
from types import MappingProxyType

import measuring
import numpy as np

from codecsim.learned.loop.spec import ATTENTIONS, BACKBONES, LoopSpec

SETTINGS = MappingProxyType({"muon_rate": 0.02, "chroma_weights": (0.08, 0.3)})  # what gets on fast


def parse(words=None):
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", help="folder that `codecsim train loop-samples` has written")
    parser.add_argument("--validation", required=True, help="the same of other material")
    parser.add_argument("--steps", type=measuring.positive, default=1500, help="of each training; default: 1500")
    parser.add_argument("--seed", type=int, nargs="+", default=[0], help="trainings of each place; default: 0")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--backbone", choices=BACKBONES, default=BACKBONES[0])
    parser.add_argument("--work", help="folder where interrupted trainings go on")
    measuring.output_option(parser)
    return parser.parse_args(words)


def mean_gains(gains, config):
    """(3,) mean gain in dB of luma, Cb and Cr over the QPs of a configuration, or None where it has none.

    gains : dict of "<config> <QP>" to the gains, as `training.loop.gains_by_encoding` gives them
    """
    found = [values for key, values in gains.items() if key.split()[0] == config]
    return np.mean(found, 0) if found else None


def train_place(arguments, place, seed, note):
    """Gains on the validation samples of a network with attention at a place, and its LoopSpec."""
    from codecsim.training.loop import LoopTraining, train_loop

    spec = LoopSpec(arguments.channels, arguments.blocks, arguments.backbone, place)
    work = arguments.work and pathlib.Path(arguments.work) / f"{place}_{seed}"
    training = LoopTraining(steps=arguments.steps, seed=seed, **SETTINGS)
    _, found = train_loop(spec, arguments.samples, training, arguments.validation, work, report=note)
    return found["gains"], spec


def main(arguments):
    """Train all and print the table; returns the exit status."""
    report = measuring.Report(arguments, "Places of attention in the in-loop filter")
    rows, configs = [], set()
    for place in ATTENTIONS:
        for seed in arguments.seed:
            gains, spec = train_place(
                arguments, place, seed, lambda line, name=f"{place} {seed}": print(name, line, file=sys.stderr)
            )
            configs |= {key.split()[0] for key in gains}
            rows.append((place, seed, spec, gains))
    configs = sorted(configs)
    columns = ["place", "seed", "parameters", *(f"{config}, {p}" for config in configs for p in ("Y", "Cb", "Cr"))]
    cells = [
        (place, seed, spec.n_weights, *(f"{gain:+.3f}" for config in configs for gain in mean_gains(gains, config)))
        for place, seed, spec, gains in rows
    ]
    report.table("**Gain in dB, filter on everywhere, outside the loop; mean over the QPs**", columns, cells)
    shape = dataclasses.asdict(rows[0][2]) | {"attention": "as the table says"}
    report.say("", f"{shape}, {rows[0][2].macs / 1000:.1f} kMAC a luma sample, {arguments.steps} steps each.")
    keep_gains(report, arguments, configs, rows)
    report.save()
    return 0


def keep_gains(report, arguments, configs, rows):
    """Keep the luma gains; `rows`: place, seed, LoopSpec and gains of each training."""
    for place, seed, spec, gains in rows:
        net = f"{spec.blocks} {spec.backbone} blocks of {spec.channels} channels"
        of = f"{net}, {arguments.steps} steps, seed {seed}"
        kept = {f"loop places, {place}, {config}, Y": float(mean_gains(gains, config)[0]) for config in configs}
        report.keep(of, "dB", "higher", kept)


if __name__ == "__main__":
    sys.exit(measuring.guarded(main, parse()))
