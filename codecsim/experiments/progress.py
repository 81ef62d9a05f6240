"""What a campaign is doing: what runs, what is left, when it ends. On standard error."""

import datetime
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Self

from codecsim.experiments.work import Outcome, Task

_Arm = tuple[str, str]  # with a configuration


class CampaignProgress:
    """A bar and the running tasks on a terminal, a line a finished task elsewhere. Use as a context manager.

    Parameters
    ----------
    tasks : list of work.Task that will run
    kept : int, how many runs are already in the database
    slots : int, how many tasks run at a time
    quiet : bool, show nothing
    """

    def __init__(self, tasks: Sequence[Task], kept: int, slots: int, quiet: bool = False):
        self._count, self._kept, self._slots, self._quiet = len(tasks), kept, slots, quiet
        self._left = dict.fromkeys(map(str, tasks))  # text by text, in order
        self._tasks = {str(task): task for task in tasks}
        self._rates = _Rates()
        self._done = 0
        self._started: dict[Any, Any] = {}  # when each running task began, by its text
        self._bar = None
        if sys.stderr.isatty() and not quiet:
            from rich import progress
            from rich.console import Console

            self._bar = progress.Progress(
                progress.SpinnerColumn(),
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.TimeElapsedColumn(),
                progress.TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
                transient=True,
            )
            total = sum(task.cost for task in tasks)
            self._all = self._bar.add_task(f"0 of {self._count} runs", total=total or 1, note="")
            self._lines: dict[Any, Any] = {}  # task of the bar, by the text of a running task

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        self._say(f"{self._count} runs to do, {self._kept} already in the database")
        return self

    def __exit__(self, *error: Any) -> None:
        if self._bar:
            self._bar.stop()

    def note_whole(self, jobs: Any, why_whole: Callable[..., Any]) -> None:
        """Say which jobs are not coded in pieces; `why_whole` of a job's settings tells why, or None."""
        reasons = {(job.arm, job.config.config): why_whole(job.config) for job in jobs}
        for (arm, config), reason in reasons.items():
            if reason:
                self._say(f"{arm}, {config}: coded in one piece, for {reason}")

    def warming(self) -> None:
        """Kernels are being compiled or loaded."""
        if self._bar:
            self._bar.update(self._all, note="compiling kernels (first run only)")
        else:
            self._say("compiling kernels (first run only)")

    def starts(self, task: Task) -> Task:
        """`task` begins to run; returns it."""
        text = str(task)
        if text not in self._left:
            return task  # done already: on a cluster the news may come late
        self._started[text] = time.monotonic()
        if self._bar:
            self._lines[text] = self._bar.add_task(f"  {text}", total=None, note="")
            self._bar.update(self._all, note=self._note())
        return task

    def ends(self, outcome: Outcome) -> None:
        """A task is done."""
        task, text = outcome.task, str(outcome.task)
        self._done += 1
        self._left.pop(text, None)
        started = self._started.pop(text, None)
        if started is not None and not outcome.error:
            self._rates.add(task, time.monotonic() - started)
        if self._bar:
            if text in self._lines:
                self._bar.remove_task(self._lines.pop(text))
            self._bar.advance(self._all, task.cost)
            self._bar.update(self._all, description=f"{self._done} of {self._count} runs", note=self._note())
        result = f"{outcome.bits} bits, {outcome.psnr_y:.2f} dB, {outcome.seconds:.1f} s"
        if outcome.error:
            result = f"failed: {outcome.error.strip().splitlines()[-1]}"
        self._say(f"{self._done} of {self._count}: {text}: {result}; {self._note()}")

    def _note(self) -> str:
        """What is left, and when it will be done."""
        left = self._count - self._done
        seconds = self._seconds_left()
        if not left or seconds is None:
            return f"{left} left"
        when = datetime.datetime.now() + datetime.timedelta(seconds=seconds)
        return f"{left} left, {len(self._started)} running, ends about {when:%H:%M:%S}"

    def _seconds_left(self) -> float | None:
        """Time until all is done, None before anything is.

        No task is divided among workers, so it lasts at least as long as the longest.
        """
        now = time.monotonic()
        rest = []
        for text in self._left:
            expected = self._rates.expect(self._tasks[text])
            if expected is None:
                return None
            rest.append(max(expected - (now - self._started[text] if text in self._started else 0), 0))
        return max(sum(rest) / self._slots, max(rest, default=0))

    def _say(self, text: str) -> None:
        if self._quiet:
            return
        if self._bar:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)


class _Rates:
    """Seconds per unit of cost, arm by arm: what an arm turns on decides how long it takes."""

    def __init__(self) -> None:
        self._seconds: defaultdict[_Arm | None, float] = defaultdict(float)
        self._costs: defaultdict[_Arm | None, float] = defaultdict(float)

    def add(self, task: Task, seconds: float) -> None:
        """A task took so long."""
        for arm in ((task.job.arm, task.job.config.config), None):
            self._seconds[arm] += seconds
            self._costs[arm] += task.cost

    def expect(self, task: Task) -> float | None:
        """How long a task will take, None if nothing is known yet; an arm without a finished task is as all others."""
        arm: _Arm | None = (task.job.arm, task.job.config.config)
        if arm not in self._costs:
            arm = None
        return task.cost * self._seconds[arm] / self._costs[arm] if self._costs[arm] else None
