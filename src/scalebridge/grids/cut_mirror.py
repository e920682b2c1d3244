"""A cell that its middle planes mirror, solved on its lower half along every axis: parities of a flow.

Under a load along i the flow through a cell that reflections leave as it is has, for each reflection across a
plane x_a = const, a parity: with a = i the velocity along i is even and the others and the pressure are odd;
with a != i the velocity along a is odd and all else is even. So the half determines everything: a velocity
beyond a plane is that of its mirror image with a sign, and the velocity through a plane is zero where it is
odd. The discrete system of the half is that of the whole, restricted to fields of these parities and divided
by the number of copies: symmetric, and with the same answer. Nothing flows across the load, so that the
tensor is diagonal.

The grid has a margin beyond the planes, in which walls and strains are those of the mirror image, so that
what is near a plane is put together as anywhere else; what lies in the margin does not count, and what lies
on a plane counts half.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from scalebridge.grids.cut_operators import OpenFaces
from scalebridge.grids.cut_sites import Grid

MARGIN = 3  # voxels: a piece of wall sees strains about its neighbours, which other pieces there see too


@dataclass(frozen=True)
class Fold:
    """What the velocities and pressures on a grid with a margin are, by those of the sample.

    Args:
        velocity: (dim * voxels,) number of the velocity of which each one is the image.
        sign: (dim * voxels,) 1 or -1; 0 where symmetry lets nothing through.
        cell: (voxels,) the same of pressures.
        cell_sign: (voxels,) 1 or -1.
    """

    velocity: np.ndarray
    sign: np.ndarray
    cell: np.ndarray
    cell_sign: np.ndarray

    def columns(self, matrix: csr_array) -> csr_array:
        """Return a matrix over all velocities as one over those of the sample."""
        rows = np.repeat(np.arange(matrix.indptr.size - 1), np.diff(matrix.indptr))
        return self._gathered(rows, matrix, 1.0)

    def both(self, matrix: csr_array) -> csr_array:
        """Return a symmetric form over all velocities as one over those of the sample."""
        rows = np.repeat(np.arange(matrix.indptr.size - 1), np.diff(matrix.indptr))
        return self._gathered(self.velocity[rows], matrix, self.sign[rows])

    def _gathered(self, rows: np.ndarray, matrix: csr_array, signs: np.ndarray | float) -> csr_array:
        values = matrix.data * self.sign[matrix.indices] * signs
        used = values != 0
        places = rows[used], self.velocity[matrix.indices[used]]
        return csr_array(coo_array((values[used], places), shape=matrix.shape))


def fold_of(grid: Grid, axis: int) -> Fold:
    """Return how the fields of a load along an axis go on beyond the sample.

    Example:
        >>> fold = fold_of(Grid((8, 8), (1.0, 1.0), 3), 0)  # a sample of two by two voxels
        >>> fold.velocity.reshape(2, 8, 8)[0, :, 3].tolist(), fold.sign.reshape(2, 8, 8)[0, :, 3].tolist()
        ([35, 27, 19, 27, 35, 27, 19, 27], [1, 1, 1, 1, 1, 1, 1, 1])
        >>> fold.sign.reshape(2, 8, 8)[1, 3].tolist()  # along y: nothing goes through the planes across it
        [0, -1, 0, 1, 0, -1, 0, 1]
    """
    numbers, signs = [], []
    for component in range(grid.dim):
        number, odd = _folded(grid, component, axis)
        numbers.append(component * grid.size + number)
        signs.append(odd)
    cell, cell_sign = _folded(grid, None, axis)
    return Fold(np.concatenate(numbers), np.concatenate(signs), cell, cell_sign)


def _folded(grid: Grid, component: int | None, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the images in the sample, and signs, of a velocity component or (None) of the pressure."""
    places, signs = [], np.ones((), int)
    for a, (padded, count) in enumerate(zip(grid.shape, grid.sample, strict=True)):
        own = a == component
        place = (np.arange(padded) - grid.margin + own) % (2 * count)
        flipped = place > count if own else place >= count
        image = np.where(flipped, 2 * count - place - (not own), place)
        odd = own != (a == axis)
        sign = np.where(flipped & odd, -1, 1)
        if own and odd:
            sign = np.where(image % count == 0, 0, sign)
        places.append(image - own + grid.margin)
        signs = np.multiply.outer(signs, sign)
    number = np.ravel_multi_index(tuple(np.meshgrid(*places, indexing="ij")), grid.shape)
    return number.ravel(), signs.ravel()


def through_planes(grid: Grid, faces: Sequence[OpenFaces]) -> np.ndarray:
    """Return for each voxel and axis whether its pores lead from one plane across the axis to the other.

    Voxels of the margin have what their mirror images have; shape (voxels, dim).
    """
    image = fold_of(grid, 0).cell
    own = [found.voxels[grid.part((axis,))[found.voxels] > 0] for axis, found in enumerate(faces)]
    starts = np.concatenate(own)
    ends = np.concatenate([grid.neighbours(voxels, grid.step(axis)) for axis, voxels in enumerate(own)])
    links = (np.ones(starts.size, np.int8), (image[starts], image[ends]))
    count, part = connected_components(coo_array(links, shape=(grid.size, grid.size)), directed=False)
    leads = np.zeros((count, grid.dim), bool)
    for axis, voxels in enumerate(own):
        met = np.zeros((2, count), bool)
        position = grid.places(voxels)[:, axis] + 1
        for side, plane in enumerate((0, grid.sample[axis])):
            met[side, part[image[voxels[position == plane]]]] = True
        leads[:, axis] = met.all(axis=0)
    return leads[part[image]]
