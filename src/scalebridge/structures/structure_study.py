"""What was found of a structure along its path, and how it is told: text, JSON, tables of numbers."""

import csv
import io
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.provenance import Provenance
from scalebridge.core.results import Outcome
from scalebridge.core.saved import Saved
from scalebridge.core.upscaled import plain
from scalebridge.structures.equilibrium import Iteration
from scalebridge.structures.march import Record
from scalebridge.structures.solid_mesh import SolidMesh

SCHEMA = "scalebridge/structure-study/1"
_SHOWN = 12  # lines of the load-displacement table in print


@dataclass(frozen=True)
class StructureStudy(Saved):
    """A structure along its path: reactions, displacements, stresses, energies, proof and memory, in SI.

    In the plane, forces and energies are those of a unit thickness.

    Args:
        records: every committed increment: time, load factor, reactions, movements, works.
        iterations: the residual table.
        displacement: (dim, nodes) m, of the mesh's nodes at the end.
        strains: (points, 6) Mandel notation, or (points, 9) deformation gradients, at the end.
        stresses: (points, 6) Mandel notation, or (points, 9) nominal stresses, Pa, at the end.
        places: (points, dim) of the integration points, m.
        weights: (points,) their volumes, m^3.
        driven: boundary and axis of the curve of load against displacement.
        critical: number of the most stressed point.
        micro: internal variables of chosen points by number; empty ones never left the shared elastic answer.
        memory: bytes of the points' state, and what it would be without sharing.
        checks: what was preserved, measured.
        outcome: how the path ended.
        stats: numbers about the work.
        notes: what a reader has to know.
        inputs: what was asked, by name.
        provenance: where it all came from.
        solid: the mesh; not saved.
        unit: what each point asked; not saved.
    """

    records: tuple[Record, ...]
    iterations: tuple[Iteration, ...]
    displacement: np.ndarray
    strains: np.ndarray
    stresses: np.ndarray
    places: np.ndarray
    weights: np.ndarray
    driven: tuple[str, int]
    critical: int
    micro: dict[int, dict[str, np.ndarray]]
    memory: dict[str, float]
    checks: tuple[Check, ...]
    outcome: Outcome = Outcome.converged
    stats: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    inputs: dict[str, Any] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=lambda: Provenance({}, {}))
    solid: SolidMesh | None = None
    unit: Any = None

    @property
    def passed(self) -> bool:
        """Whether the path was walked to its end and every check passed."""
        return self.outcome is Outcome.converged and all(check.passed for check in self.checks)

    @property
    def ending(self) -> str:
        """How a path that did not come to its end stopped, in words; nothing where it did."""
        if self.outcome is Outcome.converged:
            return ""
        reached = self.records[-1].factor if self.records else 0.0
        why = self.iterations[-1].outcome if self.iterations else self.outcome.name
        return (
            f"No equilibrium beyond factor {reached:.6g} ({why}): take more steps, or pass control='arc' "
            "past a limit point."
        )

    @property
    def finite(self) -> bool:
        """Whether strains are deformation gradients."""
        return self.strains.shape[1] == 9

    @property
    def elements(self) -> int:
        """Number of elements."""
        return 0 if self.solid is None else int(self.solid.mesh.nelements)

    def curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Return displacement (m) and reaction (N) of the driven boundary, rest first."""
        name, axis = self.driven
        moved = [record.movements[name][axis] for record in self.records]
        pulled = [record.reactions[name][axis] for record in self.records]
        return np.array([0.0, *moved]), np.array([0.0, *pulled])

    def by_element(self, values: np.ndarray) -> np.ndarray:
        """Return means over the elements of values at the points, (elements, ...)."""
        weights = self.weights.reshape(self.elements, -1)
        shaped = np.asarray(values).reshape(*weights.shape, *np.shape(values)[1:])
        ones = weights.reshape(*weights.shape, *(1,) * (shaped.ndim - 2))
        return (shaped * ones).sum(axis=1) / ones.sum(axis=1)

    def equivalent_stress(self) -> np.ndarray:
        """Return von Mises' equivalent stress (Pa) of each point, of Cauchy's stress in finite strain."""
        return von_mises(self.stresses, self.strains)

    def reactions_csv(self) -> str:
        """Return time, factor, reactions, movements and works of every increment as CSV."""
        axes = "xyz"[: len(self.displacement)]
        names = list(self.records[0].reactions) if self.records else []
        head = ["step", "time_s", "factor", "iterations"]
        head += [f"reaction_{n}_{a}_N" for n in names for a in axes]
        head += [f"movement_{n}_{a}_m" for n in names for a in axes]
        head += ["external_work_J", "internal_work_J", "points_with_memory"]
        rows = [
            [
                *(r.step, r.time, r.factor, r.iterations),
                *(value for n in names for value in r.reactions[n]),
                *(value for n in names for value in r.movements[n]),
                *(r.external, r.internal, int(r.stored)),
            ]
            for r in self.records
        ]
        return _csv(head, rows)

    def residuals_csv(self) -> str:
        """Return the residual table as CSV."""
        head = ["step", "increment", "iteration", "factor", "residual", "length", "outcome", "of"]
        return _csv(head, [list(asdict(row).values()) for row in self.iterations])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: everything but the mesh, the unit and the micro fields."""
        return {
            "schema": SCHEMA,
            "passed": self.passed,
            "outcome": {"code": self.outcome.name, "sentence": self.ending or self.outcome.sentence},
            "checks": [check.to_dict() for check in self.checks],
            "records": plain([asdict(record) for record in self.records]),
            "iterations": plain([asdict(row) for row in self.iterations]),
            "driven": {"boundary": self.driven[0], "axis": "xyz"[self.driven[1]]},
            "critical point": {
                "number": self.critical,
                "place": plain(self.places[self.critical]),
                "stress": plain(self.stresses[self.critical]),
            },
            "displacement": plain(self.displacement),
            "memory": plain(self.memory),
            "stats": plain(self.stats),
            "notes": list(self.notes),
            "inputs": plain(self.inputs),
            "provenance": plain(self.provenance.to_dict()),
        }

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def von_mises(stresses: np.ndarray, strains: np.ndarray) -> np.ndarray:
    """Return the equivalent stress of each point.

    Args:
        stresses: (n, 6) Mandel notation, or (n, 9) nominal stresses.
        strains: (n, 6), not looked at, or (n, 9) deformation gradients.

    Example:
        >>> von_mises(np.array([[3.0, 0, 0, 0, 0, 0]]), np.zeros((1, 6))).tolist()
        [3.0]
    """
    tensors = cauchy(stresses, strains)
    deviators = tensors - np.trace(tensors, axis1=1, axis2=2)[:, None, None] / 3 * np.eye(3)
    return np.sqrt(1.5 * (deviators**2).sum(axis=(1, 2)))


def cauchy(stresses: np.ndarray, strains: np.ndarray) -> np.ndarray:
    """Return true stresses as (n, 3, 3) tensors; of nominal ones P F^T / det F."""
    if stresses.shape[1] == 9:
        gradients = strains.reshape(-1, 3, 3)
        return (
            stresses.reshape(-1, 3, 3)
            @ gradients.transpose(0, 2, 1)
            / np.linalg.det(gradients)[:, None, None]
        )
    found = np.zeros((len(stresses), 3, 3))
    for row, (i, j) in enumerate(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))):
        found[:, i, j] = found[:, j, i] = stresses[:, row] / (1.0 if i == j else np.sqrt(2.0))
    return found


def _csv(head: list[str], rows: list[list[Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(head)
    writer.writerows([[repr(x) if isinstance(x, float) else x for x in row] for row in rows])
    return stream.getvalue()


def _lines(study: StructureStudy) -> list[str]:
    moved, pulled = study.curve()
    name, axis = study.driven
    lines = [f"structure of {study.elements} elements, {len(study.weights)} integration points"]
    moving = f"u_{'xyz'[axis]} of {name}, m"
    lines.append(f"  {'factor':>10}  {moving:>20}  {'reaction, N':>14}  corrections")
    shown = list(zip(study.records, moved[1:], pulled[1:], strict=True))
    skip = max(1, -(-len(shown) // _SHOWN))
    for record, u, force in [*shown[:-1:skip], *shown[-1:]]:
        lines.append(f"  {record.factor:10.4g}  {u:20.6g}  {force:14.6g}  {record.iterations}")
    held = study.memory.get("memory", 0.0) + study.memory.get("mapped", 0.0)
    whole = study.memory.get("without sharing", 0.0)
    if whole:
        lines.append(f"  state: {held / 2**20:.3g} MiB; without sharing {whole / 2**20:.3g} MiB")
    lines += [f"  {check}" for check in study.checks]
    lines += [f"  note: {note}" for note in study.notes]
    if study.outcome is not Outcome.converged:
        lines.append(f"  {study.ending}")
    return lines
