"""Diffusion coefficients, and the buckling at which a medium would be critical.

With currents j = B D phi of a wave of buckling B^2 in a homogeneous medium,

    c_g total_g j_g - sum_h scatter_1[h, g] j_h = B phi_g / 3,
    (total_g + D_g B^2) phi_g - sum_h scatter_0[h, g] phi_h = chi_g F phi / k,

c = 1 in the P1 and (x^2 / 3) arctan x / (x - arctan x), x = B / total, in the B1 equations.
Source: R. J. J. Stamm'ler, M. J. Abbate (1983), Methods of Steady-State Reactor Physics, chapter 10.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.optimize import brentq

from scalebridge.core.errors import InputError

_DEEPEST = 1e3  # 1/cm^2
Leakage = Literal["inverse-transport", "in-scatter", "p1", "b1"]


@dataclass(frozen=True, eq=False)
class Medium:
    """A homogeneous medium.

    Args:
        total: (G,) not transport-corrected where there is `first`.
        scatter: (G, G) order 0, [from, to].
        first: (G, G) order 1.
        nu_fission: (G,).
        chi: (G,).
    """

    total: np.ndarray
    scatter: np.ndarray
    first: np.ndarray
    nu_fission: np.ndarray
    chi: np.ndarray


def in_scatter_diffusion(
    medium: Medium, flux: np.ndarray, buckling: float = 0.0, exact: bool = False
) -> np.ndarray:
    """Return D of every group, cm, for a spectrum; scattering of order 1 counts where it arrives.

    Args:
        medium: the medium.
        flux: (G,) spectrum.
        buckling: B^2, 1/cm^2, of B1.
        exact: whether the equations are B1.
    """
    return np.linalg.solve(_streaming(medium, buckling, exact), flux / 3.0) / flux


def critical_buckling(medium: Medium, exact: bool = True) -> tuple[float, np.ndarray]:
    """Return the B^2 at which k = 1, 1/cm^2, and the spectrum there, (G,).

    Args:
        medium: the medium; something in it makes neutrons.
        exact: B1 if true, P1 else.

    Raises:
        InputError: no B^2 in reach makes it critical.

    Example:
        >>> one = np.array([[0.0]])
        >>> fuel = Medium(np.array([1.0]), np.array([[0.9]]), one, np.array([0.12]), np.array([1.0]))
        >>> buckling, _ = critical_buckling(fuel, exact=False)  # D B^2 = 0.02, D = 1/3
        >>> round(buckling, 6)
        0.06
    """
    above = multiplication(medium, 0.0, exact) > 1.0
    inner, outer = 0.0, 1e-6 if above else -1e-6
    deepest = _DEEPEST if above else -_shallow(medium)
    while (multiplication(medium, outer, exact) > 1.0) == above:
        if not abs(outer) < abs(deepest):
            raise InputError(
                "diffusion",
                got=f"k = {multiplication(medium, 0.0, exact):.4f} without leakage",
                wanted="a lattice that leakage can make critical",
                cure="use diffusion='inverse-transport' for lattices without fuel",
            )
        inner, outer = outer, 1.5 * outer
    low, high = sorted((inner, outer))
    found: Any = brentq(lambda b: multiplication(medium, b, exact) - 1.0, low, high, xtol=1e-13)
    return float(found), spectrum(medium, float(found), exact)


def multiplication(medium: Medium, buckling: float, exact: bool) -> float:
    """Return k of a medium at a buckling."""
    return float(medium.nu_fission @ np.linalg.solve(_loss(medium, buckling, exact), medium.chi))


def spectrum(medium: Medium, buckling: float, exact: bool) -> np.ndarray:
    """Return the flux of one neutron of fission, (G,)."""
    return np.linalg.solve(_loss(medium, buckling, exact), medium.chi)


def _loss(medium: Medium, buckling: float, exact: bool) -> np.ndarray:
    leak = buckling / 3.0 * np.linalg.inv(_streaming(medium, buckling, exact))
    return np.diag(medium.total) - medium.scatter.T + leak


def _streaming(medium: Medium, buckling: float, exact: bool) -> np.ndarray:
    factor = _b1_factor(buckling, medium.total) if exact else np.ones_like(medium.total)
    return np.diag(factor * medium.total) - medium.first.T


def _b1_factor(buckling: float, total: np.ndarray) -> np.ndarray:
    square = buckling / total**2
    x = np.sqrt(np.abs(square))
    series = 1.0 + 4.0 * square / 15.0 - 12.0 * square**2 / 175.0  # where the closed form cancels
    safe = np.where(x > 0.05, x, 1.0)
    safe = np.where((square < 0) & (safe >= 1.0), 0.5, safe)
    arc = np.where(square > 0, np.arctan(safe), np.arctanh(np.minimum(safe, 0.999999)))
    closed = square / 3.0 * arc / (safe - arc)
    return np.where(x > 0.05, closed, series)


def _shallow(medium: Medium) -> float:
    """A depth of negative buckling at which a wave still decays slower than a beam."""
    return 0.5 * float(np.min(medium.total)) ** 2
