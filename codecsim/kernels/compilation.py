"""Watching Numba compile: the first run on a machine waits for it, so it must be seen and not be counted as coding."""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

_KIND = "numba:compile"  # not sent for what the disk cache holds


class CompilationWatch:
    """Counts kernels and seconds.

    Attributes
    ----------
    kernels : int, compiled so far
    seconds, cpu_seconds : float, spent on them so far, without the one that is being compiled
    """

    def __init__(self, on_kernel: Callable[[str], None]):
        self.kernels = 0
        self.seconds = self.cpu_seconds = 0.0
        self._on_kernel = on_kernel
        self._depth = 0
        self._started = self._cpu_started = 0.0

    def notify(self, event: Any) -> None:
        """Take an event of Numba: the compilation of a kernel starts or ends."""
        if event.is_start:
            if self._depth == 0:
                self._started, self._cpu_started = time.perf_counter(), time.process_time()
            self._depth += 1
            self._on_kernel(getattr(event.data["dispatcher"], "__name__", "kernel"))
        elif event.is_end:
            self._depth -= 1
            self.kernels += 1
            if self._depth == 0:
                self.seconds += time.perf_counter() - self._started
                self.cpu_seconds += time.process_time() - self._cpu_started


@contextlib.contextmanager
def watch_compilation(on_kernel: Callable[[str], None] = lambda name: None) -> Iterator[CompilationWatch]:
    """Call `on_kernel(name)` when the compilation of a kernel starts; kernels may nest."""
    from numba.core import event

    event.Listener.register(CompilationWatch)
    watch = CompilationWatch(on_kernel)
    event.register(_KIND, watch)
    try:
        yield watch
    finally:
        event.unregister(_KIND, watch)
