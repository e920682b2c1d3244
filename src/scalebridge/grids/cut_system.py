"""Stokes flow among curved walls with slip: a variational discretisation in which walls cut voxels.

The pores' dissipation  int 2 D(u):D(u)  is a sum over voxels (normal strains) and edges (shear strains), each
weighted by the fluid volume in its box; conservation of volume and the load see the open parts of the faces;
the walls enter by Nitsche's method (`cut_walls`). Everything follows from one quadratic form, so that the
system is symmetric as the one with voxel walls. The strain form is used because with the gradient form the
natural condition on a curved wall would shift 1/slip by its curvature.

Velocities just beyond a wall are unknowns too, the smooth continuation of those inside. A small penalty on
the second differences of velocities next to walls settles them however little fluid their boxes hold, and is
as small as the discretisation's error for smooth fields. Voxels with little fluid share a pressure with a
fuller neighbour: each balance of volume holds, but there are no balances in almost empty voxels, whose flow
would be overdetermined.

Sources: C. Batty and R. Bridson (2008), Proc. ACM SIGGRAPH/Eurographics Symp. Computer Animation, 219 (the
weights); E. Burman (2010), C. R. Math. 348, 1217, doi:10.1016/j.crma.2010.10.006 (the penalty).
"""

import itertools
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array, vstack

from scalebridge.core.errors import ImageError, InputError
from scalebridge.grids.box import cell_shape
from scalebridge.grids.cut_operators import Entries, OpenFaces, open_faces, strains, wall_pieces
from scalebridge.grids.cut_sites import Grid, SiteDistances
from scalebridge.grids.cut_walls import WallRows, squares, wall_rows
from scalebridge.grids.percolation import winding_parts
from scalebridge.grids.staggered import StaggeredSystem
from scalebridge.grids.walls import PoreGeometry

SlipLength = float | Mapping[int, float]
_SMOOTHNESS = 0.05  # weight of the second differences; 0.01 to 0.2 change K by less than it is off by
_SMALL = 0.25  # voxels with less fluid share a pressure with a neighbour
_UNSETTLED = 1e-9  # relative; a chink between two voxels without fluid
_RIGID = 1e-9  # relative; the wall's grip on a uniform flow below which it has none
_EQUAL = (
    1e-9  # of shares and of areas: what is closer differs by rounding, and the first along the axes is taken
)


class CutCell:
    """A periodic cell of pores on a grid, cut once, from which systems for any slip length are made.

    Args:
        geometry: the pores.
        shape: number of voxels along each axis, one number or one for each.

    Attributes:
        grid: shape and spacing.
        porosity: share of the cell that is fluid.
        isolated: share of the cell in pores that lead nowhere; nothing flows there, and no faces are open.
        wall_area: area (in 2-D length) of the walls in the cell.
        labels: labels of the walls.
        strain, pieces, walls: what the system is made of.

    Raises:
        ImageError: no pore or nothing but pore, pores that lead nowhere, or a shape that does not
            fit the geometry.

    Limits: a solid that is thinner than about three voxels has the same velocities beyond both its faces, and
        pores thinner than that are resolved as poorly as by any grid.

    Cost: in 3-D about 2 kB a voxel near walls and 0.8 kB elsewhere; 64^3 in about ten seconds.

    Example:
        >>> from scalebridge.grids.pore_shapes import Channel
        >>> cell = CutCell(Channel(0.5, (1.0, 1.0), across=(0, 1)), 8)
        >>> round(cell.porosity, 6), round(cell.wall_area, 6), cell.labels
        (0.5, 2.0, (0, 1))
    """

    def __init__(self, geometry: PoreGeometry, shape: int | Sequence[int]):
        counts = cell_shape(shape, geometry.edges.size)
        self.geometry = geometry
        self.grid = Grid(counts, tuple((geometry.edges / np.array(counts)).tolist()))
        self._distances = SiteDistances(geometry, self.grid)
        self._middle = self._distances.boxes(())
        self.porosity = float(self._middle.share.mean())
        if not self._middle.cut.size or not 0 < self.porosity < 1:
            got = "no pore" if self.porosity == 0 else "no wall"
            raise ImageError(
                "geometry",
                got=got,
                wanted="pores and solid in the cell",
                cure="check the sign of the distance",
            )
        self.strain = strains(self.grid, self._distances, self._middle)
        every = [open_faces(self.grid, self._distances, axis) for axis in range(self.grid.dim)]
        self.pieces = wall_pieces(self.grid, self._distances, self._middle, self.strain, every)
        self._faces, self.isolated = _through(self.grid, every, self._middle.share)
        self.wall_area = float(self.pieces.areas.sum())
        self.labels = tuple(np.unique(self.pieces.labels).tolist())

    def system(self, slip_length: SlipLength = 0.0) -> StaggeredSystem:
        """Return the system for a slip length, from 0 (no slip) to infinity (no drag).

        Args:
            slip_length: in the unit of the geometry's edges; one, or one for each wall label.

        Returns:
            the system. `slip_slope` is its derivative when all slip lengths grow alike; `slip_slope` of this
            class has that of one wall.

        Raises:
            InputError: a negative slip length, a label without one, or perfect slip on walls that leave a
                direction free, where nothing limits the flow.
        """
        slips = self.slips(slip_length)
        walls, active = self.walls, self._kept
        viscous = csr_array(
            csr_array(self._fixed + walls.slipping(walls.areas / (slips + walls.depths)))[active][:, active]
        )
        first = np.arange(self.grid.dim + 1) * self.grid.size
        faces = tuple(
            active[(active >= low) & (active < high)] - low for low, high in itertools.pairwise(first)
        )
        divergence, cells = self._divergence
        return StaggeredSystem(
            self.grid.shape,
            self.grid.spacing,
            faces,
            cells,
            viscous,
            divergence,
            self._loads[:, active],
            float(np.prod(self.geometry.edges)),
            self.slip_slope(slip_length),
        )

    def slip_slope(self, slip_length: SlipLength, label: int | None = None) -> csr_array:
        """Return S = -dA/d(slip length) of all walls or of those with one label, positive semidefinite.

        Then dK_ij/d(slip length) = x_i' S x_j / volume with the solutions at that slip length.
        """
        slips, walls = self.slips(slip_length), self.walls
        chosen = 1.0 if label is None else walls.labels == label
        slope = walls.slipping(chosen * walls.areas / (slips + walls.depths) ** 2)
        return csr_array(slope[self._kept][:, self._kept])

    def spread(self, velocities: np.ndarray, pressures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return solutions (cases, unknowns) and (cases, cells) on all faces and voxels, cases last."""
        x = np.zeros((self.grid.dim * self.grid.size, len(velocities)))
        p = np.zeros((self.grid.size, len(pressures)))
        x[self._kept] = np.transpose(velocities)
        p[self._divergence[1]] = np.transpose(pressures)
        return x, p[self._keeper]

    @property
    def open_shares(self) -> np.ndarray:
        """Open share of the upper faces across each axis, (dim, voxels)."""
        return np.stack([load.reshape(self.grid.dim, -1)[a] for a, load in enumerate(self._loads)]) / (
            self.grid.voxel_volume
        )

    @property
    def wet(self) -> np.ndarray:
        """Which voxels hold fluid through which something flows, (voxels,)."""
        carried = np.zeros(self.grid.size, dtype=bool)
        carried[self._divergence[1]] = True
        return carried[self._keeper]

    def opening_growth(self, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the voxels whose upper face across an axis a wall cuts, and how its open area grows."""
        opening = self._distances.boxes((axis,), flat=(axis,))
        return opening.cut, opening.section * self.grid.voxel_volume / self.grid.spacing[axis]

    def strain_growth(self) -> np.ndarray:
        """Return how the weights of the strains in the dissipation grow as walls recede."""
        growth = np.zeros(self.strain.weights.size)
        for family, numbers in self.strain.numbers.items():
            found = self._middle if len(family) == 1 else self._distances.boxes(family)
            factor = self.grid.voxel_volume * (2.0 if len(family) == 1 else 1.0)
            np.add.at(growth, numbers[found.cut], factor * found.section)
        return growth

    def slips(self, slip_length: SlipLength) -> np.ndarray:
        """Return the slip length of each piece of wall, or refuse; errors are those of `system`."""
        given = (
            dict.fromkeys(self.labels, slip_length) if not isinstance(slip_length, Mapping) else slip_length
        )
        right = all(
            isinstance(given.get(label), int | float | np.number)
            and not isinstance(given[label], bool)
            and given[label] >= 0
            for label in self.labels
        )
        if not right:
            raise InputError(
                "slip_length",
                got=repr(slip_length),
                wanted=f"a length of at least 0, or one for each of the walls {list(self.labels)}",
                cure="pass 0.0 for walls without slip and float('inf') for walls without drag",
            )
        slips = np.array([float(given[label]) for label in self.labels])
        found = slips[np.searchsorted(self.labels, self.pieces.labels)]
        if np.all(np.isinf(found)) and self._leaves_free():
            raise InputError(
                "slip_length",
                got="infinity on walls that leave a direction free",
                wanted="a finite slip length, or walls across every direction",
                cure="without drag nothing limits this flow: its permeability is infinite",
            )
        return found

    def _leaves_free(self) -> bool:
        grip = (self.pieces.normals.T * self.pieces.areas) @ self.pieces.normals
        lowest = np.linalg.eigvalsh(grip)[0]
        return bool(lowest < _RIGID * self.wall_area)

    @cached_property
    def walls(self) -> WallRows:
        """The rows of the wall term."""
        return wall_rows(self.pieces, self.strain, self.grid.voxel_volume, min(self.grid.spacing))

    @cached_property
    def _bulk(self) -> csr_array:
        """The dissipation and the part of the wall term that no slip length changes."""
        return squares(self.strain.matrix, self.strain.weights) + self.walls.fixed()

    @cached_property
    def _active(self) -> np.ndarray:
        """Numbers of the velocities that a flux, a strain or a piece of wall sees."""
        seen = np.zeros(self.grid.dim * self.grid.size, dtype=bool)
        seen[self.strain.matrix.indices] = True
        seen[self.walls.slip.indices] = True
        for axis, found in enumerate(self._faces):
            seen[axis * self.grid.size + found.voxels] = True
        return np.flatnonzero(seen)

    @cached_property
    def _fixed(self) -> csr_array:
        rows = self._second_differences()
        return self._bulk + squares(rows, np.full(rows.indptr.size - 1, _SMOOTHNESS * self.grid.voxel_volume))

    @cached_property
    def _kept(self) -> np.ndarray:
        """Numbers of the unknowns: the velocities that some dissipation settles."""
        diagonal = self._fixed.diagonal()[self._active]
        return self._active[diagonal > _UNSETTLED * diagonal.max()]

    def _second_differences(self) -> csr_array:
        """Return rows (u_- - 2 u + u_+) / h of neighbours on a line at least one of which is near a wall.

        A line that enters solid and leaves it again is not followed: the two sides have nothing in common.
        """
        grid, blocks = self.grid, []
        active = np.zeros(grid.dim * grid.size, dtype=bool)
        active[self._active] = True
        for component, known in enumerate(active.reshape(grid.dim, -1)):
            share = self._distances.boxes((component,)).share
            for axis in range(grid.dim):
                middle = np.flatnonzero(known)
                low, high = (grid.neighbours(middle, grid.step(axis, by)) for by in (-1, 1))
                ends = np.minimum(share[low], share[high])
                chosen = known[low] & known[high] & (ends <= share[middle] + _EQUAL) & (ends < 1)
                entries = Entries((int(chosen.sum()), active.size))
                for voxels, weight in ((low, 1.0), (middle, -2.0), (high, 1.0)):
                    number = component * grid.size + voxels[chosen]
                    entries.add(np.arange(number.size), number, weight / grid.spacing[axis])
                blocks.append(entries.matrix())
        return csr_array(vstack(blocks, format="csr"))

    @cached_property
    def _loads(self) -> np.ndarray:
        grid = self.grid
        loads = np.zeros((grid.dim, grid.dim * grid.size))
        for axis, found in enumerate(self._faces):
            loads[axis, axis * grid.size + found.voxels] = found.areas * grid.spacing[axis]
        return loads

    @cached_property
    def _keeper(self) -> np.ndarray:
        return _keepers(self.grid, self._middle.share, self._faces)

    @cached_property
    def _divergence(self) -> tuple[csr_array, np.ndarray]:
        """The flux out of each cell through faces that are unknowns, and the voxels of these cells."""
        grid = self.grid
        keeper = self._keeper
        entries = Entries((grid.size, grid.dim * grid.size))
        for axis, found in enumerate(self._faces):
            number = axis * grid.size + found.voxels
            entries.add(keeper[found.voxels], number, found.areas)
            entries.add(keeper[grid.neighbours(found.voxels, grid.step(axis))], number, -found.areas)
        whole = csr_array(entries.matrix()[:, self._kept])
        cells = np.flatnonzero(np.diff(whole.indptr))
        return csr_array(whole[cells]), cells


def _through(grid: Grid, faces: Sequence[OpenFaces], share: np.ndarray) -> tuple[list[OpenFaces], float]:
    """Return the open faces of pores that wind through the cell, and the share of the cell in other pores."""
    starts = [found.voxels for found in faces]
    ends = [grid.neighbours(found.voxels, grid.step(axis)) for axis, found in enumerate(faces)]
    shifts = np.zeros((sum(map(len, starts)), grid.dim), dtype=np.int64)
    first = 0
    for axis, (start, count) in enumerate(zip(starts, grid.shape, strict=True)):
        place = np.unravel_index(start, grid.shape)[axis]
        shifts[first : first + len(start), axis] = place == count - 1
        first += len(start)
    part, winds = winding_parts(np.concatenate(starts), np.concatenate(ends), shifts, grid.size)
    if not winds.any():
        raise ImageError(
            "geometry",
            got="pores that lead nowhere: the permeability is exactly zero",
            wanted="a path through the cell",
            cure="look at the geometry, or at the threshold of the image",
        )
    through = winds[part]
    kept = [
        OpenFaces(found.voxels[found_in], found.areas[found_in])
        for found in faces
        for found_in in [through[found.voxels]]
    ]
    return kept, float(share[~through].sum() / grid.size)


def _keepers(grid: Grid, share: np.ndarray, faces: Sequence[OpenFaces]) -> np.ndarray:
    """Return the voxel whose pressure each one has: itself, or through its widest face a fuller one."""
    keeper, widest = np.arange(grid.size), np.zeros(grid.size)
    for axis, found in enumerate(faces):
        beyond = grid.neighbours(found.voxels, grid.step(axis))
        for here, there in ((found.voxels, beyond), (beyond, found.voxels)):
            wider = found.areas > widest[here] * (1 + _EQUAL)
            joined = (share[here] < _SMALL) & (share[there] > share[here] + _EQUAL) & wider
            keeper[here[joined]] = there[joined]
            widest[here[joined]] = found.areas[joined]
    # Each step leads to a fuller voxel, so that following them ends.
    while np.any(keeper != keeper[keeper]):
        keeper = keeper[keeper]
    return keeper
