"""Simplified P3 on finite volumes: a second moment of the angular flux beside the scalar flux.

    -div D grad Phi + removal (Phi - 2 phi2) = q,                    Phi = phi0 + 2 phi2,
    -div (9 / (35 total)) grad phi2 + total phi2 - 2/5 (removal (Phi - 2 phi2) - q) = 0,

with Marshak's conditions at outer faces. On a line it is P3 itself. Scattering is isotropic, or corrected for
transport.

Source: P. S. Brantley, E. W. Larsen, Nucl. Sci. Eng. 134 (2000) 1.
"""

import numpy as np
import scipy.sparse as sp

from scalebridge.reactor.core_mesh import CoreMesh
from scalebridge.reactor.core_problem import CoreProblem
from scalebridge.reactor.diffusion_faces import conductances, couple
from scalebridge.reactor.diffusion_system import CoreSystem, Sparse, factorised, leakage_matrix

MARSHAK = np.array([[1 / 2, -3 / 8], [-1 / 8, 7 / 8]])
"""Outward phi1 and phi3 at a vacuum by Phi and phi2 there."""


def p3_system(problem: CoreProblem) -> CoreSystem:
    """Return the factorised equations; unknowns of a group are Phi of all volumes, then phi2."""
    mesh, local = problem.mesh, problem.local
    volumes, groups = mesh.volumes, local.groups
    closed = np.zeros_like(problem.gamma)
    second = 9 / (35 * local.total)
    inner = [couple(conductances(mesh, d), problem.factor, closed) for d in (local.diffusion, second)]
    removal = local.removal + problem.buckling * local.diffusion

    def loss(g: int) -> Sparse:
        taken = sp.diags(removal[:, g] * volumes)
        own = (local.total + problem.buckling * second + 0.8 * removal)[:, g]
        rows = [
            [leakage_matrix(mesh, inner[0], g) + taken, -2 * taken],
            [-0.4 * taken, leakage_matrix(mesh, inner[1], g) + sp.diags(own * volumes)],
        ]
        return sp.bmat(rows).tocsr() + _outer_matrix(problem, g)

    def passed(g: int, h: int) -> Sparse | None:
        value = sp.diags(local.scatter[:, g, h] * volumes)
        rows = [[value, -2 * value], [-0.4 * value, 0.8 * value]]
        return sp.bmat(rows).tocsr() if g != h and local.scatter[:, g, h].any() else None

    spectrum = [sp.diags(local.chi[:, g]) for g in range(groups)]
    made = [sp.diags(local.nu_fission[:, g] * volumes) for g in range(groups)]
    return factorised(
        [loss(g) for g in range(groups)],
        passed,
        [sp.vstack([part, -0.4 * part]).tocsr() for part in spectrum],
        [sp.hstack([part, -2 * part]).tocsr() for part in made],
    )


def p3_currents(problem: CoreProblem, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (faces, G) and (rims, G) currents, of (cells, G) Phi and phi2."""
    mesh, local = problem.mesh, problem.local
    half = conductances(mesh, local.diffusion)
    found = couple(half, problem.factor, np.zeros_like(problem.gamma))
    inner = found.lower * first[mesh.lower] - found.upper * first[mesh.upper]
    response = outer_response(problem)[..., 0, :]
    values = np.stack([first[mesh.rim], second[mesh.rim]], axis=-1)
    return inner, (response * values).sum(axis=-1)


def outer_response(problem: CoreProblem) -> np.ndarray:
    """Return (rims, G, 2, 2) outward phi1 and phi3 by Phi and phi2 in the volume."""
    mesh, local = problem.mesh, problem.local
    halves = [conductances(mesh, d).rim for d in (local.diffusion, 3 / (7 * local.total))]
    half = np.stack(halves, axis=-1)
    open_ = np.isfinite(problem.gamma)
    outside = 2 * np.where(open_, problem.gamma, 0.0)[..., None, None] * MARSHAK
    unit = np.eye(2)
    found = np.linalg.solve(unit + outside / half[..., None, :], outside)
    return np.where(open_[..., None, None], found, half[..., None, :] * unit)


def _outer_matrix(problem: CoreProblem, group: int) -> Sparse:
    mesh: CoreMesh = problem.mesh
    response = outer_response(problem)[:, group] * mesh.rim_areas[:, None, None]
    response[:, 1] *= 0.6  # the second equation counts 3/5 phi3
    rows = [[_diagonal(mesh, response[:, i, j]) for j in range(2)] for i in range(2)]
    return sp.bmat(rows).tocsr()


def _diagonal(mesh: CoreMesh, values: np.ndarray) -> Sparse:
    return sp.csr_matrix((values, (mesh.rim, mesh.rim)), shape=(mesh.cells, mesh.cells))
