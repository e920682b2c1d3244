"""Numbers that a processor takes at once, for loops over rows that are too short for a compiler to see it.

A compiler takes several numbers of a long row at once by itself. Where every row has some eight numbers it
does not, and its code is several times slower. Here rows are cut into `Lanes`, values of compiled code that
stand for 1, 2, 4, 8 or 16 numbers; arithmetic with them is the processor's own. How many is said by the
length of a tuple, because a compiler knows that: see `lanes_of`.

There are two kinds of arithmetic. `plus`, `minus` and `times` may be regrouped and joined by the compiler.
The operators and `muladd` are done as they stand, so that in a kernel without fast mathematics each bit of an
answer is fixed by its source, whether it was compiled just now, with what, or read from the cache.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.extending import models, overload, register_model

from scalebridge.core.compiled import instructions

_FASTMATH = ("contract", "reassoc", "nsz")  # as core.compiled has it


class Lanes(types.Type):
    """The type of some numbers that are taken at once.

    Args:
        count: how many.
        bits: 64 or 32, of each.
    """

    def __init__(self, count: int, bits: int = 64):
        self.count, self.bits = count, bits
        super().__init__(name=f"Lanes({count}, {bits})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, type_: Lanes):
        super().__init__(manager, type_, _vector(type_.count, type_.bits))


def lanes_of(length: int) -> tuple[int, ...]:
    """Return a tuple as long as the lanes that rows of a length are cut into.

    Example:
        >>> len(lanes_of(2)), len(lanes_of(7)), len(lanes_of(16))
        (2, 1, 8)
    """
    return (0,) * next(count for count in (8, 4, 2, 1) if length % count == 0)


def lanes_of_width(itemsize: int) -> tuple[int, ...]:
    """Return a tuple as long as the lanes of numbers of a size, bytes, that a line of the cache holds.

    Example:
        >>> len(lanes_of_width(4)), len(lanes_of_width(8))
        (16, 8)
    """
    return (0,) * (64 // itemsize)


def _vector(count: int, bits: int) -> ir.VectorType:
    return ir.VectorType(ir.DoubleType() if bits == 64 else ir.FloatType(), count)


@instructions
def load(_context, array, index, lanes):
    """Read lanes from a flat array, from an index on."""

    def generate(context, builder, signature, arguments):
        place = _place(context, builder, signature.args[0], arguments, signature.return_type)
        return builder.load(place, align=signature.return_type.bits // 8)  # rows begin where a number does

    return Lanes(lanes.count, array.dtype.bitwidth)(array, types.intp, lanes), generate


@instructions
def store(_context, array, index, value):
    """Write lanes into a flat array, from an index on."""

    def generate(context, builder, signature, arguments):
        place = _place(context, builder, signature.args[0], arguments[:2], signature.args[2])
        builder.store(arguments[2], place, align=signature.args[2].bits // 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), generate


@instructions
def spread(_context, number, lanes):
    """Return lanes that all have one number."""

    def generate(_target, builder, signature, arguments):
        count = signature.return_type.count
        undefined = ir.Constant(_vector(count, signature.return_type.bits), ir.Undefined)
        first = builder.insert_element(undefined, arguments[0], cgutils.int32_t(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
        return builder.shuffle_vector(first, undefined, zeros)

    return Lanes(lanes.count, number.bitwidth)(number, lanes), generate


@instructions
def widened(_context, value):
    """Return lanes as lanes of float64."""

    def generate(_target, builder, signature, arguments):
        if signature.args[0] == signature.return_type:
            return arguments[0]
        return builder.fpext(arguments[0], _vector(signature.return_type.count, 64))

    return Lanes(value.count)(value), generate


@instructions
def muladd(_context, a, b, c):
    """Return a b + c, rounded once where the processor can."""

    def generate(_target, builder, signature, arguments):
        type_ = arguments[0].type
        name = f"llvm.fmuladd.v{signature.args[0].count}f{signature.args[0].bits}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(type_, [type_] * 3), name)
        return builder.call(function, arguments)

    return a(a, b, c), generate


@instructions
def following(_context, before, value):
    """Return lanes moved up by one place; the last one of `before` comes first."""

    def generate(_target, builder, signature, arguments):
        count = signature.return_type.count
        chosen = ir.Constant(ir.VectorType(ir.IntType(32), count), list(range(count - 1, 2 * count - 1)))
        return builder.shuffle_vector(arguments[0], arguments[1], chosen)

    return value(before, value), generate


@instructions
def plus(_context, a, b):
    """Return a + b."""
    return a(a, b), lambda _target, builder, _sig, given: builder.fadd(*given, flags=_FASTMATH)


@instructions
def minus(_context, a, b):
    """Return a - b."""
    return a(a, b), lambda _target, builder, _sig, given: builder.fsub(*given, flags=_FASTMATH)


@instructions
def times(_context, a, b):
    """Return a b."""
    return a(a, b), lambda _target, builder, _sig, given: builder.fmul(*given, flags=_FASTMATH)


@instructions
def aligned_frame(_context):
    """Have the lanes that registers do not hold kept where lines of the cache begin.

    A compiler keeps them where the stack happens to be, and lanes across two lines take twice as long. To be
    called by the function that all others become part of.
    """

    def generate(_target, builder, signature, arguments):
        line = cgutils.alloca_once(builder, ir.ArrayType(ir.IntType(8), 64))
        line.align = 64
        type_ = ir.FunctionType(ir.VoidType(), [line.type])
        builder.asm(type_, "", "r", [line], side_effect=True)  # does nothing, but is not left out
        return _target.get_dummy_value()

    return types.void(), generate


@instructions
def fetch(_context, array, index):
    """Have the line of the cache of a number brought near, without waiting for it; any index may be given.

    Reads and writes stay on their side of it, because many of these at once wait for each other.
    """

    def generate(context, builder, signature, arguments):
        place = _place(
            context, builder, signature.args[0], arguments, Lanes(1, signature.args[0].dtype.bitwidth)
        )
        place = builder.bitcast(place, ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        type_ = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, type_, "llvm.prefetch.p0i8")
        builder.call(function, [place, number(0), number(3), number(1)])  # to read, into the nearest, data
        builder.asm(ir.FunctionType(ir.VoidType(), []), "", "~{memory}", [], side_effect=True)
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@instructions
def _sum(_context, a, b):
    return a(a, b), lambda _target, builder, _sig, given: builder.fadd(*given)


@instructions
def _difference(_context, a, b):
    return a(a, b), lambda _target, builder, _sig, given: builder.fsub(*given)


@instructions
def _product(_context, a, b):
    return a(a, b), lambda _target, builder, _sig, given: builder.fmul(*given)


@instructions
def _negative(_context, a):
    return a(a), lambda _target, builder, _sig, given: builder.fneg(*given)


def _exact_operator(symbol: Callable[..., Any], compiled: Any) -> None:
    @overload(symbol)
    def typed(a, b):  # pyright: ignore[reportUnusedFunction]
        if not isinstance(a, Lanes):
            return None

        def act(a, b):
            return compiled(a, b)

        return act


_exact_operator(operator.add, _sum)
_exact_operator(operator.sub, _difference)
_exact_operator(operator.mul, _product)


@overload(operator.neg)
def _negate(a):
    if not isinstance(a, Lanes):
        return None

    def act(a):
        return _negative(a)

    return act


def _place(context: Any, builder: Any, array: types.Array, arguments: Any, lanes: Lanes) -> Any:
    data = context.make_array(array)(context, builder, arguments[0]).data
    return builder.bitcast(builder.gep(data, [arguments[1]]), _vector(lanes.count, lanes.bits).as_pointer())
