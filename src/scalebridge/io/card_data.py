"""What a material card holds: stiffness, expansion and density over temperature, in the card's units."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from scalebridge.core.errors import InputError

Units = Literal["SI", "N-mm-MPa"]
TemperatureUnit = Literal["K", "degC"]
ExpansionKind = Literal["secant", "tangent"]

# Mandel notation: 11, 22, 33, 23, 13, 12 with a factor sqrt(2) on each off-diagonal component.
_MANDEL = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))
_ROOTS = np.array([1.0, 1.0, 1.0, math.sqrt(2), math.sqrt(2), math.sqrt(2)])
# What one pascal and one kg/m^3 are in each system, and how the header names it.
_SYSTEMS: dict[str, tuple[float, float, str]] = {
    "SI": (1.0, 1.0, "m, kg, s, N, Pa; density in kg/m^3"),
    "N-mm-MPa": (1e-6, 1e-12, "mm, t, s, N, MPa; density in t/mm^3"),
}
_ZERO_CELSIUS = 273.15
_ASYMMETRY = 1e-6


@dataclass(frozen=True)
class CardData:
    """A thermoelastic material in the units of a card.

    Args:
        stiffness: tensor components C_ijkl between pairs in Mandel's order 11, 22, 33, 23, 13, 12, without
            factors: sigma_ij = C_ijkl epsilon_kl; shape (n, 6, 6).
        expansion: secant coefficients, tensor components alpha_ij in the same order, shape (n, 6), or None.
        density: shape (n,), or None.
        temperatures: shape (n,), rising, or None for constants (n = 1).
        reference: temperature at which the secant expansion begins, or None.
        units: the units in words.
        degree: "K" or "degC".
        kind: "ISO", "ORTHO" or "ANISO", of the stiffness.
        expansion_kind: the same, of the expansion.
    """

    stiffness: np.ndarray
    expansion: np.ndarray | None
    density: np.ndarray | None
    temperatures: np.ndarray | None
    reference: float | None
    units: str
    degree: str
    kind: str
    expansion_kind: str


def card_data(
    stiffness: Any,
    expansion: Any,
    density: Any,
    temperatures: Any,
    reference: float | None,
    *,
    kind: str,
    units: str,
    degree: str,
    rtol: float,
) -> CardData:
    """Check what a card is to hold, and turn it from Mandel notation and SI into tensor components.

    Args:
        stiffness: Mandel notation, Pa, (6, 6), or (n, 6, 6) over temperatures.
        expansion: Mandel notation, 1/K, (6,) or (n, 6), or None.
        density: kg/m^3, a number or (n,), or None.
        temperatures: K, (n,), or None.
        reference: K, where the expansion begins.
        kind: "secant" or "tangent".
        units: "SI" or "N-mm-MPa".
        degree: "K" or "degC".
        rtol: relative tolerance of the choice of type.

    Raises:
        InputError: anything of another shape, not finite, not positive definite, or not said.
    """
    _known("units", units, tuple(_SYSTEMS))
    _known("temperature_unit", degree, ("K", "degC"))
    _known("expansion_kind", kind, ("secant", "tangent"))
    if not 0 <= rtol < 1:
        raise InputError("rtol", got=rtol, wanted="a number in [0, 1)", cure="pass rtol=1e-6")
    levels = None if temperatures is None else _levels(temperatures)
    count = 1 if levels is None else len(levels)
    matrices = _stiffness(stiffness, count, levels is not None)
    strains = None if expansion is None else _expansion(expansion, count, levels is not None)
    start = None if reference is None else float(reference)
    if strains is not None and levels is not None:
        start = _reference(start, levels, kind)
        if kind == "tangent":
            strains = secant_expansion(levels, strains, start)
    pascal, mass, words = _SYSTEMS[units]
    shift = _ZERO_CELSIUS if degree == "degC" else 0.0
    tensors = matrices / np.outer(_ROOTS, _ROOTS)
    return CardData(
        stiffness=pascal * tensors,
        expansion=None if strains is None else strains / _ROOTS,
        density=None if density is None else mass * _density(density, count),
        temperatures=None if levels is None else levels - shift,
        reference=None if start is None else start - shift,
        units=words,
        degree=degree,
        kind=_stiffness_kind(tensors, rtol),
        expansion_kind="ISO" if strains is None else _expansion_kind(strains / _ROOTS, rtol),
    )


def secant_expansion(temperatures: Any, tangent: Any, reference: float) -> np.ndarray:
    """Turn tangent into secant coefficients of thermal expansion.

    alpha_s(T) = 1/(T - T0) int_T0^T alpha_t dT, and alpha_t(T0) at T0 itself; alpha_t is taken as linear
    between the temperatures, for which this is exact.

    Args:
        temperatures: K, rising, shape (n,).
        tangent: coefficients of d(strain)/dT, 1/K, first axis n.
        reference: T0, where the thermal strain is zero, within the temperatures.

    Returns:
        secant coefficients, of the shape of `tangent`.

    Raises:
        InputError: temperatures that do not rise, or a reference beyond them.

    Example:
        >>> rising = [1e-5, 2e-5, 3e-5]  # strain 1e-5 (T - 300) + 5e-8 (T - 300)^2
        >>> [float(f"{a:.6g}") for a in secant_expansion([300.0, 400.0, 500.0], rising, 300.0)]
        [1e-05, 1.5e-05, 2e-05]
    """
    levels = _levels(temperatures)
    start = _reference(reference, levels, "tangent")
    slopes = np.asarray(tangent, float)
    flat = slopes.reshape(len(levels), -1)
    at_start = np.array([np.interp(start, levels, column) for column in flat.T])
    bends = np.union1d(levels, [start])
    values = np.stack([np.interp(bends, levels, column) for column in flat.T], axis=1)
    grown = np.concatenate(
        [np.zeros((1, flat.shape[1])), np.diff(bends)[:, None] * (values[1:] + values[:-1]) / 2]
    )
    strain = np.cumsum(grown, axis=0)
    strain = (strain - strain[np.searchsorted(bends, start)])[np.searchsorted(bends, levels)]
    away = (levels - start)[:, None]
    found = np.where(away == 0, at_start, strain / np.where(away == 0, 1.0, away))
    return found.reshape(slopes.shape)


def engineering(stiffness: np.ndarray) -> dict[str, float]:
    """Return the nine engineering constants of an orthotropic stiffness in its own axes.

    Args:
        stiffness: tensor components without factors, (6, 6) in Mandel's order.

    Returns:
        E1, E2, E3, nu12, nu13, nu23 (strain along the second index by stress along the first one), G12, G13,
        G23.
    """
    compliance = np.linalg.inv(stiffness[:3, :3])
    moduli = 1 / np.diag(compliance)
    ratios = -compliance * moduli[:, None]
    return {
        **{f"E{i + 1}": float(moduli[i]) for i in range(3)},
        **{f"nu{i + 1}{j + 1}": float(ratios[i, j]) for i, j in ((0, 1), (0, 2), (1, 2))},
        **{f"G{i}{j}": float(stiffness[row, row]) for row, i, j in ((5, 1, 2), (4, 1, 3), (3, 2, 3))},
    }


def to_mandel(tensors: np.ndarray) -> np.ndarray:
    """Return tensor components, (..., 6) or (n, 6, 6) in Mandel's order, with Mandel's factors."""
    return tensors * (np.outer(_ROOTS, _ROOTS) if tensors.ndim == 3 else _ROOTS)


def pair_position(first: int, second: int) -> int:
    """Return where a pair of axes, counted from 1, stands in Mandel's order."""
    return _MANDEL.index((min(first, second) - 1, max(first, second) - 1))


def _levels(temperatures: Any) -> np.ndarray:
    levels = np.asarray(temperatures, float)
    rising = levels.ndim == 1 and levels.size > 0 and bool(np.all(np.isfinite(levels)))
    if not rising or bool(np.any(np.diff(levels) <= 0)) or levels[0] < 0:
        raise InputError(
            "temperatures",
            got=np.array2string(levels, threshold=8),
            wanted="rising absolute temperatures in K",
            cure="sort them, and add 273.15 to degrees Celsius",
        )
    return levels


def _stiffness(given: Any, count: int, table: bool) -> np.ndarray:
    matrices = _table("stiffness", given, (6, 6), count, table)
    scale = np.abs(matrices).max()
    swapped = np.swapaxes(matrices, 1, 2)
    if np.abs(matrices - swapped).max() > _ASYMMETRY * scale:
        raise InputError(
            "stiffness",
            got=f"C - C' up to {np.abs(matrices - swapped).max():.3g}",
            wanted="a symmetric matrix",
            cure="solve with a smaller rtol, or pass (C + C') / 2 if the asymmetry means nothing",
        )
    matrices = (matrices + swapped) / 2
    lowest = np.linalg.eigvalsh(matrices)[:, 0]
    if np.any(lowest <= 0):
        raise InputError(
            "stiffness",
            got=f"a smallest eigenvalue of {lowest.min():.3g}",
            wanted="a positive definite matrix in Mandel notation",
            cure="give the voids of a medium that hangs together nowhere a small stiffness",
        )
    return matrices


def _expansion(given: Any, count: int, table: bool) -> np.ndarray:
    return _table("expansion", given, (6,), count, table)


def _density(given: Any, count: int) -> np.ndarray:
    densities = np.asarray(given, float)
    if densities.ndim == 0:
        densities = np.full(count, float(densities))
    if densities.shape != (count,) or not np.all(np.isfinite(densities)) or np.any(densities <= 0):
        raise InputError(
            "density",
            got=np.array2string(np.asarray(given), threshold=8),
            wanted=f"a positive number in kg/m^3, or {count} of them",
            cure="pass for example density=2700.0",
        )
    return densities


def _table(name: str, given: Any, shape: tuple[int, ...], count: int, table: bool) -> np.ndarray:
    array = np.asarray(given, float)
    wanted = (count, *shape) if table else shape
    if array.shape != wanted or not np.all(np.isfinite(array)):
        many = "; pass temperatures= with a table" if not table and array.ndim > len(shape) else ""
        raise InputError(
            name,
            got=f"shape {array.shape}" + ("" if np.all(np.isfinite(array)) else " with numbers not finite"),
            wanted=f"finite numbers of shape {wanted}, in Mandel notation",
            cure=f"pass the tensor of a 3-D result{many}",
        )
    return array.reshape(count, *shape)


def _reference(reference: float | None, levels: np.ndarray, kind: str) -> float:
    known = math.nan if reference is None else float(reference)
    inside = levels[0] <= known <= levels[-1] if kind == "tangent" else math.isfinite(known)
    if not inside:
        between = f" between {levels[0]:g} and {levels[-1]:g}" if kind == "tangent" else ""
        raise InputError(
            "reference",
            got="nothing" if reference is None else f"{known:g} K",
            wanted=f"the temperature in K{between} at which the thermal strain is zero",
            cure="pass reference=293.15, or the temperature from which the expansion was measured",
        )
    return known


def _stiffness_kind(tensors: np.ndarray, rtol: float) -> str:
    limit = rtol * np.abs(tensors).max(axis=(1, 2))
    return _simplest([np.abs(tensors - _isotropic(tensors)), np.abs(tensors - _orthotropic(tensors))], limit)


def _expansion_kind(strains: np.ndarray, rtol: float) -> str:
    limit = rtol * np.abs(strains).max(axis=1)
    mean = np.concatenate([np.repeat(strains[:, :3].mean(axis=1)[:, None], 3, 1), 0 * strains[:, 3:]], axis=1)
    own = np.concatenate([strains[:, :3], 0 * strains[:, 3:]], axis=1)
    return _simplest([np.abs(strains - mean), np.abs(strains - own)], limit)


def _simplest(gaps: list[np.ndarray], limit: np.ndarray) -> str:
    for kind, gap in zip(("ISO", "ORTHO"), gaps, strict=True):
        if np.all(gap.reshape(len(limit), -1).max(axis=1) <= limit):
            return kind
    return "ANISO"


def _isotropic(tensors: np.ndarray) -> np.ndarray:
    """Return the nearest isotropic tensors: lambda and mu from the two linear invariants."""
    bulk = tensors[:, :3, :3].sum(axis=(1, 2)) / 9
    trace = np.trace(tensors[:, :3, :3], axis1=1, axis2=2) + 2 * np.trace(
        tensors[:, 3:, 3:], axis1=1, axis2=2
    )
    shear = (trace - 3 * bulk) / 10
    found = np.zeros_like(tensors)
    found[:, :3, :3] = (bulk - 2 * shear / 3)[:, None, None]
    found[:, range(3), range(3)] += 2 * shear[:, None]
    found[:, range(3, 6), range(3, 6)] = shear[:, None]
    return found


def _orthotropic(tensors: np.ndarray) -> np.ndarray:
    found = np.zeros_like(tensors)
    found[:, :3, :3] = tensors[:, :3, :3]
    found[:, range(3, 6), range(3, 6)] = tensors[:, range(3, 6), range(3, 6)]
    return found


def _known(name: str, given: str, wanted: tuple[str, ...]) -> None:
    if given not in wanted:
        raise InputError(
            name, got=repr(given), wanted=" or ".join(map(repr, wanted)), cure=f"pass {name}={wanted[0]!r}"
        )
