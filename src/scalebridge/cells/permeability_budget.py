"""The error budget of a permeability: algebra, the voxels' size, the threshold, the sample's size.

Voxels: the image is coarsened to voxels of twice the edge, in two ways that differ by a voxel's shift, and
both are solved. How far their mean is from the answer (step), and half of how far they are apart (scatter),
tell the error: sqrt(step² + scatter²) times 2.5 held the exact permeability in 95 % of 75 arrays of cylinders
(2-D, fractions 0.05 to 0.75) and spheres (3-D, 0.027 to 0.52) of 16 to 96 voxels an edge, placed at random:
73 of them with 3, 70 with 2. Those outside have gaps of a voxel or two. Extrapolation from the two sizes made
the answers worse (median error 1.3 % without, 5 % with the first order), so that the answer stays as it is.

Coarsened voxels lose throats of rock, some voxels wide, about as fast as the grid opens them, so that there
step and scatter tell too little. So what narrow pores alone do (`permeability_narrow`) is added as an
independent part: 3.5 times as much, the most that was seen when voxels were cut, is its 95 %.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from scalebridge.cells.image_input import Segmentation
from scalebridge.cells.permeability_job import FlowJob
from scalebridge.cells.stokes import flow_tangent
from scalebridge.core.upscaled import Contribution
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.thresholds import threshold
from scalebridge.upscaling.tangent import Tangent, Watch

FLOW_PARTS = ("algebraic", "voxel size", "segmentation", "sample size")
"""Every part that the error budget of a permeability can have."""
_FEWEST = 8  # voxels along an axis from which an image is coarsened
_WIDTH = 2.5 / 1.959964  # of step and scatter: 95 % in standard deviations
_NARROW = 3.5 / 1.959964  # of what narrow pores alone do: 95 % in standard deviations
_POOLED = 0.25  # how much of the diagonal's average enters each component, as in `upscaling.voxel_error`
_ROUGH = 1e-3  # relative error of solves that only tell the error


@dataclass
class FlowAssessment:
    """What the error budget adds to a result."""

    parts: dict[str, Contribution] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)
    derivatives: dict[str, np.ndarray | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def assess_flow(
    job: FlowJob,
    value: np.ndarray,
    algebraic: Contribution,
    origin: Segmentation | None,
    study: Any,
    watch: Watch | None,
    excess: list[float] | None = None,
) -> FlowAssessment:
    """Assess every part that the settings ask for.

    Args:
        job: the job.
        value: its answer.
        algebraic: what the solver leaves.
        origin: the segmentation that made the image, if it was done here.
        study: an RVE study, whose spread is the sample size's part.
        watch: called while solving.
        excess: by what share narrow pores make each axis too open, if that is known.
    """
    found, budget = FlowAssessment(), job.settings.budget
    if budget != "none":
        found.parts["algebraic"] = algebraic
    if budget in ("standard", "full"):
        _add_voxels(job, value, found, watch, excess)
    assess_sample(job, origin, study, found, lambda changed: tensor_of(changed, watch))
    return found


def assess_sample(
    job: FlowJob,
    origin: Segmentation | None,
    study: Any,
    found: FlowAssessment,
    solve: Callable[[FlowJob], np.ndarray],
) -> None:
    """Add what the threshold and the sample's size contribute, whatever the walls are.

    Args:
        job: the job.
        origin: the segmentation that made the image, if it was done here.
        study: an RVE study, whose spread is the sample size's part.
        found: gets the parts, and which are not there.
        solve: returns the tensor of the same question about other pores.
    """
    budget = job.settings.budget
    if budget in ("standard", "full") and origin is not None and origin.std > 0:
        _add_segmentation(job, origin, found, solve)
    if study is not None:
        found.parts["sample size"] = study.contribution()
    if budget != "none":
        found.stats["not assessed"] = [name for name in FLOW_PARTS if name not in found.parts]


def algebraic_part(tangent: Tangent) -> Contribution:
    """Return what the solver leaves, by its own estimate."""
    diagonal = np.abs(np.diagonal(np.asarray(tangent.value)))
    share = tangent.algebraic_error * np.sqrt(np.outer(diagonal, diagonal))
    return Contribution(share, "the solver's own estimate, from how the stationary form still moved")


def tensor_of(job: FlowJob, watch: Watch | None) -> np.ndarray:
    """Return the permeability of a job of `_asked`; zero where nothing percolates."""
    if not np.any(job.image.labels) or job.open.all() or not job.axes:
        return np.zeros((job.dim, job.dim))
    return np.asarray(flow_tangent(job.model(), job.axes, watch).value)


def coarsened_pores(pores: np.ndarray, shift: int, *, periodic: bool) -> np.ndarray:
    """Return pores on voxels of twice the edge, each what most of its voxels are; ties take turns.

    Args:
        pores: booleans, two voxels or more along each axis.
        shift: by how many voxels the coarse ones are moved along every axis.
        periodic: whether the image goes on beyond its faces; otherwise voxels without a partner are left out.
    """
    if periodic and not any(n % 2 for n in pores.shape):
        moved = np.roll(pores, (-shift,) * pores.ndim, tuple(range(pores.ndim)))
    else:
        moved = pores[tuple(slice(shift, shift + (n - shift) // 2 * 2) for n in pores.shape)]
    blocks = moved.reshape(tuple(part for n in moved.shape for part in (n // 2, 2)))
    count = blocks.sum(axis=tuple(range(1, 2 * pores.ndim, 2)))
    half = 1 << (pores.ndim - 1)
    turn = np.indices(count.shape).sum(axis=0) % 2 == 0
    return (count > half) | ((count == half) & turn)


def _add_voxels(
    job: FlowJob,
    value: np.ndarray,
    found: FlowAssessment,
    watch: Watch | None,
    excess: list[float] | None,
) -> None:
    if min(job.image.shape) < _FEWEST:
        found.notes.append("The voxels' error was not assessed: the image is too small to be coarsened.")
        return
    coarse = []
    for shift in (0, 1):
        changed = _coarse_job(job, shift)
        if changed.settings.slip_length > 0 and not (np.any(changed.image.labels) and changed.planes):
            found.notes.append("The voxels' error was not assessed: coarsened walls are no planes.")
            return
        coarse.append(tensor_of(changed, watch) * (1.0 if job.image.voxel else 4.0))
    step = value - np.mean(coarse, axis=0)
    scatter = 0.5 * np.abs(coarse[0] - coarse[1])
    std = _WIDTH * _pooled(np.hypot(step, scatter), value)
    method = "voxels of twice the edge, placed in two ways: how far they are from the answer and apart"
    if excess is not None and max(excess) > 0:
        own = np.sqrt(np.array(excess) * np.abs(np.diagonal(value)))
        std = np.hypot(std, _NARROW * np.outer(own, own))
        method += "; and what narrow pores let through too much on this grid"
    found.parts["voxel size"] = Contribution(std, method)
    found.stats["voxel size"] = {"coarse tensors": [tensor.tolist() for tensor in coarse], "method": method}


def _coarse_job(job: FlowJob, shift: int) -> FlowJob:
    pores = coarsened_pores(job.flowing, shift, periodic=job.settings.boundary == "periodic")
    voxel = None if job.image.voxel is None else tuple(2.0 * edge for edge in job.image.voxel)
    slip = job.settings.slip_length * (1.0 if job.image.voxel else 0.5)  # in voxel edges
    return _asked(job, pores, voxel, slip)


def _asked(job: FlowJob, pores: np.ndarray, voxel: tuple[float, ...] | None, slip: float) -> FlowJob:
    """Return the same question about other pores, answered roughly."""
    image = VoxelImage(pores.astype(np.uint8), voxel, periodic=job.image.periodic)
    settings = replace(job.settings, rtol=max(job.settings.rtol, _ROUGH), slip_length=slip, budget="none")
    return FlowJob(image, (1,), settings)


def _pooled(difference: np.ndarray, value: np.ndarray) -> np.ndarray:
    """Add to each component's difference a part of the diagonal's average, since one alone may be small."""
    diagonal = np.sqrt(np.abs(np.diagonal(value)))
    sizes = diagonal**2
    relative = np.divide(np.diagonal(difference), sizes, out=np.zeros(len(sizes)), where=sizes > 0)
    return np.hypot(difference, _POOLED * np.outer(diagonal, diagonal) * np.sqrt(np.mean(relative**2)))


def _add_segmentation(
    job: FlowJob, origin: Segmentation, found: FlowAssessment, solve: Callable[[FlowJob], np.ndarray]
) -> None:
    """Solve with every threshold a standard deviation higher and lower."""
    slopes = []
    for place, level in enumerate(origin.levels):
        ends = [_at_threshold(job, origin, place, level + side * origin.std) for side in (1.0, -1.0)]
        high, low = (solve(changed) for changed in ends)
        slopes.append((high - low) / (2.0 * origin.std))
        found.derivatives[f"threshold {level:g}"] = slopes[-1]
    std = origin.std * np.sqrt(sum(slope**2 for slope in slopes))
    levels = ", ".join(f"{level:g}" for level in origin.levels)
    method = f"the threshold {levels} ± {origin.std:g}, solved again a standard deviation higher and lower"
    found.parts["segmentation"] = Contribution(np.asarray(std), method)


def _at_threshold(job: FlowJob, origin: Segmentation, place: int, level: float) -> FlowJob:
    levels = [*origin.levels[:place], level, *origin.levels[place + 1 :]]
    labels = threshold(origin.grey, levels).labels
    return _asked(job, np.isin(labels, job.pores), job.image.voxel, job.settings.slip_length)
