"""Units, parsed once at the face. Inside, every number is SI.

Permeabilities may be written in darcy and millidarcy (`darcy`, `mD`): the permeability that lets 1 cm^3/s of
a fluid of 1 cP through 1 cm^2 under 1 atm/cm, which is 1e-7/101325 m^2 = 9.869233e-13 m^2 (SPE Metric
Standard, 1984). `D` alone stays the debye of dipole moments, as in other libraries of units.
"""

import math
from functools import cache
from typing import Any

import pint

from scalebridge.core.errors import InputError, UnitError

DARCY = 1e-7 / 101325.0
"""One darcy in m^2, from its definition; rounded, the 9.869233e-13 m^2 of the SPE Metric Standard."""


@cache
def registry() -> pint.UnitRegistry[Any]:
    """Return the one registry of units, made on first use (it takes about 0.1 s)."""
    found = pint.UnitRegistry(cache_folder=None)
    found.define("mD = 1e-3 darcy")  # else it would be read as a thousandth of a debye
    return found


def parse_quantity(value: str | float, unit: str, argument: str) -> float:
    """Turn a quantity with a unit into a number in a wanted unit.

    Args:
        value: text such as "3 um" or "0.6 W/m/K". A bare number is refused unless `unit` is "1".
        unit: the unit wanted, "1" for a dimensionless number.
        argument: the argument's name, for errors.

    Returns:
        the magnitude in `unit`.

    Raises:
        UnitError: the text is not a quantity, has no unit, or has one of another dimension.

    Example:
        >>> round(parse_quantity("3 um", "m", "voxel"), 12)
        3e-06
        >>> print(f"{parse_quantity('250 mD', 'm^2', 'permeability'):.6e}")
        2.467308e-13
    """
    magnitude, given = split_quantity(value, argument)
    if given is None:
        if unit == "1":
            return magnitude
        raise UnitError(
            argument,
            got=repr(value),
            wanted=f"a number with a unit of {unit}",
            cure=f"write '{value} {unit}'",
        )
    try:
        return float((magnitude * given).to("" if unit == "1" else unit).magnitude)
    except pint.DimensionalityError as error:
        raise UnitError(
            argument, got=repr(value), wanted=f"a unit convertible to {unit}", cure=f"write it in {unit}"
        ) from error


def split_quantity(value: str | float, argument: str) -> tuple[float, Any]:
    """Split text such as "3 um" into its magnitude and its pint unit (None for a bare number)."""
    if isinstance(value, str):
        try:
            quantity = registry().Quantity(value)
        except Exception as error:  # pint raises many kinds, tokenizer errors among them
            raise UnitError(
                argument,
                got=repr(value),
                wanted="a number and a unit",
                cure="write for example '3 um' or '0.6 W/m/K'",
            ) from error
        bare = isinstance(quantity, int | float) or str(quantity.units) == "dimensionless"
        return (float(quantity), None) if bare else (float(quantity.magnitude), quantity.units)
    try:
        return float(value), None
    except (TypeError, ValueError) as error:
        raise UnitError(
            argument, got=repr(value), wanted="a number, or text with a unit", cure="write for example '3 um'"
        ) from error


def positive_quantity(argument: str, given: Any, unit: str) -> float:
    """Read a positive number in SI, or text with a unit.

    Args:
        argument: whose it is, for the error.
        given: the number, or text such as "1 mPa*s".
        unit: the SI unit.

    Raises:
        InputError: another thing than a positive, finite number.
        UnitError: text without a unit, or with one of another kind.

    Example:
        >>> positive_quantity("pressure", "2 kPa", "Pa")
        2000.0
    """
    number = parse_quantity(given, unit, argument) if isinstance(given, str) else given
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < math.inf:
        raise InputError(
            argument,
            got=repr(given),
            wanted=f"a positive number, or text in {registry().Unit(unit):~P}",
            cure=f"correct {argument}",
        )
    return float(number)
