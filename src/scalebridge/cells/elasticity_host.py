"""The cell problem of thermoelasticity in plain memory: compiled kernels, single precision where it suffices.

    div s = 0,   s = C : (E + sym grad u - a t),

with a mean strain E, a uniform change of temperature t, and the stiffness C and thermal expansion a of each
voxel. The two are one load (E, t) of seven numbers, and the tangent of the cell holds all that is handed up:

    [ C*        -C* : a* ]     C* effective stiffness, a* effective expansion,
    [ sym.       q       ]     q = mean of (e - a) : C : (e - a) at E = 0, t = 1.

It is evaluated as mean energies of pairs of cases, whose errors are the square of the fields' (Hill-Mandel
kept: the mean of stress times strain is the product of their means), and as mean stresses.

Surroundings: periodic; "uniform-strain", displacements of the mean strain on all faces, too stiff; and
"uniform-stress", tractions of a uniform stress on all faces, too soft. The last two bracket the answer of any
continuation (Huet, J. Mech. Phys. Solids 38 (1990) 813). Mirroring does not carry over from conduction: a
mirror image turns the sign of two of the three shears.
"""

import math
import weakref
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.model import HostLinearModel, Outlook, Response
from scalebridge.core.spec import Spec
from scalebridge.core.vectors import dot
from scalebridge.grids.elastic_hexahedra import (
    ElasticKernels,
    ElasticTable,
    Integration,
    elastic_table,
    stiffness_slopes,
)
from scalebridge.grids.transforms import FIXED, FREE, PERIODIC, Inverse
from scalebridge.solvers.conjugate_gradients import ConjugateGradients
from scalebridge.solvers.host_conjugate_gradients import HostCG, begin, run

Surroundings = Literal["periodic", "uniform-strain", "uniform-stress"]
ENDS = {"periodic": PERIODIC, "uniform-strain": FIXED, "uniform-stress": FREE}
_SINGLE_CONTRAST = 1e4  # above it, rounding in float32 would show in the softer phase
_SINGLE_RESIDUAL = 3e-7  # below it, a residual that is updated in float32 drifts too far
_VANISHING = 1e-9  # share of the mean stiffness below which an answer counts as zero


@dataclass(frozen=True)
class Solid:
    """The voxels' stiffness and expansion, along the grid's axes.

    Args:
        stiffness: (rows, 6, 6) Mandel.
        expansion: (rows, 6) Mandel, or None where no thermal case is asked.
        index: row of every voxel, the grid's three axes.
        rule: integration.
        general: whether to treat isotropic rows as any others: derivatives by all their constants need it.
        table: the same for the kernels.
        weights: share of the volume of each row.
    """

    stiffness: np.ndarray
    expansion: np.ndarray | None
    index: np.ndarray
    rule: Integration = "full"
    general: bool = False
    table: ElasticTable = field(init=False)
    weights: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "table", elastic_table(self.stiffness, self.index, self.rule, general=self.general)
        )
        counts = np.bincount(self.index.reshape(-1), minlength=len(self.stiffness))
        object.__setattr__(self, "weights", counts / counts.sum())

    @property
    def mean(self) -> np.ndarray:
        """Volume average of the stiffness."""
        return np.tensordot(self.weights, self.stiffness, 1)

    @property
    def stress_per_kelvin(self) -> np.ndarray:
        """C : a of each row, (rows, 6)."""
        return np.einsum("rij,rj->ri", self.stiffness, self.free_strain)

    @property
    def free_strain(self) -> np.ndarray:
        """Strain of each row by a kelvin at no stress, (rows, 6), zero where no thermal case is asked."""
        return np.zeros((len(self.stiffness), 6)) if self.expansion is None else self.expansion

    @property
    def contrast(self) -> float:
        """Largest over smallest principal stiffness that is not zero."""
        used = self.stiffness[self.weights > 0]
        values = np.linalg.eigvalsh(used)
        values = values[values > 1e-12 * values.max()]
        return float(values.max() / values.min())

    def floor(self, reference: np.ndarray) -> float:
        """Lower bound of the spectrum of K preconditioned by a homogeneous medium, 0 if none is known."""
        root = np.linalg.inv(np.linalg.cholesky(reference))
        used = self.stiffness[self.weights > 0]
        values = np.linalg.eigvalsh(root @ used @ root.T)
        return max(0.0, float(values.min()))


@dataclass
class _Problem:
    """One load case for the solver.

    Args:
        model: the cell.
        strain: mean strain (6,), zeros under a uniform stress.
        own: stress of each row at no strain (rows, 6), or None.
        answer: mean stress of the iterate whose residual was computed last.
    """

    model: "HostElasticity"
    strain: np.ndarray
    own: np.ndarray | None
    answer: np.ndarray | None = None

    def product(self, p: np.ndarray, out: np.ndarray) -> float:
        return self.model.kernels.product(self.model.solid.table, p, None, out)[0]

    def load(self, out: np.ndarray) -> None:
        self._forces(None, out)

    def residual(self, x: np.ndarray, out: np.ndarray) -> None:
        self.answer = self._forces(x, out)

    def preconditioner(self, dtype: np.dtype) -> Inverse:
        return self.model.preconditioner(dtype)

    def _forces(self, u: np.ndarray | None, out: np.ndarray) -> np.ndarray:
        return self.model.kernels.product(self.model.solid.table, u, self.strain, out, self.own, sign=-1)[1]


@dataclass(frozen=True)
class _Ended:
    """A case whose true residual is known, and with it its products with all cases that ended before.

    Args:
        field: its displacement, as long as anyone has it.
        stress: its mean stress.
        products: of the residual with displacements, its own the last.
    """

    field: "weakref.ref[np.ndarray]"
    stress: np.ndarray
    products: list[float]


class HostElasticity(HostLinearModel):
    """A voxel cell of a thermoelastic composite, solved in plain memory.

    It is asked with a mean strain, and a seventh number, a change of temperature, where the solid has an
    expansion; with a mean stress instead of the strain if the boundary is "uniform-stress". It answers with
    the mean stress (or strain), and, seventh, with the derivative of the energy by the temperature.

    Args:
        shape: number of voxels along the grid's three axes.
        spacing: length of a voxel's edges.
        solid: the voxels.
        solver: the tolerances.
        boundary: what surrounds the sample.
        reference: stiffness of the homogeneous medium whose inverse is the preconditioner; the volume
            average unless given.
        double: whether to work in float64 throughout.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        spacing: tuple[float, ...],
        solid: Solid,
        solver: ConjugateGradients,
        boundary: Surroundings = "periodic",
        *,
        reference: np.ndarray | None = None,
        double: bool = False,
    ):
        self.solid, self.solver, self.boundary = solid, solver, boundary
        self.kernels = ElasticKernels(shape, spacing, ENDS[boundary])
        self.reference = solid.mean if reference is None else reference
        self.floor = solid.floor(self.reference) if boundary == "periodic" else 0.0
        single = solid.contrast <= _SINGLE_CONTRAST and solver.residual_rtol >= _SINGLE_RESIDUAL
        self.dtype = np.dtype(np.float32 if single and not double else np.float64)
        self._inverses: dict[Any, Inverse] = {}
        self.starts: dict[int, np.ndarray] = {}  # a first iterate by load case, if any
        self._rooms: list[np.ndarray] = []  # memory of solves that ended, for the next one
        self._places: list[np.ndarray] = []  # for displacements to come
        self._ended: list[_Ended] = []

    @property
    def thermal(self) -> bool:
        """Whether a change of temperature is the seventh load."""
        return self.solid.expansion is not None

    @property
    def asks(self) -> Spec:
        name = "mean stress" if self.boundary == "uniform-stress" else "mean strain"
        return Spec(f"{name} and temperature" if self.thermal else name, "1", (6 + self.thermal,))

    @property
    def answers(self) -> Spec:
        name = "mean strain" if self.boundary == "uniform-stress" else "mean stress"
        return Spec(f"{name} and temperature" if self.thermal else name, "1", (6 + self.thermal,))

    def preconditioner(self, dtype: np.dtype) -> Inverse:
        """Return the homogeneous medium's inverse for fields of a type."""
        if dtype not in self._inverses:
            self._inverses.clear()  # one at a time, for memory
            self._inverses[dtype] = self.kernels.inverse(self.reference, self.solid.rule, dtype)
        return self._inverses[dtype]

    def begin(self, load: np.ndarray) -> HostCG:
        load = np.asarray(load, float)
        problem = _Problem(self, self._strain(load), self._own(load))
        start = self.starts.pop(int(np.argmax(np.abs(load))), None)
        voxels = math.prod(self.kernels.shape)
        scale = self._energy_at_rest(load) * voxels
        room = self._rooms.pop() if self._rooms else None
        if self.boundary == "uniform-stress":
            return begin(problem, self.kernels.nodes, 0.0, 0.0, self.dtype, room=room, place=self._place())
        return begin(
            problem,
            self.kernels.nodes,
            scale,
            self.floor,
            self.dtype,
            start=start,
            least=_VANISHING * scale,
            solver=self.solver,
            room=room,
            place=None if start is not None else self._place(),
        )

    def _place(self) -> np.ndarray:
        """Return memory for a displacement.

        All cases have theirs in one piece, which systems give in large pages: displacements by themselves
        took a tenth of a solve to come by. What is not written to yet takes no memory.
        """
        if not self._places:
            self._places = list(np.empty((self.asks.size, *self.kernels.nodes)))
        return self._places.pop()

    def load_of(self, load: np.ndarray, out: np.ndarray) -> None:
        """Write the forces of a load case to `out`, of the type of its fields."""
        _Problem(self, self._strain(load), self._own(load)).load(out)

    def advance(self, work: HostCG, steps: int) -> HostCG:
        return run(work, self.solver, steps)

    def outlook(self, work: HostCG) -> Outlook:
        error = max(work.errors[-1], work.residuals[-1] ** 2)
        return Outlook(work.code >= 0, work.steps, error, self.solver.rtol)

    def finish(self, load: np.ndarray, work: HostCG) -> Response:
        load = np.asarray(load, float)
        stats: dict[str, Any] = {
            "steps": work.steps,
            "residuals": np.array(work.residuals),
            "errors": np.array(work.errors),
            "falls": np.array(work.falls),
        }
        fields = (work.x, load)
        known = cast("_Problem", work.operator).answer if work.verified else None
        answer = self._answer(fields, known)
        if known is not None and self.boundary != "uniform-stress":
            self._note(work.x, known, work.q)
        if (room := work.release()) is not None:
            self._rooms = [room]  # one is enough where cases follow each other
        return Response(np.asarray(answer), (), fields, np.asarray(work.code), stats)

    def energies(self, fields: list[Any]) -> np.ndarray:
        """Return the mean of  (e_i - a t_i) : C : (e_j - a t_j)  of all pairs of cases (u, load)."""
        voxels, size = math.prod(self.kernels.shape), math.prod(self.kernels.nodes)
        room = self._rooms.pop().reshape(-1).view(float)[:size] if self._rooms else np.empty(size)
        room = room.reshape(self.kernels.nodes)
        if self.boundary == "uniform-stress":
            return self._energies_under_stress([u for u, _ in fields], [load for _, load in fields], room)
        ended, self._ended = self._ended, []
        known = len(ended) == len(fields) and all(
            one.field() is u for one, (u, _) in zip(ended, fields, strict=True)
        )
        found = np.zeros((len(fields), len(fields)))
        for j, case in enumerate(fields):
            stress, products = (
                (ended[j].stress, ended[j].products) if known else self._lacks(case, fields[: j + 1], room)
            )
            heat = self._heat(case)
            for i, (_, load) in enumerate(fields[: j + 1]):
                energy = float(load[:6] @ stress) - products[i] / voxels
                energy += float(load[6] * heat) if self.thermal else 0.0
                found[i, j] = found[j, i] = energy
        return found

    def _lacks(self, case: Any, others: list[Any], room: np.ndarray) -> tuple[np.ndarray, list[float]]:
        """Return a case's mean stress, and the products of its residual with displacements: see `_Ended`."""
        u, load = case
        stress = self.kernels.product(
            self.solid.table, u, self._strain(load), room, self._own(load), sign=-1
        )[1]
        return stress, [dot(other, room) for other, _ in others]

    def _energies_under_stress(
        self, fields: list[np.ndarray], loads: list[np.ndarray], room: np.ndarray
    ) -> np.ndarray:
        """The same where stresses are given: u . K v + u . (g - K v) + v . (f - K u).

        Of the forces f and g, because u . K v alone is as far off as the fields are. The stress of the load
        itself is no part of the energy.
        """
        spent, left = np.zeros((len(fields),) * 2), np.zeros((len(fields),) * 2)
        for j, (u, load) in enumerate(zip(fields, loads, strict=True)):
            for own, found, sign in ((None, spent, 1), (self._own(load), left, -1)):
                self.kernels.product(self.solid.table, u, None, room, own, sign=sign)
                for i, other in enumerate(fields):
                    found[i, j] = dot(other, room)
        return ((spent + spent.T) / 2 + left + left.T) / math.prod(self.kernels.shape)

    def _note(self, u: np.ndarray, stress: np.ndarray, residual: np.ndarray) -> None:
        """Keep what the energies of a case and of those before need of its residual, while it is at hand."""
        before = [(one, field) for one in self._ended if (field := one.field()) is not None]
        products = [dot(field, residual) for _, field in before] + [dot(u, residual)]
        self._ended = [*(one for one, _ in before), _Ended(weakref.ref(u), stress, products)]

    def slopes(self, first: Any, second: Any) -> np.ndarray:
        """Return two cases' energy's derivative by each row's C and a, (rows, 42): C' (6, 6), then a'."""
        solid = self.solid
        by_rows = self._row_slopes(first, second)
        if self.boundary == "uniform-stress" and first[1][6:].any() and second[1][6:].any():
            still = np.zeros(self.kernels.nodes)  # what expansions alone would hold is no energy here
            by_rows = by_rows - self._row_slopes((still, first[1]), (still, second[1]))
        by_stiffness = stiffness_slopes(by_rows, solid.table).reshape(len(solid.stiffness), 36)
        by_expansion = np.zeros((len(solid.stiffness), 6))
        if self.thermal:
            for one, other in ((first, second), (second, first)):
                if one[1][6] != 0:
                    by_expansion -= one[1][6] * np.einsum(
                        "rij,rj->ri", solid.stiffness, self._elastic_strains(other)
                    )
        return np.concatenate([by_stiffness, by_expansion], axis=1)

    def _row_slopes(self, first: Any, second: Any) -> np.ndarray:
        """Derivative of the mean of  (e1 - a t1) : C : (e2 - a t2)  by the kernels' rows."""
        return self.kernels.slopes(
            self.solid.table,
            (first[0], self._strain(first[1])),
            (second[0], self._strain(second[1])),
            self._free_strain(first[1]),
            self._free_strain(second[1]),
        )

    def strain_field(self, u: np.ndarray, load: np.ndarray) -> np.ndarray:
        """Return the strain averaged over each voxel, (6, voxels...) Mandel, with the grid's axes."""
        return self.kernels.strain_field(u, self._strain(load))

    def stress_field(self, u: np.ndarray, load: np.ndarray) -> np.ndarray:
        """Return the stress averaged over each voxel, (6, voxels...) Mandel, with the grid's axes."""
        own = self.solid.stress_per_kelvin * load[6] if self.thermal and load[6] != 0 else None
        return self.kernels.stress_field(self.solid.table, u, self._strain(load), own)

    def _answer(self, case: tuple[np.ndarray, np.ndarray], stress: np.ndarray | None) -> np.ndarray:
        """Answer of a case, whose mean stress may be known."""
        u, load = case
        if self.boundary == "uniform-stress":
            mean = self.kernels.row_strains(self.solid.table, (u, np.zeros(6))).sum(axis=0)
        elif stress is not None:
            mean = stress
        else:
            room = np.empty(u.shape)
            mean = self.kernels.product(self.solid.table, u, self._strain(load), room, self._own(load))[1]
        return np.append(mean, self._heat(case)) if self.thermal else mean

    def _strain(self, load: np.ndarray) -> np.ndarray:
        return np.zeros(6) if self.boundary == "uniform-stress" else load[:6]

    def _own(self, load: np.ndarray) -> np.ndarray | None:
        """Stress of each row that acts at no strain, as a loss."""
        own = np.zeros((len(self.solid.stiffness), 6))
        if self.boundary == "uniform-stress":
            own += load[:6]
            return own + load[6] * self.solid.stress_per_kelvin if self.thermal else own
        if not self.thermal or load[6] == 0:
            return None
        return load[6] * self.solid.stress_per_kelvin

    def _eigenstrain(self, load: np.ndarray) -> np.ndarray:
        """Strain of each row that carries no stress; under a uniform stress it acts as a load instead."""
        if self.boundary == "uniform-stress":
            return np.zeros((len(self.solid.stiffness), 6))
        return self._free_strain(load)

    def _free_strain(self, load: np.ndarray) -> np.ndarray:
        """Thermal strain of each row by itself."""
        if not self.thermal or load[6] == 0:
            return np.zeros((len(self.solid.stiffness), 6))
        return load[6] * self.solid.free_strain

    def _elastic_strains(self, case: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Each row's part of the mean of  e - a t."""
        u, load = case
        strains = self.kernels.row_strains(self.solid.table, (u, self._strain(load)))
        return strains - self.solid.weights[:, None] * self._eigenstrain(load)

    def _heat(self, case: tuple[np.ndarray, np.ndarray]) -> float:
        """Minus the mean of  a : C : (e - a t), half the energy's derivative; of C : a : e under a stress."""
        if not self.thermal:
            return 0.0
        u, load = case
        found = float(self._thermal_stress @ self._strain(load))
        found += dot(u, self._thermal_forces) / math.prod(self.kernels.shape)
        if self.boundary == "uniform-stress":
            return found
        return -found + float(load[6]) * float(
            np.einsum("r,ri,ri->", self.solid.weights, self.solid.stress_per_kelvin, self.solid.free_strain)
        )

    @property
    def _thermal_stress(self) -> np.ndarray:
        """Volume average of  C : a."""
        return self.solid.weights @ self.solid.stress_per_kelvin

    @cached_property
    def _thermal_forces(self) -> np.ndarray:
        """Nodal forces of  C : a."""
        out = np.empty(self.kernels.nodes)
        self.kernels.product(self.solid.table, None, None, out, -self.solid.stress_per_kelvin)
        return out

    def _energy_at_rest(self, load: np.ndarray) -> float:
        """Mean energy of a load without any displacement."""
        strains = self._strain(load) - self._eigenstrain(load)
        return float(np.einsum("r,ri,rij,rj->", self.solid.weights, strains, self.solid.stiffness, strains))
