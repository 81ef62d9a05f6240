"""Pictures a second at CIF, encoder and decoder, filter off and online, one core.

    python benchmarks/speed.py
    python benchmarks/speed.py --clips FOLDER --clip NAME --frames 30 --qp 27 --qp 37

Kernels are compiled first and not counted. Reading and writing files is counted. On a busy machine the rate by CPU time
is the one that says something.
"""

import argparse
import json
import pathlib
import sys
import tempfile

import measuring

from codecsim.codec.config import EncoderConfig
from codecsim.errors import ConfigError

SHORT = 3  # pictures of a run for comparison
TARGETS = {("off", "encode"): 1.5, ("online", "encode"): 1.0, ("off", "decode"): 20.0, ("online", "decode"): 5.0}


def main(arguments):
    """Measure and print the table; returns the exit status."""
    for qp in arguments.qp or [32]:
        EncoderConfig(arguments.config, qp, preset=arguments.preset)  # refuses wrong values before anything runs
    if arguments.frames <= SHORT:
        raise ConfigError(f"--frames {arguments.frames}: expected more than {SHORT}, which the start is told from")
    with tempfile.TemporaryDirectory() as folder:
        source = measuring.default_clip(arguments)
        clip = measuring.cif_clip(source, folder, arguments.frames)
        out = measuring.Report(arguments, "Pictures a second at CIF, one core")
        rows = []
        for qp in arguments.qp or [32]:
            for mode in ("off", "online"):
                speeds = run(clip, pathlib.Path(folder) / "s.bin", mode, qp, arguments)
                figures = []
                for what in ("encode", "decode"):
                    figures += speeds[what], speeds[what + "_cpu"], TARGETS[mode, what]
                rows.append((mode, qp, *(figure and f"{figure:.1f}" for figure in figures)))
                names = {"encode": "encoding", "decode": "decoding"}
                names |= {f"{what}_cpu": f"{name} by CPU time" for what, name in names.items()}
                kept = {f"speed, {names[what]}, filter {mode}": rate for what, rate in speeds.items()}
                out.keep(f"{what_was_coded(source, arguments)}, QP {qp}", "pictures/s", "higher", kept)
        title = what_was_coded(source, arguments)
        columns = ("filter", "QP", "encode", "by CPU time", "to reach", "decode", "by CPU time", "to reach")
        out.table(title, columns, rows)
        out.save()
    return 0


def what_was_coded(source, arguments):
    """Clip and settings that all rows share."""
    return f"{source.stem} at CIF, {arguments.frames} pictures, {arguments.config}, preset {arguments.preset}"


def parse(words=None):
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    measuring.clip_options(parser)
    measuring.output_option(parser)
    parser.add_argument("--frames", type=measuring.positive, default=33)
    parser.add_argument("--qp", type=int, action="append", help="default: 32")
    parser.add_argument("--config", default="ldp")
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--repeat", type=measuring.positive, default=3, help="runs of the decoder; the best counts")
    measuring.core_option(parser)
    return parser.parse_args(words)


def run(clip, stream, mode, qp, arguments):
    """Pictures a second of encoder and decoder, the time to load kernels included, and by CPU time.

    By CPU time: what more pictures than `SHORT` take more of it, so that the start does not count; None where they are
    too few to take more.
    """
    options = ["--filter", mode, "--qp", qp, "--config", arguments.config, "--preset", arguments.preset]
    decode = ("decode", stream, "-o", stream.with_suffix(".y4m"), "--json", "--quiet")
    encoded, decoded = [], []
    for frames in (SHORT, SHORT, arguments.frames):  # the first run may compile kernels
        encode = ("encode", clip, "-o", stream, "--frames", frames, *options, "--json", "--quiet")
        encoded.append(measuring.codecsim(*encode, core=arguments.core))
        decoded.append([measuring.codecsim(*decode, core=arguments.core) for _ in range(arguments.repeat)])
    cpu = [min(run.cpu_seconds for run in runs) for runs in decoded]
    return {
        "encode": arguments.frames / seconds(encoded[-1]),
        "encode_cpu": further_rate(arguments.frames, encoded[-2].cpu_seconds, encoded[-1].cpu_seconds),
        "decode": arguments.frames / min(map(seconds, decoded[-1])),
        "decode_cpu": further_rate(arguments.frames, cpu[-2], cpu[-1]),
    }


def further_rate(frames, short, long):
    """Pictures a second beyond `SHORT`, from the times for so many and for `frames`; None if those took no longer."""
    return (frames - SHORT) / (long - short) if long > short else None


def seconds(run):
    """Time of the whole loop over pictures."""
    return json.loads(run.output)["seconds"]


if __name__ == "__main__":
    sys.exit(measuring.guarded(main, parse()))
