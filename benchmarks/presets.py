"""What each setting of the search costs and saves: presets, and each with one setting of a neighbouring preset.

    python benchmarks/presets.py
    python benchmarks/presets.py --clips FOLDER --clip carphone_qcif --clip cars_320x240 --frames 17 --preset medium

For each preset, each of its fields that the next slower or the next faster preset sets otherwise is changed alone. The
table gives the luma BD-rate and the time against the preset itself; rows towards the slower preset say what a shortcut
costs, those towards the faster one what another would. Kept runs are used as in rd.py, and so are the options.
"""

import argparse
import dataclasses
import sys

import history
import measuring
from rd import DEFAULT_QPS, campaign_options, report_failures

from codecsim.codec.config import CONFIGS
from codecsim.codec.presets import PRESETS, SearchSettings
from codecsim.experiments.arms import read_arm
from codecsim.experiments.clips import find_clips
from codecsim.experiments.compare import mean_of
from codecsim.experiments.curves import compare_curves, find_curve
from codecsim.experiments.database import Database, sources_digest
from codecsim.experiments.jobs import Job, run_all
from codecsim.experiments.tables import RATE_NOTE
from codecsim.tools import INTER_LUMA

FRAMES = 17
OF_THE_FILTER = ("filter_passes",)  # do nothing without the prediction filter
OF_B_SLICES = ("bi_rounds", "bi_all_refs")  # do nothing where there are none
OF_TWO_LISTS = ("bi_rounds",)  # do nothing where list 1 is list 0 again, and sends no differences
DOCS = {declared.name: declared.help.removesuffix(".") for declared in SearchSettings.declared()}


@dataclasses.dataclass(frozen=True)
class Step:
    """A preset with one field, or all of them, as in a neighbouring preset."""

    preset: str
    other: str
    field: str | None  # None: all, which is the other preset
    filter: str

    @property
    def arm(self):
        """The arm that it is."""
        if self.field is None:
            return preset_arm(self.other, self.filter)
        value = getattr(PRESETS[self.other], self.field)
        options = f"--preset {self.preset} --filter {self.filter} --set search.{self.field}={value}"
        return read_arm(f"{self.preset}.{self.field}.{value}: {options}")


def preset_arm(preset, mode):
    """The arm of a preset with a mode of the prediction filter."""
    return read_arm(f"{preset}: --preset {preset} --filter {mode}")


def steps(preset, config, mode):
    """All steps from a preset that can make a difference, towards the next slower preset first.

    Parameters
    ----------
    preset : a key of PRESETS
    config : of CONFIGS
    mode : how the prediction filter is used
    """
    idle = OF_THE_FILTER if mode == "off" else ()
    idle += {"ai": OF_B_SLICES, "ldp": OF_B_SLICES, "ldb": OF_TWO_LISTS}.get(config, ())
    order = list(PRESETS)
    place = order.index(preset)
    found = []
    for other in order[place + 1 : place + 2] + order[max(place - 1, 0) : place]:
        differing = [name for name in DOCS if getattr(PRESETS[preset], name) != getattr(PRESETS[other], name)]
        differing = [name for name in differing if name not in idle]
        found += [Step(preset, other, name, mode) for name in (*differing, None)]
    return found


def main(arguments):
    """Run what is missing and print the tables; returns the exit status."""
    clips = find_clips(arguments.clips, arguments.clip)
    presets = arguments.preset or list(PRESETS)
    arms = {preset: preset_arm(preset, arguments.filter) for preset in presets}
    tried = {preset: steps(preset, arguments.config, arguments.filter) for preset in presets}
    jobs = [
        Job(clip, settings(arm, clip, qp, arguments), arm.name)
        for arm in (*arms.values(), *(step.arm for own in tried.values() for step in own))
        for clip in clips
        for qp in arguments.qp
    ]
    sources = sources_digest()
    with Database(arguments.database) as kept:
        kept.add_version(sources)
    failed = run_all(jobs, arguments.database, sources, arguments.jobs, not arguments.no_decode)
    report = measuring.Report(arguments, "What each setting of the search costs and saves")
    names = ", ".join(f"{clip.name} ({min(arguments.frames, clip.frames)} pictures)" for clip in clips)
    qps = " ".join(map(str, arguments.qp))
    report.say("", f"{names}; {arguments.config}, filter {arguments.filter}, QP {qps}. Version {sources}. {RATE_NOTE}")
    report.say("Time saved: of the CPU time of the encoder's loop over pictures, in percent; negative: it takes more.")
    with Database(arguments.database) as kept:
        for preset in presets:
            show(report, kept, sources, preset, clips, arguments)
    status = report_failures(report, failed)
    report.save()
    return status


def settings(arm, clip, qp, arguments):
    """Settings of one encoding."""
    return arm.encoder_config(arguments.config, qp, min(arguments.frames, clip.frames))


def show(report, kept, sources, preset, clips, arguments):
    """Table of the steps from a preset."""

    def curves(arm):
        found = (settings(arm, clip, arguments.qp[0], arguments) for clip in clips)
        return [find_curve(kept, sources, *pair, arguments.qp) for pair in zip(clips, found, strict=True)]

    reference = curves(preset_arm(preset, arguments.filter))
    rows, warnings = [], []
    for step in steps(preset, arguments.config, arguments.filter):
        tests = curves(step.arm)
        compared = [compare_curves(c.name, *pair) for c, *pair in zip(clips, reference, tests, strict=True)]
        mean = mean_of(compared)
        percent, ratio = mean.bd_rate["y"], mean.encoder_time
        own, other = (getattr(PRESETS[name], step.field) if step.field else name for name in (preset, step.other))
        what = (step.field or "all", step.other, f"{own} -> {other}")
        figures = (
            None if percent is None else f"{percent:+.2f}",
            None if ratio is None else f"{100 * (1 - ratio):+.0f}",
        )
        name = f"preset {preset}, {step.field or 'all'} as in {step.other}"
        of = f"{', '.join(c.name for c in clips)}; {arguments.config}, {arguments.frames} pictures"
        report.keep(of, history.BD_RATE, "lower", {f"{name}, rate": percent})
        report.keep(of, "x CPU time", "lower", {f"{name}, time": ratio})
        rows.append((*what, *figures, DOCS.get(step.field, "that preset itself")))
        warnings += [f"- {step.arm.name}, {row.clip}: {text}" for row in compared for text in row.warnings]
    columns = ("setting", "as in", "change", "BD-rate Y %", "time saved %", "what it does")
    report.table(f"**Preset {preset}, one setting changed**", columns, rows)
    if warnings:
        report.say("", *warnings)


def parse(words=None):
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", help="folder with clips; without it the bundled clip is used")
    parser.add_argument("--clip", action="append", help="name of a clip in that folder; default: all y4m")
    parser.add_argument("--preset", action="append", choices=list(PRESETS), help="default: all")
    parser.add_argument("--config", choices=CONFIGS, default="ldp")
    parser.add_argument("--filter", choices=INTER_LUMA.modes, default="off", help="prediction filter")
    parser.add_argument(
        "--frames", type=measuring.positive, default=FRAMES, help="pictures a run; default: %(default)s"
    )
    parser.add_argument("--qp", type=int, nargs="+", default=list(DEFAULT_QPS), help="default: 22 27 32 37")
    campaign_options(parser)
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(measuring.guarded(main, parse()))
