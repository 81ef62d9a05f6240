"""Figures of the benchmarks over time: each a JSON line with what was measured, by which version, on which machine.

    python -m benchmarks history                         all figures, the newest against those before
    python -m benchmarks history "speed.*online" --all   every measurement of some
    python -m benchmarks history --check                 exit status 1 if a figure has become worse

A figure is compared with the median of up to five earlier ones of the same name, setting and machine; BD-rates, which
no machine changes, with those of any. It counts as worse when the ratio passes a limit: 1.005 for the rate of a
BD-rate, 1.05 for memory, 1.15 for times and speeds, which an idle machine too repeats to some percent only.
"""

import argparse
import datetime
import functools
import json
import pathlib
import platform
import re
import statistics
import subprocess
import sys

import codecsim
from codecsim.errors import FormatError
from codecsim.experiments.database import sources_digest
from codecsim.experiments.machine import processor, software
from codecsim.formats.output import output_errors

HERE = pathlib.Path(__file__).parent
HISTORY = HERE / "results" / "history.jsonl"
BD_RATE = "% BD-rate"
LIMITS = {BD_RATE: 1.005, "MB": 1.05}  # ratio from which a figure is worse, by unit
USUAL_LIMIT = 1.15
MEMORY = 5  # earlier measurements that a figure is compared with
NEEDED = ("figure", "of", "value", "unit", "better", "date", "sources", "commit", "changed", "machine")


@functools.cache
def provenance():
    """What measures, and where: version, digest of the coding sources, commit, machine, system, software."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!benchmarks/results")
    return {
        "version": codecsim.__version__,
        "sources": sources_digest(),
        "commit": commit,
        "changed": None if commit is None else bool(changes),  # whether files differ from the commit
        "machine": processor(),
        "system": platform.platform(),
        "software": software(),
    }


def described(found):
    """`provenance()` as a line of text."""
    commit = "no commit" if found["commit"] is None else f"commit {found['commit']}"
    changed = " with changes" if found["changed"] else ""
    version = f"codecsim {found['version']}, sources {found['sources']}, {commit}{changed}"
    return f"{version}; {found['machine']}; {found['system']}; {found['software']}"


def _git(*words):
    """What git says of this checkout, None where it is none."""
    try:
        done = subprocess.run(["git", *words], cwd=HERE.parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def keep(path, figures):
    """Append figures to a history.

    Parameters
    ----------
    path : of the file
    figures : list of dicts with figure, of, value, unit, better ('lower' or 'higher')

    Raises
    ------
    FormatError : the file cannot be written
    """
    date = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    lines = [json.dumps(figure | {"date": date} | provenance()) + "\n" for figure in figures]
    path = pathlib.Path(path)
    with output_errors(str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a") as file:
            file.write("".join(lines))


def read(path):
    """Figures of a history, oldest first.

    Raises
    ------
    FormatError : unreadable, or a line is no figure
    """
    try:
        lines = pathlib.Path(path).read_text().splitlines()
    except OSError as error:
        raise FormatError(f"{path}: cannot be read ({error.strerror})") from error
    found = []
    for number, line in enumerate(lines, 1):
        try:
            figure = json.loads(line)
        except ValueError:
            figure = None
        if not isinstance(figure, dict) or any(name not in figure for name in NEEDED):
            raise FormatError(f"{path}, line {number}: is no figure of the benchmarks")
        found.append(figure)
    return found


def series(figures):
    """Measurements that can be compared with each other, oldest first, by (figure, of, machine); BD-rates by any."""
    found = {}
    for figure in figures:
        machine = None if figure["unit"] == BD_RATE else figure["machine"]
        found.setdefault((figure["figure"], figure["of"], machine), []).append(figure)
    return found


def worsening(measured):
    """By what factor the newest of a series is worse than the median of those before; None for the first.

    Below 1 it is better. That of a BD-rate is the ratio of rates.
    """
    *earlier, newest = measured
    if not earlier:
        return None
    old = statistics.median(figure["value"] for figure in earlier[-MEMORY:])
    new = newest["value"]
    if newest["unit"] == BD_RATE:
        old, new = 100 + old, 100 + new
    if old <= 0 or new <= 0:
        return None
    return new / old if newest["better"] == "lower" else old / new


def is_worse(measured, limit=None):
    """Whether the newest of a series has become worse by more than the limit of its unit, or by more than `limit`."""
    ratio = worsening(measured)
    return ratio is not None and ratio > (limit or LIMITS.get(measured[-1]["unit"], USUAL_LIMIT))


def main(words=None):
    """Print the history; returns the exit status."""
    arguments = parse(words)
    figures = [f for f in read(arguments.history) if arguments.pattern.search(f"{f['figure']}, {f['of']}")]
    print("| figure | of | value | against before | commit | date |", "| --- | --- | --- | --- | --- | --- |", sep="\n")
    worse = 0
    for measured in series(figures).values():
        shown = range(1, len(measured) + 1) if arguments.all else [len(measured)]
        for count in shown:
            print(row(measured[:count], arguments.limit))
        worse += is_worse(measured, arguments.limit)
    if worse:
        print(f"\n{worse} figures have become worse.")
    return 1 if worse and arguments.check else 0


def row(measured, limit):
    """Line of the table for the newest of a series."""
    newest, ratio = measured[-1], worsening(measured)
    told = "first" if len(measured) == 1 else "-" if ratio is None else f"{ratio:.3f} x"
    told += " **worse**" if is_worse(measured, limit) else ""
    commit = f"{newest['commit'] or '-'}{' + changes' if newest['changed'] else ''}"
    value = f"{newest['value']:.4g} {newest['unit']}"
    return "| " + " | ".join([newest["figure"], newest["of"], value, told, commit, newest["date"][:10]]) + " |"


def parse(words=None):
    """Arguments of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks history", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    told = "regular expression of the figures to show"
    parser.add_argument("pattern", nargs="?", type=pattern, default="", help=told)
    parser.add_argument("--all", action="store_true", help="show every measurement, not only the newest")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a figure has become worse")
    parser.add_argument("--limit", type=float, metavar="RATIO", help="from which a figure is worse, whatever its unit")
    parser.add_argument("--history", default=str(HISTORY), metavar="FILE.jsonl", help="default: %(default)s")
    return parser.parse_args(words)


def pattern(text):
    """A regular expression of the command line."""
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression ({error})") from None


if __name__ == "__main__":
    from measuring import guarded  # which needs this module

    sys.exit(guarded(main, None))
