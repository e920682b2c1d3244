"""A constant of a material, which may depend on the temperature: number, table, formula or function."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.core import Tracer
from scipy.interpolate import PchipInterpolator

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError, PhaseError
from scalebridge.core.units import split_quantity
from scalebridge.io.stored import nearest
from scalebridge.laws.expressions import Expression, is_expression
from scalebridge.laws.temperature_table import (
    parse_table,
    parse_temperature,
    parse_value,
    read_temperature_table,
)

_KEYS = (
    "value",
    "table",
    "csv",
    "expression",
    "function",
    "std",
    "unit",
    "temperature_unit",
    "interpolation",
    "range",
)
_SOURCES = _KEYS[:5]
_INTERPOLATIONS = ("linear", "pchip")
_HOW = (
    "write a number, '70 GPa', ('70 GPa', '2 GPa') with a standard deviation, a table [(T, value), ...], the "
    "path of a CSV file, a formula such as '70 GPa - 0.05 GPa/K * (T - 293.15 K)', or a table of keys among "
    + ", ".join(_KEYS)
)
_SAMPLES = 65  # points at which a formula is looked at in its range


@dataclass(frozen=True, eq=False)
class TemperatureConstant:
    """A constant of a material as a function of the temperature. Made by `parse_constant`.

    Args:
        name: the constant's name.
        unit: its SI unit.
        source: "number", "table", "expression" or "function".
        law: value in SI at a temperature in K; for a number it is not asked.
        number: the value where it does not depend on the temperature; may be traced by JAX.
        std: standard deviation: its value in SI, and the part relative to the value.
        knots: temperatures of a table in K, or the ends of a range; empty where there is no limit.
        interpolation: "linear" or "pchip", of a table.
        text: as it was written, for the record.
    """

    name: str
    unit: str
    source: str
    law: Callable[[Any], Any] | None = None
    number: Any = None
    std: tuple[float, float] = (0.0, 0.0)
    knots: tuple[float, ...] = ()
    interpolation: str = "linear"
    text: Any = None

    @property
    def depends_on_temperature(self) -> bool:
        """Whether the value depends on the temperature."""
        return self.law is not None

    @property
    def range(self) -> tuple[float, float] | None:
        """Temperatures in K between which the constant is known; None for no limit."""
        return (self.knots[0], self.knots[-1]) if self.knots else None

    def at(self, temperature: float | None = None) -> Any:
        """Return the value in SI at a temperature in K.

        Raises:
            InputError: the constant depends on the temperature and none is given, or it lies outside the
                range.
        """
        if self.law is None:
            return self.number
        kelvin = self._checked(temperature)
        value = float(np.asarray(self.law(kelvin)))
        if not np.isfinite(value):
            raise InputError(
                self.name,
                got=f"{value} at {kelvin:g} K",
                wanted="a finite value",
                cure="correct the formula, or give its range",
            )
        return value

    def std_at(self, temperature: float | None = None) -> float:
        """Return the standard deviation in SI at a temperature in K, 0 for none."""
        absolute, relative = self.std
        return absolute + (relative * abs(float(self.at(temperature))) if relative else 0.0)

    def points(self) -> np.ndarray:
        """Return temperatures that show what the constant does: a table's own, or some of a range."""
        if self.source == "table" or not self.knots:
            return np.array(self.knots)
        return np.linspace(self.knots[0], self.knots[-1], _SAMPLES)

    def _checked(self, temperature: float | None) -> float:
        if temperature is None:
            raise InputError(
                "temperature",
                got="none",
                wanted=f"a temperature, on which {self.name} depends",
                cure="pass temperature='20 degC', or kelvins",
            )
        kelvin = parse_temperature(temperature)
        if self.range is not None and not self.range[0] <= kelvin <= self.range[1]:
            raise InputError(
                "temperature",
                got=f"{kelvin:g} K",
                wanted=f"{self.range[0]:g} to {self.range[1]:g} K, where {self.name} is known",
                cure="measure or cite values at that temperature, and add them: nothing is extrapolated",
            )
        return kelvin


def parse_constant(given: Any, name: str, unit: str, argument: str = "") -> TemperatureConstant:
    """Read a constant as people write it.

    Args:
        given: a number in SI; text with a unit; (value, std); a table, as pairs [(T, value), ...]; the path
            of a CSV file; a formula in T; a function of T in K that gives SI; or a mapping with one of the
            keys value, table, csv, expression, function, and if wanted std (in the value's unit or as "3 %"),
            unit (of bare numbers), temperature_unit, interpolation ("linear" or "pchip") and range (of a
            formula or function). Temperatures are kelvins, or text such as "20 degC".
        name: the constant's name.
        unit: its SI unit.
        argument: whose constant it is, for errors, such as "phase 1".

    Returns:
        the constant.

    Raises:
        PhaseError, UnitError, FileFormatError: it cannot be read.

    Example:
        >>> young = parse_constant([("20 degC", "70 GPa"), ("120 degC", "66 GPa")], "young", "Pa")
        >>> round(young.at(343.15)), young.range
        (68000000000, (293.15, 393.15))
        >>> young.at(500.0)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        scalebridge.core.errors.InputError: temperature: got 500 K; wanted 293.15 to 393.15 K, ...
    """
    where = f"{argument}, {name}" if argument else name
    table = _as_table(given, where)
    source = _source(table, where)
    value, written = table[source], table.get("unit")
    if source == "value":
        std = _std(table.get("std", 0.0), unit, written, where)
        if isinstance(value, Tracer | jax.Array):
            return TemperatureConstant(name, unit, "number", number=value, std=std)
        number = parse_value(value, unit, where, written)
        return TemperatureConstant(name, unit, "number", number=number, std=std, text=value)
    std = _std(table.get("std", 0.0), unit, written, where)
    if source in {"expression", "function"}:
        return _from_law(table, source, TemperatureConstant(name, unit, source, std=std), where)
    if source == "csv":
        knots, values = read_temperature_table(value, name, unit, where)
    else:
        knots, values = parse_table(value, unit, where, written, str(table.get("temperature_unit", "K")))
    made = from_table(name, unit, knots, values, str(table.get("interpolation", "linear")), where)
    return replace(made, std=std)


def from_table(
    name: str, unit: str, knots: Any, values: Any, interpolation: str = "linear", argument: str = ""
) -> TemperatureConstant:
    """Make a constant of temperatures in K, ascending, and values in SI.

    Args:
        name: the constant's name.
        unit: its SI unit.
        knots: (n,) temperatures, K.
        values: (n,) values, SI.
        interpolation: "linear", or "pchip": smooth, without overshoot (Fritsch and Butland 1984).
        argument: for errors.

    Raises:
        PhaseError: an unknown interpolation.
    """
    if interpolation not in _INTERPOLATIONS:
        raise PhaseError(
            argument or name,
            got=f"interpolation {interpolation!r}",
            wanted=" or ".join(_INTERPOLATIONS),
            cure=nearest(interpolation, _INTERPOLATIONS),
        )
    knots, values = np.asarray(knots, dtype=float), np.asarray(values, dtype=float)
    smooth = PchipInterpolator(knots, values, extrapolate=False)

    def straight(temperature: float) -> float:
        return float(np.interp(temperature, knots, values))

    law = straight if interpolation == "linear" else smooth
    shown = [[float(T), float(value)] for T, value in zip(knots, values, strict=True)]
    return TemperatureConstant(
        name, unit, "table", law=law, knots=tuple(knots.tolist()), interpolation=interpolation, text=shown
    )


def _as_table(given: Any, argument: str) -> dict[str, Any]:
    """Say what kind of thing was given, as a mapping with its key."""
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, list | tuple | np.ndarray) and len(np.shape(np.asarray(given, dtype=object))):
        return _as_sequence(given, argument)
    number = isinstance(given, int | float | np.number) and not isinstance(given, bool)
    if number or isinstance(given, Tracer | jax.Array | str):
        return {_kind_of_text(given) if isinstance(given, str) else "value": given}
    if isinstance(given, os.PathLike) or callable(given):
        return {"csv" if isinstance(given, os.PathLike) else "function": given}
    raise PhaseError(argument, got=repr(given), wanted="a constant", cure=_HOW)


def _as_sequence(given: Any, argument: str) -> dict[str, Any]:
    if len(given) and all(isinstance(row, list | tuple | np.ndarray) for row in given):
        return {"table": given}
    if len(given) == 2:
        return {"value": given[0], "std": given[1]}
    raise PhaseError(argument, got=repr(given), wanted="a constant", cure=_HOW)


def _kind_of_text(text: str) -> str:
    if Path(text.strip()).suffix.lower() == ".csv":
        return "csv"
    return "expression" if is_expression(text) else "value"


def _source(table: dict[str, Any], argument: str) -> str:
    unknown = sorted(str(key) for key in set(table) - set(_KEYS))
    if unknown:
        raise PhaseError(
            argument, got=f"key {unknown[0]!r}", wanted=f"keys among {_KEYS}", cure=nearest(unknown[0], _KEYS)
        )
    sources = [key for key in _SOURCES if key in table]
    if len(sources) != 1:
        raise PhaseError(
            argument, got=f"the keys {sorted(table)}", wanted=f"one of {', '.join(_SOURCES)}", cure=_HOW
        )
    if sources[0] == "value" and not isinstance(table["value"], Tracer | jax.Array):
        inner = _as_table(table["value"], argument)  # {"value": formula or table, "std": ...}
        if "value" not in inner or "std" in inner:
            table.pop("value")
            table.update({key: value for key, value in inner.items() if key not in table})
            return _source(table, argument)
    return sources[0]


def _from_law(
    table: dict[str, Any], source: str, plain: TemperatureConstant, argument: str
) -> TemperatureConstant:
    given = table[source]
    if source == "expression":
        if not isinstance(given, str):
            raise PhaseError(argument, got=repr(given), wanted="a formula as text", cure=_HOW)
        law = Expression(given, plain.unit, argument)
    elif callable(given):
        law = given
    else:
        raise PhaseError(argument, got=repr(given), wanted="a function of the temperature in K", cure=_HOW)
    knots = _range(table.get("range"), str(table.get("temperature_unit", "K")), argument)
    found = replace(plain, law=law, knots=knots, text=given if source == "expression" else repr(given))
    for temperature in found.points():
        found.at(temperature)
    return found


def _range(given: Any, unit: str, argument: str) -> tuple[float, ...]:
    if given is None:
        return ()
    if isinstance(given, str) or not isinstance(given, list | tuple) or len(given) != 2:
        raise PhaseError(
            argument, got=f"range {given!r}", wanted="two temperatures", cure="write ['20 degC', '400 degC']"
        )
    low, high = (parse_temperature(end, f"{argument}, range", unit) for end in given)
    if not low < high:
        raise PhaseError(
            argument, got=f"range {given!r}", wanted="the lower temperature first", cure="exchange them"
        )
    return (low, high)


def _std(given: Any, unit: str, written: Any, argument: str) -> tuple[float, float]:
    """Return the absolute and the relative part of a standard deviation."""
    if isinstance(given, str) and given.strip().endswith("%"):
        found = (0.0, split_quantity(given.strip()[:-1], argument)[0] / 100.0)
    else:
        found = (parse_value(given, unit, f"{argument}, std", written), 0.0)
    if min(found) < 0:
        raise PhaseError(
            argument, got=f"std {given!r}", wanted="a finite number, not negative", cure="correct the sign"
        )
    return found
