"""Pores whose walls are known exactly: around balls and cylinders, in channels, pipes and ducts."""

from collections.abc import Sequence

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grids.box import checked_fraction
from scalebridge.grids.geometry import nearest_image
from scalebridge.grids.walls import NearestWall, PoreGeometry, checked_edges, unit_vectors


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
        self.edges = checked_edges(edges)
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
    """A round pipe along an axis, in the middle of its cell.

    Args:
        radius: of the pipe, at most half of the cell's edges across it.
        edges: of the cell, (dim,).
        along: the pipe's axis.

    Raises:
        ImageError: a radius that is no length or too large, edges or an axis that cannot be.
    """

    def __init__(self, radius: float, edges: Sequence[float], along: int):
        self.edges = checked_edges(edges)
        across = _across(along, self.edges.size)
        self.radius = _fitting("radius", [radius], self.edges[across] / 2)[0]
        self.along = along

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

    Raises:
        ImageError: a width that leaves no plates, edges that cannot be, or numbers that are not whole.
    """

    def __init__(self, width: float, edges: Sequence[float], across: Sequence[int]):
        self.edges = checked_edges(edges)
        repeats = np.array(across, dtype=float)
        if repeats.shape != self.edges.shape or not repeats.any() or np.any(repeats != np.round(repeats)):
            raise ImageError(
                "across",
                got=repr(across),
                wanted=f"{self.edges.size} whole numbers, not all zero: others are not periodic",
                cure="write (0, 1) for a channel along x, (1, 1) for one along the diagonal",
            )
        wave = repeats / self.edges
        self.period = float(1 / np.linalg.norm(wave))
        self.width = _fitting("width", [width], np.array([self.period]))[0]
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

    Raises:
        ImageError: sides that are no lengths or longer than the cell's, edges or an axis that cannot be.
    """

    def __init__(self, sides: Sequence[float], edges: Sequence[float], along: int):
        self.edges = checked_edges(edges)
        self.section = _across(along, self.edges.size)
        self.sides = np.array(_fitting("sides", sides, self.edges[self.section]))

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


def _across(along: int, dim: int) -> list[int]:
    """Return the axes across one, or refuse what is none."""
    if along not in range(dim):
        got, wanted = repr(along), f"an axis from 0 to {dim - 1}"
        raise ImageError("along", got=got, wanted=wanted, cure="pass 0 for x")
    return [axis for axis in range(dim) if axis != along]


def _fitting(argument: str, lengths: Sequence[float], limits: np.ndarray) -> list[float]:
    """Return positive lengths up to their limits, one limit for each or the least for one, or refuse them."""
    most = limits.tolist() if len(lengths) == len(limits) else [float(limits.min())] * len(lengths)
    right = all(
        isinstance(length, int | float | np.number) and 0 < length <= limit
        for length, limit in zip(lengths, most, strict=True)
    )
    if not right or (len(lengths) > 1 and len(lengths) != len(limits)):
        raise ImageError(
            argument,
            got=", ".join(map(repr, lengths)),
            wanted=f"a length above 0, at most {', '.join(f'{limit:g}' for limit in most)} in this cell",
            cure="lower it, or make the cell larger",
        )
    return [float(length) for length in lengths]


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
    (edge,) = checked_edges([edge], "edge").tolist()
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
    (edge,) = checked_edges([edge], "edge").tolist()
    return AroundBalls(
        np.array(places) * edges * edge, np.full(len(places), radius * edge), tuple(edges * edge)
    )


_SPHERES = {
    "sc": ([(0.5, 0.5, 0.5)], 1.0),
    "bcc": ([(0.25, 0.25, 0.25), (0.75, 0.75, 0.75)], np.sqrt(0.75)),
    "fcc": ([(0.25, 0.25, 0.25), (0.25, 0.75, 0.75), (0.75, 0.25, 0.75), (0.75, 0.75, 0.25)], np.sqrt(0.5)),
}
"""Centres in units of the edge, and the distance of nearest neighbours."""
