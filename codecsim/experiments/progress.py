"""What a campaign is doing: what runs, what is left, when it ends. On standard error."""

import datetime
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class CampaignProgress:
    """A bar and the running jobs on a terminal, a line a finished job elsewhere. Use as a context manager.

    Parameters
    ----------
    jobs : list of jobs.Job that will run
    kept : int, how many more are already in the database
    """

    def __init__(self, jobs, kept):
        self._count, self._kept = len(jobs), kept
        self._cost = sum(job.cost for job in jobs)
        self._done = self._done_cost = 0
        self._any, self._started = False, time.monotonic()
        self._bar = None
        if sys.stderr.isatty():
            self._bar = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.fields[note]}"),
                console=Console(stderr=True),
                transient=True,
            )
            self._all = self._bar.add_task(f"0 of {self._count} runs", total=self._cost or 1, note="")
            self._running = {}  # task of the bar, by the job's text

    def __enter__(self):
        if self._bar:
            self._bar.start()
        self._say(f"{self._count} runs to do, {self._kept} already in the database")
        return self

    def __exit__(self, *error):
        if self._bar:
            self._bar.stop()

    def warming(self):
        """Kernels are being compiled or loaded."""
        if self._bar:
            self._bar.update(self._all, note="compiling kernels (first run only)")
        else:
            self._say("compiling kernels (first run only)")

    def starts(self, job):
        """`job` begins to run; returns it."""
        if not self._any:
            self._any, self._started = True, time.monotonic()  # without the time to compile kernels
            if self._bar:
                self._bar.update(self._all, note="")
        if self._bar:
            self._running[str(job)] = self._bar.add_task(f"  {job}", total=None, note="")
        return job

    def ends(self, outcome):
        """A job is done."""
        job = outcome.job
        self._done += 1
        self._done_cost += job.cost
        left = self._count - self._done
        if self._bar:
            self._bar.remove_task(self._running.pop(str(job)))
            self._bar.update(self._all, completed=self._done_cost, description=f"{self._done} of {self._count} runs")
            self._bar.update(self._all, note=f"{left} left{self._end()}")
        result = f"{outcome.bits} bits, {outcome.psnr_y:.2f} dB, {outcome.seconds:.1f} s"
        if outcome.error:
            result = f"failed: {outcome.error.strip().splitlines()[-1]}"
        self._say(f"{self._done} of {self._count}: {job}: {result}; {left} left{self._end()}")

    def _end(self):
        """When the rest will be done, if the rest goes on at the rate so far."""
        rest = (time.monotonic() - self._started) * (self._cost / self._done_cost - 1)
        when = datetime.datetime.now() + datetime.timedelta(seconds=rest)
        return f", ends about {when:%H:%M:%S}" if self._done < self._count else ""

    def _say(self, text):
        if self._bar:
            self._bar.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)
