"""The plain question: what is the permeability of these pores?"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np

from scalebridge.cells.flow_checks import flow_checks
from scalebridge.cells.image_input import SHAPE_ONLY, Threshold, as_given, as_image
from scalebridge.cells.permeability_budget import algebraic_part, assess_flow
from scalebridge.cells.permeability_job import (
    FlowBoundary,
    FlowBudget,
    FlowJob,
    FlowSettings,
    FlowSolver,
    FlowWalls,
    parse_slip,
    parse_slips,
    pore_labels,
    refuse_early,
    refuse_unknown_size,
)
from scalebridge.cells.permeability_narrow import narrow_excess
from scalebridge.cells.permeability_on_device import device_permeability
from scalebridge.cells.permeability_result import (
    excess_note,
    flow_fields,
    flow_inputs,
    flow_notes,
    flow_provenance,
    flow_spec,
    flow_stats,
    job_curve,
    slip_slope,
)
from scalebridge.cells.permeability_smooth import smooth_permeability, surface_permeability
from scalebridge.cells.permeability_traced import traced_permeability, traced_surface
from scalebridge.cells.phases import is_traced
from scalebridge.cells.slip_curve import curve_lengths
from scalebridge.cells.stokes import flow_tangent
from scalebridge.core.provenance import Stopwatch
from scalebridge.core.results import require_converged, worst_outcome
from scalebridge.core.upscaled import Upscaled
from scalebridge.engine.progress import metered
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.walls import PoreGeometry


def permeability(
    image: VoxelImage | PoreGeometry | np.ndarray | str | os.PathLike[str],
    *,
    cells: int | Sequence[int] | None = None,
    pore: int | str | Sequence[int | str] | None = None,
    voxel: str | Sequence[str] | None = None,
    threshold: Threshold = None,
    slip_length: str | float | Mapping[Any, str | float] | None = None,
    slip_curve: Sequence[str | float] | None = None,
    boundary: FlowBoundary = "periodic",
    walls: FlowWalls = "voxel",
    solver: FlowSolver = "assembled",
    rtol: float = 1e-4,
    max_steps: int = 2000,
    fields: bool = False,
    read_options: dict[str, Any] | None = None,
    memory_limit: float | None = None,
    progress: bool | None = None,
    throw: bool = True,
    budget: FlowBudget = "standard",
    study: Any = None,
) -> Upscaled:
    """Compute the permeability tensor of a pore image for Darcy's law, with its proof.

    Stokes flow of unit viscosity, -div 2 D(w_i) + grad pi_i = e_i, div w_i = 0, is solved in the pores for a
    unit mean force along every axis; Darcy's law is  <u> = -K/mu grad P  with  K_ij = <w_i . e_j>, the mean
    over pores and solid.

    Args:
        image: a VoxelImage, an integer or boolean array with axes (x, y) or (x, y, z), or a path; or pores
            with surfaces for walls, edges in metres, from `grids.pore_shapes` and `grids.minimal_surfaces`.
        cells: number of voxels along each axis for such pores, one number or one for each; of the other
            arguments they take `slip_length`, `slip_curve`, `rtol`, `max_steps`, `budget`, `fields`,
            `progress` and `throw`, and refuse those that are for images. Not for images.
        pore: label or labels of the pores, or their names. Not needed for an array of booleans, which is
            True in the pores (as PoreSpy and OpenPNM have it).
        voxel: edge length of a voxel with its unit ("3 um"), or one an axis; overrules the file. "cubic" says
            that only the voxels' shape matters, and gives K in squares of the voxel's edge.
        threshold: for grey images, the threshold or thresholds, "otsu", or a table with `value`.
        slip_length: Navier's slip length on walls, "50 nm" (a number of voxel edges with voxel="cubic"); with
            walls="voxel" only where they are planes along the image's axes. With walls="smooth" and for
            geometries also one for each solid's label or name, "*" for those not named; the derivative is
            then by all of them together.
        slip_curve: further slip lengths at which the tensor is wanted, for its curve in `stats["slip curve"]`
            (`curve_of`), with zero among them; each is solved, and checked together.
        boundary: "periodic"; for samples that are not periodic "mirrored" (reflected along every axis), or
            "sealed": pressures on the two faces across each direction and no slip on the sides, as in a core
            holder, which is too low for a small sample.
        walls: "voxel": on the voxels' faces; "smooth": surfaces that the steps are smoothed to, which cut the
            voxels (`ImagePores`), for slip and for the derivative by it on any image.
        solver: "assembled", the one to use on a processor; "matrix-free" works by shifts of arrays in JAX, on
            the device that JAX chooses, for periodic voxel images without slip (`matrix_free_permeability`).
        rtol: wanted relative error of the tensor, of the solver alone.
        max_steps: limit of iterations.
        fields: whether to keep velocity (m^2, of a unit force and viscosity) and pressure (m), in voxels.
        read_options: further arguments of `scalebridge.io.read.read_volume`, for a path.
        memory_limit: bytes that the job may need; the machine's free memory unless given.
        progress: whether to draw a bar; on a terminal unless given.
        throw: whether to raise when the solver does not converge; otherwise `outcome` says so.
        budget: which parts of the uncertainty are assessed. "none"; "quick" the solver's own error;
            "standard" (and "full", so far the same) adds the voxels' size, from two coarsened images, and the
            threshold's standard deviation, by solving again with it higher and lower.
        study: an RVE study of the image (`permeability_rve_study`), whose spread is the sample size's part.

    `slip_length` (in metres), and `voxel` as the edge of a cubic voxel in metres, may be traced by JAX: the
    value then has derivatives (`jax.grad`, `jax.jvp`) by them, and no checks. Where walls are is no input of
    that kind; only their recession has a derivative, of smooth walls, in the result.

    Returns:
        an `Upscaled` whose value is the (dim, dim) tensor in m^2; its derivative by the slip length where
        walls are planes; the porosity before and after isolated pores were removed in `stats`.

    Raises:
        InputError: something in the input cannot be right; nothing long has run yet.
        SolverError: the solver did not converge, and `throw` is true.

    Limits: creeping flow of one incompressible fluid. Walls follow the voxels' faces: a plane channel of H
    voxels is too open by 2/H^2, and oblique or curved walls converge with the first power of the voxel's
    size. Pores that connect through edges or corners of voxels alone do not conduct. With smooth walls see
    `ImagePores` and `geometry_permeability`.

    Cost: some 10 iterations to 1 %, 20 to 1e-4, whatever the size; a few products with sparse matrices each;
    about 2 kB a pore voxel in 3-D. The standard budget adds a third of the work, and two solves for each
    threshold with a standard deviation; a slip curve a solve a slip length.

    Source: Harlow & Welch, Phys. Fluids 8 (1965) 2182 (grid); Paige & Saunders, SIAM J. Numer. Anal. 12
    (1975) 617 (method); Cahouet & Chabard, Int. J. Numer. Meth. Fluids 8 (1988) 869 (preconditioner).

    Example:
        >>> import numpy as np
        >>> channel = np.zeros((4, 6), bool)
        >>> channel[:, 1:5] = True  # four voxels wide: (4^2 + 2)/12 in its open part, four sixths of the cell
        >>> result = permeability(channel, voxel="cubic")
        >>> print(np.round(result.value, 6))
        [[1. 0.]
         [0. 0.]]
    """
    clock = Stopwatch()
    settings = FlowSettings(boundary, 0.0, rtol, max_steps, budget, walls, solver=solver)
    if is_traced({"slip": slip_length, "voxel": voxel}):
        if isinstance(image, PoreGeometry):
            return traced_surface(image, cells, slip_length, settings)
        size = SHAPE_ONLY if is_traced({"voxel": voxel}) else voxel
        plain = as_image(image, voxel=size, threshold_at=threshold, read_options=read_options)
        refuse_unknown_size(plain, size)
        job = FlowJob(plain, pore_labels(pore, plain, image), settings)
        return traced_permeability(job, slip_length, voxel, memory_limit)
    if isinstance(image, PoreGeometry):
        settings = replace(settings, slip_curve=curve_lengths(slip_curve, "m"))
        others = {"pore": pore, "voxel": voxel, "threshold": threshold, "read_options": read_options}
        return surface_permeability(
            image,
            cells,
            slip_length,
            settings,
            fields=fields,
            progress=progress,
            throw=throw,
            others={**others, "memory_limit": memory_limit, "study": study},
        )
    refuse_early(image, cells, memory_limit)
    given = as_given(image, voxel=voxel, threshold_at=threshold, read_options=read_options)
    known = cast("VoxelImage", given.image)  # interfaces stay sharp
    refuse_unknown_size(known, voxel)
    pores = pore_labels(pore, known, image)
    if isinstance(slip_length, Mapping):
        slips = parse_slips(slip_length, pores, known)
        settings = replace(settings, wall_slips=tuple(sorted(slips.items())))
    else:
        settings = replace(settings, slip_length=parse_slip(slip_length, known))
    curve = curve_lengths(slip_curve, "1" if known.voxel is None else "m")
    settings = replace(settings, slip_curve=curve)
    job = FlowJob(known, pores, settings)
    job.refuse_impossible(memory_limit)
    clock.lap("preparing")
    known_from = {"origin": given.segmentation, "study": study}
    if walls == "smooth":
        return smooth_permeability(job, clock, **known_from, fields=fields, progress=progress, throw=throw)
    if solver == "matrix-free":
        return device_permeability(job, clock, **known_from, fields=fields, throw=throw)
    model = job.model()
    with metered(1, "permeability", progress) as meter:
        tangent = flow_tangent(model, job.axes, meter)
        meter.next_case()
        clock.lap("solving")
        left = algebraic_part(tangent)
        excess = narrow_excess(job, model, tangent) if settings.budget != "none" else None
        assessed = assess_flow(job, np.asarray(tangent.value), left, given.segmentation, study, meter, excess)
        clock.lap("error budget")
    if throw:
        require_converged(worst_outcome(tangent.codes), "permeability")
    value, narrow = np.asarray(tangent.value), job.narrow_share()
    slope, stats = slip_slope(job, model, tangent), flow_stats(job, model, tangent, narrow, excess)
    checks = flow_checks(job, model, tangent, slope)
    kept = flow_fields(job, model, tangent) if fields else {}
    if settings.slip_curve:
        found = job_curve(job, (value, cast("np.ndarray", slope)))
        stats["slip curve"] = found.to_stats()
        checks += found.checks(rtol)
    clock.lap("deriving")
    return Upscaled(
        spec=flow_spec(job),
        value=value,
        derivatives={"slip length": slope, **assessed.derivatives},
        checks=tuple(checks),
        uncertainty=assessed.parts,
        outcome=worst_outcome(tangent.codes),
        stats={**stats, **assessed.stats},
        provenance=flow_provenance(job, clock),
        fields=kept,
        notes=(*flow_notes(job, value, narrow), *excess_note(excess), *assessed.notes),
        inputs=flow_inputs(job),
        subject=known,
    )
