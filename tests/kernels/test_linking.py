"""Kernels called by address: compiled once, found again by later processes, and right whatever the disk cache lost."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from numba import types
from numba.core.errors import TypingError

from codecsim.kernels.compilation import watch_compilation
from codecsim.kernels.jit import kernel

ROOT = pathlib.Path(__file__).parents[2]


@kernel(unit=True)
def triple(x):
    return 3 * x


@kernel(unit=True)
def twice_triple(x):
    return triple(x) + triple(x)


@kernel
def call_triple(x):
    return triple(x)


@kernel
def call_from_afar(x):
    return call_triple(x) + twice_triple(x)


@pytest.mark.parametrize("value", [True, np.uint8(200), np.int16(-5), 7, np.int64(2**40)], ids=repr)
def test_integers_of_all_widths_share_one_version(value):
    assert call_triple(value) == triple(value) == 3 * int(value)
    assert call_from_afar(value) == 9 * int(value)
    for unit in (triple, twice_triple):
        assert [str(args) for args in unit.dispatcher.overloads] == ["(int64,)"]


def test_other_types_have_their_own_versions():
    @kernel(unit=True)
    def half(x):
        return x / 2

    @kernel
    def call(x):
        return half(x)

    assert [call(3), call(1.5), call(np.float32(0.5)), half(np.float32(3))] == [1.5, 0.75, 0.25, 1.5]
    assert len(half.dispatcher.overloads) == 3


def test_a_unit_is_compiled_once():
    @kernel(unit=True)
    def unit(x):
        return x + 1

    @kernel
    def one(x):
        return unit(x) + unit(np.uint8(x))

    @kernel
    def two(x):
        return unit(x > 3)

    names = []
    with watch_compilation(names.append):
        assert one(4) == 10
        assert two(4) == 2
        assert [unit(True), unit(np.uint8(255)), unit(2)] == [2, 256, 3]
    assert sorted(names) == ["one", "two", "unit"]


@kernel(recursive=types.int64)
def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)


@kernel
def call_factorial(n):
    return factorial(n)


def test_recursion():
    assert factorial(np.uint8(10)) == call_factorial(10) == 3628800


def test_recursion_must_say_what_it_returns():
    with pytest.raises(TypingError, match="calls itself: its return type must be declared"):
        _undeclared(3)
    with pytest.raises(TypingError, match="returns int64, float64 was declared"):
        _declared_wrongly(3)


@kernel(unit=True)
def _undeclared(n):
    return n if n < 1 else _undeclared(n - 1)


@kernel(recursive=types.float64)
def _declared_wrongly(n):
    if n > 1:
        _declared_wrongly(n - 1)
    return n


def test_no_keyword_arguments_inside_kernels():
    @kernel
    def call(x):
        return triple(x=x)

    with pytest.raises(TypingError, match="no keyword arguments"):
        call(1)


@kernel(unit=True)
def _refuse(x):
    if x > 2:
        raise ValueError("more than two")
    return x


@kernel
def _pass_on(x):
    return _refuse(x) + 1


def test_exceptions_come_through():
    assert _pass_on(2) == 3
    with pytest.raises(ValueError, match="more than two"):
        _pass_on(3)


def test_arrays_are_changed_in_place():
    array = np.arange(6, dtype=np.int16).reshape(2, 3)
    _call_fill(array, 5)
    np.testing.assert_array_equal(array, [[0, 0, 0], [5, 5, 5]])


@kernel(unit=True)
def _fill(array, row, value):
    for i in range(array.shape[1]):
        array[row, i] = value


@kernel
def _call_fill(array, value):
    _fill(array, 1, value)
    _fill(array, False, 0)


def run_probe(code, *arguments, **environment):
    """What a fresh process prints, read as JSON."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


CODEC_PROBE = """
import io, json
from codecsim.kernels.compilation import watch_compilation
names = []
with watch_compilation(names.append):
    from codecsim.codec.config import EncoderConfig
    from codecsim.codec.decoder import decode
    from codecsim.codec.encoder import encode
    from tests.conformance.clips import make_clip
    config = EncoderConfig("ldp", 30, preset="fast", filter="online")
    pictures = list(encode(config, *make_clip("texture", 72, 40, 3)))
    data = b"".join(picture.data for picture in pictures)
    assert len(list(decode(io.BytesIO(data)))) == 3
print(json.dumps([names, len(data)]))
"""


def test_second_process_compiles_nothing():
    _, size = run_probe(CODEC_PROBE)
    assert run_probe(CODEC_PROBE) == [[], size]


# A kernel, `luma_satd`, and the one unit that it calls, `satd`.
CALLER_PROBE = """
import json, typing, numpy
from codecsim.kernels.binding import bind
from codecsim.kernels.compilation import watch_compilation
from codecsim.picture.planes import Planes
from codecsim.search.state import luma_satd

class Source(typing.NamedTuple):
    orig: Planes

plane = numpy.arange(256, dtype=numpy.uint16).reshape(16, 16) ** 2 % 251
source = bind(Source(Planes(plane, plane, plane)))
other = numpy.zeros((16, 16), numpy.uint16)
names = []
with watch_compilation(names.append):
    found = luma_satd(source, 0, 0, other, 0, 0, 8, 8)
print(json.dumps([sorted(set(names) & {"luma_satd", "satd"}), int(found)]))
"""


def test_whatever_the_cache_lost(tmp_path):
    def run():
        return run_probe(CALLER_PROBE, CODECSIM_CACHE_DIR=str(tmp_path))

    def files(pattern):
        found = list(tmp_path.rglob(pattern))
        assert found, pattern
        return found

    names, wanted = run()
    assert names == ["luma_satd", "satd"]
    assert run() == [[], wanted]
    for path in files("*.satd-*.nb?"):
        path.unlink()
    assert run() == [["satd"], wanted]
    for path in files("*.luma_satd-*.nb?"):
        path.unlink()
    assert run() == [["luma_satd"], wanted]
    for path in files("luma_satd-*.units"):
        path.unlink()
    assert run() == [["luma_satd"], wanted]
    for content in (b"", b"nonsense"):
        for path in files("*.units"):
            path.write_bytes(content)
        assert run()[1] == wanted
    assert run() == [[], wanted]


def test_processes_do_not_compile_the_same(tmp_path):
    """Those that begin together: what one compiles the others wait for."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CODECSIM_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", CALLER_PROBE]
    started = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    found = [json.loads(process.communicate(timeout=600)[0]) for process in started]
    assert sorted(name for names, _ in found for name in names) == ["luma_satd", "satd"]
    assert len({wanted for _, wanted in found}) == 1
