"""Passing a tree of namedtuples to kernels as one pointer.

By value, a namedtuple of arrays becomes seven arguments an array, at every call, and LLVM drowns in them.  `bind`
writes the tree once into memory; a kernel that receives the result reads the fields it names, as if it had the
namedtuple.  A field that is itself a namedtuple is again passed on as a pointer.  The tree is constant while bound (its
arrays' elements and its records' fields are not), which lets LLVM keep what it has read.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import PrimitiveModel
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import (
    NativeValue,
    intrinsic,
    lower_getattr_generic,
    register_model,
    typeof_impl,
    unbox,
)

from codecsim.kernels.jit import kernel

_BYTES = ir.IntType(8).as_pointer()


class BoundType(types.Type):
    """Numba's type of a bound namedtuple."""

    def __init__(self, fields):
        self.fields = fields  # numba's NamedTuple or NamedUniTuple
        super().__init__(name=f"Bound({fields})")


class Bound:
    """A namedtuple of arrays, records, numbers and further namedtuples, at a fixed address.

    Attributes
    ----------
    value : the namedtuple
    """

    __slots__ = ("_memory", "address", "kind", "value")

    def __init__(self, value):
        self.value = value
        self.kind = _kind(value)
        self._memory = np.zeros(_size(value), np.uint8)
        self.address = self._memory.ctypes.data
        _place(value, self.address)


def bind(value):
    """`Bound` of a namedtuple; a Bound is returned as it is."""
    return value if isinstance(value, Bound) else Bound(value)


_kinds = {}  # by what `_traits` finds; Numba takes a millisecond to find the type of a large tree


def _kind(value):
    """The `BoundType` of a namedtuple."""
    traits = _traits(value)
    kind = _kinds.get(traits)
    if kind is None:
        kind = _kinds[traits] = BoundType(typeof_impl(value, _CONTEXT))
    return kind


def _traits(value):
    """All that Numba's type of a value depends on."""
    if isinstance(value, tuple):
        return (type(value), *map(_traits, value))
    if isinstance(value, np.ndarray):
        flags = value.flags
        return value.dtype, value.ndim, flags.c_contiguous, flags.f_contiguous, flags.aligned, flags.writeable
    if isinstance(value, np.record):
        return np.record, value.dtype
    return type(value)


def _size(value):
    """Bytes that are enough for the tree: an array takes 5 + 2 * ndim words."""
    if isinstance(value, tuple):
        return 8 + sum(_size(field) for field in value)
    return 8 * (5 + 2 * value.ndim) if isinstance(value, np.ndarray) else 8


class _Context:
    purpose = None


_CONTEXT = _Context()


@typeof_impl.register(Bound)
def _typeof(value, context):
    return value.kind


@register_model(BoundType)
class _BoundModel(PrimitiveModel):
    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, _BYTES)


@unbox(BoundType)
def _unbox(kind, obj, c):
    field = c.pyapi.object_getattr_string(obj, "address")
    address = c.pyapi.long_as_longlong(field)
    c.pyapi.decref(field)
    failed = cgutils.is_not_null(c.builder, c.pyapi.err_occurred())
    return NativeValue(c.builder.inttoptr(address, _BYTES), is_error=failed)


def _field_type(bound, name):
    kind = bound.fields[bound.fields.fields.index(name)]
    return BoundType(kind) if isinstance(kind, types.BaseTuple) else kind


@infer_getattr
class _BoundFields(AttributeTemplate):
    key = BoundType

    def generic_resolve(self, bound, name):
        if name in bound.fields.fields:
            return _field_type(bound, name)
        return None


@lower_getattr_generic(BoundType)
def _get_field(context, builder, kind, value, name):
    index = kind.fields.fields.index(name)
    pointer = builder.bitcast(value, context.get_value_type(kind.fields).as_pointer())
    field = cgutils.gep_inbounds(builder, pointer, 0, index)
    if isinstance(kind.fields[index], types.BaseTuple):
        return builder.bitcast(field, _BYTES)
    # each part of an array's description is loaded for itself, so that what is not used is not read
    return _load(builder, field)


def _load(builder, pointer):
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


@intrinsic
def _store_at(typingctx, value, address):
    def codegen(context, builder, signature, args):
        kind = context.get_value_type(signature.args[0])
        builder.store(args[0], builder.inttoptr(args[1], kind.as_pointer()))
        return context.get_dummy_value()

    return types.void(value, address), codegen


@kernel(any_type=True)
def _place(value, address):
    """Write the namedtuple at `address`."""
    _store_at(value, address)
