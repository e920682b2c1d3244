"""The adjoint of simplified P3, and how its k follows each constant.

Let a and b be the adjoints of the two equations (see `simplified_p3`). What is taken or made in a volume
enters the first with one and the second with -2/5, and is told by the scalar flux Phi - 2 phi2: so a neutron
there is worth a - 2/5 b, and absorption, fission and scattering count as in diffusion. The diffusion
coefficient lets Phi through, the total cross-section holds phi2 back, and both are in Marshak's conditions at
outer faces.

Source: G. I. Bell, S. Glasstone, Nuclear Reactor Theory (1970), section 6.3, for the perturbation.
"""

from dataclasses import dataclass

import numpy as np

from scalebridge.reactor.core_derivatives import by_regions, inner_slopes, local_slopes, scale_of
from scalebridge.reactor.core_methods import adjoint_flux
from scalebridge.reactor.core_problem import CoreProblem, CoreSolution
from scalebridge.reactor.diffusion_faces import conductances
from scalebridge.reactor.simplified_p3 import outer_response


@dataclass(frozen=True, eq=False)
class P3Adjoint:
    """The adjoint mode.

    Args:
        k: its eigenvalue, that of the core.
        first, second: (cells, G) adjoints of the two equations.
    """

    k: float
    first: np.ndarray
    second: np.ndarray

    @property
    def flux(self) -> np.ndarray:
        """(cells, G) importance of a neutron in each volume."""
        return self.first - 0.4 * self.second


def p3_adjoint(solution: CoreSolution, rtol: float) -> P3Adjoint:
    """Return the adjoint mode of the equations that a solution was found with."""
    k, both = adjoint_flux(solution, rtol)
    return P3Adjoint(k, *np.split(both, 2))


def p3_derivatives(problem: CoreProblem, solution: CoreSolution, adjoint: P3Adjoint) -> dict[str, np.ndarray]:
    """Return dk by every constant of every region, (R, G), and (R, G, G) for scatter [from, to].

    That by the diffusion coefficient holds the total cross-section, which is a constant of its own, `total`.
    """
    local, mesh, total = problem.local, problem.mesh, problem.local.total
    produced = (local.nu_fission * solution.flux).sum(axis=1) * mesh.volumes
    both = solution.system.solve(solution.system.source(produced)) / solution.k
    phi, phi2 = (part.T for part in np.split(both, 2, axis=1))
    scale, buckled = scale_of(problem, solution, adjoint.flux), problem.buckling * mesh.volumes[:, None]
    by_second = -9 / (35 * total**2)  # how the coefficient of the second moment follows the total
    by_diffusion, by_outer = _outer_slopes(problem, phi, phi2, adjoint)
    by_diffusion += inner_slopes(problem, local.diffusion, phi, adjoint.first)
    by_diffusion -= buckled * adjoint.flux * solution.flux
    spread = inner_slopes(problem, 9 / (35 * total), phi2, adjoint.second) - buckled * adjoint.second * phi2
    by_total = by_outer + by_second * spread - mesh.volumes[:, None] * adjoint.second * phi2
    by_cell = local_slopes(problem, solution, adjoint.flux)
    return by_regions(problem, {**by_cell, "diffusion": scale * by_diffusion, "total": scale * by_total})


def _outer_slopes(
    problem: CoreProblem, phi: np.ndarray, phi2: np.ndarray, adjoint: P3Adjoint
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the importance gains at outer faces by diffusion coefficient and total, (cells, G) each.

    With h the conductances of the half volumes, the response R = (1 + O / h)^-1 O has the slope
    dR_ik / dh_j = R_ij R_jk / h_j^2; where the flux is held at zero it is h itself.
    """
    mesh, total = problem.mesh, problem.local.total
    values = np.stack([phi[mesh.rim], phi2[mesh.rim]], axis=-1)
    response = outer_response(problem)
    current = (response * values[..., None, :]).sum(axis=-1)
    worth = np.stack([adjoint.first[mesh.rim], 0.6 * adjoint.second[mesh.rim]], axis=-1)
    coefficients = (problem.local.diffusion, 3 / (7 * total))
    by_coefficient = (np.ones_like(total), -3 / (7 * total**2))
    open_ = np.isfinite(problem.gamma)
    edge = mesh.edges[mesh.rim, mesh.side // 2, None]
    found = []
    for j in (0, 1):
        half = conductances(mesh, coefficients[j]).rim
        through = (worth * response[..., j]).sum(axis=-1) * current[..., j] / half**2
        lost = np.where(open_, through, worth[..., j] * values[..., j])
        by_cell = np.zeros_like(phi)
        slope = 2 / edge * by_coefficient[j][mesh.rim]
        np.add.at(by_cell, mesh.rim, -lost * slope * mesh.rim_areas[:, None])
        found.append(by_cell)
    return found[0], found[1]
