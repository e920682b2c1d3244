"""The permeability of a segmented image whose walls are smoothed: slip needs walls without steps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from scalebridge.cells.image_input import Segmentation
from scalebridge.cells.permeability_budget import FlowAssessment, assess_sample
from scalebridge.cells.permeability_job import FlowJob, FlowSettings
from scalebridge.cells.permeability_result import boundary_notes, flow_inputs, flow_provenance, flow_spec
from scalebridge.cells.smooth_walls import geometry_permeability, slip_solver
from scalebridge.core.errors import InputError
from scalebridge.core.provenance import Stopwatch
from scalebridge.core.units import parse_quantity
from scalebridge.core.upscaled import Upscaled
from scalebridge.grids.image_walls import NO_LABEL, ImagePores
from scalebridge.grids.walls import PoreGeometry


def smooth_permeability(
    job: FlowJob,
    clock: Stopwatch,
    *,
    origin: Segmentation | None = None,
    study: Any = None,
    fields: bool,
    progress: bool | None,
    throw: bool,
) -> Upscaled:
    """Answer a job of `permeability` with walls="smooth".

    The pores through which something can flow become a signed distance (`ImagePores`), and the walls cut the
    voxels where it vanishes.

    Args:
        job: the job, which was not refused.
        clock: started with the job.
        origin: the segmentation that made the image, if it was done here.
        study: an RVE study, whose spread is the sample size's part.
        fields: whether to keep velocities and pressures.
        progress: whether to draw a bar; on a terminal unless given.
        throw: whether to raise when the solver does not converge.

    Errors, limits and cost are those of `geometry_permeability`; of a mirrored image the sample alone is
    solved, once for each direction.
    """
    settings = job.settings
    pores = smooth_pores(job)
    found = geometry_permeability(
        pores,
        job.image.shape,
        slip_length=settings.slips,
        slip_lengths=settings.slip_curve,
        mirrored=settings.boundary == "mirrored",
        rtol=settings.rtol,
        max_steps=settings.max_steps,
        halved=settings.budget in ("standard", "full"),
        fields=fields,
        progress=progress,
        throw=throw,
    )
    moved = pores.shift / job.edge
    assessed = FlowAssessment({} if settings.budget == "none" else dict(found.uncertainty))
    if origin is not None and origin.std > 0 and settings.wall_slips:
        assessed.notes.append("The threshold's part was not assessed: each solid's walls slip by their own.")
        origin = None
    assess_sample(job, origin, study, assessed, _smooth_tensor)
    return replace(
        found,
        spec=flow_spec(job),
        uncertainty=assessed.parts,
        derivatives={**found.derivatives, **assessed.derivatives},
        stats={**found.stats, **assessed.stats, "percolating": list(job.connected.directions)},
        provenance=replace(flow_provenance(job, clock), elapsed=found.provenance.elapsed),
        inputs=flow_inputs(job),
        subject=job.image,
        notes=(
            "Walls are smooth surfaces and not the voxels' steps, which were smoothed over two voxels; walls "
            f"were then moved by {moved:+.2f} voxels to keep the porosity.",
            *boundary_notes(job),
            *assessed.notes,
        ),
    )


def _smooth_tensor(job: FlowJob) -> np.ndarray:
    """Return the permeability of a job about other pores; zero where nothing percolates."""
    if not np.any(job.image.labels) or job.open.all() or not job.axes:
        return np.zeros((job.dim, job.dim))
    mirrored, rtol = job.settings.boundary == "mirrored", job.settings.rtol
    solve = slip_solver(smooth_pores(job), job.image.shape, mirrored=mirrored, rtol=rtol)
    return solve(job.settings.slip_length)[0]


def smooth_pores(job: FlowJob) -> ImagePores:
    """Return the pores of a job with smooth walls."""
    mirrored = tuple(range(job.dim)) if job.settings.boundary == "mirrored" else ()
    labels = None
    if job.settings.wall_slips:
        solid = np.asarray(job.image.labels, dtype=np.int64)
        labels = np.where(np.isin(solid, job.pores), NO_LABEL, solid)
    edges = job.image.voxel or job.image.aspect
    return ImagePores(job.flowing, edges, mirrored=mirrored, labels=labels)


def surface_permeability(
    geometry: PoreGeometry,
    cells: int | Sequence[int] | None,
    slip_length: Any,
    settings: FlowSettings,
    *,
    fields: bool,
    progress: bool | None,
    throw: bool,
    others: Mapping[str, Any],
) -> Upscaled:
    """Answer `permeability` about pores whose walls are surfaces.

    Args:
        geometry: the pores, edges in metres.
        cells: number of voxels along each axis.
        slip_length: text or a number in metres; None for walls without slip.
        settings: tolerances and budget.
        fields: whether to keep velocities and pressures.
        progress: whether to draw a bar; on a terminal unless given.
        throw: whether to raise when the solver does not converge.
        others: arguments that are for images, by name; none may be given.

    Raises:
        InputError: no number of voxels, an argument that is for images, and as `geometry_permeability`.
    """
    refuse_no_cells(cells)
    refuse_for_images(settings, others)
    slip = parse_quantity(slip_length, "m", "slip_length") if isinstance(slip_length, str) else slip_length
    return geometry_permeability(
        geometry,
        cast("int | Sequence[int]", cells),
        slip_length=0.0 if slip is None else slip,
        slip_lengths=settings.slip_curve,
        rtol=settings.rtol,
        max_steps=settings.max_steps,
        halved=settings.budget in ("standard", "full"),
        fields=fields,
        progress=progress,
        throw=throw,
    )


def refuse_for_images(settings: FlowSettings, others: Mapping[str, Any]) -> None:
    """Refuse arguments of images beside exact pores: they would be passed over.

    Args:
        settings: of the question.
        others: further arguments by name, None where they were not given.
    """
    asked = {
        **others,
        "boundary": None if settings.boundary == "periodic" else settings.boundary,
        "solver": None if settings.solver == "assembled" else settings.solver,
    }
    given = [name for name, value in asked.items() if value is not None]
    if given:
        raise InputError(
            given[0],
            got=repr(asked[given[0]]),
            wanted="nothing: it is for images, and these pores are a periodic cell in metres",
            cure="leave it out; cells with planes of symmetry: `geometry_permeability(..., mirrored=True)`",
        )


def refuse_no_cells(cells: int | Sequence[int] | None) -> None:
    """Refuse a geometry without a number of voxels."""
    if cells is None:
        raise InputError(
            "cells",
            got="none",
            wanted="the number of voxels along each axis: a geometry has none of its own",
            cure="pass cells=64",
        )
