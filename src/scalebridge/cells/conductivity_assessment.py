"""The error budget of an effective conductivity: which parts are assessed, and what they give."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scalebridge.cells.conduction_host import HostConduction
from scalebridge.cells.conductivity_budget import (
    algebraic_part,
    bracket_of,
    voxel_cases,
    voxel_part,
    why_no_voxel_part,
)
from scalebridge.cells.conductivity_job import Job
from scalebridge.cells.conductivity_models import Model
from scalebridge.cells.conductivity_result import spec_of
from scalebridge.cells.conductivity_segmentation import segmentation_part, threshold_slopes
from scalebridge.cells.conductivity_spread import propagate_linear, propagate_samples, sample_count, uncertain
from scalebridge.cells.image_input import Segmentation
from scalebridge.core.estimate import Estimate
from scalebridge.core.upscaled import Bound, Contribution
from scalebridge.engine.progress import Meter
from scalebridge.upscaling.tangent import Tangent

PARTS = ("inputs", "voxel size", "algebraic", "sample size", "boundary", "segmentation")
"""Every part that an error budget can have."""


@dataclass(frozen=True)
class Solved:
    """A job whose load cases are solved.

    Args:
        job: the job.
        model: the model of its first scheme.
        tangents: the tangent of each scheme.
        slopes: derivatives by phase.
        skip: axes that are blocked.
        origin: the segmentation that made the image, if it was done here.
    """

    job: Job
    model: Model
    tangents: dict[str, Tangent]
    slopes: dict[str, np.ndarray | None]
    skip: tuple[int, ...]
    origin: Segmentation | None

    @property
    def scheme(self) -> str:
        """The discretisation whose tensor is the answer."""
        return self.job.settings.schemes[0]

    @property
    def tangent(self) -> Tangent:
        """The tangent that is the answer."""
        return self.tangents[self.scheme]


@dataclass
class Assessment:
    """What the error budget adds to a result."""

    parts: dict[str, Contribution] = field(default_factory=dict)
    estimate: Estimate | None = None
    bounds: dict[str, Bound] = field(default_factory=dict)
    derivatives: dict[str, np.ndarray | None] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def extra_cases(job: Job) -> int:
    """Return how many solves the budget adds, for the progress bar."""
    samples = sample_count(job) if uncertain(job) and job.settings.uncertainty == "samples" else 0
    voxels = voxel_cases(job) if _refined(job) and not why_no_voxel_part(job) else 0
    return samples + voxels + (2 if _bracketed(job) else 0)


def assess(solved: Solved, study: Any, meter: Meter) -> Assessment:
    """Assess every part that the settings ask for."""
    found, job = Assessment(), solved.job
    _inputs(solved, found, meter)
    if job.settings.budget != "none":
        found.parts["algebraic"] = algebraic_part(solved.tangent)
        _segmentation(solved, found)
    if _refined(job):
        _voxel_size(solved, found, meter)
    if _bracketed(job):
        bound, found.parts["boundary"] = bracket_of(job, solved.scheme, meter, meter.next_case)
        found.bounds["boundary conditions"] = bound
    if study is not None:
        found.parts["sample size"] = study.contribution()
    if job.settings.budget != "none":
        missing = [name for name in PARTS if name not in found.parts]
        found.stats["not assessed"] = missing
    return found


def _refined(job: Job) -> bool:
    return job.settings.budget in ("standard", "full") and job.settings.in_kernels


def _bracketed(job: Job) -> bool:
    settings = job.settings
    around = settings.boundary in ("periodic", "mirrored")
    return settings.budget == "full" and around and not job.image.periodic and settings.in_kernels


def _inputs(solved: Solved, found: Assessment, meter: Meter) -> None:
    job = solved.job
    if not uncertain(job):
        return
    spec = spec_of(job)
    if job.settings.uncertainty == "samples":
        found.estimate, found.parts["inputs"] = propagate_samples(
            job, solved.scheme, solved.skip, spec, meter, meter.next_case
        )
    else:
        value = np.asarray(solved.tangent.value, dtype=float)
        found.estimate, found.parts["inputs"] = propagate_linear(job, value, solved.slopes, spec)


def _voxel_size(solved: Solved, found: Assessment, meter: Meter) -> None:
    why = why_no_voxel_part(solved.job)
    if why:
        found.notes.append(f"The voxels' error was not assessed: {why}.")
        return
    error = voxel_part(solved.job, solved.tangents, meter, meter.next_case)
    value = np.asarray(solved.tangent.value, dtype=float)
    found.parts["voxel size"] = Contribution(error.std_about(value), error.method)
    found.stats["voxel size"] = error.to_dict()


def _segmentation(solved: Solved, found: Assessment) -> None:
    isotropic = all(p.isotropic for p in solved.job.phases)
    if solved.origin is None or not isotropic or not isinstance(solved.model, HostConduction):
        return
    slopes = threshold_slopes(solved.job, solved.model, solved.tangent, solved.origin)
    for level, slope in zip(solved.origin.levels, slopes, strict=True):
        found.derivatives[f"threshold {level:g}"] = slope
    if solved.origin.std > 0:
        found.parts["segmentation"] = segmentation_part(slopes, solved.origin)
