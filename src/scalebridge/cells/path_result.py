"""What is told of a cell that was led along a path: stress and tangent by step, checks, statistics, notes."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalebridge.cells.path_cell import PathCell
from scalebridge.cells.path_control import COMPONENTS, Controlled
from scalebridge.cells.path_fields import PointFields
from scalebridge.core.checks import Check
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.results import Outcome, worst_outcome
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Upscaled
from scalebridge.grids.image import VoxelImage

STRESS = "mean stress along the path"
NOMINAL = "mean nominal stress along the path"
HILL_MANDEL = 1e-6
"""Largest difference of the two sides of Hill-Mandel that passes, relative to the largest energy."""
_DISSIPATION = 1e-6
_ROUNDINGS = 1e-9  # of stresses at rest beside those of a load


@dataclass(frozen=True)
class PathStep:
    """One step.

    Args:
        load: mean strain (6,), Mandel, or gradient (9,).
        stress: mean stress, Pa.
        tangent: its derivative by the load, Pa.
        work: of the mean stress on the change of the load, by the mean of both ends, J/m^3.
        local_work: mean of the same of the local fields.
        stored: stored energy at the end, J/m^3.
        lost: least that the step can have dissipated: the end's stress on the change, less what was stored.
        iterations: solves of the cell.
        stats: of the last solve.
    """

    load: np.ndarray
    stress: np.ndarray
    tangent: np.ndarray
    work: float
    local_work: float
    stored: float
    lost: float
    iterations: int
    stats: dict[str, Any] = field(default_factory=dict)


def step_of(found: Controlled, before: PathStep, fields: PointFields, past: PointFields) -> PathStep:
    """Put a step together from the solve and the fields at its two ends.

    Where the first one begins with stresses, as of a change of temperature, these are in no equilibrium:
    works are then those of the end's stress.
    """
    answer = found.found
    tangent = np.zeros((0, 0)) if answer.tangent is None else answer.tangent
    change = found.load - before.load
    sudden = before.iterations == 0 and has_stress(past.stresses, fields.stresses)
    mean = answer.answer if sudden else 0.5 * (answer.answer + before.stress)
    return PathStep(
        found.load,
        answer.answer,
        tangent,
        float(mean @ change),
        fields.end_work(past) if sudden else fields.work(past),
        fields.stored,
        fields.end_work(past) - (fields.stored - past.stored),
        found.iterations,
        answer.stats,
    )


def has_stress(stresses: np.ndarray, others: np.ndarray) -> bool:
    """Whether stresses are more than roundings beside others.

    Example:
        >>> has_stress(np.zeros(3), np.ones(3)), has_stress(np.ones(3), np.ones(3))
        (False, True)
    """
    sizes = [float(np.abs(one).max(initial=0.0)) for one in (stresses, others)]
    return sizes[0] > _ROUNDINGS * sizes[1]


def path_result(
    image: VoxelImage,
    cell: PathCell,
    steps: list[PathStep],
    outcome: Outcome,
    *,
    times: np.ndarray,
    settings: dict[str, Any],
    inputs: dict[str, dict[str, Any]],
    fields: dict[str, np.ndarray],
    initial: float,
    slopes: tuple[dict[str, np.ndarray], dict[str, np.ndarray]],
    notes: tuple[str, ...],
    clock: Stopwatch,
) -> Upscaled:
    """Put together what came of a path.

    Args:
        image: the image.
        cell: its cell.
        steps: the steps that were done.
        outcome: how the last one ended.
        times: end of every step asked for, s.
        settings: for the origin.
        inputs: the phases, for the page.
        fields: local fields of the last step.
        initial: stored energy before the first step.
        slopes: derivatives of stresses and loads by parameters.
        notes: what a reader has to know.
        clock: times.
    """
    size = 9 if cell.finite else 6
    spec = Spec(NOMINAL if cell.finite else STRESS, "Pa", (len(steps), size))
    return Upscaled(
        spec,
        np.array([one.stress for one in steps]).reshape(len(steps), size),
        derivatives=dict(slopes[0]),
        checks=tuple(_checks(steps, cell)),
        outcome=worst_outcome([outcome]),
        stats={**_stats(steps, times, initial, size), "load derivatives": slopes[1]},
        provenance=Provenance(
            {"image": _described(image), "phases": inputs},
            settings,
            installed_versions(),
            this_machine(),
            clock.started,
            dict(clock.elapsed),
        ),
        fields=fields,
        notes=notes,
        inputs=inputs,
        subject=image,
    )


def _described(image: VoxelImage) -> dict[str, Any]:
    return {
        **image.source,
        "shape": list(image.shape),
        "voxel": image.voxel,
        "periodic": image.periodic,
        "hash": image.content_hash(),
    }


def _stats(steps: list[PathStep], times: np.ndarray, initial: float, size: int) -> dict[str, Any]:
    def rows(name: str) -> np.ndarray:
        return np.array([getattr(one, name) for one in steps], float)

    work = np.cumsum(rows("work"))
    return {
        "components": COMPONENTS[size],
        "load": rows("load").reshape(len(steps), size),
        "tangent": rows("tangent").reshape(len(steps), size, size),
        "time": times[: len(steps)],
        "work": work,
        "stored": rows("stored") - initial,
        "dissipated": work - (rows("stored") - initial),
        "solves": [one.iterations for one in steps],
        "residuals": [one.stats["residuals"][-1] for one in steps],
        "substeps": [one.stats["substeps"] for one in steps],
        "krylov": [one.stats["krylov"] for one in steps],
        "tangent krylov": [one.stats.get("tangent krylov", 0) for one in steps],
    }


def _checks(steps: list[PathStep], cell: PathCell) -> list[Check]:
    if not steps:
        return []
    scale = _size(steps, cell)
    off = max(abs(one.work - one.local_work) for one in steps) / scale
    lost = min(one.lost for one in steps) / scale
    found = [
        Check(
            "Hill-Mandel, worst step",
            off,
            HILL_MANDEL,
            meaning="The mean of the local work is the work of the mean stress, step by step, relative to "
            "the largest energy of the path, or to 1e-4 of what the phases' mean stiffness would store where "
            "the sample carries less; the tolerance is a hundred times that of equilibrium.",
        ),
        Check(
            "dissipation, worst step",
            lost,
            -_DISSIPATION,
            "at least",
            meaning="No step gives back more than was stored: the end's stress on the change of strain, less "
            "the change of the stored energy, relative to the largest energy of the path.",
        ),
    ]
    worst = max(one.stats.get("misfit", math.nan) for one in steps)
    found.append(
        Check(
            "tangent, its two forms",
            worst,
            10 * cell.settings.tangent_tolerance,
            meaning="Energies of pairs of load cases against mean stresses, relative to the largest entry, "
            "or to a tenth of the phases' mean 2 G where the sample hardly carries anything. They differ by "
            "what the solves leave; the energies, which are handed up, are off by its square.",
        )
    )
    return found


def _size(steps: list[PathStep], cell: PathCell) -> float:
    """Return the largest energy of a path, or what counts as nothing under its loads."""
    sizes = [(abs(one.work), abs(one.stored), cell.medium.least_energy(one.load)) for one in steps]
    return max(max(each) for each in sizes) or 1.0
