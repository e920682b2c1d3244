"""What was found of a coarse core, and how it is told: text and JSON."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalebridge.core.checks import Check
from scalebridge.core.provenance import Provenance
from scalebridge.core.results import Outcome
from scalebridge.core.saved import Saved
from scalebridge.core.upscaled import plain
from scalebridge.reactor.core_inputs import CoreInput
from scalebridge.reactor.core_problem import CoreMethod, CoreProblem, CoreSolution

SCHEMA = "scalebridge/core-study/1"


@dataclass(frozen=True, eq=False)
class CoreStudy(Saved):
    """A coarse core: multiplication, flux and power of its nodes, derivatives and proof. Lengths in cm.

    Args:
        k: multiplication.
        mesh_error: how far k is from that of an infinitely fine mesh, estimated from two meshes; None where
            it was not asked for.
        power: ([nz, ny,] nx) mean power density of each node by that of all fuelled nodes; NaN in empty ones.
        flux: (map..., G) mean flux of each node, for a mean power density of one fission a cm^3.
        adjoint: (map..., G) adjoint flux, its largest number one; None where it was not asked for.
        names: (R,) names of the regions.
        derivatives: dk by each constant: (R, G), or (R, G, G) for scatter [from, to]; for "sp3" by `total`,
            too, which that by `diffusion` holds. Empty where they were not asked for.
        method: "nodal", "volumes" or "sp3".
        history: k after each outer iteration with the relative residual of its eigenproblem.
        checks: what was preserved, measured.
        outcome: how the method ended.
        stats: numbers about the work.
        notes: what a reader has to know.
        inputs: what was asked, by name.
        provenance: where it all came from.
        problem: the core as arrays; not saved.
        solution: fluxes and currents of the mesh; not saved.
        given: the core as it was asked for; not saved.
    """

    k: float
    mesh_error: float | None
    power: np.ndarray
    flux: np.ndarray
    adjoint: np.ndarray | None
    names: tuple[str, ...]
    derivatives: dict[str, np.ndarray]
    method: CoreMethod
    history: tuple[tuple[float, float], ...]
    checks: tuple[Check, ...]
    outcome: Outcome
    problem: CoreProblem
    solution: CoreSolution
    given: CoreInput
    stats: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    inputs: dict[str, Any] = field(default_factory=dict)
    provenance: Provenance = field(default_factory=lambda: Provenance({}, {}))

    @property
    def passed(self) -> bool:
        """Whether the method converged and every check passed."""
        return self.outcome is Outcome.converged and all(check.passed for check in self.checks)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return self.flux.shape[-1]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: everything but the mesh and what was found on it."""
        kept = ("k", "mesh_error", "power", "flux", "adjoint", "names", "derivatives", "method", "history")
        told = {key: plain(getattr(self, key)) for key in kept}
        return {
            "schema": SCHEMA,
            "conventions": {
                "groups": "0 is the fastest",
                "scatter": "[from, to]",
                "unit": "cross-sections in 1/cm, lengths in cm",
                "rows": "the first row of a map is the northern one",
                "flux": "for a mean of one fission a cm^3 and s in fuelled nodes",
            },
            **told,
            "widths": plain(self.given.widths),
            "checks": [check.to_dict() for check in self.checks],
            "passed": self.passed,
            "outcome": {"code": self.outcome.name, "sentence": self.outcome.sentence},
            "stats": plain(self.stats),
            "notes": list(self.notes),
            "inputs": plain(self.inputs),
            "provenance": plain(self.provenance.to_dict()),
        }

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def node_means(problem: CoreProblem, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return means over the nodes of (cells, ...) values, (map..., ...); NaN in empty nodes.

    Args:
        problem: the core.
        values: of the volumes.
        shape: of the map of nodes.
    """
    volumes = problem.mesh.volumes
    flat = values.reshape(len(values), -1)
    size = int(np.prod(shape))
    found = np.zeros((size, flat.shape[1]))
    np.add.at(found, problem.mesh.node, flat * volumes[:, None])
    whole = np.bincount(problem.mesh.node, volumes, size)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(whole[:, None] > 0, found / whole[:, None], np.nan)
    return found.reshape(*shape, *values.shape[1:])


def largest_and_smallest(study: CoreStudy) -> tuple[float, float]:
    """Return the largest power of a node, and the smallest of those that have any."""
    made = study.power[np.isfinite(study.power) & (study.power > 0)]
    return float(made.max()), float(made.min())


def _lines(study: CoreStudy) -> list[str]:
    spread = "" if study.mesh_error is None else f" ± {1e5 * study.mesh_error:.2g} pcm by the mesh"
    top, low = largest_and_smallest(study)
    lines = [
        f"core of {int(np.isfinite(study.power).sum())} nodes in {study.groups} groups, {study.method}",
        f"  k = {study.k:.6f}{spread}",
        f"  power of a node by the mean: {low:.4f} to {top:.4f}",
    ]
    if study.power.ndim < 3 and study.power.size <= 400:
        lines += [
            "  " + " ".join("      " if np.isnan(p) else f"{p:6.4f}" for p in row)
            for row in np.atleast_2d(study.power)
        ]
    lines += [f"  {check}" for check in study.checks]
    lines += [f"  note: {note}" for note in study.notes]
    if study.outcome is not Outcome.converged:
        lines.append(f"  {study.outcome.sentence}")
    return lines
