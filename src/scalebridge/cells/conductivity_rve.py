"""How large must a sample be? The representative volume for conduction, from one image."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalebridge.cells.conductivity import effective_conductivity
from scalebridge.cells.conductivity_job import Boundary, Precision, Scheme, Settings
from scalebridge.cells.image_input import Threshold, as_image
from scalebridge.cells.phases import Phase, parse_phases
from scalebridge.cells.rve_boxes import BoxQuestion, Cut, study_boxes
from scalebridge.core.errors import PhaseError
from scalebridge.core.provenance import Stopwatch
from scalebridge.core.spec import Spec
from scalebridge.engine.executors import Engine
from scalebridge.grids.image import VoxelImage
from scalebridge.upscaling.rve_study import RveStudy

_VERSION = "1"  # of `solve_box`; changes when its answers do


def conductivity_rve_study(
    image: VoxelImage | np.ndarray | str | os.PathLike[str],
    phases: Mapping[Any, Any],
    *,
    voxel: str | Sequence[str] | None = None,
    threshold: Threshold = None,
    sizes: Sequence[int | Sequence[int]] | None = None,
    realisations: int = 64,
    boundary: Boundary = "mirrored",
    wanted: float = 0.02,
    scheme: Scheme = "hexahedra",
    rtol: float = 1e-4,
    max_steps: int = 2000,
    dtype: Precision = "float64",
    engine: Engine = "local",
    workers: int | None = None,
    store: str | os.PathLike[str] | None = None,
    seed: int = 0,
    read_options: dict[str, Any] | None = None,
    progress: bool | None = None,
) -> RveStudy:
    """Find from subvolumes of an image how far its conductivity stands for the material's.

    The image is cut into boxes that do not overlap, of several sizes; each box is solved for its apparent
    conductivity. From their spread follow the integral range, the error that the image's own size leaves, and
    the size at which it falls under a wanted value.

    Args:
        image: as in `effective_conductivity`.
        phases: as there; spreads of the values are left out here.
        voxel: as there.
        threshold: as there.
        sizes: edges of the boxes in voxels, each a number or one an axis; about N/8, N/5, N/3 and N/2 of the
            shortest edge unless given.
        realisations: how many boxes of a size at most; where there are more, as many are drawn.
        boundary: what lies beyond a box: "mirrored" (reflected), "periodic" (its own copies, with seams),
            "uniform-gradient" or "uniform-flux", as in `effective_conductivity`.
        wanted: wanted relative error, of two standard deviations.
        scheme: as in `effective_conductivity`; "both" takes the answers of the first.
        rtol: wanted relative error of each tensor, of the solver alone.
        max_steps: limit of iterations a direction.
        dtype: "float64" or "float32".
        engine: who solves: "serial", "local" (processes), "dask", a Dask scheduler's address, or an object
            with `submit`.
        workers: number of processes; the processors unless given.
        store: folder in which finished boxes are kept, so that a run that was stopped goes on, and another
            question on the same boxes reuses them.
        seed: of the draw of boxes.
        read_options: as in `effective_conductivity`.
        progress: whether to draw a bar; on a terminal unless given.

    Returns:
        an `RveStudy`; its `contribution()` is the image's uncertainty from its size.

    Raises:
        InputError: something in the input cannot be right; nothing has run yet.
        TaskError: boxes could not be solved, or a worker was lost; what was finished is in the store.

    Limits: one image tells of larger ones only if it is a piece of a uniform material; a box is assumed
    larger than the integral range.

    Cost: boxes of one size that cover the image cost about one solution of it, mirrored (2^dim the voxels).

    Source: T. Kanit et al. (2003), Int. J. Solids Struct. 40, 3647, doi:10.1016/S0020-7683(03)00143-4.

    Example:
        >>> from scalebridge.grids.generators import random_voxels
        >>> noise = random_voxels(32, volume_fraction=0.5, seed=0, dim=2)
        >>> study = conductivity_rve_study(noise, {0: 1.0, 1: 3.0}, sizes=[8, 16], engine="serial")
        >>> [(s.size, s.count) for s in study.sizes]
        [((8, 8), 16), ((16, 16), 4)]
    """
    clock = Stopwatch()
    settings = Settings(
        scheme=scheme, boundary=boundary, rtol=rtol, max_steps=max_steps, seed=seed, dtype=dtype
    )
    cut = Cut(sizes, realisations, wanted, engine, workers, store, seed, progress)
    given = as_image(image, voxel=voxel, threshold_at=threshold, read_options=read_options)
    parsed, unit = parse_phases(phases, given.phases, given.names, given.dim)
    _refuse_insulators(parsed, boundary)
    boxes = cut.boxes(given.shape, settings.refuse_memory)
    return study_boxes(given, cut, boxes, _question(given, parsed, unit, settings), clock)


def solve_box(
    labels: np.ndarray,
    voxel: tuple[float, ...] | None,
    phases: Mapping[str, Any],
    settings: Mapping[str, Any],
) -> np.ndarray:
    """Return the apparent conductivity of a box, (dim, dim); zeros where nothing connects.

    Args:
        labels: the box's labels.
        voxel: edges of a voxel, m.
        phases: values by label, without unit.
        settings: further arguments of `effective_conductivity`.
    """
    box = VoxelImage(labels, voxel, periodic=False)
    values = {label: phases[str(label)] for label in box.phases}
    try:
        found = effective_conductivity(box, values, budget="none", progress=False, **settings)
    except PhaseError as error:
        if error.argument != "phases":
            raise
        # The phases were accepted with the whole image, so that what is left to be wrong with a part of it is
        # that none of its phases conducts, or none connects.
        return np.zeros((box.dim, box.dim))
    return np.asarray(found.value, dtype=float)


def point_variance(image: VoxelImage, phases: Sequence[Phase]) -> float:
    """Return the variance of the local conductivity: f (1 - f) (k1 - k2)² for two phases.

    Of a tensor counts the mean of its principal values.
    """
    fractions = np.array([image.fractions[p.label] for p in phases])
    values = np.array([_mean_value(p.value) for p in phases])
    return float(fractions @ (values - fractions @ values) ** 2)


def _mean_value(value: Any) -> float:
    array = np.asarray(value, dtype=float)
    return float(np.mean(np.diagonal(array) if array.ndim == 2 else array))


def _question(image: VoxelImage, phases: Sequence[Phase], unit: str, settings: Settings) -> BoxQuestion:
    values = {str(p.label): np.asarray(p.value).tolist() for p in phases}
    names = ("scheme", "boundary", "rtol", "max_steps", "dtype")
    options = {name: getattr(settings, name) for name in names}

    def inputs_at(corner: tuple[slice, ...]) -> dict[str, Any]:
        labels = np.ascontiguousarray(image.labels[corner])
        return {"labels": labels, "voxel": image.voxel, "phases": values, "settings": options}

    return BoxQuestion(
        solve_box,
        inputs_at,
        _VERSION,
        Spec("effective conductivity", unit, (image.dim, image.dim), symmetric=True),
        point_variance(image, phases),
        settings=options,
        inputs=_inputs(image, phases, unit),
        notes=tuple(_notes(settings, phases)),
    )


def _refuse_insulators(phases: Sequence[Phase], boundary: str) -> None:
    insulate = [not np.any(np.asarray(p.value)) for p in phases]
    if all(insulate):
        raise PhaseError(
            "phases",
            got="0 for every phase",
            wanted="a phase that conducts",
            cure="give a phase a positive value",
        )
    if any(insulate) and boundary == "uniform-flux":
        raise PhaseError(
            "boundary",
            got="'uniform-flux' with an insulating phase, which would lie on the faces of some subvolumes",
            wanted="phases that conduct, through which the flux can enter",
            cure="use boundary='mirrored' or 'uniform-gradient'",
        )


def _notes(settings: Settings, phases: Sequence[Phase]) -> list[str]:
    beyond = {
        "mirrored": "Every subvolume was reflected along each axis: no flux passes its sides, and its faces "
        "across the gradient have uniform potential.",
        "periodic": "Every subvolume was continued by its own copies, with seams at its faces.",
        "uniform-gradient": "Every subvolume had the potential of a uniform gradient on all its faces.",
        "uniform-flux": "Every subvolume had a uniform flux through all its faces.",
    }
    notes = [beyond[settings.boundary]] if settings.boundary in beyond else []
    if any(p.spread > 0 for p in phases):
        notes.append("The spread of the phases' values was left out: here only the sample's size counts.")
    return notes


def _inputs(image: VoxelImage, phases: Sequence[Phase], unit: str) -> dict[str, dict[str, Any]]:
    return {
        f"phase {p.label}": {
            "name": p.name,
            "value": np.asarray(p.value).tolist(),
            "std": 0.0,
            "unit": unit,
            "fraction": image.fractions[p.label],
        }
        for p in phases
    }
