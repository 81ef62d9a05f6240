"""Where nobody records, the calls that name elements are not there."""

import re

import numba
import numpy as np

from codecsim.entropy.cabac import make_coder
from codecsim.entropy.trace import located, named
from codecsim.kernels.binding import bind


def instructions(function, traced):
    """Lines of machine code of a function of (coder, value), without names."""
    coder = bind(make_coder(np.zeros(8, np.uint8), traced=traced))
    compiled = numba.njit(no_cfunc_wrapper=True, _nrt=False)(function)
    compiled(coder, 1)
    (text,) = compiled.inspect_asm().values()
    body = text.split("@function", 1)[1].split(".Lfunc_end0", 1)[0]
    return [re.sub(r"_ZN\S+", "name", line.split("#")[0].strip()) for line in body.splitlines()]


def test_code_with_names_is_that_without():
    def with_names(cd, value):
        located(cd, value << 2, value, 8, 8, -1)
        return named(cd, 3, value)

    def without(cd, value):
        return value

    plain = instructions(without, False)
    assert len(plain) > 3
    assert instructions(with_names, False) == plain
    assert len(instructions(with_names, True)) > 2 * len(plain)


def test_record_keeps_what_fits():
    def many(cd, value):
        for k in range(value):
            cd.record[0].count = 1
            named(cd, 3, k)

    coder = make_coder(np.zeros(8, np.uint8), traced=True)
    numba.njit(many)(coder, len(coder.record) + 5)
    assert coder.record[0].what == len(coder.record) + 5
    assert coder.record[-1].value == len(coder.record) - 2
