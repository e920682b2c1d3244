"""How a permeability changes as walls recede: the shape derivative of the cut cell, with no further solve.

All walls move by one small distance into the solid. In the stationary form of K,

    V K_ij = b_i.x_j + b_j.x_i - x_i.A x_j + p_i.D x_j + p_j.D x_i,

only the coefficients change. Open areas and fluid volumes grow by the wall in their boxes. The wall's
integral of a density f changes by that of  df/dn + k f  with n out of the fluid and k = div n, twice the mean
curvature. Without slip this is Hadamard's  int t_i.t_j  of the tangential tractions, the derivative by the
slip length.
"""

from collections.abc import Sequence

import numpy as np

from scalebridge.grids.cut_operators import interpolated_vectors
from scalebridge.grids.cut_system import CutCell, SlipLength
from scalebridge.grids.cut_walls import projections


def recession_slope(
    cell: CutCell,
    slip_length: SlipLength,
    velocities: Sequence[np.ndarray],
    pressures: Sequence[np.ndarray],
    axes: Sequence[int] | None = None,
) -> np.ndarray:
    """Return dK_ij/d(recession of all walls), in the unit of the geometry's edges.

    A segmentation whose threshold moves walls by so much changes K by it.

    Args:
        cell: the cell.
        slip_length: as the solutions were found with.
        velocities: (unknowns,) of each case: solutions of `cell.system(slip_length)` under unit forces.
        pressures: (cells,) of each case, A x - D'p = b.
        axes: along which these forces are; all, one after the other, unless given.

    Returns:
        (cases, cases), symmetric.

    Limits: of first order in the voxel's size, seen to be 6 % off at discs 25 voxels wide and 2 % at 40. With
        finite slip the curvature is taken from the distance and has to be smooth.

    Cost: a few products with the cell's matrices.
    """
    cases = list(range(cell.grid.dim)) if axes is None else list(axes)
    x, p = cell.spread(velocities, pressures, cases)
    change = _openings(cell, x, p, cases) + _dissipation(cell, x) - _walls(cell, slip_length, x)
    if cell.mirrored:  # images cancel what is not on the diagonal
        change = np.diag(np.diagonal(change))
    return (change + change.T) / 2 / cell.grid.volume


def _openings(cell: CutCell, x: np.ndarray, p: np.ndarray, cases: list[int]) -> np.ndarray:
    """Loads and fluxes: open faces grow by their section."""
    grid, change = cell.grid, np.zeros((x.shape[1], x.shape[1]))
    for axis in range(grid.dim):
        voxels, growth = cell.opening_growth(axis)
        flow = x[axis * grid.size + voxels] * growth[:, None]
        if axis in cases:
            change[cases.index(axis)] += 2 * grid.spacing[axis] * flow.sum(axis=0)
        change += 2 * (p[voxels] - p[grid.neighbours(voxels, grid.step(axis))]).T @ flow
    return change


def _dissipation(cell: CutCell, x: np.ndarray) -> np.ndarray:
    strain = cell.strain.matrix @ x
    return -strain.T @ (cell.strain_growth()[:, None] * strain)


def _walls(cell: CutCell, slip_length: SlipLength, x: np.ndarray) -> np.ndarray:
    """The integral over pieces of wall of df/dn + k f."""
    walls, pieces = cell.walls, cell.pieces
    slips = cell.slips(slip_length)
    outward = interpolated_vectors(cell.grid, pieces.points, pieces.normals) @ x
    across, along = projections(pieces.normals)
    each, areas, curve = walls.dim, walls.areas, _curvatures(cell)
    half = walls.depths / 2
    parts = (
        (
            walls.slip @ x,
            along @ outward,
            np.repeat(areas / (slips + walls.depths), each),
            np.repeat(curve, each),
        ),
        (walls.leak @ x, across @ outward, areas / half, curve),
        (walls.drag @ x, None, -np.repeat(areas * walls.depths, each), np.repeat(curve, each)),
        (walls.push @ x, None, -areas * half, curve),
    )
    change = np.zeros((x.shape[1], x.shape[1]))
    for value, slope, weight, bend in parts:
        change += value.T @ ((weight * bend)[:, None] * value)
        if slope is not None:
            change += 2 * value.T @ (weight[:, None] * slope)
    return change


def _curvatures(cell: CutCell) -> np.ndarray:
    """Return div n at the pieces of wall, from second differences of the distance over half a voxel."""
    points, step = cell.pieces.points, min(cell.grid.spacing) / 2
    nearest = cell.geometry.nearest
    middle, total = nearest(points).distance, np.zeros(len(points))
    for direction in np.eye(cell.grid.dim):
        around = nearest(points + step * direction).distance + nearest(points - step * direction).distance
        total -= (around - 2 * middle) / step**2
    return total
