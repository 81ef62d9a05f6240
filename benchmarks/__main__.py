"""Run a benchmark: `python -m benchmarks NAME [--keep[=TABLE]] [options of the benchmark]`.

It prints its tables. With `--keep` they also replace benchmarks/results/NAME.md, with `--keep=TABLE` TABLE.md there,
and the figures are appended to benchmarks/results/history.jsonl; `--output` and `--history` name other files. What is
interrupted keeps nothing. `python -m benchmarks history` shows the figures over time.
"""

import ast
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).parent
SCRIPTS = {
    "kernels": "kernels.py",
    "engine": "engine.py",
    "speed": "speed.py",
    "memory": "memory.py",
    "cold-start": "cold_start.py",
    "host": "rd.py",
    "learned": "learned.py",
    "scene-cut": "scene_cut.py",
    "view": "view.py",
    "report": "report.py",
    "sweep": "sweep.py",
    "loop-places": "loop_places.py",
    "presets": "presets.py",
    "x265": "against_x265.py",
}
OUTPUTS = {"learned": "learned.md", "presets": "presets.md", "cold-start": "results/cold_start.md"}


def main(words):
    """Run what the words of the command line name; returns its exit status."""
    if not words or words[0] in ("-h", "--help"):
        print(__doc__)
        for name, script in SCRIPTS.items():
            print(f"  {name:12}{first_line(HERE / script)}")
        print(f"  {'history':12}{first_line(HERE / 'history.py')}")
        return 0
    name, *rest = words
    if name == "history":
        return run("history.py", rest)
    if name not in SCRIPTS:
        print(f"benchmarks: error: no {name!r}; there are {', '.join((*SCRIPTS, 'history'))}", file=sys.stderr)
        return 2
    try:
        options = kept_options(name, rest)
    except ValueError as error:
        print(f"benchmarks: error: {error}", file=sys.stderr)
        return 2
    return run(SCRIPTS[name], options)


def run(script, words):
    """Exit status of a script of this folder."""
    try:
        return subprocess.run([sys.executable, HERE / script, *words], check=False).returncode
    except KeyboardInterrupt:  # which the script has got too, and tells
        return 130


def kept_options(name, words):
    """Options of a benchmark's script: `--keep` among `words` is replaced by the files that it stands for.

    Raises
    ------
    ValueError : --keep=TABLE is no name of a table
    """
    asked = [word for word in words if word == "--keep" or word.startswith("--keep=")]
    words = [word for word in words if word not in asked]
    if not asked:
        return words
    kept = {"--output": HERE / OUTPUTS.get(name, f"results/{name}.md"), "--history": HERE / "results/history.jsonl"}
    _, named, table = asked[-1].partition("=")
    if named:
        if not re.fullmatch(r"[\w-]+", table):
            raise ValueError(f"--keep={table}: expected the name of a table, of letters, digits, _ and -")
        kept["--output"] = HERE / "results" / f"{table}.md"
    for option, path in kept.items():
        if not any(word == option or word.startswith(f"{option}=") for word in words):
            words += [option, str(path)]
    return words


def first_line(script):
    """First line of a script's docstring."""
    return ast.get_docstring(ast.parse(script.read_text())).splitlines()[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
