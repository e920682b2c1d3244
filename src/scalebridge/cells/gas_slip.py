"""The plain question: how far does this gas slip on walls, and what does that do to a permeability?"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from scalebridge.cells.slip_curve import SlipCurve
from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError
from scalebridge.core.units import positive_quantity
from scalebridge.laws.gas_slip import (
    SLIP_KINETIC,
    SLIP_MAXWELL,
    apparent_permeability,
    check_slip_regime,
    gas_named,
    klinkenberg_pressure,
    knudsen_number,
    mean_free_path,
    mean_free_path_spheres,
    slip_length,
)
from scalebridge.laws.temperature_table import parse_temperature

Coefficient = Literal["maxwell", "kinetic"]
_COEFFICIENTS = {"maxwell": SLIP_MAXWELL, "kinetic": SLIP_KINETIC}
_CURE = "write for example gas_slip('nitrogen', pressure='1 atm')"


@dataclass(frozen=True)
class GasSlip:
    """A gas at a pressure, and how far it slips on walls; all in SI.

    Args:
        gas: its name, or "own gas".
        pressure: Pa.
        temperature: K.
        mean_free_path: m.
        slip_length: m.
        pore_size: m; None where it was not given.
        knudsen: mean free path over pore size; None without one.
        checks: whether a slip of first order may describe the gas; empty without a pore size.
    """

    gas: str
    pressure: float
    temperature: float
    mean_free_path: float
    slip_length: float
    pore_size: float | None = None
    knudsen: float | None = None
    checks: tuple[Check, ...] = ()

    def klinkenberg(self, permeability: Any, slope: Any) -> Any:
        """Klinkenberg's b, Pa, which does not depend on the pressure: (dK/dslip / K) x slip length x p.

        Args:
            permeability: K without slip, m^2: a number, an array of numbers, or a tensor (dim, dim), of which
                the diagonal counts.
            slope: dK/d(slip length) at zero slip, m, of the same shape.

        Returns:
            a number, or an array; of tensors one number an axis.
        """
        known, rise = _diagonal(permeability), _diagonal(slope)
        return klinkenberg_pressure(known, rise, self.slip_length, self.pressure)

    def apparent(self, permeability: Any, slope: Any, pressure: Any = None) -> Any:
        """Permeability for the gas to first order in the slip, m^2: K + dK/dslip x slip length.

        Args:
            permeability: K without slip, m^2: a number, an array, or a tensor.
            slope: dK/d(slip length) at zero slip, m, of the same shape.
            pressure: Pa, that of the gas unless given.
        """
        used = self.pressure if pressure is None else pressure
        if np.ndim(permeability) == 0:
            return apparent_permeability(permeability, self.klinkenberg(permeability, slope), used)
        return np.asarray(permeability) + np.asarray(slope) * self.slip_length * (self.pressure / used)

    def along(self, curve: SlipCurve, pressure: Any = None) -> np.ndarray:
        """Permeability for the gas at pressures, from the whole curve K(slip length) and not its tangent.

        Args:
            curve: of the pores, in m^2 and m (`curve_of`).
            pressure: Pa, one or several; that of the gas unless given.

        Returns:
            (..., dim, dim), m^2.

        Raises:
            InputError: a pressure that is not positive, or so low that the gas slips beyond the curve.

        Limits: as `gas_slip`: of first order in the mean free path, so that beyond a Knudsen number of 0.1
            the curve is right for a slip length and no longer for the gas.
        """
        used = np.asarray(self.pressure if pressure is None else pressure, float)
        slips = self.slip_length * self.pressure / np.where(used > 0, used, 1.0)
        longest = curve.lengths[-1]
        if not np.all(used > 0) or np.any(slips > longest):
            raise InputError(
                "pressure",
                got=f"{used.tolist()} Pa",
                wanted=f"at least {self.slip_length * self.pressure / longest:.4g} Pa, at which the gas "
                f"slips by {longest:.4g} m, the end of the curve",
                cure="ask for higher pressures, or permeability() for a longer slip_curve",
            )
        return curve.at(slips)

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**asdict(self), "checks": [check.to_dict() for check in self.checks]}

    def __str__(self) -> str:
        lines = [
            f"{self.gas} at {self.pressure:.6g} Pa and {self.temperature:.6g} K",
            f"  mean free path {self.mean_free_path:.4g} m, slip length {self.slip_length:.4g} m",
        ]
        return "\n".join([*lines, *(f"  {check}" for check in self.checks)])


def gas_slip(
    gas: str | None = None,
    *,
    pressure: str | float,
    temperature: str | float = "25 degC",
    viscosity: str | float | None = None,
    molar_mass: str | float | None = None,
    diameter: str | float | None = None,
    accommodation: float = 1.0,
    coefficient: Coefficient = "maxwell",
    pore_size: str | float | None = None,
) -> GasSlip:
    """Find how far a gas slips on walls, and whether a slip length may describe it at all.

    slip length = coefficient x (2 - s) / s x mean free path (Maxwell), with the mean free path
    (viscosity / p) sqrt(pi R T / 2 M) of the viscosity, or k T / (sqrt(2) pi d^2 p) of hard spheres.

    Args:
        gas: "air", "argon", "carbon dioxide", "helium", "hydrogen", "methane" or "nitrogen"; None with
            `viscosity` and `molar_mass`, or with `diameter`.
        pressure: of the gas in the pores: "1 atm", or a number in Pa.
        temperature: "25 degC", or a number in K.
        viscosity: of a gas of one's own, with `molar_mass`: "18 uPa s", or a number in Pa s.
        molar_mass: "28 g/mol", or a number in kg/mol.
        diameter: of molecules as hard spheres, in place of both: "0.37 nm", or a number in m.
        accommodation: s, the share of molecules that a wall sends back without memory, in (0, 1].
        coefficient: of first order: "maxwell" (1), or "kinetic" (1.1466, of the linearised Boltzmann-BGK
            equation at full accommodation).
        pore_size: "2 um", or a number in m: throat or channel width, for the Knudsen number.

    Returns:
        a `GasSlip` with slip length, Knudsen number, `klinkenberg` and `apparent`.

    Raises:
        InputError: a number that physics forbids, an unknown gas, or a gas given twice or not at all.
        UnitError: a unit of another kind.

    Limits: ideal gas, isothermal, slip of first order: Knudsen numbers up to 0.1, else the check "slip
        regime" fails. The slip length is the same on all walls.
    Source: J. C. Maxwell (1879); L. J. Klinkenberg (1941); see `scalebridge.laws.gas_slip`.

    Example:
        >>> found = gas_slip("nitrogen", pressure="1 atm", pore_size="10 um")
        >>> print(f"{1e9 * found.slip_length:.1f} nm, {found.knudsen:.4f}, {found.passed}")
        65.0 nm, 0.0065, True
        >>> h = 10e-6  # a channel of this height: b = 6 slip length / h x p
        >>> print(f"{found.klinkenberg(h**2 / 12, h / 2):.0f} Pa")
        3954 Pa
    """
    absolute = positive_quantity("pressure", pressure, "Pa")
    kelvin = float(parse_temperature(temperature, "temperature"))
    _refuse_share(accommodation)
    if coefficient not in _COEFFICIENTS:
        raise InputError(
            "coefficient",
            got=repr(coefficient),
            wanted=" or ".join(map(repr, _COEFFICIENTS)),
            cure="choose one of them",
        )
    path = _path(gas, absolute, kelvin, viscosity, molar_mass, diameter)
    size = None if pore_size is None else positive_quantity("pore_size", pore_size, "m")
    knudsen = None if size is None else float(knudsen_number(path, size))
    return GasSlip(
        gas or "own gas",
        absolute,
        kelvin,
        path,
        float(slip_length(path, accommodation, _COEFFICIENTS[coefficient])),
        size,
        knudsen,
        () if knudsen is None else (check_slip_regime(knudsen),),
    )


def _path(
    gas: str | None, pressure: float, temperature: float, viscosity: Any, molar_mass: Any, diameter: Any
) -> float:
    """Mean free path of whichever way the gas was given, m."""
    ways = {
        "gas": gas is not None,
        "viscosity and molar_mass": viscosity is not None or molar_mass is not None,
        "diameter": diameter is not None,
    }
    given = [name for name, there in ways.items() if there]
    if len(given) != 1:
        raise InputError(
            "gas", got=" and ".join(given) or "nothing", wanted=f"one of {', '.join(ways)}", cure=_CURE
        )
    if gas is not None:
        known = gas_named(gas)
        return float(mean_free_path(known.viscosity(temperature), pressure, temperature, known.molar_mass))
    if diameter is not None:
        return float(
            mean_free_path_spheres(positive_quantity("diameter", diameter, "m"), pressure, temperature)
        )
    for name, value in (("viscosity", viscosity), ("molar_mass", molar_mass)):
        if value is None:
            raise InputError(name, got="nothing", wanted="viscosity and molar_mass", cure=f"pass {name} too")
    own = (
        positive_quantity("viscosity", viscosity, "Pa*s"),
        positive_quantity("molar_mass", molar_mass, "kg/mol"),
    )
    return float(mean_free_path(own[0], pressure, temperature, own[1]))


def _refuse_share(given: Any) -> None:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 < given <= 1:
        raise InputError(
            "accommodation",
            got=repr(given),
            wanted="a share above 0 and at most 1",
            cure="pass 1 for walls that send molecules back without memory",
        )


def _diagonal(given: Any) -> Any:
    return np.diagonal(given) if np.ndim(given) == 2 else given
