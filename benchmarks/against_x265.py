"""Encoding time beside x265's, on one core, in one session: CPU seconds, bits and PSNR of both.

    python benchmarks/against_x265.py
    python benchmarks/against_x265.py --clips FOLDER --clip carphone_qcif --frames 33 --qp 22 27 32 37 --core 1

The clip is brought to CIF. Runs of the two alternate and the best time of each counts. Ours is the loop over pictures,
reading and writing included, with kernels loaded; x265's is its whole process. x265's --qp sets its P pictures, and
its first picture gets a lower one; our base QP is that of the first picture, and P pictures get more. At the same
number x265 therefore codes at a higher quality, which takes longer: the time for the same luma PSNR is the fair figure.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

import history
import measuring

from codecsim.codec.config import PRESETS, EncoderConfig
from codecsim.errors import ConfigError
from codecsim.experiments.bdrate import bd_rate
from codecsim.experiments.compare import coded_bits
from codecsim.experiments.curves import Curve, compare_curves
from codecsim.experiments.runs import PLANES, encode_video
from codecsim.experiments.warming import warm
from codecsim.formats.video import open_video
from codecsim.picture.metrics import frame_psnr

X265 = ["--preset", "veryslow", "--tune", "psnr", "--pools", "1", "--frame-threads", "1", "--no-wpp", "--no-info"]
X265 += ["--bframes", "0", "--keyint", "-1", "--no-scenecut"]
HERE = frozenset({"this machine"})


def main(arguments):
    """Measure and print the table; returns the exit status."""
    if shutil.which(arguments.x265) is None:
        raise ConfigError(f"{arguments.x265}: not installed; install x265, or say where it is with --x265 PATH")
    for qp in arguments.qp:
        EncoderConfig("ldp", qp)  # refuses what is none
        if not 0 <= qp + arguments.x265_offset <= 51:
            raise ConfigError(f"x265's QP is {qp + arguments.x265_offset}; expected 0..51")
    if arguments.core is not None:
        os.sched_setaffinity(0, {arguments.core})
    with tempfile.TemporaryDirectory(prefix="codecsim-") as folder:
        source = measuring.default_clip(arguments)
        clip = measuring.cif_clip(source, folder, arguments.frames)
        pairs = [measure(clip, qp, arguments) for qp in arguments.qp]
    report = measuring.Report(arguments, "Encoding time beside x265's, one core")
    report.say("", f"x265 {version(arguments.x265)}: `--qp N {' '.join(X265)}`.", "Ours: filter off, without hashes.")
    rows = []
    for qp, (ours, theirs) in zip(arguments.qp, pairs, strict=True):
        ratio = f"{ours['seconds'] / theirs['seconds']:.2f}"
        rows.append((f"ours --qp {qp}", *described(ours), ratio))
        rows.append((f"x265 --qp {qp + arguments.x265_offset}", *described(theirs), None))
    title = f"**{source.stem} at CIF, {arguments.frames} pictures, ldp, preset {arguments.preset}**"
    columns = ("encoder", "QP of I", "of P", "bits", *(f"PSNR {p.upper()}" for p in PLANES), "CPU s", "ours / x265")
    report.table(title, columns, rows)
    of = f"{source.stem} at CIF, {arguments.frames} pictures, ldp, preset {arguments.preset}"
    summarise(report, clip, of, arguments.qp, *zip(*pairs, strict=True))
    report.save()
    return 0


def summarise(report, clip, of, qps, ours, theirs):
    """Say, and keep, what all QPs together mean: bits and time for the same quality; `of`: what was coded."""
    curves = (Curve(tuple(qps), tuple(p | {"input": clip.name} for p in points), (), HERE) for points in (theirs, ours))
    row = compare_curves(clip.stem, *curves)
    percents = [f"{plane.upper()} {value:+.2f} %" for plane, value in row.bd_rate.items() if value is not None]
    if percents:
        report.say("", f"Bits for the same PSNR, ours against x265 (BD-rate): {', '.join(percents)}.")
    if row.encoder_time:
        report.say("", f"CPU time, mean over the QPs as given: {row.encoder_time:.2f} x.")
    # the same integral as that of BD-rate, of time in place of bits
    times = bd_rate(*([(p["seconds"], p["psnr_y"]) for p in points] for points in (theirs, ours)))
    if times.percent is not None:
        report.say("", f"CPU time for the same luma PSNR: {1 + times.percent / 100:.2f} x.")
        report.keep(of, "x CPU time", "lower", {"x265 veryslow, time at the same PSNR": 1 + times.percent / 100})
    report.keep(of, history.BD_RATE, "lower", {"x265 veryslow, rate, Y": row.bd_rate.get("y")})
    warnings = dict.fromkeys((*row.warnings, *(f"time: {text}" for text in times.warnings)))
    report.say("", *(f"- {text}" for text in warnings))


def measure(clip, qp, arguments):
    """Results of both encoders at a QP, each with the best CPU time of its runs as `seconds`."""
    config = EncoderConfig("ldp", qp, preset=arguments.preset, filter="off")
    warm(config)
    stream, other = clip.with_suffix(".bin"), clip.with_suffix(".hevc")
    command = [arguments.x265, "--input", clip, "--output", other, "--qp", qp + arguments.x265_offset, *X265]
    ours, theirs = [], []
    for _ in range(arguments.repeat):
        with open_video(clip) as video:
            ours.append(encode_video(video, config, stream))
        theirs.append(measuring.run(command, stderr=subprocess.STDOUT))
    result = ours[-1] | {"seconds": min(result["cpu_seconds"] for result in ours)}
    result |= {f"qp_{kind}": mean_qp(result["pictures"], kind) for kind in "IP"}
    return result, x265_result(clip, other, theirs)


def mean_qp(pictures, kind):
    """Mean QP of the pictures of a slice type, None where there are none."""
    found = [picture["qp"] for picture in pictures if picture["type"] == kind]
    return sum(found) / len(found) if found else None


def x265_result(clip, stream, runs):
    """What our own results say, of a stream of x265 and the runs that made it."""
    with open_video(clip) as video, open_video(stream) as decoded:
        pairs = zip(video.frames, decoded.frames, strict=True)
        psnr = [frame_psnr(frame, recon, video.format.bit_depth) for frame, recon in pairs]
        result = {"width": video.format.width, "height": video.format.height, "frames": len(psnr)}
    for index, plane in enumerate(PLANES):
        result[f"psnr_{plane}"] = sum(values[index] for values in psnr) / len(psnr)
    said = dict(re.findall(r"frame ([IP]): .*Avg QP:([\d.]+)", runs[-1].output))
    result |= {f"qp_{kind}": float(said[kind]) if kind in said else None for kind in "IP"}
    seconds = min(run.cpu_seconds for run in runs)
    return result | {"input": clip.name, "bits": 8 * stream.stat().st_size, "seconds": seconds}


def described(result):
    """Cells of a row of the table: QPs, bits, PSNR, time."""
    qps = (result[f"qp_{kind}"] for kind in "IP")
    psnr = (f"{result[f'psnr_{plane}']:.2f}" for plane in PLANES)
    return (*(None if qp is None else f"{qp:.2f}" for qp in qps), coded_bits(result), *psnr, f"{result['seconds']:.2f}")


def version(program):
    """What x265 says it is."""
    output = measuring.run([program, "--version"], stderr=subprocess.STDOUT).output
    return re.search(r"version (\S+)", output)[1]


def parse(words=None):
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    measuring.clip_options(parser)
    measuring.output_option(parser)
    parser.add_argument("--frames", type=measuring.positive, default=33)
    parser.add_argument("--qp", type=int, nargs="+", default=[27, 32, 37], help="ours; default: 27 32 37")
    parser.add_argument("--x265-offset", type=int, default=0, metavar="N", help="x265 gets our QP plus N; default: 0")
    parser.add_argument("--preset", choices=list(PRESETS), default="medium")
    parser.add_argument(
        "--repeat", type=measuring.positive, default=3, help="runs of each; the best counts; default: %(default)s"
    )
    measuring.core_option(parser)
    parser.add_argument("--x265", default="x265", metavar="PATH", help="the program")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(measuring.guarded(main, parse()))
