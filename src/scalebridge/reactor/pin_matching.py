"""Superhomogenization factors of single nodes, by Newton's method.

Where every node is a region, factor times coarse flux is the reference's flux, so that the current through a
face depends on the ratio r of the factors on its upper and lower side alone, and rises with it:

    J = (phi_low r - phi_up) / (r / d_low + 1 / d_up),          d = 2 D / h,

from -phi_up d_up to phi_low d_low. Each node has to lose what the reference loses: a network of monotone
resistors, whose potentials are the logarithms of the factors. Its equations are those of a convex function,
so that there is one solution (up to a constant where nothing leaks) or none.
"""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as sparse

from scalebridge.core.results import Outcome
from scalebridge.reactor.core_mesh import CoreMesh
from scalebridge.reactor.diffusion_faces import Conductances, conductances
from scalebridge.solvers.anderson import FixedPoint

_LONGEST = 1.0  # step of a logarithm
_FARTHEST = 20.0  # logarithm: beyond, there are no factors
_HALVINGS = 20


@dataclass(frozen=True, eq=False)
class PinNetwork:
    """One group's nodes as a network.

    Args:
        mesh: with a volume for each node.
        half: conductances beside each face, (faces,), (faces,), (rims,).
        flux: (cells,) reference means.
        lost: (cells,) what has to leave each, integrated.
        gamma: (rims,) outward current by flux at the outer faces; zero in a closed lattice.
    """

    mesh: CoreMesh
    half: Conductances
    flux: np.ndarray
    lost: np.ndarray
    gamma: np.ndarray

    @property
    def closed(self) -> bool:
        """Whether nothing can leak, so that factors are known up to one number."""
        return not (self.gamma > 0).any()

    def residual(self, x: np.ndarray) -> np.ndarray:
        """Return (cells,) what leaves with logarithms x of the factors, less what has to."""
        mesh = self.mesh
        inner, _ = self._inner(x)
        outer, _ = self._outer(x)
        found = -self.lost.copy()
        np.add.at(found, mesh.lower, inner)
        np.add.at(found, mesh.upper, -inner)
        np.add.at(found, mesh.rim, outer)
        return found

    def matrix(self, x: np.ndarray) -> sp.csc_matrix:
        """Return minus the derivative of the residual: positive definite, or singular where closed."""
        mesh = self.mesh
        _, slope = self._inner(x)
        _, fall = self._outer(x)
        low, up = mesh.lower, mesh.upper
        rows = np.concatenate([low, up, low, up, mesh.rim])
        columns = np.concatenate([low, up, up, low, mesh.rim])
        values = np.concatenate([slope, slope, -slope, -slope, fall])
        return sp.csc_matrix((values, (rows, columns)), shape=(mesh.cells, mesh.cells))

    def _inner(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return currents through inner faces, integrated, and their derivative by the logarithm of r."""
        mesh = self.mesh
        ratio = np.exp(x[mesh.upper] - x[mesh.lower])
        low, up = self.flux[mesh.lower], self.flux[mesh.upper]
        across = ratio / self.half.lower + 1 / self.half.upper
        slope = ratio * (low / self.half.upper + up / self.half.lower) / across**2
        return (low * ratio - up) / across * mesh.areas, slope * mesh.areas

    def _outer(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return outward currents at outer faces, integrated, and how they fall with the logarithm."""
        mesh = self.mesh
        open_, held = self.gamma > 0, np.isfinite(self.gamma)
        by_factor = np.where(held & open_, np.exp(x[mesh.rim]) / np.where(open_ & held, self.gamma, 1.0), 0.0)
        across = 1 / self.half.rim + by_factor
        current = np.where(open_, self.flux[mesh.rim] / across, 0.0) * mesh.rim_areas
        return current, current * by_factor / across


def pin_network(
    mesh: CoreMesh, diffusion: np.ndarray, flux: np.ndarray, lost: np.ndarray, gamma: np.ndarray
) -> PinNetwork:
    """Return the network of one group.

    Args:
        mesh: with a volume for each node.
        diffusion: (cells,).
        flux: (cells,) reference means.
        lost: (cells,) what has to leave each, integrated.
        gamma: (rims,) outward current by flux at the outer faces.
    """
    half = conductances(mesh, diffusion[:, None])
    flat = Conductances(half.lower[:, 0], half.upper[:, 0], half.rim[:, 0])
    found = PinNetwork(mesh, flat, flux, lost, gamma)
    if found.closed:  # what the reference leaves open is spread, because the network cannot keep it
        found = replace(found, lost=lost - lost.sum() * flux * mesh.volumes / (flux @ mesh.volumes))
    return found


def matched_pins(network: PinNetwork, *, atol: float, max_steps: int) -> FixedPoint:
    """Return the logarithms of the factors, the mean coarse flux held to the reference's where nothing leaks.

    Args:
        network: of one group.
        atol: wanted last step of a logarithm.
        max_steps: of Newton's method.
    """
    x, history = np.zeros(network.mesh.cells), []
    outcome = Outcome.step_limit
    for _ in range(max_steps):
        rest = network.residual(x)
        step = _newton_step(network, x, rest)
        size = float(np.abs(step).max())
        history.append(size)
        if not np.isfinite(size) or np.abs(x).max() > _FARTHEST:
            outcome = Outcome.breakdown
            break
        x = x + _length(network, x, step, rest) * step
        if size <= atol:
            outcome = Outcome.converged
            break
    if network.closed:
        volumes = network.mesh.volumes
        x = x + np.log((network.flux * np.exp(-x)) @ volumes / (network.flux @ volumes))
    return FixedPoint(x, tuple(history), outcome)


def _newton_step(network: PinNetwork, x: np.ndarray, rest: np.ndarray) -> np.ndarray:
    matrix = network.matrix(x)
    if not network.closed:
        return np.asarray(sparse.spsolve(matrix, rest))
    found = np.zeros_like(x)
    if len(x) > 1:  # the first logarithm is held: only differences matter
        found[1:] = sparse.spsolve(matrix[1:, 1:], rest[1:])
    return found


def _length(network: PinNetwork, x: np.ndarray, step: np.ndarray, rest: np.ndarray) -> float:
    """Return the share of a step that lessens the residual."""
    share = min(1.0, _LONGEST / max(float(np.abs(step).max()), 1e-300))
    before = float(np.linalg.norm(rest))
    for _ in range(_HALVINGS):
        if float(np.linalg.norm(network.residual(x + share * step))) < before:
            return share
        share /= 2
    return share
