"""What comes with an elastic answer: bounds, checks, fields, origin, notes."""

from typing import Any

import numpy as np

from scalebridge.cells.elastic_answer import ElasticAnswer
from scalebridge.cells.elastic_job import ElasticJob
from scalebridge.cells.elastic_moduli import check_equal_shear, check_holding, check_moduli, moduli_bounds
from scalebridge.core.checks import Check
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Bound, Contribution
from scalebridge.grids.elastic_hexahedra import grid_axes
from scalebridge.upscaling.tensor_checks import check_loewner, check_tangent

STIFFNESS = Spec("effective stiffness", "Pa", (6, 6), symmetric=True)
EXPANSION = Spec("effective thermal expansion", "1/K", (6,))
MANDEL = "Mandel notation, components 11, 22, 33, 23, 13, 12 in the image's axes x, y, z."
_CASES = ("11", "22", "33", "23", "13", "12", "thermal")


def fractions_of(job: ElasticJob) -> np.ndarray:
    """Return the volume fractions of the phases."""
    return np.array([job.image.fractions[c.label] for c in job.constituents])


def bounds_of(job: ElasticJob) -> dict[str, Bound]:
    """Return the bounds of the stiffness."""
    stiffness, _ = job.rows
    weights = np.bincount(job.index.reshape(-1), minlength=len(stiffness)) / job.index.size
    used = weights > 0
    mean = np.tensordot(weights, stiffness, 1)
    if any(c.material.is_void for c in job.constituents):
        lower = np.zeros((6, 6))
    else:
        lower = np.linalg.inv(np.tensordot(weights[used], np.linalg.inv(stiffness[used]), 1))
    return {"Voigt-Reuss": Bound(lower, mean, "the tensor", "Hill 1952"), **moduli_bounds(job)}


def checks_of(
    job: ElasticJob, answer: ElasticAnswer, bounds: dict[str, Bound], voxels: Contribution | None = None
) -> list[Check]:
    """Return what was preserved, measured: of the stiffness, and of the expansion where it has one.

    Args:
        job: the job.
        answer: its solution.
        bounds: those of the stiffness.
        voxels: what the voxels' size leaves in the stiffness, if that was assessed.
    """
    settings = job.settings
    checks = check_tangent(answer.tangent, settings.rtol, settings.solver.residual_rtol)
    # A mixture of load cases may hold more energy than at uniform strain, by what the solver leaves in each.
    checks.append(check_loewner(answer.stiffness, bounds["Voigt-Reuss"], "Voigt-Reuss", settings.rtol))
    checks += check_moduli(answer.stiffness, bounds)
    checks += check_equal_shear(job, answer.stiffness, voxels)
    checks += check_holding(job, answer.stiffness)
    levin = levin_expansion(job, answer.stiffness)
    if levin is not None and answer.expansion is not None:
        scale = float(np.abs(levin).max()) or 1.0
        checks.append(
            Check(
                "Levin's relation",
                float(np.abs(answer.expansion - levin).max()) / scale,
                max(1e-8, 10 * settings.rtol**0.5),
                meaning="expansion of two phases, from the stiffness alone, against the thermal case; its "
                "tolerance is the fields' error",
            )
        )
    return checks


def levin_expansion(job: ElasticJob, stiffness: np.ndarray) -> np.ndarray | None:
    """Return the expansion of a two-phase medium from its stiffness; None where the relation does not apply.

    a* = <a> + (S* - <S>) : (S2 - S1)^-1 : (a2 - a1), which holds on any mesh, because a uniform stress
    without fluctuations solves the discrete problem too.

    Source: V. M. Levin, Mech. Solids 2 (1967) 58; B. W. Rosen and Z. Hashin, Int. J. Eng. Sci. 8 (1970) 157.
    """
    c, a = job.rows
    if len(c) != 2 or any(m.material.is_void for m in job.constituents) or not job.thermal:
        return None
    compliance = np.linalg.inv(c)
    jump = compliance[1] - compliance[0]
    if np.linalg.cond(jump) > 1e10:
        return None
    weights = fractions_of(job)
    mean_a, mean_s = np.tensordot(weights, a, 1), np.tensordot(weights, compliance, 1)
    return mean_a + (np.linalg.inv(stiffness) - mean_s) @ np.linalg.solve(jump, a[1] - a[0])


def fields_of(job: ElasticJob, answer: ElasticAnswer) -> dict[str, np.ndarray]:
    """Return the local strain and stress (6, voxels...) of every load case, Mandel, in the image's axes."""
    kept = {}
    for case, response in zip(_CASES, answer.tangent.responses, strict=False):
        if response is None:
            continue
        name = case if job.dim == 3 or case == "thermal" else _planar_case(case)
        u, load = response.fields
        for kind, found in (
            ("strain", answer.model.strain_field(u, load)),
            ("stress", answer.model.stress_field(u, load)),
        ):
            local = np.moveaxis(grid_axes(np.moveaxis(found, 0, -1), job.dim), -1, 0)
            kept[f"{kind}_{name}"] = local if job.dim == 3 else local[:, :, 0]
    return kept


def _planar_case(case: str) -> str:
    """A planar image's load cases come along the grid's axes: its y and z change places."""
    return case.translate(str.maketrans("23", "32")) if case != "23" else case


def stats_of(answer: ElasticAnswer) -> dict[str, Any]:
    """Return what is known about the work: steps, histories."""
    runs = [_history(r) for r in answer.tangent.responses]
    return {
        "steps": [len(run["residuals"]) - 1 for run in runs],
        "residuals": [run["residuals"] for run in runs],
        "errors": [run["errors"] for run in runs],
        "algebraic error": answer.tangent.algebraic_error,
        "load cases": list(_CASES[: len(runs)]),
    }


def _history(response: Any) -> dict[str, list[float]]:
    if response is None:
        return {"residuals": [0.0], "errors": [0.0]}
    last = int(response.stats["steps"]) + 1
    return {name: np.asarray(response.stats[name])[:last].tolist() for name in ("residuals", "errors")}


def inputs_of(job: ElasticJob) -> dict[str, dict[str, Any]]:
    """Return the phases as plain data."""
    found = {}
    for constituent in job.constituents:
        material = constituent.material
        entry = {
            "name": constituent.name,
            "kind": material.kind,
            "fraction": job.image.fractions[constituent.label],
        }
        if not material.is_void:
            values, stds = np.asarray(material.values(job.temperature)), material.stds(job.temperature)
            for name, unit, value, std in zip(material.names, material.units, values, stds, strict=True):
                entry[name] = {"value": float(value), "std": float(std), "unit": unit}
        found[f"phase {constituent.label}"] = entry
    return found


def provenance_of(job: ElasticJob, clock: Stopwatch) -> Provenance:
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
    settings = {**job.settings.to_dict(), "temperature": job.temperature, "notation": "Mandel"}
    return Provenance(
        {"image": described, "phases": inputs_of(job)},
        settings,
        installed_versions(),
        this_machine(),
        clock.started,
        dict(clock.elapsed),
        None,
    )


def notes_of(job: ElasticJob) -> list[str]:
    """Return the sentences that a reader has to know."""
    notes = [MANDEL]
    if job.dim == 2:
        notes.append(
            "The image is the cross-section of cylinders along z: the tensor is that of the body in space. "
            "In plane strain the rows and columns 11, 22, 12 hold by themselves."
        )
    if job.temperature is not None:
        notes.append(f"At {job.temperature:g} K.")
    if not job.image.periodic and job.settings.boundary == "periodic":
        notes.append(
            "The image was continued periodically as it is, with seams at its faces. Reflecting it is no "
            "cure in elasticity, where a mirror image turns the sign of two shears; budget='full' brackets "
            "the answer by uniform stress and uniform strain."
        )
    voids = [c.name for c in job.constituents if c.material.is_void]
    if voids:
        notes.append(
            f"No derivative with respect to {', '.join(voids)}: a void has no constants, and the field "
            "inside is not determined."
        )
    return notes
