"""Formulas in the temperature as text, read by a small grammar and never run as code.

Allowed are numbers, numbers with a unit ("70 GPa", "0.05 GPa/K"), T, pi, + - * / **, brackets, and the
functions named here. Units are turned into SI; T is in kelvin. Units have to agree but for the temperature's,
so that "210 GPa * (1 - 2e-4 * (T - 293.15))" is as good as "210 GPa - 0.042 GPa/K * (T - 293.15 K)".
"""

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import jax.numpy as jnp

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import PhaseError
from scalebridge.core.units import registry
from scalebridge.io.stored import nearest

FUNCTIONS: dict[str, Callable] = {
    "exp": jnp.exp,
    "log": jnp.log,
    "log10": jnp.log10,
    "sqrt": jnp.sqrt,
    "tanh": jnp.tanh,
    "sin": jnp.sin,
    "cos": jnp.cos,
    "abs": jnp.abs,
    "minimum": jnp.minimum,
    "maximum": jnp.maximum,
}
_PLAIN = {"abs", "minimum", "maximum"}  # keep their arguments' unit
_NAMES = "|".join(["T", "pi", *FUNCTIONS])
_WORD = rf"(?!(?:{_NAMES})\b)[A-Za-zµ°%]+(?:\^-?\d+|\*\*-?\d+)?"
_NUMBER = r"(?<![\w.])(?>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"  # atomic: 2e-4 is never 2 and a unit e
_QUANTITY = re.compile(rf"({_NUMBER})\s*(?:(1/{_WORD}(?:[*/]{_WORD})*)|({_WORD}(?:[*/]{_WORD})*)|(/{_WORD}))")
_LONGEST = 1000
_CURE = "write for example '210 GPa * (1 - 2.3e-4 * (T - 293.15))', or give a table"
_BINARY: dict[type, Callable] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.Pow: lambda a, b: a**b,
}
Dimension = dict[str, float] | None
"""Powers of base units without temperature; None for a bare number, which agrees with any."""


@dataclass(frozen=True, eq=False)
class Expression:
    """A formula in the temperature.

    Args:
        text: as it was written.
        unit: the unit its values are wanted in, SI.

    Raises:
        PhaseError: not a formula of this grammar, or of another unit.

    Example:
        >>> float(Expression("210 GPa * (1 - 2e-4*(T - 300))", "Pa", "young")(400.0))
        205800000000.0
    """

    text: str
    unit: str
    argument: str = "expression"

    def __post_init__(self):
        tree, quantities = _parsed(self.text, self.argument)
        scales = {name: _scale(number, unit, self) for name, (number, unit) in quantities.items()}
        values = {name: value for name, (value, _) in scales.items()}
        found = _dimension(tree, {name: dimension for name, (_, dimension) in scales.items()}, self)
        wanted = _without_temperature(registry().Quantity(1.0, "" if self.unit == "1" else self.unit))
        if found is not None and found != wanted:
            raise self.refuse("units that come to another dimension", f"a value in {self.unit}")
        object.__setattr__(self, "_evaluate", _compiled(tree, values, self))

    def __call__(self, temperature: Any) -> Any:
        """Return the value at a temperature in kelvin; differentiable."""
        return cast("Any", self)._evaluate(jnp.asarray(temperature, dtype=float))

    def refuse(self, said: str, wanted: str) -> PhaseError:
        """Return a refusal of this formula."""
        return PhaseError(self.argument, got=f"{self.text!r}: {said}", wanted=wanted, cure=_CURE)


def is_expression(text: str) -> bool:
    """Whether a text is meant as a formula: it has the temperature T as a word of its own."""
    return re.search(r"(?<![\w.])T(?!\w)", text) is not None


def _parsed(text: str, argument: str) -> tuple[ast.expr, dict[str, tuple[float, str]]]:
    """Replace quantities by names, and parse."""
    quantities: dict[str, tuple[float, str]] = {}

    def named(match: re.Match) -> str:
        number, inverse, plain, over = match.groups()
        name = f"_q{len(quantities)}"
        quantities[name] = (float(number), inverse or plain or f"1{over}")
        return f"({name})"

    try:
        if len(text) > _LONGEST:
            raise SyntaxError(f"longer than {_LONGEST} characters")
        return ast.parse(_QUANTITY.sub(named, text.strip()), mode="eval").body, quantities
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise PhaseError(
            argument, got=f"{text!r}, which cannot be read", wanted="a formula in T", cure=_CURE
        ) from error


def _scale(number: float, unit: str, formula: Expression) -> tuple[float, Dimension]:
    try:
        quantity = registry().Quantity(number, unit.replace("degC", "delta_degC").replace("°C", "delta_degC"))
        return float(quantity.to_base_units().magnitude), _without_temperature(quantity)
    except Exception as error:  # pint raises many kinds
        raise formula.refuse(f"{unit!r} is no unit", "known units") from error


def _without_temperature(quantity: Any) -> dict[str, float]:
    return {base: float(power) for base, power in quantity.dimensionality.items() if base != "[temperature]"}


def _dimension(node: ast.expr, known: dict[str, Dimension], formula: Expression) -> Dimension:
    """Return the dimension of a part of the formula, temperature left out; refuse sums that do not agree."""
    match node:
        case ast.Name(id=name):
            return known.get(name)  # T and pi are bare numbers
        case ast.UnaryOp(operand=operand):
            return _dimension(operand, known, formula)
        case ast.Call(func=ast.Name(id=name), args=parts):
            return _of_call(name, [_dimension(part, known, formula) for part in parts], formula)
        case ast.BinOp(left=left, op=op, right=right):
            return _of_operation(op, left, right, known, formula)
    return None


def _of_call(name: str, found: list[Dimension], formula: Expression) -> Dimension:
    if name in _PLAIN:
        return _agreed(found, formula)
    if name == "sqrt":
        return _power(found[0], 0.5) if found else None
    if any(found):
        raise formula.refuse(f"{name} of a quantity with a unit", "a bare number in it")
    return None


def _of_operation(
    op: ast.operator, left: ast.expr, right: ast.expr, known: dict[str, Dimension], formula: Expression
) -> Dimension:
    first, second = _dimension(left, known, formula), _dimension(right, known, formula)
    if isinstance(op, ast.Add | ast.Sub):
        return _agreed([first, second], formula)
    if isinstance(op, ast.Pow):
        if not first:
            return first
        if not isinstance(right, ast.Constant) or not isinstance(right.value, int | float):
            raise formula.refuse("a power of a quantity that is no plain number", "a number as the exponent")
        return _power(first, float(right.value))
    if first is None and second is None:
        return None
    sign = 1.0 if isinstance(op, ast.Mult) else -1.0
    joined = dict(first or {})
    for base, power in (second or {}).items():
        joined[base] = joined.get(base, 0.0) + sign * power
    return {base: power for base, power in joined.items() if power}


def _agreed(found: list[Dimension], formula: Expression) -> Dimension:
    known = [dimension for dimension in found if dimension is not None]
    if any(dimension != known[0] for dimension in known) or (known and known[0] and len(known) < len(found)):
        raise formula.refuse("terms of different units are added", "the same kind of unit in every term")
    return known[0] if known else None


def _power(dimension: Dimension, exponent: float) -> Dimension:
    return None if dimension is None else {base: power * exponent for base, power in dimension.items()}


def _compiled(node: ast.expr, values: dict[str, float], formula: Expression) -> Callable[[Any], Any]:
    """Turn the syntax tree into a function of T; whatever is not in the grammar is refused."""
    match node:
        case ast.Constant(value=bool() | str() | bytes() | complex() | None):
            raise formula.refuse(f"{ast.unparse(node)} in a formula", "numbers")
        case ast.Constant(value=int() | float() as number):
            constant = float(number)
            return lambda _: constant
        case ast.Name(id=name):
            return _variable(name, values, formula)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=operand):
            inner, sign = _compiled(operand, values, formula), -1.0 if isinstance(op, ast.USub) else 1.0
            return lambda T: sign * inner(T)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            act, one, two = (
                _BINARY[type(op)],
                _compiled(left, values, formula),
                _compiled(right, values, formula),
            )
            return lambda T: act(jnp.asarray(one(T)), two(T))
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if name in FUNCTIONS:
            inside = [_compiled(part, values, formula) for part in parts]
            if len(inside) != (2 if name in {"minimum", "maximum"} else 1):
                raise formula.refuse(
                    f"{name} of {len(inside)} arguments", "one, or two for minimum and maximum"
                )
            return lambda T: FUNCTIONS[name](*(part(T) for part in inside))
        case ast.BinOp(op=ast.BitXor()):
            raise formula.refuse("'^' is no power here", "'**' for a power")
    raise formula.refuse(
        f"'{ast.unparse(node)[:40]}' is not allowed", f"numbers, T, pi, + - * / **, {', '.join(FUNCTIONS)}"
    )


def _variable(name: str, values: dict[str, float], formula: Expression) -> Callable[[Any], Any]:
    if name == "T":
        return lambda T: T
    if name == "pi":
        return lambda _: jnp.pi
    if name in values:
        constant = values[name]
        return lambda _: constant
    raise formula.refuse(f"unknown name {name!r}", f"T, pi or a function; {nearest(name, ['T', *FUNCTIONS])}")
