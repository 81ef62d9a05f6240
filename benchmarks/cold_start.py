"""Seconds of the first run on a machine, when all kernels compile, and to the first picture of a later run.

python benchmarks/cold_start.py
"""

import argparse
import pathlib
import tempfile

import measuring

from codecsim.resources import bundled_clip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="later runs; the best counts")
    measuring.output_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = {"CODECSIM_CACHE_DIR": str(pathlib.Path(folder) / "kernels")}
        stream = pathlib.Path(folder) / "s.bin"
        encode = ["encode", bundled_clip(), "-o", stream, "--filter", "online"]
        decode = ["decode", stream, "-o", pathlib.Path(folder) / "d.y4m"]
        cold = [measuring.codecsim(*run, *extra, environment=cache)[1] for run, extra in
                ((encode, ["--frames", 3]), (decode, []))]  # fmt: skip
        out = measuring.Report(arguments, "First and later starts")
        first = f"{cold[0]:.0f} + {cold[1]:.0f} = {sum(cold):.0f}"
        rows = [("first run, all kernels compile: encode + decode of 3 pictures", first, 150)]
        measuring.codecsim(*encode, "--frames", 1, "--quiet", environment=cache)
        for what, run in (("encode", [*encode, "--frames", 1]), ("decode", decode)):
            runs = [measuring.codecsim(*run, "--quiet", environment=cache)[1] for _ in range(arguments.repeat)]
            rows.append((f"later run of one picture: {what}", f"{min(runs):.2f}", 2.5))
        out.table("Seconds, whole process", ("", "seconds", "to reach"), rows)


if __name__ == "__main__":
    main()
