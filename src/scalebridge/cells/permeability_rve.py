"""How large must a sample be? The representative volume for flow in pores, from one image."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scalebridge.cells.image_input import Threshold, as_image
from scalebridge.cells.permeability import permeability
from scalebridge.cells.permeability_job import FlowBoundary, FlowSettings, pore_labels, refuse_memory
from scalebridge.cells.permeability_result import pore_entry
from scalebridge.cells.rve_boxes import Boxes, BoxQuestion, Cut, study_boxes
from scalebridge.core.errors import ImageError, PhaseError
from scalebridge.core.provenance import Stopwatch
from scalebridge.core.spec import Spec
from scalebridge.engine.executors import Engine
from scalebridge.grids.image import VoxelImage
from scalebridge.upscaling.rve_study import RveStudy

_VERSION = "1"  # of `solve_flow_box`; changes when its answers do
_AXES = "xyz"


def permeability_rve_study(
    image: VoxelImage | np.ndarray | str | os.PathLike[str],
    *,
    pore: int | str | Sequence[int | str] | None = None,
    voxel: str | Sequence[str] | None = None,
    threshold: Threshold = None,
    sizes: Sequence[int | Sequence[int]] | None = None,
    realisations: int = 64,
    boundary: FlowBoundary = "mirrored",
    wanted: float = 0.1,
    rtol: float = 1e-3,
    max_steps: int = 2000,
    engine: Engine = "local",
    workers: int | None = None,
    store: str | os.PathLike[str] | None = None,
    seed: int = 0,
    read_options: dict[str, Any] | None = None,
    progress: bool | None = None,
) -> RveStudy:
    """Find from subvolumes of an image how far its permeability stands for the material's.

    The image is cut into boxes that do not overlap, of several sizes; each box is solved for its apparent
    permeability. From their spread follow the integral range, the error that the image's own size leaves, and
    the size at which it falls under a wanted value. The local property, whose mean over a volume is its
    permeability, is the velocity under a unit force; its variance is taken from one of the largest boxes.

    Args:
        image: as in `permeability`.
        pore: as there.
        voxel: as there.
        threshold: as there.
        sizes: edges of the boxes in voxels, each a number or one an axis; about N/8, N/5, N/3 and N/2 of the
            shortest edge unless given.
        realisations: how many boxes of a size at most; where there are more, as many are drawn.
        boundary: what lies beyond a box: "mirrored" (reflected), "periodic" (its own copies, with seams), or
            "sealed" (no slip on its sides, which is too low).
        wanted: wanted relative error, of two standard deviations.
        rtol: wanted relative error of each tensor, of the solver alone.
        max_steps: limit of iterations.
        engine: who solves: "serial", "local" (processes), "dask", a Dask scheduler's address, or an object
            with `submit`.
        workers: number of processes; the processors unless given.
        store: folder in which finished boxes are kept, so that a run that was stopped goes on.
        seed: of the draw of boxes.
        read_options: as in `permeability`.
        progress: whether to draw a bar; on a terminal unless given.

    Returns:
        an `RveStudy`; its `contribution()` is the image's uncertainty from its size, which `permeability`
        takes as `study=`.

    Raises:
        InputError: something in the input cannot be right; nothing has run yet.
        TaskError: boxes could not be solved, or a worker was lost; what was finished is in the store.

    Limits: as for conduction, and more so: few throats decide, so that permeabilities spread widely and
    boxes in which nothing percolates answer zero. No box may be without solid.

    Cost: boxes of one size that cover the image cost about one solution of it.

    Source: T. Kanit et al. (2003), Int. J. Solids Struct. 40, 3647, doi:10.1016/S0020-7683(03)00143-4.

    Example:
        >>> from scalebridge.grids.generators import random_voxels
        >>> noise = random_voxels(32, volume_fraction=0.2, seed=0, dim=2)
        >>> study = permeability_rve_study(noise, pore=0, voxel="cubic", sizes=[8, 16], engine="serial")
        >>> [(s.size, s.count) for s in study.sizes]
        [((8, 8), 16), ((16, 16), 4)]
    """
    clock = Stopwatch()
    settings = FlowSettings(boundary, 0.0, rtol, max_steps, "none")
    cut = Cut(sizes, realisations, wanted, engine, workers, store, seed, progress)
    given = as_image(image, voxel=voxel, threshold_at=threshold, read_options=read_options)
    pores = pore_labels(pore, given, image)
    boxes = cut.boxes(
        given.shape, lambda shape, limit: refuse_memory(shape, _pore_count(given, pores, shape), limit)
    )
    _refuse_without_solid(given, pores, boxes)
    options = {"boundary": boundary, "rtol": rtol, "max_steps": max_steps}
    question = BoxQuestion(
        solve_flow_box,
        lambda corner: _box(given, pores, corner, options),
        _VERSION,
        Spec("permeability", "1" if given.voxel is None else "m^2", (given.dim, given.dim), symmetric=True),
        _point_variance(given, pores, boxes, options),
        settings=settings.to_dict(),
        inputs={"pore": pore_entry(given, pores)},
        notes=(_NOTES[boundary],),
    )
    return study_boxes(given, cut, boxes, question, clock)


_NOTES = {
    "mirrored": "Every subvolume was reflected along each axis.",
    "periodic": "Every subvolume was continued by its own copies, with seams at its faces.",
    "sealed": "Every subvolume had sealed sides without slip, which makes small ones too tight.",
}


def solve_flow_box(
    pores: np.ndarray, voxel: tuple[float, ...] | None, settings: Mapping[str, Any]
) -> np.ndarray:
    """Return the apparent permeability of a box, (dim, dim); zeros where nothing percolates.

    Args:
        pores: where the box's pores are.
        voxel: edges of a voxel, m.
        settings: further arguments of `permeability`.
    """
    try:
        return np.asarray(_solved_box(pores, voxel, settings).value, float)
    except PhaseError as error:
        if error.argument != "pore":
            raise
        return np.zeros((pores.ndim, pores.ndim))  # no pores, or none that percolate


def _solved_box(
    pores: np.ndarray, voxel: tuple[float, ...] | None, settings: Mapping[str, Any], **more: Any
) -> Any:
    box = VoxelImage(pores.astype(np.uint8), voxel, periodic=False)
    size = "cubic" if voxel is None else None
    return permeability(box, pore=1, voxel=size, budget="none", progress=False, **settings, **more)


def _box(
    image: VoxelImage, pores: tuple[int, ...], corner: tuple[slice, ...], settings: dict[str, Any]
) -> dict[str, Any]:
    found = np.ascontiguousarray(np.isin(image.labels[corner], pores))
    return {"pores": found, "voxel": image.voxel, "settings": settings}


def _corners(boxes: Boxes, size: tuple[int, ...]) -> list[tuple[slice, ...]]:
    return [tuple(slice(a, a + n) for a, n in zip(o, size, strict=True)) for o in boxes[size].tolist()]


def _refuse_without_solid(image: VoxelImage, pores: tuple[int, ...], boxes: Boxes) -> None:
    for size in boxes:
        for corner in _corners(boxes, size):
            if np.all(np.isin(image.labels[corner], pores)):
                raise ImageError(
                    "sizes",
                    got=f"boxes of {' x '.join(map(str, size))} voxels, one of which is all pore",
                    wanted="boxes with walls, which hold the fluid back",
                    cure="take larger boxes",
                )


def _point_variance(
    image: VoxelImage, pores: tuple[int, ...], boxes: Boxes, settings: dict[str, Any]
) -> float:
    """Return the variance of the local velocity along its own force, averaged over axes, in a large box."""
    largest = list(boxes)[-1]
    for corner in _corners(boxes, largest):
        asked = _box(image, pores, corner, settings)
        try:
            found = _solved_box(**asked, fields=True)
        except PhaseError:  # nothing percolates there
            continue
        local = [
            found.fields[f"velocity_{axis}"][place]
            for place, axis in enumerate(_AXES[: image.dim])
            if f"velocity_{axis}" in found.fields
        ]
        return float(np.var(sum(local) / image.dim))
    return 0.0


def _pore_count(image: VoxelImage, pores: tuple[int, ...], shape: tuple[int, ...]) -> int:
    share = sum(image.fractions[label] for label in pores)
    return int(share * np.prod(shape))
