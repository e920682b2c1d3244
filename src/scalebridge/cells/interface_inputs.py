"""Coefficients of phase fields as people write them, in SI: values by phase, layers, driving forces."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pint
from jax.core import Tracer

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import InputError, PhaseError, UnitError
from scalebridge.core.units import parse_quantity, registry, split_quantity

_KEYS = ("value", "std", "samples", "unit", "name")


@dataclass(frozen=True)
class Kind:
    """A coefficient: what it is called, and the SI units that it may have.

    Args:
        name: its name in words.
        units: SI units.
        example: a value for the cure of an error.
    """

    name: str
    units: tuple[str, ...]
    example: str


GRADIENT_ENERGY = Kind("gradient energy coefficient", ("J/m",), "1e-9 J/m")
BARRIER = Kind("barrier", ("J/m^3",), "2e6 J/m^3")
KINETIC = Kind("kinetic mobility", ("m^3/J/s",), "1e-3 m^3/J/s")
CONSERVED = Kind("mobility", ("m^5/J/s", "mol^2/J/m/s"), "1e-24 m^5/J/s")


@dataclass(frozen=True)
class Layer:
    """A layer: thickness (m, or a relative number), and the label of what it is made of."""

    thickness: float
    label: int


def is_layers(given: Any) -> bool:
    """Whether what came is a list of layers; anything else is taken for an image."""
    return isinstance(given, list | tuple)


def parse_layers(given: Any) -> tuple[tuple[Layer, ...], bool]:
    """Read layers: (thickness, label) pairs in the order in which they lie.

    Returns:
        the layers, and whether their thicknesses are lengths in m.

    Raises:
        InputError: not pairs, or a thickness that is not positive.
        UnitError: a unit on some thicknesses only, or not of a length.
    """
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        _refuse_layers(given)
    for item in given:
        if not isinstance(item, Sequence) or isinstance(item, str) or len(item) != 2:
            _refuse_layers(item)
    bare = [split_quantity(t, f"thickness of layer {row}")[1] is None for row, (t, _) in enumerate(given)]
    if any(bare) and not all(bare):
        raise UnitError(
            "layers",
            got=repr([t for t, _ in given]),
            wanted="a unit on every thickness or on none",
            cure="write for example [('20 nm', 0), ('30 nm', 1)]",
        )
    found = []
    for row, (thickness, label) in enumerate(given):
        number = parse_quantity(thickness, "1" if all(bare) else "m", f"thickness of layer {row}")
        if not (math.isfinite(number) and number > 0):
            raise InputError(
                f"thickness of layer {row}",
                got=repr(thickness),
                wanted="a positive, finite length",
                cure="correct it, or leave the layer out",
            )
        if isinstance(label, bool) or not isinstance(label, int | np.integer):
            _refuse_layers(label)
        found.append(Layer(number, int(label)))
    return tuple(found), not all(bare)


def tables_in_si(given: Any, kind: Kind, argument: str) -> tuple[dict[int, dict[str, Any]], str]:
    """Turn values by label into tables of SI numbers without unit, which any verb of phases takes.

    Args:
        given: values by label: numbers, text with a unit, lists, or tables with the keys value, std, samples,
            unit and name.
        kind: what they are.
        argument: the argument's name, for errors.

    Returns:
        tables by label, and the common SI unit, "1" if none was given.

    Raises:
        PhaseError: not a table of values, a label that is no integer, or one that comes twice.
        UnitError: a unit of another kind, or on some values only.
    """
    if not isinstance(given, Mapping) or not given:
        raise PhaseError(
            argument,
            got=repr(given),
            wanted=f"a table of each phase's {kind.name} by label",
            cure=f"write for example {{0: '{kind.example}', 1: ...}}",
        )
    tables: dict[int, dict[str, Any]] = {}
    units: dict[int, str] = {}
    for key, value in given.items():
        label = _label(key, argument)
        if label in tables:
            raise PhaseError(
                argument, got=f"label {label} twice", wanted="each label once", cure="leave one out"
            )
        tables[label], units[label] = _table(value, kind, f"{argument}, phase {label}")
    if len(set(units.values())) > 1:
        listed = ", ".join(f"phase {label}: {unit}" for label, unit in units.items())
        raise UnitError(
            argument,
            got=listed,
            wanted="one unit for all phases",
            cure=f"write all of them as '{kind.example}'",
        )
    return tables, next(iter(units.values()))


def numbers_in_si(given: Any, kind: Kind, argument: str, labels: Sequence[int]) -> tuple[dict[int, Any], str]:
    """Return positive numbers by label for all of some labels, with their unit; see `tables_in_si`.

    Returns:
        (value, standard deviation, name) by label, and the SI unit.

    Raises:
        PhaseError: a label without value or a value without label, or a value that is not a positive number.
    """
    tables, unit = tables_in_si(given, kind, argument)
    if set(tables) != set(labels):
        raise PhaseError(
            argument,
            got=f"values for {sorted(tables)}",
            wanted=f"a value for each of {sorted(set(labels))}",
            cure="give every label of the layers or the image its value",
        )
    found = {}
    for label, table in tables.items():
        where, value = f"{argument}, phase {label}", table.get("value")
        number = float(value) if isinstance(value, int | float) else math.nan
        if not (math.isfinite(number) and number > 0):
            raise PhaseError(
                where,
                got=repr(value),
                wanted=f"a positive, finite number, the {kind.name}",
                cure=f"write for example '{kind.example}'",
            )
        found[label] = (number, _std(table.get("std", 0.0), number, where), table.get("name"))
    return found, unit


def driving_forces(given: Any, unit: str) -> tuple[float, ...]:
    """Read one driving force or several, in J/m^3 or, where nothing has a unit, as numbers.

    Raises:
        InputError: none, or one that is not a positive number.
        UnitError: a unit of another kind, or one missing.
    """
    listed = list(given) if isinstance(given, list | tuple | np.ndarray) else [given]
    found = tuple(parse_quantity(item, unit, "driving") for item in listed)
    if not found or not all(math.isfinite(m) and m > 0 for m in found):
        raise InputError(
            "driving", got=repr(given), wanted="positive driving forces", cure="write for example '1e5 J/m^3'"
        )
    return found


def _table(given: Any, kind: Kind, argument: str) -> tuple[dict[str, Any], str]:
    table: dict[str, Any] = dict(given) if isinstance(given, Mapping) else {"value": given}
    unknown = sorted(set(map(str, table)) - set(_KEYS))
    if unknown:
        raise PhaseError(
            argument,
            got=f"the key {unknown[0]!r}",
            wanted=f"keys among {', '.join(_KEYS)}",
            cure=f"write '{kind.example}', or a table with value and std",
        )
    unit = table.pop("unit", None)
    scale, si = (1.0, "1") if unit is None else _factor(unit, kind, argument)
    for key in ("value", "samples"):
        if table.get(key) is not None:
            table[key], own, found = _scaled(table[key], scale, kind, argument)
            scale, si = (own, found) if found != "1" else (scale, si)
    if "std" in table and not str(table["std"]).strip().endswith("%"):
        table["std"], _, own_unit = _scaled(table["std"], scale, kind, argument)
        if own_unit not in ("1", si):
            raise UnitError(
                argument,
                got=f"std in {own_unit} of a value in {si}",
                wanted="the unit of the value",
                cure=f"write for example '{kind.example}' with std '5 %'",
            )
    return table, si


def _label(key: Any, argument: str) -> int:
    text = str(key).strip().removeprefix("-")
    if isinstance(key, bool) or not (isinstance(key, int | str | np.integer) and text.isdecimal()):
        raise PhaseError(
            argument,
            got=f"label {key!r}",
            wanted="integer labels of the layers or the image",
            cure="write for example {0: ..., 1: ...}",
        )
    return int(key)


def _scaled(raw: Any, scale: float, kind: Kind, argument: str) -> tuple[Any, float, str]:
    """Return numbers in SI, the factor of the unit that was written with them, and that unit in SI."""
    if isinstance(raw, str):
        magnitude, written = split_quantity(raw, argument)
        own, si = (scale, "1") if written is None else _factor(written, kind, argument)
        return magnitude * own, own, si
    if isinstance(raw, list | tuple) and any(isinstance(item, str) for item in raw):
        parts = [_scaled(item, scale, kind, argument) for item in raw]
        return [number for number, _, _ in parts], parts[0][1], parts[0][2]
    if isinstance(raw, Tracer | jax.Array):
        return raw * scale, scale, "1"
    try:
        if raw is None or isinstance(raw, bool):
            raise TypeError
        return (np.asarray(raw, dtype=float) * scale).tolist(), scale, "1"
    except (TypeError, ValueError) as error:
        raise PhaseError(
            argument,
            got=repr(raw),
            wanted=f"a number, the {kind.name}",
            cure=f"write for example '{kind.example}'",
        ) from error


def _factor(unit: Any, kind: Kind, argument: str) -> tuple[float, str]:
    try:
        quantity = registry().Quantity(1.0, str(unit))
    except Exception as error:  # pint raises many kinds for text that is no unit
        raise UnitError(
            argument, got=repr(str(unit)), wanted=" or ".join(kind.units), cure=f"write '{kind.example}'"
        ) from error
    for si in kind.units:
        try:
            return float(quantity.to(si).magnitude), si
        except pint.DimensionalityError:
            continue
    raise UnitError(
        argument,
        got=f"unit {unit}",
        wanted=f"{' or '.join(kind.units)}, the unit of a {kind.name}",
        cure=f"write for example '{kind.example}'",
    )


def _std(given: Any, value: float, argument: str) -> float:
    text = str(given).strip()
    number = parse_quantity(text.removesuffix("%"), "1", argument)
    std = number / 100.0 * value if text.endswith("%") else number
    if not (math.isfinite(std) and std >= 0):
        raise PhaseError(
            argument, got=f"std {given!r}", wanted="a finite number, not negative", cure="write '5 %'"
        )
    return std


def _refuse_layers(given: Any) -> None:
    raise InputError(
        "layers",
        got=repr(given),
        wanted="pairs of a thickness and the label of a phase",
        cure="write for example [('20 nm', 0), ('30 nm', 1)]",
    )
