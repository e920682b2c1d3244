"""Permeability by another discretisation: velocities and pressures in the voxels' centres, as finite volumes.

Most published permeabilities of segmented rocks come from programs of this kind. With the options of one of
them, poreFoam (Raeini, Blunt, Bijeljic, J. Comput. Phys. 231 (2012) 5653), the published values of the Berea
cubes are asked for again: pressures on the two faces across a direction, all other faces of the cube closed
and without slip, and a viscosity on walls that is raised by

    0.25 |grad p| d^2 / |u|,        d = h/2 from a voxel's centre to the wall,

which between plane walls H voxels apart makes (H^2 + 5/4)/12 of (H^2 + 2)/12, towards the exact H^2/12.

The balance of volume of a voxel sums fluxes (u_P + u_N)/2 and the difference between a compact and a wide
gradient of the pressure (Rhie and Chow, AIAA J. 21 (1983) 1525). With a wall's pressure taken from its voxel
the gradient is minus the transpose of the divergence, so that the system is symmetric. Nothing of this is
shared with `scalebridge.grids.staggered`. Not a part of the library: it is here to be compared with.
"""

import numpy as np
import pyamg
from scipy.sparse import coo_array, csr_array, diags_array, hstack, vstack
from scipy.sparse.linalg import LinearOperator, minres

from scalebridge.grids.percolation import isolated

_WALL_FACTOR = 0.25  # of poreFoam's published settings, cBC = 250 thousandths
_FLOOR = 1e-3  # of the mean speed, below which the speed of the wall's law does not fall


def directional_permeability(
    pores: np.ndarray,
    axis: int,
    *,
    wall_factor: float = 0.0,
    relaxation: float = 1.0,
    rounds: int = 4,
    rtol: float = 1e-5,
) -> float:
    """Return the permeability along an axis with sealed sides, in squares of the voxel's edge.

    Args:
        pores: booleans (x, y, z).
        axis: of the pressure's difference.
        wall_factor: of the raised viscosity on walls, 0 for none and 0.25 as published.
        relaxation: of the velocities, which in a scheme of this kind stays in the fluxes: it multiplies the
            difference of the two gradients. 0.6 as published.
        rounds: how often that viscosity is taken from the velocities found, where there is any.
        rtol: relative residual of the solver.
    """
    grid = Cells(pores & ~isolated(pores, periodic=False), axis, relaxation)
    raised, flux = np.zeros(grid.count), 0.0
    for _ in range(rounds if wall_factor else 1):
        velocity, gradient, flux = grid.solve(1.0 + raised, rtol)
        speed = np.linalg.norm(velocity, axis=0)
        reach = 0.25 * np.linalg.norm(gradient, axis=0)
        raised = wall_factor * reach / (speed + _FLOOR * speed.mean())
    return flux / (pores.size / pores.shape[axis])


class Cells:
    """The pore voxels, their common faces, and the faces on which a pressure is given."""

    def __init__(self, pores: np.ndarray, axis: int, relaxation: float):
        self.axis, self.count, self.relaxation = axis, int(np.count_nonzero(pores)), relaxation
        number = np.full(pores.shape, -1)
        number[pores] = np.arange(self.count)
        self.pairs, walls = [], np.zeros(self.count)
        for a in range(3):
            low, high = (np.moveaxis(number, a, 0)[part] for part in (slice(0, -1), slice(1, None)))
            both = (low >= 0) & (high >= 0)
            self.pairs.append((low[both], high[both]))
            walls += 2.0
            for side in self.pairs[-1]:
                walls[side] -= 1.0
        ends = [np.moveaxis(number, axis, 0)[place].ravel() for place in (0, -1)]
        self.inlet, self.outlet = (end[end >= 0] for end in ends)
        for end in (self.inlet, self.outlet):
            walls[end] -= 1.0
        self.walls, self.length = walls, pores.shape[axis]
        self.evenly_falling = self.length - 0.5 - np.nonzero(pores)[axis].astype(float)
        self.divergence = csr_array(hstack([self._divergence(a) for a in range(3)], format="csr"))

    def _divergence(self, a: int) -> csr_array:
        """Return the flux out of each voxel of a velocity along an axis."""
        low, high = self.pairs[a]
        half = np.full(low.size, 0.5)
        rows, columns = [low, low, high, high], [low, high, low, high]
        values = [half, half, -half, -half]
        if a == self.axis:
            for end, sign in ((self.inlet, -1.0), (self.outlet, 1.0)):
                rows.append(end)
                columns.append(end)
                values.append(np.full(end.size, sign))
        return self._matrix(rows, columns, values)

    def _matrix(
        self, rows: list[np.ndarray], columns: list[np.ndarray], values: list[np.ndarray]
    ) -> csr_array:
        places = np.concatenate(rows), np.concatenate(columns)
        return csr_array(coo_array((np.concatenate(values), places), shape=(self.count, self.count)))

    def _laplacian(self, weights: list[np.ndarray], diagonal: np.ndarray) -> csr_array:
        """Return the compact Laplacian with a weight for each common face, and more on the diagonal."""
        rows, columns, values = [np.arange(self.count)], [np.arange(self.count)], [diagonal]
        for (low, high), weight in zip(self.pairs, weights, strict=True):
            rows += [low, high, low, high]
            columns += [high, low, low, high]
            values += [-weight, -weight, weight, weight]
        return self._matrix(rows, columns, values)

    def solve(self, wall_viscosity: np.ndarray, rtol: float) -> tuple[np.ndarray, np.ndarray, float]:
        """Return velocities (3, voxels), gradients of pressure (3, voxels), and the mean flux along the axis.

        The difference of pressures is as large as the cube is long. What is solved for is the pressure less
        the one that falls evenly, whose even gradient is the load; walls across it are told by the voxels.
        """
        n, ones = self.count, [np.ones(low.size) for low, _ in self.pairs]
        viscous = self._laplacian(ones, 2.0 * self.walls * wall_viscosity)
        ease = self.relaxation / np.asarray(viscous.diagonal())
        ends = np.zeros(n)
        for end in (self.inlet, self.outlet):
            ends[end] += 2.0 * ease[end]
        compact = self._laplacian([0.5 * (ease[low] + ease[high]) for low, high in self.pairs], ends)
        d, wide = self.divergence, np.tile(ease, 3)
        smoothing = csr_array(compact - d @ diags_array(wide) @ d.T)
        upward = [-d[:, a * n : (a + 1) * n].T for a in range(3)]
        empty = [csr_array((n, n))] * 3
        rows = [hstack([*empty[:a], viscous, *empty[a + 1 :], upward[a]]) for a in range(3)]
        system = csr_array(vstack([*rows, hstack([-d, -smoothing])], format="csr"))
        even = self.evenly_falling
        given = -d.T @ even  # its gradient in the voxels: -1, and less beside walls across the axis
        given[self.axis * n + self.inlet] -= self.length  # the pressures on the two faces: length and 0
        source = np.zeros(n)
        source[self.inlet] = 2.0 * ease[self.inlet] * self.length
        right = np.concatenate([-given, d @ (wide * given) - source + compact @ even])
        found, code = minres(system, right, M=self._preconditioner(viscous, compact), rtol=rtol, maxiter=2000)
        if code != 0:
            raise RuntimeError(f"the solver stopped with {code}")
        gradient = (given - d.T @ found[3 * n :]).reshape(3, n)
        velocity = found[: 3 * n].reshape(3, n)
        return velocity, gradient, self._mean_flux(velocity, gradient, even + found[3 * n :], ease)

    def _mean_flux(
        self, velocity: np.ndarray, gradient: np.ndarray, pressure: np.ndarray, ease: np.ndarray
    ) -> float:
        """Return the flux through the planes between voxels, on average: more exact than through one."""
        low, high = self.pairs[self.axis]
        along = velocity[self.axis] + ease * gradient[self.axis]
        flux = 0.5 * (along[low] + along[high] - (ease[low] + ease[high]) * (pressure[high] - pressure[low]))
        return float(flux.sum()) / (self.length - 1)

    def _preconditioner(self, viscous: csr_array, compact: csr_array) -> LinearOperator:
        """Return multigrid for each velocity and, for pressures, of the compact Laplacian."""
        n = self.count
        cycles = [
            pyamg.smoothed_aggregation_solver(part.tocsr()).aspreconditioner(cycle="V")
            for part in (viscous, compact)
        ]

        def apply(residual: np.ndarray) -> np.ndarray:
            parts = residual.reshape(4, n)
            return np.concatenate([cycles[0] @ parts[a] for a in range(3)] + [cycles[1] @ parts[3]])

        return LinearOperator((4 * n, 4 * n), matvec=apply, dtype=float)
