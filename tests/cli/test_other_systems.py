"""What only POSIX has is not needed: simulated by taking it away."""

import ast
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SOURCES = sorted((ROOT / "codecsim").rglob("*.py"))

# What Windows has not.  What Python itself or a library uses on the system where this test runs stays.
OF_OS = ("fork", "forkpty", "getuid", "getgid", "killpg", "mkfifo", "pread", "pwrite", "sched_getaffinity", "setsid")
OF_SIGNAL = ("SIGALRM", "SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "ITIMER_REAL", "alarm", "setitimer", "pause")
MODULES = ("fcntl", "grp", "pwd", "pty", "resource", "termios", "tty")
NAMES = {"os": {*OF_OS, "register_at_fork", "uname", "nice"}, "signal": {*OF_SIGNAL, "pthread_kill", "SIGCHLD"}}

TAKEN_AWAY = f"""
import os, pathlib, select, signal, subprocess, sys, tempfile
for module, names in ((os, {OF_OS!r}), (signal, {OF_SIGNAL!r})):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
for name in {MODULES!r}:
    sys.modules[name] = None
"""


def run(code, *arguments):
    """Standard output of code in a process that has nothing of POSIX alone."""
    done = subprocess.run(
        [sys.executable, "-c", TAKEN_AWAY + code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_commands_run_without_what_only_posix_has(clip, tmp_path):
    code = "from codecsim import cli\nsys.argv[0] = 'codecsim'\ncli.main()"
    coded, decoded = tmp_path / "s.bin", tmp_path / "d.y4m"
    run(code, "encode", clip, "-o", coded, "--filter", "online", "--quiet")
    run(code, "decode", coded, "-o", decoded, "--threads", "2", "--quiet")
    assert decoded.stat().st_size == clip.stat().st_size
    assert "Tools beyond the standard" in run(code, "info", coded, "--quiet")
    assert "PSNR" in run(code, "metrics", clip, decoded, "--quiet")
    assert "slice_type" in run(code, "trace", coded, "--quiet")


def test_pictures_wait_on_disk_without_pread():
    code = """
import numpy
from codecsim.viewer.store import Store
store = Store()
for k in range(3):
    store.put(k, numpy.full((2, 3), k, numpy.uint16))
    assert (store.get(0) == 0).all()
store.put("text", b"abc")
assert store.get("text") == b"abc" and [int(store.get(k)[1, 2]) for k in range(3)] == [0, 1, 2]
store.close()
"""
    run(code)


def used_without_asking(tree):
    """What a module uses that only POSIX has; a `hasattr` anywhere in it asks."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    asked = {getattr(call.args[1], "value", None) for call in calls if getattr(call.func, "id", "") == "hasattr"}
    for node in ast.walk(tree):
        if getattr(node, "attr", "") in NAMES.get(getattr(getattr(node, "value", None), "id", ""), set()) - asked:
            yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom):
            yield from {*MODULES} & {node.module}
        elif isinstance(node, ast.Import):
            yield from {*MODULES} & {alias.name for alias in node.names}


def texts_in_an_unknown_encoding(tree):
    """Calls that would read or write as the system pleases."""
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("read_text", "write_text")
        if is_text and not any(word.arg == "encoding" for word in node.keywords):
            yield ast.unparse(node)


@pytest.mark.parametrize("offences", [used_without_asking, texts_in_an_unknown_encoding])
def test_no_source_relies_on_the_system(offences):
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES}
    assert {str(path): found for path, tree in trees.items() if (found := [*offences(tree)])} == {}


def test_the_rules_notice():
    tree = ast.parse("import os, fcntl\nos.fork()\npath.read_text()\nos.pread\nhasattr(os, 'pread')")
    assert sorted(used_without_asking(tree)) == ["fcntl", "os.fork"]
    assert [*texts_in_an_unknown_encoding(tree)] == ["path.read_text()"]
