"""The cell problem of conduction in plain memory: compiled kernels, single precision where it suffices.

Same discretisations, preconditioner, method and stop as `cells/conduction.py`; faster on a processor, and
some 50 bytes a voxel. Besides the periodic cell it solves samples that are not periodic:

- mirrored: the potential is given on the two faces across the mean gradient, and nothing flows through the
  others. Equal to the periodic problem on the image reflected along every axis, without doubling it.
- uniform gradient: the potential of the mean gradient on all faces. The apparent tensor is too high.
- uniform flux: the normal flux of a uniform flux on all faces. The apparent tensor is too low.

The last two bracket the periodic answer of any continuation (Huet, J. Mech. Phys. Solids 38 (1990) 813;
for conduction Ostoja-Starzewski & Schulte, Phys. Rev. B 54 (1996) 278).
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, cast

import jax.numpy as jnp
import numpy as np

from scalebridge.cells.conduction import medium_for
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.model import HostLinearModel, Outlook, Response
from scalebridge.core.spec import Spec
from scalebridge.grids.transforms import FIXED, FREE, PERIODIC, Inverse
from scalebridge.grids.voxel_kernels import HexahedraKernels, VolumesKernels, VoxelKernels, VoxelTable
from scalebridge.solvers.conjugate_gradients import ConjugateGradients
from scalebridge.solvers.host_conjugate_gradients import HostCG, begin, run

Surroundings = Literal["periodic", "mirrored", "uniform-gradient", "uniform-flux"]
KERNELS: dict[str, type[VoxelKernels]] = {"hexahedra": HexahedraKernels, "finite-volume": VolumesKernels}
_SINGLE_CONTRAST = 1e4  # above it, rounding in float32 would show in the poor conductor
_SINGLE_RESIDUAL = 3e-7  # below it, a residual that is updated in float32 drifts too far
_PLAIN = (1e-10, 1e10)  # mean conductivities whose fluxes, squared and added up, are numbers of float32


@dataclass(frozen=True)
class Medium:
    """What the solver has to know of the medium as a whole.

    Args:
        mean: volume average of the conductivity.
        reference: conductivity of the homogeneous medium whose inverse is the preconditioner; diagonal
            unless the cell is periodic.
        floor: lower bound of the preconditioned spectrum, 0 if none is known.
        contrast: largest over smallest principal value that is not zero.
    """

    mean: np.ndarray
    reference: np.ndarray
    floor: float
    contrast: float

    @classmethod
    def of(cls, tensors: np.ndarray, mean: np.ndarray, *, diagonal: bool) -> "Medium":
        """Make it from the phases' tensors (phases, dim, dim) and their volume average.

        Laminates of the phases need not be listed: in any metric their principal values lie between the
        phases'.
        """
        used = np.diag(np.diagonal(mean)) if diagonal else mean
        reference, floor = medium_for(np.asarray(tensors, float), np.asarray(used, float), np)
        values = np.linalg.eigvalsh(tensors)
        values = values[values > 0]
        contrast = float(values.max() / values.min()) if values.size else 1.0
        return cls(np.asarray(mean, float), reference, float(floor), contrast)


@dataclass
class _Problem:
    """One load case for the solver: its kernels and its load.

    Args:
        kernels: the discretisation on the load's grid.
        table: the coefficients.
        gradient: mean gradient, or the mean flux where `unit` is given.
        unit: the medium of conductivity one, through which a flux loads the cell.
        reference: conductivity of the preconditioner's medium.
        inverses: preconditioners made so far.
        scale: what the coefficients were divided by, and, under a flux, the potential is multiplied by.
        answer: mean flux of the iterate whose residual was computed last; None where the load is a flux.
    """

    kernels: VoxelKernels
    table: VoxelTable
    gradient: np.ndarray
    unit: VoxelTable | None
    reference: np.ndarray
    inverses: dict[Any, Inverse]
    scale: float
    answer: np.ndarray | None = None

    def product(self, p: np.ndarray, out: np.ndarray) -> float:
        return self.kernels.product(self.table, p, None, out)[0]

    def load(self, out: np.ndarray) -> None:
        still = np.zeros(out.shape, out.dtype)
        self.kernels.product(self.unit or self.table, still, self.gradient, out)
        if self.unit is None:
            np.negative(out, out=out)

    def residual(self, x: np.ndarray, out: np.ndarray) -> None:
        if self.unit is None:
            self.answer = self.scale * self.kernels.product(self.table, x, self.gradient, out)[1]
            np.negative(out, out=out)
            return
        room = np.empty(x.shape)
        self.kernels.product(self.table, x, None, room)
        self.load(out)
        np.subtract(out, room, out=out, casting="same_kind")

    def preconditioner(self, dtype: np.dtype) -> Inverse:
        key = (self.kernels.ends, dtype)
        if key not in self.inverses:
            self.inverses.clear()  # one at a time, for memory
            self.inverses[key] = self.kernels.inverse(self.reference, dtype)
        return self.inverses[key]


class HostConduction(HostLinearModel):
    """A voxel cell of a conducting composite, solved in plain memory.

    Args:
        shape: number of voxels along each axis.
        spacing: length of a voxel's edges, in any unit.
        table: the conductivity in every voxel.
        scheme: "hexahedra" or "finite-volume".
        medium: mean, preconditioner and contrast.
        solver: the tolerances.
        boundary: what surrounds the sample; with "uniform-flux" it is asked with a mean flux and answers with
            the mean gradient.
        double: whether to work in float64 throughout.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        spacing: tuple[float, ...],
        table: VoxelTable,
        scheme: str,
        medium: Medium,
        solver: ConjugateGradients,
        boundary: Surroundings = "periodic",
        *,
        double: bool = False,
    ):
        self.shape, self.spacing, self.table, self.scheme = shape, spacing, table, scheme
        self.medium, self.solver = medium, solver
        self.boundary: Surroundings = boundary
        single = medium.contrast <= _SINGLE_CONTRAST and solver.residual_rtol >= _SINGLE_RESIDUAL
        self._inverses: dict[Any, Inverse] = {}
        self.dtype = np.dtype(np.float32 if single and not double else np.float64)

    @property
    def dim(self) -> int:
        """Number of space dimensions."""
        return len(self.shape)

    @property
    def asks(self) -> Spec:
        name = "mean flux" if self.boundary == "uniform-flux" else "mean gradient"
        return Spec(name, "1", (self.dim,))

    @property
    def answers(self) -> Spec:
        name = "mean gradient" if self.boundary == "uniform-flux" else "mean flux"
        return Spec(name, "1", (self.dim,))

    def kernels(self, load: np.ndarray) -> VoxelKernels:
        """Return the kernels for a load: a mirrored sample's faces depend on the load's axis."""
        ends = {
            "periodic": (PERIODIC,) * self.dim,
            "mirrored": tuple(FIXED if part else FREE for part in np.asarray(load)),
            "uniform-gradient": (FIXED,) * self.dim,
            "uniform-flux": (FREE,) * self.dim,
        }[self.boundary]
        return KERNELS[self.scheme](self.shape, self.spacing, ends)

    @property
    def _scale(self) -> float:
        """What coefficients are divided by for the solve, where float32 would end: one mostly, for memory."""
        size = float(np.abs(self.medium.mean).max())
        return 1.0 if size == 0 or _PLAIN[0] <= size <= _PLAIN[1] else size

    def begin(self, load: np.ndarray) -> HostCG:
        load = np.asarray(load, float)
        kernels, flux = self.kernels(load), self.boundary == "uniform-flux"
        unit = self._unit_table() if flux else None
        scale = self._scale
        table = self.table if scale == 1.0 else self.table.cast(self.table.rows / scale)
        reference = self.medium.reference / scale
        problem = _Problem(kernels, table, load, unit, reference, self._inverses, scale)
        start = 0.0 if flux else float(load @ self.medium.mean @ load) / scale * math.prod(self.shape)
        return begin(problem, kernels.nodes, start, self.medium.floor, self.dtype)

    def advance(self, work: HostCG, steps: int) -> HostCG:
        return run(work, self.solver, steps)

    def outlook(self, work: HostCG) -> Outlook:
        error = max(work.errors[-1], work.residuals[-1] ** 2)
        return Outlook(work.code >= 0, work.steps, error, self.solver.rtol)

    def finish(self, load: np.ndarray, work: HostCG) -> Response:
        stats: dict[str, Any] = {
            "steps": work.steps,
            "residuals": np.array(work.residuals),
            "errors": np.array(work.errors),
            "falls": np.array(work.falls),
        }
        load = np.asarray(load, float)
        known = cast("_Problem", work.operator).answer if work.verified else None
        u = work.x if self.boundary != "uniform-flux" or self._scale == 1.0 else work.x / self._scale
        answer = self._answer(u, load) if known is None else known
        if self.boundary == "mirrored":
            answer = answer * (load != 0)  # the rest cancels over the mirror images
        fields = (u, load)
        return Response(jnp.asarray(answer), (), fields, jnp.asarray(work.code), stats)

    def energies(self, fields: list[Any]) -> np.ndarray:
        kernels = [self.kernels(load) for _, load in fields]
        if self.boundary == "uniform-flux":  # the load is no gradient
            return kernels[0].energies(self.table, [(u, 0.0 * load) for u, load in fields])[0]
        if self.boundary != "mirrored":
            return kernels[0].energies(self.table, fields)[0]
        # Fields of different axes have different parities: over the mirror images nothing is left.
        own = [k.energies(self.table, [case])[0][0, 0] for k, case in zip(kernels, fields, strict=True)]
        return np.diag(own)

    def _answer(self, u: np.ndarray, load: np.ndarray) -> np.ndarray:
        """Mean flux, or the mean gradient where the load is a flux."""
        kernels, room = self.kernels(load), np.empty(u.shape)
        if self.boundary == "uniform-flux":
            return kernels.product(self._unit_table(), u, None, room)[1]
        return kernels.product(self.table, u, load, room)[1]

    def slopes(self, first: Any, second: Any) -> np.ndarray:
        if self.boundary == "mirrored" and np.any(first[1] != second[1]):
            return np.zeros_like(self.table.rows)
        if self.boundary == "uniform-flux":
            first, second = (first[0], 0 * first[1]), (second[0], 0 * second[1])
        return self.kernels(first[1]).slopes(self.table, first, second)

    def by_voxel(self) -> "HostConduction":
        """Return the same model with a row of the table for every voxel."""
        rows = self.table.rows[self.table.index.reshape(-1)]
        index = np.arange(len(rows), dtype=np.int32).reshape(self.table.index.shape)
        return HostConduction(
            self.shape,
            self.spacing,
            VoxelTable(rows, index),
            self.scheme,
            self.medium,
            self.solver,
            self.boundary,
        )

    def potential(self, u: np.ndarray, load: np.ndarray) -> np.ndarray:
        """Return one value a voxel with the image's axes: at its low corner or its centre."""
        kernels = self.kernels(load)
        return kernels.field(u[tuple(slice(0, count) for count in kernels.shape)])

    def gradient_field(self, u: np.ndarray, load: np.ndarray) -> np.ndarray:
        """Return the gradient averaged over each voxel, components first, with the image's axes."""
        return self.kernels(load).gradient_field(u, load)

    def flux_field(self, u: np.ndarray, load: np.ndarray) -> np.ndarray:
        """Return the flux averaged over each voxel, components first, with the image's axes."""
        return self.kernels(load).flux_field(self.table, u, load)

    def _unit_table(self) -> VoxelTable:
        """The medium of conductivity one, whose flux is the gradient."""
        rows = self.table.rows
        unit = {1: (1.0,), 3: (1.0,) * 3, 6: (1.0, 1.0, 1.0, 0.0, 0.0, 0.0)}[rows.shape[1]]
        return self.table.cast(np.tile(unit, (len(rows), 1)))
