"""The consistent tangent of a cell in equilibrium: the derivative of the whole micro solution by the load.

With C the tangents at the points, the change X_j of the fluctuation by component j of the load solves

    div [ C : (e_j + B X_j) ] = 0,

one linear solve a component, all in one pass over C. The tangent is taken in energy form,

    T_ij = < (e_i + B X_i) : C : (e_j + B X_j) >,

whose error is the product of two solves' errors: solves to 1e-3 give it to some 1e-6. Where C is not
symmetric, the fields on the left solve the same with the transpose of C. The mean stress is corrected by
the same fields, < (e_i + B X_i) : sigma >, so that what is out of equilibrium enters by its square.

C. Miehe, J. Schroeder & J. Schotte, Comput. Methods Appl. Mech. Engrg. 171 (1999) 387 (the tangent).
"""

from dataclasses import dataclass

import numpy as np

from scalebridge.cells.path_medium import PathMedium
from scalebridge.cells.path_settings import PathSettings
from scalebridge.core.results import Outcome, worst_outcome
from scalebridge.core.vectors import dot
from scalebridge.grids.point_operators import StoredTangent

_LEAST = 1e-4  # of a unit load's own size, below which its forces count as zero: X is nothing then
_NOTHING = 0.1  # of the phases' mean 2 G: smaller entries are known no better than one of that size
_SINGLE_TOLERANCE = 1e-5  # of solves in float32: below it all is done in float64


@dataclass(frozen=True)
class Sensitivity:
    """Changes of the fluctuation by the load, and the tangent.

    Args:
        fields: X, (components, x, 3, y, z), in the working precision.
        adjoint: the same of the transpose; `fields` itself where tangents are symmetric.
        tangent: (components, components).
        steps: number of Krylov steps of all fields.
        outcome: how the solves ended.
        misfit: largest difference of the energies and of the mean stresses of the load cases, relative to the
            largest entry, or to a tenth of the phases' 2 G where the cell hardly carries anything: of the
            order of the solves' tolerance.
    """

    fields: np.ndarray
    adjoint: np.ndarray
    tangent: np.ndarray
    steps: int
    outcome: Outcome
    misfit: float


def consistent_tangent(
    medium: PathMedium,
    stored: StoredTangent,
    start: np.ndarray | None,
    adjoint_start: np.ndarray | None,
    settings: PathSettings,
) -> Sensitivity:
    """Differentiate an equilibrium by its load.

    Args:
        medium: the cell.
        stored: consistent tangents at the points, float64.
        start: fields that are near X; None for none.
        adjoint_start: the same of the transpose.
        settings: tolerances.
    """
    single = settings.precision == "mixed" and settings.tangent_tolerance >= _SINGLE_TOLERANCE
    dtype = np.dtype(np.float32 if single else np.float64)
    working = stored.astype(dtype)
    fields, steps, outcome = _solve(medium, working, start, settings)
    adjoint = fields
    if not medium.symmetric:
        adjoint, more, other = _solve(medium, working.transposed(), adjoint_start, settings)
        steps, outcome = steps + more, worst_outcome([outcome, other])
    forces = np.empty(fields.shape)
    units = np.eye(len(fields))
    means = medium.operators.products(stored, fields.astype(float), units, forces)
    tangent = means.T.copy()
    for i in range(len(fields)):
        left = adjoint[i].astype(float)
        for j in range(len(fields)):
            tangent[i, j] += dot(left, forces[j]) / medium.voxels
    size = max(float(np.abs(tangent).max()), _NOTHING * medium.unit_size**2)
    misfit = float(np.abs(tangent - means.T).max()) / size if size > 0 else 0.0
    if medium.symmetric:
        tangent = 0.5 * (tangent + tangent.T)
    return Sensitivity(fields, adjoint, tangent, steps, outcome, misfit)


def corrected_mean(
    medium: PathMedium, mean: np.ndarray, forces: np.ndarray, adjoint: np.ndarray
) -> np.ndarray:
    """Return the mean stress as it will be in equilibrium, to first order in what is left of the forces."""
    return mean + np.array([dot(one.astype(float), forces) for one in adjoint]) / medium.voxels


def _solve(
    medium: PathMedium, tangent: StoredTangent, start: np.ndarray | None, settings: PathSettings
) -> tuple[np.ndarray, int, Outcome]:
    """Solve for X, all components in one batch; return the fields, the number of steps and the outcome."""
    dtype, size = tangent.numbers.dtype, medium.operators.components
    units, shape = np.eye(size), (size, *medium.nodes)
    x, r = np.zeros(shape, dtype), np.empty(shape, dtype)
    medium.operators.products(tangent, x, units, r)
    least = _LEAST * medium.unit_size
    goals = np.array([settings.tangent_tolerance * max(_norm(medium, one), least) for one in r])
    if start is not None:
        x[...] = start
        medium.operators.products(tangent, x, units, r)
    np.negative(r, out=r)
    solved = medium.solve(tangent, r, x, goals, settings.max_steps)
    if solved.indefinite:  # where the cell softens, conjugate gradients end before their time
        medium.operators.products(tangent, x, units, r)
        np.negative(r, out=r)
        solved = medium.solve_general(tangent, r, x, goals, settings.max_steps)
    return x, sum(solved.steps), solved.outcome


def _norm(medium: PathMedium, forces: np.ndarray) -> float:
    square = medium.inverse(forces.dtype).sweep(forces, None, lambda _: None)
    return float(np.sqrt(max(square, 0.0) / medium.voxels))
