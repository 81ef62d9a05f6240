"""Seconds of the first run on a machine, when all kernels compile; of later runs of one picture; of the help.

python benchmarks/cold_start.py
"""

import argparse
import pathlib
import sys
import tempfile

import measuring

from codecsim.resources import bundled_clip

GOALS = {"encode": 1.6, "decode": 0.8, "help": 0.4}  # seconds


def main(arguments):
    """Measure and print the table; returns the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        cache = {"CODECSIM_CACHE_DIR": str(pathlib.Path(folder) / "kernels")}
        stream = pathlib.Path(folder) / "s.bin"
        encode = ["encode", bundled_clip(), "-o", stream, "--filter", "online"]
        decode = ["decode", stream, "-o", pathlib.Path(folder) / "d.y4m"]
        cold = [measuring.codecsim(*run, *extra, environment=cache) for run, extra in
                ((encode, ["--frames", 3]), (decode, []))]  # fmt: skip
        out = measuring.Report(arguments, "First and later starts")
        rows = [("first run, all kernels compile: encode and decode 3 pictures", *total(cold), 150)]
        kept = {"first run, all kernels compile": sum(run.seconds for run in cold)}
        measuring.codecsim(*encode, "--frames", 1, "--quiet", environment=cache)
        for what, run in (("encode", [*encode, "--frames", 1]), ("decode", decode)):
            runs = [measuring.codecsim(*run, "--quiet", environment=cache) for _ in range(arguments.repeat)]
            rows.append((f"later run of one picture: {what}", *total([fastest(runs)]), GOALS[what]))
            kept[f"later run of one picture, {what}"] = fastest(runs).seconds
        runs = [measuring.codecsim("--help", environment=cache) for _ in range(arguments.repeat)]
        rows.append(("codecsim --help", *total([fastest(runs)]), GOALS["help"]))
        kept["codecsim --help"] = fastest(runs).seconds
        out.table("Whole process", ("", "seconds", "of CPU", "to reach, s"), rows)
        out.keep("bundled clip, whole process", "s", "lower", kept)
        out.save()
    return 0


def fastest(runs):
    """The run that others disturbed least."""
    return min(runs, key=lambda run: run.seconds)


def total(runs):
    """Seconds and CPU seconds."""
    return f"{sum(run.seconds for run in runs):.2f}", f"{sum(run.cpu_seconds for run in runs):.2f}"


def parse(words=None):
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=measuring.positive, default=5, help="later runs; the best counts")
    measuring.output_option(parser)
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(measuring.guarded(main, parse()))
