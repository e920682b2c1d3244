"""The plain question: what is the effective conductivity of this image?"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from scalebridge.cells.conductivity_job import (
    SCHEMES,
    Boundary,
    Job,
    Precision,
    Propagation,
    Scheme,
    Settings,
)
from scalebridge.cells.conductivity_spread import propagate_linear, propagate_samples, sample_count, uncertain
from scalebridge.cells.image_input import SHAPE_ONLY, Threshold, as_image
from scalebridge.cells.phases import Phase, is_traced, parse_phases
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.checks import Check
from scalebridge.core.errors import ImageError, PhaseError
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.results import require_converged, worst_outcome
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Bound, Upscaled
from scalebridge.engine.progress import Meter, metered
from scalebridge.grids.coefficients import VoxelCoefficients, as_tensors
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.operations import mirror
from scalebridge.grids.percolation import Percolation
from scalebridge.upscaling.bounds import bound_hashin_shtrikman, bound_reuss, bound_voigt
from scalebridge.upscaling.tangent import Tangent, differentiable_tangent, sensitivity, watched_tangent
from scalebridge.upscaling.tensor_checks import check_homogeneity, check_loewner, check_tangent, check_trace

_AXES = "xyz"


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

    The periodic cell problem  div k (E + grad u) = 0  is solved for a unit mean gradient E along every axis; the
    effective law is  <k (E + grad u)> = K E.  Heat (W/m/K), charge (S/m) and solute (m^2/s) obey the same equations; numbers
    without unit give ratios, such as the formation factor.

    Args:
        image: a VoxelImage, an integer array with axes (x, y) or (x, y, z), or a path.
        phases: conductivity by label: a number, "0.6 W/m/K", a table {"value": "7.7 W/m/K", "std": 0.3, "name": "quartz"}
            or {"samples": [...], "unit": "W/m/K"}, a list (diagonal in the image's axes) or a tensor. Exact zeros insulate.
        voxel: edge length of a voxel with its unit ("3 um"), or one an axis; overrules the file. Needed with values
            that have a unit; "cubic" says that only the voxels' shape matters.
        threshold: for grey images, the threshold or thresholds, or "otsu".
        scheme: "hexahedra" (trilinear, from above), "finite-volume" (staggered, from below, diagonal tensors only) or
            "both", which brackets the answer for these voxels.
        boundary: "periodic", or "mirrored" for samples that are not periodic: the image is reflected along every axis (2^dim
            the work; principal axes are then those of the image).
        rtol: wanted relative error of the tensor, of the solver alone.
        residual_rtol: wanted relative residual of the balance; the root of rtol unless given.
        max_steps: limit of iterations a direction.
        uncertainty: how a spread of the phases' values is pushed through: "linear" by the derivatives, or "samples" by
            solving samples.
        samples: how many samples, where they are drawn.
        seed: of the drawn samples.
        fields: whether to keep the local potential, gradient and flux of every direction.
        voxel_derivatives: whether to keep dK/dk of every voxel, as the field "sensitivity" (dim, dim, voxels...).
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

    Limits: linear conduction, perfect contact between phases. Derivatives by jax.grad and jax.jvp with respect to the phases'
    values come from this same function: pass traced values, and differentiate `.value`.

    Cost: one product with the stiffness and one real transform pair an iteration and direction; some 20 iterations at
    contrast 10 and 75 at 1000; about 330 bytes a voxel.

    Source: the scheme, Brisard & Dormieux 2010 and Schneider, Merkert & Kabel, IJNME 109 (2017) 1461; Ladecky et
    al., Appl. Math. Comput. 446 (2023) 127835.

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
    given = as_image(image, voxel=voxel, threshold_at=threshold, read_options=read_options)
    parsed, unit = parse_phases(phases, given.phases, given.names, given.dim)
    _refuse_unknown_size(given, unit, voxel)
    job = Job(mirror(given) if boundary == "mirrored" else given, parsed, unit, settings)
    job.refuse_impossible(memory_limit)
    if is_traced(phases):
        return _traced(job)
    connected = {s: job.connection(s) for s in settings.schemes}
    skip = {s: _blocked(found, job.dim) for s, found in connected.items()}
    _refuse_insulator(skip[settings.schemes[0]], job.dim)
    spread = uncertain(job)
    resolve = sample_count(job) if spread and uncertainty == "samples" else 0
    clock.lap("preparing")
    total = sum(job.dim - len(skip[s]) for s in settings.schemes)
    with metered(total + resolve, "effective conductivity", progress) as meter:
        tangents = {s: _solve(job, s, skip[s], meter) for s in settings.schemes}
        clock.lap("solving")
        first = settings.schemes[0]
        spec = _spec(job)
        value = np.asarray(tangents[first].value, dtype=float)
        cell = job.cell(first)
        slopes = _derivatives(job, cell, tangents[first])
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
    bounds = _bounds(job, tangents)
    kept = _fields(cell, tangents[first]) if fields else {}
    if voxel_derivatives:
        kept["sensitivity"] = _voxel_derivatives(cell, tangents[first])
    clock.lap("deriving")
    return Upscaled(
        spec=spec,
        value=value,
        derivatives=slopes,
        checks=tuple(_checks(job, tangents[first], value, bounds, slopes, connected[first])),
        bounds=bounds,
        uncertainty=parts,
        estimate=estimate,
        outcome=outcome,
        stats=_stats(tangents, connected[first], job.dim),
        provenance=_provenance(given, job, clock),
        fields=kept,
        notes=tuple(_notes(given, job, connected[first], voxel)),
        inputs=_inputs(job),
        subject=given,
    )


def _traced(job: Job) -> Upscaled:
    """The answer as a function that JAX differentiates; checks need numbers and are left to an untraced call."""
    value = differentiable_tangent(job.cell(job.settings.schemes[0]))
    return Upscaled(
        _spec(job), value, notes=("Traced by JAX: checks, bounds and derivatives were not computed.",)
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


def _blocked(found: Percolation | None, dim: int) -> tuple[int, ...]:
    return () if found is None else tuple(axis for axis in range(dim) if not found.directions[axis])


def _refuse_insulator(skip: tuple[int, ...], dim: int) -> None:
    if len(skip) == dim:
        raise PhaseError(
            "phases",
            got="conducting phases that percolate along no axis: the effective conductivity is exactly zero",
            wanted="a conducting path through the image",
            cure="look at percolation with `scalebridge inspect`, correct the threshold, or give the insulating phase "
            "a small positive value",
        )


def _spec(job: Job) -> Spec:
    return Spec("effective conductivity", job.unit, (job.dim, job.dim), symmetric=True)


def _derivatives(job: Job, cell: Any, tangent: Tangent) -> dict[str, np.ndarray | None]:
    slopes = np.asarray(sensitivity(cell, tangent).coefficients.table)
    return {f"phase {p.label}": _slope_of(p, slopes[:, :, row]) for row, p in enumerate(job.phases)}


def _slope_of(phase: Phase, slope: np.ndarray) -> np.ndarray | None:
    """Reduce dK/d(table row) to dK/d(what the caller gave)."""
    if not np.any(np.asarray(phase.value)):
        return None  # the field inside an exact insulator is not determined by its energy
    rank = slope.ndim - 2
    if np.ndim(phase.value) == rank:
        return slope
    if phase.isotropic:
        return slope.sum(axis=2) if rank == 1 else np.trace(slope, axis1=2, axis2=3)
    return np.diagonal(slope, axis1=2, axis2=3)


def _bounds(job: Job, tangents: dict[str, Tangent]) -> dict[str, Bound]:
    fractions = np.array([job.image.fractions[p.label] for p in job.phases])
    tensors = np.asarray(as_tensors(job.table(), job.dim), dtype=float)
    found = {
        "Voigt-Reuss": Bound(
            np.asarray(bound_reuss(fractions, tensors)),
            np.asarray(bound_voigt(fractions, tensors)),
            "the tensor",
            "Wiener 1912",
        )
    }
    if all(p.isotropic for p in job.phases):
        numbers = np.array([float(p.value) for p in job.phases])
        low, high = bound_hashin_shtrikman(fractions, numbers, job.dim)
        found["Hashin-Shtrikman"] = Bound(
            np.asarray(low), np.asarray(high), "the mean of the principal values", "Hashin & Shtrikman 1962"
        )
    if len(tangents) == 2:
        found["discretisation"] = Bound(
            np.asarray(tangents["finite-volume"].value),
            np.asarray(tangents["hexahedra"].value),
            "the tensor of these voxels",
            "finite volumes from below, hexahedra from above",
        )
    return found


def _checks(
    job: Job,
    tangent: Tangent,
    value: np.ndarray,
    bounds: dict[str, Bound],
    slopes: dict[str, np.ndarray | None],
    connected: Percolation | None,
) -> list[Check]:
    rounding = 1e-10 if job.settings.dtype == "float64" else 1e-4
    checks = check_tangent(tangent, job.settings.rtol, rounding)
    checks.append(check_loewner(value, bounds["Voigt-Reuss"], "Voigt-Reuss", rounding))
    if "Hashin-Shtrikman" in bounds:
        checks.append(check_trace(value, bounds["Hashin-Shtrikman"], "Hashin-Shtrikman", rounding))
    if "discretisation" in bounds:
        checks.append(check_loewner(value, bounds["discretisation"], "discretisation", job.settings.rtol))
    known = [(np.asarray(p.value), s) for p in job.phases if (s := slopes[f"phase {p.label}"]) is not None]
    # The derivative is of the first order in the squared field error, as the tensor is; the factor is for safety.
    tolerance = max(10 * job.settings.rtol, rounding)
    checks.append(check_homogeneity(value, [v for v, _ in known], [s for _, s in known], tolerance))
    if connected is not None:
        count = float(sum(connected.directions))
        checks.append(
            Check("percolation", count, job.dim, "at least", "axes along which the conducting phases connect")
        )
    return checks


def _fields(cell: Any, tangent: Tangent) -> dict[str, np.ndarray]:
    kept = {}
    for axis, response in enumerate(tangent.responses):
        if response is None:
            continue
        u, load = response.fields
        name = _AXES[axis]
        kept[f"potential_{name}"] = np.asarray(u)
        kept[f"gradient_{name}"] = np.asarray(cell.discretisation.gradient_field(u, load))
        kept[f"flux_{name}"] = np.asarray(cell.discretisation.flux_field(cell.coefficients, u, load))
    return kept


def _voxel_derivatives(cell: Any, tangent: Tangent) -> np.ndarray:
    """dK/dk of every voxel, for an isotropic change of its conductivity."""
    dim = cell.discretisation.dim
    full = as_tensors(cell.coefficients.table, dim)[cell.coefficients.index]
    rank = cell.coefficients.table.ndim - 1
    spread = jnp.moveaxis(full, (-2, -1), (0, 1))
    values = {0: spread[0, 0], 1: jnp.einsum("ii...->i...", spread), 2: spread}[rank]
    local = eqx.tree_at(lambda c: c.coefficients, cell, VoxelCoefficients(values, dim))
    slope = np.asarray(sensitivity(local, tangent).coefficients.values)
    if rank == 0:
        return slope
    return slope.sum(axis=2) if rank == 1 else np.einsum("ijkk...->ij...", slope)


def _stats(tangents: dict[str, Tangent], connected: Percolation | None, dim: int) -> dict[str, Any]:
    first = next(iter(tangents.values()))
    runs = {name: [_history(r) for r in t.responses] for name, t in tangents.items()}
    return {
        "steps": [0 if r is None else int(r.stats["steps"]) for r in first.responses],
        "residuals": [h["residuals"] for h in next(iter(runs.values()))],
        "errors": [h["errors"] for h in next(iter(runs.values()))],
        "algebraic error": first.algebraic_error,
        "percolating": [True] * dim if connected is None else list(connected.directions),
        "schemes": {name: [len(h["residuals"]) - 1 for h in history] for name, history in runs.items()},
    }


def _history(response: Any) -> dict[str, list[float]]:
    if response is None:
        return {"residuals": [0.0], "errors": [0.0]}
    last = int(response.stats["steps"]) + 1
    return {name: np.asarray(response.stats[name])[:last].tolist() for name in ("residuals", "errors")}


def _provenance(image: VoxelImage, job: Job, clock: Stopwatch) -> Provenance:
    described = {
        "sha256": image.content_hash(),
        "shape": list(image.shape),
        "voxel": None if image.voxel is None else list(image.voxel),
        **{key: image.source[key] for key in image.source if key != "sha256"},
        "file sha256": image.source.get("sha256"),
    }
    drawn = job.settings.seed if job.settings.uncertainty == "samples" else None
    return Provenance(
        {"image": described, "phases": _inputs(job)},
        job.settings.to_dict(),
        installed_versions(),
        this_machine(),
        clock.started,
        dict(clock.elapsed),
        drawn,
    )


def _inputs(job: Job) -> dict[str, dict[str, Any]]:
    return {
        f"phase {p.label}": {
            "name": p.name,
            "value": np.asarray(p.value).tolist(),
            "std": p.spread,
            "unit": job.unit,
            "fraction": job.image.fractions[p.label],
        }
        for p in job.phases
    }


def _notes(image: VoxelImage, job: Job, connected: Percolation | None, voxel: object) -> list[str]:
    notes = []
    if not image.periodic and job.settings.boundary == "periodic":
        notes.append(
            "The image was continued periodically as it is, with seams at its faces; boundary='mirrored' avoids them."
        )
    if job.settings.boundary == "mirrored":
        notes.append(
            "The image was reflected along every axis, so that the tensor is diagonal by construction."
        )
    if image.voxel is None:
        asked = "as asked" if voxel == SHAPE_ONLY else "because no voxel size was given"
        notes.append(f"The voxels were taken as cubes (squares in 2-D), {asked}.")
    for axis in _blocked(connected, job.dim):
        notes.append(
            f"Along {_AXES[axis]} the conducting phases do not percolate: the conductivity there is exactly zero, "
            "and no cell problem was solved."
        )
    insulators = [p.name for p in job.phases if not np.any(np.asarray(p.value))]
    if insulators:
        notes.append(
            f"No derivative with respect to {', '.join(insulators)}: at an exact zero the field inside is not determined."
        )
    return notes


__all__ = ["SCHEMES", "effective_conductivity"]
