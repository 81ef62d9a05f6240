"""What each learned tool is worth: all arms side by side, and the figures that this project set out to reach.

    python -m benchmarks learned --keep --clips FOLDER
    python benchmarks/learned.py --clips FOLDER --clip carphone_qcif --config ldp --frames 9

The usual clips are those that nothing was trained or tuned on.  Runs are kept and found again as by rd.py, so an
interrupted campaign goes on where it was, and its tables are made of what is there.
"""

import argparse
import dataclasses
import sys
from types import MappingProxyType

import history
import measuring
from rd import DEFAULT_QPS, campaign_options, report_failures

from codecsim.errors import ConfigError
from codecsim.experiments.arms import read_arms
from codecsim.experiments.clips import find_clips
from codecsim.experiments.compare import mean_of
from codecsim.experiments.curves import Curve, compare_curves, find_curve
from codecsim.experiments.database import Database, sources_digest
from codecsim.experiments.jobs import Job, run_all
from codecsim.experiments.tables import RATE_NOTE, TIME_NOTE

TEST_CLIPS = ("carphone_qcif", "cars_320x240", "parkjoy_480x264", "foliage_720x480", "walk_720x480")
ONLINE = "--set inter_luma.experts=online"
LARGE = "--model prediction-luma-large"
LEARNED = f"{LARGE} --chroma-filter online --set inter_chroma.model=prediction-chroma-large --intra-filter frozen"
ALL = f"{LEARNED} --obmc"
ARMS = MappingProxyType(
    {
        "ldp": (
            "off: --filter off",
            "obmc: --filter off --obmc",
            "frozen: --filter frozen",
            "untrained: --set inter_luma.experts=online --model untrained",
            "online: --set inter_luma.experts=online",
            "default:",
            "rls: --set inter_luma.experts=rls",
            "experts: --set inter_luma.experts=online,rls,mix",
            f"large-frozen: --filter frozen {LARGE}",
            f"large-online: --set inter_luma.experts=online {LARGE}",
            f"large: {LARGE}",
            f"all: {ALL}",
            "threshold: --set inter_luma.experts=online --settings threshold-ldp",
            f"signalled: {ONLINE} --set inter_luma.control=signalled --set search.learner_trials=true",
            "loop: --filter off --loop-filter on",
            "loop-light: --filter off --loop-filter loop-filter-light",
            "loop+default: --loop-filter on",
            f"loop+all: {ALL} --loop-filter on",
            "oracle: --set inter_luma.experts=online --oracle original",
            "sent: --filter frozen --oracle weights",
        ),
        "ra": (
            "off: --filter off",
            "frozen: --filter frozen",
            "online: --set inter_luma.experts=online",
            "light: --settings light-ra",
            "experts: --set inter_luma.experts=initial,online,rls",
            f"large: {LARGE}",
            f"all: {LEARNED}",
            "loop: --filter off --loop-filter on",
            "loop-light: --filter off --loop-filter loop-filter-light",
            f"loop+all: {LEARNED} --loop-filter on",
        ),
        "ai": (
            "off: --filter off",
            "intra: --filter off --intra-filter frozen",
            "intra-online: --filter off --intra-filter online",
            "loop: --filter off --loop-filter on",
            "loop-light: --filter off --loop-filter loop-filter-light",
            "loop-separable: --filter off --loop-filter loop-filter-separable",
            "loop+intra: --filter off --intra-filter frozen --loop-filter on",
        ),
    }
)
CIF = 352 * 288  # samples
DECODED_A_SECOND = 3  # pictures of CIF, to be reached by CPU time
LOW, HIGH = DEFAULT_QPS[:3], DEFAULT_QPS[1:]


@dataclasses.dataclass(frozen=True)
class Goal:
    """A mean BD-rate to reach."""

    config: str
    arm: str
    against: str
    planes: str  # y, or uv: the mean of both
    reach: float  # percent


GOALS = (
    Goal("ldp", "all", "off", "y", -9),
    Goal("ldp", "all", "obmc", "y", -6),
    Goal("ldp", "online", "frozen", "y", -2),
    Goal("ldp", "large-online", "large-frozen", "y", -2),
    Goal("ldp", "all", "off", "uv", -6),
    Goal("ldp", "loop+all", "off", "uv", -6),
    Goal("ra", "all", "off", "y", -4),
    Goal("ra", "loop", "off", "y", -3),
    Goal("ai", "intra", "off", "y", -1),
    Goal("ai", "loop", "off", "y", -4),
)


def parse(words=None):
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", help="folder with clips; without it the bundled clip is used")
    parser.add_argument("--clip", action="append", help=f"name of a clip; default: {', '.join(TEST_CLIPS)}")
    parser.add_argument("--config", action="append", choices=list(ARMS), help="default: all")
    parser.add_argument("--qp", type=int, nargs="+", default=list(DEFAULT_QPS), help="default: 22 27 32 37")
    parser.add_argument("--frames", type=measuring.positive, help="pictures a run, in ai at most 4; default: 33")
    parser.add_argument("--arm", action="append", help="names of arms to run; default: all")
    campaign_options(parser)
    return parser.parse_args(words)


class Results:
    """Curves of one configuration, by arm and clip.

    Parameters
    ----------
    kept : Database
    sources : str, digest of this version
    cells : dict of Clip to its number of pictures
    arms : list of Arm
    """

    def __init__(self, config, kept, sources, cells, arms, qps):
        self.clips = [clip.name for clip in cells]
        self._areas = {clip.name: clip.width * clip.height for clip in cells}
        lengths = ", ".join(map(str, sorted({*cells.values()})))
        self.of = f"{', '.join(self.clips)}; {lengths} pictures; QP {' '.join(map(str, qps))}"
        self.curves = {
            arm.name: {
                clip.name: find_curve(kept, sources, clip, arm.encoder_config(config, qps[0], frames), qps)
                for clip, frames in cells.items()
            }
            for arm in arms
        }

    def compare(self, arm, against, qps=None):
        """ClipComparison of each clip, over some of the QPs or all."""
        pairs = [(clip, self.curves[against][clip], self.curves[arm][clip]) for clip in self.clips]
        return [compare_curves(clip, _part(reference, qps), _part(test, qps)) for clip, reference, test in pairs]

    def mean(self, arm, against, qps=None):
        """Mean ClipComparison, or None where a clip has no figure."""
        rows = self.compare(arm, against, qps)
        return mean_of(rows) if all(None not in row.bd_rate.values() for row in rows) else None

    def costs(self, arm):
        """(kMAC a sample of inference, of training), mean over clips and QPs, or (None, None)."""
        found = [
            result["kmac_per_pixel"]
            for curve in self.curves[arm].values()
            for result in curve.encoded
            if "kmac_per_pixel" in result
        ]
        if not found:
            return None, None
        return tuple(f"{sum(cost[name] for cost in found) / len(found):.1f}" for name in ("inference", "training"))

    def decoded_a_second(self, arm, clip, area=None):
        """Pictures a second of CPU time of the decoder on a clip, or the samples in pictures of `area`; or None."""
        decoded = self.curves[arm][clip].decoded
        seconds = sum(result["seconds"] for result in decoded)
        scale = self._areas[clip] / area if area else 1
        return f"{scale * sum(result['frames'] for result in decoded) / seconds:.1f}" if seconds else None


def _part(curve, qps):
    """The points of a Curve at some QPs."""
    if qps is None:
        return curve
    chosen = [k for k, qp in enumerate(curve.qps) if qp in qps]
    decoded = tuple(curve.decoded[k] for k in chosen) if len(curve.decoded) == len(curve.encoded) else ()
    return Curve(tuple(curve.qps[k] for k in chosen), tuple(curve.encoded[k] for k in chosen), decoded, curve.machines)


def show(report, config, results, arms):
    """The tables of one configuration."""
    names = [arm.name for arm in arms if arm.name != "off"]
    by_arm = {name: results.compare(name, "off") for name in names}
    rows = [(clip, *(_percent(by_arm[name][k].bd_rate["y"]) for name in names)) for k, clip in enumerate(results.clips)]
    report.table(f"**{config}: luma BD-rate against off, %**", ("clip", *names), rows)
    shown = []
    for arm in arms:
        if arm.name == "off":
            continue
        mean, low, high = (results.mean(arm.name, "off", qps) for qps in (None, LOW, HIGH))
        if mean:
            kept = {f"learned, {config}, {arm.name}, {plane.upper()}": mean.bd_rate[plane] for plane in "yuv"}
            report.keep(results.of, history.BD_RATE, "lower", kept)
        beside = results.mean(arm.name, "obmc") if "obmc" in results.curves and arm.name != "obmc" else None
        shown.append(
            (
                arm.name,
                *(_percent(mean and mean.bd_rate[plane]) for plane in "yuv"),
                _percent(low and low.bd_rate["y"]),
                _percent(high and high.bd_rate["y"]),
                _percent(beside and beside.bd_rate["y"]),
                *(f"{100 * t:.0f}" if t else None for t in (mean and mean.encoder_time, mean and mean.decoder_time)),
                *results.costs(arm.name),
                results.decoded_a_second(arm.name, results.clips[-1]),
            )
        )
    columns = ["arm", "Y %", "U %", "V %", f"Y, QP {LOW[0]}-{LOW[-1]}", f"Y, QP {HIGH[0]}-{HIGH[-1]}"]
    columns += ["Y against obmc", "EncT %", "DecT %", "kMAC/px", "of training", f"decodes/s, {results.clips[-1]}"]
    report.table(f"**{config}: means**", columns, shown)
    report.say("", *(f"- {arm.name}: `{arm.options or 'the defaults'}`" for arm in arms))
    if any(arm.name == "oracle" for arm in arms):
        report.say("", "The oracle learns from the original, which no decoder has: a bound, **not decodable**.")
    if any(arm.name == "sent" for arm in arms):
        report.say(
            "",
            "Sent: in place of learning, weights fitted to the original are sent where it pays; the bits of an ideal "
            "entropy coder for them count: a simulation, **not decodable**.",
        )


def show_goals(report, found):
    """What was to be reached, and what was; `found`: Results by configuration."""
    rows = []
    for goal in GOALS:
        results = found.get(goal.config)
        if results is None or not {goal.arm, goal.against} <= {*results.curves}:
            continue
        mean = results.mean(goal.arm, goal.against)
        value = None if mean is None else sum(mean.bd_rate[plane] for plane in goal.planes) / len(goal.planes)
        what = f"{goal.config}, {goal.arm} against {goal.against}, {' and '.join(goal.planes.upper())}"
        rows.append((what, f"<= {goal.reach}", _percent(value), None if value is None else _verdict(value, goal)))
    ldp = found.get("ldp")
    for arm in ("default", "all"):
        names = ("loop", arm, f"loop+{arm}")
        means = [ldp.mean(name, "off") for name in names] if ldp and {*names} <= {*ldp.curves} else [None]
        if None not in means:
            loop, prediction, both = (mean.bd_rate["y"] for mean in means)
            share = both / (loop + prediction)
            rows.append(_share(f"ldp, loop+{arm}, of the sum of loop and {arm}", share, least=0.8))
    if ldp and {"online", "threshold"} <= {*ldp.curves}:
        means = [ldp.mean(name, "off") for name in ("threshold", "online")]
        costs = [ldp.costs(name)[1] for name in ("threshold", "online")]
        if None not in (*means, *costs):
            gain = means[0].bd_rate["y"] / means[1].bd_rate["y"]
            work = float(costs[0]) / float(costs[1])
            rows.append(_share("ldp, threshold: share of online's gain", gain, least=0.85))
            rows.append(_share("ldp, threshold: share of online's training", work, most=0.4))
    for clip in ldp.clips if ldp and "all" in ldp.curves else ():
        speed = ldp.decoded_a_second("all", clip, CIF)
        if speed:
            told = "reached" if float(speed) >= DECODED_A_SECOND else "missed"
            what = f"ldp, all: decoded a second, as pictures of CIF, {clip}"
            rows.append((what, f">= {DECODED_A_SECOND}", speed, told))
    report.table("**To be reached, mean of the clips**", ("what", "reach", "measured", ""), rows)


def _share(what, value, least=0.0, most=None):
    """Row of a share that is to be at least, or at most, so much."""
    limit, reached = (f">= {least:.0%}", value >= least) if most is None else (f"<= {most:.0%}", value <= most)
    return what, limit, f"{value:.0%}", "reached" if reached else "missed"


def _verdict(value, goal):
    return "reached" if value <= goal.reach else f"short by {value - goal.reach:.2f}"


def _percent(value):
    return None if value is None else f"{value:+.2f}"


def wanted_arms(config, names):
    """Arms of a configuration by their names, and off; or all."""
    return [text for text in ARMS[config] if not names or name_of(text) in ("off", *names)]


def name_of(text):
    """Name of an arm's text."""
    return text.split(":")[0]


def check_arms(configs, names):
    """Refuse names that are no arm of any of the configurations.

    Raises
    ------
    ConfigError : there is one
    """
    known = list(dict.fromkeys(name_of(text) for config in configs for text in ARMS[config]))
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise ConfigError(f"--arm {unknown[0]}: no such arm in {', '.join(configs)}; there are {', '.join(known)}")


def campaign(arguments):
    """Run what is missing and print the tables; returns the exit status."""
    sources = sources_digest()
    names = arguments.clip or (list(TEST_CLIPS) if arguments.clips else None)
    clips = find_clips(arguments.clips, names)
    configs = arguments.config or list(ARMS)
    check_arms(configs, arguments.arm)
    cells, arms, jobs = {}, {}, []
    for config in configs:
        frames = min(arguments.frames or 33, 4 if config == "ai" else 33)
        cells[config] = {clip: min(frames, clip.frames) for clip in clips}
        arms[config] = read_arms(wanted_arms(config, arguments.arm))
        jobs += [
            Job(clip, arm.encoder_config(config, qp, count), arm.name)
            for clip, count in cells[config].items()
            for arm in arms[config]
            for qp in arguments.qp
        ]
    with Database(arguments.database) as kept:
        kept.add_version(sources, None)
    failed = run_all(jobs, arguments.database, sources, arguments.jobs, not arguments.no_decode)
    report = measuring.Report(arguments, "The learned tools, side by side")
    counts = {config: sorted({*of_clips.values()}) for config, of_clips in cells.items()}
    lengths = "; ".join(f"{config}: {', '.join(map(str, found))}" for config, found in counts.items())
    report.say("", f"Version {sources}. {RATE_NOTE} {TIME_NOTE} Pictures a clip: {lengths}.")
    report.say("", "kMAC/px: of all learned tools together in the decoder; then of their training on either side.")
    with Database(arguments.database) as kept:
        found = {
            config: Results(config, kept, sources, cells[config], arms[config], arguments.qp) for config in configs
        }
    show_goals(report, found)
    for config, results in found.items():
        show(report, config, results, arms[config])
    status = report_failures(report, failed)
    report.save()
    return status


if __name__ == "__main__":
    sys.exit(measuring.guarded(campaign, parse()))
