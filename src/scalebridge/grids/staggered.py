"""Stokes flow on a staggered (MAC) grid: velocities on the voxels' faces, pressures in their centres.

The discrete problem minimises the dissipation less the power of the load, under conservation of volume:
1/2 x'Ax - b'x with D x = 0.  A is a sum of squared differences of neighbouring face velocities, each weighted
by the volume it stands for; walls lie on voxel faces. On such walls without slip the gradient form
used here has the same dissipation as the strain form, because the two differ by a divergence.
Harlow & Welch, Phys. Fluids 8 (1965) 2182.
"""

import itertools
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_array, diags_array

from scalebridge.core.errors import ImageError, InputError

End = Literal["periodic", "symmetric", "open", "wall"]
"""What lies beyond the two ends of an axis. "symmetric": nothing flows through, and no shear (the image goes
on as its reflection). "open": the pressure is zero and nothing flows along the face, as for a flow along this
axis through the reflected image. "wall": no slip."""

_NONE, _WALL = -2, -1  # in place of a neighbour's number: no link at all, and a link to a velocity of zero
_MOST = np.iinfo(np.int32).max


@dataclass(frozen=True)
class StaggeredSystem:
    """The saddle system [[A, -D'], [-D, 0]] [x; p] = [b_i; 0] of Stokes flow of unit viscosity in a cell.

    Args:
        shape: number of voxels along each axis.
        spacing: edge lengths of a voxel, in any unit.
        faces: for each axis d the flat (C order) index in `shape` of the voxel whose upper d-face carries
            each unknown, ascending; unknowns are numbered axis after axis. At an open lower end the voxel
            above the face is meant, as ~index; these come last of their axis.
        cells: flat index of each pressure's voxel, ascending.
        viscous: A, symmetric positive definite, with the walls.
        divergence: D, shape (cells, unknowns): the flux out of each cell.
        loads: b, shape (dim, unknowns): the power of a unit velocity under a unit force along each axis, so
            that the permeability is K_ij = loads[j] . x_i / volume.
        volume: volume of the whole cell, pores and solid.
        slip_slope: S = -dA/d(slip length), positive semidefinite, of this very discretisation, so that
            dK_ij/d(slip length) = x_i' S x_j / volume with no further solve; None where it is not known.
    """

    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    faces: tuple[np.ndarray, ...]
    cells: np.ndarray
    viscous: csr_array
    divergence: csr_array
    loads: np.ndarray
    volume: float
    slip_slope: csr_array | None

    @property
    def dim(self) -> int:
        """Number of space dimensions."""
        return len(self.shape)

    @property
    def parts(self) -> tuple[slice, ...]:
        """The unknowns of each axis."""
        stops = list(itertools.accumulate(len(found) for found in self.faces))
        return tuple(slice(stop - len(found), stop) for stop, found in zip(stops, self.faces, strict=True))


def assemble_staggered(
    pores: np.ndarray,
    spacing: tuple[float, ...],
    ends: tuple[End, ...] | None = None,
    slip_length: float = 0.0,
) -> StaggeredSystem:
    """Assemble Stokes flow in the pores of a voxel image.

    A velocity sits on each face between two pore voxels. Along its own axis d it is linked to the next faces
    with weight V/h_d^2 (V a voxel's volume), across it with V/h_e^2; to a wall half a voxel away with
    V/h_e/(h_e/2 + slip), to an edge that juts into the pores (one of the two voxels beyond is solid) with
    V/h_e^2. A plane channel of H voxels comes out as (H^2 + 2)/12 instead of H^2/12, exactly.

    Args:
        pores: booleans, shape (x, y) or (x, y, z).
        spacing: edge lengths of a voxel.
        ends: what lies beyond each axis; periodic unless given.
        slip_length: Navier's slip length on walls, in the unit of `spacing`, finite and not negative. Not
            on ends of kind "wall".

    Returns:
        the system; a pore voxel without any open face carries no pressure.

    Raises:
        ImageError: no booleans, or pores without a face between two of them.
        InputError: a slip length that is negative or not finite, or one on walls that are not planes.

    Limits: with slip only walls along whole planes are right, `walls_are_planes`.

    Cost: some 0.3 kB a pore voxel in 3-D for the system, twice that on the way.

    Example:
        >>> channel = np.array([[False, True, True, False]])
        >>> system = assemble_staggered(channel, (1.0, 1.0))
        >>> x = np.linalg.solve(system.viscous.toarray(), system.loads[0])
        >>> round(float(system.loads[0] @ x) / 2.0, 12)  # per open area: (4 + 2)/12
        0.5
    """
    kinds: tuple[End, ...] = ("periodic",) * pores.ndim if ends is None else ends
    _refuse(pores, spacing, kinds, slip_length)
    numbers, faces = _number(pores, kinds)
    volume = math.prod(spacing)
    viscous, slopes, loads = [], [], np.zeros((pores.ndim, sum(len(f) for f in faces)))
    first = 0
    for axis, numbered in enumerate(numbers):
        places = _places(faces[axis], pores.shape, axis)
        share = _shares(places[axis], pores.shape[axis], kinds[axis])
        block, slope = _viscous(pores, places, numbered - first, spacing, kinds, axis, slip_length)
        viscous.append(block)
        slopes.append(slope)
        loads[axis, first : first + len(share)] = volume * share
        first += len(share)
    divergence, cells = _divergence(pores, numbers, spacing, first)
    return StaggeredSystem(
        pores.shape,
        tuple(float(h) for h in spacing),
        faces,
        cells,
        _diagonal_blocks(viscous),
        divergence,
        loads,
        volume * pores.size,
        csr_array(diags_array(np.concatenate(slopes))),
    )


def walls_are_planes(pores: np.ndarray, ends: tuple[End, ...] | None = None) -> bool:
    """Return whether no edge of the solid juts into the pores: each pore is then a box with plane walls.

    Voxels' faces are right walls for a slip only there: the staircase that they make of an oblique wall
    holds the fluid back at every step, however fine it is.

    Example:
        >>> bool(walls_are_planes(np.array([[False, True, True]] * 3)))
        True
        >>> bool(walls_are_planes(np.array([[True, True, True], [True, False, True], [True, True, True]])))
        False
    """
    kinds = ("periodic",) * pores.ndim if ends is None else ends
    for pair in itertools.combinations(range(pores.ndim), 2):
        count = pores.astype(np.uint8)
        for axis in pair:
            if kinds[axis] == "periodic":
                count = count + np.roll(count, -1, axis)
            else:
                keep = [slice(None)] * pores.ndim
                keep[axis] = slice(0, -1)
                count = (count + np.roll(count, -1, axis))[tuple(keep)]
        if np.any(count == 3):
            return False
    return True


def _refuse(pores: np.ndarray, spacing: tuple[float, ...], ends: tuple[End, ...], slip: float) -> None:
    if pores.dtype != np.bool_ or pores.ndim not in (2, 3) or pores.size > _MOST // 8:
        raise ImageError(
            "pores",
            got=f"an array of {pores.dtype} and shape {pores.shape}",
            wanted=f"booleans with axes (x, y) or (x, y, z), at most {_MOST // 8} voxels",
            cure="pass labels == pore, or a crop",
        )
    if len(spacing) != pores.ndim or len(ends) != pores.ndim or not all(0 < h < math.inf for h in spacing):
        raise InputError(
            "spacing",
            got=f"{spacing!r} with ends {ends!r}",
            wanted=f"{pores.ndim} positive lengths and as many ends",
            cure="give one of each an axis",
        )
    if not 0.0 <= slip < math.inf:
        raise InputError(
            "slip_length",
            got=repr(slip),
            wanted="a finite number that is not negative",
            cure="give 0 for walls that hold the fluid",
        )
    if slip > 0.0 and not walls_are_planes(pores, ends):
        raise InputError(
            "slip_length",
            got=f"{slip!r} on walls that follow the voxels' faces",
            wanted="walls that are planes along the image's axes",
            cure="use the cut-cell discretisation, whose walls may be curved and oblique",
        )


def _number(pores: np.ndarray, ends: tuple[End, ...]) -> tuple[list[np.ndarray], tuple[np.ndarray, ...]]:
    """Number the open faces: arrays of numbers (-1: closed), one longer along their axis, and the voxels."""
    first, numbers, faces = 0, [], []
    for axis, kind in enumerate(ends):
        upper = pores & np.roll(pores, -1, axis)
        last = _plane(axis, -1)
        if kind != "periodic":
            upper[last] = pores[last] if kind == "open" else False
        found = np.flatnonzero(upper).astype(np.int32)
        shape = list(pores.shape)
        shape[axis] += 1
        numbered = np.full(shape, _WALL, np.int32)
        inner = numbered[(slice(None),) * axis + (slice(1, None),)]
        inner[upper] = np.arange(first, first + found.size, dtype=np.int32)
        first += found.size
        if kind == "periodic":
            numbered[_plane(axis, 0)] = numbered[last]
        if kind == "open":
            low = np.zeros_like(pores)
            low[_plane(axis, 0)] = pores[_plane(axis, 0)]
            ending = np.flatnonzero(low).astype(np.int32)
            numbered[_plane(axis, 0)][pores[_plane(axis, 0)]] = np.arange(first, first + ending.size)
            first += ending.size
            found = np.concatenate([found, ~ending])
        numbers.append(numbered)
        faces.append(found)
    if not first:
        raise ImageError(
            "pores",
            got="no two pore voxels with a common face",
            wanted="pores through which something can flow",
            cure="check which label is the pore",
        )
    return numbers, tuple(faces)


def _plane(axis: int, place: int) -> tuple[slice | int, ...]:
    return (slice(None),) * axis + (place,)


def _places(faces: np.ndarray, shape: tuple[int, ...], axis: int) -> list[np.ndarray]:
    """Return the coordinates of faces: along their axis from 0 (lower end) to the number of voxels."""
    places = list(np.unravel_index(np.where(faces < 0, ~faces, faces), shape))
    places[axis] = np.where(faces < 0, 0, places[axis] + 1)
    return places


def _shares(place: np.ndarray, count: int, end: End) -> np.ndarray:
    """Return which part of a voxel's volume each face stands for: a half at an open end."""
    at_end = (place == 0) | (place == count)
    return np.where(at_end, 0.5, 1.0) if end == "open" else np.ones(place.size)


def _viscous(
    pores: np.ndarray,
    places: list[np.ndarray],
    numbers: np.ndarray,
    spacing: tuple[float, ...],
    ends: tuple[End, ...],
    axis: int,
    slip: float,
) -> tuple[csr_array, np.ndarray]:
    """Assemble one axis's block of A, and the diagonal of -dA/d(slip)."""
    volume, size = math.prod(spacing), places[axis].size
    share = _shares(places[axis], pores.shape[axis], ends[axis])
    columns = np.empty((size, 2 * len(ends) + 1), np.int32)
    values = np.zeros(columns.shape)
    columns[:, -1] = np.arange(size, dtype=np.int32)
    slope = np.zeros(size)
    links = itertools.product(range(len(ends)), (1, -1))
    for link, (other, step) in enumerate(links):
        unit = volume / spacing[other] ** 2 * (1.0 if other == axis else share)
        if other == axis:
            found = _along(places, numbers, axis, step, ends[axis])
            weight = np.where(found == _NONE, 0.0, 1.0)
        else:
            found, weight, walls = _across(pores, places, numbers, axis, other, step, ends)
            slipping = spacing[other] / (spacing[other] / 2.0 + slip)
            weight[walls] = slipping
            slope[walls] += volume / spacing[other] ** 3 * slipping**2 * share[walls]
        weight *= unit
        values[:, -1] += weight
        columns[:, link] = np.maximum(found, 0)
        values[:, link] = np.where(found >= 0, -weight, 0.0)
    return _matrix(columns, values, size), slope


def _along(places: list[np.ndarray], numbers: np.ndarray, axis: int, step: int, end: End) -> np.ndarray:
    """Return the next faces along the faces' own axis."""
    count = numbers.shape[axis] - 1
    moved = list(places)
    moved[axis] = places[axis] + step
    if end == "periodic":
        moved[axis] = (moved[axis] - 1) % count + 1
        return numbers[tuple(moved)]
    beyond = (moved[axis] < 0) | (moved[axis] > count)
    moved[axis] = np.clip(moved[axis], 0, count)
    return np.where(beyond, _NONE if end == "open" else _WALL, numbers[tuple(moved)])


def _across(
    pores: np.ndarray,
    places: list[np.ndarray],
    numbers: np.ndarray,
    axis: int,
    other: int,
    step: int,
    ends: tuple[End, ...],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the next faces across their axis, the links' weights, and which of them end on a wall."""
    count = pores.shape[other]
    moved = list(places)
    moved[other] = places[other] + step
    beyond = (moved[other] < 0) | (moved[other] >= count)
    moved[other] %= count
    found = numbers[tuple(moved)]
    low, high = list(moved), list(moved)
    if ends[axis] == "periodic":
        low[axis], high[axis] = moved[axis] - 1, moved[axis] % pores.shape[axis]
    else:  # beyond an end lies the reflection
        low[axis] = np.maximum(moved[axis] - 1, 0)
        high[axis] = np.minimum(moved[axis], pores.shape[axis] - 1)
    walls = ~(pores[tuple(low)] | pores[tuple(high)])
    weight = np.ones(found.size)
    if ends[other] != "periodic":
        found = np.where(beyond, _NONE if ends[other] == "symmetric" else _WALL, found)
        weight[beyond] = 0.0 if ends[other] == "symmetric" else 2.0
        walls &= ~beyond
    return found, weight, walls


def _divergence(
    pores: np.ndarray, numbers: list[np.ndarray], spacing: tuple[float, ...], unknowns: int
) -> tuple[csr_array, np.ndarray]:
    """Return the flux out of each cell, and the cells that have an open face."""
    cells = np.flatnonzero(pores).astype(np.int32)
    columns = np.empty((cells.size, 2 * pores.ndim), np.int32)
    values = np.empty(columns.shape)
    for axis, numbered in enumerate(numbers):
        area = math.prod(spacing) / spacing[axis]
        for side, sign in ((0, -1.0), (1, 1.0)):
            window = (slice(None),) * axis + (slice(side, side + pores.shape[axis]),)
            found = numbered[window][pores]
            columns[:, 2 * axis + side] = np.maximum(found, 0)
            values[:, 2 * axis + side] = np.where(found >= 0, sign * area, 0.0)
    used = np.any(values != 0.0, axis=1)
    return _matrix(columns[used], values[used], unknowns), cells[used]


def _matrix(columns: np.ndarray, values: np.ndarray, width: int) -> csr_array:
    """Return rows of as many places each as a compressed matrix without its zeros."""
    kept = values != 0.0
    starts = np.zeros(len(values) + 1, np.int32)
    np.cumsum(kept.sum(axis=1), out=starts[1:])
    found = csr_array((values[kept], columns[kept], starts), shape=(len(values), width))
    found.sum_duplicates()  # two voxels along a periodic axis are neighbours on both sides
    return found


def _diagonal_blocks(blocks: list[csr_array]) -> csr_array:
    """Put blocks on the diagonal; scipy's own goes over coordinates, which takes three times the memory."""
    offsets = np.cumsum([0, *(block.indptr.size - 1 for block in blocks)])
    stored = np.cumsum([0, *(block.nnz for block in blocks)])
    indices = [block.indices + np.int32(start) for block, start in zip(blocks, offsets, strict=False)]
    starts = [block.indptr[1:] + np.int32(start) for block, start in zip(blocks, stored, strict=False)]
    return csr_array(
        (
            np.concatenate([block.data for block in blocks]),
            np.concatenate(indices),
            np.concatenate([np.zeros(1, np.int32), *starts]),
        ),
        shape=(int(offsets[-1]), int(offsets[-1])),
    )
