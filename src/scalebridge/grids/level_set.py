"""Pores where a function of the place is positive: a level set, as a distance from its walls."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scalebridge.core import precision as _precision  # noqa: F401
from scalebridge.core.errors import ImageError
from scalebridge.grids.walls import NearestWall, PoreGeometry, checked_edges, unit_vectors

_ROUNDS = 2  # towards the foot of each point; the distance errs by the curvature times its cube
_LEAST = 1e-12  # of the squared gradient; in the middle of pores, where no wall is near
_BUCKET = 4096  # points are padded to a power of two from here on, so that few sizes are compiled


class LevelSetPores(PoreGeometry):
    """Pores where a level function is positive.

    Args:
        level: takes points (n, dim) and returns (n,), each from its own point, written in JAX's numbers and
            periodic in the cell; smooth near its zero, with a gradient there.
        edges: of the cell, (dim,).

    Raises:
        ImageError: a function that returns another shape.

    Limits: the distance is found by projection, good within a voxel or two of the walls and only a side
        beyond. Scale the function so that its gradient is about one, at least near walls.

    Example:
        >>> disc = LevelSetPores(lambda x: jnp.linalg.norm(x - 0.5, axis=1) ** 2 - 0.09, (1.0, 1.0))
        >>> disc.distance([[0.5, 0.79], [0.5, 0.81]]).round(5).tolist()
        [-0.01, 0.01]
    """

    def __init__(self, level: Callable[[Any], Any], edges: Sequence[float]):
        self.edges = checked_edges(edges)
        shape = jax.eval_shape(level, jax.ShapeDtypeStruct((7, self.edges.size), jnp.float64)).shape
        if shape != (7,):
            got, wanted = f"shape {shape} for 7 points", "one number for each point"
            raise ImageError("level", got=got, wanted=wanted, cure="reduce over the axis of coordinates")

        def both(points: Any) -> tuple[Any, Any]:
            value, pull = jax.vjp(level, points)
            return value, pull(jnp.ones_like(value))[0]

        self._both = jax.jit(both)

    def value_and_gradient(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the level function and its gradient at points (n, dim)."""
        count = max(_BUCKET, 1 << max(len(points) - 1, 0).bit_length())
        padded = np.zeros((count, self.edges.size))
        padded[: len(points)] = points
        value, gradient = self._both(padded)
        return np.asarray(value)[: len(points)], np.asarray(gradient)[: len(points)]

    def nearest(self, points: np.ndarray) -> NearestWall:
        first, slope = self.value_and_gradient(points)
        foot, value, gradient = points, first, slope
        for _ in range(_ROUNDS):
            steep = np.maximum((gradient**2).sum(axis=1), _LEAST)
            height = (value + ((points - foot) * gradient).sum(axis=1)) / steep
            foot = points - height[:, None] * gradient
            value, gradient = self.value_and_gradient(foot)
        distance = np.linalg.norm(points - foot, axis=1)
        plain = np.abs(first) / np.sqrt(np.maximum((slope**2).sum(axis=1), _LEAST))
        # Where the two disagree the projection is lost, far from walls: the first guess has the right side.
        found = np.isfinite(distance) & (np.abs(distance - plain) < 0.5 * plain)
        normal = np.where(found[:, None], gradient, slope)
        distance = np.where(found, distance, np.minimum(plain, self.edges.max()))
        side = np.where(first > 0, 1.0, -1.0)
        return NearestWall(side * distance, unit_vectors(normal), np.zeros(len(points), dtype=int))
