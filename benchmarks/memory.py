"""Peak memory at CIF and its growth with the length of the clip.

    python benchmarks/memory.py --short 20 --long 300

Each run is a process of its own; its peak is what the system counted (maximum resident set).
"""

import argparse
import pathlib
import sys
import tempfile

import measuring

from codecsim.codec.config import EncoderConfig

TARGET_MB = 600


def main(arguments):
    """Measure and print the table; returns the exit status."""
    EncoderConfig("ldp", arguments.qp, preset=arguments.preset)  # refuses wrong values before anything runs
    with tempfile.TemporaryDirectory() as folder:
        stream = pathlib.Path(folder) / "s.bin"
        warm = measuring.cif_clip(measuring.default_clip(arguments), folder, 3)
        out, rows = measuring.Report(arguments, "Memory at CIF"), []
        for mode in ("off", "online"):
            options = ["--filter", mode, "--qp", arguments.qp, "--preset", arguments.preset, "--quiet"]
            measuring.codecsim("encode", warm, "-o", stream, *options)  # these two compile kernels
            measuring.codecsim("decode", stream, "-o", "/dev/null", "--quiet")
            peaks = {"encode": [], "decode": []}
            for frames in (arguments.short, arguments.long):
                clip = measuring.cif_clip(measuring.default_clip(arguments), folder, frames)
                decode = ("decode", stream, "-o", "/dev/null", "--quiet")
                for run in (("encode", clip, "-o", stream, *options), decode):
                    peaks[run[0]].append(measuring.codecsim(*run).peak_bytes / 1e6)
            for what, (short, long) in peaks.items():
                rows.append((mode, what, f"{long:.0f}", f"{long - short:+.1f}"))
                of = f"CIF, {arguments.long} pictures, QP {arguments.qp}, preset {arguments.preset}"
                out.keep(of, "MB", "lower", {f"memory, {what}, filter {mode}": long})
        growth = f"growth, {arguments.short} to {arguments.long} pictures, MB"
        title = f"Maximum resident set; to reach: at most {TARGET_MB} MB, no growth"
        out.table(title, ("filter", "", "peak MB", growth), rows)
        out.save()
    return 0


def parse(words=None):
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    measuring.clip_options(parser)
    measuring.output_option(parser)
    parser.add_argument("--short", type=measuring.positive, default=20, help="pictures; enough for all buffers to fill")
    parser.add_argument("--long", type=measuring.positive, default=300)
    parser.add_argument("--qp", type=int, default=37)
    parser.add_argument("--preset", default="fast")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(measuring.guarded(main, parse()))
