"""muGrid: its operators, its Fourier preconditioner, its conjugate gradients.

muGrid 1.6.1 has a fused operator for elasticity but none for a scalar field with a coefficient in every voxel
(its LaplaceOperator is homogeneous). So K = B^T W k B is put together from what it offers: B and B^T W are
its FEMGradientOperator with trilinear elements (eight Gauss points), or its GenericLinearOperator
with the differences across faces, which with harmonic face coefficients is the staggered finite-volume
scheme; the product with k is its `linalg.scal`. The preconditioner is its FourierPreconditioner with the
inverse symbol of the same stencil and the volume average as reference. The PyPI wheel is serial.
"""

import math
from typing import Any

import muGrid
import numpy as np
from muGrid import linalg
from muGrid.Preconditioners import FourierPreconditioner
from muGrid.Solvers import ConvergenceError, conjugate_gradients

from benchmarks.measure import Answer, compete


class Problem:
    """One image on one discretisation, with the fields that a solve needs."""

    def __init__(self, labels: np.ndarray, conductivities: list[float], scheme: str, tolerance: float):
        self.tolerance = tolerance
        self.communicator = muGrid.Communicator()
        points = 8 if scheme == "hexahedra" else 1
        self.gradient = muGrid.FEMGradientOperator(3, [1.0] * 3) if points == 8 else face_differences()
        self.engine = muGrid.FFTEngine(
            labels.shape, self.communicator, ghosts=self.gradient, nb_sub_pts={"point": points}
        )
        self.fields = self.engine.real_space_collection
        self.u, self.load = self.fields.real_field("u"), self.fields.real_field("load")
        self.local = self.fields.real_field("local", (3,), sub_pt="point")
        components = () if points == 8 else (3,)
        self.conductivity = self.fields.real_field("k", components, sub_pt="point")
        in_voxels = np.asarray(conductivities)[labels]
        self.conductivity.s[...] = in_voxels if points == 8 else on_faces(in_voxels)[:, None]
        self.engine.communicate_ghosts(self.conductivity)
        symbol = in_voxels.mean() * (hexahedra_symbol if points == 8 else face_symbol)(self.engine.fftfreq)
        inverse = np.divide(1.0, symbol, out=np.zeros_like(symbol), where=symbol > 1e-12 * symbol.max())
        self.preconditioner = FourierPreconditioner(self.engine, inverse)

    def flux(self, u: Any, mean_gradient: np.ndarray | None) -> None:
        """Put k (E + grad u) into the field `local`."""
        self.engine.communicate_ghosts(u)
        self.gradient.apply(u, self.local)
        if mean_gradient is not None:
            self.local.s[...] += mean_gradient.reshape(3, 1, 1, 1, 1)
        linalg.scal(self.conductivity, self.local)

    def divergence(self, forces: Any) -> None:
        self.engine.communicate_ghosts(self.local)
        self.gradient.transpose(self.local, forces)

    def stiffness(self, u: Any, forces: Any) -> None:
        self.flux(u, None)
        self.divergence(forces)

    def case(self, mean_gradient: np.ndarray) -> tuple[np.ndarray, int, bool]:
        """Return the mean flux, the number of iterations, and whether they converged."""
        self.u.set_zero()
        self.flux(self.u, mean_gradient)
        self.divergence(self.load)
        linalg.scal(-1.0, self.load)
        self.u.set_zero()
        steps, converged = [0], True
        try:
            conjugate_gradients(
                self.communicator,
                self.fields,
                self.load,
                self.u,
                hessp=self.stiffness,
                prec=self.preconditioner,
                rtol=self.tolerance,
                maxiter=5000,
                callback=lambda step, _: steps.append(step),
            )
        except ConvergenceError:
            converged = False
        self.flux(self.u, mean_gradient)
        return self.local.s.reshape(3, -1, order="A").mean(axis=1), steps[-1], converged


def face_differences() -> Any:
    """Return the operator u(x + e_i) - u(x), one output component an axis."""
    stencil = np.zeros((3, 1, 1, 2, 2, 2))  # output component, point, input component, offsets
    stencil[:, 0, 0, 0, 0, 0] = -1.0
    for axis in range(3):
        stencil[(axis, 0, 0, *np.eye(3, dtype=int)[axis])] = 1.0
    return muGrid.GenericLinearOperator([0, 0, 0], stencil)


def on_faces(k: np.ndarray) -> np.ndarray:
    """Return the harmonic mean of each voxel and the next one, one field an axis."""
    beyond = np.stack([np.roll(k, -1, axis) for axis in range(3)])
    return 2 * k * beyond / (k + beyond)


def face_symbol(turns: np.ndarray) -> np.ndarray:
    """Return the symbol of the finite-volume stencil of a medium of conductivity 1."""
    return np.sum(4 * np.sin(np.pi * turns) ** 2, axis=0)


def hexahedra_symbol(turns: np.ndarray) -> np.ndarray:
    """Return the symbol of the trilinear stencil of a medium of conductivity 1."""
    square, mass = 4 * np.sin(np.pi * turns) ** 2, (2 + np.cos(2 * np.pi * turns)) / 3
    return sum(square[i] * math.prod(mass[j] for j in range(3) if j != i) for i in range(3))


def prepare(job: dict[str, Any], labels: np.ndarray) -> Problem:
    return Problem(labels, job["conductivities"], job["scheme"], job["tolerance"])


def solve(problem: Problem) -> Answer:
    cases = [problem.case(row) for row in np.eye(3)]
    tensor = np.stack([flux for flux, _, _ in cases], axis=1)
    return Answer(tensor, [steps for _, steps, _ in cases], all(done for _, _, done in cases))


if __name__ == "__main__":
    compete(prepare, solve)
