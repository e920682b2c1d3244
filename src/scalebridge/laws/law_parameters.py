"""Parameters of pointwise laws as people write them: which there are, their units and where they may lie."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from scalebridge.core.errors import InputError, PhaseError
from scalebridge.core.units import parse_quantity
from scalebridge.io.stored import nearest
from scalebridge.laws.elastic_material import ElasticMaterial, material_from

ELASTIC = ("young", "poisson", "bulk", "shear", "lame")


class Quantity(NamedTuple):
    """A parameter's unit, and the interval in which it has to lie."""

    unit: str
    low: float = 0.0
    high: float = math.inf
    low_too: bool = False
    """Whether the lower end itself is allowed."""

    @property
    def wanted(self) -> str:
        """Say what is wanted."""
        unit = "" if self.unit == "1" else f" {self.unit}"
        first = f"at least {self.low:g}" if self.low_too else f"more than {self.low:g}"
        top = "" if math.isinf(self.high) else f" and less than {self.high:.4g}"
        return f"a number{' with a unit of' + unit if unit else ''}, {first}{top}"

    def allows(self, number: float) -> bool:
        """Whether a number lies inside; a NaN does not."""
        above = number >= self.low if self.low_too else number > self.low
        return above and number < self.high


QUANTITIES = {
    "yield_stress": Quantity("Pa"),
    "hardening_modulus": Quantity("Pa", low_too=True),
    "saturation": Quantity("Pa", low_too=True),
    "plastic_strain": Quantity("1", low_too=True),
    "rate": Quantity("1"),
    "reference_strain": Quantity("1"),
    "exponent": Quantity("1", low_too=True, high=1.0 + 1e-12),
    "kinematic_modulus": Quantity("Pa", low_too=True),
    "recovery": Quantity("1"),
    "time": Quantity("s"),
    "drag": Quantity("Pa"),
    "rate_exponent": Quantity("1", low=1.0, low_too=True),
    "cohesion": Quantity("Pa"),
    "friction_angle": Quantity("rad", high=math.pi / 2),
    "dilation_angle": Quantity("rad", low_too=True, high=math.pi / 2),
    "strength": Quantity("Pa"),
    "fracture_energy": Quantity("J/m^2"),
    "length": Quantity("m"),
    "final_strain": Quantity("1"),
    "averaging_length": Quantity("m"),
    "strength_ratio": Quantity("1", low=1.0, low_too=True),
    "arms": Quantity("Pa"),
    "times": Quantity("s"),
    "first": Quantity("Pa"),
    "second": Quantity("Pa", low_too=True),
    "temperature_change": Quantity("K", low=-math.inf),
}


def read_number(name: str, given: Any, kind: str) -> float:
    """Read one parameter in SI: a number, or text with a unit.

    Raises:
        InputError: not a number, or outside the interval of `QUANTITIES`.
        UnitError: text without a unit, or with one of another dimension.

    Example:
        >>> read_number("yield_stress", "250 MPa", "plastic")
        250000000.0
    """
    quantity, argument = QUANTITIES[name], f"{kind} {name}"
    number = parse_quantity(given, quantity.unit, argument) if isinstance(given, str) else given
    real = isinstance(number, int | float | np.integer | np.floating) and not isinstance(number, bool)
    if not real or not quantity.allows(float(number)):
        raise InputError(argument, got=repr(given), wanted=quantity.wanted, cure=f"correct {name}")
    return float(number)


def read_numbers(name: str, given: Any, kind: str) -> list[float]:
    """Read a list of a parameter in SI; a single one is a list of one.

    Example:
        >>> read_numbers("times", ["1 s", "1 min"], "maxwell")
        [1.0, 60.0]
    """
    several = given if isinstance(given, list | tuple | np.ndarray) else [given]
    return [read_number(name, entry, kind) for entry in several]


def read_choice(name: str, given: Any, choices: Iterable[str], kind: str) -> str:
    """Read a word.

    Raises:
        InputError: none of the choices.

    Example:
        >>> read_choice("hardening", "voce", ("linear", "voce"), "plastic")
        'voce'
    """
    names = list(choices)
    if given not in names:
        raise InputError(
            f"{kind} {name}", got=repr(given), wanted=", ".join(names), cure=nearest(str(given), names)
        )
    return str(given)


def check_names(given: Mapping[str, Any], wanted: Iterable[str], optional: Iterable[str], kind: str) -> None:
    """Refuse parameters that a law does not know, and the want of those that it needs.

    Raises:
        InputError: with the name.

    Example:
        >>> check_names({"young": 1.0}, ["young"], [], "elastic")
    """
    wanted, known = list(wanted), [*wanted, *optional]
    for name in given:
        if name not in known:
            raise InputError(
                f"{kind} {name}", got="a parameter that this law does not have", wanted=", ".join(known),
                cure=nearest(name, known),
            )  # fmt: skip
    missing = [name for name in wanted if name not in given]
    if missing:
        unit = QUANTITIES[missing[0]].unit if missing[0] in QUANTITIES else "1"
        raise InputError(
            f"{kind} {missing[0]}",
            got="nothing",
            wanted=f"all of {', '.join(wanted)}",
            cure=f"give {missing[0]}" + ("" if unit == "1" else f" with a unit of {unit}"),
        )


def isotropic_moduli_of(given: Mapping[str, Any], kind: str) -> tuple[float, float]:
    """Return bulk and shear modulus, Pa, of two elastic constants as people write them.

    Raises:
        PhaseError: not two constants of an isotropic material that is stable.
        UnitError: a unit is missing, unknown or of another dimension.

    Example:
        >>> [round(m / 1e9, 6) for m in isotropic_moduli_of({"young": "9 GPa", "poisson": 0.125}, "plastic")]
        [4.0, 4.0]
    """
    material = material_from({name: given[name] for name in ELASTIC if name in given}, kind)
    stiffness = solid(material, kind).stiffness()
    return float(stiffness[0, 0] - 4.0 * stiffness[5, 5] / 6.0), float(stiffness[5, 5] / 2.0)


def solid(material: ElasticMaterial, kind: str) -> ElasticMaterial:
    """Refuse a void where a law needs a material."""
    if material.is_void:
        raise PhaseError(kind, got="a void", wanted="elastic constants", cure="give young and poisson")
    return material
