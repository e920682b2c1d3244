"""Parts of an elastic answer's uncertainty: inputs, algebra, voxel size, the sample's surroundings."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scalebridge.cells.elastic_answer import ElasticAnswer, answer_of
from scalebridge.cells.elastic_job import ElasticJob
from scalebridge.core.estimate import Estimate
from scalebridge.core.spec import Spec
from scalebridge.core.upscaled import Bound, Contribution
from scalebridge.engine.progress import Meter
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.composite_images import coarsen_composite, smooth_composite
from scalebridge.upscaling.propagation import propagate
from scalebridge.upscaling.voxel_error import VoxelError, voxel_size_error

PARTS = ("inputs", "voxel size", "algebraic", "sample size", "boundary")
"""Every part that an elastic error budget can have."""
_FEWEST = 4  # voxels an edge that a coarsened image has at least
_CASES = 6

Pick = Callable[[ElasticAnswer], np.ndarray]
"""Takes what is handed up from an answer: the stiffness or the expansion."""


@dataclass
class Assessment:
    """What the error budget adds to a result."""

    parts: dict[str, Contribution] = field(default_factory=dict)
    estimate: Estimate | None = None
    bounds: dict[str, Bound] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def extra_cases(job: ElasticJob) -> int:
    """Return how many load cases the budget adds, for the progress bar."""
    cases = _CASES + job.thermal
    voxels = voxel_solves(job) if _refined(job) and not why_no_voxel_part(job) else 0
    return cases * (voxels + (2 if _bracketed(job) else 0))


def assess(
    job: ElasticJob,
    answer: ElasticAnswer,
    slopes: dict[str, np.ndarray],
    spec: Spec,
    pick: Pick,
    study: Any,
    meter: Meter,
) -> Assessment:
    """Assess every part that the settings ask for.

    Args:
        job: the job.
        answer: its solution.
        slopes: derivatives of what is handed up by the materials' constants.
        spec: of what is handed up.
        pick: takes it from an answer.
        study: an RVE study of it, or None.
        meter: counts load cases.
    """
    found, value = Assessment(), pick(answer)
    _inputs(job, value, slopes, spec, found)
    if job.settings.budget == "none":
        return found
    found.parts["algebraic"] = _algebraic(answer, value)
    if _refined(job):
        why = why_no_voxel_part(job)
        if why:
            found.notes.append(f"The voxels' error was not assessed: {why}.")
        else:
            error = voxel_part(job, value, pick, meter)
            found.parts["voxel size"] = Contribution(error.std_about(value), error.method)
            found.stats["voxel size"] = error.to_dict()
    if _bracketed(job):
        found.bounds["boundary conditions"], found.parts["boundary"] = bracket_of(job, pick, meter)
    if study is not None:
        found.parts["sample size"] = study.contribution()
    found.stats["not assessed"] = [name for name in PARTS if name not in found.parts]
    return found


def _refined(job: ElasticJob) -> bool:
    return job.settings.budget in ("standard", "full")


def _bracketed(job: ElasticJob) -> bool:
    return job.settings.budget == "full" and job.settings.boundary == "periodic" and not job.image.periodic


def _inputs(
    job: ElasticJob, value: np.ndarray, slopes: dict[str, np.ndarray], spec: Spec, found: Assessment
) -> None:
    inputs, used = [], []
    for constituent in job.constituents:
        material = constituent.material
        if material.is_void:
            continue
        values, stds = np.asarray(material.values(job.temperature)), material.stds(job.temperature)
        for name, unit, number, std in zip(material.names, material.units, values, stds, strict=True):
            key = f"phase {constituent.label} {name}"
            if std > 0 and key in slopes:
                inputs.append((Spec(key, unit), float(number), float(std)))
                used.append(slopes[key])
    if inputs:
        found.estimate, found.parts["inputs"] = propagate(value, used, inputs, spec)


def _algebraic(answer: ElasticAnswer, value: np.ndarray) -> Contribution:
    gap = answer.gap if value.ndim == 2 else np.abs(value) * answer.tangent.gap
    return Contribution(0.5 * (gap + gap.T), "difference of mean stresses and energies of the fine fields")


def voxel_part(job: ElasticJob, value: np.ndarray, pick: Pick, meter: Meter) -> VoxelError:
    """Estimate the voxels' error.

    A plain image's staircase is smoothed (composite voxels), and that image is solved as it is and coarsened;
    the plain answers of full and of weaker integration say how far methods differ. A composite image is
    coarsened as it is.
    """
    if isinstance(job.image, CompositeImage):
        finest, levels, others = job.image, [value], []
    else:
        other = replace(job, settings=replace(job.settings, scheme=_companion(job)))
        finest, levels = smooth_composite(job.image), []
        others = [value, _solved(other, pick, meter)]
    smoothed = job if finest is job.image else job.with_image(finest)
    smoothed = replace(smoothed, yields=smoothed.softening)  # the finest voxels show best what is enclosed
    for factor in _factors(job):
        if factor == 1 and levels:
            continue
        image = finest if factor == 1 else coarsen_composite(finest, factor)
        levels.append(_solved(smoothed.with_image(image), pick, meter))
    return voxel_size_error(levels, others) if value.ndim == 2 else _of_vectors(levels, others)


def _of_vectors(levels: list[np.ndarray], others: list[np.ndarray]) -> VoxelError:
    """Estimate the error of an expansion, as a diagonal matrix of its components' sizes."""
    as_tensors = [[_tensor(v) for v in group] for group in (levels, others)]
    found = voxel_size_error(as_tensors[0], as_tensors[1])
    return VoxelError(_vector(found.value), _vector_width(found.half_width), found.order, found.method)


def _tensor(vector: np.ndarray) -> np.ndarray:
    a, b, c, d, e, f = vector
    r = np.sqrt(0.5)
    return np.array([[a, r * f, r * e], [r * f, b, r * d], [r * e, r * d, c]])


def _vector(tensor: np.ndarray) -> np.ndarray:
    r = np.sqrt(2.0)
    return np.array([*np.diag(tensor), r * tensor[1, 2], r * tensor[0, 2], r * tensor[0, 1]])


_vector_width = _vector


def voxel_solves(job: ElasticJob) -> int:
    """Return how many solves `voxel_part` adds."""
    return len(_factors(job)) - 1 + (0 if isinstance(job.image, CompositeImage) else 2)


def why_no_voxel_part(job: ElasticJob) -> str:
    """Return why the voxels' error cannot be assessed, or nothing if it can."""
    if job.by_voxel:
        return "orientations are given voxel by voxel, and there is no finer image of them"
    if len(_factors(job)) > 1:
        return ""
    return f"an image of {' x '.join(map(str, job.image.shape))} voxels cannot be coarsened"


def bracket_of(job: ElasticJob, pick: Pick, meter: Meter) -> tuple[Bound, Contribution]:
    """Solve with a uniform stress and a uniform strain on the sample's faces, which bracket the stiffness."""
    ends = []
    for boundary in ("uniform-stress", "uniform-strain"):
        used = replace(job, settings=replace(job.settings, boundary=boundary))
        try:
            used.refuse_impossible()
            ends.append(_solved(used, pick, meter))
        except ValueError:  # voids on the faces: a traction cannot be applied
            ends.append(np.zeros_like(pick(answer_of(job.model(), job.dim))))
    lower, upper = ends
    bound = Bound(lower, upper, "the tensor of this sample", "uniform stress and uniform strain: Huet 1990")
    std = np.abs(upper - lower) / np.sqrt(12.0)
    return bound, Contribution(std, "between uniform stress and uniform strain on the sample's faces")


def _companion(job: ElasticJob) -> str:
    """The other integration that says how far methods differ: one point where it can be, else B-bar."""
    if job.settings.scheme != "hexahedra":
        return "hexahedra"
    void = any(c.material.is_void for c in job.constituents)
    return "b-bar" if void else "reduced"


def _factors(job: ElasticJob) -> list[int]:
    """Return by how much the image can be coarsened: 1, and 2 and 4 where whole voxels come out."""
    return [
        factor
        for factor in (1, 2, 4)
        if factor == 1 or all(n % factor == 0 and n // factor >= _FEWEST for n in job.image.shape)
    ]


def _solved(job: ElasticJob, pick: Pick, meter: Meter) -> np.ndarray:
    found = pick(answer_of(job.model(thermal=job.thermal), job.dim, meter))
    for _ in range(_CASES + job.thermal):
        meter.next_case()
    return found
