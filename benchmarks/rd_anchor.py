"""BD-rate of this codec against rate-distortion points of another one, and of the learning filter against none.

    python benchmarks/rd_anchor.py --anchors rd_points.csv --clips FOLDER -j 2
    python benchmarks/rd_anchor.py --anchors rd_points.csv --clips FOLDER --config ldp --filter off --filter online
    python benchmarks/rd_anchor.py --anchors rd_points.csv --clips FOLDER --filter online --learn epochs_q2=4

The CSV has the columns clip, width, height, fps, frames, codec, config, qp, bits, kbps, psnr_y, psnr_u, psnr_v (mean
over pictures), seconds. Each of its points is coded here at the same QP with the same number of pictures. The rate is
that of the file without the hashes, which the anchors do not carry. Results are kept as JSON; those of the same
sources and settings are not coded again.
"""

import argparse
import concurrent.futures
import csv
import hashlib
import json
import pathlib
import sys

import measuring

import codecsim
from codecsim.experiments.bdrate import bd_rate
from codecsim.experiments.compare import coded_bits

PLANES = ("y", "u", "v")
NOT_CODING = ("cli", "experiments", "training", "formats")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anchors", required=True, help="CSV file")
    parser.add_argument("--clips", required=True, help="folder with the clips that the CSV names")
    parser.add_argument("--codec", default="hm16", help="of the CSV; the anchor")
    parser.add_argument("--config", action="append", choices=["ai", "ldp"], help="default: both")
    parser.add_argument("--filter", action="append", choices=["off", "frozen", "online"], help="default: off")
    parser.add_argument("--clip", action="append", help="only these; default: all of the CSV")
    parser.add_argument("--preset", default="medium")
    parser.add_argument("--learn", action="append", default=[], metavar="NAME=VALUE", help="field of LearnParams")
    measuring.output_option(parser)
    parser.add_argument("--results", default="build/rd", help="folder of kept results")
    parser.add_argument("--any-sources", action="store_true", help="use kept results of other sources too")
    parser.add_argument("-j", "--jobs", type=int, default=1, help="processes at a time")
    arguments = parser.parse_args()
    points = read_points(arguments)
    filters = arguments.filter or ["off"]
    jobs = [(point, mode) for point in points for mode in modes(point["config"], filters)]
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        results = dict(zip(map(key_of, jobs), pool.map(lambda job: run(*job, arguments), jobs), strict=True))
    out = measuring.Report(arguments, "Rate and distortion")
    preset = f"preset {arguments.preset}"
    for config in sorted({point["config"] for point in points}):
        chosen = [point for point in points if point["config"] == config]
        used = modes(config, filters)
        for mode in used:
            settings = ", ".join([preset, *(arguments.learn if mode != "off" else [])])
            report(out, f"{config}, filter {mode}, against {arguments.codec} ({settings})", chosen, results, mode)
            if mode != "off" and "off" in used:
                report(out, f"{config}, filter {mode} against off ({settings})", chosen, results, mode, "off")


def modes(config, filters):
    """Those of the filter modes that make a difference: all-intra streams have no filter."""
    return ["off"] if config == "ai" else filters


def read_points(arguments):
    """The anchor's rows as dicts, without those that were not asked for."""
    with open(arguments.anchors, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["codec"] == arguments.codec]
    configs = arguments.config or ["ai", "ldp"]
    rows = [row for row in rows if row["config"] in configs and row["clip"] in (arguments.clip or [row["clip"]])]
    if not rows:
        raise SystemExit(f"{arguments.anchors}: no points of {arguments.codec} for these clips and configurations")
    return rows


def key_of(job):
    """What tells a result from the others."""
    point, mode = job
    return point["clip"], point["config"], point["qp"], mode


def sources_digest():
    """Digest of the sources that decide what is coded."""
    package = pathlib.Path(codecsim.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] not in NOT_CODING:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def run(point, mode, arguments):
    """Result of coding one point, from the kept ones if it is there."""
    folder = pathlib.Path(arguments.results)
    folder.mkdir(parents=True, exist_ok=True)
    learn = arguments.learn if mode != "off" else []
    name = "_".join([*key_of((point, mode)), arguments.preset, point["frames"], *learn])
    path = folder / f"{name}.json"
    if path.exists():
        result = json.loads(path.read_text())
        if arguments.any_sources or result.get("sources") == sources_digest():
            return result
    options = ["--config", point["config"], "--qp", point["qp"], "--frames", point["frames"]]
    options += ["--filter", mode, "--preset", arguments.preset]
    options += [word for setting in learn for word in ("--learner", setting)]
    stream = folder / f"{name}.bin"
    result = measuring.coded("encode", measuring.find_clip(arguments.clips, point["clip"]), "-o", stream, *options)
    stream.unlink()
    path.write_text(json.dumps(result | {"sources": sources_digest()}))
    done = f"{name}: {result['bits']} bits, {result['psnr_y']:.2f} dB, {result['seconds']:.1f} s"
    print(done, file=sys.stderr, flush=True)
    return result


def report(out, title, points, results, mode, against=None):
    """Table of BD-rate per clip and its mean; `against` a filter mode of ours, or None for the anchor of the CSV."""
    rows, warnings = [], []
    for clip in dict.fromkeys(point["clip"] for point in points):
        own = [point for point in points if point["clip"] == clip]
        tests = [results[key_of((point, mode))] for point in own]
        anchors = [results[key_of((point, against))] for point in own] if against else list(map(numbers, own))
        percents, found = zip(*(percent(anchors, tests, plane) for plane in PLANES), strict=True)
        rows.append((clip, *percents, *costs(tests), speed(tests)))
        warnings += [f"- {clip}: {text}" for texts in found for text in texts]
    columns = list(zip(*rows, strict=True))[1:]
    rows.append(("mean", *(None if None in column else sum(column) / len(column) for column in columns)))
    shown = [(name, *(None if value is None else f"{value:.2f}" for value in values)) for name, *values in rows]
    names = ("clip", *(f"BD-rate {plane.upper()} %" for plane in PLANES), "kMAC/px", "of training", "pictures/s")
    out.table(f"**{title}**; negative is better; bits without hashes", names, shown)
    if warnings:
        out.say("", *warnings)


def numbers(point):
    """A row of the CSV with numbers."""
    return {name: float(point[name]) for name in ("bits", *(f"psnr_{plane}" for plane in PLANES))}


def percent(anchors, tests, plane):
    """BD-rate of one plane, and warnings."""
    result = bd_rate(*([(coded_bits(p), p[f"psnr_{plane}"]) for p in points] for points in (anchors, tests)))
    return result.percent, [f"{plane.upper()}: {text}" for text in result.warnings]


def costs(tests):
    """kMAC a pixel of the filter and of its training, mean over the points."""
    found = [test.get("kmac_per_pixel", {"inference": 0.0, "training": 0.0}) for test in tests]
    return [sum(test[name] for test in found) / len(found) for name in ("inference", "training")]


def speed(tests):
    """Pictures a second over all points; other processes may have run beside them."""
    return sum(test["frames"] for test in tests) / sum(test["seconds"] for test in tests)


if __name__ == "__main__":
    main()
