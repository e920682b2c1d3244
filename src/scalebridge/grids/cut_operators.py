"""Strains, open faces and wall values of a staggered velocity among cut voxels, as sparse matrices.

Velocities are numbered axis after axis over all voxels: the unknown along d on the upper d-face of voxel i
has number d * voxels + i. Beyond a wall they are values of the velocity continued smoothly.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack

from scalebridge.grids.cut_sites import CutBoxes, Grid, SiteDistances


class Entries:
    """Collects the entries of a sparse matrix."""

    def __init__(self, shape: tuple[int, int]):
        self.shape = shape
        self._rows: list[np.ndarray] = []
        self._columns: list[np.ndarray] = []
        self._values: list[np.ndarray] = []

    def add(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray | float) -> None:
        """Add values, which add up where an entry is named twice."""
        self._rows.append(rows)
        self._columns.append(columns)
        self._values.append(np.broadcast_to(values, rows.shape))

    def matrix(self) -> csr_array:
        """Return the matrix without entries that are zero."""
        if not self._rows:
            return csr_array(self.shape)
        places = (np.concatenate(self._rows), np.concatenate(self._columns))
        made = csr_array(coo_array((np.concatenate(self._values), places), shape=self.shape))
        made.eliminate_zeros()
        return made


EQUAL = 1e-9  # of shares and of areas: what is closer differs by rounding, and is the same


@dataclass(frozen=True)
class Strains:
    """The strain components whose box holds fluid.

    Attributes:
        matrix: (strains, unknowns): normal strains e_a and twice the shear strains, G_ab = d_b u_a + d_a u_b.
        weights: of their squares in 2 D:D, the fluid volume in the sample (twice it for normal strains).
        shares: fluid share of each one's box.
        numbers: for each family, (a,) or (a, b), the row of each voxel's strain, -1 where there is none.
    """

    matrix: csr_array
    weights: np.ndarray
    shares: np.ndarray
    numbers: dict[tuple[int, ...], np.ndarray]


def strains(grid: Grid, distances: SiteDistances, middle: CutBoxes) -> Strains:
    """Return the normal strains in the voxels and the shear strains on their edges."""
    numbers, shares, weights, blocks = {}, [], [], []
    first = 0
    pairs = itertools.combinations(range(grid.dim), 2)
    for family in itertools.chain(((a,) for a in range(grid.dim)), pairs):
        share = middle.share if len(family) == 1 else distances.boxes(family).share
        wet = np.flatnonzero(share)
        numbers[family] = np.full(grid.size, -1)
        numbers[family][wet] = first + np.arange(wet.size)
        first += wet.size
        shares.append(share[wet])
        part = grid.part(() if len(family) == 1 else family)[wet]
        weights.append(share[wet] * part * grid.voxel_volume * (2.0 if len(family) == 1 else 1.0))
        blocks.append(_strain(grid, family, wet))
    return Strains(
        csr_array(vstack(blocks, format="csr")), np.concatenate(weights), np.concatenate(shares), numbers
    )


def _strain(grid: Grid, family: tuple[int, ...], voxels: np.ndarray) -> csr_array:
    """Return one family's rows."""
    entries, rows = Entries((voxels.size, grid.dim * grid.size)), np.arange(voxels.size)
    if len(family) == 1:
        (a,) = family
        before = grid.neighbours(voxels, grid.step(a, -1))
        entries.add(rows, a * grid.size + voxels, 1 / grid.spacing[a])
        entries.add(rows, a * grid.size + before, -1 / grid.spacing[a])
        return entries.matrix()
    for a, b in (family, family[::-1]):
        beyond = grid.neighbours(voxels, grid.step(b))
        entries.add(rows, a * grid.size + beyond, 1 / grid.spacing[b])
        entries.add(rows, a * grid.size + voxels, -1 / grid.spacing[b])
    return entries.matrix()


def interpolated(
    grid: Grid, component: int, points: np.ndarray, along: np.ndarray | None = None
) -> csr_array:
    """Return rows that interpolate a velocity component at points, linearly along each axis.

    With directions `along` (points, dim) they give the derivative of the interpolation in these instead.
    """
    raised = np.array([0.5 + 0.5 * (a == component) for a in range(grid.dim)])
    places = points / np.array(grid.spacing) - raised
    low = np.floor(places).astype(int)
    part = places - low
    entries, rows = Entries((len(points), grid.dim * grid.size)), np.arange(len(points))
    for corner in itertools.product((0, 1), repeat=grid.dim):
        each = np.where(corner, part, 1 - part)
        weight = each.prod(axis=1)
        if along is not None:
            slopes = along / np.array(grid.spacing) * np.where(corner, 1.0, -1.0)
            others = [np.delete(each, a, axis=1).prod(axis=1) for a in range(grid.dim)]
            weight = (slopes * np.stack(others, axis=1)).sum(axis=1)
        steps = low + corner + grid.margin  # from the first voxel
        voxels = grid.neighbours(np.zeros(len(points), dtype=int), list(steps.T))
        entries.add(rows, component * grid.size + voxels, weight)
    return entries.matrix()


def interpolated_vectors(grid: Grid, points: np.ndarray, along: np.ndarray | None = None) -> csr_array:
    """Return such rows for all components, point after point: (points * dim, unknowns)."""
    every = [interpolated(grid, component, points, along) for component in range(grid.dim)]
    order = np.arange(grid.dim * len(points)).reshape(grid.dim, len(points)).T.ravel()
    return csr_array(csr_array(vstack(every, format="csr"))[order])


@dataclass(frozen=True)
class OpenFaces:
    """The open parts of the faces across one axis.

    Attributes:
        voxels: flat numbers of the voxels whose upper face it is.
        areas: open area of each.
    """

    voxels: np.ndarray
    areas: np.ndarray


def open_faces(grid: Grid, distances: SiteDistances, axis: int) -> OpenFaces:
    """Return the open parts of the upper faces across an axis."""
    share = distances.boxes((axis,), flat=(axis,)).share
    voxels = np.flatnonzero(share)
    return OpenFaces(voxels, share[voxels] * grid.voxel_volume / grid.spacing[axis])


@dataclass(frozen=True)
class WallPieces:
    """The pieces of wall in the cut voxels.

    Attributes:
        voxels: flat number of each one's voxel.
        points: (pieces, dim) their centroids, on the wall.
        areas: (pieces,).
        normals: (pieces, dim) out of the fluid.
        labels: (pieces,) which wall.
        velocity: (pieces * dim, unknowns) velocity at each piece's centroid.
        averages: (pieces * families, strains) mean of each family of strains about a piece, by fluid share.
    """

    voxels: np.ndarray
    points: np.ndarray
    areas: np.ndarray
    normals: np.ndarray
    labels: np.ndarray
    velocity: csr_array
    averages: csr_array


def closed_areas(
    grid: Grid, faces: Sequence[OpenFaces], voxels: np.ndarray, areas: np.ndarray, normals: np.ndarray
) -> np.ndarray:
    """Return the areas of pieces of wall, with those about edges made to close their voxel's fluid.

    Open faces and walls of a voxel close its fluid: their areas times their outward normals add up to zero.
    Where walls meet, parts of a box belong to the nearest one alone, which leaves some of the others out, an
    eighth of a voxel at each edge. There the piece that alone faces an axis takes what is missing along it.

    Args:
        grid: the grid.
        faces: the open faces across each axis.
        voxels: (pieces,) each one's voxel.
        areas: (pieces,).
        normals: (pieces, dim) out of the fluid.
    """
    net = np.zeros((grid.dim, grid.size))
    for axis, found in enumerate(faces):
        net[axis, found.voxels] += found.areas
        np.subtract.at(net[axis], grid.neighbours(found.voxels, grid.step(axis)), found.areas)
    total = np.stack([np.bincount(voxels, areas * n, minlength=grid.size) for n in normals.T])
    main = np.abs(normals).argmax(axis=1)
    key = voxels * grid.dim + main
    alone = np.bincount(key, minlength=grid.size * grid.dim)[key] == 1
    met = np.bincount(voxels, minlength=grid.size)[voxels] > 1
    missing = -(net + total)[main, voxels] / np.take_along_axis(normals, main[:, None], axis=1)[:, 0]
    return np.where(alone & met & (areas + missing > 0), areas + missing, areas)


def wall_pieces(
    grid: Grid, distances: SiteDistances, middle: CutBoxes, strain: Strains, faces: Sequence[OpenFaces]
) -> WallPieces:
    """Return the pieces of wall with what is known of the flow there."""
    points = grid.points(middle.cut) + middle.wall
    wall = distances.geometry.nearest(points)
    points = points - wall.distance[:, None] * wall.normal
    return WallPieces(
        middle.cut,
        points,
        closed_areas(grid, faces, middle.cut, middle.section * grid.voxel_volume, -wall.normal),
        -wall.normal,
        wall.label,
        interpolated_vectors(grid, points),
        _averages(grid, middle.cut, strain, middle.share),
    )


def _averages(grid: Grid, voxels: np.ndarray, strain: Strains, share: np.ndarray) -> csr_array:
    """Return each family's mean about voxels: over the voxel and a fuller neighbour, or over its edges."""
    families = list(strain.numbers)
    fuller, opposite = _fullest_neighbours(grid, voxels, share)
    entries = Entries((voxels.size * len(families), strain.weights.size))
    for place, family in enumerate(families):
        if len(family) == 1:
            about, parts = np.stack([voxels, fuller, opposite]), np.array([[1.0], [0.5], [0.5]])
        else:
            a, b = family
            steps, parts = ((0, 0), (-1, 0), (0, -1), (-1, -1)), np.ones((4, 1))
            about = np.stack([grid.neighbours(voxels, _in_plane(grid, a, b, step)) for step in steps])
        rows = strain.numbers[family][about]
        weights = np.where(rows >= 0, strain.shares[rows], 0.0) * parts
        total = weights.sum(axis=0)
        means = weights / np.where(total > 0, total, 1.0)
        target = np.broadcast_to(np.arange(voxels.size) * len(families) + place, rows.shape)
        entries.add(target[rows >= 0], rows[rows >= 0], means[rows >= 0])
    return entries.matrix()


def _in_plane(grid: Grid, a: int, b: int, step: tuple[int, int]) -> tuple[int, ...]:
    return tuple(step[0] if axis == a else step[1] if axis == b else 0 for axis in range(grid.dim))


def _fullest_neighbours(grid: Grid, voxels: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each voxel's fullest neighbour, and the one on the other side where that is as full.

    With both, the reflection of a grid has the reflected averages. Of two axes the first counts.
    """
    steps = [grid.step(axis, by) for axis in range(grid.dim) for by in (-1, 1)]
    around = np.stack([grid.neighbours(voxels, step) for step in steps])
    full = share[around]
    best = (full >= full.max(axis=0) - EQUAL).argmax(axis=0)[None]
    found, other = (np.take_along_axis(around, place, axis=0)[0] for place in (best, best ^ 1))
    return found, np.where(share[other] >= share[found] - EQUAL, other, found)
