"""The nodal expansion method: currents between large nodes from polynomials of fourth order along each axis.

In each node and along each axis the flux averaged across the others is

    phi(u) = mean + a1 u + a2 (3 u^2 - 1/4) + a3 (u^3 - u/4) + a4 (u^4 - 3 u^2/10 + 1/80),   -1/2 < u < 1/2,

with a2 and a4 from the node's balance and its second moment, a3 from the first, and the flux's slope from the
two sides of a face. What leaves across the other axes is a parabola through three nodes. The currents correct
the couplings of the finite volumes, which are then solved again, until nothing changes: at the end the finite
volumes balance with the currents of the expansion.

Source: H. Finnemann, F. Bennewitz, M. R. Wagner, Atomkernenergie 30 (1977) 123; K. S. Smith, Trans. Am. Nucl.
Soc. 44 (1983) 265, for the corrected couplings.
"""

from dataclasses import dataclass

import numpy as np

from scalebridge.reactor.core_constants import CoreConstants
from scalebridge.reactor.core_mesh import LOWER_SIDE, UPPER_SIDE, CoreMesh
from scalebridge.reactor.core_problem import CoreProblem, CoreSolution
from scalebridge.reactor.diffusion_faces import Couplings, FaceFactors, conductances, currents


@dataclass(frozen=True)
class SurfaceFlux:
    """The flux at both ends of each node along one axis, as a linear function of the current there.

    Args:
        high: (cells, G) flux at the upper end without current.
        low: (cells, G) flux at the lower end without current.
        slope: (cells, G, G) what the outward current of each group takes from the flux of each.
        third: (cells, G, G) what a3 is by a1, and
        rest: (cells, G) what it is beside that.
        fourth: (cells, G) a4.
    """

    high: np.ndarray
    low: np.ndarray
    slope: np.ndarray
    third: np.ndarray
    rest: np.ndarray
    fourth: np.ndarray


def nodal_couplings(
    mesh: CoreMesh,
    constants: CoreConstants,
    old: Couplings,
    factor: FaceFactors,
    gamma: np.ndarray,
    flux: np.ndarray,
    k: float,
    *,
    buckling: float = 0.0,
) -> Couplings:
    """Return couplings whose currents are those of the nodal expansion about a solution.

    Args:
        mesh: the nodes.
        constants: of each node.
        old: the couplings that the flux was found with.
        factor: discontinuity factors.
        gamma: (rims, G) outward current by flux at the outer faces.
        flux: (cells, G) node means.
        k: the eigenvalue.
        buckling: of the direction that the mesh does not have.
    """
    inner, outer = currents(mesh, old, flux)
    leaking = leakage_by_axis(mesh, inner, outer)
    matrix = node_matrix(constants, k, buckling)
    new_inner, new_outer = np.zeros_like(inner), np.zeros_like(outer)
    for axis in range(mesh.dim):
        across = leaking.sum(axis=0) - leaking[axis]
        surface = surface_flux(mesh, constants, matrix, flux, across, axis, gamma)
        at, rim = mesh.axis == axis, mesh.side // 2 == axis
        new_inner[at] = _inner_currents(mesh, surface, factor, at)
        new_outer[rim] = _outer_currents(mesh, surface, factor, gamma, rim)
    both, own = flux[mesh.lower] + flux[mesh.upper], flux[mesh.rim]
    shift = np.divide(new_inner - inner, both, out=np.zeros_like(both), where=both != 0)
    rim = np.divide(
        new_outer, own, out=old.rim.copy(), where=own != 0
    )  # nothing reaches a group without flux
    return Couplings(old.lower + shift, old.upper - shift, rim)


@dataclass(frozen=True)
class NodalShape:
    """The flux inside of nodes along each axis, as the nodal expansion has it.

    Args:
        face: (cells, 2 dim, G) homogeneous fluxes at the faces, in the order of `SIDES`.
        third: (cells, dim, G) a3.
        fourth: (cells, dim, G) a4.
    """

    face: np.ndarray
    third: np.ndarray
    fourth: np.ndarray


def nodal_shape(problem: CoreProblem, solution: CoreSolution) -> NodalShape:
    """Return the flux inside of the nodes of a solution by the nodal expansion.

    Args:
        problem: the core.
        solution: by the nodal expansion.
    """
    mesh, local = problem.mesh, problem.local
    inner, outer = solution.current
    leaking = leakage_by_axis(mesh, inner, outer)
    matrix = node_matrix(local, solution.k, problem.buckling)
    face = np.zeros((mesh.cells, 2 * mesh.dim, local.groups))
    third, fourth = np.zeros((2, mesh.cells, mesh.dim, local.groups))
    for axis in range(mesh.dim):
        across = leaking.sum(axis=0) - leaking[axis]
        surface = surface_flux(mesh, local, matrix, solution.flux, across, axis, problem.gamma)
        at, edge = mesh.axis == axis, mesh.side // 2 == axis
        outward = np.zeros((2, mesh.cells, local.groups))  # at the lower, and at the upper end
        outward[1, mesh.lower[at]], outward[0, mesh.upper[at]] = inner[at], -inner[at]
        upper_end = np.isin(mesh.side[edge], UPPER_SIDE).astype(int)
        outward[upper_end, mesh.rim[edge]] = outer[edge]
        low = surface.low - _times(surface.slope, outward[0])
        high = surface.high - _times(surface.slope, outward[1])
        face[:, LOWER_SIDE[axis]], face[:, UPPER_SIDE[axis]] = low, high
        third[:, axis] = _times(surface.third, high - low) + surface.rest
        fourth[:, axis] = surface.fourth
    return NodalShape(face, third, fourth)


def node_matrix(constants: CoreConstants, k: complex, buckling: float) -> np.ndarray:
    """Return (cells, G, G) removal less scattering in and fission, [to, from]."""
    within = np.diagonal(constants.scatter, axis1=1, axis2=2)
    lost = constants.removal + buckling * constants.diffusion + within
    made = constants.chi[:, :, None] * constants.nu_fission[:, None, :] / k
    return lost[:, :, None] * np.eye(constants.groups) - np.swapaxes(constants.scatter, 1, 2) - made


def leakage_by_axis(mesh: CoreMesh, inner: np.ndarray, outer: np.ndarray) -> np.ndarray:
    """Return (dim, cells, G) what leaves along each axis, by volume."""
    found = np.zeros((mesh.dim, mesh.cells, inner.shape[1]))
    np.add.at(found, (mesh.axis, mesh.lower), inner / mesh.edges[mesh.lower, mesh.axis, None])
    np.add.at(found, (mesh.axis, mesh.upper), -inner / mesh.edges[mesh.upper, mesh.axis, None])
    np.add.at(found, (mesh.side // 2, mesh.rim), outer / mesh.edges[mesh.rim, mesh.side // 2, None])
    return found


def surface_flux(
    mesh: CoreMesh,
    constants: CoreConstants,
    matrix: np.ndarray,
    flux: np.ndarray,
    across: np.ndarray,
    axis: int,
    gamma: np.ndarray,
) -> SurfaceFlux:
    """Return the flux at the ends of each node along an axis."""
    first, second = _parabola(mesh, across, axis, images(mesh, constants, gamma))
    edge = mesh.edges[:, axis, None]
    return node_surface(constants.diffusion, edge, matrix, flux, (across, first, second))


def node_surface(
    diffusion: np.ndarray,
    edge: np.ndarray,
    matrix: np.ndarray,
    flux: np.ndarray,
    leaking: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> SurfaceFlux:
    """Return the flux at the ends of nodes, each by itself; it is linear in the flux and in what leaks.

    Args:
        diffusion: (cells, G).
        edge: (cells, 1) along the axis.
        matrix: (cells, G, G) of `node_matrix`.
        flux: (cells, G) means.
        leaking: (cells, G) what leaves across the axis, and its first and second coefficient along it.
    """
    spread = diffusion / edge**2
    across, first, second = leaking
    groups = matrix.shape[-1]
    diagonal = np.eye(groups)
    source = _times(matrix, flux) + across
    a4 = _solved(
        0.2 * spread[:, :, None] * diagonal + matrix / 210,
        _times(matrix, source / spread) / 120 + second / 20,
    )
    a2 = (source / spread - 0.4 * a4) / 6
    odd = np.linalg.inv(0.5 * spread[:, :, None] * diagonal + matrix / 120)
    from_first, rest = odd @ matrix / 12, _times(odd, first) / 12
    inverse = np.linalg.inv(diagonal + from_first / 2)
    even, slant = 3 * a2 + a4 / 5, rest / 2
    mean = flux + a2 / 2
    return SurfaceFlux(
        mean - _times(inverse, even + slant) / 2,
        mean - _times(inverse, even - slant) / 2,
        inverse / 2 / (diffusion / edge)[:, None, :],
        from_first,
        rest,
        a4,
    )


def _inner_currents(mesh: CoreMesh, surface: SurfaceFlux, factor: FaceFactors, at: np.ndarray) -> np.ndarray:
    low, up = mesh.lower[at], mesh.upper[at]
    f_low, f_up = factor.lower[at], factor.upper[at]
    resistance = f_low[:, :, None] * surface.slope[low] + f_up[:, :, None] * surface.slope[up]
    return _solved(resistance, f_low * surface.high[low] - f_up * surface.low[up])


def _outer_currents(
    mesh: CoreMesh, surface: SurfaceFlux, factor: FaceFactors, gamma: np.ndarray, at: np.ndarray
) -> np.ndarray:
    cell, side = mesh.rim[at], mesh.side[at]
    bare = np.where(np.isin(side, UPPER_SIDE)[:, None], surface.high[cell], surface.low[cell])
    held = gamma[at] * factor.rim[at]
    finite = np.isfinite(held)
    weight = np.where(finite, held, 1.0)
    unit = np.where(finite, 1.0, 0.0)[:, :, None] * np.eye(held.shape[1])
    return _solved(unit + weight[:, :, None] * surface.slope[cell], weight * bare)


def _parabola(
    mesh: CoreMesh, across: np.ndarray, axis: int, image: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (cells, G) first and second coefficient of what leaves across, of a node and its neighbours.

    Beyond an outer face is the node's image: alike where the face reflects, of the other sign where the flux
    is held at zero, and between the two else.
    """
    at = mesh.axis == axis
    values = np.stack([across, across])  # lower, upper neighbour
    values[0, mesh.upper[at]], values[1, mesh.lower[at]] = across[mesh.lower[at]], across[mesh.upper[at]]
    values = values.astype(np.result_type(values, image), copy=False)
    for end, side in enumerate((LOWER_SIDE[axis], UPPER_SIDE[axis])):
        rim = mesh.side == side
        values[end, mesh.rim[rim]] = image[rim] * across[mesh.rim[rim]]
    below, above = values - across
    first, second = parabola_weights(mesh, axis)
    return first[0] * below + first[1] * above, second[0] * below + second[1] * above


def parabola_weights(mesh: CoreMesh, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what the first and second coefficient are by the neighbours' differences: (2, cells, 1) each."""
    at = mesh.axis == axis
    edge = mesh.edges[:, axis]
    widths = np.stack([edge, edge])
    widths[0, mesh.upper[at]], widths[1, mesh.lower[at]] = edge[mesh.lower[at]], edge[mesh.upper[at]]
    s, r = (widths / edge)[:, :, None]
    low, high = 0.5 + 1.5 * s + s**2, 0.5 + 1.5 * r + r**2
    determinant = -(1 + s) / 2 * high - (1 + r) / 2 * low
    return np.stack([high, -low]) / determinant, np.stack([-(1 + r) / 2, -(1 + s) / 2]) / determinant


def images(mesh: CoreMesh, constants: CoreConstants, gamma: np.ndarray) -> np.ndarray:
    """Return (rims, G) what the flux of a node's image beyond an outer face is by the node's own."""
    ratio = np.where(np.isfinite(gamma), gamma, 0.0) / conductances(mesh, constants.diffusion).rim
    return np.where(np.isfinite(gamma), (1 - ratio) / (1 + ratio), -1.0)


def _times(matrix: np.ndarray, vector: np.ndarray) -> np.ndarray:
    return np.einsum("igh,ih->ig", matrix, vector)


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.linalg.solve(matrix, right[:, :, None])[:, :, 0]
