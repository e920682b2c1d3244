"""What comes with an effective conductivity: derivatives, bounds, checks, fields, origin, notes."""

from typing import Any

import numpy as np

from scalebridge.cells.conduction_host import HostConduction
from scalebridge.cells.conductivity_job import Job
from scalebridge.cells.conductivity_models import table_slopes_of
from scalebridge.cells.image_input import SHAPE_ONLY
from scalebridge.cells.phases import Phase
from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.checks import Check
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Bound
from scalebridge.grids.coefficients import as_tensors
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.percolation import Percolation
from scalebridge.upscaling.bounds import bound_hashin_shtrikman, bound_reuss, bound_voigt
from scalebridge.upscaling.tangent import Tangent
from scalebridge.upscaling.tensor_checks import check_homogeneity, check_loewner, check_tangent, check_trace

_AXES = "xyz"


def spec_of(job: Job) -> Spec:
    """Return the Spec of a job's answer."""
    return Spec("effective conductivity", job.unit, (job.dim, job.dim), symmetric=True)


def blocked_axes(found: Percolation | None, dim: int) -> tuple[int, ...]:
    """Return the axes along which the conducting phases do not percolate."""
    return () if found is None else tuple(axis for axis in range(dim) if not found.directions[axis])


def derivatives_of(job: Job, by_row: np.ndarray) -> dict[str, np.ndarray | None]:
    """Return dK/d(what the caller gave) by phase; None for an exact insulator."""
    slopes = table_slopes_of(job, by_row)
    return {f"phase {p.label}": _slope_of(p, slopes[:, :, row]) for row, p in enumerate(job.phases)}


def _slope_of(phase: Phase, slope: np.ndarray) -> np.ndarray | None:
    """Reduce dK/d(table row) to dK/d(what the caller gave)."""
    if not np.any(np.asarray(phase.value)):
        return None  # the field inside an exact insulator is not determined by its energy
    rank = slope.ndim - 2
    if np.ndim(phase.value) == rank:
        return symmetric_slope(slope) if rank == 2 else slope
    if phase.isotropic:
        return slope.sum(axis=2) if rank == 1 else np.trace(slope, axis1=2, axis2=3)
    return np.diagonal(slope, axis1=2, axis2=3)


def symmetric_slope(slope: np.ndarray) -> np.ndarray:
    """Return dK/dk_cd with k_cd and k_dc rising by half each: a symmetric tensor has no other changes."""
    return 0.5 * (slope + np.swapaxes(slope, -1, -2))


def bounds_of(job: Job, tangents: dict[str, Tangent]) -> dict[str, Bound]:
    """Return the bounds of the answer, and the bracket of two discretisations where both ran."""
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
    # A uniform gradient on the faces of a small sample may conduct better than any periodic medium.
    if all(p.isotropic for p in job.phases) and not job.settings.boundary.startswith("uniform"):
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


def checks_of(
    job: Job,
    tangent: Tangent,
    value: np.ndarray,
    bounds: dict[str, Bound],
    slopes: dict[str, np.ndarray | None],
    connected: Percolation | None,
) -> list[Check]:
    """Return what was preserved, measured."""
    rounding = 1e-10 if job.settings.dtype == "float64" else 1e-4
    checks = check_tangent(tangent, job.settings.rtol, job.settings.solver.residual_rtol, rounding)
    checks.append(check_loewner(value, bounds["Voigt-Reuss"], "Voigt-Reuss", rounding))
    if "Hashin-Shtrikman" in bounds:
        checks.append(check_trace(value, bounds["Hashin-Shtrikman"], "Hashin-Shtrikman", rounding))
    if "discretisation" in bounds:
        checks.append(check_loewner(value, bounds["discretisation"], "discretisation", job.settings.rtol))
    known = [(np.asarray(p.value), s) for p in job.phases if (s := slopes[f"phase {p.label}"]) is not None]
    # The relation holds for any fields in energy form, so what is left is rounding, whatever rtol is.
    tolerance = max(1e-9, rounding)
    checks.append(check_homogeneity(value, [v for v, _ in known], [s for _, s in known], tolerance))
    if connected is not None:
        count = float(sum(connected.directions))
        checks.append(
            Check("percolation", count, job.dim, "at least", "axes along which conducting phases connect")
        )
    return checks


def fields_of(model: Any, tangent: Tangent) -> dict[str, np.ndarray]:
    """Return the local potential, gradient and flux of every direction that was solved."""
    kept = {}
    for axis, response in enumerate(tangent.responses):
        if response is None:
            continue
        u, load = response.fields
        name = _AXES[axis]
        kept[f"potential_{name}"] = (
            model.potential(u, load) if isinstance(model, HostConduction) else np.asarray(u)
        )
        kept[f"gradient_{name}"] = np.asarray(gradient_field(model, u, load))
        kept[f"flux_{name}"] = np.asarray(flux_field(model, u, load))
    return kept


def gradient_field(model: Any, u: Any, load: Any) -> Any:
    """Return the gradient averaged over each voxel."""
    if isinstance(model, HostConduction):
        return model.gradient_field(u, load)
    return model.discretisation.gradient_field(u, load)


def flux_field(model: Any, u: Any, load: Any) -> Any:
    """Return the flux averaged over each voxel."""
    if isinstance(model, HostConduction):
        return model.flux_field(u, load)
    return model.discretisation.flux_field(model.coefficients, u, load)


def stats_of(tangents: dict[str, Tangent], connected: Percolation | None, dim: int) -> dict[str, Any]:
    """Return what is known about the work: steps, histories, percolation."""
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


def provenance_of(image: VoxelImage | CompositeImage, job: Job, clock: Stopwatch) -> Provenance:
    """Return where the answer comes from."""
    described = {
        **image.source,
        "file sha256": image.source.get("sha256"),
        "stored shape": image.source.get("shape"),
        # What was solved on comes last: a file may store other axes than the image has.
        "sha256": image.content_hash(),
        "shape": list(image.shape),
        "voxel": None if image.voxel is None else list(image.voxel),
    }
    drawn = job.settings.seed if job.settings.uncertainty == "samples" else None
    return Provenance(
        {"image": described, "phases": inputs_of(job)},
        job.settings.to_dict(),
        installed_versions(),
        this_machine(),
        clock.started,
        dict(clock.elapsed),
        drawn,
    )


def inputs_of(job: Job) -> dict[str, dict[str, Any]]:
    """Return the phases as plain data."""
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


def notes_of(
    image: VoxelImage | CompositeImage, job: Job, connected: Percolation | None, voxel: object
) -> list[str]:
    """Return the sentences that a reader has to know."""
    notes = []
    if not image.periodic and job.settings.boundary == "periodic":
        notes.append(
            "The image was continued periodically as it is, with seams at its faces; "
            "boundary='mirrored' avoids them."
        )
    if job.settings.boundary == "mirrored":
        notes.append(
            "The image was reflected along every axis, so that the tensor is diagonal by construction."
        )
    if image.voxel is None:
        asked = "as asked" if voxel == SHAPE_ONLY else "because no voxel size was given"
        notes.append(f"The voxels were taken as cubes (squares in 2-D), {asked}.")
    notes += [
        f"Along {_AXES[axis]} the conducting phases do not percolate: the conductivity there is exactly "
        "zero, and no cell problem was solved."
        for axis in blocked_axes(connected, job.dim)
    ]
    insulators = [p.name for p in job.phases if not np.any(np.asarray(p.value))]
    if insulators:
        notes.append(
            f"No derivative with respect to {', '.join(insulators)}: at an exact zero the field inside "
            "is not determined."
        )
    return notes
