"""How much too open narrow pores make a permeability whose walls follow the voxels' faces.

Between planes H voxels apart a staggered grid conducts (H^2 + 2)/12 of H^2/12. A local error of a resistance
enters K by its share of the dissipation, so that the shares of 2/(H^2 + 2), weighted by the dissipation, tell
what narrow pores alone do. Pores that are narrow along two axes, and steps of the walls, come on top: cutting
the voxels of Berea sandstone in 2^3 lowered K by 1.4 to 3.5 times as much (eight directions of 40^3 crops).
"""

import numpy as np

from scalebridge.cells.permeability_job import FlowJob
from scalebridge.cells.stokes import StokesCell
from scalebridge.upscaling.tangent import Tangent


def narrow_excess(job: FlowJob, model: StokesCell, tangent: Tangent) -> list[float]:
    """Return by what share K along each axis is too large by its narrow pores; 0 where nothing flows."""
    losses = {}
    for axis, response in enumerate(tangent.responses):
        if response is None:
            continue
        system, x = model.system(None if model.shared else axis), response.fields[0]
        spent = x * (system.viscous @ x)
        faces = np.concatenate([np.where(part < 0, ~part, part) for part in system.faces])
        order = np.concatenate([np.arange(spent.size)[part] for part in system.parts])
        losses[axis] = np.bincount(faces, spent[order], minlength=job.image.size)
    return excess_of_losses(job, losses)


def excess_of_losses(job: FlowJob, losses: dict[int, np.ndarray]) -> list[float]:
    """Return the same from what each voxel's upper faces spend, by axis, in any unit."""
    widths = narrowest_widths(job.flowing, job.settings.boundary).ravel()
    share = 2.0 / (widths.astype(float) ** 2 + 2.0)
    found = [0.0] * job.dim
    for axis, spent in losses.items():
        found[axis] = float(spent.ravel() @ share / max(spent.sum(), np.finfo(float).tiny))
    return found


def narrowest_widths(pores: np.ndarray, boundary: str) -> np.ndarray:
    """Return in each pore voxel the shortest run of pore voxels through it along any axis; 0 in the solid.

    Along lines without solid pores have no end, whatever lies beyond the image.

    Example:
        >>> narrowest_widths(np.array([[0, 1, 1, 0], [0, 1, 1, 0]], bool), "periodic").tolist()
        [[0, 2, 2, 0], [0, 2, 2, 0]]
    """
    endless = np.int32(np.iinfo(np.int32).max)
    least = np.full(pores.shape, endless, np.int32)
    for axis in range(pores.ndim):
        line = np.moveaxis(pores, axis, -1)
        count = line.shape[-1]
        beyond = {"periodic": line, "mirrored": line[..., ::-1], "sealed": np.zeros_like(line)}[boundary]
        line = np.concatenate([beyond, line, beyond], axis=-1)
        place = np.arange(3 * count, dtype=np.int32)
        before = np.maximum.accumulate(np.where(line, np.int32(-1), place), axis=-1)
        after = np.where(line, np.int32(3 * count), place)[..., ::-1]
        after = np.minimum.accumulate(after, axis=-1)[..., ::-1]
        run = (after - before - 1)[..., count : 2 * count]
        run = np.where(line[..., count : 2 * count].all(axis=-1, keepdims=True), endless, run)
        np.minimum(least, np.moveaxis(run, -1, axis), out=least)
    return np.where(pores, least, np.int32(0))
