"""A scene cut must not make a learner lose: pairs of clips, one behind the other, coded with it and without.

    python benchmarks/scene_cut.py --clips FOLDER
    python benchmarks/scene_cut.py --clips FOLDER --clip aspen_960x536 --clip vtest_384x288_ds2 --size 352x240 \\
        --frames 10 --arm "reset: --set inter_luma.reset=auto" --arm "signalled: --set inter_luma.control=signalled"

Each clip is followed by the next one, and the last by the first; of each, as many pictures are taken, from the middle
of the frame. Runs are kept and found again as by rd.py. The exit status is 1 if a pair loses more than the limit.
"""

import argparse
import itertools
import pathlib
import sys
import tempfile

import history
import measuring
from rd import DEFAULT_QPS, campaign_options, report_failures

from codecsim.errors import ConfigError
from codecsim.experiments.arms import read_arms
from codecsim.experiments.clips import find_clips, read_clip
from codecsim.experiments.curves import compare_curves, find_curve
from codecsim.experiments.database import Database, sources_digest
from codecsim.experiments.jobs import Job, run_all
from codecsim.experiments.tables import RATE_NOTE
from codecsim.formats.video import create_video, open_video
from codecsim.picture.planes import Frame, VideoFormat

LIMIT = 0.3  # percent of rate that no pair may lose, luma, against the filter off
OFF = "off: --filter off"


def parse(words=None):
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", help="folder with clips", required=True)
    parser.add_argument("--clip", action="append", help="name of a clip, at least two; default: all y4m")
    parser.add_argument("--arm", action="append", metavar="'NAME: OPTIONS'", help="default: 'online:'")
    parser.add_argument("--config", choices=("ldp", "ldb", "ra"), default="ldp", help="default: %(default)s")
    parser.add_argument("--size", type=even_size, default="352x240", help="WxH of pictures; default: %(default)s")
    parser.add_argument("--frames", type=measuring.positive, default=10, help="of each clip; default: %(default)s")
    parser.add_argument("--qp", type=int, nargs="+", default=list(DEFAULT_QPS), help="default: 22 27 32 37")
    campaign_options(parser)
    return parser.parse_args(words)


def even_size(text):
    """(width, height) from "WxH", both even, for argparse."""
    width, height = map(int, text.split("x"))
    if min(width, height) < 8 or width % 2 or height % 2:
        raise ValueError(text)
    return width, height


def centre(frame, width, height):
    """The middle of a Frame, `width` x `height` luma samples, both even.

    Raises
    ------
    ConfigError : the frame is smaller
    """
    h, w = frame.y.shape
    if h < height or w < width:
        raise ConfigError(f"{width}x{height} samples do not fit into a picture of {w}x{h}")
    y, x = (h - height) // 4 * 2, (w - width) // 4 * 2
    planes = zip(frame, (0, 1, 1), strict=True)
    return Frame(*(p[y >> s : (y + height) >> s, x >> s : (x + width) >> s].copy() for p, s in planes))


def join(paths, size, frames, output):
    """Write the first `frames` pictures of videos one behind the other as y4m of 8 bits, all of `size`.

    Raises
    ------
    ConfigError : a video is shorter, smaller or of more bits
    """
    with create_video(output, VideoFormat(*size, 25)) as write:
        for path in paths:
            with open_video(path) as video:
                if video.format.bit_depth != 8:
                    raise ConfigError(f"{path}: has {video.format.bit_depth} bits; expected 8")
                found = 0
                for frame in itertools.islice(video.frames, frames):
                    write(centre(frame, *size))
                    found += 1
            if found < frames:
                raise ConfigError(f"{path}: has {found} pictures; expected {frames}")


def make_pairs(folder, clips, size, frames):
    """Clips of one behind the other, by what the table calls them."""
    if len(clips) < 2:
        raise ConfigError(f"{len(clips)} clip makes no scene cut; expected two or more")
    pairs = {}
    for first, second in zip(clips, clips[1:] + clips[:1], strict=True):
        path = pathlib.Path(folder) / f"{first.name}+{second.name}.y4m"
        join((first.path, second.path), size, frames, path)
        pairs[f"{first.name}, {second.name}"] = read_clip(path)
    return pairs


def campaign(arguments):
    """Run what is missing and print the table; returns the exit status."""
    sources, clips = sources_digest(), find_clips(arguments.clips, arguments.clip)
    arms = read_arms([OFF, *(arguments.arm or ["online:"])])
    with Database(arguments.database) as kept:
        kept.add_version(sources, None)
    with tempfile.TemporaryDirectory(prefix="codecsim-") as folder:
        pairs = make_pairs(folder, clips, arguments.size, arguments.frames)
        jobs = [
            Job(clip, arm.encoder_config(arguments.config, qp, clip.frames), arm.name)
            for clip in pairs.values()
            for arm in arms
            for qp in arguments.qp
        ]
        failed = run_all(jobs, arguments.database, sources, arguments.jobs, not arguments.no_decode)
    report = measuring.Report(arguments, "Learning over a scene cut")
    report.say("", f"Version {sources}. {arguments.config}, {arguments.frames} pictures of each clip. {RATE_NOTE}")
    rows, qps = [], " ".join(map(str, arguments.qp))
    with Database(arguments.database) as kept:
        for name, clip in pairs.items():
            configs = [arm.encoder_config(arguments.config, arguments.qp[0], clip.frames) for arm in arms]
            off, *others = (find_curve(kept, sources, clip, config, arguments.qp) for config in configs)
            rows.append((name, *(compare_curves(name, off, curve).bd_rate["y"] for curve in others)))
            of = f"{name}; {clip.width}x{clip.height}; {arguments.frames} pictures of each; QP {qps}"
            figures = (f"scene cut, {arguments.config}, {arm.name} (`{arm.options}`), Y" for arm in arms[1:])
            report.keep(of, history.BD_RATE, "lower", dict(zip(figures, rows[-1][1:], strict=True)))
    shown = [(name, *(None if value is None else f"{value:+.2f}" for value in values)) for name, *values in rows]
    report.table("**Luma BD-rate against off, %**", ("clips", *(arm.name for arm in arms[1:])), shown)
    values = [value for _, *values in rows for value in values]
    lost = report_failures(report, failed) or None in values
    if not lost:
        told = "reached" if max(values) <= LIMIT else "missed"
        report.say("", f"Worst pair: {max(values):+.2f} %; to be reached: <= +{LIMIT} %: {told}.")
    report.save()
    return 1 if lost or max(values) > LIMIT else 0


if __name__ == "__main__":
    sys.exit(measuring.guarded(campaign, parse()))
