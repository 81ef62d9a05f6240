"""The one decorator through which every Numba kernel is declared.

Kernels never allocate: scratch memory is passed in.  That lets reference counting be switched off, so that passing a
namedtuple of thirty arrays costs no atomic operations.

To declare a kernel imports no Numba: commands that run none start fast.
"""

import functools
from collections.abc import Callable
from typing import Any

UNITS: dict[str, "Kernel"] = {}  # those that are called by address, by name


class Kernel:
    """A function that Numba compiles, or loads from its disk cache, when it is called or when a caller is compiled.

    Numba's dispatcher is made no earlier: most kernels of a run are parts of others from the disk cache, and need none.

    Parameters
    ----------
    function : what is compiled
    inline, is_unit, returns : as `kernel` describes them; `returns` is what it calls `recursive`
    """

    def __init__(self, function: Callable[..., Any], inline: bool, is_unit: bool, returns: Any):
        functools.update_wrapper(self, function)
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.py_func = function
        self.inline = inline
        self.is_unit = is_unit
        self.returns = returns
        self._call: Callable[..., Any] | None = None
        if is_unit:
            UNITS[self.name] = self

    def __call__(self, *args: Any) -> Any:
        return (self._call or self._prepare())(*args)

    def _prepare(self) -> Callable[..., Any]:
        from codecsim.kernels import linking

        self._call = linking.callable_of(self)
        return self._call

    @property
    def dispatcher(self) -> Any:
        """Numba's dispatcher."""
        from codecsim.kernels import linking

        return linking.dispatcher_of(self)

    @property
    def _numba_type_(self) -> Any:
        """What Numba takes it for where a kernel calls it."""
        from codecsim.kernels import linking

        return linking.type_of(self)


def kernel(
    function: Callable[..., Any] | None = None, *, inline: bool = False, unit: bool = False, recursive: Any = None
) -> Any:
    """Compile `function` in no-Python mode, cached on disk, without allocation, reference counts or fused arithmetic.

    Parameters
    ----------
    inline : bool
        Ask LLVM to inline every call.  For leaves of a few lines; it multiplies compile time elsewhere.
    unit : bool
        Compile on its own and call by address (see linking): for kernels that do much work a call.
    recursive : Numba type
        What the kernel returns, if it calls itself; such a kernel is a unit.

    Notes
    -----
    A kernel takes scalars, arrays, and (named) tuples of these, releases the interpreter lock, divides as C does, and
    wraps integers modulo their width.
    """
    if function is None:
        return functools.partial(kernel, inline=inline, unit=unit, recursive=recursive)
    return Kernel(function, inline, unit or recursive is not None, recursive)
