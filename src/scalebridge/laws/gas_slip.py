"""Gas that slips on walls: mean free path, slip length, Knudsen number, Klinkenberg's law.

A gas whose molecules travel a mean free path that is not small against the pores does not stick to their
walls. To first order in that path it slips, u_t = slip length x shear rate at the wall, and a permeability
becomes

    K_apparent(p) = K (1 + b / p),        b = (dK/dslip / K) x slip length x p

with the derivative at zero slip. Slip length x p does not depend on the pressure of an ideal gas, so neither
does b.

Sources: J. C. Maxwell, Phil. Trans. R. Soc. 170 (1879) 231 (slip); L. J. Klinkenberg, API Drilling and
Production Practice (1941) 200 (the law); G. A. Bird, Molecular Gas Dynamics and the Direct Simulation of Gas
Flows (1994), appendix A, table A1 (viscosities at 273 K and their exponents). All functions take numbers or
arrays, in SI.
"""

import math
from dataclasses import dataclass
from typing import Any

from scalebridge.core.checks import Check
from scalebridge.core.errors import InputError

GAS_CONSTANT = 8.31446261815324
"""R, J/(mol K), exact in the SI of 2019."""
BOLTZMANN = 1.380649e-23
"""k, J/K, exact in the SI of 2019."""
SLIP_MAXWELL = 1.0
"""First-order coefficient of Maxwell's own argument, with the mean free path of `mean_free_path`."""
SLIP_KINETIC = 1.016191 * 2.0 / math.sqrt(math.pi)
"""1.1466, of the linearised BGK equation at full accommodation: 1.016191 x viscosity / p x sqrt(2 R T / M)
(S. Albertoni, C. Cercignani, L. Gotusso, Phys. Fluids 6 (1963) 993), in mean free paths."""
SLIP_REGIME = 0.1
"""Knudsen number up to which first-order slip describes a gas: M. Gad-el-Hak, J. Fluids Eng. 121 (1999) 5."""
_REFERENCE = 273.0  # K, temperature of the viscosities in the table


@dataclass(frozen=True)
class Gas:
    """A gas at low pressure.

    Args:
        name: its name.
        molar_mass: kg/mol.
        viscosity_at_273: viscosity at 273 K, Pa s.
        exponent: of its growth with temperature, viscosity = viscosity_at_273 (T / 273 K)^exponent.
    """

    name: str
    molar_mass: float
    viscosity_at_273: float
    exponent: float

    def viscosity(self, temperature: Any) -> Any:
        """Viscosity at a temperature in K, Pa s: a power law, within some percent from 200 to 600 K.

        Example:
            >>> print(f"{GASES['nitrogen'].viscosity(298.15):.3g}")
            1.77e-05
        """
        return self.viscosity_at_273 * (temperature / _REFERENCE) ** self.exponent


GASES: dict[str, Gas] = {
    gas.name: gas
    for gas in (
        Gas("air", 28.96e-3, 1.719e-5, 0.77),
        Gas("argon", 39.948e-3, 2.117e-5, 0.81),
        Gas("carbon dioxide", 44.009e-3, 1.380e-5, 0.93),
        Gas("helium", 4.0026e-3, 1.865e-5, 0.66),
        Gas("hydrogen", 2.016e-3, 0.845e-5, 0.67),
        Gas("methane", 16.043e-3, 1.024e-5, 0.84),
        Gas("nitrogen", 28.014e-3, 1.656e-5, 0.74),
    )
}
"""Gases by name."""


def gas_named(name: str) -> Gas:
    """Return a gas of the table.

    Args:
        name: "air", "argon", "carbon dioxide", "helium", "hydrogen", "methane" or "nitrogen".

    Raises:
        InputError: no such gas is in the table.
    """
    if name not in GASES:
        raise InputError(
            "gas",
            got=repr(name),
            wanted=" or ".join(map(repr, GASES)),
            cure="choose one of them, or give viscosity and molar_mass of your own",
        )
    return GASES[name]


def mean_free_path(viscosity: Any, pressure: Any, temperature: Any, molar_mass: Any) -> Any:
    """Mean free path from the viscosity, m: (viscosity / p) sqrt(pi R T / (2 M)).

    This is the path that goes with the slip coefficients here; it is not a molecule's own property but a
    length by which viscosity is expressed.

    Args:
        viscosity: Pa s.
        pressure: p, Pa.
        temperature: T, K.
        molar_mass: M, kg/mol.

    Example:
        >>> nitrogen = GASES["nitrogen"]
        >>> path = mean_free_path(nitrogen.viscosity(298.15), 101325.0, 298.15, nitrogen.molar_mass)
        >>> print(f"{1e9 * path:.1f} nm")
        65.0 nm
    """
    return viscosity / pressure * (math.pi * GAS_CONSTANT * temperature / (2.0 * molar_mass)) ** 0.5


def mean_free_path_spheres(diameter: Any, pressure: Any, temperature: Any) -> Any:
    """Mean free path of hard spheres in equilibrium, m: k T / (sqrt(2) pi d^2 p).

    Args:
        diameter: d of the molecules, m.
        pressure: p, Pa.
        temperature: T, K.

    Example:
        >>> print(f"{1e9 * mean_free_path_spheres(3.7e-10, 101325.0, 298.15):.1f} nm")
        66.8 nm
    """
    return BOLTZMANN * temperature / (math.sqrt(2.0) * math.pi * diameter**2 * pressure)


def slip_length(path: Any, accommodation: Any = 1.0, coefficient: Any = SLIP_MAXWELL) -> Any:
    """Slip length of a gas on a wall, m: coefficient x (2 - s) / s x mean free path.

    Args:
        path: mean free path, m.
        accommodation: s, the share of molecules that leave the wall with no memory of their tangential
            momentum, in (0, 1].
        coefficient: of first order; `SLIP_MAXWELL` (1) unless given, or `SLIP_KINETIC` (1.1466).

    Example:
        >>> slip_length(65e-9), round(slip_length(65e-9, accommodation=0.8), 12)
        (6.5e-08, 9.75e-08)
    """
    return coefficient * (2.0 - accommodation) / accommodation * path


def knudsen_number(path: Any, pore_size: Any) -> Any:
    """Knudsen number, mean free path over the size of the pores, both in m."""
    return path / pore_size


def check_slip_regime(knudsen: float) -> Check:
    """Say whether a slip of first order may describe the gas: Knudsen number at most 0.1.

    Example:
        >>> print(check_slip_regime(0.02))
        pass  slip regime: 0.02 at most 0.1
    """
    return Check(
        "slip regime",
        float(knudsen),
        SLIP_REGIME,
        meaning="Knudsen number, mean free path over pore size: beyond 0.1 a slip of first order in the path "
        "no longer describes the gas (Gad-el-Hak 1999), and what flows is more than it says",
    )


def klinkenberg_pressure(permeability: Any, slope: Any, length: Any, pressure: Any) -> Any:
    """Klinkenberg's b, Pa: (dK/dslip / K) x slip length x p.

    Args:
        permeability: K without slip, m^2: a number, or principal values.
        slope: dK/d(slip length) at zero slip, m, of the same shape.
        length: slip length at the pressure, m.
        pressure: p, Pa.

    Example:
        A channel of height h has K = h^2/12 and dK/dslip = h/2, so that b = 6 slip length / h x p.

        >>> h = 10e-6
        >>> round(klinkenberg_pressure(h**2 / 12, h / 2, 65e-9, 101325.0) / 101325.0, 12)
        0.039
    """
    return slope / permeability * length * pressure


def apparent_permeability(permeability: Any, klinkenberg: Any, pressure: Any) -> Any:
    """Permeability for a gas at a mean pressure, m^2: K (1 + b / p).

    Args:
        permeability: K without slip, m^2.
        klinkenberg: b, Pa.
        pressure: p, Pa.
    """
    return permeability * (1.0 + klinkenberg / pressure)
