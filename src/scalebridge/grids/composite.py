"""The composite image: voxels that an interface cuts carry each phase's share and the interface's normal.

A plain voxel belongs to one phase as a whole, so that a curved or slanting interface becomes a staircase,
whose effect on the answer falls only in proportion to the voxel size. A composite voxel stands for layers of
the phases it holds, stacked along the local normal; the answer's error then falls about twice as fast.

Only mixed voxels are stored with shares and normals; all others are as in a plain image.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from scalebridge.core.errors import ImageError, PhaseError
from scalebridge.grids.image import VoxelImage, slabs

_SLACK = 1e-9  # of a sum of shares and of a normal's length: more is not rounding


@dataclass(frozen=True, eq=False, repr=False)
class CompositeImage:
    """An image of pure and mixed voxels.

    Args:
        majority: the plain image in which every voxel has the label of its largest share; voxel size, names,
            periodicity and source are those of the composite image.
        phases: every label that occurs, in rising order; a phase may occur in mixed voxels only.
        mixed: (m,) flat numbers (x slowest) of the mixed voxels, rising.
        parts: (m, phases) share of each phase in each mixed voxel, non-negative, adding up to 1.
        normals: (m, dim) unit normals of the interfaces, in the image's axes and physical lengths. The sign
            does not count.

    Raises:
        ImageError: arrays that do not fit together, shares that are not shares, normals that are not unit.
        PhaseError: phases that do not rise, or lack a label of the plain image.

    Cost: the plain image, and 8 (phases + dim + 1) bytes a mixed voxel.

    Source: M. Kabel, D. Merkert, M. Schneider, Comput. Methods Appl. Mech. Eng. 294 (2015) 168,
        doi:10.1016/j.cma.2015.06.003.

    Example:
        >>> plain = VoxelImage(np.array([[0, 0], [1, 1]]))
        >>> CompositeImage(plain, (0, 1), np.array([2]), np.array([[0.4, 0.6]]), np.array([[1.0, 0.0]]))
        CompositeImage(2 x 2 voxels, 1 of them mixed, periodic; phase 0 0.6, phase 1 0.4)
    """

    majority: VoxelImage
    phases: tuple[int, ...]
    mixed: np.ndarray
    parts: np.ndarray
    normals: np.ndarray

    def __post_init__(self):
        _check_phases(self.phases, self.majority)
        object.__setattr__(self, "phases", tuple(int(label) for label in self.phases))
        object.__setattr__(self, "mixed", _frozen(self.mixed, np.int64))
        object.__setattr__(self, "parts", _frozen(self.parts, np.float64))
        object.__setattr__(self, "normals", _frozen(self.normals, np.float64))
        _check_places(self.mixed, self.majority.size)
        _check_rows(self.mixed.size, self.parts, (len(self.phases),), "parts")
        _check_rows(self.mixed.size, self.normals, (self.dim,), "normals")
        _check_parts(self.parts)
        _check_unit(self.normals)

    def __repr__(self):
        size = " x ".join(map(str, self.shape))
        edges = "" if self.voxel is None else f" of {' x '.join(f'{e:.6g}' for e in self.voxel)} m"
        period = "periodic" if self.periodic else "not periodic"
        shares = ", ".join(f"{self.name(label)} {part:.4g}" for label, part in self.fractions.items())
        return f"CompositeImage({size} voxels{edges}, {self.mixed.size} of them mixed, {period}; {shares})"

    @property
    def labels(self) -> np.ndarray:
        """Label of the largest share in every voxel."""
        return self.majority.labels

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of voxels along each axis."""
        return self.majority.shape

    @property
    def dim(self) -> int:
        """Number of axes, 2 or 3."""
        return self.majority.dim

    @property
    def size(self) -> int:
        """Number of voxels."""
        return self.majority.size

    @property
    def voxel(self) -> tuple[float, ...] | None:
        """Edge lengths of a voxel in metres; None when they are not known."""
        return self.majority.voxel

    @property
    def aspect(self) -> tuple[float, ...]:
        """Voxel edges relative to the smallest one."""
        return self.majority.aspect

    @property
    def periodic(self) -> bool:
        """Whether the image repeats itself seamlessly."""
        return self.majority.periodic

    @property
    def names(self) -> dict[int, str]:
        """Phase names by label."""
        return self.majority.names

    @property
    def source(self) -> dict[str, Any]:
        """Where the image came from."""
        return self.majority.source

    @cached_property
    def fractions(self) -> dict[int, float]:
        """Volume fraction of each phase, shares of mixed voxels included; they add up to 1."""
        pure = np.zeros(len(self.phases))
        for column, label in enumerate(self.phases):
            inside = np.count_nonzero(self.labels.reshape(-1)[self.mixed] == label)
            pure[column] = self.majority.counts.get(label, 0) - inside
        whole = (pure + self.parts.sum(axis=0)) / self.size
        return dict(zip(self.phases, whole.tolist(), strict=True))

    def name(self, label: int) -> str:
        """Return the name of a phase, or "phase LABEL" when it has none."""
        return self.majority.name(label)

    def share(self, label: int) -> np.ndarray:
        """Return the share of a phase in every voxel, float64 of the image's shape.

        Raises:
            PhaseError: the label does not occur.

        Example:
            >>> plain = VoxelImage(np.array([[0, 1], [1, 1]]))
            >>> image = CompositeImage(plain, (0, 1), [1], [[0.25, 0.75]], [[0.0, 1.0]])
            >>> image.share(1).tolist()
            [[0.0, 0.75], [1.0, 1.0]]
        """
        column = self._column(label)
        field = (self.labels == label).astype(np.float64)
        field.reshape(-1)[self.mixed] = self.parts[:, column]
        return field

    def table_index(self) -> np.ndarray:
        """Return the row of every voxel in a table of tensors: the pure phases first, then mixed voxels.

        Returns:
            int32 of the image's shape: the place of the label in `phases` where a voxel is pure, and
            len(phases) + i in the i-th mixed voxel.

        Example:
            >>> plain = VoxelImage(np.array([[0, 1], [1, 1]]))
            >>> CompositeImage(plain, (0, 1), [1], [[0.25, 0.75]], [[0.0, 1.0]]).table_index().tolist()
            [[0, 2], [1, 1]]
        """
        index = np.empty(self.shape, dtype=np.int32)
        known = np.asarray(self.phases)
        for slab, found in zip(slabs(self.labels), slabs(index), strict=True):
            found[...] = np.searchsorted(known, slab)
        first = len(self.phases)
        index.reshape(-1)[self.mixed] = np.arange(first, first + self.mixed.size, dtype=np.int32)
        return index

    def content_hash(self) -> str:
        """Return the SHA-256 of everything that decides the numbers, as hexadecimal digits."""
        digest = hashlib.sha256(f"composite {self.majority.content_hash()} {self.phases}\n".encode())
        for array in (self.mixed, self.parts, self.normals):
            digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).data)
        return digest.hexdigest()

    def _column(self, label: int) -> int:
        if label in self.phases:
            return self.phases.index(label)
        raise PhaseError(
            "label",
            got=repr(label),
            wanted=f"a label that occurs in the image: {', '.join(map(str, self.phases[:12]))}",
            cure="choose one of them",
        )


def _frozen(values: Any, kind: type[np.generic]) -> np.ndarray:
    array = np.array(values, dtype=kind, order="C")
    array.flags.writeable = False
    return array


def _check_phases(phases: tuple[int, ...], majority: VoxelImage) -> None:
    right = len(phases) > 0 and all(isinstance(p, int | np.integer) for p in phases)
    if not right or list(phases) != sorted(set(phases)) or not set(majority.phases) <= set(phases):
        raise PhaseError(
            "phases",
            got=repr(phases),
            wanted=f"labels in rising order, with {', '.join(map(str, majority.phases[:12]))} among them",
            cure="name every phase that occurs, once",
        )


def _check_places(mixed: np.ndarray, size: int) -> None:
    inside = mixed.ndim == 1 and (mixed.size == 0 or (mixed[0] >= 0 and mixed[-1] < size))
    if not inside or np.any(np.diff(mixed) <= 0):
        raise ImageError(
            "mixed",
            got=f"an array of shape {mixed.shape}",
            wanted=f"rising flat numbers of voxels, 0 to {size - 1}",
            cure="use numpy.flatnonzero of where voxels are mixed",
        )


def _check_rows(count: int, rows: np.ndarray, row: tuple[int, ...], argument: str) -> None:
    if rows.shape != (count, *row):
        raise ImageError(
            argument,
            got=f"shape {rows.shape}",
            wanted=f"shape {(count, *row)}, a row for each mixed voxel",
            cure="match it with `mixed`, `phases` and the number of axes",
        )


def _check_parts(parts: np.ndarray) -> None:
    good = np.all(np.isfinite(parts) & (parts >= 0), axis=1) & (np.abs(parts.sum(axis=1) - 1) <= _SLACK)
    if not np.all(good):
        bad = int(np.flatnonzero(~good)[0])
        cure = "divide each row by its sum"
        wanted = "non-negative shares that add up to 1"
        raise ImageError(f"parts[{bad}]", got=parts[bad].tolist(), wanted=wanted, cure=cure)


def _check_unit(normals: np.ndarray) -> None:
    good = np.abs(np.sum(normals**2, axis=1) - 1) <= _SLACK
    if not np.all(good):
        bad = int(np.flatnonzero(~good)[0])
        cure = "divide each row by its length"
        raise ImageError(f"normals[{bad}]", got=normals[bad].tolist(), wanted="a unit vector", cure=cure)
