"""Composite images of exact shapes, asked point by point."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grids.box import box_edges, box_voxel, cell_shape
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.composite_images import with_normals
from scalebridge.grids.image import VoxelImage

_POINTS = 1 << 19  # points at which shapes are asked at once
_SAMPLES = {2: 16, 3: 8}

Field = Callable[[np.ndarray], np.ndarray]


def composite_from_shape(
    label_at: Field,
    cells: int | Sequence[int],
    *,
    dim: int = 3,
    samples: int | None = None,
    normal_at: Field | None = None,
    voxel: float | Sequence[float] | None = None,
    periodic: bool = True,
) -> CompositeImage:
    """Sample exact shapes: in voxels near an interface on a fine lattice of points, elsewhere at few.

    Args:
        label_at: function of points (n, dim), in units of the box's edge along x from the box's corner, that
            returns the integer label at each, (n,). It is asked inside the box only.
        cells: number of voxels, one number or one for each axis.
        dim: 2 or 3.
        samples: points along each axis of a mixed voxel; 16 in 2-D and 8 in 3-D unless given, which gives
            shares to about 0.005.
        normal_at: function of points (n, dim) that returns (n, dim) normals of the nearest interface, of any
            length; asked at the middle of the mixed voxels. Without it they come from the shares.
        voxel: edge length in metres, one or one for each axis.
        periodic: whether the shapes go on periodically.

    Returns:
        the composite image.

    Raises:
        ImageError: cells, samples, voxel or what the functions return is not as wanted.

    Limits: a feature that lies between the first points, half a voxel apart, may be missed.
    Cost: 2^dim points a voxel, and samples^dim a voxel near an interface.

    Example:
        >>> image = composite_from_shape(lambda x: (x[:, 0] < 0.3).astype(int), 4, dim=2)
        >>> image.share(1)[:, 0].tolist(), np.abs(image.normals[0]).tolist()
        ([1.0, 0.1875, 0.0, 0.0], [1.0, 0.0])
    """
    shape = cell_shape(cells, dim)
    size = box_voxel(voxel, shape)
    count = _SAMPLES[dim] if samples is None else samples
    if not isinstance(count, int | np.integer) or isinstance(count, bool) or not 1 <= count <= 256:
        raise ImageError("samples", got=repr(samples), wanted="a whole number, 1 to 256", cure="pass 8")
    edges = box_edges(shape, size)
    sampler = _Sampler(label_at, shape, edges)
    first = sampler.labels(np.arange(math.prod(shape)), 2)
    near = np.flatnonzero(_varies_nearby(first.reshape(*shape, -1), periodic))
    labels = first[:, 0].copy()
    fine = sampler.labels(near, int(count))
    phases = np.unique(np.concatenate([np.unique(first), np.unique(fine)]))
    shares = np.stack([np.count_nonzero(fine == label, axis=1) for label in phases], axis=1) / fine.shape[1]
    labels[near] = phases[np.argmax(shares, axis=1)]
    cut = shares.max(axis=1) < 1
    source = {"generator": "composite_from_shape", "samples": int(count)}
    majority = VoxelImage(labels.reshape(shape), voxel=size, periodic=periodic, source=source)
    known = tuple(phases.tolist())
    if normal_at is None:
        return with_normals(majority, known, near[cut], shares[cut], edges / shape)
    middles = sampler.points(near[cut], 1)[:, 0]
    return CompositeImage(majority, known, near[cut], shares[cut], _unit(normal_at(middles), middles.shape))


class _Sampler:
    """Asks a function for labels on lattices of points in voxels, some half a million points at once."""

    def __init__(self, label_at: Field, shape: tuple[int, ...], edges: np.ndarray):
        self.label_at, self.shape, self.edges = label_at, shape, edges

    def points(self, places: np.ndarray, count: int) -> np.ndarray:
        """Return (m, count^dim, dim) points of a lattice in each voxel, clear of its faces."""
        dim = len(self.shape)
        along = (np.arange(count) + 0.5) / count
        lattice = np.array(list(itertools.product(along, repeat=dim)))
        corners = np.stack(np.unravel_index(places, self.shape), axis=-1)
        return (corners[:, None, :] + lattice) / np.array(self.shape) * self.edges

    def labels(self, places: np.ndarray, count: int) -> np.ndarray:
        """Return (m, count^dim) labels."""
        dim, found = len(self.shape), []
        step = max(1, _POINTS // count**dim)
        for start in range(0, places.size, step):
            points = self.points(places[start : start + step], count)
            labels = np.asarray(self.label_at(points.reshape(-1, dim)))
            if labels.shape != (points.shape[0] * points.shape[1],) or labels.dtype.kind not in "iub":
                got = f"an array of {labels.dtype} and shape {labels.shape}"
                wanted = f"integer labels of shape ({points.shape[0] * points.shape[1]},)"
                raise ImageError(
                    "label_at", got=got, wanted=wanted, cure="return one integer for each of the points"
                )
            found.append(labels.astype(np.int64).reshape(points.shape[:2]))
        return np.concatenate(found) if found else np.zeros((0, count**dim), dtype=np.int64)


def _varies_nearby(first: np.ndarray, periodic: bool) -> np.ndarray:
    """Return where a voxel or a neighbour (corners count) holds another label than the voxel itself."""
    low, high = first.min(axis=-1), first.max(axis=-1)
    for axis in range(low.ndim):
        width = [(1, 1) if a == axis else (0, 0) for a in range(low.ndim)]
        for field, extreme in ((low, np.minimum), (high, np.maximum)):
            wide = np.pad(field, width, mode="wrap" if periodic else "edge")
            parts = [np.take(wide, range(s, s + field.shape[axis]), axis=axis) for s in range(3)]
            field[...] = extreme(extreme(parts[0], parts[1]), parts[2])
    return low != high


def _unit(normals: Any, shape: tuple[int, ...]) -> np.ndarray:
    given = np.asarray(normals, dtype=float)
    length = np.linalg.norm(given, axis=-1, keepdims=True) if given.shape == shape else np.zeros(1)
    if not np.all((length > 0) & np.isfinite(length)):
        got = f"shape {given.shape}" if given.shape != shape else "a vector without direction"
        cure = "return a vector of positive length for each point"
        raise ImageError("normal_at", got=got, wanted=f"vectors of shape {shape}", cure=cure)
    return given / length
