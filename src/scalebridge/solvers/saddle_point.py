"""A symmetric saddle-point system and its block-diagonal preconditioner, for several loads at once.

The system is  [[A, -D'], [-D, 0]] [x; p] = [b; 0]  with A positive definite. The preconditioner is positive
definite: a V-cycle for each block on A's diagonal, and for the Schur complement D A^-1 D' of the pressures
the sum of two inverses, after Cahouet & Chabard, Int. J. Numer. Meth. Fluids 8 (1988) 869. Pressures that
change from cell to cell meet viscosity: the inverse of their mass. Pressures that change slowly drive a Darcy
flow: a V-cycle on  D m D', where m is the mobility that the walls leave to each unknown. It is taken from the
velocities under a unit force without pressures, A^-1 b, which in a channel is the parabola itself;
diag(A)^-1 in its place, which is right in pores one voxel wide, took two to three times the steps in wider
ones (Berea sandstone of 64^3 voxels 52 against 28 to 1e-6, spheres of 48^3 68 against 20; the mass alone 508
and 24).
"""

import numpy as np
from scipy.sparse import csr_array, diags_array

from scalebridge.solvers.multigrid import VCycle
from scalebridge.solvers.saddle_kernels import multiply, rows_of

_MOBILITY_CYCLES = 3  # one reaches most of it, and its exact value does not matter


class SaddleOperator:
    """The matrix of a saddle-point system, applied to blocks of vectors of shape (unknowns + rows, cases).

    Args:
        viscous: A, (unknowns, unknowns), symmetric positive definite.
        divergence: D, (rows, unknowns).
    """

    def __init__(self, viscous: csr_array, divergence: csr_array):
        self.unknowns = viscous.indptr.size - 1
        self.size = self.unknowns + divergence.indptr.size - 1
        self._viscous, self._divergence = rows_of(viscous), rows_of(divergence)
        self._gradient = rows_of(csr_array(divergence.T.tocsr()))

    def product(self, z: np.ndarray, out: np.ndarray) -> None:
        """Write the product with z to `out`."""
        x, p = z[: self.unknowns], z[self.unknowns :]
        forces = out[: self.unknowns]
        multiply(self._viscous, x, forces)
        multiply(self._gradient, p, forces, factor=-1.0, keep=1.0)
        multiply(self._divergence, x, out[self.unknowns :], factor=-1.0)


class SaddlePreconditioner:
    """The block-diagonal preconditioner, in single precision inside.

    Args:
        viscous: A.
        divergence: D.
        parts: the unknowns of each block on A's diagonal, between which A has no entries.
        mass: mass of each pressure, positive.
        forces: the load of every unknown under a unit force along its own axis; zero where no flux meets it.
        degrees: degrees of the smoothers, of velocities and of pressures; the pressures' mobilities jump, and
            they are one block of four, so that more work on them pays.
    """

    def __init__(
        self,
        viscous: csr_array,
        divergence: csr_array,
        parts: tuple[slice, ...],
        mass: np.ndarray,
        forces: np.ndarray,
        degrees: tuple[int, int] = (1, 4),
    ):
        self._parts = [part for part in parts if part.stop > part.start]
        self._cycles = [VCycle(csr_array(viscous[part][:, part]), degrees[0]) for part in self._parts]
        self._inverse_mass = (1.0 / mass)[:, None]
        self.unknowns = forces.size
        mobility = self._mobility(viscous, forces)
        self._pressure = VCycle(csr_array(divergence @ diags_array(mobility) @ divergence.T), degrees[1])

    def apply(self, r: np.ndarray, z: np.ndarray) -> None:
        """Write the preconditioned block of residuals r to z."""
        self._velocities(r[: self.unknowns], z)
        rest, out = r[self.unknowns :], z[self.unknowns :]
        np.multiply(rest, self._inverse_mass, out=out)
        out += self._pressure.apply(rest.astype(np.float32))

    def _velocities(self, r: np.ndarray, z: np.ndarray) -> None:
        for part, cycle in zip(self._parts, self._cycles, strict=True):
            z[part] = cycle.apply(r[part].astype(np.float32))

    def _mobility(self, viscous: csr_array, forces: np.ndarray) -> np.ndarray:
        """Return the velocity that a unit force gives each unknown where no pressure stops it."""
        found, change = np.zeros((self.unknowns, 1)), np.empty((self.unknowns, 1))
        for _ in range(_MOBILITY_CYCLES):
            self._velocities(forces[:, None] - viscous @ found, change)
            found += change
        # In a corner a cycle that is not exact may overshoot; each unknown alone moves at least so far.
        least = np.reciprocal(viscous.diagonal())
        ratio = np.divide(found[:, 0], forces, out=least.copy(), where=forces > 0)
        return np.maximum(ratio, least)
