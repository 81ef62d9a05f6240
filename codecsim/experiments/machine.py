"""The machine that figures are of."""

import os
import pathlib
import platform

import numpy as np


def processor() -> str:
    """Name and count of the machine's processors."""
    name = platform.machine()
    if os.path.exists("/proc/cpuinfo"):
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), name)
    return f"{os.cpu_count()} x {name}"


def software() -> str:
    """Versions of what computes."""
    import numba

    return f"Python {platform.python_version()}, Numba {numba.__version__}, NumPy {np.__version__}"
