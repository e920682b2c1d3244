"""The answer of `permeability` where nothing is assembled: shifts of arrays on JAX's device."""

from typing import Any

import numpy as np

from scalebridge.cells.flow_checks import definite_check, shared_checks_of
from scalebridge.cells.image_input import Segmentation
from scalebridge.cells.permeability_budget import assess_flow
from scalebridge.cells.permeability_job import FlowJob
from scalebridge.cells.permeability_matrix_free import MatrixFreeFlow, matrix_free_solution
from scalebridge.cells.permeability_narrow import excess_of_losses
from scalebridge.cells.permeability_result import (
    excess_note,
    flow_inputs,
    flow_notes,
    flow_provenance,
    flow_spec,
)
from scalebridge.core.provenance import Stopwatch
from scalebridge.core.results import Outcome, require_converged
from scalebridge.core.upscaled import Contribution, Upscaled

_AXES = "xyz"
_NOTE = (
    "Solved without matrices: no derivative by the slip length, which solver='assembled' has between planes."
)


def device_permeability(
    job: FlowJob,
    clock: Stopwatch,
    *,
    origin: Segmentation | None = None,
    study: Any = None,
    fields: bool,
    throw: bool,
) -> Upscaled:
    """Answer a job of `permeability` with solver="matrix-free".

    Args:
        job: the job, which was not refused.
        clock: started with the job.
        origin: the segmentation that made the image, if it was done here.
        study: an RVE study, whose spread is the sample size's part.
        fields: whether to keep velocities and pressures.
        throw: whether to raise when the solver does not converge.

    Errors, limits and cost are those of `matrix_free_permeability`; the coarsened images of the error budget
    are assembled, an eighth of the size.
    """
    settings, unit = job.settings, job.edge**2
    found = matrix_free_solution(
        job.flowing, job.image.aspect, rtol=settings.rtol, max_steps=settings.max_steps
    )
    value, means, spent = (np.asarray(part) * unit for part in (found.value, found.means, found.spent))
    outcome = Outcome.converged if bool(found.done) else Outcome.step_limit
    if throw:
        require_converged(outcome, "permeability")
    clock.lap("solving")
    diagonal = np.abs(np.diagonal(value))
    left = Contribution(
        settings.rtol * np.sqrt(np.outer(diagonal, diagonal)),
        "the tolerance at which the solver stopped, on twice how far the stationary form still moved",
    )
    losses = {axis: np.asarray(loss) for axis, loss in found.losses.items()}
    excess = excess_of_losses(job, losses) if settings.budget != "none" else None
    assessed = assess_flow(job, value, left, origin, study, None, excess)
    clock.lap("error budget")
    narrow, inner = job.narrow_share(), np.ix_(job.axes, job.axes)
    checks = [
        *shared_checks_of(value, means, spent, None, settings.rtol),
        definite_check(
            value[inner], -settings.rtol, "smallest principal value among the axes along which pores connect"
        ),
    ]
    return Upscaled(
        spec=flow_spec(job),
        value=value,
        derivatives={"slip length": None, **assessed.derivatives},
        checks=tuple(checks),
        uncertainty=assessed.parts,
        outcome=outcome,
        stats={
            "steps": [int(found.steps.get(axis, 0)) for axis in range(job.dim)],
            "mean velocities": means.tolist(),
            "percolating": list(job.connected.directions),
            "porosity": float(np.count_nonzero(job.open) / job.image.size),
            "porosity that flows": float(np.count_nonzero(job.flowing) / job.image.size),
            "one-voxel throats": narrow,
            **({} if excess is None else {"excess of narrow pores": excess}),
            **assessed.stats,
        },
        provenance=flow_provenance(job, clock),
        fields=_fields(job, found) if fields else {},
        notes=(_NOTE, *flow_notes(job, value, narrow), *excess_note(excess), *assessed.notes),
        inputs=flow_inputs(job),
        subject=job.image,
    )


def _fields(job: FlowJob, found: MatrixFreeFlow) -> dict[str, np.ndarray]:
    """Return velocity and pressure in voxels, as `flow_fields` has them."""
    kept, wet = {}, job.flowing
    for axis, flow in found.flows.items():
        upper = np.asarray(flow)
        lower = np.stack([np.roll(part, 1, along) for along, part in enumerate(upper)])
        head = np.where(wet, np.asarray(found.heads[axis]), 0.0)
        kept[f"velocity_{_AXES[axis]}"] = (upper + lower) / 2 * job.edge**2
        kept[f"pressure_{_AXES[axis]}"] = np.where(wet, head - head[wet].mean(), 0.0) * job.edge
    return kept
