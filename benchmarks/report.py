"""`codecsim report` for many runs: seconds and size of the page, against 10 s and 6 MB for 200 runs.

    python benchmarks/report.py
    python benchmarks/report.py --runs 400 --frames 100 --page report.html

The bundled clip is coded by every arm at four QPs. Its results are kept once more under other names of clips until
there are enough runs, each time with other bits; so the page is as large as that of as many clips. The time is that of
the command in a fresh process.
"""

import argparse
import itertools
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile

import measuring

from codecsim.experiments.arms import read_arms
from codecsim.experiments.clips import Clip, find_clips
from codecsim.experiments.database import Cell, Database, Experiment, sources_digest
from codecsim.experiments.machine import processor, software
from codecsim.experiments.runs import encode_video
from codecsim.experiments.work import Done
from codecsim.formats.video import open_video

ARMS = (
    "off: --filter off",
    "frozen: --filter frozen",
    "online: --set inter_luma.experts=online",
    "threshold: --set inter_luma.experts=online --set inter_luma.control=threshold",
    "all: --filter online --obmc --chroma-filter online",
)
QPS = (22, 27, 32, 37)
SECONDS, MEGABYTES = 10, 6  # to be reached for 200 runs
NOISE = 0.03  # by which bits differ between copies


def main(arguments):
    """Measure and print the table; returns the exit status."""
    report = measuring.Report(arguments, "Report")
    with tempfile.TemporaryDirectory() as folder:
        path, page = pathlib.Path(folder) / "runs.sqlite", pathlib.Path(folder) / "runs.html"
        keep_runs(path, arguments)
        run = measuring.codecsim("report", path, "--output", page, "--json")
        found, size = json.loads(run.output), page.stat().st_size / 1e6
        if arguments.page:
            shutil.copyfile(page, arguments.page)
    columns = ("runs", "pictures a run", "seconds", "CPU seconds", "MB", f"within {SECONDS} s and {MEGABYTES} MB")
    reached = "yes" if run.seconds <= SECONDS and size <= MEGABYTES else "no"
    figures = (f"{run.seconds:.1f}", f"{run.cpu_seconds:.1f}", f"{size:.2f}")
    report.table("`codecsim report`", columns, [(found["runs"], arguments.frames, *figures, reached)])
    of = f"{found['runs']} runs of {arguments.frames} pictures"
    report.keep(of, "s", "lower", {"report, CPU time": run.cpu_seconds})
    report.keep(of, "MB", "lower", {"report, size of the page": size})
    report.save()
    return 0 if reached == "yes" else 1


def keep_runs(path, arguments):
    """Make a database of an experiment with as many runs as asked for."""
    (clip,) = find_clips(None)
    arms, sources, cells = read_arms(ARMS), sources_digest(), []
    results = {}
    for arm, qp in itertools.product(arms, QPS):
        config = arm.encoder_config("ldp", qp, arguments.frames)
        print(f"coding {arm.name} at QP {qp}", file=sys.stderr)
        with open_video(clip.path) as video:
            results[arm.name, qp] = config, encode_video(video, config, os.devnull)
    with Database(path) as kept:
        kept.add_version(sources)
        for count in range(arguments.runs):
            (arm, qp), (config, result) = list(results.items())[count % len(results)]
            name = f"{clip.name}_{count // len(results)}"
            key = f"{name} {arm} {qp}"
            copy = Clip(name, clip.path, name, clip.width, clip.height, clip.frames)
            done = Done(_varied(result, key), 1.0, 2.0, processor(), software())
            kept.add(key, copy, config, sources, done)
            cells.append(Cell(arm, config.config, name, name, qp, arguments.frames, key))
        options = {arm.name: arm.options for arm in arms}
        kept.add_experiment(Experiment("copies", "", arms[0].name, options, tuple(cells), sources))


def _varied(result, key):
    """A result with other bits and qualities in each picture, the same for the same key."""
    rng, pictures = random.Random(key), []
    for picture in result["pictures"]:
        factor = 1 + rng.uniform(-NOISE, NOISE)
        parts = {name: round(bits * factor) for name, bits in picture["parts"].items()}
        qualities = {name: picture[name] + rng.uniform(-NOISE, NOISE) for name in ("psnr_y", "psnr_u", "psnr_v")}
        pictures.append(picture | qualities | {"parts": parts, "bits": sum(parts.values())})
    means = {name: sum(picture[name] for picture in pictures) / len(pictures) for name in qualities}
    return result | means | {"pictures": pictures, "bits": sum(picture["bits"] for picture in pictures)}


def parse(words=None):
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=measuring.positive, default=200, help="default: %(default)s")
    parser.add_argument("--frames", type=measuring.positive, default=33, help="pictures a run; default: %(default)s")
    parser.add_argument("--page", metavar="FILE.html", help="keep the page")
    measuring.output_option(parser)
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(measuring.guarded(main, parse()))
