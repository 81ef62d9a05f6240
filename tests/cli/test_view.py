"""`codecsim view` as a user runs it: an address, a page, an end."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from codecsim.cli import run
from codecsim.codec.config import EncoderConfig
from tests.conformance.clips import make_clip
from tests.conformance.runs import run_encoder


@pytest.fixture(scope="module")
def stream(clip, tmp_path_factory):
    path = tmp_path_factory.mktemp("view") / "clip.bin"
    assert run(["encode", str(clip), "-o", str(path), "--filter", "off", "--preset", "fast", "-q", "30"]) == 0
    return str(path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_it_is_stopped(stream, clip, number):
    command = [sys.executable, "-m", "codecsim", "view", stream, "--source", str(clip), "--no-browser"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
        # Tests that a shell runs in the background pass on that interruptions are ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        address = process.stdout.readline().split()[0]
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{address}api/about", timeout=30) as response:
            assert json.load(response)["streams"] == [stream]
        with urllib.request.urlopen(f"{address}api/streams/0/pictures/0/error.png", timeout=30) as response:
            assert response.read().startswith(b"\x89PNG")
        process.send_signal(number)
        output = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert "Traceback" not in output[1] and "error" not in output[1]


def test_what_cannot_be_shown(stream, clip, tmp_path, capsys):
    other = tmp_path / "other.bin"
    config = EncoderConfig("ai", 40, filter="off", preset="fast")
    other.write_bytes(run_encoder(config, make_clip("flat", 16, 16, 1)).data)
    for arguments, status, text in (
        (["missing.bin"], 1, "missing.bin: cannot be read"),
        ([str(clip)], 1, "no start code"),
        ([stream, "--source", "missing.y4m"], 1, "missing.y4m: cannot be read"),
        ([stream, str(other)], 2, "only equal sizes can be compared"),
        ([str(other), "--source", str(clip)], 1, "is 34x18"),
        ([stream, "--source", "-"], 2, "must be a file"),
    ):
        assert run(["view", "--no-browser", *arguments]) == status, arguments
        captured = capsys.readouterr()
        assert captured.out == "" and text in captured.err
        assert sum("error" in line for line in captured.err.splitlines()) == 1


def test_a_port_that_is_taken(stream, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(["view", stream, "--no-browser", "--port", str(port)]) == 2
    assert f"port {port}: cannot be used" in capsys.readouterr().err
