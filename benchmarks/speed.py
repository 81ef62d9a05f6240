"""Pictures a second at CIF, encoder and decoder, filter off and online, one core.

    python benchmarks/speed.py
    python benchmarks/speed.py --clips FOLDER --clip NAME --frames 30 --qp 27 --qp 37

Kernels are compiled first and not counted. Reading and writing files is counted.
"""

import argparse
import pathlib
import tempfile

import measuring

WHAT = ("encode", "decode")
TARGETS = {("off", "encode"): 1.5, ("online", "encode"): 1.0, ("off", "decode"): 20.0, ("online", "decode"): 5.0}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    measuring.clip_options(parser)
    measuring.output_option(parser)
    parser.add_argument("--frames", type=int, default=17)
    parser.add_argument("--qp", type=int, action="append", help="default: 32")
    parser.add_argument("--config", default="ldp")
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--repeat", type=int, default=3, help="runs of the decoder; the best counts")
    parser.add_argument("--core", type=int, help="pin to this CPU core")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = measuring.default_clip(arguments)
        clip = measuring.cif_clip(source, folder, arguments.frames)
        out = measuring.Report(arguments, "Pictures a second at CIF, one core")
        rows = []
        for qp in arguments.qp or [32]:
            for mode in ("off", "online"):
                speeds = run(clip, pathlib.Path(folder) / "s.bin", mode, qp, arguments)
                rows.append((mode, qp, *(f"{speeds[what]:.2f} ({TARGETS[mode, what]})" for what in WHAT)))
        title = f"{source.stem} at CIF, {arguments.frames} pictures, {arguments.config}, preset {arguments.preset}"
        out.table(f"{title}; in brackets: to reach", ("filter", "QP", *WHAT), rows)


def run(clip, stream, mode, qp, arguments):
    """Pictures a second of encoder and decoder; a run of three pictures first, for the kernels."""
    options = ["--filter", mode, "--qp", qp, "--config", arguments.config, "--preset", arguments.preset]
    for frames in (3, arguments.frames):
        encoded = measuring.coded("encode", clip, "-o", stream, "--frames", frames, *options, core=arguments.core)
        decoding = ("decode", stream, "-o", stream.with_suffix(".y4m"))
        decoded = [measuring.coded(*decoding, core=arguments.core) for _ in range(arguments.repeat)]
    found = {"encode": [encoded], "decode": decoded}
    return {what: max(run["frames"] / run["seconds"] for run in runs) for what, runs in found.items()}


if __name__ == "__main__":
    main()
