"""Kernels that are compiled once and called by address.

Numba copies the code of every callee into every caller and optimises it there again, so compile time grows with the
depth of the call tree.  A kernel marked as a unit is left out of that: its callers call it through a pointer.  The
pointer's place in memory is known to LLVM by name, so callers can live in the disk cache; when a caller is loaded from
there, the units that it calls are loaded before.
"""

import contextlib
import ctypes
import functools
import hashlib
import os
import pathlib
import pickle
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numba
import numba.core.config
from llvmlite import binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils, sigutils, typing
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.datamodel.models import OpaqueModel
from numba.core.errors import TypingError
from numba.core.imputils import lower_constant
from numba.extending import register_model

from codecsim.kernels.jit import UNITS, Kernel
from codecsim.kernels.sources import BOUNDSCHECK, cache_folder

Arguments = tuple[Any, ...]  # Numba's types of the arguments of a call
Needs = tuple[tuple[str, Arguments], ...]  # units that a kernel calls, by name and argument types

_dispatchers: dict[Kernel, Any] = {}
_units: dict[str, "Unit"] = {}  # by name
_in_progress: set[tuple[str, Arguments]] = set()  # (name, argument types) of the kernels now being compiled
_callers: list[set[tuple[str, Arguments]]] = []  # for each kernel now being compiled: the units it needs
_POINTER = ir.IntType(8).as_pointer()


def dispatcher_of(kernel: Kernel) -> Any:
    """Numba's dispatcher of a kernel; of one outside the package it uses no disk cache."""
    found = _dispatchers.get(kernel)
    if found is not None:
        return found
    with global_compiler_lock:
        if kernel not in _dispatchers:
            folder = cache_folder(kernel.__module__)
            previous, numba.core.config.CACHE_DIR = numba.core.config.CACHE_DIR, str(folder or "")
            try:
                dispatcher = numba.njit(
                    cache=folder is not None,
                    boundscheck=BOUNDSCHECK,
                    nogil=True,
                    error_model="numpy",
                    no_cfunc_wrapper=True,
                    forceinline=kernel.inline,
                    _nrt=False,
                )(kernel.py_func)
            finally:
                numba.core.config.CACHE_DIR = previous
            _dispatchers[kernel] = _track(dispatcher, kernel)
    return _dispatchers[kernel]


def callable_of(kernel: Kernel) -> Any:
    """What a call from Python calls."""
    return dispatcher_of(kernel) if kernel.returns is None else _unit(kernel.name)


def type_of(kernel: Kernel) -> Any:
    """Numba's type of a kernel."""
    return _unit(kernel.name).kind if kernel.is_unit else types.Dispatcher(dispatcher_of(kernel))


def _unit(name: str) -> "Unit":
    found = _units.get(name)
    if found is None:
        with global_compiler_lock:
            found = _units.setdefault(name, Unit(UNITS[name]))
    return found


class UnitType(types.Callable, types.Opaque):
    """Numba's type of a unit."""

    def __init__(self, name: str):
        self.unit_name = name
        super().__init__(f"Unit({name})")

    def get_call_type(self, context: Any, args: Arguments, kws: Any) -> Any:
        if kws:
            raise TypingError(f"{self.unit_name} takes no keyword arguments in kernels")
        return _unit(self.unit_name).signature(tuple(_widen(a) for a in args))

    def get_call_signatures(self) -> tuple[tuple[Any, ...], bool]:
        overloads = UNITS[self.unit_name].dispatcher.overloads
        return tuple(cres.signature for cres in overloads.values()), False

    def get_impl_key(self, signature: Any) -> tuple[str, Arguments]:
        return _unit(self.unit_name).implementation(signature)


class Unit:
    """A kernel that kernels call by address.

    Attributes
    ----------
    kernel : the Kernel, whose `returns` is None unless it calls itself.  (Numba's own recursion is lost in its cache.)
    kind : Numba's type of it
    """

    def __init__(self, kernel: Kernel):
        self.kernel = kernel
        self.name = kernel.name
        self.returns = kernel.returns
        self.kind = UnitType(kernel.name)
        self._cells: dict[tuple, ctypes.c_void_p] = {}  # by argument types: the memory that holds the address
        self._keys: dict[tuple, tuple] = {}

    def __call__(self, *args: Any) -> Any:
        """Call one that calls itself: for that it needs its address."""
        dispatcher = self.kernel.dispatcher
        self.provide(tuple(_widen(dispatcher.typeof_pyval(arg)) for arg in args))
        return dispatcher(*args)

    def signature(self, args: Arguments) -> Any:
        """Compile for argument types and make the address known; returns the signature."""
        if (self.name, args) in _in_progress:
            if self.returns is None:
                raise TypingError(f"{self.name} calls itself: its return type must be declared")
            self._cell(args)
            return typing.signature(self.returns, *args)
        result = self.provide(args)
        need(self.name, args)
        return result

    def provide(self, args: Arguments) -> Any:
        """Have the address for argument types in its cell."""
        self.kernel.dispatcher.compile(args)
        cres = self.kernel.dispatcher.overloads[args]
        if self.returns not in (None, cres.signature.return_type):
            raise TypingError(f"{self.name} returns {cres.signature.return_type}, {self.returns} was declared")
        self._cell(args).value = cres.library.get_pointer_to_function(cres.fndesc.llvm_func_name)
        return cres.signature

    def expect(self, args: Arguments) -> None:
        """The code that is about to be loaded may call itself."""
        if self.returns is not None:
            self._cell(args)

    def _cell(self, args: Arguments) -> ctypes.c_void_p:
        """The memory that holds the address for argument types, known to LLVM from the first call on."""
        cell = self._cells.get(args)
        if cell is None:
            cell = self._cells[args] = ctypes.c_void_p()
            llvm.add_symbol(self.symbol(args), ctypes.addressof(cell))
        return cell

    def symbol(self, args: Arguments) -> str:
        """Name by which LLVM knows the cell."""
        digest = hashlib.sha256(str(args).encode()).hexdigest()[:16]
        return f"codecsim.{self.name}.{digest}"

    def implementation(self, signature: Any) -> tuple[str, Arguments]:
        """Key of the code that calls the unit."""
        key = self._keys.get(signature.args)
        if key is None:
            key = self._keys[signature.args] = (self.name, signature.args)
            from numba.core.registry import cpu_target

            cpu_target.target_context.insert_func_defn([(self._lower_call, key, signature.args)])
        return key

    def _lower_call(self, context: Any, builder: Any, signature: Any, args: Any) -> Any:
        name = self.symbol(signature.args)
        module = builder.module
        cell = module.globals.get(name) or ir.GlobalVariable(module, _POINTER, name)
        address = builder.load(cell)
        address.set_metadata("invariant.load", module.add_metadata([]))
        kind = context.call_conv.get_function_type(signature.return_type, signature.args)
        function = builder.bitcast(address, kind.as_pointer())
        status, value = context.call_conv.call_function(builder, function, signature.return_type, signature.args, args)
        with cgutils.if_unlikely(builder, status.is_error):
            context.call_conv.return_status_propagate(builder, status)
        return value


def _widen(kind: Any) -> Any:
    """Argument type of a unit: every integer is an int64, so that callers share one version."""
    kind = types.unliteral(kind)
    return types.int64 if isinstance(kind, (types.Integer, types.Boolean)) else kind


@register_model(UnitType)
class _UnitModel(OpaqueModel):
    pass


@lower_constant(UnitType)
def _lower_unit(context: Any, builder: Any, kind: UnitType, value: Any) -> Any:
    return context.get_dummy_value()


def need(name: str, args: Arguments) -> None:
    """Note that the kernel being compiled calls a unit."""
    if _callers:
        _callers[-1].add((name, args))


def _track(dispatcher: Any, kernel: Kernel) -> Any:
    """Remember beside a kernel's disk cache which units it calls, and load them before it."""
    compile_exact = dispatcher.compile
    needs_of: dict[Arguments, Needs] = {}
    cache = dispatcher._cache
    if hasattr(cache, "_load_overload"):
        cache.load_overload = functools.partial(_load_overload, cache)
    # Numba would compile anew for every literal that some caller passes.
    widen = _widen if kernel.is_unit else types.unliteral

    @global_compiler_lock
    def compile(signature: Any) -> Any:
        arguments, _ = sigutils.normalize_signature(signature)
        arguments = tuple(widen(argument) for argument in arguments)
        if arguments in needs_of:
            result = compile_exact(arguments)
        else:
            needs_of[arguments], result = load_or_compile(arguments)
        if not kernel.is_unit:
            for name, args in needs_of[arguments]:
                need(name, args)
        return result

    def load_or_compile(arguments: Arguments) -> tuple[Needs, Any]:
        needs = _load(dispatcher, arguments)
        if needs is None:
            with _alone(dispatcher, arguments):
                needs = _load(dispatcher, arguments)
                if needs is None:
                    return _compile_anew(dispatcher, compile_exact, arguments)
        if kernel.is_unit:
            _unit(kernel.name).expect(arguments)
        for name, args in needs:
            _unit(name).provide(args)
        # Numba compiles here if its own cache is for another processor, or older than the source's time stamp.
        return needs, _compile(dispatcher, compile_exact, arguments)[1]

    dispatcher.compile = compile
    return dispatcher


class _CachedLibrary(JITCodeLibrary):
    """Code from the disk cache.  Its bitcode is not read before a caller is compiled that wants it."""

    _bitcode: bytes
    _shared_module: Any

    @classmethod
    def _unserialize(cls, codegen: Any, state: tuple[str, str, tuple[bytes, bytes]]) -> "_CachedLibrary":
        name, kind, (code, bitcode) = state
        assert kind == "object"
        library = codegen.create_library(name)
        library._bitcode = bitcode
        library.enable_object_caching()
        library._set_compiled_object(code)
        library._finalize_final_module()
        return library

    def _get_module_for_linking(self) -> Any:
        if self._shared_module is None:
            self._shared_module = llvm.parse_bitcode(self._bitcode)
            self._codegen._engine._load_defined_symbols(self._shared_module)
        return self._shared_module

    def get_pointer_to_function(self, name: str) -> int:
        return self._codegen._engine.get_function_address(name)


def _load_overload(cache: Any, signature: Arguments, target_context: Any) -> Any:
    """What the disk cache holds, without Numba's preparations for compiling, which take half a second."""
    codegen = target_context.codegen()
    usual, codegen._library_class = codegen._library_class, _CachedLibrary
    try:
        with cache._guard_against_spurious_io_errors():
            return cache._load_overload(signature, target_context)
    finally:
        codegen._library_class = usual


@contextlib.contextmanager
def _alone(dispatcher: Any, arguments: Arguments) -> Iterator[None]:
    """While one process compiles a kernel, others that want it wait, and then find it in the disk cache.

    No two wait for each other: while a process compiles a kernel it waits for kernels that this one calls.
    """
    path = _path(dispatcher, arguments)
    if path is None:
        yield
        return
    import filelock

    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a folder that cannot be written to
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(filelock.FileLock(path.with_suffix(".lock")))
        yield


def _compile_anew(
    dispatcher: Any, compile_exact: Callable[[Arguments], Any], arguments: Arguments
) -> tuple[Needs, Any]:
    """Compile without the disk cache, which may hold the kernel but not what it calls."""
    cache = dispatcher._cache
    usual = cache.load_overload
    cache.load_overload = lambda signature, context: None
    try:
        needs, result = _compile(dispatcher, compile_exact, arguments)
    finally:
        cache.load_overload = usual
    _save(dispatcher, arguments, needs)
    return needs, result


def _compile(dispatcher: Any, compile_exact: Callable[[Arguments], Any], arguments: Arguments) -> tuple[Needs, Any]:
    """(units it calls, result); nothing is called where the result is from the disk cache."""
    _callers.append(set())
    _in_progress.add((_name(dispatcher), arguments))
    try:
        result = compile_exact(arguments)
    finally:
        _in_progress.discard((_name(dispatcher), arguments))
        needs = tuple(sorted(_callers.pop(), key=str))
    return needs, result


def _name(dispatcher: Any) -> str:
    return f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__qualname__}"


def _path(dispatcher: Any, arguments: Arguments) -> pathlib.Path | None:
    folder = getattr(dispatcher._cache, "cache_path", None)
    if folder is None:
        return None
    name = f"{dispatcher.py_func.__qualname__}-{hashlib.sha256(str(arguments).encode()).hexdigest()[:24]}.units"
    return pathlib.Path(folder) / name


def _load(dispatcher: Any, arguments: Arguments) -> Needs | None:
    """Units that a kernel in the disk cache calls, or None where that is not known."""
    path = _path(dispatcher, arguments)
    try:
        return pickle.loads(path.read_bytes()) if path else None
    except (OSError, EOFError, pickle.UnpicklingError, AttributeError, ImportError):
        return None


def _save(dispatcher: Any, arguments: Arguments, needs: Needs) -> None:
    path = _path(dispatcher, arguments)
    if path is None:
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(pickle.dumps(needs))
        os.replace(file.name, path)
