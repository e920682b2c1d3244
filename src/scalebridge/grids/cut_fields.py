"""Velocities and pressures of cut cells in their voxels, for pictures and files."""

from collections.abc import Sequence

import numpy as np

from scalebridge.grids.cut_system import CutCell


def voxel_velocities(
    cell: CutCell, velocities: Sequence[np.ndarray], pressures: Sequence[np.ndarray], axes: Sequence[int]
) -> np.ndarray:
    """Return the velocity in each voxel, (cases, dim, *shape): the mean of what flows through its two faces.

    It is the mean over the whole voxel, fluid and solid, so that its mean over the cell is the permeability.

    Args:
        cell: the cell.
        velocities: (unknowns,) of each case, solutions of `cell.system(...)`.
        pressures: (cells,) of each case.
        axes: along which each case's load is.

    Example:
        >>> from scalebridge.grids.pore_shapes import Channel
        >>> cell = CutCell(Channel(0.5, (1.0, 1.0), across=(0, 1)), 8)
        >>> system = cell.system()
        >>> ones, still = np.ones((1, system.loads.shape[1])), np.zeros((1, len(system.cells)))
        >>> round(float(voxel_velocities(cell, ones, still, [0])[0, 0].mean()), 6)  # the open half
        0.5
    """
    grid, (x, _) = cell.grid, cell.spread(velocities, pressures, axes)
    flow = (x.T.reshape(len(axes), grid.dim, grid.size) * cell.open_shares).reshape(
        len(axes), grid.dim, *grid.shape
    )
    for axis in range(grid.dim):
        flow[:, axis] = 0.5 * (flow[:, axis] + np.roll(flow[:, axis], 1, axis + 1))
    return grid.inner(flow.reshape(len(axes), grid.dim, grid.size))


def voxel_pressures(
    cell: CutCell, velocities: Sequence[np.ndarray], pressures: Sequence[np.ndarray], axes: Sequence[int]
) -> np.ndarray:
    """Return the pressure in each voxel, (cases, *shape): zero in the solid, and on average over the pores.

    Arguments are those of `voxel_velocities`.
    """
    _, p = cell.spread(velocities, pressures, axes)
    wet = cell.wet
    return cell.grid.inner(np.where(wet, p.T - p[wet].mean(axis=0)[:, None], 0.0))
