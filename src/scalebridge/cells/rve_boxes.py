"""What every study of a representative volume shares: boxes of an image as tasks, and what comes back.

Knows no physics: what a box is asked, and who answers, is said by the study that calls.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil

from scalebridge.cells.conductivity_job import integer_from
from scalebridge.core.errors import InputError
from scalebridge.core.provenance import Provenance, Stopwatch, installed_versions, this_machine
from scalebridge.core.spec import Spec
from scalebridge.engine.executors import Engine, check_engine, default_workers
from scalebridge.engine.farm import Harvest, Task, run_tasks
from scalebridge.engine.store import Store
from scalebridge.grids.image import VoxelImage
from scalebridge.upscaling.rve_statistics import Sample
from scalebridge.upscaling.rve_study import RveStudy, study_samples
from scalebridge.upscaling.subvolumes import Size, box_count, checked_sizes, choose_boxes, default_sizes

Boxes = Mapping[Size, np.ndarray]
"""First voxels of the boxes, (boxes, dim), by size in rising order of volume."""


@dataclass(frozen=True)
class Cut:
    """Which boxes of an image are solved, how often, and by whom. What cannot be is refused here.

    Args:
        sizes: edges of the boxes in voxels, as a caller writes them; None for the default.
        realisations: how many boxes of a size at most.
        wanted: wanted relative error, of two standard deviations.
        engine: who solves.
        workers: number of processes; the processors unless given.
        store: folder of finished boxes.
        seed: of the draw of boxes.
        progress: whether to draw a bar.
    """

    sizes: Sequence[int | Sequence[int]] | None
    realisations: int
    wanted: float
    engine: Engine
    workers: int | None
    store: str | os.PathLike[str] | None
    seed: int
    progress: bool | None

    def __post_init__(self) -> None:
        count, wanted = self.realisations, self.wanted
        if isinstance(count, bool) or not isinstance(count, int) or count < 2:
            raise InputError(
                "realisations",
                got=repr(count),
                wanted="a whole number of at least 2, for a spread",
                cure="pass 16 or more",
            )
        if isinstance(wanted, bool) or not isinstance(wanted, int | float) or not 0 < wanted < 1:
            raise InputError(
                "wanted", got=repr(wanted), wanted="a relative error between 0 and 1", cure="pass wanted=0.02"
            )
        integer_from("seed", self.seed, 0)
        check_engine(self.engine, self.workers)
        if self.store is not None:
            Store(self.store)

    def boxes(
        self, shape: tuple[int, ...], refuse_memory: Callable[[tuple[int, ...], float | None], None]
    ) -> Boxes:
        """Return the boxes of an image, or refuse sizes that do not fit into it or into memory.

        Args:
            shape: voxels of the image.
            refuse_memory: refuses a job of so many voxels that needs more than so many bytes.
        """
        chosen = default_sizes(shape) if self.sizes is None else checked_sizes(self.sizes, shape)
        if self.engine in ("serial", "local", "dask"):  # others' machines are not known
            beside = 1 if self.engine == "serial" else self.workers or default_workers()
            refuse_memory(chosen[-1], psutil.virtual_memory().available / beside)
        rng = np.random.default_rng(self.seed)
        return {size: choose_boxes(shape, size, self.realisations, rng) for size in chosen}


@dataclass(frozen=True)
class BoxQuestion:
    """What each box is asked.

    Args:
        solve: a function of a module that answers for a box; called with `inputs_at` as keyword arguments.
        inputs_at: the plain inputs of the box at a corner, given as slices of the image.
        version: changes when the answers do.
        spec: what the answer is.
        point_variance: variance of the local property, of the number that stands for the answer.
        settings: how boxes are solved, for the record.
        inputs: the phases, for the record.
        notes: what a reader has to know.
    """

    solve: Callable[..., np.ndarray]
    inputs_at: Callable[[tuple[slice, ...]], dict[str, Any]]
    version: str
    spec: Spec
    point_variance: float
    settings: dict[str, Any]
    inputs: dict[str, dict[str, Any]]
    notes: tuple[str, ...] = field(default=())


def study_boxes(
    image: VoxelImage, cut: Cut, boxes: Boxes, question: BoxQuestion, clock: Stopwatch
) -> RveStudy:
    """Ask every box, and draw from the answers what they say of the image.

    Args:
        image: the image.
        cut: which boxes, and who solves them.
        boxes: their first voxels by size.
        question: what each is asked.
        clock: runs since the study was called.

    Raises:
        TaskError: boxes could not be solved, or a worker was lost; what was finished is in the store.
    """
    tasks = _tasks(boxes, question)
    clock.lap("preparing")
    harvest = run_tasks(
        tasks,
        engine=cut.engine,
        workers=cut.workers,
        store=cut.store,
        title="subvolumes",
        progress=cut.progress,
    )
    clock.lap("solving")
    return study_samples(
        _samples(image.shape, boxes, harvest),
        question.spec,
        image.shape,
        point_variance=question.point_variance,
        wanted=cut.wanted,
        voxel=image.voxel,
        notes=question.notes,
        inputs=question.inputs,
        provenance=_provenance(image, cut, boxes, question, clock),
        stats={"computed": harvest.computed, "reused": harvest.reused, "damaged": harvest.damaged},
        subject=image,
    )


def _tasks(boxes: Boxes, question: BoxQuestion) -> list[Task]:
    """One task a box, the largest first, so that no worker is left with a long one in the end."""
    versions = installed_versions().items()
    version = ", ".join([question.version, *(f"{name} {number}" for name, number in versions)])
    found = []
    for size, origins in reversed(list(boxes.items())):
        for origin in origins.tolist():
            corner = tuple(slice(a, a + n) for a, n in zip(origin, size, strict=True))
            name = f"box of {' x '.join(map(str, size))} voxels at {tuple(origin)}"
            cost = float(math.prod(size))
            found.append(Task(name, question.solve, question.inputs_at(corner), version, cost))
    return found


def _samples(shape: tuple[int, ...], boxes: Boxes, harvest: Harvest) -> list[Sample]:
    results = iter(harvest.results)
    return [
        Sample(size, np.stack([next(results) for _ in origins]), origins, box_count(shape, size))
        for size, origins in reversed(list(boxes.items()))
    ]


def _provenance(
    image: VoxelImage, cut: Cut, boxes: Boxes, question: BoxQuestion, clock: Stopwatch
) -> Provenance:
    described = {
        **image.source,
        "sha256": image.content_hash(),
        "shape": list(image.shape),
        "voxel": None if image.voxel is None else list(image.voxel),
    }
    options = {
        "sizes": [" x ".join(map(str, size)) for size in boxes],
        "realisations": cut.realisations,
        "wanted": cut.wanted,
        **question.settings,
    }
    return Provenance(
        {"image": described},
        options,
        installed_versions(),
        this_machine(),
        clock.started,
        dict(clock.elapsed),
        cut.seed,
    )
