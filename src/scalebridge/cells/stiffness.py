"""The plain question: what is the effective stiffness of this image?"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalebridge.cells.elastic_answer import ElasticAnswer, answer_of, slopes_of
from scalebridge.cells.elastic_budget import assess, extra_cases
from scalebridge.cells.elastic_job import (
    Budget,
    ElasticJob,
    ElasticSettings,
    Scheme,
    parse_constituents,
    parse_orientations,
)
from scalebridge.cells.elastic_result import (
    STIFFNESS,
    bounds_of,
    checks_of,
    fields_of,
    inputs_of,
    notes_of,
    provenance_of,
    stats_of,
)
from scalebridge.cells.elasticity_host import Surroundings
from scalebridge.cells.image_input import Interfaces, Threshold, as_given
from scalebridge.core.errors import InputError
from scalebridge.core.provenance import Stopwatch
from scalebridge.core.results import require_converged, worst_outcome
from scalebridge.core.upscaled import Upscaled
from scalebridge.engine.progress import metered
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.image import VoxelImage
from scalebridge.laws.temperature_table import parse_temperature

ElasticImage = VoxelImage | CompositeImage | np.ndarray | str | os.PathLike[str]


def effective_stiffness(
    image: ElasticImage,
    phases: Mapping[Any, Any],
    *,
    temperature: float | str | None = None,
    orientations: Any = None,
    voxel: str | Sequence[str] | None = None,
    threshold: Threshold = None,
    interfaces: Interfaces = "sharp",
    scheme: Scheme = "hexahedra",
    boundary: Surroundings = "periodic",
    rtol: float = 1e-6,
    residual_rtol: float | None = None,
    max_steps: int = 2000,
    budget: Budget = "standard",
    study: Any = None,
    fields: bool = False,
    read_options: dict[str, Any] | None = None,
    memory_limit: float | None = None,
    progress: bool | None = None,
    throw: bool = True,
) -> Upscaled:
    """Compute the effective stiffness tensor of a segmented image, with its proof.

    The periodic cell problem  div C : (E + sym grad u) = 0  is solved for six unit mean strains E; the
    effective law is  <C : (E + sym grad u)> = C* : E,  and the mean energy of the fine fields is that of the
    coarse ones (Hill-Mandel).

    Args:
        image: a VoxelImage or CompositeImage, an integer array with axes (x, y) or (x, y, z), or a path. A
            planar image is the cross-section of cylinders along z, and its tensor that of the body in space.
        phases: material by label, "*" for all labels not named: an `elastic_material`, or a table of its
            constants such as {"young": "70 GPa", "poisson": 0.33}; constants may be tables over the
            temperature, and have a std. "void" for a pore.
        temperature: K, or text such as "20 degC"; needed where a constant depends on it.
        orientations: of the materials, one a label in the order of image.phases or one a voxel: Bunge's
            Euler angles (..., 3) in radians, quaternions (..., 4), or matrices (..., 3, 3) whose rows are the
            material's axes.
        voxel: edge length of a voxel with its unit, or one an axis; overrules the file. Only its shape
            matters for a stiffness.
        threshold: for grey images, the threshold or thresholds, "otsu", or a table with `value` and `std`.
        interfaces: of a grey image with one threshold, "sharp", or "composite" (voxels between the grey
            levels of the two phases hold layers of both).
        scheme: "hexahedra" (trilinear, full integration: too stiff for finite voxels, sound beside voids),
            "b-bar" (the volume change averaged over each voxel: for nearly incompressible phases) or
            "reduced" (one point a voxel; softer, and refused beside voids, where nothing holds the hourglass
            modes).
        boundary: "periodic"; or displacements of a uniform strain ("uniform-strain", from above) or
            tractions of a uniform stress ("uniform-stress", from below) on all faces.
        rtol: wanted relative error of the tensor, of the solver alone.
        residual_rtol: wanted relative residual of equilibrium; the root of rtol unless given.
        max_steps: limit of iterations a load case.
        budget: which parts of the uncertainty are assessed. "none": the inputs' spread alone. "quick" adds
            the algebra. "standard" adds the voxels' size. "full" adds, for an image that is not periodic, the
            bracket of uniform stress and uniform strain.
        study: an RVE study of the stiffness, whose spread is taken as the sample size's part.
        fields: whether to keep the local strain and stress of every load case.
        read_options: further arguments of `scalebridge.io.read.read_volume`, for a path.
        memory_limit: bytes that the job may need; the machine's free memory unless given.
        progress: whether to draw a bar; on a terminal unless given.
        throw: whether to raise when the solver does not converge; otherwise `outcome` says so.

    Returns:
        an `Upscaled` whose value is the (6, 6) tensor in Mandel notation (11, 22, 33, 23, 13, 12), Pa, with
        derivatives by every constant of every phase ("phase 1 young").

    Raises:
        InputError: something in the input cannot be right; nothing long has run yet.
        SolverError: the solver did not converge, and `throw` is true.

    Limits: small strains, linear elasticity, perfect bonds. Mirroring a sample that is not periodic is not
    offered: it answers shears wrongly.

    Cost: one product with the stiffness and three real transform pairs an iteration and load case; some 10
    iterations at contrast 10 and 90 at 1000; some 230 bytes a voxel. The standard budget takes three to four
    times the work.

    Source: Schneider, Merkert & Kabel, IJNME 109 (2017) 1461, doi:10.1002/nme.5336; Ladecky et al., Appl.
    Math. Comput. 446 (2023) 127835; B-bar: Hughes, IJNME 15 (1980) 1413.

    Example:
        >>> import numpy as np
        >>> layers = np.array([[0, 0], [1, 1]])  # across x
        >>> soft, hard = {"young": 1.0, "poisson": 0.0}, {"young": 3.0, "poisson": 0.0}
        >>> result = effective_stiffness(layers, {0: soft, 1: hard}, budget="none")
        >>> print(np.round(np.diag(result.value), 6))
        [1.5 2.  2.  2.  1.5 1.5]
    """
    clock = Stopwatch()
    job = elastic_job(
        image,
        phases,
        ElasticSettings(scheme, boundary, rtol, residual_rtol, max_steps, budget),
        temperature=temperature,
        orientations=orientations,
        voxel=voxel,
        threshold=threshold,
        interfaces=interfaces,
        read_options=read_options,
        memory_limit=memory_limit,
    )
    clock.lap("preparing")
    with metered(6 + extra_cases(job), "effective stiffness", progress) as meter:
        answer = answer_of(job.model(thermal=False), job.dim, meter)
        clock.lap("solving")
        slopes = slopes_of(job, answer).stiffness
        clock.lap("deriving")
        assessed = assess(job, answer, slopes, STIFFNESS, lambda found: found.stiffness, study, meter)
        clock.lap("error budget")
    outcome = worst_outcome(answer.codes)
    if throw:
        require_converged(outcome, "effective stiffness")
    bounds = bounds_of(job)
    return Upscaled(
        spec=STIFFNESS,
        value=answer.stiffness,
        derivatives=dict(slopes),
        checks=tuple(checks_of(job, answer, bounds, assessed.parts.get("voxel size"))),
        bounds={**bounds, **assessed.bounds},
        uncertainty=assessed.parts,
        estimate=assessed.estimate,
        outcome=outcome,
        stats={**stats_of(answer), **assessed.stats},
        provenance=provenance_of(job, clock),
        fields=fields_of(job, answer) if fields else {},
        notes=(*notes_of(job), *assessed.notes),
        inputs=inputs_of(job),
        subject=pictured(job),
    )


def elastic_job(
    image: ElasticImage,
    phases: Mapping[Any, Any],
    settings: ElasticSettings,
    *,
    temperature: float | str | None = None,
    orientations: Any = None,
    voxel: str | Sequence[str] | None = None,
    threshold: Threshold = None,
    interfaces: Interfaces = "sharp",
    read_options: dict[str, Any] | None = None,
    memory_limit: float | None = None,
) -> ElasticJob:
    """Read what a caller passes into a job; refuse what has no answer. For the arguments see the verbs."""
    if isinstance(image, VoxelImage | CompositeImage | np.ndarray):  # before anything of its size is made
        settings.refuse_memory(image.shape, memory_limit)
    given = as_given(
        image, voxel=voxel, threshold_at=threshold, interfaces=interfaces, read_options=read_options
    )
    settings.refuse_memory(given.image.shape, memory_limit)
    constituents = parse_constituents(phases, given.image.phases, dict(given.image.names))
    at = None if temperature is None else parse_temperature(temperature)
    if at is None and any(c.material.depends_on_temperature for c in constituents):
        known = next(c for c in constituents if c.material.depends_on_temperature)
        raise InputError(
            "temperature",
            got="none",
            wanted=f"a temperature, on which {known.name} depends",
            cure="pass temperature='20 degC' or a number in K",
        )
    job = ElasticJob(given.image, constituents, settings, at, parse_orientations(orientations, given.image))
    job.refuse_impossible()
    return job


def pictured(job: ElasticJob) -> VoxelImage:
    """Return the image for pictures."""
    return job.image.majority if isinstance(job.image, CompositeImage) else job.image


def solved(job: ElasticJob) -> ElasticAnswer:
    """Solve a job in silence: for studies and tables."""
    return answer_of(job.model(thermal=job.thermal), job.dim)
