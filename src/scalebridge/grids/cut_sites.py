"""Where the parts of a staggered grid lie, and how walls cut the boxes around them.

A site is told by the axes along which it lies on a voxel's upper face: () is the middle of a voxel, where
pressures and normal strains live; (d,) that of its upper d-face, with the velocity along d; (a, b) that of an
edge (in 2-D a corner), with the shear strain. Around each site stands a box of a voxel's size.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import threads_for
from scalebridge.grids.cut_kernels import cut_boxes
from scalebridge.grids.walls import NearestWall, PoreGeometry

Site = tuple[int, ...]
_SHRINK = (
    1e-9  # of a voxel: a wall on voxel faces is then cut by the voxels on its fluid side, and only by them
)
_ROUGH = 0.05  # of a voxel, by which a plane may be off at a box's corner: a ball of 7.5 voxels radius
_PARTS = 8  # along each axis of a box that a plane does not cut well
_LEAST = 1e-6  # fluid shares below this count as none


@dataclass(frozen=True)
class Grid:
    """A grid of voxels: `shape` and `spacing`, periodic, or a sample with a `margin` of its mirror images."""

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    margin: int = 0

    @property
    def dim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    @property
    def sample(self) -> tuple[int, ...]:
        """Number of voxels along each axis without the margin."""
        return tuple(n - 2 * self.margin for n in self.shape)

    @property
    def volume(self) -> float:
        """Volume (in 2-D area) of the sample, pores and solid."""
        return math.prod(self.sample) * self.voxel_volume

    @property
    def voxel_volume(self) -> float:
        """Volume (in 2-D area) of a voxel."""
        return math.prod(self.spacing)

    def neighbours(self, voxels: np.ndarray, steps: Sequence[int | np.ndarray]) -> np.ndarray:
        """Return the flat numbers of the voxels so many steps away along each axis, around the cell."""
        places = np.unravel_index(voxels, self.shape)
        moved = [(place + step) % n for place, step, n in zip(places, steps, self.shape, strict=True)]
        return np.ravel_multi_index(tuple(moved), self.shape)

    def step(self, axis: int, by: int = 1) -> tuple[int, ...]:
        """Return the steps that lead `by` voxels along one axis."""
        return tuple(by if a == axis else 0 for a in range(self.dim))

    def places(self, voxels: np.ndarray) -> np.ndarray:
        """Return the numbers (n, dim) of voxels along each axis, negative before the sample."""
        return np.stack(np.unravel_index(voxels, self.shape), axis=-1) - self.margin

    def points(self, voxels: np.ndarray, site: Site = ()) -> np.ndarray:
        """Return the positions (n, dim) of a site of given voxels, from the cell's corner."""
        raised = np.array([0.5 + 0.5 * (a in site) for a in range(self.dim)])
        return (self.places(voxels) + raised) * np.array(self.spacing)

    def part(self, site: Site) -> np.ndarray:
        """Return which part of the box about a site of each voxel lies in the sample, (voxels,)."""
        found = np.ones(())
        for a, (padded, count) in enumerate(zip(self.shape, self.sample, strict=True)):
            place = np.arange(padded) - self.margin
            inside = (place >= 0) & (place < count)
            along = inside.astype(float)
            if self.margin and a in site:  # on a voxel's upper face: a plane of symmetry halves the box
                along = 0.5 * (along + ((place >= -1) & (place < count - 1)))
            found = np.multiply.outer(found, along)
        return found.ravel()

    def inner(self, field: np.ndarray) -> np.ndarray:
        """Return the sample's part of a field (..., voxels), as an array (..., *sample)."""
        cut = slice(self.margin, -self.margin) if self.margin else slice(None)
        return field.reshape(*field.shape[:-1], *self.shape)[(..., *(cut,) * self.dim)]


@dataclass(frozen=True)
class CutBoxes:
    """How walls cut the boxes about one site of all voxels.

    Attributes:
        share: (voxels,) fluid share of each box.
        cut: flat numbers of the voxels whose boxes are cut, once for each piece of wall in a box.
        section: (pieces,) integral of delta(distance) over the box by its measure; times the measure, the
            wall's area.
        wall: (pieces, axes) centroid of the piece, from the site.
    """

    share: np.ndarray
    cut: np.ndarray
    section: np.ndarray
    wall: np.ndarray


class SiteDistances:
    """Boxes about the sites near walls, cut by the plane next to them; of others only the side is known.

    Where the distance departs from a plane, at edges of walls and on bodies of few voxels, boxes are cut in
    parts, each with a plane of its own.
    """

    def __init__(self, geometry: PoreGeometry, grid: Grid):
        self.geometry, self.grid = geometry, grid
        middle = geometry.nearest(grid.points(np.arange(grid.size))).distance
        self.fluid = middle > 0
        # A box about a site reaches no farther than a diagonal from the middles of the voxels that share it.
        near = (np.abs(middle) <= 1.05 * np.linalg.norm(grid.spacing)).reshape(grid.shape)
        for axis in range(grid.dim):
            near = near | np.roll(near, -1, axis)
        self.near = np.flatnonzero(near)

    def boxes(self, site: Site, flat: Site = ()) -> CutBoxes:
        """Cut the boxes about a site; `flat` are axes along which they have no extent, as faces have."""
        grid = self.grid
        axes = [a for a in range(grid.dim) if a not in flat]
        points = grid.points(self.near, site)
        sizes = np.array([grid.spacing[a] for a in axes])
        wall = self.geometry.nearest(points)
        rough, bend = self._bent(points, wall, axes, sizes)
        cuts = self._cut(wall, bend, axes, sizes)
        share = self.fluid.astype(float)
        plain = cuts[~rough]
        cut = plain[:, 1] > 0
        cuts[rough, 0], at, section, centroid = self._in_parts(points[rough], axes, sizes)
        share[self.near] = np.where(cuts[:, 0] < _LEAST, 0.0, cuts[:, 0])
        voxels = np.concatenate([self.near[~rough][cut], self.near[rough][at]])
        sections = np.concatenate([plain[cut, 1], section])
        centroids = np.concatenate([plain[cut, 2:], centroid])
        wet = share[voxels] > 0
        return CutBoxes(share, voxels[wet], sections[wet], centroids[wet])

    def _cut(
        self, wall: NearestWall, bend: np.ndarray | float, axes: Sequence[int], sizes: np.ndarray
    ) -> np.ndarray:
        """Cut boxes of given sizes by the plane of the nearest wall, moved by its mean bend over the box."""
        distances = wall.distance + bend - _SHRINK * min(self.grid.spacing)
        normals = np.ascontiguousarray(wall.normal[:, axes])
        cuts = np.empty((len(distances), 2 + len(axes)))
        threads = threads_for(4 * len(distances))
        in_slabs(cut_boxes, len(distances), distances, normals, sizes, cuts, threads=threads)
        return cuts

    def _bent(
        self, points: np.ndarray, wall: NearestWall, axes: Sequence[int], sizes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return which boxes the wall may cut and where a plane is off by a part of a voxel at a corner.

        And by how much the distance is above the plane's in the mean over each box: of a distance that bends
        quadratically a third of the mean at the corners. Tangent planes alone make balls too large.
        """
        rough = np.abs(wall.distance) <= 0.5 * np.linalg.norm(sizes)
        rough &= self.geometry.edged
        chosen = np.flatnonzero(rough)
        off, mean, bend = np.zeros(chosen.size), np.zeros(chosen.size), np.zeros(len(points))
        for corner in itertools.product((-0.5, 0.5), repeat=len(axes)):
            away = np.zeros(self.grid.dim)
            away[list(axes)] = np.array(corner) * sizes
            there = self.geometry.nearest(points[chosen] + away).distance
            above = there - wall.distance[chosen] - wall.normal[chosen] @ away
            off = np.maximum(off, np.abs(above))
            mean += above / 2 ** len(axes)
        rough[chosen] = off > _ROUGH * min(self.grid.spacing)
        bend[chosen] = np.where(np.abs(mean) > _SHRINK * min(self.grid.spacing), mean / 3, 0.0)
        return rough, bend

    def _in_parts(
        self, points: np.ndarray, axes: Sequence[int], sizes: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Cut boxes in parts: their fluid share, and number, section and centroid of the pieces of wall.

        Parts of a wall whose normals point along the same axis make one piece.
        """
        dim, count = len(axes), len(points)
        lattice = (
            np.array(list(itertools.product((np.arange(_PARTS) + 0.5) / _PARTS - 0.5, repeat=dim))) * sizes
        )
        away = np.zeros((len(lattice), self.grid.dim))
        away[:, axes] = lattice
        wall = self.geometry.nearest((points[:, None] + away).reshape(-1, self.grid.dim))
        cuts = self._cut(wall, 0.0, axes, sizes / _PARTS)
        normals = wall.normal[:, axes]
        main = np.abs(normals).argmax(axis=1)
        side = 2 * main + (np.take_along_axis(normals, main[:, None], axis=1)[:, 0] > 0)
        piece = np.repeat(np.arange(count), len(lattice)) * 2 * dim + side
        section = np.bincount(piece, cuts[:, 1] / len(lattice), minlength=2 * dim * count)
        place = np.tile(lattice, (count, 1)) + cuts[:, 2:]
        moments = [np.bincount(piece, cuts[:, 1] / len(lattice) * along, section.size) for along in place.T]
        found = np.flatnonzero(section)
        centroid = np.stack(moments, axis=1)[found] / section[found, None]
        share = cuts[:, 0].reshape(count, len(lattice)).mean(axis=1)
        return share, found // (2 * dim), section[found], centroid
