"""The two discretisations as compiled kernels on the host: what a solver in plain memory needs of them.

A grid here has three axes; a 2-D one gets an axis of one voxel between its two, along which nothing changes.
"""

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import threads_for
from scalebridge.core.vectors import dot
from scalebridge.grids import finite_volumes, hexahedra, hexahedra_kernels, volumes_kernels
from scalebridge.grids.transforms import (
    FIXED,
    PERIODIC,
    Inverse,
    SineCosineInverse,
    WaveInverse,
    wave_angles,
)

_PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))  # the order of a tensor's six numbers


@dataclass(frozen=True)
class VoxelTable:
    """Conductivities as kernels take them: a row of numbers a phase, and every voxel's row.

    Args:
        rows: (rows, 1) isotropic, (rows, 3) diagonal, or (rows, 6) in the order xx, yy, zz, yz, xz, xy.
        index: row of every voxel, three axes, unsigned bytes or 32-bit integers.
    """

    rows: np.ndarray
    index: np.ndarray

    def __post_init__(self) -> None:
        # Kernels are compiled for arrays that may be written and for others: for one of them only, then.
        index = self.index.view()
        index.flags.writeable = False
        object.__setattr__(self, "index", index)

    def cast(self, rows: np.ndarray) -> "VoxelTable":
        """Return the same voxels with other rows."""
        return VoxelTable(rows, self.index)


class Arranged:
    """A table's columns as kernels take them, kept between products: mixed voxels have many rows."""

    def __init__(self) -> None:
        self._kept: tuple[np.ndarray, np.dtype, np.ndarray] | None = None

    def of(
        self, rows: np.ndarray, dtype: np.dtype, change: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> np.ndarray:
        """Return rows (rows, columns), changed, as contiguous columns of a type.

        Args:
            rows: the table's; one that is the same object as last time is taken to have the same numbers.
            dtype: type of the fields.
            change: what is done to the rows first, always the same.
        """
        kept = self._kept
        if kept is None or kept[0] is not rows or kept[1] != dtype:
            columns = rows if change is None else change(rows)
            self._kept = kept = (rows, np.dtype(dtype), np.array(columns.T, dtype, order="C"))
        return kept[2]


class VoxelKernels(abc.ABC):
    """A discretisation of  div(A grad u)  on a box of voxels, in compiled loops.

    Args:
        shape: number of voxels along the image's two or three axes.
        spacing: length of a voxel's edges.
        ends: PERIODIC, FIXED (the unknown is zero on both faces) or FREE for each axis; all periodic, or
            none.
    """

    nodal: bool  # whether unknowns sit at the voxels' corners

    def __init__(self, shape: tuple[int, ...], spacing: tuple[float, ...], ends: tuple[int, ...]):
        self.dim = len(shape)
        self.shape = embedded(shape, 1)
        self.spacing = embedded(spacing, 1.0)
        self.ends = embedded(ends, PERIODIC)
        extra = [int(self.nodal and end != PERIODIC) for end in self.ends]
        self.nodes = tuple(count + more for count, more in zip(self.shape, extra, strict=True))
        self._arranged = Arranged()

    @property
    def _threads(self) -> int:
        return threads_for(math.prod(self.nodes))

    @abc.abstractmethod
    def product(
        self, table: VoxelTable, u: np.ndarray, gradient: np.ndarray | None, out: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Write K u, plus the part of a mean gradient if given, to `out`, which may be of a narrower type.

        Returns:
            the product of u with `out` (of its whole gradient with the flux, with hexahedra), and the mean
            flux.
        """

    @abc.abstractmethod
    def slopes(
        self,
        table: VoxelTable,
        first: tuple[np.ndarray, np.ndarray],
        second: tuple[np.ndarray, np.ndarray],
    ) -> np.ndarray:
        """Return d(mean energy of two load cases (u, E)) / d(rows), of the rows' shape."""

    @abc.abstractmethod
    def gradient_field(self, u: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return E + grad u averaged over each voxel, components first, with the image's axes."""

    @abc.abstractmethod
    def flux_field(self, table: VoxelTable, u: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return A (E + grad u) averaged over each voxel, components first, with the image's axes."""

    @abc.abstractmethod
    def _symbol(self, waves: list[np.ndarray], reference: np.ndarray) -> np.ndarray: ...

    def inverse(self, reference: np.ndarray, dtype: np.dtype) -> Inverse:
        """Return the inverse of a homogeneous medium's K.

        Args:
            reference: its tensor; diagonal unless every axis is periodic.
            dtype: type of the fields.
        """
        symbol = self._symbol(wave_angles(self.shape, self.ends, self.nodal), embedded_tensor(reference))
        if symbol.flat[0] <= 0:  # the mean is not determined
            symbol.flat[0] = np.inf
        factors = np.divide(1.0, symbol, out=symbol).astype(dtype)
        if all(end == PERIODIC for end in self.ends):
            return WaveInverse(factors, self.shape)
        return SineCosineInverse(factors, self.ends, self.nodal, self.shape)

    def energies(
        self, table: VoxelTable, cases: list[tuple[np.ndarray, np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of  (E_i + grad u_i) . A (E_j + grad u_j)  of load cases (u, E), and mean fluxes.

        The first is E_i . flux_j + <u_i, forces_j>, which holds for any fields; the fluxes are (cases, dim).
        """
        room = np.empty(self.nodes)
        energy, flux = np.zeros((len(cases), len(cases))), np.zeros((len(cases), self.dim))
        for j, (u, gradient) in enumerate(cases):
            flux[j] = self.product(table, u, gradient, room)[1]
            for i in range(j + 1):
                other, mean = cases[i]
                inner = dot(other, room) / math.prod(self.shape)
                energy[i, j] = energy[j, i] = float(np.dot(mean, flux[j])) + inner
        return energy, flux

    def field(self, u: np.ndarray) -> np.ndarray:
        """Return a field with the image's axes."""
        return u if self.dim == 3 else u[:, 0]

    def _scaled(self, table: VoxelTable, dtype: np.dtype) -> np.ndarray:
        """Return (columns, rows): tensors over the spacings of their axes, in the type of the fields."""
        return self._arranged.of(table.rows, dtype, self._scale_rows)

    def _scale_rows(self, rows: np.ndarray) -> np.ndarray:
        if rows.shape[1] == 1:
            return rows
        return _six(rows) / np.array([self.spacing[i] * self.spacing[j] for i, j in _PAIRS])

    def _mean(self, gradient: np.ndarray | None, dtype: np.dtype) -> np.ndarray:
        if gradient is None:
            return np.zeros(3, dtype)
        return (np.array(embedded(tuple(gradient), 0.0)) * self.spacing).astype(dtype)

    def _summed(self, sums: list[tuple[float, ...]]) -> tuple[float, np.ndarray]:
        """Add up what the slabs returned: the product, and the mean flux in the image's axes."""
        product, *flux = np.sum(sums, axis=0)
        mean = np.array(flux) * self.spacing / math.prod(self.shape)
        return float(product), mean[list(_kept_axes(self.dim))]

    def _zero_fixed(self, out: np.ndarray) -> None:
        for axis, end in enumerate(self.ends):
            if self.nodal and end == FIXED:
                planes = np.moveaxis(out, axis, 0)
                planes[0] = 0
                planes[-1] = 0


class HexahedraKernels(VoxelKernels):
    """Trilinear hexahedra with full integration; see `grids/hexahedra.py`."""

    nodal = True

    def product(
        self, table: VoxelTable, u: np.ndarray, gradient: np.ndarray | None, out: np.ndarray
    ) -> tuple[float, np.ndarray]:
        dtype, pieces, columns = u.dtype, self._threads, self._scaled(table, u.dtype)
        edges = np.empty((pieces, *self.nodes[1:]), dtype)
        room = np.zeros((pieces, 10, self.nodes[2] + 2), dtype)
        duals = np.zeros((pieces, 7, self.nodes[2] + 2), dtype) if len(columns) > 1 else None
        sums = in_slabs(
            hexahedra_kernels.forces,
            self.shape[0],
            u,
            table.index,
            columns,
            self._weights(dtype),
            np.array([1 / 4, 1 / 2, 1 / 12, 1 / 144], dtype),
            self._mean(gradient, dtype),
            room,
            duals,
            out,
            edges,
            threads=pieces,
        )
        if self.nodes[0] > self.shape[0]:
            out[-1] = 0
        for piece in range(len(sums)):
            after = ((piece + 1) * self.shape[0] // len(sums)) % self.nodes[0]
            out[after] += edges[piece]
        self._zero_fixed(out)
        return self._summed(sums)

    def slopes(
        self,
        table: VoxelTable,
        first: tuple[np.ndarray, np.ndarray],
        second: tuple[np.ndarray, np.ndarray],
    ) -> np.ndarray:
        columns = 1 if table.rows.shape[1] == 1 else 6
        out = np.zeros((self._threads, len(table.rows), columns))
        in_slabs(
            hexahedra_kernels.slopes,
            self.shape[0],
            first[0],
            second[0],
            table.index,
            columns,
            self._mode_weights(),
            self._mean(first[1], np.dtype(float)),
            self._mean(second[1], np.dtype(float)),
            out,
            threads=self._threads,
        )
        found = out.sum(axis=0) / math.prod(self.shape)
        if columns == 6:
            found /= [self.spacing[i] * self.spacing[j] for i, j in _PAIRS]
        return found[:, : table.rows.shape[1]]

    def gradient_field(self, u: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        return _differences(u, self.shape, self.spacing, gradient, self.dim)

    def flux_field(self, table: VoxelTable, u: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        local = self.gradient_field(u, gradient)
        index, kept = self.field(table.index), _kept_axes(self.dim)
        rows = table.rows
        if rows.shape[1] < 6:
            return np.stack([rows[:, axis % rows.shape[1]][index] * local[a] for a, axis in enumerate(kept)])
        full = {pair: rows[:, column] for column, pair in enumerate(_PAIRS)}
        full |= {(j, i): values for (i, j), values in full.items()}
        return np.stack([sum(full[i, j][index] * local[b] for b, j in enumerate(kept)) for i in kept])

    def _symbol(self, waves: list[np.ndarray], reference: np.ndarray) -> np.ndarray:
        return np.asarray(hexahedra.symbol_of(waves, self.spacing, reference))

    def _weights(self, dtype: np.dtype) -> np.ndarray:
        """Weights of an isotropic voxel as the product wants them: z alone, then a and b of x, y and xy."""
        z, x, xz, y, yz, xy, xyz = self._mode_weights()
        pairs = ((x, xz), (y, yz), (xy, xyz))
        return np.array([z, *(f for s, d in pairs for f in (s / 4 + d, s / 4 - d))], dtype)

    def _mode_weights(self) -> np.ndarray:
        """Energies of the corner modes z, x, xz, y, yz, xy, xyz of an isotropic voxel."""
        x, y, z = (1.0 / edge**2 for edge in self.spacing)
        v = 1.0 / 12.0  # variance of a coordinate that is uniform on a unit interval
        return np.array([z, x, v * (x + z), y, v * (y + z), v * (x + y), v * v * (x + y + z)])


class VolumesKernels(VoxelKernels):
    """Staggered finite volumes; see `grids/finite_volumes.py`."""

    nodal = False

    def product(
        self, table: VoxelTable, u: np.ndarray, gradient: np.ndarray | None, out: np.ndarray
    ) -> tuple[float, np.ndarray]:
        sums = in_slabs(
            volumes_kernels.forces,
            self.shape[0],
            u,
            table.index,
            self._faces(table, u.dtype),
            self._mean(gradient, u.dtype),
            self.ends,
            np.finfo(u.dtype).tiny,
            out,
            threads=self._threads,
        )
        return self._summed(sums)

    def slopes(
        self,
        table: VoxelTable,
        first: tuple[np.ndarray, np.ndarray],
        second: tuple[np.ndarray, np.ndarray],
    ) -> np.ndarray:
        faces = self._faces(table, np.dtype(float))
        out = np.zeros((self._threads, *faces.shape))
        in_slabs(
            volumes_kernels.slopes,
            self.shape[0],
            first[0],
            second[0],
            table.index,
            faces,
            self._mean(first[1], np.dtype(float)),
            self._mean(second[1], np.dtype(float)),
            self.ends,
            out,
            threads=self._threads,
        )
        found = out.sum(axis=0) / np.square(self.spacing) / math.prod(self.shape)
        return found if table.rows.shape[1] == 3 else found.sum(axis=1, keepdims=True)

    def gradient_field(self, u: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        found = []
        for axis in _kept_axes(self.dim):
            low, high = _beyond(u, axis, self.ends[axis])
            slope = gradient[_kept_axes(self.dim).index(axis)] + (high - low) / (2 * self.spacing[axis])
            found.append(self.field(slope))
        return np.stack(found)

    def flux_field(self, table: VoxelTable, u: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        columns = table.rows.shape[1]
        found = []
        for place, axis in enumerate(_kept_axes(self.dim)):
            here = table.rows[:, axis if columns == 3 else 0][table.index]
            mean = gradient[place]
            low, high = _beyond(u, axis, self.ends[axis])
            low_k, high_k = (np.abs(k) for k in _beyond(here, axis, self.ends[axis]))
            into = _harmonic(low_k, here) * (mean + (u - low) / self.spacing[axis])
            out = _harmonic(here, high_k) * (mean + (high - u) / self.spacing[axis])
            found.append(self.field(0.5 * (into + out)))
        return np.stack(found)

    def _faces(self, table: VoxelTable, dtype: np.dtype) -> np.ndarray:
        """Three columns always: the coefficient over the spacing squared, axis by axis."""
        rows = np.broadcast_to(table.rows, (len(table.rows), 3))
        return np.asfortranarray(rows / np.square(self.spacing), dtype)

    def _symbol(self, waves: list[np.ndarray], reference: np.ndarray) -> np.ndarray:
        return np.array(finite_volumes.symbol_of(waves, self.spacing, reference))


def embedded(numbers: tuple, middle: float) -> tuple:
    """Put a 2-D grid's axis of one voxel between its two axes."""
    return tuple(numbers) if len(numbers) == 3 else (numbers[0], middle, numbers[1])


def embedded_tensor(tensor: np.ndarray) -> np.ndarray:
    """Give a 2-D tensor a middle axis that conducts nothing."""
    if tensor.shape[0] == 3:
        return np.asarray(tensor, float)
    found = np.zeros((3, 3))
    found[np.ix_((0, 2), (0, 2))] = tensor
    return found


def voxel_table(table: np.ndarray, index: np.ndarray) -> VoxelTable:
    """Arrange phase values for the kernels.

    Args:
        table: (phases,) isotropic, (phases, dim) diagonal or (phases, dim, dim) full.
        index: row of every voxel, with the image's two or three axes.
    """
    dim = index.ndim
    shape = embedded(index.shape, 1)
    index = np.ascontiguousarray(index).reshape(shape)
    if table.ndim == 1:
        return VoxelTable(np.asarray(table, float)[:, None], index)
    if table.ndim == 2:
        diagonal = table if dim == 3 else np.stack([table[:, 0], table[:, 0], table[:, 1]], axis=1)
        return VoxelTable(np.asarray(diagonal, float), index)
    full = np.zeros((len(table), 3, 3))
    kept = _kept_axes(dim)
    full[np.ix_(range(len(table)), kept, kept)] = table
    return VoxelTable(np.stack([full[:, i, j] for i, j in _PAIRS], axis=1), index)


def table_slopes(slopes: np.ndarray, rank: int, dim: int) -> np.ndarray:
    """Turn slopes by the kernels' rows into slopes by `voxel_table`'s table, symmetric parts halved."""
    if rank == 0:
        return slopes[:, 0]
    kept = _kept_axes(dim)
    if rank == 1:
        return slopes[:, list(kept)]
    full = np.zeros((len(slopes), 3, 3))
    for column, (i, j) in enumerate(_PAIRS):
        full[:, i, j] = full[:, j, i] = slopes[:, column] * (1.0 if i == j else 0.5)
    return full[np.ix_(range(len(slopes)), kept, kept)]


def _harmonic(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """2 a b / (a + b), and 0 where either is 0."""
    return 2 * a * (b / np.where(a + b > 0, a + b, 1.0))


def _six(rows: np.ndarray) -> np.ndarray:
    """Pad diagonal rows with zeros: the hexahedra know one number or six."""
    return np.pad(rows, ((0, 0), (0, 3))) if rows.shape[1] == 3 else rows


def _kept_axes(dim: int) -> tuple[int, ...]:
    return (0, 1, 2) if dim == 3 else (0, 2)


def _differences(
    u: np.ndarray, shape: tuple[int, ...], spacing: tuple[float, ...], gradient: np.ndarray, dim: int
) -> np.ndarray:
    """Mean gradient in each voxel of a field at the corners."""
    found = np.empty((dim, *shape))
    nodes = np.pad(u, [(0, count + 1 - have) for count, have in zip(shape, u.shape, strict=True)], "wrap")
    for place, axis in enumerate(_kept_axes(dim)):
        field = nodes
        for a in range(3):
            low, high = _shifted(field, a)
            field = (high - low) / spacing[a] if a == axis else 0.5 * (low + high)
        found[place] = field + gradient[place]
    return found if dim == 3 else found[:, :, 0]


def _shifted(field: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    cut: list[slice] = [slice(None)] * 3
    cut[axis] = slice(0, -1)
    low = field[tuple(cut)]
    cut[axis] = slice(1, None)
    return low, field[tuple(cut)]


def _beyond(u: np.ndarray, axis: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours at the low and the high side, with the mirror image's at the ends."""
    low, high = np.roll(u, 1, axis), np.roll(u, -1, axis)
    if end != PERIODIC:
        sign = -1 if end == FIXED else 1
        first, last = [np.moveaxis(field, axis, 0) for field in (low, high)]
        source = np.moveaxis(u, axis, 0)
        first[0], last[-1] = sign * source[0], sign * source[-1]
    return low, high
