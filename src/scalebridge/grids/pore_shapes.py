"""Pores whose walls are known exactly: around balls and cylinders, in channels, pipes and ducts."""

from collections.abc import Sequence

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grids.box import checked_fraction
from scalebridge.grids.geometry import nearest_image
from scalebridge.grids.walls import NearestWall, PoreGeometry, unit_vectors


class AroundBalls(PoreGeometry):
    """Pores around balls, or around cylinders, which are balls in the plane across their axis.

    Args:
        centres: (count, dim).
        radii: (count,).
        edges: of the cell, (dim,).
        along: axis of the cylinders; None for balls (in 2-D discs).
        labels: (count,) whole numbers by which the bodies' walls are told apart; 0 for all when None.

    Bodies may touch but should not overlap: inside an overlap the distance is that from a wall that is not
    there.
    """

    def __init__(
        self,
        centres: np.ndarray,
        radii: np.ndarray,
        edges: Sequence[float],
        along: int | None = None,
        labels: Sequence[int] | None = None,
    ):
        self.edges = np.array(edges, dtype=float)
        self.centres = np.array(centres, dtype=float)
        self.radii = np.array(radii, dtype=float)
        self.along = along
        self.labels = np.zeros(self.radii.size, int) if labels is None else np.array(labels, dtype=int)

    def nearest(self, points: np.ndarray) -> NearestWall:
        distance = np.full(len(points), np.inf)
        away = np.zeros(points.shape)
        label = np.zeros(len(points), dtype=int)
        for centre, radius, number in zip(self.centres, self.radii, self.labels, strict=True):
            vector = nearest_image(points - centre, self.edges)
            if self.along is not None:
                vector[:, self.along] = 0.0
            gap = np.linalg.norm(vector, axis=1) - radius
            nearer = gap < distance
            distance[nearer], away[nearer], label[nearer] = gap[nearer], vector[nearer], number
        return NearestWall(distance, unit_vectors(away), label)


class Pipe(PoreGeometry):
    """A round pipe along an axis, in the middle of its cell. Arguments: radius, edges, axis."""

    def __init__(self, radius: float, edges: Sequence[float], along: int):
        self.radius, self.along = radius, along
        self.edges = np.array(edges, dtype=float)

    def nearest(self, points: np.ndarray) -> NearestWall:
        vector = nearest_image(points - self.edges / 2, self.edges)
        vector[:, self.along] = 0.0
        distance = self.radius - np.linalg.norm(vector, axis=1)
        return NearestWall(distance, -unit_vectors(vector), np.zeros(len(points), dtype=int))


class Channel(PoreGeometry):
    """Plane channels between parallel plates at any slope at which they are periodic.

    Args:
        width: of the fluid, between two plates.
        edges: of the cell, (dim,).
        across: (dim,) whole numbers m, not all zero: along the plates' normal the channels repeat wherever
            m . (x / edges) is a whole number; (0, 1) is one channel along x, (1, 1) one along the diagonal.

    The lower plate has label 0, the upper one 1. The middle of a channel passes through the cell's middle.
    """

    def __init__(self, width: float, edges: Sequence[float], across: Sequence[int]):
        self.edges = np.array(edges, dtype=float)
        wave = np.array(across, dtype=float) / self.edges
        self.width, self.period = width, float(1 / np.linalg.norm(wave))
        self.direction = wave * self.period

    def nearest(self, points: np.ndarray) -> NearestWall:
        across = (points - self.edges / 2) @ self.direction
        across -= self.period * np.round(across / self.period)
        upper = across > 0
        normal = np.where(upper, -1.0, 1.0)[:, None] * self.direction
        return NearestWall(self.width / 2 - np.abs(across), normal, upper.astype(int))


class Duct(PoreGeometry):
    """A straight duct of rectangular section, in the middle of its cell.

    Args:
        sides: of the open section, along the two axes that are not `along`, in their order.
        edges: of the cell, (3,).
        along: the duct's axis.
    """

    def __init__(self, sides: Sequence[float], edges: Sequence[float], along: int):
        self.edges = np.array(edges, dtype=float)
        self.sides = np.array(sides, dtype=float)
        self.section = [axis for axis in range(3) if axis != along]

    def nearest(self, points: np.ndarray) -> NearestWall:
        place = nearest_image(points - self.edges / 2, self.edges)[:, self.section]
        gaps = self.sides / 2 - np.abs(place)
        inward = -np.copysign(1.0, place)
        inside = np.all(gaps >= 0, axis=1)
        # Inside, the nearest side counts; outside, the nearest corner or side.
        least = np.eye(2)[np.argmin(gaps, axis=1)]
        beyond = np.where(gaps < 0, -gaps, 0.0)
        distance = np.where(inside, gaps.min(axis=1), -np.linalg.norm(beyond, axis=1))
        across = np.where(inside[:, None], least, unit_vectors(beyond)) * inward
        normal = np.zeros(points.shape)
        normal[:, self.section] = across
        return NearestWall(distance, normal, np.zeros(len(points), dtype=int))


def sphere_lattice(lattice: str, solid_fraction: float, edge: float = 1.0) -> AroundBalls:
    """Return the pores around equal spheres on a simple ("sc"), body- or face-centred ("bcc", "fcc") lattice.

    Args:
        lattice: which.
        solid_fraction: above 0 and at most that of spheres that touch: 0.5236, 0.6802, 0.7405.
        edge: of the cubic cell.

    Raises:
        ImageError: another lattice, or a fraction at which spheres overlap.

    Example:
        >>> pores = sphere_lattice("bcc", 0.3)
        >>> len(pores.radii), round(float(pores.distance([0.5, 0.0, 0.0])), 4)
        (2, 0.1034)
    """
    if lattice not in _SPHERES:
        wanted = f"one of {', '.join(map(repr, _SPHERES))}"
        raise ImageError("lattice", got=repr(lattice), wanted=wanted, cure="pass 'sc'")
    places, gap = np.array(_SPHERES[lattice][0]), _SPHERES[lattice][1]
    limit = len(places) * np.pi / 6 * gap**3
    share = checked_fraction(
        solid_fraction, "solid_fraction", limit, f"spheres of this lattice ({lattice}) touch"
    )
    radius = (share * 0.75 / np.pi / len(places)) ** (1 / 3)
    return AroundBalls(places * edge, np.full(len(places), radius * edge), (edge,) * 3)


def cylinder_array(array: str, solid_fraction: float, edge: float = 1.0) -> AroundBalls:
    """Return the pores of a plane section across equal cylinders on a square or hexagonal array.

    Args:
        array: "square" or "hexagonal".
        solid_fraction: above 0 and at most that of cylinders that touch: 0.7854, 0.9069.
        edge: distance of neighbouring axes; the hexagonal cell is edge by sqrt(3) edge, with two cylinders.

    Raises:
        ImageError: another array, or a fraction at which cylinders overlap.

    Example:
        >>> cylinder_array("hexagonal", 0.3).edges.round(3).tolist()
        [1.0, 1.732]
    """
    if array not in ("square", "hexagonal"):
        raise ImageError("array", got=repr(array), wanted="'square' or 'hexagonal'", cure="pass 'square'")
    edges = np.array([1.0, 1.0 if array == "square" else np.sqrt(3.0)])
    places = [(0.5, 0.5)] if array == "square" else [(0.25, 0.25), (0.75, 0.75)]
    limit = len(places) * np.pi / 4 / edges[1]
    share = checked_fraction(solid_fraction, "solid_fraction", limit, "cylinders of this array touch")
    radius = np.sqrt(share * edges[1] / np.pi / len(places))
    return AroundBalls(
        np.array(places) * edges * edge, np.full(len(places), radius * edge), tuple(edges * edge)
    )


_SPHERES = {
    "sc": ([(0.5, 0.5, 0.5)], 1.0),
    "bcc": ([(0.25, 0.25, 0.25), (0.75, 0.75, 0.75)], np.sqrt(0.75)),
    "fcc": ([(0.25, 0.25, 0.25), (0.25, 0.75, 0.75), (0.75, 0.25, 0.75), (0.75, 0.75, 0.25)], np.sqrt(0.5)),
}
"""Centres in units of the edge, and the distance of nearest neighbours."""
