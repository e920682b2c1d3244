"""A periodic voxel cell with laws: what Newton's method asks of it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scalebridge.cells.path_points import PointLaws, States, is_linear
from scalebridge.core.results import Outcome
from scalebridge.grids.elastic_hexahedra import ElasticKernels, isotropic_stiffness
from scalebridge.grids.point_layout import point_layout
from scalebridge.grids.point_operators import PointOperators, StoredTangent
from scalebridge.grids.transforms import Inverse
from scalebridge.laws.path_law import PathLaw
from scalebridge.solvers.batched_conjugate_gradients import BatchSolved, solve_batch
from scalebridge.solvers.stabilised_gradients import stabilised_gradients

_FLOOR = 1e-4  # of the load's own stress, below which stresses count as zero


@dataclass
class Balance:
    """The forces of a trial.

    Args:
        strains: at the points, flat.
        forces: (x, 3, y, z); zero in equilibrium.
        stress: at the points, flat.
        mean: mean stress (6,) or (9,).
        scale: energy norm of the stress, what the forces' norm is compared with.
    """

    strains: np.ndarray
    forces: np.ndarray
    stress: np.ndarray
    mean: np.ndarray
    scale: float


class PathMedium:
    """Laws on a periodic box of voxels, trilinear hexahedra with eight points.

    Args:
        index: (x, y, z), number of the phase of every voxel.
        laws: one a phase.
        spacing: length of a voxel's edges, in `unit`.
        unit: m; what lengths inside are measured with.
        everywhere: whether phases that are linear own points all the same.
    """

    def __init__(
        self,
        index: np.ndarray,
        laws: Sequence[PathLaw],
        spacing: Sequence[float],
        unit: float = 1.0,
        *,
        everywhere: bool = False,
    ):
        self.finite = laws[0].finite
        self.layout = point_layout(index, len(laws), [everywhere or not is_linear(law) for law in laws])
        self.laws = PointLaws(laws, self.layout, spacing, unit)
        self.operators = PointOperators(self.layout, spacing, 9 if self.finite else 6)
        self.nodes, self.voxels = self.operators.nodes, self.operators.voxels
        self.symmetric = self.laws.symmetric
        self._inverses: dict[np.dtype, Inverse] = {}

    @cached_property
    def reference(self) -> tuple[float, float]:
        """Bulk and shear modulus of a homogeneous medium: the means of the phases'."""
        weights = self.layout.counts / self.layout.counts.sum()
        c = np.tensordot(weights, self.laws.stiffnesses, 1)
        bulk = float(c[:3, :3].sum() / 9)
        shear = float((np.trace(c) - 3 * bulk) / 10)
        return bulk, shear

    @property
    def reference_stiffness(self) -> np.ndarray:
        """Stiffness of the homogeneous medium, (6, 6), Mandel."""
        bulk, shear = self.reference
        return isotropic_stiffness(np.array(bulk - 2 * shear / 3), np.array(shear))

    def inverse(self, dtype: np.dtype) -> Inverse:
        """Return the inverse of the homogeneous medium's stiffness, the discrete Green operator."""
        dtype = np.dtype(dtype)
        if dtype not in self._inverses:
            kernels = ElasticKernels(self.layout.shape, self.operators.spacing)
            self._inverses[dtype] = kernels.inverse(self.reference_stiffness, "full", dtype)
        return self._inverses[dtype]

    def balance(self, u: np.ndarray, load: np.ndarray, states: States, dt: float) -> Balance:
        """Return strains, stresses and forces of a trial."""
        strains = self.operators.strains(u, load)
        stress = np.empty_like(strains)
        self.laws.respond(strains, states, dt, stress)
        forces = np.empty(self.nodes)
        mean, squares = self.operators.forces(u, load, stress, self.laws.elastic, forces)
        bulk, shear = self.reference
        energy = squares[0] / (9 * bulk) + (squares[1] - squares[0] / 3) / (2 * shear)
        own = _FLOOR * self.size_of(load)
        return Balance(strains, forces, stress, mean, math.sqrt(max(energy, own * own)))

    def size_of(self, load: np.ndarray) -> float:
        """Return the energy norm of a mean strain, or of a gradient less the unit tensor."""
        bulk, shear = self.reference
        change = np.asarray(load) - (np.eye(3).ravel() if self.finite else 0.0)
        trace = change[0] + (change[4] + change[8] if self.finite else change[1] + change[2])
        return math.sqrt(bulk * trace**2 + 2 * shear * (change @ change - trace**2 / 3))

    def least_energy(self, load: np.ndarray) -> float:
        """Return the energy that counts as nothing: of a load's, in the homogeneous medium.

        Below it differences of energies are roundings, as where a void cuts the cell and no stress is left.
        """
        return _FLOOR * self.size_of(load) ** 2

    @property
    def unit_size(self) -> float:
        """Energy norm of a unit shear, which solves for unit loads are compared with."""
        return math.sqrt(2 * self.reference[1])

    def norm(self, forces: np.ndarray) -> float:
        """Return the energy norm of forces per volume, as the homogeneous medium has it."""
        square = self.inverse(np.dtype(float)).sweep(forces, None, lambda _: None)
        return math.sqrt(square / self.voxels) if square >= 0 else math.nan

    def unbalanced(self, balance: Balance) -> float:
        """Return the part of the stress that is out of equilibrium; NaN where a law gave no answer."""
        return self.norm(balance.forces) / balance.scale if balance.scale != 0 else 0.0

    def solve(
        self, tangent: StoredTangent, r: np.ndarray, x: np.ndarray, goals: np.ndarray, max_steps: int
    ) -> BatchSolved:
        """Add to x (fields, ...) what takes the residuals below their goals; both are changed in place.

        Args:
            tangent: in the fields' precision.
            r: residuals.
            x: iterates.
            goals: energy norms to reach, as `norm` has them.
            max_steps: largest number of steps a field.
        """
        if self.symmetric:
            return solve_batch(_Tangents(self, tangent), r, x, goals * math.sqrt(self.voxels), max_steps)
        return self.solve_general(tangent, r, x, goals, max_steps)

    def solve_general(
        self, tangent: StoredTangent, r: np.ndarray, x: np.ndarray, goals: np.ndarray, max_steps: int
    ) -> BatchSolved:
        """The same for tangents that are not symmetric, or not definite, field by field."""
        operator = _Tangents(self, tangent)
        steps, norms, worst = [], [], Outcome.converged
        for f in range(len(r)):
            before = math.sqrt(max(operator.sweep(r[f], None, lambda _: None), 0.0))
            rtol = float(goals[f]) * math.sqrt(self.voxels) / before if before > 0 else 1.0
            done = stabilised_gradients(operator.one, operator.precondition, r[f], x[f], rtol, max_steps)
            steps.append(done.steps)
            norms.append(done.residual * before)
            worst = max(worst, done.outcome)
        return BatchSolved(worst, steps, norms, False)


@dataclass(frozen=True)
class _Tangents:
    """Stored tangents and the Green operator, as solvers take them."""

    medium: PathMedium
    tangent: StoredTangent

    def product(self, p: np.ndarray, out: np.ndarray) -> None:
        self.medium.operators.products(self.tangent, p, None, out)

    def one(self, p: np.ndarray) -> np.ndarray:
        out = np.empty_like(p)
        self.product(p[None], out[None])
        return out

    def sweep(self, r: np.ndarray, update: Callable | None, then: Callable) -> float:
        return self.medium.inverse(r.dtype).sweep(r, update, then)

    def precondition(self, r: np.ndarray) -> np.ndarray:
        out = np.empty_like(r)

        def use(low: int, high: int, z: np.ndarray) -> None:
            out[low:high] = z

        self.sweep(r, None, lambda _: use)
        return out
