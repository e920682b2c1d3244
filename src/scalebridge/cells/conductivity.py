"""The plain question: what is the effective conductivity of this image?"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalebridge.cells.conductivity_assessment import Solved, assess, extra_cases
from scalebridge.cells.conductivity_job import (
    Backend,
    Boundary,
    Budget,
    Job,
    Precision,
    Propagation,
    Scheme,
    Settings,
)
from scalebridge.cells.conductivity_models import (
    Model,
    model_of,
    row_slopes,
    tangent_of,
    traced_model,
    voxel_slopes,
)
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
)
from scalebridge.cells.image_input import SHAPE_ONLY, AnyImage, Interfaces, Threshold, as_given
from scalebridge.cells.phases import is_traced, parse_phases
from scalebridge.core.errors import ImageError, PhaseError
from scalebridge.core.provenance import Stopwatch
from scalebridge.core.results import require_converged, worst_outcome
from scalebridge.core.upscaled import Upscaled
from scalebridge.engine.progress import Meter, metered
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.image import VoxelImage
from scalebridge.upscaling.tangent import Tangent, differentiable_tangent


def effective_conductivity(
    image: VoxelImage | CompositeImage | np.ndarray | str | os.PathLike[str],
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
    interfaces: Interfaces = "sharp",
    budget: Budget = "standard",
    study: Any = None,
    backend: Backend = "auto",
) -> Upscaled:
    """Compute the effective conductivity tensor of a segmented image, with its proof.

    The periodic cell problem  div k (E + grad u) = 0  is solved for a unit mean gradient E along every
    axis; the effective law is  <k (E + grad u)> = K E.  Heat (W/m/K), charge (S/m) and solute (m^2/s) obey
    the same equations; numbers without unit give ratios, such as the formation factor.

    Args:
        image: a VoxelImage or CompositeImage, an integer array with axes (x, y) or (x, y, z), or a path.
        phases: conductivity by label: a number, "0.6 W/m/K", a table {"value": "7.7 W/m/K", "std": 0.3,
            "name": "quartz"} or {"samples": [...], "unit": "W/m/K"}, a list (diagonal in the image's axes)
            or a tensor. Exact zeros insulate.
        voxel: edge length of a voxel with its unit ("3 um"), or one an axis; overrules the file. Needed
            with values that have a unit; "cubic" says that only the voxels' shape matters.
        threshold: for grey images, the threshold or thresholds, "otsu", or a table with `value` and `std`.
        scheme: "hexahedra" (trilinear, from above), "finite-volume" (staggered, from below, diagonal
            tensors only) or "both", which brackets the answer for these voxels.
        boundary: "periodic"; for samples that are not periodic "mirrored" (reflected along every axis, so
            that the principal axes are those of the image), or the potential of a uniform gradient or the
            flux of a uniform flux on all faces, "uniform-gradient" and "uniform-flux", which bracket the
            answer from above and below.
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
        dtype: "float64", or "float32" for JAX: half the memory and an rtol of no less than about 1e-4. The
            kernels use float32 where it suffices by themselves.
        read_options: further arguments of `scalebridge.io.read.read_volume`, for a path.
        memory_limit: bytes that the job may need; the machine's free memory unless given.
        progress: whether to draw a bar; on a terminal unless given.
        throw: whether to raise when the solver does not converge; otherwise `outcome` says so.
        interfaces: of a grey image with one threshold, "sharp", or "composite": voxels between the grey
            levels of the two phases hold a share of each, in layers along the local normal.
        budget: which parts of the uncertainty are assessed. "none": the inputs' spread alone. "quick" adds
            what costs no solve: algebra and segmentation. "standard" adds the voxels' size, from the image
            with its staircase smoothed, that image coarsened, and finite volumes. "full" adds, for an
            image that is not periodic, the bracket of uniform gradient and uniform flux.
        study: an RVE study of the image (`conductivity_rve_study`), whose spread is taken as the sample
            size's part.
        backend: "auto" solves by compiled kernels on a processor and by JAX elsewhere; "kernels" or "jax"
            choose. Traced values always take JAX.

    Returns:
        an `Upscaled` whose value is the (dim, dim) tensor in SI.

    Raises:
        InputError: something in the input cannot be right; nothing long has run yet.
        SolverError: the solver did not converge, and `throw` is true.

    Limits: linear conduction, perfect contact between phases. Derivatives by jax.grad and jax.jvp with
    respect to the phases' values come from this same function: pass traced values, and differentiate
    `.value`.

    Cost: one product with the stiffness and one real transform pair an iteration and direction; some 20
    iterations at contrast 10 and 75 at 1000; some 70 bytes a voxel (JAX: 330). The standard budget takes
    two to three times the work and, for the smoothed image, up to twice the memory; the full one twice
    the work again.

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
    settings = Settings(
        scheme,
        boundary,
        rtol,
        residual_rtol,
        max_steps,
        uncertainty,
        samples,
        seed,
        dtype,
        budget,
        "jax" if is_traced(phases) else backend,
    )
    if isinstance(image, VoxelImage | CompositeImage | np.ndarray):  # before anything of its size is made
        settings.refuse_memory(image.shape, memory_limit)
    given = as_given(
        image, voxel=voxel, threshold_at=threshold, interfaces=interfaces, read_options=read_options
    )
    settings.refuse_memory(given.image.shape, memory_limit)
    parsed, unit = parse_phases(phases, given.image.phases, dict(given.image.names), given.image.dim)
    _refuse_unknown_size(given.image, unit, voxel)
    job = Job(given.image, parsed, unit, settings)
    job.refuse_impossible()
    if is_traced(phases):
        value = differentiable_tangent(traced_model(job, settings.schemes[0]))
        return Upscaled.traced(spec_of(job), value)
    connected = {s: job.connection(s) for s in settings.schemes}
    skip = {s: blocked_axes(found, job.dim) for s, found in connected.items()}
    _refuse_insulator(skip[settings.schemes[0]], job.dim)
    clock.lap("preparing")
    total = sum(job.dim - len(skip[s]) for s in settings.schemes) + extra_cases(job)
    with metered(total, "effective conductivity", progress) as meter:
        tangents = {s: _solve(model_of(job, s), skip[s], meter) for s in settings.schemes}
        clock.lap("solving")
        first = settings.schemes[0]
        model = model_of(job, first)
        value = np.asarray(tangents[first].value, dtype=float)
        by_row = row_slopes(job, model, tangents[first])
        slopes = derivatives_of(job, by_row)
        clock.lap("deriving")
        solved = Solved(job, model, tangents, slopes, skip[first], given.segmentation)
        assessed = assess(solved, study, meter)
        clock.lap("error budget")
    outcome = worst_outcome([code for t in tangents.values() for code in t.codes])
    if throw:
        require_converged(outcome, "effective conductivity")
    bounds = {**bounds_of(job, tangents), **assessed.bounds}
    kept = fields_of(model, tangents[first]) if fields else {}
    if voxel_derivatives:
        kept["sensitivity"] = voxel_slopes(job, model, tangents[first])
    clock.lap("deriving")
    return Upscaled(
        spec=spec_of(job),
        value=value,
        derivatives={**slopes, **assessed.derivatives},
        checks=tuple(checks_of(job, tangents[first], value, bounds, slopes, connected[first])),
        bounds=bounds,
        uncertainty=assessed.parts,
        estimate=assessed.estimate,
        outcome=outcome,
        stats={**stats_of(tangents, connected[first], job.dim), **assessed.stats},
        provenance=provenance_of(given.image, job, clock),
        fields=kept,
        notes=(*notes_of(given.image, job, connected[first], voxel), *assessed.notes),
        inputs=inputs_of(job),
        subject=given.image.majority if isinstance(given.image, CompositeImage) else given.image,
    )


def _solve(model: Model, skip: tuple[int, ...], meter: Meter) -> Tangent:
    found = tangent_of(model, skip, meter)
    for _ in range(found.value.shape[0] - len(skip)):
        meter.next_case()
    return found


def _refuse_unknown_size(image: AnyImage, unit: str, voxel: object) -> None:
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
