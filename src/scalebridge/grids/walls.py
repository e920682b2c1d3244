"""Pores as a signed distance from their walls: what a discretisation that cuts voxels needs of them."""

import abc
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from scalebridge.core.errors import ImageError


class NearestWall(NamedTuple):
    """The nearest wall of some points.

    Args:
        distance: (n,) signed, positive in the pores.
        normal: (n, dim) unit vectors into the pores, the distance's gradient.
        label: (n,) number of the wall, 0 where all walls are of one kind.
    """

    distance: np.ndarray
    normal: np.ndarray
    label: np.ndarray


class PoreGeometry(abc.ABC):
    """A periodic cell of pores and solid, given by the distance from the walls and not by voxels.

    Lengths are in any one unit, and a permeability computed from them is in its square.
    """

    edges: np.ndarray
    """Edges of the periodic cell, shape (dim,)."""

    edged: bool = True
    """Whether walls may have edges, corners or bodies of few voxels: voxels are then looked at closely."""

    @abc.abstractmethod
    def nearest(self, points: np.ndarray) -> NearestWall:
        """Return the nearest wall of points (n, dim), counted from the cell's corner, anywhere."""

    def distance(self, points: ArrayLike) -> np.ndarray:
        """Return the signed distance from the walls, positive in the pores.

        Args:
            points: shape (..., dim), in the unit of the edges; the cell goes on periodically.

        Returns:
            shape (...).

        Raises:
            ImageError: points of another dimension, or not finite.
        """
        places, shape = checked_places(points, self.edges.size)
        return self.nearest(places).distance.reshape(shape)

    def normal(self, points: ArrayLike) -> np.ndarray:
        """Return the gradient of the distance, unit vectors into the pores, shape (..., dim).

        Arguments and errors are those of `distance`.
        """
        places, shape = checked_places(points, self.edges.size)
        return self.nearest(places).normal.reshape(*shape, self.edges.size)


class ShiftedPores(PoreGeometry):
    """The same pores in a cell that begins elsewhere: what tells how an answer hangs on the grid's place.

    Args:
        pores: the pores.
        shift: (dim,) where the new cell's corner lies in the old one.

    Example:
        >>> from scalebridge.grids.pore_shapes import cylinder_array
        >>> moved = ShiftedPores(cylinder_array("square", 0.2), [0.5, 0.5])
        >>> round(float(moved.distance([0.0, 0.0])), 4) == round(-(0.2 / np.pi) ** 0.5, 4)
        True
    """

    def __init__(self, pores: PoreGeometry, shift: ArrayLike):
        self.pores, self.shift = pores, np.array(shift, dtype=float)
        self.edges, self.edged = pores.edges, pores.edged

    def nearest(self, points: np.ndarray) -> NearestWall:
        return self.pores.nearest(points + self.shift)


def checked_edges(edges: Sequence[float], argument: str = "edges") -> np.ndarray:
    """Return the edges of a cell as numbers, or refuse them.

    Raises:
        ImageError: no numbers, or not positive and finite.
    """
    given = list(edges)
    if all(isinstance(edge, int | float | np.number) and 0 < edge < np.inf for edge in given):
        return np.array(given, dtype=float)
    raise ImageError(
        argument,
        got=", ".join(map(repr, given)),
        wanted="positive, finite numbers, in metres where a permeability is wanted in m^2",
        cure="write for example 1e-5 for ten micrometres",
    )


def checked_places(points: ArrayLike, dim: int) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return points as (count, dim) and the shape of what is said of them, or refuse them."""
    places = np.asarray(points, dtype=float)
    if places.ndim < 1 or places.shape[-1] != dim or not np.all(np.isfinite(places)):
        got = f"shape {places.shape}" if np.all(np.isfinite(places)) else "numbers that are not finite"
        cure = "give points in the unit of the cell's edges"
        raise ImageError("points", got=got, wanted=f"finite numbers of shape (..., {dim})", cure=cure)
    return places.reshape(-1, dim), places.shape[:-1]


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (n, dim) over their lengths; a vector of length zero becomes the first axis.

    Example:
        >>> unit_vectors(np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[0.6, 0.8], [1.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    first = np.eye(vectors.shape[-1])[0]
    return np.where(lengths > 0, vectors / np.where(lengths > 0, lengths, 1.0), first)
