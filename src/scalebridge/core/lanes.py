"""Numbers that a processor takes at once, for loops over rows that are too short for a compiler to see it.

A compiler takes several numbers of a long row at once by itself. Where every row has some eight numbers it
does not, and its code is several times slower. Here rows are cut into `Lanes`, values of compiled code that
stand for 1, 2, 4 or 8 numbers; arithmetic with them is the processor's own. How many is said by the length of
a tuple, because a compiler knows that: see `lanes_of`.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import intrinsic, models, register_model

_FASTMATH = ("contract", "reassoc", "nsz")  # as core.compiled has it
_ALIGNED = 8  # bytes: rows begin where a number does


class Lanes(types.Type):
    """The type of some numbers of float64 that are taken at once.

    Args:
        count: how many.
    """

    def __init__(self, count: int):
        self.count = count
        super().__init__(name=f"Lanes({count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, type_: Lanes):
        super().__init__(manager, type_, _vector(type_.count))


def lanes_of(length: int) -> tuple[int, ...]:
    """Return a tuple as long as the lanes that rows of a length are cut into.

    Example:
        >>> len(lanes_of(2)), len(lanes_of(7)), len(lanes_of(16))
        (2, 1, 8)
    """
    return (0,) * next(count for count in (8, 4, 2, 1) if length % count == 0)


def _vector(count: int) -> ir.VectorType:
    return ir.VectorType(ir.DoubleType(), count)


def _compiled(typed: Callable[..., Any]) -> Any:
    """Make a function of compiled code, which is not given the context that its maker is."""
    return intrinsic(typed)


@_compiled
def load(_context, array, index, lanes):
    """Read lanes from a flat array of float64, from an index on."""

    def generate(context, builder, signature, arguments):
        place = _place(context, builder, signature.args[0], arguments, signature.return_type.count)
        return builder.load(place, align=_ALIGNED)

    return Lanes(lanes.count)(array, types.intp, lanes), generate


@_compiled
def store(_context, array, index, value):
    """Write lanes into a flat array of float64, from an index on."""

    def generate(context, builder, signature, arguments):
        place = _place(context, builder, signature.args[0], arguments[:2], signature.args[2].count)
        builder.store(arguments[2], place, align=_ALIGNED)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), generate


@_compiled
def spread(_context, number, lanes):
    """Return lanes that all have one number."""

    def generate(_target, builder, signature, arguments):
        count = signature.return_type.count
        undefined = ir.Constant(_vector(count), ir.Undefined)
        first = builder.insert_element(undefined, arguments[0], cgutils.int32_t(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
        return builder.shuffle_vector(first, undefined, zeros)

    return Lanes(lanes.count)(types.float64, lanes), generate


@_compiled
def plus(_context, a, b):
    """Return a + b."""
    return a(a, b), lambda _target, builder, _sig, given: builder.fadd(*given, flags=_FASTMATH)


@_compiled
def minus(_context, a, b):
    """Return a - b."""
    return a(a, b), lambda _target, builder, _sig, given: builder.fsub(*given, flags=_FASTMATH)


@_compiled
def times(_context, a, b):
    """Return a b."""
    return a(a, b), lambda _target, builder, _sig, given: builder.fmul(*given, flags=_FASTMATH)


def _place(context: Any, builder: Any, array: types.Array, arguments: Any, count: int) -> Any:
    data = context.make_array(array)(context, builder, arguments[0]).data
    return builder.bitcast(builder.gep(data, [arguments[1]]), _vector(count).as_pointer())
