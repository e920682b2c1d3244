"""The plain question: what is the effective conductivity of this image?"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalebridge.cells.conductivity_job import Boundary, Job, Precision, Propagation, Scheme, Settings
from scalebridge.cells.conductivity_result import (
    blocked_axes,
    bounds_of,
    checks_of,
    derivatives_of,
    fields_of,
    inputs_of,
    notes_of,
    provenance_of,
    spec_of,
    stats_of,
    voxel_derivatives_of,
)
from scalebridge.cells.conductivity_spread import propagate_linear, propagate_samples, sample_count, uncertain
from scalebridge.cells.image_input import SHAPE_ONLY, Threshold, as_image
from scalebridge.cells.phases import is_traced, parse_phases
from scalebridge.core.errors import ImageError, PhaseError
from scalebridge.core.provenance import Stopwatch
from scalebridge.core.results import require_converged, worst_outcome
from scalebridge.core.upscaled import Upscaled
from scalebridge.engine.progress import Meter, metered
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.operations import mirror
from scalebridge.upscaling.tangent import Tangent, differentiable_tangent, watched_tangent


def effective_conductivity(
    image: VoxelImage | np.ndarray | str | os.PathLike[str],
    phases: Mapping[Any, Any],
    *,
    voxel: str | Sequence[str] | None = None,
    threshold: Threshold = None,
    scheme: Scheme = "hexahedra",
    boundary: Boundary = "periodic",
    rtol: float = 1e-6,
    residual_rtol: float | None = None,
    max_steps: int = 2000,
    uncertainty: Propagation = "linear",
    samples: int = 32,
    seed: int = 0,
    fields: bool = False,
    voxel_derivatives: bool = False,
    dtype: Precision = "float64",
    read_options: dict[str, Any] | None = None,
    memory_limit: float | None = None,
    progress: bool | None = None,
    throw: bool = True,
) -> Upscaled:
    """Compute the effective conductivity tensor of a segmented image, with its proof.

    The periodic cell problem  div k (E + grad u) = 0  is solved for a unit mean gradient E along every
    axis; the effective law is  <k (E + grad u)> = K E.  Heat (W/m/K), charge (S/m) and solute (m^2/s) obey
    the same equations; numbers without unit give ratios, such as the formation factor.

    Args:
        image: a VoxelImage, an integer array with axes (x, y) or (x, y, z), or a path.
        phases: conductivity by label: a number, "0.6 W/m/K", a table {"value": "7.7 W/m/K", "std": 0.3,
            "name": "quartz"} or {"samples": [...], "unit": "W/m/K"}, a list (diagonal in the image's axes)
            or a tensor. Exact zeros insulate.
        voxel: edge length of a voxel with its unit ("3 um"), or one an axis; overrules the file. Needed
            with values that have a unit; "cubic" says that only the voxels' shape matters.
        threshold: for grey images, the threshold or thresholds, or "otsu".
        scheme: "hexahedra" (trilinear, from above), "finite-volume" (staggered, from below, diagonal
            tensors only) or "both", which brackets the answer for these voxels.
        boundary: "periodic", or "mirrored" for samples that are not periodic: the image is reflected along
            every axis (2^dim the work; principal axes are then those of the image).
        rtol: wanted relative error of the tensor, of the solver alone.
        residual_rtol: wanted relative residual of the balance; the root of rtol unless given.
        max_steps: limit of iterations a direction.
        uncertainty: how a spread of the phases' values is pushed through: "linear" by the derivatives, or
            "samples" by solving samples.
        samples: how many samples, where they are drawn.
        seed: of the drawn samples.
        fields: whether to keep the local potential, gradient and flux of every direction.
        voxel_derivatives: whether to keep dK/dk of every voxel, as the field "sensitivity" (dim, dim,
            voxels...).
        dtype: "float64", or "float32" for half the memory and an rtol of no less than about 1e-4.
        read_options: further arguments of `scalebridge.io.read.read_volume`, for a path.
        memory_limit: bytes that the job may need; the machine's free memory unless given.
        progress: whether to draw a bar; on a terminal unless given.
        throw: whether to raise when the solver does not converge; otherwise `outcome` says so.

    Returns:
        an `Upscaled` whose value is the (dim, dim) tensor in SI.

    Raises:
        InputError: something in the input cannot be right; nothing long has run yet.
        SolverError: the solver did not converge, and `throw` is true.

    Limits: linear conduction, perfect contact between phases. Derivatives by jax.grad and jax.jvp with
    respect to the phases' values come from this same function: pass traced values, and differentiate
    `.value`.

    Cost: one product with the stiffness and one real transform pair an iteration and direction; some 20
    iterations at contrast 10 and 75 at 1000; about 330 bytes a voxel.

    Source: the scheme, Brisard & Dormieux 2010 and Schneider, Merkert & Kabel, IJNME 109 (2017) 1461; Ladecky
    et al., Appl. Math. Comput. 446 (2023) 127835.

    Example:
        >>> import numpy as np
        >>> layers = np.array([[0, 0], [1, 1]])  # across x
        >>> result = effective_conductivity(layers, {0: 1.0, 1: 3.0})
        >>> print(np.round(result.value, 6))
        [[1.5 0. ]
         [0.  2. ]]
    """
    clock = Stopwatch()
    settings = Settings(scheme, boundary, rtol, residual_rtol, max_steps, uncertainty, samples, seed, dtype)
    if isinstance(image, VoxelImage | np.ndarray):  # before anything of its size is made
        settings.refuse_memory(image.shape, memory_limit)
    given = as_image(image, voxel=voxel, threshold_at=threshold, read_options=read_options)
    settings.refuse_memory(given.shape, memory_limit)
    parsed, unit = parse_phases(phases, given.phases, given.names, given.dim)
    _refuse_unknown_size(given, unit, voxel)
    job = Job(mirror(given) if boundary == "mirrored" else given, parsed, unit, settings)
    job.refuse_impossible()
    if is_traced(phases):
        value = differentiable_tangent(job.cell(settings.schemes[0]))
        return Upscaled.traced(spec_of(job), value)
    connected = {s: job.connection(s) for s in settings.schemes}
    skip = {s: blocked_axes(found, job.dim) for s, found in connected.items()}
    _refuse_insulator(skip[settings.schemes[0]], job.dim)
    spread = uncertain(job)
    resolve = sample_count(job) if spread and uncertainty == "samples" else 0
    clock.lap("preparing")
    total = sum(job.dim - len(skip[s]) for s in settings.schemes)
    with metered(total + resolve, "effective conductivity", progress) as meter:
        tangents = {s: _solve(job, s, skip[s], meter) for s in settings.schemes}
        clock.lap("solving")
        first = settings.schemes[0]
        spec = spec_of(job)
        value = np.asarray(tangents[first].value, dtype=float)
        cell = job.cell(first)
        slopes = derivatives_of(job, cell, tangents[first])
        estimate, parts = None, {}
        if resolve:
            estimate, parts["inputs"] = propagate_samples(
                job, first, skip[first], spec, meter, meter.next_case
            )
        elif spread:
            estimate, parts["inputs"] = propagate_linear(job, value, slopes, spec)
    outcome = worst_outcome([code for t in tangents.values() for code in t.codes])
    if throw:
        require_converged(outcome, "effective conductivity")
    bounds = bounds_of(job, tangents)
    kept = fields_of(cell, tangents[first]) if fields else {}
    if voxel_derivatives:
        kept["sensitivity"] = voxel_derivatives_of(cell, tangents[first])
    clock.lap("deriving")
    return Upscaled(
        spec=spec,
        value=value,
        derivatives=slopes,
        checks=tuple(checks_of(job, tangents[first], value, bounds, slopes, connected[first])),
        bounds=bounds,
        uncertainty=parts,
        estimate=estimate,
        outcome=outcome,
        stats=stats_of(tangents, connected[first], job.dim),
        provenance=provenance_of(given, job, clock),
        fields=kept,
        notes=tuple(notes_of(given, job, connected[first], voxel)),
        inputs=inputs_of(job),
        subject=given,
    )


def _solve(job: Job, scheme: str, skip: tuple[int, ...], meter: Meter) -> Tangent:
    started = -1

    def watch(case: int, steps: int, error: float, wanted: float) -> None:
        nonlocal started
        if case != started and started >= 0:
            meter.next_case()
        started = case
        meter(case, steps, error, wanted)

    found = watched_tangent(job.cell(scheme), skip=skip, watch=watch)
    meter.next_case()
    return found


def _refuse_unknown_size(image: VoxelImage, unit: str, voxel: object) -> None:
    if unit != "1" and image.voxel is None and voxel != SHAPE_ONLY:
        raise ImageError(
            "voxel",
            got="no voxel size, in the image or as an argument",
            wanted="the edge length of a voxel, because the phases have units",
            cure="pass voxel='3 um', or voxel='cubic' if the voxels are cubes whose size does not matter",
        )


def _refuse_insulator(skip: tuple[int, ...], dim: int) -> None:
    if len(skip) == dim:
        raise PhaseError(
            "phases",
            got="conducting phases that percolate along no axis: the effective conductivity is exactly zero",
            wanted="a conducting path through the image",
            cure="look at percolation with `scalebridge inspect`, correct the threshold, or give the "
            "insulating phase a small positive value",
        )
