"""Kernels that are compiled once and called by address.

Numba copies the code of every callee into every caller and optimises it there again, so compile time grows with the
depth of the call tree.  A kernel marked as a unit is left out of that: its callers call it through a pointer.  The
pointer's place in memory is known to LLVM by name, so callers can live in the disk cache; when a caller is loaded from
there, the units that it calls are loaded before.
"""

import contextlib
import ctypes
import hashlib
import os
import pathlib
import pickle
import tempfile

from llvmlite import binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils, sigutils, typing
from numba.core.compiler_lock import global_compiler_lock
from numba.core.datamodel.models import OpaqueModel
from numba.core.errors import TypingError
from numba.core.imputils import lower_constant
from numba.extending import register_model, typeof_impl

_units = {}  # by name
_in_progress = set()  # (name, argument types) of the kernels now being compiled
_callers = []  # for each kernel now being compiled: the (unit name, argument types) it needs
_POINTER = ir.IntType(8).as_pointer()


class UnitType(types.Callable, types.Opaque):
    """Numba's type of a unit."""

    def __init__(self, name):
        self.unit_name = name
        super().__init__(f"Unit({name})")

    def get_call_type(self, context, args, kws):
        if kws:
            raise TypingError(f"{self.unit_name} takes no keyword arguments in kernels")
        return _units[self.unit_name].signature(tuple(_widen(a) for a in args))

    def get_call_signatures(self):
        return tuple(cres.signature for cres in _units[self.unit_name].dispatcher.overloads.values()), False

    def get_impl_key(self, signature):
        return _units[self.unit_name].implementation(signature)


class Unit:
    """A compiled kernel that kernels call by address and Python calls as usual.

    Parameters
    ----------
    dispatcher : Numba's dispatcher
    returns : Numba type, only of a kernel that calls itself.  (Numba's own recursion is lost in its disk cache.)
    """

    def __init__(self, dispatcher, returns=None):
        function = dispatcher.py_func
        self.returns = returns
        self.dispatcher = dispatcher
        self.name = f"{function.__module__}.{function.__qualname__}"
        self.kind = UnitType(self.name)
        self._cells = {}  # by argument types: the memory that holds the address
        self._keys = {}
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__module__ = function.__module__
        self.py_func = function
        _units[self.name] = self

    def __call__(self, *args, **kwargs):
        if self.returns is not None:  # its calls to itself need the address
            self.provide(tuple(_widen(self.dispatcher.typeof_pyval(arg)) for arg in args))
        return self.dispatcher(*args, **kwargs)

    def signature(self, args):
        """Compile for argument types and make the address known; returns the signature."""
        if (self.name, args) in _in_progress:
            if self.returns is None:
                raise TypingError(f"{self.name} calls itself: its return type must be declared")
            self._cell(args)
            return typing.signature(self.returns, *args)
        result = self.provide(args)
        need(self.name, args)
        return result

    def provide(self, args):
        """Have the address for argument types in its cell."""
        self.dispatcher.compile(args)
        cres = self.dispatcher.overloads[args]
        if self.returns not in (None, cres.signature.return_type):
            raise TypingError(f"{self.name} returns {cres.signature.return_type}, {self.returns} was declared")
        self._cell(args).value = cres.library.get_pointer_to_function(cres.fndesc.llvm_func_name)
        return cres.signature

    def expect(self, args):
        """The code that is about to be loaded may call itself."""
        if self.returns is not None:
            self._cell(args)

    def _cell(self, args):
        """The memory that holds the address for argument types, known to LLVM from the first call on."""
        cell = self._cells.get(args)
        if cell is None:
            cell = self._cells[args] = ctypes.c_void_p()
            llvm.add_symbol(self.symbol(args), ctypes.addressof(cell))
        return cell

    def symbol(self, args):
        """Name by which LLVM knows the cell."""
        digest = hashlib.sha256(str(args).encode()).hexdigest()[:16]
        return f"codecsim.{self.name}.{digest}"

    def implementation(self, signature):
        """Key of the code that calls the unit."""
        key = self._keys.get(signature.args)
        if key is None:
            key = self._keys[signature.args] = (self.name, signature.args)
            from numba.core.registry import cpu_target

            cpu_target.target_context.insert_func_defn([(self._lower_call, key, signature.args)])
        return key

    def _lower_call(self, context, builder, signature, args):
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


def _widen(kind):
    """Argument type of a unit: every integer is an int64, so that callers share one version."""
    kind = types.unliteral(kind)
    return types.int64 if isinstance(kind, (types.Integer, types.Boolean)) else kind


@typeof_impl.register(Unit)
def _typeof_unit(value, context):
    return value.kind


@register_model(UnitType)
class _UnitModel(OpaqueModel):
    pass


@lower_constant(UnitType)
def _lower_unit(context, builder, kind, value):
    return context.get_dummy_value()


def need(name, args):
    """Note that the kernel being compiled calls a unit."""
    if _callers:
        _callers[-1].add((name, args))


def track(dispatcher):
    """Remember beside a kernel's disk cache which units it calls, and load them before it."""
    compile_exact = dispatcher.compile
    needs_of = {}

    @global_compiler_lock
    def compile(signature):
        arguments, _ = sigutils.normalize_signature(signature)
        # Numba would compile anew for every literal that some caller passes.
        widen = _widen if _name(dispatcher) in _units else types.unliteral
        arguments = tuple(widen(argument) for argument in arguments)
        if arguments in needs_of:
            result = compile_exact(arguments)
        else:
            needs = _load(dispatcher, arguments)
            if needs is None:
                needs, result = _compile_anew(dispatcher, compile_exact, arguments)
            else:
                unit = _units.get(_name(dispatcher))
                if unit is not None:
                    unit.expect(arguments)
                for name, args in needs:
                    _units[name].provide(args)
                # Numba compiles here if its own cache is for another processor, or older than the source's time stamp.
                _, result = _compile(dispatcher, compile_exact, arguments)
            needs_of[arguments] = needs
        if _name(dispatcher) not in _units:
            for name, args in needs_of[arguments] or ():
                need(name, args)
        return result

    dispatcher.compile = compile
    return dispatcher


def _compile_anew(dispatcher, compile_exact, arguments):
    """Compile without the disk cache, which may hold the kernel but not what it calls."""
    cache = dispatcher._cache
    cache.load_overload = lambda signature, context: None
    try:
        needs, result = _compile(dispatcher, compile_exact, arguments)
    finally:
        del cache.load_overload
    _save(dispatcher, arguments, needs)
    return needs, result


def _compile(dispatcher, compile_exact, arguments):
    """(units it calls, result); nothing is called where the result is from the disk cache."""
    _callers.append(set())
    _in_progress.add((_name(dispatcher), arguments))
    try:
        result = compile_exact(arguments)
    finally:
        _in_progress.discard((_name(dispatcher), arguments))
        needs = tuple(sorted(_callers.pop(), key=str))
    return needs, result


def _name(dispatcher):
    return f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__qualname__}"


def _path(dispatcher, arguments):
    folder = getattr(dispatcher._cache, "cache_path", None)
    if folder is None:
        return None
    name = f"{dispatcher.py_func.__qualname__}-{hashlib.sha256(str(arguments).encode()).hexdigest()[:24]}.units"
    return pathlib.Path(folder) / name


def _load(dispatcher, arguments):
    """Units that a kernel in the disk cache calls, or None where that is not known."""
    path = _path(dispatcher, arguments)
    try:
        return pickle.loads(path.read_bytes()) if path else None
    except (OSError, EOFError, pickle.UnpicklingError, AttributeError, ImportError):
        return None


def _save(dispatcher, arguments, needs):
    path = _path(dispatcher, arguments)
    if path is None:
        return
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(pickle.dumps(needs))
        os.replace(file.name, path)
