"""What the benchmarks share: clips, runs in fresh processes, tables, kept results."""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time
from typing import NamedTuple

import cv2
import history
import numpy as np

from codecsim.errors import CodecError
from codecsim.formats.output import atomic_output, check_output
from codecsim.formats.video import create_video, open_video
from codecsim.picture.planes import Frame
from codecsim.resources import bundled_clip

CIF = (352, 288)
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


class Report:
    """Prints Markdown: what was run, by which version, where, and the tables. `save` keeps all of it.

    Parameters
    ----------
    arguments : with `output` and `history`, paths of the Markdown and of the figures over time, or None
    title : str
    """

    def __init__(self, arguments, title):
        self._path = arguments.output
        self._history = arguments.history
        self._lines, self._figures = [], []
        # Where files are does not matter, and is nobody's business.
        given = shlex.join(pathlib.Path(word).name if os.path.isabs(word) else word for word in sys.argv)
        self.say(f"# {title}", "", f"`{given}`, {datetime.date.today()}", "", history.described(history.provenance()))

    def say(self, *lines):
        """Add lines of text."""
        print(*lines, sep="\n", flush=True)
        self._lines += lines

    def table(self, title, columns, rows):
        """Add a table; numbers as they should be read, None as a dash."""
        cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
        lines = ["| " + " | ".join(row) + " |" for row in [list(columns), ["---"] * len(columns), *cells]]
        self.say("", title, "", *lines)

    def show(self, table):
        """Add a table of codecsim.experiments.tables, with its warnings."""
        self.say("", table.title, "", *table.markdown())

    def keep(self, of, unit, better, figures):
        """Add figures for the history.

        Parameters
        ----------
        of : str, with what they were measured: clip, pictures, settings
        unit : str
        better : 'lower' or 'higher'
        figures : dict of name to number; None is left out
        """
        shared = {"of": of, "unit": unit, "better": better}
        self._figures += [
            {"figure": name, "value": value} | shared for name, value in figures.items() if value is not None
        ]

    def save(self):
        """Write the file that was asked for, in place of what it held, and append the figures to the history.

        Raises
        ------
        FormatError : one of them cannot be written
        """
        if self._path:
            with atomic_output(self._path) as file:
                file.write(("\n".join(self._lines) + "\n").encode())
        if self._history and self._figures:
            history.keep(self._history, self._figures)


def output_option(parser):
    """Option that says where the figures are kept."""
    told = "keep what is printed, at the end and in place of what the file holds"
    parser.add_argument("--output", type=output_file, metavar="FILE.md", help=told)
    told = "append the figures to this history, see history.py"
    parser.add_argument("--history", type=output_file, metavar="FILE.jsonl", help=told)


def output_file(text):
    """A file of the command line that can be written, so that no measurement is made in vain."""
    try:
        check_output(text)
    except CodecError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def find_clip(folder, name):
    """Path of clip `name` in a folder, whatever its suffix."""
    found = sorted(pathlib.Path(folder).glob(f"{name}.*"))
    if not found:
        raise SystemExit(f"no clip {name}.* in {folder}")
    return found[0]


def cif_clip(path, folder, frames):
    """Write `frames` pictures of a clip, looped forwards and backwards, scaled to CIF, as y4m; returns its path.

    Walking back and forth keeps the motion smooth where the clip is shorter than `frames`.
    """
    target = pathlib.Path(folder) / f"cif_{frames}.y4m"
    with open_video(path) as video:
        pictures = [scaled(frame, CIF) for frame, _ in zip(video.frames, range(frames), strict=False)]
        video_format = dataclasses.replace(video.format, width=CIF[0], height=CIF[1])
    walk = pictures + pictures[-2:0:-1]
    with create_video(target, video_format) as write:
        for i in range(frames):
            write(walk[i % len(walk)])
    return target


def scaled(frame, size):
    """`frame` at another size (width, height), both even; itself where it has that size."""
    width, height = size
    if frame.y.shape == (height, width):
        return frame
    sizes = (size, (width // 2, height // 2), (width // 2, height // 2))
    shrinks = frame.y.shape[1] >= width
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return Frame(
        *(cv2.resize(np.ascontiguousarray(p), s, interpolation=method) for p, s in zip(frame, sizes, strict=True))
    )


def default_clip(arguments):
    """The clip that --clips and --clip name, or the bundled one."""
    return find_clip(arguments.clips, arguments.clip) if arguments.clips else bundled_clip()


def clip_options(parser):
    """Options that say which clip to use."""
    parser.add_argument("--clips", help="folder with clips; without it the bundled clip is used")
    parser.add_argument("--clip", default="vtest_384x288_ds2", help="name of a clip in that folder")


def positive(text):
    """A number above 0 of the command line."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def core(text):
    """A CPU core of the command line that this process may use."""
    number = int(text)
    if number not in os.sched_getaffinity(0):
        raise ValueError(text)
    return number


def core_option(parser):
    """Option that says on which CPU core to measure."""
    parser.add_argument("--core", type=core, metavar="N", help="pin to this CPU core")


def guarded(command, arguments):
    """Exit status of `command(arguments)`; an error that the user can act on is one line, an interruption too."""
    name = pathlib.Path(sys.argv[0]).stem
    try:
        return command(arguments)
    except CodecError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{name}: stopped", file=sys.stderr)
        return 130


class Run(NamedTuple):
    """A finished process."""

    output: str  # standard output
    seconds: float  # from start to end
    cpu_seconds: float  # of all its threads: what it would take on an idle machine, but for waiting
    peak_bytes: int  # maximum resident set


def codecsim(*arguments, environment=None, core=None):
    """Run the command line in a fresh process with one thread.

    Parameters
    ----------
    core : int, optional; the one CPU core that the process may use

    Returns
    -------
    Run
    """
    pinned = ["taskset", "-c", str(core)] if core is not None else []
    return run(
        [*pinned, sys.executable, "-m", "codecsim", *arguments], env=os.environ | ONE_THREAD | (environment or {})
    )


def run(command, **settings):
    """Run a command to its end; `settings` are those of subprocess.Popen.

    Returns
    -------
    Run
    """
    command = list(map(str, command))
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **settings)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    seconds = time.perf_counter() - started
    return Run(output, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def coded(*arguments, **settings):
    """The result of `codecsim ARGUMENTS --json`."""
    return json.loads(codecsim(*arguments, "--json", "--quiet", **settings).output)
