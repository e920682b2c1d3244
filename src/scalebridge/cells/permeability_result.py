"""What comes with a permeability: the derivative by the slip length, fields, origin, notes."""

import itertools
from typing import Any, cast

import numpy as np

from scalebridge.cells.permeability_job import FlowJob
from scalebridge.cells.slip_curve import Point, SlipCurve, plain_slips, solved_curve
from scalebridge.cells.stokes import StokesCell, flow_tangent
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.results import require_converged, worst_outcome
from scalebridge.core.spec import Spec
from scalebridge.core.units import DARCY
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.staggered import StaggeredSystem
from scalebridge.upscaling.tangent import Tangent

_AXES = "xyz"
_TOLD = 0.01  # share of an answer below which narrow pores are not spoken of


def flow_spec(job: FlowJob) -> Spec:
    """Return the Spec of a job's answer."""
    return Spec("permeability", job.unit, (job.dim, job.dim), symmetric=True)


def slip_slope(job: FlowJob, model: StokesCell, tangent: Tangent) -> np.ndarray | None:
    """Return dK/d(slip length), x_i.S x_j, from the load cases already solved; None on a staircase of voxels.

    Units: metres (the permeability's unit over a length), or voxel edges.
    """
    if not job.planes:
        return None
    found = np.zeros((job.dim, job.dim))
    cases: list[Any] = [None if r is None else r.fields for r in tangent.responses]
    for i, j in itertools.combinations_with_replacement(range(job.dim), 2):
        if cases[i] is not None and cases[j] is not None:
            found[i, j] = found[j, i] = float(model.slopes(cases[i], cases[j])) / job.edge
    return found


def job_curve(job: FlowJob, known: Point) -> SlipCurve:
    """Solve a job whose walls are planes for every slip length of its curve.

    Args:
        job: the job.
        known: its own permeability and slope.
    """
    return solved_curve(
        job.settings.slip_curve,
        lambda length: plane_point(job.with_slip(length)),
        {job.settings.slip_length: known},
    )


def plane_point(job: FlowJob) -> Point:
    """Solve a job whose walls are planes: its permeability and the derivative by the slip length."""
    model = job.model()
    tangent = flow_tangent(model, job.axes)
    require_converged(worst_outcome(tangent.codes), "permeability")
    return np.asarray(tangent.value), cast("np.ndarray", slip_slope(job, model, tangent))


def flow_fields(job: FlowJob, model: StokesCell, tangent: Tangent) -> dict[str, np.ndarray]:
    """Return velocity and pressure of every direction, in voxels: of a unit mean force and unit viscosity.

    Velocities are means of a voxel's two faces, in squares of the answer's length; pressures in lengths.
    """
    kept = {}
    for axis, response in enumerate(tangent.responses):
        if response is None:
            continue
        x, p, _ = response.fields
        system = model.system(None if model.shared else axis)
        kept[f"velocity_{_AXES[axis]}"] = velocity_field(system, x) * job.edge**2
        kept[f"pressure_{_AXES[axis]}"] = pressure_field(system, p) * job.edge
    return kept


def velocity_field(system: StaggeredSystem, x: np.ndarray) -> np.ndarray:
    """Return the velocity in each voxel, components first: the mean of its two faces."""
    found = np.zeros((system.dim, *system.shape))
    for axis, (part, faces) in enumerate(zip(system.parts, system.faces, strict=True)):
        upper, ending = np.zeros(system.shape), faces < 0
        upper.reshape(-1)[faces[~ending]] = x[part][~ending]
        lower = np.roll(upper, 1, axis)
        if ending.any():
            first = (slice(None),) * axis + (0,)
            lower[first] = 0.0
            lower.reshape(-1)[~faces[ending]] = x[part][ending]
        found[axis] = 0.5 * (upper + lower)
    return found


def pressure_field(system: StaggeredSystem, p: np.ndarray) -> np.ndarray:
    """Return the pressure in each voxel, zero on average over the pores and zero in the solid."""
    found = np.zeros(system.shape)
    found.reshape(-1)[system.cells] = p - p.mean()
    return found


def flow_stats(
    job: FlowJob, model: StokesCell, tangent: Tangent, narrow: float, excess: list[float] | None
) -> dict[str, Any]:
    """Return what is known about the work and the pores."""
    total = job.image.size
    asked = [r for r in tangent.responses if r is not None]
    return {
        "steps": [0 if r is None else int(r.stats["steps"]) for r in tangent.responses],
        "residuals": [[0.0] if r is None else r.stats["residuals"].tolist() for r in tangent.responses],
        "errors": [[0.0] if r is None else r.stats["errors"].tolist() for r in tangent.responses],
        "algebraic error": tangent.algebraic_error,
        "mean velocities": np.asarray(tangent.from_answers).tolist(),
        "dissipation": np.diagonal(model.dissipations([r.fields for r in asked])).tolist(),
        "percolating": list(job.connected.directions),
        "porosity": float(np.count_nonzero(job.open) / total),
        "porosity that flows": float(np.count_nonzero(job.flowing) / total),
        "one-voxel throats": narrow,
        **({} if excess is None else {"excess of narrow pores": excess}),
    }


def flow_provenance(job: FlowJob, clock: Stopwatch) -> Provenance:
    """Return where the answer comes from."""
    image = job.image
    described = {
        **image.source,
        "file sha256": image.source.get("sha256"),
        "stored shape": image.source.get("shape"),
        "sha256": image.content_hash(),
        "shape": list(image.shape),
        "voxel": None if image.voxel is None else list(image.voxel),
    }
    return Provenance(
        {"image": described, "pores": flow_inputs(job)},
        job.settings.to_dict(),
        installed_versions(),
        this_machine(),
        clock.started,
        dict(clock.elapsed),
    )


def flow_inputs(job: FlowJob) -> dict[str, dict[str, Any]]:
    """Return pores and slip length as plain data."""
    length = "m" if job.image.voxel is not None else "voxel edges"
    return {
        "pore": pore_entry(job.image, job.pores),
        "slip length": {"value": plain_slips(job.settings.slips), "unit": length},
    }


def pore_entry(image: VoxelImage, pores: tuple[int, ...]) -> dict[str, Any]:
    """Return the pores' labels and their share as plain data."""
    share = sum(image.fractions[label] for label in pores)
    return {"name": "labels", "value": list(pores), "unit": "1", "fraction": share}


def flow_notes(job: FlowJob, value: np.ndarray, narrow: float) -> list[str]:
    """Return the sentences that a reader has to know."""
    notes = []
    if job.unit == "m^2":
        shown = ", ".join(f"{k / DARCY * 1e3:.6g}" for k in np.diagonal(value))
        notes.append(f"In millidarcy (1 D = {DARCY:g} m^2) the diagonal is {shown}.")
    else:
        notes.append(
            "The permeability is given in squares of the voxel's edge, because no voxel size is known."
        )
    notes += boundary_notes(job)
    lost = int(np.count_nonzero(job.open)) - int(np.count_nonzero(job.flowing))
    if lost:
        share = lost / int(np.count_nonzero(job.open))
        notes.append(
            f"{share:.3%} of the pore voxels lie in isolated pores, which were removed: nothing flows there."
        )
    if narrow > 0:
        notes.append(
            f"{narrow:.2%} of the pore voxels are in throats one voxel wide, which conduct up to three times "
            "too well on this grid (the plane channel's (H^2 + 2)/12 with H = 1): a finer image tells."
        )
    if not job.planes:
        notes.append(
            "No derivative by the slip length: walls made of voxel faces are too rough for slip to converge."
        )
    return notes


def excess_note(excess: list[float] | None) -> list[str]:
    """Return what narrow pores do to the answer, where it is more than a percent along an axis."""
    if excess is None or max(excess) < _TOLD:
        return []
    shown = ", ".join(f"{share:.1%}" for share in excess)
    return [
        f"Narrow pores alone let {shown} too much through on this grid (2/H^2 between planes H voxels apart, "
        "by their share of the dissipation); in rock the whole error was 1.4 to 3.5 times as large, which "
        "the part of the voxels' size in a standard budget allows for."
    ]


def boundary_notes(job: FlowJob) -> list[str]:
    """Return what a reader has to know of the image's faces, and of axes along which nothing flows."""
    seams = (
        "The image was continued periodically as it is, with seams at its faces; boundary='mirrored' "
        "avoids them."
    )
    notes = {
        "periodic": [] if job.image.periodic else [seams],
        "mirrored": [
            "The image was reflected along every axis, so that the tensor is diagonal by construction."
        ],
        "sealed": [
            "Each direction is a test of its own, with pressures on the two faces across it and sealed "
            "sides; the tensor is diagonal by construction."
        ],
    }[job.settings.boundary]
    return notes + [
        f"Along {_AXES[axis]} the pores do not percolate: the permeability there is exactly zero, and "
        "nothing was solved."
        for axis in range(job.dim)
        if axis not in job.axes
    ]
