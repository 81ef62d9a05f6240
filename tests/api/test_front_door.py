"""`import codecsim` is cheap, and gives what it says."""

import subprocess
import sys

import codecsim
import codecsim.api


def test_names():
    assert codecsim.__all__ == codecsim.api.__all__ == sorted(codecsim.__all__)
    assert set(codecsim.__all__) <= set(dir(codecsim))
    for name in codecsim.__all__:
        assert getattr(codecsim, name) is getattr(codecsim.api, name)
        assert getattr(codecsim, name).__doc__
    assert not hasattr(codecsim, "encoder")


def test_importing_is_cheap():
    code = "import sys, codecsim; assert not {'numba', 'numpy', 'codecsim.api'} & set(sys.modules); codecsim.encode"
    subprocess.run([sys.executable, "-c", code], check=True)
