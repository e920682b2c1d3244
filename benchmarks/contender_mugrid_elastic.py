"""muGrid: its fused operator for isotropic elasticity on trilinear elements, its preconditioner, its solver.

`IsotropicStiffnessOperator3D` is native code. The preconditioner is muGrid's own from a reference stiffness,
the volume average of both constants. The PyPI wheel is serial.
"""

from typing import Any

import muGrid
import numpy as np
from muGrid.Preconditioners import make_reference_stiffness_preconditioner
from muGrid.Solvers import ConvergenceError, conjugate_gradients

from benchmarks.elastic import POISSON, lame_constants
from benchmarks.measure import Answer, compete

_PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))  # Mandel's order


class Problem:
    """One image with the fields that a solve needs."""

    def __init__(self, labels: np.ndarray, moduli: list[float], tolerance: float):
        self.tolerance = tolerance
        self.communicator = muGrid.Communicator()
        self.engine = muGrid.FFTEngine(
            labels.shape, self.communicator, nb_ghosts_left=(1,) * 3, nb_ghosts_right=(1,) * 3
        )
        self.fields = self.engine.real_space_collection
        self.operator = muGrid.IsotropicStiffnessOperator3D(
            [1.0 / n for n in labels.shape], muGrid.FEMElement.q1
        )
        self.lame, self.shear = self.fields.real_field("lame"), self.fields.real_field("shear")
        lame, shear = lame_constants(np.asarray(moduli), POISSON)
        self.lame.p[...], self.shear.p[...] = lame[labels], shear[labels]
        for field in (self.lame, self.shear):
            self.engine.communicate_ghosts(field)
        self.u, self.load = self.fields.real_field("u", (3,)), self.fields.real_field("load", (3,))
        mean = float(self.lame.p.mean()), float(self.shear.p.mean())
        self.preconditioner = make_reference_stiffness_preconditioner(
            self.engine, lambda u, forces: self._uniform(mean, u, forces), 3
        )

    def _uniform(self, mean: tuple[float, float], u: Any, forces: Any) -> None:
        self.engine.communicate_ghosts(u)
        self.operator.apply_uniform(u, *mean, forces)

    def stiffness(self, u: Any, forces: Any) -> None:
        self.engine.communicate_ghosts(u)
        self.operator.apply(u, self.lame, self.shear, forces)

    def case(self, pair: tuple[int, int]) -> tuple[np.ndarray, int, bool]:
        """Return the mean stress (Mandel), the number of iterations, and whether they converged."""
        strain = np.zeros((3, 3))
        strain[pair] = strain[pair[::-1]] = 1.0 if pair[0] == pair[1] else np.sqrt(0.5)
        flat = [float(x) for x in strain.ravel()]
        self.operator.apply_macro_rhs(self.lame, self.shear, flat, self.load)
        self.load.s[...] *= -1.0
        self.u.s[...] = 0.0
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
        except (ConvergenceError, RuntimeError):
            converged = False
        self.engine.communicate_ghosts(self.u)
        stress = np.array(self.operator.average_stress(self.u, self.lame, self.shear, flat)).reshape(3, 3)
        found = [stress[p] * (1.0 if p[0] == p[1] else np.sqrt(2.0)) for p in _PAIRS]
        return np.array(found), steps[-1], converged


def prepare(job: dict[str, Any], labels: np.ndarray) -> Problem:
    return Problem(labels, job["conductivities"], job["tolerance"])


def solve(problem: Problem) -> Answer:
    cases = [problem.case(pair) for pair in _PAIRS]
    tensor = np.stack([stress for stress, _, _ in cases], axis=1)
    return Answer(tensor, [steps for _, steps, _ in cases], all(done for _, _, done in cases))


if __name__ == "__main__":
    compete(prepare, solve)
