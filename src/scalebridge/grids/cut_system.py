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

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array, vstack

from scalebridge.core.errors import ImageError, InputError
from scalebridge.grids.box import cell_shape
from scalebridge.grids.cut_mirror import MARGIN, Fold, fold_of, through_planes
from scalebridge.grids.cut_operators import EQUAL, Entries, OpenFaces, open_faces, strains, wall_pieces
from scalebridge.grids.cut_sites import Grid, SiteDistances
from scalebridge.grids.cut_walls import WallRows, squares, wall_rows
from scalebridge.grids.percolation import winding_parts
from scalebridge.grids.staggered import StaggeredSystem
from scalebridge.grids.walls import PoreGeometry

SlipLength = float | Mapping[int, float] | np.ndarray
_SMOOTHNESS = 0.01  # weight of the second differences; more brakes flow about spheres of few voxels
_SMALL = 0.25  # voxels with less fluid share a pressure with a neighbour
_UNSETTLED = 1e-9  # relative; a chink between two voxels without fluid
_RIGID = 1e-9  # relative; the wall's grip on a uniform flow below which it has none


@dataclass(frozen=True)
class _Unknowns:
    """What is solved for under the loads that share a system.

    Args:
        kept: numbers of the velocities that some dissipation settles.
        cells: numbers of the voxels with a pressure of their own.
        divergence: the flux out of each of these through faces that are unknowns.
        fold: what the margin has of them; None in a periodic cell.
    """

    kept: np.ndarray
    cells: np.ndarray
    divergence: csr_array
    fold: Fold | None


class CutCell:
    """A periodic cell of pores on a grid, cut once, from which systems for any slip length are made.

    Args:
        geometry: the pores.
        shape: number of voxels along each axis, one number or one for each.
        mirrored: whether the planes through the cell's corner and through its middle mirror the pores, along
            every axis. Then `shape` counts the voxels of the lower half along each axis, and this sample
            alone is cut and solved, with a system for each direction; what follows is said of it.

    Attributes:
        grid: shape and spacing, of a sample with a margin.
        axes: the axes along which pores of a sample lead through; of a periodic cell all are asked.
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

    def __init__(self, geometry: PoreGeometry, shape: int | Sequence[int], *, mirrored: bool = False):
        counts = cell_shape(shape, geometry.edges.size)
        self.geometry, self.mirrored = geometry, mirrored
        edges = geometry.edges / 2 if mirrored else geometry.edges
        margin = MARGIN if mirrored else 0
        spacing = tuple((edges / np.array(counts)).tolist())
        self.grid = Grid(tuple(n + 2 * margin for n in counts), spacing, margin)
        self._distances = SiteDistances(geometry, self.grid)
        self._middle = self._distances.boxes(())
        self.porosity = float(self.grid.inner(self._middle.share).mean())
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
        self._faces, self.isolated, self.axes = _through(self.grid, every, self._middle.share)
        self.wall_area = float(self._areas.sum())
        self.labels = tuple(np.unique(self.pieces.labels).tolist())
        self._unknowns: dict[int, _Unknowns] = {}

    def system(self, slip_length: SlipLength = 0.0, axis: int = 0) -> StaggeredSystem:
        """Return the system for a slip length, from 0 (no slip) to infinity (no drag).

        Args:
            slip_length: in the unit of the geometry's edges; one, one for each wall label, or an array with
                one for each piece of wall in `own`.
            axis: of the load, where the cell is mirrored.

        Returns:
            the system. `slip_slope` is its derivative when all slip lengths grow alike; `slip_slope` of this
            class has that of one wall.

        Raises:
            InputError: a negative slip length, a label without one, or perfect slip on walls that leave a
                direction free, where nothing limits the flow.
        """
        slips, walls = self.slips(slip_length), self.walls
        found = self._solved_for(axis)
        faces, order = self._sorted(found.kept)
        kept = found.kept[order]
        form = walls.slipping(walls.areas / (slips + walls.depths))
        return StaggeredSystem(
            self.grid.sample,
            self.grid.spacing,
            faces,
            self._in_sample(found.cells),
            self._restricted(csr_array(self._fixed + form), found, kept),
            csr_array(found.divergence[:, order]),
            self._loads[:, kept],
            self.grid.volume,
            self._restricted(self._slope(slip_length, None), found, kept),
        )

    def slip_slope(self, slip_length: SlipLength, label: int | None = None, axis: int = 0) -> csr_array:
        """Return S = -dA/d(slip length) of all walls or of those with one label, positive semidefinite.

        Then dK_ij/d(slip length) = x_i' S x_j / volume with the solutions at that slip length.
        """
        found = self._solved_for(axis)
        kept = found.kept[self._sorted(found.kept)[1]]
        return self._restricted(self._slope(slip_length, label), found, kept)

    def _slope(self, slip_length: SlipLength, label: int | None) -> csr_array:
        slips, walls = self.slips(slip_length), self.walls
        chosen = 1.0 if label is None else walls.labels == label
        return walls.slipping(chosen * walls.areas / (slips + walls.depths) ** 2)

    def spread(
        self, velocities: Sequence[np.ndarray], pressures: Sequence[np.ndarray], axes: Sequence[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the solutions of cases on all faces and voxels, cases last.

        Args:
            velocities: (unknowns,) of each case.
            pressures: (cells,) of each case.
            axes: along which each case's load is.
        """
        x, p = np.zeros((self.grid.dim * self.grid.size, len(axes))), np.zeros((self.grid.size, len(axes)))
        for case, axis in enumerate(axes):
            found = self._solved_for(axis)
            x[found.kept[self._sorted(found.kept)[1]], case] = velocities[case]
            p[found.cells, case] = pressures[case]
            p[:, case] = p[self._keeper, case]
            if found.fold is not None:
                x[:, case] = found.fold.sign * x[found.fold.velocity, case]
                p[:, case] = found.fold.cell_sign * p[found.fold.cell, case]
        return x, p

    @property
    def open_shares(self) -> np.ndarray:
        """Open share of the upper faces across each axis, (dim, voxels)."""
        shares = np.zeros((self.grid.dim, self.grid.size))
        for axis, found in enumerate(self._faces):
            shares[axis, found.voxels] = found.areas * self.grid.spacing[axis] / self.grid.voxel_volume
        return shares

    @property
    def wet(self) -> np.ndarray:
        """Which voxels of the sample hold fluid through which something flows, (voxels,)."""
        carried = np.zeros(self.grid.size, dtype=bool)
        for axis in self.axes if self.mirrored else (0,):
            carried[self._solved_for(axis).cells] = True
        return np.logical_and(carried[self._keeper], self.grid.part(()) > 0)

    def opening_growth(self, axis: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the voxels whose upper face across an axis a wall cuts, and how its open area grows."""
        opening = self._distances.boxes((axis,), flat=(axis,))
        growth = opening.section * self.grid.voxel_volume / self.grid.spacing[axis]
        return opening.cut, growth * self.grid.part((axis,))[opening.cut]

    def strain_growth(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Yield the numbers of strains, their points, and how their weights grow as walls recede."""
        for family, numbers in self.strain.numbers.items():
            normal = len(family) == 1
            found = self._middle if normal else self._distances.boxes(family)
            part = self.grid.part(() if normal else family)[found.cut]
            growth = self.grid.voxel_volume * (2.0 if normal else 1.0) * part * found.section
            yield numbers[found.cut], self.grid.points(found.cut, () if normal else family), growth

    @cached_property
    def own(self) -> np.ndarray:
        """Numbers of the pieces of wall without those in the margin."""
        return np.flatnonzero(self.grid.part(())[self.pieces.voxels])

    def slip_density(
        self,
        slip_length: SlipLength,
        velocities: Sequence[np.ndarray],
        pressures: Sequence[np.ndarray],
        axes: Sequence[int],
    ) -> np.ndarray:
        """Return dK_ij/d(slip length of each piece of wall in `own`), (pieces, cases, cases).

        Arguments are those of `spread`; their sum over pieces is the derivative by one slip length.
        """
        x, _ = self.spread(velocities, pressures, axes)
        walls, own = self.walls, self.own
        rows = (walls.slip @ x).reshape(-1, walls.dim, len(axes))[own]
        weights = walls.areas[own] / (self.slips(slip_length)[own] + walls.depths[own]) ** 2
        found = np.einsum("m,mdi,mdj->mij", weights, rows, rows) / self.grid.volume
        return found * np.eye(len(axes)) if self.mirrored else found

    def slips(self, slip_length: SlipLength) -> np.ndarray:
        """Return the slip length of each piece of wall, or refuse; errors are those of `system`."""
        if isinstance(slip_length, np.ndarray):
            return self._slips_of_pieces(slip_length)
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

    def _slips_of_pieces(self, given: np.ndarray) -> np.ndarray:
        if given.shape != self.own.shape or not np.all((given >= 0) & np.isfinite(given)):
            raise InputError(
                "slip_length",
                got=f"an array of shape {given.shape} from {given.min(initial=0.0)!r}",
                wanted=f"finite lengths of at least 0, one for each of {self.own.size} pieces of wall",
                cure="take them at the places of the pieces of wall",
            )
        found = np.zeros(self.pieces.areas.size)
        found[self.own] = given
        return found

    def _leaves_free(self) -> bool:
        grip = (self.pieces.normals.T * self._areas) @ self.pieces.normals
        if self.mirrored:  # images cancel what is not on the diagonal
            grip = np.diag(np.diagonal(grip))
        lowest = np.linalg.eigvalsh(grip)[0]
        return bool(lowest < _RIGID * self.wall_area)

    @cached_property
    def walls(self) -> WallRows:
        """The rows of the wall term; walls in the margin have no area."""
        found = wall_rows(self.pieces, self.strain, self.grid.voxel_volume, min(self.grid.spacing))
        return replace(found, areas=self._areas)

    @property
    def _areas(self) -> np.ndarray:
        return self.pieces.areas * self.grid.part(())[self.pieces.voxels]

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
        rows, weights = self._second_differences()
        return self._bulk + squares(rows, weights)

    def _solved_for(self, axis: int) -> _Unknowns:
        """Return the unknowns of a load along an axis; of a periodic cell they are the same for all."""
        key = axis if self.mirrored else 0
        if key not in self._unknowns:
            fold = fold_of(self.grid, axis) if self.mirrored else None
            active, diagonal = self._active, self._fixed.diagonal()
            if fold is not None:
                diagonal = fold.both(self._fixed).diagonal()
                active = active[(fold.velocity[active] == active) & (fold.sign[active] != 0)]
            kept = active[diagonal[active] > _UNSETTLED * diagonal[active].max()]
            whole = csr_array(self._outflow[:, kept])
            cells = np.flatnonzero(np.diff(whole.indptr))
            self._unknowns[key] = _Unknowns(kept, cells, csr_array(whole[cells]), fold)
        return self._unknowns[key]

    def _restricted(self, form: csr_array, found: _Unknowns, kept: np.ndarray) -> csr_array:
        whole = form if found.fold is None else found.fold.both(form)
        return csr_array(whole[kept][:, kept])

    def _sorted(self, kept: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """Return the faces of unknowns as `StaggeredSystem` names them, and the unknowns' order in it."""
        faces, order, first = [], [], 0
        for axis in range(self.grid.dim):
            own = kept[(kept >= axis * self.grid.size) & (kept < (axis + 1) * self.grid.size)]
            voxels = own - axis * self.grid.size
            ending = self.grid.places(voxels)[:, axis] < 0
            above = self.grid.neighbours(voxels[ending], self.grid.step(axis))
            upper = self._in_sample(voxels[~ending])
            faces.append(np.concatenate([upper, ~self._in_sample(above)]))
            order += [first + np.flatnonzero(~ending), first + np.flatnonzero(ending)]
            first += own.size
        return tuple(faces), np.concatenate(order)

    def _in_sample(self, voxels: np.ndarray) -> np.ndarray:
        return np.asarray(np.ravel_multi_index(tuple(self.grid.places(voxels).T), self.grid.sample))

    def _second_differences(self) -> tuple[csr_array, np.ndarray]:
        """Return rows (u_- - 2 u + u_+) / h of neighbours on a line at least one of which is near a wall.

        And the weight of each row's square.

        A line that enters solid and leaves it again is not followed: the two sides have nothing in common.
        """
        grid, blocks, weights = self.grid, [], []
        active = np.zeros(grid.dim * grid.size, dtype=bool)
        active[self._active] = True
        for component, known in enumerate(active.reshape(grid.dim, -1)):
            share, part = self._distances.boxes((component,)).share, grid.part((component,))
            for axis in range(grid.dim):
                middle = np.flatnonzero(known & (part > 0))
                low, high = (grid.neighbours(middle, grid.step(axis, by)) for by in (-1, 1))
                ends = np.minimum(share[low], share[high])
                chosen = known[low] & known[high] & (ends <= share[middle] + EQUAL) & (ends < 1)
                entries = Entries((int(chosen.sum()), active.size))
                for voxels, weight in ((low, 1.0), (middle, -2.0), (high, 1.0)):
                    number = component * grid.size + voxels[chosen]
                    entries.add(np.arange(number.size), number, weight / grid.spacing[axis])
                blocks.append(entries.matrix())
                weights.append(_SMOOTHNESS * grid.voxel_volume * part[middle[chosen]])
        return csr_array(vstack(blocks, format="csr")), np.concatenate(weights)

    @cached_property
    def _loads(self) -> np.ndarray:
        grid = self.grid
        loads = np.zeros((grid.dim, grid.dim * grid.size))
        for axis, found in enumerate(self._faces):
            volumes = found.areas * grid.spacing[axis] * grid.part((axis,))[found.voxels]
            loads[axis, axis * grid.size + found.voxels] = volumes
        return loads

    @cached_property
    def _keeper(self) -> np.ndarray:
        faces = self._faces
        if self.mirrored:  # not across a plane, beyond which is an image
            inside = [self.grid.part((axis,))[found.voxels] == 1 for axis, found in enumerate(faces)]
            faces = [OpenFaces(f.voxels[kept], f.areas[kept]) for f, kept in zip(faces, inside, strict=True)]
        return _keepers(self.grid, self._middle.share, faces)

    @cached_property
    def _outflow(self) -> csr_array:
        """The flux out of each voxel of the sample with a pressure of its own, (voxels, all velocities)."""
        grid = self.grid
        keeper, inside = self._keeper, grid.part(()) > 0
        entries = Entries((grid.size, grid.dim * grid.size))
        for axis, found in enumerate(self._faces):
            number, beyond = axis * grid.size + found.voxels, grid.neighbours(found.voxels, grid.step(axis))
            for voxels, sign in ((found.voxels, 1.0), (beyond, -1.0)):
                own = inside[voxels]
                entries.add(keeper[voxels[own]], number[own], sign * found.areas[own])
        return entries.matrix()


def _through(
    grid: Grid, faces: Sequence[OpenFaces], share: np.ndarray
) -> tuple[list[OpenFaces], float, tuple[int, ...]]:
    """Return the open faces of pores that lead through the cell, the share of other pores, and the axes."""
    leads = through_planes(grid, faces) if grid.margin else _winding(grid, faces)[:, None]
    through = np.asarray(leads.any(axis=1))
    if not through.any():
        raise ImageError(
            "geometry",
            got="pores that lead nowhere: the permeability is exactly zero",
            wanted="a path through the cell",
            cure="look at the geometry, or at the threshold of the image",
        )
    kept = []
    for axis, found in enumerate(faces):
        beyond = grid.neighbours(found.voxels, grid.step(axis))
        open_to = through[found.voxels] | through[beyond]
        kept.append(OpenFaces(found.voxels[open_to], found.areas[open_to]))
    axes = np.flatnonzero(leads.any(axis=0)) if grid.margin else np.arange(grid.dim)
    closed = grid.inner(np.where(through, 0.0, share))
    return kept, float(closed.mean()), tuple(axes.tolist())


def _winding(grid: Grid, faces: Sequence[OpenFaces]) -> np.ndarray:
    """Return which voxels lie in pores that wind through a periodic cell."""
    starts = [found.voxels for found in faces]
    ends = [grid.neighbours(found.voxels, grid.step(axis)) for axis, found in enumerate(faces)]
    shifts = np.zeros((sum(map(len, starts)), grid.dim), dtype=np.int64)
    first = 0
    for axis, (start, count) in enumerate(zip(starts, grid.shape, strict=True)):
        place = np.unravel_index(start, grid.shape)[axis]
        shifts[first : first + len(start), axis] = place == count - 1
        first += len(start)
    part, winds = winding_parts(np.concatenate(starts), np.concatenate(ends), shifts, grid.size)
    return winds[part]


def _keepers(grid: Grid, share: np.ndarray, faces: Sequence[OpenFaces]) -> np.ndarray:
    """Return the voxel whose pressure each one has: itself, or through its widest face a fuller one."""
    keeper, widest = np.arange(grid.size), np.zeros(grid.size)
    for axis, found in enumerate(faces):
        beyond = grid.neighbours(found.voxels, grid.step(axis))
        for here, there in ((found.voxels, beyond), (beyond, found.voxels)):
            wider = found.areas > widest[here] * (1 + EQUAL)
            joined = (share[here] < _SMALL) & (share[there] > share[here] + EQUAL) & wider
            keeper[here[joined]] = there[joined]
            widest[here[joined]] = found.areas[joined]
    # Each step leads to a fuller voxel, so that following them ends.
    while np.any(keeper != keeper[keeper]):
        keeper = keeper[keeper]
    return keeper
