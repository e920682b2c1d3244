"""How a permeability changes as walls recede: the shape derivative of the cut cell, with no further solve.

Walls move by a small distance d into the solid, the same everywhere or not. In the stationary form of K,

    V K_ij = b_i.x_j + b_j.x_i - x_i.A x_j + p_i.D x_j + p_j.D x_i,

only the coefficients change. Open areas and fluid volumes grow by the wall in their boxes. The wall's
integral of a density f changes by that of  d (df/dn + k f)  with n out of the fluid and k = div n, twice the
mean curvature; and where d differs from place to place walls turn, dn = -grad d, by which it changes by
(n.s_i) (u_j.grad d) + (n.s_j) (u_i.grad d)  with the normal traction n.s. The slip length of a place goes
with its wall. Without slip this is Hadamard's  int d t_i.t_j  of the tangential tractions, the derivative by
the slip length.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial import KDTree

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
        slip_length: as the solutions were found with: one, one for each label, or one for each piece.
        velocities: (unknowns,) of each case: solutions of `cell.system(slip_length)` under unit forces.
        pressures: (cells,) of each case, A x - D'p = b.
        axes: along which these forces are; all, one after the other, unless given.

    Returns:
        (cases, cases), symmetric.

    Limits: of first order in the voxel's size, seen to be 6 % off at discs 25 voxels wide and 2 % at 40. With
        finite slip the curvature is taken from the distance and has to be smooth.

    Cost: a few products with the cell's matrices.
    """
    return recession_density(cell, slip_length, velocities, pressures, axes)[0].sum(axis=0)


def recession_density(
    cell: CutCell,
    slip_length: SlipLength,
    velocities: Sequence[np.ndarray],
    pressures: Sequence[np.ndarray],
    axes: Sequence[int] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what each piece of wall in `cell.own` gives as it recedes, and as it turns.

    Arguments and limits are those of `recession_slope`.

    Returns:
        moved: (pieces, cases, cases) dK_ij/d(recession of a piece), and
        turned: (pieces, dim, cases, cases) by the gradient along the wall of the recession about it. For a
        recession d(x), dK = sum of d moved + grad d . turned.
    """
    cases = list(range(cell.grid.dim)) if axes is None else list(axes)
    x, p = cell.spread(velocities, pressures, cases)
    placed, walls = _Placed(cell), _walls(cell, slip_length, x)
    moved = _openings(cell, placed, x, p, cases) + _dissipation(cell, placed, x) - walls[cell.own]
    turned = -_turning(cell, x)[cell.own]
    if cell.mirrored:  # images cancel what is not on the diagonal
        moved, turned = moved * np.eye(len(cases)), turned * np.eye(len(cases))
    scale = 2 * cell.grid.volume
    return (moved + np.swapaxes(moved, -1, -2)) / scale, (turned + np.swapaxes(turned, -1, -2)) / scale


class _Placed:
    """What boxes of a grid give, added up at the pieces of wall next to them."""

    def __init__(self, cell: CutCell):
        self.cell, grid = cell, cell.grid
        self._round = None if grid.margin else np.array(grid.shape) * np.array(grid.spacing)
        self._tree = KDTree(self._inside(cell.pieces.points[cell.own]), boxsize=self._round)

    def add(self, points: np.ndarray, parts: np.ndarray) -> np.ndarray:
        """Return the sums (pieces, ...) of parts (points, ...) of the points next to each piece."""
        found = np.zeros((self.cell.own.size, *parts.shape[1:]))
        np.add.at(found, self._tree.query(self._inside(points))[1], parts)
        return found

    def _inside(self, points: np.ndarray) -> np.ndarray:
        return points if self._round is None else np.mod(points, self._round) % self._round


def _openings(cell: CutCell, placed: _Placed, x: np.ndarray, p: np.ndarray, cases: list[int]) -> np.ndarray:
    """Loads and fluxes: open faces grow by their section."""
    grid, change = cell.grid, np.zeros((cell.own.size, x.shape[1], x.shape[1]))
    for axis in range(grid.dim):
        voxels, growth = cell.opening_growth(axis)
        flow = x[axis * grid.size + voxels] * growth[:, None]
        heads = 2 * (p[voxels] - p[grid.neighbours(voxels, grid.step(axis))])
        if axis in cases:
            heads[:, cases.index(axis)] += 2 * grid.spacing[axis]
        change += placed.add(grid.points(voxels, (axis,)), heads[:, :, None] * flow[:, None, :])
    return change


def _dissipation(cell: CutCell, placed: _Placed, x: np.ndarray) -> np.ndarray:
    strain, change = cell.strain.matrix @ x, np.zeros((cell.own.size, x.shape[1], x.shape[1]))
    for numbers, points, growth in cell.strain_growth():
        part = strain[numbers]
        change -= placed.add(points, growth[:, None, None] * part[:, :, None] * part[:, None, :])
    return change


def _walls(cell: CutCell, slip_length: SlipLength, x: np.ndarray) -> np.ndarray:
    """The integral over each piece of wall of df/dn + k f."""
    walls, pieces = cell.walls, cell.pieces
    slips = cell.slips(slip_length)
    outward = interpolated_vectors(cell.grid, pieces.points, pieces.normals) @ x
    across, along = projections(pieces.normals)
    areas, curve, half = walls.areas, _curvatures(cell), walls.depths / 2
    parts = (
        (walls.slip @ x, along @ outward, areas / (slips + walls.depths)),
        (walls.leak @ x, across @ outward, areas / half),
        (walls.drag @ x, None, -areas * walls.depths),
        (walls.push @ x, None, -areas * half),
    )
    change = np.zeros((areas.size, x.shape[1], x.shape[1]))
    for value, slope, weight in parts:
        rows = value.reshape(areas.size, -1, x.shape[1])
        change += np.einsum("m,mdi,mdj->mij", weight * curve, rows, rows)
        if slope is not None:
            change += 2 * np.einsum("m,mdi,mdj->mij", weight, rows, slope.reshape(rows.shape))
    return change


def _turning(cell: CutCell, x: np.ndarray) -> np.ndarray:
    """The integral over each piece of wall of 2 (n.s_i) u_j, (pieces, dim, cases, cases)."""
    walls, count = cell.walls, cell.walls.areas.size
    flow = (cell.pieces.velocity @ x).reshape(count, walls.dim, x.shape[1])
    return 2 * np.einsum("m,mi,mdj->mdij", walls.areas, walls.push @ x, flow)


def _curvatures(cell: CutCell) -> np.ndarray:
    """Return div n at the pieces of wall, from second differences of the distance over half a voxel."""
    points, step = cell.pieces.points, min(cell.grid.spacing) / 2
    nearest = cell.geometry.nearest
    middle, total = nearest(points).distance, np.zeros(len(points))
    for direction in np.eye(cell.grid.dim):
        around = nearest(points + step * direction).distance + nearest(points - step * direction).distance
        total -= (around - 2 * middle) / step**2
    return total
