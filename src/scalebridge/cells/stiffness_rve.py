"""How large must a sample be? The representative volume for the stiffness, from one image."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalebridge.cells.elastic_answer import answer_of
from scalebridge.cells.elastic_job import Constituent, ElasticJob, ElasticSettings, Scheme
from scalebridge.cells.elastic_result import MANDEL, STIFFNESS, inputs_of
from scalebridge.cells.elasticity_host import Surroundings
from scalebridge.cells.image_input import Threshold, as_image
from scalebridge.cells.rve_boxes import BoxQuestion, Cut, study_boxes
from scalebridge.cells.stiffness import elastic_job
from scalebridge.core.errors import PhaseError
from scalebridge.core.provenance import Stopwatch
from scalebridge.core.results import require_converged, worst_outcome
from scalebridge.engine.executors import Engine
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.image import VoxelImage
from scalebridge.laws.elastic_material import ElasticMaterial
from scalebridge.laws.temperature import parse_constant
from scalebridge.upscaling.rve_study import RveStudy, scalar_of

_VERSION = "1"  # of `solve_stiffness_box`; changes when its answers do
_BEYOND = {
    "periodic": "Every subvolume was continued by its own copies, with seams at its faces.",
    "uniform-strain": "Every subvolume had the displacements of a uniform strain on all faces, which is too "
    "stiff for its size.",
    "uniform-stress": "Every subvolume had the tractions of a uniform stress on all its faces, which is too "
    "soft for its size.",
}
_STANDS = "The number that stands for a stiffness is the mean of its six principal values, (3 K + 10 G) / 6."


def stiffness_rve_study(
    image: VoxelImage | np.ndarray | str | os.PathLike[str],
    phases: Mapping[Any, Any],
    *,
    temperature: float | str | None = None,
    orientations: Any = None,
    sizes: Sequence[int | Sequence[int]] | None = None,
    realisations: int = 64,
    wanted: float = 0.02,
    seed: int = 0,
    boundary: Surroundings = "periodic",
    scheme: Scheme = "hexahedra",
    rtol: float = 1e-4,
    max_steps: int = 2000,
    voxel: str | Sequence[str] | None = None,
    threshold: Threshold = None,
    read_options: dict[str, Any] | None = None,
    engine: Engine = "local",
    workers: int | None = None,
    store: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
) -> RveStudy:
    """Find from subvolumes of an image how far its stiffness stands for the material's.

    As `conductivity_rve_study`, with the apparent stiffness of each box, (6, 6) in Mandel notation. For it
    stands the mean of its six principal values, tr C / 6 = (3 K + 10 G) / 6 of an isotropic one, which no
    rotation changes.

    Args:
        image: an image, an array of labels, or a path, as in `effective_stiffness`; composite voxels count as
            the phase that fills most of them. A planar image is the cross-section of cylinders.
        phases: material by label, as there; spreads of constants are left out here, and so is expansion.
        temperature: as there.
        orientations: as there.
        sizes: edges of the boxes in voxels, as in `conductivity_rve_study`.
        realisations: how many boxes of a size at most.
        wanted: wanted relative error, of two standard deviations.
        seed: of the draw of boxes.
        boundary: of every box: "periodic" (its own copies, with seams), "uniform-strain" (from above) or
            "uniform-stress" (from below).
        scheme: integration, as in `effective_stiffness`.
        rtol: wanted relative error of each tensor, of the solver alone.
        max_steps: limit of iterations a load case.
        voxel: as in `effective_stiffness`.
        threshold: as there.
        read_options: as there.
        engine: who solves, as in `conductivity_rve_study`.
        workers: number of processes; the processors unless given.
        store: folder of finished boxes, known by their voxels, constants at this temperature, and settings.
        progress: whether to draw a bar; on a terminal unless given.

    Returns:
        an `RveStudy` of (6, 6) tensors, Pa; its `contribution()` is the image's uncertainty from its size,
        which `effective_stiffness(..., study=...)` takes.

    Raises:
        InputError: something in the input cannot be right; nothing has run yet.
        TaskError: boxes could not be solved, or a worker was lost; what was finished is in the store.

    Limits: as in `conductivity_rve_study`. The law's variance of points is that of the local mean principal
    value where all phases are isotropic, and otherwise that of the whole tensor (`stiffness_point_variance`).

    Cost: boxes of one size that cover the image cost about one solution of six load cases of it.

    Source: T. Kanit et al. (2003), Int. J. Solids Struct. 40, 3647, doi:10.1016/S0020-7683(03)00143-4; bounds
        by boundary conditions: C. Huet (1990), J. Mech. Phys. Solids 38, 813.

    Example:
        >>> from scalebridge.grids.generators import random_voxels
        >>> noise = random_voxels(16, volume_fraction=0.5, seed=0, dim=2)
        >>> soft, hard = {"young": 1.0, "poisson": 0.3}, {"young": 3.0, "poisson": 0.3}
        >>> study = stiffness_rve_study(noise, {0: soft, 1: hard}, sizes=[4, 8], engine="serial")
        >>> study.contribution().std.shape, [s.count for s in study.sizes]
        ((6, 6), [16, 4])
    """
    clock = Stopwatch()
    settings = ElasticSettings(scheme, boundary, rtol, max_steps=max_steps, budget="none")
    cut = Cut(sizes, realisations, wanted, engine, workers, store, seed, progress)
    given = as_image(image, voxel=voxel, threshold_at=threshold, read_options=read_options)
    job = elastic_job(  # only boxes have to fit into memory
        given, phases, settings, temperature=temperature, orientations=orientations, memory_limit=math.inf
    )
    _refuse_voids(job)
    boxes = cut.boxes(given.shape, settings.refuse_memory)
    return study_boxes(given, cut, boxes, _question(job), clock)


def solve_stiffness_box(
    labels: np.ndarray,
    voxel: tuple[float, ...] | None,
    materials: Mapping[str, Mapping[str, Any]],
    orientations: np.ndarray | None,
    settings: Mapping[str, Any],
) -> np.ndarray:
    """Return the apparent stiffness of a box, (6, 6) Mandel, Pa; zeros where no solid holds together.

    Args:
        labels: the box's labels.
        voxel: edges of a voxel, m.
        materials: by label, the kind, names, units and values in SI of its elastic constants, and axes.
        orientations: (labels in the box, 3, 3), (voxels..., 3, 3), or None.
        settings: further arguments of `ElasticSettings`.
    """
    box = VoxelImage(labels, voxel, periodic=False)
    found = tuple(Constituent(n, f"phase {n}", _material(n, materials[str(n)])) for n in box.phases)
    job = ElasticJob(box, found, ElasticSettings(**settings, budget="none"), None, orientations)
    try:
        job.refuse_impossible()
    except PhaseError as error:
        if error.argument != "phases":
            raise
        # The whole image was accepted, so that this part of it is void, or its solid does not percolate.
        return np.zeros((6, 6))
    answer = answer_of(job.model(thermal=False), job.dim)
    require_converged(worst_outcome(answer.codes), "apparent stiffness")
    return answer.stiffness


def stiffness_point_variance(job: ElasticJob) -> float:
    """Return the variance of the local stiffness that the integral range refers to, Pa².

    Of isotropic phases that of the mean principal value m = (3 K + 10 G) / 6, which is f (1 - f) (m1 - m2)²
    for two. A rotation does not change m, and grains of one crystal differ all the same; where any phase is
    not isotropic it is <|C - <C>|²> / 6, with the Frobenius norm: the mean square over the six principal
    directions. The two are equal where C - <C> is a multiple of the identity.

    Args:
        job: the image with its materials.
    """
    stiffness, _ = job.rows
    weights = np.bincount(job.index.reshape(-1), minlength=len(stiffness)) / job.index.size
    if job.isotropic:
        numbers = scalar_of(stiffness)
        return float(weights @ (numbers - weights @ numbers) ** 2)
    apart = stiffness - np.tensordot(weights, stiffness, 1)
    return float(weights @ np.sum(apart**2, axis=(1, 2))) / 6


def _question(job: ElasticJob) -> BoxQuestion:
    image = job.image.majority if isinstance(job.image, CompositeImage) else job.image
    options = {name: getattr(job.settings, name) for name in ("scheme", "boundary", "rtol", "max_steps")}
    materials = {c.label: _constants(c.material, job.temperature) for c in job.constituents}

    def inputs_at(corner: tuple[slice, ...]) -> dict[str, Any]:
        labels = np.ascontiguousarray(image.labels[corner])
        present = np.unique(labels).tolist()
        return {
            "labels": labels,
            "voxel": image.voxel,
            "materials": {str(label): materials[label] for label in present},
            "orientations": _orientations_at(job, corner, present),
            "settings": options,
        }

    return BoxQuestion(
        solve_stiffness_box,
        inputs_at,
        _VERSION,
        STIFFNESS,
        stiffness_point_variance(job),
        settings={**options, "temperature": job.temperature, "notation": "Mandel"},
        inputs=_inputs(job),
        notes=tuple(_notes(job)),
    )


def _orientations_at(job: ElasticJob, corner: tuple[slice, ...], present: list[int]) -> np.ndarray | None:
    if job.orientations is None or job.by_voxel:
        return None if job.orientations is None else np.ascontiguousarray(job.orientations[corner])
    return job.orientations[[row for row, c in enumerate(job.constituents) if c.label in present]]


def _constants(material: ElasticMaterial, temperature: float | None) -> dict[str, Any]:
    """Return the elastic constants as plain numbers, which decide a box's answer and its key."""
    elastic = slice(material.elastic_count)
    return {
        "kind": material.kind,
        "names": list(material.names[elastic]),
        "units": list(material.units[elastic]),
        "values": [float(value) for value in material.values(temperature)[elastic]],
        "axes": None if material.axes is None else material.axes.tolist(),
    }


def _material(label: int, constants: Mapping[str, Any]) -> ElasticMaterial:
    triples = zip(constants["values"], constants["names"], constants["units"], strict=True)
    found = tuple(parse_constant(value, name, unit) for value, name, unit in triples)
    axes = None if constants["axes"] is None else np.asarray(constants["axes"], dtype=float)
    return ElasticMaterial(f"phase {label}", constants["kind"], found, len(found), axes)


def _refuse_voids(job: ElasticJob) -> None:
    voids = [c.name for c in job.constituents if c.material.is_void]
    if voids and job.settings.boundary == "uniform-stress":
        raise PhaseError(
            "boundary",
            got=f"'uniform-stress' with {voids[0]}, a void, which would lie on the faces of some subvolumes",
            wanted="solid phases, to which a uniform traction can be applied",
            cure="use boundary='periodic' or 'uniform-strain'",
        )


def _inputs(job: ElasticJob) -> dict[str, dict[str, Any]]:
    """Return the phases for the record, with the elastic constants alone and without their spread."""
    found = inputs_of(job)
    for constituent, told in zip(job.constituents, found.values(), strict=True):
        material = constituent.material
        for name in material.names[material.elastic_count :]:
            del told[name]
        for name in material.names[: material.elastic_count]:
            told[name]["std"] = 0.0
    return found


def _notes(job: ElasticJob) -> list[str]:
    points = "of its local value" if job.isotropic else "of the whole local tensor, <|C - <C>|²> / 6"
    notes = [MANDEL, f"{_STANDS} The integral range refers to the variance {points}."]
    notes.append(_BEYOND[job.settings.boundary])
    if job.dim == 2:
        notes.append(
            "The image is the cross-section of cylinders along z: tensors are those of bodies in space."
        )
    if job.temperature is not None:
        notes.append(f"At {job.temperature:g} K.")
    spreads = [c.material.stds(job.temperature)[: c.material.elastic_count] for c in job.constituents]
    if any(np.any(spread > 0) for spread in spreads):
        notes.append("The spread of the phases' constants was left out: here only the sample's size counts.")
    return notes
