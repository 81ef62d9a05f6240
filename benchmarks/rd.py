"""Rate, distortion and time: clips x QPs x configurations x arms, against anchors, another arm or another version.

    python benchmarks/rd.py --clips FOLDER --anchors rd_points.csv --output table.md
    python benchmarks/rd.py --clips FOLDER --clip carphone_qcif --config ldp --frames 17 \\
        --arm "off: --filter off" --arm "online: --filter online" --arm "e4: --set inter_luma.epochs_q2=4" --against off
    python benchmarks/rd.py --clips FOLDER --config ldp --label before      (change the code, then)
    python benchmarks/rd.py --clips FOLDER --config ldp --against-version before

An arm is a name and options of `codecsim encode`. Every run is a row of a database, found by its settings, the clip's
content, the number of pictures and the digest of the coding sources; what is there is not run again, so a campaign that
was stopped goes on where it was. Every stream is decoded and its hashes are checked.

Anchors are a CSV file with the columns clip, width, height, frames, codec, config, qp, bits, psnr_y, psnr_u, psnr_v
(mean over pictures). Runs take their numbers of pictures and their QPs from it unless options say otherwise.
"""

import argparse
import dataclasses
import os
import sys

import history
import measuring

from codecsim.codec.config import CONFIGS
from codecsim.errors import ConfigError
from codecsim.experiments.anchors import Anchors
from codecsim.experiments.arms import DEFAULT_ARM, read_arms
from codecsim.experiments.clips import find_clips
from codecsim.experiments.curves import curve_of_anchors, find_curve
from codecsim.experiments.database import Database, sources_digest
from codecsim.experiments.jobs import Job, run_all
from codecsim.experiments.tables import RATE_NOTE, TIME_NOTE, comparison_table, points_table

DEFAULT_QPS = (22, 27, 32, 37)


def parse(words=None):
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", help="folder with clips; without it the bundled clip is used")
    parser.add_argument("--clip", action="append", help="name of a clip; default: those of the anchors, or all y4m")
    parser.add_argument("--config", action="append", choices=CONFIGS, help="default: all, or those of the anchors")
    parser.add_argument("--qp", type=int, nargs="+", help="default: those of the anchors, or 22 27 32 37")
    parser.add_argument(
        "--frames", type=measuring.positive, help="pictures a run; default: those of the anchors, or all"
    )
    parser.add_argument("--arm", action="append", metavar="'NAME: OPTIONS'", help=f"default: '{DEFAULT_ARM}'")
    parser.add_argument("--anchors", metavar="CSV", help="points of other encoders")
    parser.add_argument("--codec", action="append", help="of the anchors; default: hm16")
    parser.add_argument("--against", metavar="ARM", help="compare the other arms with this one; default: the first")
    parser.add_argument("--against-version", metavar="NAME", help="compare with the kept runs of this version")
    parser.add_argument("--label", help="name for this version of the sources, for --against-version")
    parser.add_argument("--points", action="store_true", help="show all points too")
    campaign_options(parser)
    return parser.parse_args(words)


def campaign_options(parser):
    """Options of every command that runs campaigns."""
    parser.add_argument("--no-decode", action="store_true", help="do not decode and check the streams")
    parser.add_argument("--database", default="build/rd.sqlite", help="of kept runs; default: %(default)s")
    parser.add_argument(
        "-j", "--jobs", type=measuring.positive, default=os.cpu_count(), help="runs at a time; default: the cores"
    )
    measuring.output_option(parser)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a campaign runs and compares."""

    arms: list
    anchors: Anchors | None
    codecs: list[str]  # of the anchors
    cells: dict  # (pictures, QPs) by (configuration, Clip)
    left_out: list[str]  # lines that say what is not coded, and why


def campaign(arguments):
    """Run what is missing and print the tables; returns the exit status."""
    plan = make_plan(arguments)
    sources = sources_digest()
    with Database(arguments.database) as kept:
        kept.add_version(sources, arguments.label)
        other = kept.version(arguments.against_version) if arguments.against_version else None
    jobs = [
        Job(clip, arm.encoder_config(config, qp, frames), arm.name)
        for (config, clip), (frames, qps) in plan.cells.items()
        for arm in plan.arms
        for qp in qps
    ]
    failed = run_all(jobs, arguments.database, sources, arguments.jobs, not arguments.no_decode)
    report = measuring.Report(arguments, "Rate and distortion")
    report.say("", f"Version {sources}. {RATE_NOTE} {TIME_NOTE}", *plan.left_out)
    with Database(arguments.database) as kept:
        show(report, kept, plan, arguments, sources, other)
    status = report_failures(report, failed)
    report.save()
    return status


def report_failures(report, failed):
    """Say which jobs failed; returns the exit status."""
    if failed:
        report.say("", *(f"**Failed**: {outcome.job}: {outcome.error}" for outcome in failed))
    return 1 if failed else 0


def chosen_codecs(anchors, names):
    """Codecs of the anchors to compare with."""
    if anchors is None:
        if names:
            raise ConfigError("--codec needs --anchors")
        return []
    names = names or ["hm16"]
    unknown = [name for name in names if name not in anchors.codecs()]
    if unknown:
        raise ConfigError(f"{anchors.name}: no points of {unknown[0]!r}; there are {', '.join(anchors.codecs())}")
    return names


def make_plan(arguments):
    """The plan that the command line asks for."""
    arms = read_arms(arguments.arm or [DEFAULT_ARM])
    names = [arm.name for arm in arms]
    if arguments.against is not None and arguments.against not in names:
        raise ConfigError(f"--against {arguments.against}: no such arm; there are {', '.join(names)}")
    anchors = Anchors(arguments.anchors) if arguments.anchors else None
    codecs = chosen_codecs(anchors, arguments.codec)
    return Plan(arms, anchors, codecs, *find_cells(arguments, anchors, codecs))


def find_cells(arguments, anchors, codecs):
    """What to code: (pictures, QPs) by (configuration, Clip), and lines about what is left out."""
    configs, left_out = arguments.config or list(CONFIGS), []
    if anchors and not arguments.config:
        known = anchors.configs(codecs)
        configs = [config for config in CONFIGS if config in known]
        unknown = [config for config in known if config not in CONFIGS]
        if unknown:
            left_out.append(f"Not coded, for this version has no such configuration: {', '.join(unknown)}.")
    cells = {}
    names = arguments.clip or (anchors.clips(codecs, configs) if anchors and arguments.clips else None)
    for clip in find_clips(arguments.clips, names):
        for config in configs:
            frames, qps = arguments.frames, []
            if anchors:
                frames, qps = anchors.coding(codecs, clip.name, config, frames)
            if anchors and not qps and not arguments.clip:
                left_out.append(f"Not coded, for the anchors have no points of it: {clip.name}, {config}.")
                continue
            frames = min(frames or clip.frames, clip.frames)
            cells[config, clip] = frames, arguments.qp or qps or list(DEFAULT_QPS)
    return dict(sorted(cells.items(), key=lambda cell: CONFIGS.index(cell[0][0]))), left_out


def show(report, kept, plan, arguments, sources, other):
    """All tables: each arm against each reference, by configuration; `other`: digest of another version, or None."""
    base = next(arm for arm in plan.arms if arm.name == (arguments.against or plan.arms[0].name))
    alone = len(plan.arms) == 1 and not plan.codecs and not other

    def curves(arm, config, version=sources):
        found = {}
        for (own, clip), (frames, qps) in plan.cells.items():
            if own == config:
                settings = arm.encoder_config(config, qps[0], frames)
                found[clip.name] = find_curve(kept, version, clip, settings, qps)
        return found

    for config in dict.fromkeys(config for config, _ in plan.cells):
        for arm in plan.arms:
            tests = curves(arm, config)
            references = {
                codec: {clip: curve_of_anchors(plan.anchors.points(codec, clip, config)) for clip in tests}
                for codec in plan.codecs
            }
            if arm is not base:
                references[base.name] = curves(base, config)
            if other:
                references[f"version {arguments.against_version}"] = curves(arm, config, other)
            what = f"{config}, {arm.name} (`{arm.options}`)"
            for name, found in references.items():
                title = f"**{what} against {name}**"
                if any(curve.encoded for curve in found.values()):
                    table = comparison_table(title, {clip: (found[clip], tests[clip]) for clip in tests})
                    report.show(table)
                    keep_rates(report, f"rate, {what} against {name}", table, tests)
                else:
                    report.say("", f"{title}: no points of {name}.")
            if arguments.points or alone:
                report.show(points_table(f"**{what}, points**", tests))


def keep_rates(report, figure, table, tests):
    """Keep the mean BD-rates of a comparison_table, or those of its only clip, in the history."""
    lengths = sorted({result["frames"] for curve in tests.values() for result in curve.encoded})
    of = f"{', '.join(tests)}; {', '.join(map(str, lengths))} pictures; QP {described_qps(tests)}"
    rows = [row for row in table.rows if row.values[0] == "mean" or len(tests) == 1 and row.kind == "clip"]
    for row in rows:
        values = zip((column.name for column in table.columns), row.values, strict=True)
        kept = {f"{figure}, {name[0]}": value for name, value in values if name in ("Y %", "U %", "V %")}
        report.keep(of, history.BD_RATE, "lower", kept)


def described_qps(tests):
    """QPs of curves."""
    return ", ".join(sorted({" ".join(map(str, curve.qps)) for curve in tests.values()}))


if __name__ == "__main__":
    sys.exit(measuring.guarded(campaign, parse()))
