"""Derivatives of k by every fine cross-section and radius, from one adjoint solution with the same sweep.

    dk / dp = (lambda . dG / dp) / (phi+ . chi F phi V / k^2),

where G = 0 are the discrete equations themselves, so that the derivative is that of the numbers that were
computed, not of the equation that they stand for. A sweep is its own adjoint with every track run the other
way: adjoint fluxes come from the same sweep with scattering and fission turned round.

Source: G. Aliberti et al. (2006), Ann. Nucl. Energy 33, 700, for the use; the discrete form is derived in the
theory pages.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.reactor.adjoint_pair import (
    AdjointPair,
    adjoint_pair,
    changes,
    rows_with,
    sources_over_total,
)
from scalebridge.reactor.data_covariance import checked_covariance
from scalebridge.reactor.materials import MultigroupMaterial
from scalebridge.reactor.transport_result import TransportSolution


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Derivatives of k, each cross-section taken by itself: 1/(1/cm), of chi a number, of radii 1/cm.

    Args:
        multiplication: k.
        adjoint: (regions, G) adjoint flux.
        total: by material, (G,), scattering and fission kept.
        nu_fission: by material, (G,).
        chi: by material, (G,).
        scatter: by material, (G, G) as [from, to], total kept.
        moments: by material, (order, G, G), of scattering above order 0, as far as it was taken.
        radius: by cell, one for each radius at which its material changes, of all cells of the name together;
            empty with linear sources.
        checks: whether the adjoint problem has the same k, and its balance.
        materials: by name.
    """

    multiplication: float
    adjoint: np.ndarray
    total: dict[str, np.ndarray]
    nu_fission: dict[str, np.ndarray]
    chi: dict[str, np.ndarray]
    scatter: dict[str, np.ndarray]
    moments: dict[str, np.ndarray]
    radius: dict[str, np.ndarray]
    checks: tuple[Check, ...]
    materials: dict[str, MultigroupMaterial]

    @property
    def absorption(self) -> dict[str, np.ndarray]:
        """By an absorption that is added to the total, which is what the total's is: (G,) by material."""
        return self.total

    def density(self, solution: TransportSolution) -> dict[str, float]:
        """Return k' by the relative density of each material: all its cross-sections together.

        Args:
            solution: that the derivatives are of.
        """
        return {
            name: float(
                np.sum(self.total[name] * m.total)
                + np.sum(self.nu_fission[name] * m.nu_fission)
                + np.sum(self.scatter[name] * m.scatter[0])
                + sum(np.sum(a * b) for a, b in zip(self.moments[name], m.scatter[1:], strict=False))
            )
            for name, m in solution.materials.items()
        }

    def spread(self, covariance: Mapping[Any, Any]) -> float:
        """Return the standard deviation of k by covariances of cross-sections (the sandwich rule).

        Args:
            covariance: by (material, key), key one of "total", "nu_fission", "chi", "scatter": a matrix over
                the flattened cross-section, or relative standard deviations; by (material, key, material,
                key) a matrix between two. What is not given is zero.

        Raises:
            InputError: a name or shape is unknown, or it is not symmetric and positive semidefinite.
        """
        blocks = checked_covariance(covariance, self.materials)
        variance = 0.0
        for (name, key, other, second), matrix in blocks.items():
            variance += float(self.slope(name, key) @ matrix @ self.slope(other, second))
        return float(np.sqrt(max(variance, 0.0)))

    def slope(self, name: str, key: str) -> np.ndarray:
        """Return the derivatives by a cross-section of a material, flattened; zero by "fission" alone."""
        slope = getattr(self, key)[name] if key != "fission" else np.zeros(self.materials[name].groups)
        return slope.ravel()


def k_sensitivity(solution: TransportSolution, *, rtol: float = 1e-9, max_steps: int = 2000) -> Sensitivity:
    """Compute the derivatives of k by all cross-sections of all materials, and by all radii.

    Args:
        solution: of an eigenvalue problem.
        rtol: wanted largest relative change of forward and adjoint fluxes from sweep to sweep.
        max_steps: limit of sweeps of each.

    Raises:
        InputError: the solution is of a given source.
        SolverError: the adjoint problem did not converge.

    Limits: pitches are kept; derivatives by the total are of k with scattering kept. Derivatives by radii are
        of the computed k with the tracks where they are, which jumps where a circle meets another track: they
        are as good as the tracks are close. With linear sources there are none by radii.
    Cost: a forward and an adjoint solution, and one more sweep; nothing an input.

    Example:
        >>> from scalebridge.reactor.solve_transport import solve_transport
        >>> fuel = {"total": [0.5], "scatter": [[0.4]], "nu_fission": [0.12], "chi": [1.0]}
        >>> table = {"pitch": 1.0, "pins": {"F": {"material": "fuel"}}, "rows": ["F"]}
        >>> solution = solve_transport(table, {"fuel": fuel}, azimuths=4, spacing=0.2)
        >>> slopes = k_sensitivity(solution)  # k = nu_fission / (total - scatter) here
        >>> round(float(slopes.total["fuel"][0]), 4), round(float(slopes.nu_fission["fuel"][0]), 4)
        (-12.0, 10.0)
    """
    pair = adjoint_pair(solution, rtol, max_steps)
    return sensitivity_of(pair)


def sensitivity_of(pair: AdjointPair) -> Sensitivity:
    """Return the derivatives of k of a problem that is solved both ways."""
    k, worth = pair.multiplication, rows_with(pair.back, pair.adjoint.swept.flux)
    multiplier = sources_over_total(pair.back, pair.turned, worth[:, 0], k)
    norm = pair.born(worth) / k
    known = dict(zip(pair.sums.lattice.materials, pair.sums.materials, strict=True))
    parts, radius = changes(pair, worth, multiplier)
    told = {key: {name: found / norm for name, found in of.items()} for key, of in parts.items()}
    by_radius = {name: found / norm for name, found in radius.items()}
    return Sensitivity(k, worth[:, 0], **told, radius=by_radius, checks=_checks(pair), materials=known)


def _checks(pair: AdjointPair) -> tuple[Check, ...]:
    sums, forward, adjoint = pair.sums, pair.forward, pair.adjoint
    gap = abs(adjoint.multiplication / forward.multiplication - 1.0)
    meaning = "k of the adjoint problem against k, relative: one matrix, transposed; what iterations leave"
    swept, flux = adjoint.swept, adjoint.swept.flux
    total = np.stack([m.total for m in sums.materials])[sums.lattice.region_material]
    volume = sums.lattice.region_volume[:, None]
    left = swept.vertical[:, -1].sum() - swept.vertical[:, 0].sum()
    left += swept.horizontal[-1].sum() - swept.horizontal[0].sum()
    lost = float(np.sum((total * flux - adjoint.source) * volume) + left)
    balance = abs(lost) / float(np.sum(total * flux * volume))
    return (
        Check("adjoint k", gap, 1e-7, meaning=meaning),
        Check("adjoint balance", balance, 1e-8, meaning="collisions and leakage against sources; rounding"),
    )
