"""How k of a coarse core follows each of its constants, by first-order perturbation with the adjoint flux.

    dk = k^2 <adjoint, (dF / k - dM) flux> / <adjoint, F flux>

It is exact for finite volumes, discontinuity factors among the constants. Simplified P3's two equations count
what happens in a volume by one and the same importance, that of a neutron there: see `simplified_p3_adjoint`.
"""

from dataclasses import dataclass

import numpy as np

from scalebridge.reactor.core_problem import CoreProblem, CoreSolution
from scalebridge.reactor.diffusion_faces import conductances

CONSTANTS = ("diffusion", "absorption", "nu_fission", "chi", "scatter")


@dataclass(frozen=True, eq=False)
class FactorSlopes:
    """dk by the discontinuity factors at each face: (faces, G) from both sides, (rims, G)."""

    lower: np.ndarray
    upper: np.ndarray
    rim: np.ndarray


def k_derivatives(problem: CoreProblem, solution: CoreSolution, adjoint: np.ndarray) -> dict[str, np.ndarray]:
    """Return dk by every constant of every region: (R, G), and (R, G, G) for scatter [from, to].

    Args:
        problem: the core.
        solution: finite volumes.
        adjoint: (cells, G).
    """
    by_cell = local_slopes(problem, solution, adjoint)
    by_cell["diffusion"] = scale_of(problem, solution, adjoint) * _by_diffusion(problem, solution, adjoint)
    return by_regions(problem, by_cell)


def local_slopes(problem: CoreProblem, solution: CoreSolution, adjoint: np.ndarray) -> dict[str, np.ndarray]:
    """Return dk by what happens in each volume, currents held: absorption, fission and scattering.

    Args:
        problem: the core.
        solution: its flux.
        adjoint: (cells, G) importance of a neutron in each volume.
    """
    local, flux, k = problem.local, solution.flux, solution.k
    weight = scale_of(problem, solution, adjoint) * problem.mesh.volumes[:, None]
    born = (local.chi * adjoint).sum(axis=1, keepdims=True)
    made = (local.nu_fission * flux).sum(axis=1, keepdims=True)
    passing = adjoint[:, None, :] - adjoint[:, :, None]  # what a neutron gains by passing [from, to]
    return {
        "absorption": -weight * adjoint * flux,
        "nu_fission": weight * flux * born / k,
        "chi": weight * adjoint * made / k,
        "scatter": weight[:, :, None] * flux[:, :, None] * passing,
    }


def by_regions(problem: CoreProblem, by_cell: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Sum slopes by volumes over each region."""
    count = len(problem.constants.names)
    return {name: by_region(problem.regions, value, count) for name, value in by_cell.items()}


def factor_slopes(problem: CoreProblem, solution: CoreSolution, adjoint: np.ndarray) -> FactorSlopes:
    """Return dk by every discontinuity factor."""
    mesh, flux, factor = problem.mesh, solution.flux, problem.factor
    half = conductances(mesh, problem.local.diffusion)
    inner, _ = solution.current
    scale = scale_of(problem, solution, adjoint)
    drop = scale * (adjoint[mesh.upper] - adjoint[mesh.lower]) * mesh.areas[:, None]
    across = factor.lower / half.lower + factor.upper / half.upper
    held = problem.gamma * factor.rim
    finite = np.isfinite(held)
    held = np.where(finite, held, 0.0)
    slope = np.where(finite, problem.gamma, 0.0) * (half.rim / (half.rim + held)) ** 2
    return FactorSlopes(
        drop * (flux[mesh.lower] - inner / half.lower) / across,
        -drop * (flux[mesh.upper] + inner / half.upper) / across,
        -scale * adjoint[mesh.rim] * mesh.rim_areas[:, None] * slope * flux[mesh.rim],
    )


def scale_of(problem: CoreProblem, solution: CoreSolution, adjoint: np.ndarray) -> float:
    """Return k^2 over the importance of what fission makes."""
    local = problem.local
    made = (local.nu_fission * solution.flux).sum(axis=1) * problem.mesh.volumes
    return solution.k**2 / float(((local.chi * adjoint).sum(axis=1) * made).sum())


def inner_slopes(
    problem: CoreProblem, coefficient: np.ndarray, flux: np.ndarray, adjoint: np.ndarray
) -> np.ndarray:
    """Return what the importance gains through inner faces by the diffusion coefficient of each volume.

    Args:
        problem: the core.
        coefficient: (cells, G) of the diffusion.
        flux: (cells, G) of what diffuses.
        adjoint: (cells, G) importance of what arrives.
    """
    mesh, factor = problem.mesh, problem.factor
    half = conductances(mesh, coefficient)
    across = factor.lower / half.lower + factor.upper / half.upper
    current = (factor.lower * flux[mesh.lower] - factor.upper * flux[mesh.upper]) / across
    drop = (adjoint[mesh.upper] - adjoint[mesh.lower]) * mesh.areas[:, None] * current
    found = np.zeros_like(flux)
    for cells, f, d in ((mesh.lower, factor.lower, half.lower), (mesh.upper, factor.upper, half.upper)):
        np.add.at(found, cells, drop * f / d**2 / across * (2 / mesh.edges[cells, mesh.axis, None]))
    return found


def _by_diffusion(problem: CoreProblem, solution: CoreSolution, adjoint: np.ndarray) -> np.ndarray:
    mesh, flux = problem.mesh, solution.flux
    found = inner_slopes(problem, problem.local.diffusion, flux, adjoint)
    found -= problem.buckling * mesh.volumes[:, None] * adjoint * flux
    half = conductances(mesh, problem.local.diffusion)
    held = problem.gamma * problem.factor.rim
    finite = np.isfinite(held)
    held = np.where(finite, held, 1.0)
    slope = (
        np.where(finite, (held / (half.rim + held)) ** 2, 1.0)
        * 2
        / mesh.edges[mesh.rim, mesh.side // 2, None]
    )
    np.add.at(found, mesh.rim, -adjoint[mesh.rim] * flux[mesh.rim] * slope * mesh.rim_areas[:, None])
    return found


def by_region(regions: np.ndarray, value: np.ndarray, count: int) -> np.ndarray:
    """Sum what volumes have, (cells, ...), over each region."""
    found = np.zeros((count, *value.shape[1:]))
    np.add.at(found, regions, value)
    return found
