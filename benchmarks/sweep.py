"""How well a sweep uses the cores, and what its scheduling costs: 5 clips x 4 QPs x 3 arms.

    python benchmarks/sweep.py
    python benchmarks/sweep.py --clips FOLDER --frames 17

Without --clips, five clips are cut from the bundled one, 320x176. Kernels are compiled before. Then time runs from the
call that starts the sweep to its return, and each moment of each worker is of one kind:

- **busy**: encoding, decoding, checking. On a machine that does nothing else this is what keeps the cores busy;
- **starting**: from the call to the worker's first task: its process and its imports;
- **loading**: reading kernels from the disk cache, once a worker and arm;
- **scheduling**: between two tasks of a worker: keeping the result, telling it, getting the next;
- **ending**: from a worker's last task to the end: nothing is left to do while another worker still works.

Beside it, the CPU time of all processes over what the cores could give: that of an idle machine, for others' work takes
from it, and what a core waits for memory counts as busy. Of it, the share of this process is what scheduling takes.
"""

import argparse
import os
import pathlib
import resource
import sys
import tempfile
import time
from collections import defaultdict

import measuring
from joblib.externals.loky import get_reusable_executor

from codecsim.experiments import sweep
from codecsim.experiments.database import sources_digest
from codecsim.experiments.experiment_file import read_experiment
from codecsim.experiments.warming import compile_all
from codecsim.experiments.workers import LocalWorkers
from codecsim.formats.video import create_video, open_video
from codecsim.picture.planes import VideoFormat
from codecsim.resources import bundled_clip

CLIPS, SIZE = 5, (320, 176)
BUSY, SCHEDULING = 0.90, 0.02  # to be reached
EXPERIMENT = """
clips = ["*.y4m"]
qps = [22, 27, 32, 37]
frames = {frames}

[arms.off]
filter = "off"

[arms.frozen]
filter = "frozen"

[arms.online]
filter = "online"
"""


class WatchedWorkers(LocalWorkers):
    """Workers that note when each task was done, and where."""

    def __init__(self, count):
        super().__init__(count)
        self.spans = defaultdict(list)  # by worker

    def run(self, *arguments):
        for outcome in super().run(*arguments):
            if outcome.span is not None:
                self.spans[outcome.span.worker].append(outcome.span)
            yield outcome


def parse(words=None):
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", help="folder whose first five y4m files are used; default: cut from the bundled one")
    parser.add_argument("--frames", type=measuring.positive, default=33, help="pictures a run; default: %(default)s")
    parser.add_argument("-j", "--jobs", type=measuring.positive, default=os.cpu_count(), help="default: the cores")
    measuring.output_option(parser)
    return parser.parse_args(words)


def put_clips(arguments, folder):
    """Put five clips into a folder."""
    if arguments.clips:
        for path in sorted(pathlib.Path(arguments.clips).glob("*.y4m"))[:CLIPS]:
            (folder / path.name).symlink_to(path.resolve())
        return
    with open_video(bundled_clip()) as video:
        pictures = [measuring.scaled(frame, SIZE) for frame in video.frames]
    for k in range(CLIPS):
        first = k * (len(pictures) - 1) // CLIPS
        with create_video(folder / f"bunny{k}.y4m", VideoFormat(*SIZE, 24)) as write:
            for i in range(arguments.frames):
                write(pictures[(first + i) % len(pictures)])


def shares(spans, started, ended, slots):
    """Parts of the time of all slots, by kind; they sum to one.

    Parameters
    ----------
    spans : lists of work.Span by worker
    started, ended : of the sweep
    slots : workers that there should be
    """
    kinds = dict.fromkeys(("busy", "starting", "loading", "scheduling", "ending"), 0.0)
    for done in spans.values():
        done = sorted(done, key=lambda span: span.started)
        kinds["busy"] += sum(span.ended - span.loaded for span in done)
        kinds["loading"] += sum(span.loaded - span.started for span in done)
        kinds["scheduling"] += sum(after.started - before.ended for before, after in zip(done, done[1:], strict=False))
        kinds["starting"] += done[0].started - started
        kinds["ending"] += ended - done[-1].ended
    whole = (ended - started) * slots
    kinds["ending"] += (slots - len(spans)) * (ended - started)  # of workers that got nothing
    return {kind: seconds / whole for kind, seconds in kinds.items()}


def cpu_seconds(who):
    """CPU time of this process, or of its children that have ended."""
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def main(arguments):
    """Measure and print; returns the exit status."""
    with tempfile.TemporaryDirectory(prefix="codecsim-") as folder:
        folder = pathlib.Path(folder)
        put_clips(arguments, folder)
        (folder / "sweep.toml").write_text(EXPERIMENT.format(frames=arguments.frames))
        file = read_experiment(folder / "sweep.toml")
        plan = sweep.make_plan(file, sources_digest())
        compile_all([job.config for job in plan.jobs])
        workers = WatchedWorkers(arguments.jobs)
        own, children = cpu_seconds(resource.RUSAGE_SELF), cpu_seconds(resource.RUSAGE_CHILDREN)
        started = time.time()
        failed = sweep.run_plan(plan, folder / "runs.sqlite", workers)
        ended = time.time()
        own = cpu_seconds(resource.RUSAGE_SELF) - own
        get_reusable_executor().shutdown(wait=True)
        children = cpu_seconds(resource.RUSAGE_CHILDREN) - children
    report = measuring.Report(arguments, "How a sweep uses the cores")
    count = sum(map(len, workers.spans.values()))
    what = f"{len(file.clips)} clips x {len(file.qps)} QPs x {len(file.arms)} arms, {arguments.frames} pictures"
    report.say("", f"{what}: {count} runs in {ended - started:.1f} s, {arguments.jobs} at a time.")
    kinds = shares(workers.spans, started, ended, arguments.jobs)
    reach = {"busy": f">= {BUSY:.0%}", "scheduling": f"<= {SCHEDULING:.0%}"}
    rows = [(kind, f"{100 * share:.2f}", reach.get(kind)) for kind, share in kinds.items()]
    report.table("**Time of the workers, %**", ("kind", "share", "to be reached"), rows)
    whole = (ended - started) * min(arguments.jobs, os.cpu_count())
    rows = [("workers", children), ("this process", own)]
    rows = [(name, f"{seconds:.1f}", f"{100 * seconds / whole:.2f}") for name, seconds in rows]
    report.table("**CPU time, of what the cores could give**", ("processes", "s", "%"), rows)
    for outcome in failed:
        report.say("", f"**Failed**: {outcome.task}: {outcome.error}")
    if not failed:
        of = f"{what}, {arguments.jobs} at a time"
        report.keep(of, "%", "higher", {"sweep, busy workers": 100 * kinds["busy"]})
        report.keep(of, "s", "lower", {"sweep, CPU time of scheduling": own, "sweep, CPU time of workers": children})
    report.save()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(measuring.guarded(main, parse()))
