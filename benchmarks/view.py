"""How long `codecsim view` takes to open a CIF stream, and to step, in a real browser.

    python benchmarks/view.py
    python benchmarks/view.py --clips FOLDER --clip NAME --frames 60 --qp 27

Opening: from the start of the command to the first picture on the screen, in a browser that runs already. Kernels are
compiled before. Stepping: from the key to the picture on the screen, told by the page; once everything is decoded, with
and without overlays, to the next picture (which the page has asked for ahead) and across the stream (which it has not).
On a busy machine the CPU time that the command takes until the first picture says more than the clock.
"""

import argparse
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import measuring

from codecsim.errors import ConfigError

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPEN_SECONDS, STEP_MS = 3.0, 100.0  # to reach
OVERLAYS = "utvb"  # keys of CU, TU, vectors and bits


def main(arguments):
    """Measure and print the table; returns the exit status."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise ConfigError(f"no browser: expected one of {', '.join(BROWSERS)} on the path")
    out = measuring.Report(arguments, "Looking into a stream")
    watched, waiting = {}, os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        source = measuring.default_clip(arguments)
        clip = measuring.cif_clip(source, folder, arguments.frames)
        for mode in ("off", "online"):
            stream = pathlib.Path(folder) / f"{mode}.bin"
            options = ("--qp", arguments.qp, "--filter", mode, "--preset", "fast")
            measuring.codecsim("encode", clip, "-o", stream, *options, "--quiet")
            watched[mode] = watch([stream, "--source", clip], browser)
        both = [pathlib.Path(folder) / f"{mode}.bin" for mode in ("off", "online")]
        watched["both side by side"] = watch([*both, "--source", clip], browser)
    columns = ("filter", "first picture, s", "its CPU time, s", "all decoded, s", "step, ms", "with overlays", "jump")
    of = f"{source.stem} at CIF, {arguments.frames} pictures, QP {arguments.qp}"
    out.table(of, (*columns, "peak MB"), [(what, *found.cells()) for what, found in watched.items()])
    for what, found in watched.items():
        name = f"view, {what}, first picture"
        out.keep(of, "s", "lower", {name: found.opened, f"{name}, by CPU time": found.busy})
        out.keep(of, "MB", "lower", {f"view, {what}, memory": found.peak})
    load = f"Other work kept {waiting:.0f} processes on {os.cpu_count()} processors when this began."
    out.say("", load, f"Steps are median / largest. To reach: {OPEN_SECONDS:.0f} s and {STEP_MS:.0f} ms.")
    out.save()
    return 0


class Watched(NamedTuple):
    """What the browser saw."""

    opened: float  # seconds to the first picture
    busy: float  # the same of CPU time
    loaded: float  # seconds until everything was decoded
    steps: list  # median / largest in ms: steps, steps with overlays, jumps
    peak: float  # MB

    def cells(self):
        """The figures as the table has them."""
        return f"{self.opened:.2f}", f"{self.busy:.2f}", f"{self.loaded:.1f}", *self.steps, f"{self.peak:.0f}"


def watch(arguments, browser):
    """Let a browser step through what `codecsim view` shows; returns a Watched."""
    from playwright.sync_api import sync_playwright

    command = [sys.executable, "-m", "codecsim", "view", "--no-browser", "--quiet", *map(str, arguments)]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = running.new_page(viewport={"width": 1440, "height": 900})
        page.goto("about:blank")
        for again in (True, False):  # once to compile kernels and to fill the system's caches
            started = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            try:
                page.goto(process.stdout.readline().split()[0])
                shown(page, 0)
                opened, busy = time.perf_counter() - started, cpu_seconds(process.pid)
                if again:
                    continue
                page.wait_for_selector("html[data-finished=true]", state="attached", timeout=600_000)
                loaded = time.perf_counter() - started
                last = int(page.evaluate("document.documentElement.dataset.decoded").split(",")[0]) - 1
                figures = [steps(page, range(1, last + 1)), "", jumps(page, last)]
                page.keyboard.press("Home")
                shown(page, 0)
                for key in OVERLAYS:
                    page.keyboard.press(key)
                figures[1] = steps(page, range(1, last + 1))
                peak = re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())
            finally:
                process.terminate()
                process.wait()
        running.close()
    return Watched(opened, busy, loaded, figures, int(peak[1]) / 1024)


def cpu_seconds(pid):
    """What processors have spent on a process."""
    times = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return sum(map(int, times)) / os.sysconf("SC_CLK_TCK")


def steps(page, places):
    """Median and largest time to show one picture after the other, in ms."""
    return summary(shown(page, place, lambda: page.keyboard.press("ArrowRight")) for place in places)


def jumps(page, last):
    """The same for pictures far apart, by clicks into the timeline."""
    box = page.locator("#timeline").bounding_box()
    left, right, widest = 54, 46, 40  # see timeline.js
    step = min((box["width"] - left - right) / (last + 1), widest)

    def jump(place):
        return lambda: page.mouse.click(box["x"] + left + (place + 0.5) * step, box["y"] + 5)

    places = [(20 + 23 * k) % last for k in range(8)]
    return summary(shown(page, place, jump(place)) for place in places)


def summary(times):
    """Median and largest."""
    times = list(times)
    return f"{statistics.median(times):.0f} / {max(times):.0f}"


def shown(page, place, act=lambda: None):
    """Do something, wait until the picture is on the screen; returns the time that the page says it took, in ms."""
    act()
    page.wait_for_selector(f"html[data-shown='{place}']", state="attached", timeout=120_000)
    return float(page.evaluate("document.documentElement.dataset.stepMs || 0"))


def parse(words=None):
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    measuring.clip_options(parser)
    measuring.output_option(parser)
    parser.add_argument("--frames", type=measuring.positive, default=60)
    parser.add_argument("--qp", type=int, default=27)
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(measuring.guarded(main, parse()))
