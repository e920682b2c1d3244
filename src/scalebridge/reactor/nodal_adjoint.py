"""The adjoint of the nodal expansion, and how k follows every constant of it.

At convergence the fluxes of nodes and the currents through faces solve linear equations A(k) x = 0:

    balance of each node, and f phi_face(lower node) = f phi_face(upper node) at each face,

phi_face being linear in the node's flux, in the current and in what leaks across (`nodal_expansion`). With
the left null vector y of A,

    dk / dp = - (y . dA / dp x) / (y . dA / dk x).

What y . A x has of the constants is a sum over nodes; its derivatives are taken by a step along the imaginary
axis, which takes no difference of two numbers and is exact to rounding.

Source: W. Squire, G. Trapp (1998), SIAM Rev. 40, 110, doi:10.1137/S003614459631241X, for the complex step.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, gmres, splu

from scalebridge.reactor.core_constants import CoreConstants
from scalebridge.reactor.core_derivatives import CONSTANTS, by_region
from scalebridge.reactor.core_mesh import LOWER_SIDE, UPPER_SIDE, CoreMesh
from scalebridge.reactor.core_problem import CoreProblem, CoreSolution
from scalebridge.reactor.diffusion_system import Sparse
from scalebridge.reactor.nodal_expansion import (
    images,
    leakage_by_axis,
    node_matrix,
    node_surface,
    parabola_weights,
    surface_flux,
)

_RESIDUAL = 1e-8  # of each of two solutions
_STEP = 1e-40  # far below rounding: squares vanish, and nothing is subtracted


@dataclass(frozen=True, eq=False)
class NodalAdjoint:
    """The left null vector of the nodal equations.

    Args:
        k: the solution's, less what the adjoint's own error makes of it.
        balance: (cells, G) what the balances of nodes count.
        ends: (dim, 2, cells, G) what the flux at the lower and upper end of each node counts at its faces.
    """

    k: float
    balance: np.ndarray
    ends: np.ndarray

    def flux(self, problem: CoreProblem) -> np.ndarray:
        """Return the adjoint flux, (cells, G): what neutrons that appear all over a node are worth.

        They are in its balance, and bend the flux inside of it as what leaks across does.
        """
        mesh, local = problem.mesh, problem.local
        matrix = node_matrix(local, self.k, problem.buckling)
        found = self.balance * mesh.volumes[:, None]
        for axis in range(mesh.dim):
            bare, _ = _ends_by_inputs(local, mesh.edges[:, axis, None], matrix)
            for end in (0, 1):
                found = found + np.einsum("igh,ig->ih", bare[end][1], self.ends[axis, end])
        return found / mesh.volumes[:, None]


def nodal_adjoint(problem: CoreProblem, solution: CoreSolution) -> NodalAdjoint:
    """Return the adjoint of the equations that a solution of the nodal expansion meets.

    Args:
        problem: the core.
        solution: by the nodal expansion.

    Cost: one sparse factorisation without what leaks across, some twenty solutions with it, and an evaluation
        of all nodes for each constant of a region.
    """
    mesh, local = problem.mesh, problem.local
    unknown = np.concatenate([part.ravel() for part in (solution.flux, *solution.current)])
    matrix, count = _equations(problem, solution.k), solution.flux.size
    made = local.chi * (local.nu_fission * solution.flux).sum(axis=1)[:, None]
    above, beside = unknown / np.linalg.norm(unknown), np.zeros_like(unknown)
    beside[:count] = made.ravel() / np.linalg.norm(made)
    whole, near = (
        sp.bmat([[part.T, above[:, None]], [beside[None, :], None]]).tocsc()
        for part in (matrix, _equations(problem, solution.k, across=False))
    )
    found = _solved(whole, near, np.append(np.zeros_like(unknown), 1.0))[:-1]
    worth, faces = found[:count].reshape(solution.flux.shape), found[count:]
    ends = [
        [(_face_counts(problem, axis, end).T @ faces).reshape(worth.shape) for end in (0, 1)]
        for axis in range(mesh.dim)
    ]
    adjoint = NodalAdjoint(solution.k, worth, np.array(ends))
    slope = _slope(problem, solution, adjoint, local, solution.k + 1j * _STEP).sum()
    other = float(found @ (matrix @ beside)) * np.linalg.norm(
        unknown
    )  # zero of y alone, whatever stands beside
    return replace(adjoint, k=solution.k - other / float(slope))


def _solved(whole: Sparse, near: Sparse, right: np.ndarray) -> np.ndarray:
    """Solve with a matrix by GMRES, another that is near it factorised; twice, so that rounding is left."""
    factor = splu(near, permc_spec="MMD_AT_PLUS_A")
    inverse = LinearOperator(whole.shape, matvec=factor.solve, dtype=float)  # type: ignore[call-arg]
    found = factor.solve(right)
    for _ in range(2):
        left = right - whole @ found
        change, _ = gmres(whole, left, M=inverse, rtol=_RESIDUAL, atol=0.0, restart=60, maxiter=5)
        found = found + change
    return found


def nodal_derivatives(
    problem: CoreProblem, solution: CoreSolution, adjoint: NodalAdjoint
) -> dict[str, np.ndarray]:
    """Return dk by every constant of every region: (R, G), and (R, G, G) for scatter [from, to].

    Args:
        problem: the core.
        solution: by the nodal expansion.
        adjoint: of it.
    """
    local, k = problem.local, solution.k
    by_k = _slope(problem, solution, adjoint, local, k + 1j * _STEP).sum()
    told = {}
    for key in CONSTANTS:
        value = getattr(local, key)
        found = np.zeros(value.shape)
        for place in np.ndindex(value.shape[1:]):
            moved = value.astype(complex)
            moved[(slice(None), *place)] += 1j * _STEP
            changed = replace(local, **{key: moved})
            found[(slice(None), *place)] = -_slope(problem, solution, adjoint, changed, k) / by_k
        told[key] = by_region(problem.regions, found, len(problem.constants.names))
    return told


def _slope(
    problem: CoreProblem, solution: CoreSolution, adjoint: NodalAdjoint, local: CoreConstants, k: complex
) -> np.ndarray:
    """Return the slope of y . A x by an imaginary step in the constants of each node, (cells,)."""
    mesh, flux = problem.mesh, solution.flux
    leaking = leakage_by_axis(mesh, *solution.current)
    matrix = node_matrix(local, k, problem.buckling)
    found = (adjoint.balance * np.einsum("igh,ih->ig", matrix, flux)).sum(axis=1) * mesh.volumes
    currents = np.concatenate(solution.current)
    for axis in range(mesh.dim):
        across = leaking.sum(axis=0) - leaking[axis]
        surface = surface_flux(mesh, local, matrix, flux, across, axis, problem.gamma)
        pairs = zip((surface.low, surface.high), _outward(mesh, axis), adjoint.ends[axis], strict=True)
        for bare, outward, count in pairs:
            end = bare - np.einsum("igh,ih->ig", surface.slope, outward @ currents)
            found = found + (count * end).sum(axis=1)
    return np.imag(found) / _STEP


def _outward(mesh: CoreMesh, axis: int) -> tuple[Sparse, Sparse]:
    """Return currents out of the lower and the upper ends of nodes by those of all faces, inner first."""
    count = len(mesh.lower)
    inner = np.flatnonzero(mesh.axis == axis)
    found = []
    for cells, sign, side in ((mesh.upper, -1.0, LOWER_SIDE[axis]), (mesh.lower, 1.0, UPPER_SIDE[axis])):
        rim = np.flatnonzero(mesh.side == side)
        rows, columns = np.concatenate([cells[inner], mesh.rim[rim]]), np.concatenate([inner, count + rim])
        values = np.concatenate([np.full(len(inner), sign), np.ones(len(rim))])
        found.append(sp.csr_matrix((values, (rows, columns)), shape=(mesh.cells, count + len(mesh.rim))))
    return found[0], found[1]


def _face_counts(problem: CoreProblem, axis: int, end: int) -> Sparse:
    """Return what the fluxes at the lower (0) or upper (1) ends of nodes count in the conditions of faces."""
    held = problem.gamma * problem.factor.rim
    inner = (problem.factor.upper, problem.factor.lower)[end]
    weight = np.concatenate([inner, np.where(np.isfinite(held), held, 1.0)])
    pattern = sp.kron(_outward(problem.mesh, axis)[end].T, sp.identity(weight.shape[1]))
    return -(sp.diags(weight.ravel()) @ pattern)


def _equations(problem: CoreProblem, k: float, across: bool = True) -> Sparse:
    """Return A: balances of nodes, then the conditions of faces; with or without what leaks across."""
    mesh, local = problem.mesh, problem.local
    one, image = sp.identity(local.groups), images(mesh, local, problem.gamma)
    matrix = node_matrix(local, k, problem.buckling)
    out = [[sp.kron(part, one).tocsr() for part in _outward(mesh, axis)] for axis in range(mesh.dim)]
    leaks = [
        sp.diags(np.repeat(1.0 / mesh.edges[:, axis], local.groups)) @ (out[axis][0] + out[axis][1])
        for axis in range(mesh.dim)
    ]
    whole = sum(leaks[1:], leaks[0])
    free = np.isfinite(problem.gamma * problem.factor.rim)
    by_current = sp.diags(np.concatenate([np.zeros(problem.factor.lower.size), free.ravel().astype(float)]))
    by_flux = sp.csr_matrix((free.size + problem.factor.lower.size, mesh.cells * local.groups))
    for axis in range(mesh.dim):
        other = whole - leaks[axis]
        first, second = (_parabola(mesh, w, axis, image) @ other for w in parabola_weights(mesh, axis))
        bare, slope = _ends_by_inputs(local, mesh.edges[:, axis, None], matrix)
        for end in (0, 1):
            counts = _face_counts(problem, axis, end)
            flux, *leaking = (_blocks(part) for part in bare[end])
            moved = -slope @ out[axis][end]
            if across:
                moved = moved + leaking[0] @ other + leaking[1] @ first + leaking[2] @ second
            by_flux, by_current = by_flux + counts @ flux, by_current + counts @ moved
    volumes = mesh.volumes[:, None, None]
    balance = sp.diags(np.repeat(mesh.volumes, local.groups)) @ whole
    return sp.bmat([[_blocks(matrix * volumes), balance], [by_flux, by_current]]).tocsr()


def _ends_by_inputs(
    local: CoreConstants, edge: np.ndarray, matrix: np.ndarray
) -> tuple[tuple[list[np.ndarray], list[np.ndarray]], Sparse]:
    """Return (cells, G, G) by which the fluxes at both ends are linear in flux, across, first, second.

    And by what an outward current lowers them.
    """
    cells, groups = local.diffusion.shape
    low, high = np.zeros((2, 4, cells, groups, groups))
    slope = np.zeros_like(matrix)
    for which, h in np.ndindex(4, groups):
        unit = np.zeros((4, cells, groups))
        unit[which, :, h] = 1.0
        surface = node_surface(local.diffusion, edge, matrix, unit[0], (unit[1], unit[2], unit[3]))
        low[which, :, :, h], high[which, :, :, h], slope = surface.low, surface.high, surface.slope
    return (list(low), list(high)), _blocks(slope)


def _parabola(mesh: CoreMesh, weight: np.ndarray, axis: int, image: np.ndarray) -> Sparse:
    """Return a coefficient of the parabolas by what leaks across all nodes, image nodes at outer faces."""
    groups, at = image.shape[1], mesh.axis == axis
    low, up = mesh.lower[at], mesh.upper[at]
    rows, columns = np.concatenate([up, low]), np.concatenate([low, up])
    values = np.concatenate([weight[0, up, 0], weight[1, low, 0]])
    beside = sp.csr_matrix((values, (rows, columns)), shape=(mesh.cells, mesh.cells))
    own = np.repeat(-weight.sum(axis=0), groups, axis=1)
    for end, side in enumerate((LOWER_SIDE[axis], UPPER_SIDE[axis])):
        rim = mesh.side == side
        np.add.at(own, mesh.rim[rim], weight[end, mesh.rim[rim]] * image[rim])
    return sp.kron(beside, sp.identity(groups)) + sp.diags(own.ravel())


def _blocks(values: np.ndarray) -> Sparse:
    """Return a block diagonal matrix of (cells, G, G)."""
    cells, groups, _ = values.shape
    places = np.arange(cells)
    return sp.bsr_matrix((values, places, np.arange(cells + 1)), shape=(cells * groups,) * 2).tocsr()
