"""Trilinear hexahedra for elasticity in compiled loops: what a solver in plain memory needs of them.

A grid here has three axes. A planar image is the cross-section of cylinders: it gets an axis of one voxel
between its two, along which nothing changes but all displacements are free, so that it has a stiffness in
space. Within this module tensors are along the grid's axes, in Mandel notation; see `grid_axes`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from scalebridge.core.slabs import in_slabs
from scalebridge.core.threads import cuts, threads_for
from scalebridge.core.vectors import dot
from scalebridge.grids import elastic_kernels, hexahedra, isotropic_kernels
from scalebridge.grids.transforms import FIXED, PERIODIC, Inverse, SineCosineInverse, wave_angles
from scalebridge.grids.vector_transforms import (
    ElasticWaveInverse,
    VectorSineCosineInverse,
    WaveStiffness,
    christoffel_matrix,
)
from scalebridge.grids.voxel_kernels import Arranged, embedded

Integration = Literal["full", "b-bar", "reduced"]

ENGINEERING = np.array([1.0, 1.0, 1.0, math.sqrt(2), math.sqrt(2), math.sqrt(2)])
"""Engineering strain (doubled shears) over Mandel's; Mandel's stress over plain components."""

_UPPER = np.triu_indices(6)
_DEVIATOR = np.eye(6) - np.outer(np.r_[1, 1, 1, 0, 0, 0], np.r_[1, 1, 1, 0, 0, 0]) / 3


@dataclass(frozen=True)
class ElasticTable:
    """Stiffnesses as kernels take them.

    Args:
        rows: (rows, 4): lambda, mu and the two of the rule for the strains that vary within a voxel; or
            (rows, 42): two upper triangles.
        index: row of every voxel, three axes.
        rule: how the strains that vary within a voxel count.
    """

    rows: np.ndarray
    index: np.ndarray
    rule: Integration

    @property
    def isotropic(self) -> bool:
        """Whether every row is isotropic."""
        return self.rows.shape[1] == 4


def elastic_table(
    stiffness: np.ndarray, index: np.ndarray, rule: Integration, *, general: bool = False
) -> ElasticTable:
    """Arrange stiffnesses for the kernels.

    Args:
        stiffness: (rows, 6, 6) Mandel, along the grid's axes.
        index: row of every voxel, with the grid's three axes.
        rule: "full", "b-bar" (strains that vary within a voxel have no volume part) or "reduced" (they do
            not count).
        general: whether to treat isotropic rows as any others.
    """
    stiffness = np.asarray(stiffness, float)
    index = np.ascontiguousarray(index).view()
    index.flags.writeable = False  # one kind of array only, so that kernels are compiled once
    lame = stiffness[:, 0, 1]
    shear = stiffness[:, 3, 3] / 2
    if not general and np.allclose(
        isotropic_stiffness(lame, shear), stiffness, rtol=1e-13, atol=1e-13 * _largest(stiffness)
    ):
        rest = {
            "full": (lame, shear),
            "b-bar": (-2 / 3 * shear, shear),
            "reduced": (0 * lame, 0 * shear),
        }[rule]
        return ElasticTable(np.stack([lame, shear, *rest], axis=1), index, rule)
    plain = stiffness / np.outer(ENGINEERING, ENGINEERING)
    varying = np.stack([varying_stiffness(c, rule) for c in stiffness]) / np.outer(ENGINEERING, ENGINEERING)
    rows = np.concatenate([plain[:, *_UPPER], varying[:, *_UPPER]], axis=1)
    return ElasticTable(rows, index, rule)


def isotropic_stiffness(lame: np.ndarray, shear: np.ndarray) -> np.ndarray:
    """Return (..., 6, 6) Mandel of Lamé's two constants (...)."""
    lame, shear = np.asarray(lame, float)[..., None, None], np.asarray(shear, float)[..., None, None]
    volume = np.zeros((6, 6))
    volume[:3, :3] = 1
    return lame * volume + 2 * shear * np.eye(6)


def varying_stiffness(stiffness: Any, rule: Integration, numpy: Any = np) -> Any:
    """Return the stiffness (6, 6) of strains that vary within a voxel, in NumPy's or JAX's arrays."""
    if rule == "full":
        return stiffness
    return _DEVIATOR @ stiffness @ _DEVIATOR if rule == "b-bar" else numpy.zeros((6, 6))


def stiffness_slopes(slopes: np.ndarray, table: ElasticTable) -> np.ndarray:
    """Turn slopes by the kernels' rows into slopes by the rows' stiffness (rows, 6, 6), symmetric.

    Of isotropic rows what is found holds for isotropic changes alone: the slope by the bulk part and by the
    deviatoric one, each spread over its own projector.
    """
    if table.isotropic:
        return _isotropic_slopes(slopes, table.rule)
    constant, varying = (_full(part) for part in (slopes[:, :21], slopes[:, 21:]))
    if table.rule == "reduced":
        return constant
    return constant + (varying if table.rule == "full" else _DEVIATOR @ varying @ _DEVIATOR)


def _isotropic_slopes(slopes: np.ndarray, rule: Integration) -> np.ndarray:
    lame, shear = slopes[:, 0].copy(), slopes[:, 1].copy()
    if rule == "full":
        lame, shear = lame + slopes[:, 2], shear + slopes[:, 3]
    elif rule == "b-bar":
        shear += slopes[:, 3] - 2 / 3 * slopes[:, 2]
    volume = np.eye(6) - _DEVIATOR
    # C = 3 K J + 2 G D, lambda = K - 2 G / 3: the slope by K over <J, dC/dK> = 3, by G over <D, dC/dG> = 10
    by_bulk, by_shear = lame, shear - 2 / 3 * lame
    return by_bulk[:, None, None] / 3 * volume + by_shear[:, None, None] / 10 * _DEVIATOR


def _full(columns: np.ndarray) -> np.ndarray:
    """Turn derivatives by upper triangles of engineering stiffness into symmetric ones by Mandel's."""
    found = np.zeros((len(columns), 6, 6))
    found[:, *_UPPER] = columns / 2
    found = found + np.swapaxes(found, 1, 2)
    return found / np.outer(ENGINEERING, ENGINEERING)


class ElasticKernels:
    """Linear elasticity on a box of voxels, in compiled loops.

    Args:
        shape: number of voxels along the grid's three axes.
        spacing: length of a voxel's edges.
        end: PERIODIC, FIXED (no displacement on any face; of a planar image, on its edges) or FREE.
    """

    def __init__(self, shape: Sequence[int], spacing: Sequence[float], end: int = PERIODIC):
        self.shape, self.spacing = tuple(shape), tuple(spacing)
        planar = end == FIXED and self.shape[1] == 1  # nothing changes along its axis of one voxel
        self.ends = (end, PERIODIC if planar else end, end)
        x, y, z = (count + int(own != PERIODIC) for count, own in zip(self.shape, self.ends, strict=True))
        self.nodes = (x, 3, y, z)
        self._arranged = Arranged()

    @property
    def _threads(self) -> int:
        return threads_for(math.prod(self.nodes))

    def product(
        self,
        table: ElasticTable,
        u: np.ndarray | None,
        strain: np.ndarray | None,
        out: np.ndarray,
        own: np.ndarray | None = None,
        *,
        sign: int = 1,
    ) -> tuple[float, np.ndarray]:
        """Write K u to `out`, plus the part of a mean strain, less the forces of the voxels' own stress.

        Args:
            table: the stiffnesses.
            u: the displacement, or None for none.
            strain: mean strain (6,), Mandel, or None.
            out: where the forces go, of any float type.
            own: stress (rows, 6), Mandel, that a voxel has lost at no strain (stiffness times eigenstrain).
            sign: -1 to write the opposite.

        Returns:
            the product of u with K u (and the rest), and the mean stress (6,), Mandel.
        """
        still = u is None
        if u is None:  # loops for isotropic voxels do not look at it
            u = out if table.isotropic else np.zeros(self.nodes, out.dtype)
        dtype = u.dtype
        edges = np.empty((min(self._threads, self.shape[0]), 2, *self.nodes[1:]), dtype)
        stress = np.zeros((6, 0)) if own is None else (np.asarray(own) / ENGINEERING).T
        load = self._load(strain, dtype)
        rows, own_rows = self._arranged.of(table.rows, dtype), np.ascontiguousarray(stress, dtype)
        if table.isotropic:
            kernel, numbers = isotropic_kernels.forces, isotropic_kernels.scales(load[:3], dtype)
            last: tuple[Any, ...] = (numbers, table.rule == "full", still, dtype.type(sign), out, edges)
        else:
            kernel, numbers = elastic_kernels.forces, np.array([1 / 4, 1 / 2, 1 / 12, 0], dtype)
            last = (numbers, dtype.type(sign), out, edges)
        found = in_slabs(
            kernel, self.shape[0], u, table.index, rows, own_rows, load, *last, threads=self._threads
        )
        self._join(edges, out)
        self._zero_fixed(out)
        return sum(product for product, _ in found), self._mean_stress(
            np.sum([sums for _, sums in found], axis=0)
        )

    def _join(self, edges: np.ndarray, out: np.ndarray) -> None:
        """Write the planes that slabs share: the sums of what both have for them."""
        repeats = self.nodes[0] == self.shape[0]
        for piece, (start, _) in enumerate(cuts(self.shape[0], len(edges))):
            if piece > 0 or repeats:
                np.add(edges[piece, 0], edges[piece - 1, 1], out=out[start], casting="same_kind")
            else:
                out[start] = edges[piece, 0]
        if not repeats:
            out[-1] = edges[-1, 1]

    def energies(
        self,
        table: ElasticTable,
        cases: list[tuple[np.ndarray, np.ndarray]],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return mean energies of pairs of load cases (u, strain), and their mean stresses (cases, 6)."""
        room = np.empty(self.nodes)
        energy, stress = np.zeros((len(cases), len(cases))), np.zeros((len(cases), 6))
        for j, (u, strain) in enumerate(cases):
            stress[j] = self.product(table, u, strain, room)[1]
            for i in range(j + 1):
                other, mean = cases[i]
                inner = dot(other, room) / math.prod(self.shape)
                energy[i, j] = energy[j, i] = float(np.dot(mean, stress[j])) + inner
        return energy, stress

    def slopes(
        self,
        table: ElasticTable,
        first: tuple[np.ndarray, np.ndarray],
        second: tuple[np.ndarray, np.ndarray],
        first_own: np.ndarray | None = None,
        second_own: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return d(mean energy of two load cases) / d(rows), of the rows' shape.

        Args:
            table: the stiffnesses.
            first: displacement and mean strain of one case.
            second: of the other case.
            first_own: strains of each row that carry no stress in the one case, (rows, 6), Mandel.
            second_own: in the other case.
        """
        none = np.zeros((len(table.rows), 6))
        out = np.zeros((self._threads, *table.rows.shape))
        in_slabs(
            elastic_kernels.slopes,
            self.shape[0],
            first[0],
            second[0],
            table.index,
            self._load(first[1], np.dtype(float)),
            self._load(second[1], np.dtype(float)),
            none if first_own is None else first_own * ENGINEERING,
            none if second_own is None else second_own * ENGINEERING,
            table.rows.shape[1],
            out,
            threads=self._threads,
        )
        return out.sum(axis=0) / math.prod(self.shape)

    def row_strains(self, table: ElasticTable, case: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        """Return each row's part of the mean strain of a load case, (rows, 6), Mandel: they add up to it."""
        out = np.zeros((self._threads, len(table.rows), 6))
        in_slabs(
            elastic_kernels.own_slopes,
            self.shape[0],
            case[0],
            table.index,
            self._load(case[1], np.dtype(float)),
            out,
            threads=self._threads,
        )
        return out.sum(axis=0) / ENGINEERING / math.prod(self.shape)

    def strain_field(self, u: np.ndarray, strain: np.ndarray) -> np.ndarray:
        """Return each voxel's mean strain, (6, voxels...), Mandel."""
        out = np.empty((6, *self.shape))
        in_slabs(
            elastic_kernels.strain_field,
            self.shape[0],
            u,
            self.shape,
            self._load(strain, np.dtype(float)),
            out,
            threads=self._threads,
        )
        return out / ENGINEERING[:, None, None, None]

    def stress_field(
        self, table: ElasticTable, u: np.ndarray, strain: np.ndarray, own: np.ndarray | None = None
    ) -> np.ndarray:
        """Return each voxel's mean stress, (6, voxels...), Mandel."""
        local = self.strain_field(u, strain)
        stiffness = row_stiffness(table)
        out = np.empty_like(local)
        for component in range(6):
            out[component] = sum(stiffness[:, component, k][table.index] * local[k] for k in range(6))
            if own is not None:
                out[component] -= own[:, component][table.index]
        return out

    def inverse(self, stiffness: np.ndarray, rule: Integration, dtype: np.dtype) -> Inverse:
        """Return the inverse of a homogeneous medium's K, or of its diagonal part unless the box repeats.

        Args:
            stiffness: (6, 6) Mandel, along the grid's axes.
            rule: the integration.
            dtype: type of the fields.
        """
        scale = np.outer(ENGINEERING, ENGINEERING)
        varying = varying_stiffness(stiffness, rule)
        if self.ends == (PERIODIC,) * 3:
            half = 1 if self.shape[1] > 1 else 2
            turns = [(np.fft.rfftfreq if a == half else np.fft.fftfreq)(n) for a, n in enumerate(self.shape)]
            angles = (2 * np.pi * turns[0], 2 * np.pi * turns[1], 2 * np.pi * turns[2])
            g = tuple(1.0 / edge for edge in self.spacing)
            medium = WaveStiffness(
                angles,
                (g[0], g[1], g[2]),
                christoffel_matrix(varying / scale),
                christoffel_matrix((stiffness - varying) / scale),
            )
            return ElasticWaveInverse(medium, self.shape, dtype)
        return VectorSineCosineInverse(
            [self._component_inverse(stiffness / scale, c, dtype) for c in range(3)]
        )

    def _component_inverse(self, stiffness: np.ndarray, component: int, dtype: np.dtype) -> SineCosineInverse:
        place = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
        diagonal = np.diag([stiffness[place[component, b], place[component, b]] for b in range(3)])
        symbol = np.array(
            hexahedra.symbol_of(wave_angles(self.shape, self.ends, True), self.spacing, diagonal)
        )
        if symbol.flat[0] <= 0:
            symbol.flat[0] = np.inf
        return SineCosineInverse(np.divide(1.0, symbol).astype(dtype), self.ends, True, self.shape)

    def _load(self, strain: np.ndarray | None, dtype: np.dtype) -> np.ndarray:
        mean = np.zeros(6) if strain is None else np.asarray(strain) * ENGINEERING
        return np.concatenate([1.0 / np.asarray(self.spacing, float), mean]).astype(dtype)

    def _mean_stress(self, sums: np.ndarray) -> np.ndarray:
        """Turn sums of stresses over spacings into the mean stress, Mandel."""
        plain = sums.reshape(3, 3) * np.asarray(self.spacing) / math.prod(self.shape)
        shears = [plain[1, 2] + plain[2, 1], plain[0, 2] + plain[2, 0], plain[0, 1] + plain[1, 0]]
        return np.concatenate([np.diag(plain), np.array(shears) / math.sqrt(2)])

    def _zero_fixed(self, out: np.ndarray) -> None:
        for axis in (axis for axis, end in zip((0, 2, 3), self.ends, strict=True) if end == FIXED):
            planes = np.moveaxis(out, axis, 0)
            planes[0] = 0
            planes[-1] = 0


def row_stiffness(table: ElasticTable) -> np.ndarray:
    """Return the stiffness of each row, (rows, 6, 6), Mandel."""
    if table.isotropic:
        return isotropic_stiffness(table.rows[:, 0], table.rows[:, 1])
    found = np.zeros((len(table.rows), 6, 6))
    found[:, *_UPPER] = table.rows[:, :21]
    found = found + np.swapaxes(found, 1, 2) - found * np.eye(6)
    return found * np.outer(ENGINEERING, ENGINEERING)


_SWAP = np.array([0, 2, 1, 3, 5, 4])  # y and z change places: 22 with 33, 13 with 12


def grid_axes(tensors: np.ndarray, dim: int) -> np.ndarray:
    """Turn Mandel vectors (..., 6) of an image's axes into the grid's, and back: a planar image's y is z."""
    return tensors if dim == 3 else tensors[..., _SWAP]


def grid_axes_stiffness(tensors: np.ndarray, dim: int) -> np.ndarray:
    """Turn stiffnesses (..., 6, 6) of an image's axes into the grid's, and back."""
    return tensors if dim == 3 else tensors[..., _SWAP, :][..., _SWAP]


def grid_index(index: np.ndarray) -> np.ndarray:
    """Give a planar image its axis of one voxel."""
    return np.ascontiguousarray(index).reshape(embedded(index.shape, 1))


def _largest(values: np.ndarray) -> float:
    return float(np.abs(values).max(initial=0.0))
