"""What equilibrium asks of a box of voxels: strains at points, forces of stresses, products of tangents."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from scalebridge.core.lanes import lanes_of_width
from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import threads_for
from scalebridge.grids import point_kernels, tangent_kernels
from scalebridge.grids.compact_kernels import compact_products
from scalebridge.grids.elastic_hexahedra import ENGINEERING
from scalebridge.grids.implicit_average import ImplicitAverage
from scalebridge.grids.modal_kernels import strips
from scalebridge.grids.plane_kernels import stretches
from scalebridge.grids.point_layout import PointLayout

STRETCH = 384
"""Bytes of a row of numbers that products work on: some seventy of them stay in the nearest cache."""

STRIP = 4200
"""Bytes of one mode of a strip of nodes, of compact tangents: some forty of them stay in the second cache."""

_UPPER = {n: np.triu_indices(n) for n in (6, 9)}


def entry_places(size: int, symmetric: bool) -> np.ndarray:
    """Return where among a point's numbers the entries of its tangent are, (size, size).

    Example:
        >>> entry_places(6, True)[:2, :3].tolist(), int(entry_places(9, False)[8, 8])
        ([[0, 1, 2], [1, 6, 7]], 80)
    """
    if not symmetric:
        return np.arange(size * size).reshape(size, size)
    found = np.zeros((size, size), np.int64)
    found[_UPPER[size]] = np.arange(len(_UPPER[size][0]))
    return np.maximum(found, found.T)


@dataclass(frozen=True)
class Coupling:
    """Stresses that follow an average over a neighbourhood:  ds = b da,  a = average of m . strain.

    Args:
        average: the average.
        stress: b of every driven phase, (components, points).
        strain: m of every driven phase.
        turned: whether this is the transpose, so that the average is.
    """

    average: ImplicitAverage
    stress: dict[int, np.ndarray]
    strain: dict[int, np.ndarray]
    turned: bool = False

    def transposed(self) -> "Coupling":
        """Return the transpose."""
        return Coupling(self.average, self.strain, self.stress, not self.turned)


@dataclass(frozen=True)
class StoredTangent:
    """Tangents at all points.

    Args:
        numbers: flat, phase by phase (numbers, points).
        table: (phases, numbers), of phases without points.
        place: (n, n) where the entries are; None for compact tangents.
        bulk: (phases,) bulk moduli of compact tangents.
        coupling: what stresses owe to averages over a neighbourhood; None for local laws.
        rows: the numbers by stretches of voxels, made at the first product.
    """

    numbers: np.ndarray
    table: np.ndarray
    place: np.ndarray | None = None
    bulk: np.ndarray | None = None
    coupling: "Coupling | None" = None
    rows: list[np.ndarray] = field(default_factory=list, repr=False, compare=False)

    def astype(self, dtype: np.dtype) -> "StoredTangent":
        """Return the same in another precision; itself if it has it."""
        if self.numbers.dtype == dtype:
            return self
        bulk = None if self.bulk is None else self.bulk.astype(dtype)
        return StoredTangent(
            self.numbers.astype(dtype), self.table.astype(dtype), self.place, bulk, self.coupling
        )

    def transposed(self) -> "StoredTangent":
        """Return the tangent's transpose, of the same numbers."""
        place = None if self.place is None else np.ascontiguousarray(self.place.T)
        coupling = None if self.coupling is None else self.coupling.transposed()
        return StoredTangent(self.numbers, self.table, place, self.bulk, coupling, self.rows)


class PointOperators:
    """Strains, forces and tangents at the points of a periodic box of voxels.

    Args:
        layout: where the points' numbers are.
        spacing: length of a voxel's edges.
        components: 6 for strains (Mandel), 9 for gradients.
    """

    def __init__(self, layout: PointLayout, spacing: Sequence[float], components: int):
        self.layout, self.components = layout, components
        self.spacing = tuple(float(edge) for edge in spacing)
        x, y, z = layout.shape
        self.nodes = (x, 3, y, z)
        self.voxels = math.prod(layout.shape)

    @property
    def _threads(self) -> int:
        return threads_for(24 * self.voxels)

    def _stretches(self, dtype: np.dtype) -> tuple[int, int]:
        return stretches(*self.nodes[2:], STRETCH // dtype.itemsize)

    def _strips(self, dtype: np.dtype) -> tuple[int, int]:
        return strips(*self.nodes[2:], 64 // dtype.itemsize, STRIP // dtype.itemsize)

    def _runs(self) -> tuple[np.ndarray, ...]:
        return self.layout.starts, self.layout.runs, self.layout.first, self.layout.counts

    def mean_gradient(self, load: np.ndarray) -> np.ndarray:
        """Return the mean gradients (..., 9) of mean strains (..., 6) or gradients (..., 9)."""
        load = np.asarray(load, float)
        if self.components == 9:
            return np.ascontiguousarray(load)
        plain = load / np.array([1, 1, 1, *[math.sqrt(2)] * 3])
        return np.ascontiguousarray(plain[..., [0, 5, 4, 5, 1, 3, 4, 3, 2]])

    def mean_answer(self, sums: np.ndarray) -> np.ndarray:
        """Return mean stresses (..., 6), Mandel, or (..., 9) of the sums (..., 9) over the voxels."""
        mean = sums / self.voxels
        if self.components == 9:
            return mean
        pairs = np.stack(
            [mean[..., 5] + mean[..., 7], mean[..., 2] + mean[..., 6], mean[..., 1] + mean[..., 3]], -1
        )
        return np.concatenate([mean[..., [0, 4, 8]], pairs / math.sqrt(2)], axis=-1)

    def strains(self, u: np.ndarray, load: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return strains at the points, flat, phase by phase (components, points).

        Args:
            u: (x, 3, y, z) fluctuation.
            load: mean strain (6,), Mandel, or gradient (9,).
            out: where they go.
        """
        out = np.empty(self.components * self.layout.points) if out is None else out
        in_slabs(
            point_kernels.strains_at_points,
            self.nodes[0],
            u,
            self.mean_gradient(load),
            self._g(np.dtype(float)),
            *self._runs(),
            self.components,
            out,
            threads=self._threads,
        )
        return out

    def forces(
        self, u: np.ndarray, load: np.ndarray, stress: np.ndarray, elastic: np.ndarray, out: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Write the forces of the stresses; return the mean stress, and the means of trace^2 and square.

        Args:
            u: fluctuation, from which the strain of phases without points comes.
            load: mean strain, likewise.
            stress: flat, phase by phase (components, points).
            elastic: (phases, 21), stiffness of phases without points, Mandel.
            out: (x, 3, y, z).
        """
        edges = np.empty((self._threads, *self.nodes[1:]))
        found = in_slabs(
            point_kernels.forces_of_stress,
            self.nodes[0],
            u,
            self.mean_gradient(load),
            self._g(np.dtype(float)),
            *self._runs(),
            elastic,
            self.components,
            *self._stretches(u.dtype),
            stress,
            out,
            edges,
            threads=self._threads,
        )
        self._close(out[None], edges[:, None], len(found))
        sums, squares = (np.sum([one[part] for one in found], axis=0) for part in range(2))
        return self.mean_answer(sums), squares / self.voxels

    def _rows(self, tangent: StoredTangent) -> list[np.ndarray]:
        """Return a tangent's numbers, and bulk moduli, by stretches of voxels; made once for each tangent."""
        if not tangent.rows:
            x, y, z = self.layout.shape
            dtype = tangent.numbers.dtype
            depth, bulks, shape, bulk_shape = (
                y,
                np.zeros(0, dtype),
                (1, x, *self._stretches(dtype)),
                (1, x, 0, 0),
            )
            if tangent.bulk is not None:
                depth, blocks = self._strips(dtype)
                bulks, shape = tangent.bulk, (-(-y // depth), x, blocks, len(lanes_of_width(dtype.itemsize)))
                bulk_shape = shape
            bulk = _aligned_zeros(bulk_shape, dtype)
            rows = _aligned_zeros((*shape[:3], 8, tangent.table.shape[1], shape[3]), dtype)
            given = (y, z, depth, *self._runs(), tangent.table, tangent.numbers, bulks)
            in_slabs(tangent_kernels.stretches_of_tangents, x, *given, rows, bulk, threads=self._threads)
            tangent.rows.extend((rows, bulk))
        return tangent.rows

    def products(
        self, tangent: StoredTangent, u: np.ndarray, loads: np.ndarray | None, out: np.ndarray
    ) -> np.ndarray:
        """Write the forces of tangents times the strains of several fields; return the mean stresses.

        Args:
            tangent: the tangents, in the fields' precision.
            u: (fields, x, 3, y, z).
            loads: (fields, 6 or 9), mean strains; None for none, and no means are returned.
            out: as u, contiguous.
        """
        fields, dtype, u = len(u), u.dtype, np.ascontiguousarray(u)
        edges = np.empty((self._threads, *u.shape[:1], *self.nodes[1:]), dtype)
        numbers, bulk = self._rows(tangent)
        wanted = 0 if loads is None else fields
        given = np.zeros((fields, self.components)) if loads is None else np.asarray(loads, float)
        if tangent.place is None:
            lanes = lanes_of_width(dtype.itemsize)
            sums = np.zeros((self._threads, wanted, 6, len(lanes)))
            strain, (depth, _) = (given * ENGINEERING).astype(dtype), self._strips(dtype)
            shared = (u, strain, self._g(dtype), depth, bulk, numbers, out, edges, sums)
            pieces = in_slabs(compact_products, self.nodes[0], *shared, lanes, threads=self._threads)
            answers = sums.sum(axis=(0, 3)) * ENGINEERING / (8 * self.voxels)
        else:
            sums = np.zeros((self._threads, wanted, 9))
            means = self.mean_gradient(given).astype(dtype)
            shared = (u, means, self._g(dtype), tangent.place, numbers[0], out, edges, sums)
            pieces = in_slabs(tangent_kernels.full_products, self.nodes[0], *shared, threads=self._threads)
            answers = self.mean_answer(sums.sum(axis=0))
        self._close(out, edges, len(pieces))
        if tangent.coupling is not None:
            for field in range(fields):
                load = np.zeros(self.components) if loads is None else loads[field]
                more = self._coupled(tangent.coupling, u[field], load, out[field])
                if loads is not None:
                    answers[field] += more
        return answers

    def _coupled(self, coupling: Coupling, u: np.ndarray, load: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Add the forces of stresses that follow averages; return their mean."""
        strains = self.strains(u.astype(float), load)
        stress, layout = np.zeros_like(strains), self.layout
        driven = {
            phase: np.einsum("cp,cp->p", m, layout.block(strains, phase, self.components))
            for phase, m in coupling.strain.items()
        }
        averages = coupling.average.average(driven, transposed=coupling.turned)
        for phase, b in coupling.stress.items():
            layout.block(stress, phase, self.components)[:] = b * averages[phase]
        forces = np.empty(self.nodes)
        none = np.zeros((len(layout.counts), 21))
        mean, _ = self.forces(np.zeros(self.nodes), np.zeros(self.components), stress, none, forces)
        out += forces.astype(out.dtype)
        return mean

    def _close(self, out: np.ndarray, edges: np.ndarray, pieces: int) -> None:
        for piece in range(pieces):
            out[:, ((piece + 1) * self.nodes[0] // pieces) % self.nodes[0]] += edges[piece]

    def _g(self, dtype: np.dtype) -> np.ndarray:
        return (1.0 / np.array(self.spacing)).astype(dtype)


def _aligned_zeros(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return zeros that begin where a line of the cache does: lanes across two lines take twice as long."""
    room = np.zeros(math.prod(shape) * dtype.itemsize + 64, np.uint8)
    begin = -room.ctypes.data % 64
    return room[begin : begin + math.prod(shape) * dtype.itemsize].view(dtype).reshape(shape)


def packed(tangents: np.ndarray, symmetric: bool) -> np.ndarray:
    """Turn tangents (n, n, ...) into the numbers that `StoredTangent` keeps, (numbers, ...).

    Mandel's (6, 6) become those of plain stresses by strains with doubled shears.
    """
    size = len(tangents)
    if size == 6:
        scale = np.outer(ENGINEERING, ENGINEERING).reshape(6, 6, *[1] * (tangents.ndim - 2))
        tangents = tangents / scale
    if symmetric:
        return np.ascontiguousarray(tangents[_UPPER[size]])
    return np.ascontiguousarray(tangents.reshape(size * size, *tangents.shape[2:]))
