"""Run a benchmark and keep its results: `python -m benchmarks NAME [options of the benchmark]`.

The tables go to benchmarks/results/NAME.md, the figures to benchmarks/results/history.jsonl; `--output` and `--history`
say otherwise. `python -m benchmarks history` shows the figures over time.
"""

import ast
import pathlib
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
        return subprocess.run([sys.executable, HERE / "history.py", *rest], check=False).returncode
    if name not in SCRIPTS:
        print(f"benchmarks: error: no {name!r}; there are {', '.join((*SCRIPTS, 'history'))}", file=sys.stderr)
        return 2
    kept = {
        "--output": HERE / OUTPUTS.get(name, f"results/{name}.md"),
        "--history": HERE / "results" / "history.jsonl",
    }
    for option, path in kept.items():
        if not any(word == option or word.startswith(f"{option}=") for word in rest):
            rest += [option, str(path)]
    return subprocess.run([sys.executable, HERE / SCRIPTS[name], *rest], check=False).returncode


def first_line(script):
    """First line of a script's docstring."""
    return ast.get_docstring(ast.parse(script.read_text())).splitlines()[0]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
