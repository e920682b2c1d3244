"""Velocities and pressures of cut cells in their voxels, for pictures and files."""

import numpy as np

from scalebridge.grids.cut_system import CutCell


def voxel_velocities(cell: CutCell, velocities: np.ndarray, pressures: np.ndarray) -> np.ndarray:
    """Return the velocity in each voxel, (cases, dim, *shape): the mean of what flows through its two faces.

    It is the mean over the whole voxel, fluid and solid, so that its mean over the cell is the permeability.

    Args:
        cell: the cell.
        velocities: (cases, unknowns) solutions of `cell.system(...)`.
        pressures: (cases, cells) their pressures.

    Example:
        >>> from scalebridge.grids.pore_shapes import Channel
        >>> cell = CutCell(Channel(0.5, (1.0, 1.0), across=(0, 1)), 8)
        >>> system = cell.system()
        >>> ones, still = np.ones((1, system.loads.shape[1])), np.zeros((1, len(system.cells)))
        >>> round(float(voxel_velocities(cell, ones, still)[0, 0].mean()), 6)  # the open half
        0.5
    """
    grid, (x, _) = cell.grid, cell.spread(velocities, pressures)
    flow = (x.T.reshape(len(velocities), grid.dim, grid.size) * cell.open_shares).reshape(
        len(velocities), grid.dim, *grid.shape
    )
    for axis in range(grid.dim):
        flow[:, axis] = 0.5 * (flow[:, axis] + np.roll(flow[:, axis], 1, axis + 1))
    return flow


def voxel_pressures(cell: CutCell, velocities: np.ndarray, pressures: np.ndarray) -> np.ndarray:
    """Return the pressure in each voxel, (cases, *shape): zero in the solid, and on average over the pores.

    Arguments are those of `voxel_velocities`.
    """
    _, p = cell.spread(velocities, pressures)
    wet = cell.wet
    found = np.where(wet, p.T - p[wet].mean(axis=0)[:, None], 0.0)
    return found.reshape(len(pressures), *cell.grid.shape)
