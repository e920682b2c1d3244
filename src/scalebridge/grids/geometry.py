"""Exact geometry of a generated image: the label of any point of the periodic box, not only of voxels."""

import abc
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import KDTree

from scalebridge.core.errors import ImageError


class Geometry(abc.ABC):
    """What fills a periodic box, as shapes and not as voxels. Lengths are in units of the box's edge along x.

    The labels of an image made from it are those of the voxel centres, so that a voxel's share of a phase is
    the mean over points inside it.
    """

    edges: np.ndarray
    """Edges of the box, shape (dim,); the first is 1."""

    @abc.abstractmethod
    def label_at(self, points: ArrayLike) -> np.ndarray:
        """Return the label at points.

        Args:
            points: shape (..., dim), from the box's corner; points outside the box are wrapped into it.

        Returns:
            integers of shape (...).

        Raises:
            ImageError: points of another dimension, or not finite.
        """


class Bodies(Geometry):
    """Convex bodies (label 1) in a matrix (label 0)."""

    centres: np.ndarray
    """Shape (count, dim)."""

    @property
    @abc.abstractmethod
    def half_extents(self) -> np.ndarray:
        """Half the edges of each body's bounding box, shape (count, dim)."""

    @abc.abstractmethod
    def contains(self, number: int, away: Sequence[np.ndarray]) -> np.ndarray:
        """Whether a body contains points, given by the components from its centre, which may broadcast."""

    def label_at(self, points: ArrayLike) -> np.ndarray:
        places, shape = checked_points(points, self.edges.size)
        tree = KDTree(wrapped(places, self.edges), boxsize=self.edges)
        labels = np.zeros(len(places), dtype=np.uint8)
        reach = np.linalg.norm(self.half_extents, axis=1)
        for number, centre in enumerate(wrapped(self.centres, self.edges)):
            near = tree.query_ball_point(centre, reach[number] * (1 + 1e-12))
            away = nearest_image(places[near] - centre, self.edges)
            for shift in shifts_within(self.half_extents[number], self.edges):
                labels[near] |= self.contains(number, list((away + shift).T))
        return labels.reshape(shape)

    def voxelised(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the labels of the centres of so many voxels. Cost: the sum of the bounding boxes."""
        labels = np.zeros(shape, dtype=np.uint8)
        sizes = self.edges / shape
        for number, (centre, half) in enumerate(
            zip(wrapped(self.centres, self.edges), self.half_extents, strict=True)
        ):
            ranges = [
                range(math.floor(low), math.ceil(high) + 1)
                for low, high in zip(
                    (centre - half) / sizes - 0.5, (centre + half) / sizes - 0.5, strict=True
                )
            ]
            for pieces in itertools.product(*map(_pieces, ranges, shape)):
                along = [
                    (np.arange(piece.start, piece.stop) + 0.5) / n * edge - middle
                    for piece, n, edge, middle in zip(pieces, shape, self.edges, centre, strict=True)
                ]
                place = tuple(
                    slice(piece.start % n, piece.start % n + len(piece))
                    for piece, n in zip(pieces, shape, strict=True)
                )
                labels[place] |= self.contains(number, np.ix_(*along))
        return labels


def voxel_centres(shape: tuple[int, ...], edges: np.ndarray) -> np.ndarray:
    """Return the centres of so many voxels of a box, shape (*shape, dim).

    Example:
        >>> voxel_centres((2, 1), np.array([1.0, 0.5])).tolist()
        [[[0.25, 0.25]], [[0.75, 0.25]]]
    """
    axes = [(np.arange(n) + 0.5) / n * edge for n, edge in zip(shape, edges, strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def nearest_image(away: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the shortest of a vector's periodic images.

    Example:
        >>> nearest_image(np.array([0.75, -0.25]), np.ones(2)).tolist()
        [-0.25, -0.25]
    """
    return away - edges * np.round(away / edges)


def wrapped(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return points moved into the box, whose upper faces do not belong to it.

    Example:
        >>> wrapped(np.array([1.25, -0.25]), np.ones(2)).tolist()
        [0.25, 0.75]
    """
    inside = points % edges
    # The remainder of a tiny negative number rounds to the edge itself.
    return np.where(inside >= edges, 0.0, inside)


def shifts_within(reach: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the shifts by whole boxes after which a nearest image can be within reach, shape (count, dim).

    Example:
        >>> shifts_within(np.array([0.4, 0.6]), np.ones(2)).tolist()
        [[0.0, -1.0], [0.0, 0.0], [0.0, 1.0]]
    """
    most = np.floor(reach / edges + 0.5 + 1e-12).astype(int)
    cells = itertools.product(*[range(-m, m + 1) for m in most])
    return np.array([np.array(cell) * edges for cell in cells])


def checked_points(points: ArrayLike, dim: int) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return points as (count, dim) and the shape that their labels shall have, or refuse them."""
    places = np.asarray(points, dtype=float)
    if places.ndim < 1 or places.shape[-1] != dim or not np.all(np.isfinite(places)):
        got = f"shape {places.shape}" if np.all(np.isfinite(places)) else "numbers that are not finite"
        cure = "give points in units of the box's edge along x"
        raise ImageError("points", got=got, wanted=f"finite numbers of shape (..., {dim})", cure=cure)
    return places.reshape(-1, dim), places.shape[:-1]


def _pieces(indices: range, n: int) -> Iterator[range]:
    """Cut a range of unwrapped indices where it crosses the faces of the box."""
    start = indices.start
    while start < indices.stop:
        stop = min((start // n + 1) * n, indices.stop)
        yield range(start, stop)
        start = stop
