"""Where the parts of a staggered grid lie, and how walls cut the boxes around them.

A site is told by the axes along which it lies on a voxel's upper face: () is the middle of a voxel, where
pressures and normal strains live; (d,) that of its upper d-face, with the velocity along d; (a, b) that of an
edge (in 2-D a corner), with the shear strain. Around each site stands a box of a voxel's size.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scalebridge.core.threads import in_slabs, threads_for
from scalebridge.grids.cut_kernels import cut_boxes
from scalebridge.grids.walls import PoreGeometry

Site = tuple[int, ...]
_SHRINK = 1e-9  # of a voxel: a wall on voxel faces is then cut by the voxels on its fluid side, and only by them
_LEAST = 1e-7  # fluid shares below this count as none


@dataclass(frozen=True)
class Grid:
    """A periodic grid of voxels: `shape` and `spacing`."""

    shape: tuple[int, ...]
    spacing: tuple[float, ...]

    @property
    def dim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

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

    def points(self, voxels: np.ndarray, site: Site = ()) -> np.ndarray:
        """Return the positions (n, dim) of a site of given voxels, from the cell's corner."""
        raised = np.array([0.5 + 0.5 * (a in site) for a in range(self.dim)])
        return (np.stack(np.unravel_index(voxels, self.shape), axis=-1) + raised) * np.array(self.spacing)


@dataclass(frozen=True)
class CutBoxes:
    """How walls cut the boxes about one site of all voxels.

    Attributes:
        share: (voxels,) fluid share of each box.
        cut: flat numbers of the voxels whose box is cut.
        section: (cut,) integral of delta(distance) over the box by its measure; times the measure, the wall's area.
        wall: (cut, axes) centroid of the wall in the box, from the site.
        fluid: (cut, axes) centroid of the fluid in the box, from the site.
    """

    share: np.ndarray
    cut: np.ndarray
    section: np.ndarray
    wall: np.ndarray
    fluid: np.ndarray


class SiteDistances:
    """Distance and normal at the sites near walls; farther away only the side is known."""

    def __init__(self, geometry: PoreGeometry, grid: Grid):
        self.geometry, self.grid = geometry, grid
        middle = geometry.nearest(grid.points(np.arange(grid.size))).distance
        self.fluid = middle > 0
        # A box about a site of this voxel reaches no farther than its diagonal from the middle.
        self.near = np.flatnonzero(np.abs(middle) <= 1.05 * np.linalg.norm(grid.spacing))

    def boxes(self, site: Site, flat: Site = ()) -> CutBoxes:
        """Cut the boxes about a site; `flat` are axes along which they have no extent, as faces have."""
        grid = self.grid
        wall = self.geometry.nearest(grid.points(self.near, site))
        axes = [a for a in range(grid.dim) if a not in flat]
        sizes = np.array([grid.spacing[a] for a in axes])
        distances = wall.distance - _SHRINK * min(grid.spacing)
        normals = np.ascontiguousarray(wall.normal[:, axes])
        cuts = np.empty((self.near.size, 2 + 2 * len(axes)))
        in_slabs(
            cut_boxes, len(distances), distances, normals, sizes, cuts, threads=threads_for(self.near.size)
        )
        share = self.fluid.astype(float)
        share[self.near] = np.where(cuts[:, 0] < _LEAST, 0.0, cuts[:, 0])
        cut = (cuts[:, 1] > 0) & (cuts[:, 0] >= _LEAST)
        parts = cuts[cut]
        return CutBoxes(share, self.near[cut], parts[:, 1], parts[:, 2 : 2 + len(axes)], parts[:, 2 + len(axes) :])
