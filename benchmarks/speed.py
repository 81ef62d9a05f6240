"""Pictures a second at CIF, encoder and decoder, filter off and online, one core.

    python benchmarks/speed.py
    python benchmarks/speed.py --clips FOLDER --clip NAME --frames 30 --qp 27 --qp 37

Kernels are compiled first and not counted. Reading and writing files is counted.
"""

import argparse
import pathlib
import tempfile

import measuring

TARGETS = {("off", "encode"): 1.5, ("online", "encode"): 1.0, ("off", "decode"): 20.0, ("online", "decode"): 5.0}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    measuring.clip_options(parser)
    parser.add_argument("--frames", type=int, default=17)
    parser.add_argument("--qp", type=int, action="append", help="default: 32")
    parser.add_argument("--config", default="ldp")
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--core", type=int, help="pin to this CPU core")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip = measuring.cif_clip(measuring.default_clip(arguments), folder, arguments.frames)
        print(f"{measuring.default_clip(arguments).stem} at CIF, {arguments.frames} pictures, {arguments.config}, "
              f"preset {arguments.preset}")  # fmt: skip
        print(f"{'filter':8}{'QP':>4}{'encode':>10}{'decode':>10}   pictures a second")
        for qp in arguments.qp or [32]:
            for mode in ("off", "online"):
                speeds = run(clip, pathlib.Path(folder) / "s.bin", mode, qp, arguments)
                print(f"{mode:8}{qp:4}{speeds['encode']:10.2f}{speeds['decode']:10.2f}")
        wanted = ", ".join(f"{what} {mode} {speed}" for (mode, what), speed in TARGETS.items())
        print(f"to reach: {wanted}")


def run(clip, stream, mode, qp, arguments):
    """Pictures a second of encoder and decoder; a run of two pictures first, for the kernels."""
    options = ["--filter", mode, "--qp", qp, "--config", arguments.config, "--preset", arguments.preset]
    for frames in (2, arguments.frames):
        encoded = measuring.coded("encode", clip, "-o", stream, "--frames", frames, *options, core=arguments.core)
        decoded = measuring.coded("decode", stream, "-o", stream.with_suffix(".y4m"), core=arguments.core)
    return {name: found["frames"] / found["seconds"] for name, found in (("encode", encoded), ("decode", decoded))}


if __name__ == "__main__":
    main()
