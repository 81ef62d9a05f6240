"""Passing a tree of namedtuples to kernels as one pointer.

By value, a namedtuple of arrays becomes seven arguments an array, at every call, and LLVM drowns in them.  `bind`
writes the tree once into memory; a kernel that receives the result reads the fields it names, as if it had the
namedtuple.  A field that is itself a namedtuple is again passed on as a pointer.  The tree is constant while bound (its
arrays' elements and its records' fields are not), which lets LLVM keep what it has read.

The memory is laid out as Numba's own value of the namedtuple is, which is how a C compiler lays out a struct.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import PrimitiveModel
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import (
    NativeValue,
    lower_getattr_generic,
    register_model,
    typeof_impl,
    unbox,
)

_BYTES = ir.IntType(8).as_pointer()


class BoundType(types.Type):
    """Numba's type of a bound namedtuple."""

    def __init__(self, fields: Any):
        self.fields = fields  # numba's NamedTuple or NamedUniTuple
        super().__init__(name=f"Bound({fields})")


class Bound:
    """A namedtuple of arrays, records, numbers and further namedtuples, at a fixed address.

    Attributes
    ----------
    value : the namedtuple
    """

    __slots__ = ("_memory", "address", "kind", "value")

    def __init__(self, value: Any):
        self.value = value
        self.kind, layout = _describe(value)
        self._memory = np.array(_contents(value), layout)
        self.address = self._memory.ctypes.data


def bind(value: Any) -> Bound:
    """`Bound` of a namedtuple; a Bound is returned as it is."""
    return value if isinstance(value, Bound) else Bound(value)


_described: dict[Any, tuple[BoundType, np.dtype]] = {}  # by what `_traits` finds; to find it takes milliseconds


def _describe(value: Any) -> tuple[BoundType, np.dtype]:
    """The `BoundType` of a namedtuple, and how it lies in memory."""
    traits = _traits(value)
    found = _described.get(traits)
    if found is None:
        found = _described[traits] = BoundType(typeof_impl(value, _CONTEXT)), _layout(value)
    return found


def _traits(value: Any) -> Any:
    """All that Numba's type of a value depends on."""
    if isinstance(value, tuple):
        return (type(value), *map(_traits, value))
    if isinstance(value, np.ndarray):
        flags = value.flags
        return value.dtype, value.ndim, flags.c_contiguous, flags.f_contiguous, flags.aligned, flags.writeable
    return (type(value), value.dtype) if isinstance(value, np.void) else type(value)


def _layout(value: Any) -> np.dtype:
    """The structure that holds a tree: an array is described as Numba describes it, a record is pointed to."""
    if isinstance(value, tuple):
        return np.dtype([(f"f{k}", _layout(field)) for k, field in enumerate(value)], align=True)
    if isinstance(value, np.ndarray):
        names = ("owner", "parent", "size", "itemsize", "data")
        lengths = [("shape", np.int64, (value.ndim,)), ("strides", np.int64, (value.ndim,))]
        return np.dtype([*((name, np.int64) for name in names), *lengths], align=True)
    return np.dtype(np.int64 if isinstance(value, np.void) else type(value))


def _contents(value: Any) -> Any:
    """What `_layout` has place for.  No kernel asks who owns an array: they count no references."""
    if isinstance(value, tuple):
        return tuple(map(_contents, value))
    if isinstance(value, np.ndarray):
        return 0, 0, value.size, value.itemsize, value.ctypes.data, value.shape, value.strides
    return np.frombuffer(value, np.uint8).ctypes.data if isinstance(value, np.void) else value


class _Context:
    purpose = None


_CONTEXT = _Context()


@typeof_impl.register(Bound)
def _typeof(value: Bound, context: Any) -> BoundType:
    return value.kind


@register_model(BoundType)
class _BoundModel(PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: BoundType):
        super().__init__(dmm, fe_type, _BYTES)


@unbox(BoundType)
def _unbox(kind: BoundType, obj: Any, c: Any) -> NativeValue:
    field = c.pyapi.object_getattr_string(obj, "address")
    address = c.pyapi.long_as_longlong(field)
    c.pyapi.decref(field)
    failed = cgutils.is_not_null(c.builder, c.pyapi.err_occurred())
    return NativeValue(c.builder.inttoptr(address, _BYTES), is_error=failed)


def _field_type(bound: BoundType, name: str) -> Any:
    kind = bound.fields[bound.fields.fields.index(name)]
    return BoundType(kind) if isinstance(kind, types.BaseTuple) else kind


@infer_getattr
class _BoundFields(AttributeTemplate):
    key = BoundType

    def generic_resolve(self, bound: BoundType, name: str) -> Any:
        if name in bound.fields.fields:
            return _field_type(bound, name)
        return None


@lower_getattr_generic(BoundType)
def _get_field(context: Any, builder: Any, kind: BoundType, value: Any, name: str) -> Any:
    index = kind.fields.fields.index(name)
    pointer = builder.bitcast(value, context.get_value_type(kind.fields).as_pointer())
    field = cgutils.gep_inbounds(builder, pointer, 0, index)
    if isinstance(kind.fields[index], types.BaseTuple):
        return builder.bitcast(field, _BYTES)
    # each part of an array's description is loaded for itself, so that what is not used is not read
    return _load(builder, field)


def _load(builder: Any, pointer: Any) -> Any:
    element = pointer.type.pointee
    if isinstance(element, (ir.LiteralStructType, ir.ArrayType)):
        value = ir.Constant(element, ir.Undefined)
        count = len(element.elements) if isinstance(element, ir.LiteralStructType) else element.count
        for k in range(count):
            value = builder.insert_value(value, _load(builder, cgutils.gep_inbounds(builder, pointer, 0, k)), k)
        return value
    loaded = builder.load(pointer)
    loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loaded
