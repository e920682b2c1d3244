"""Pores bounded by triply periodic surfaces: gyroid, Schwarz' P and D."""

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.grids.walls import NearestWall, PoreGeometry, checked_edges, unit_vectors

_LEAST_STEEP = 0.05  # squared slope by the phase; less only far from walls, where the side alone counts
_STEEPEST = np.sqrt(3.0)  # no slope of the functions by the phase is larger
_LANDED = 1e-2  # of the function, off the surface at most where a projection is taken to have found it
_FAR = 1.0  # of the phase: projections from farther away are not believed
_ROUNDS = 5  # projections onto the surface; each gains about two digits near it


class MinimalSurface(PoreGeometry):
    """The pores where a periodic function is above a level, which splits the cell into two labyrinths.

    With X = 2 pi x / edge and so on, the functions are
    gyroid  sin X cos Y + sin Y cos Z + sin Z cos X,  P  cos X + cos Y + cos Z,  and
    D  cos X cos Y cos Z - sin X sin Y sin Z. At level 0 they are close to the minimal surfaces and split the
    cell in halves.

    Args:
        kind: "gyroid", "p" or "d".
        edge: of the cubic cell.
        level: above which the pore is.

    Raises:
        ImageError: another kind, or a level that leaves no pore or no solid.

    Limits: the distance is found by projection, exact near the surface and rough in the middle of pores.

    Source: H. G. von Schnering and R. Nesper (1991), Z. Phys. B 83, 407, doi:10.1007/BF01313411.

    Example:
        >>> walls = MinimalSurface("gyroid")
        >>> walls.distance([[0.0, 0.0, 0.0], [0.01, 0.0, 0.0]]).round(4).tolist()
        [0.0, 0.0058]
    """

    edged = False

    def __init__(self, kind: str, edge: float = 1.0, level: float = 0.0):
        if kind not in _FUNCTIONS:
            wanted = f"one of {', '.join(map(repr, _FUNCTIONS))}"
            raise ImageError("kind", got=repr(kind), wanted=wanted, cure="pass 'gyroid'")
        function, low, high = _FUNCTIONS[kind]
        if not low < level < high:
            wanted = f"a number between {low} and {high}"
            raise ImageError("level", got=repr(level), wanted=wanted, cure="pass 0.0 for halves")
        self.edges = checked_edges([edge] * 3, "edge")
        self.kind, self.level, self._function = kind, float(level), function

    def nearest(self, points: np.ndarray) -> NearestWall:
        phases = points * (2 * np.pi / self.edges[0])
        first, first_gradient = self._function(phases)
        foot, value, gradient = phases, first, first_gradient
        for _ in range(_ROUNDS):
            # The tangent plane of the level at the foot, seen from the point: its nearest point comes next.
            steep = np.maximum((gradient**2).sum(axis=1), _LEAST_STEEP)
            height = (value - self.level + ((phases - foot) * gradient).sum(axis=1)) / steep
            foot = phases - height[:, None] * gradient
            value, gradient = self._function(foot)
        normal = unit_vectors(gradient)
        distance = ((phases - foot) * normal).sum(axis=1)
        # Far from the surface the projection gets lost; there a lower end of the distance has the right side.
        found = (np.abs(value - self.level) < _LANDED) & (distance * (first - self.level) >= 0)
        found &= np.abs(distance) < _FAR
        distance = np.where(found, distance, (first - self.level) / _STEEPEST)
        normal = np.where(found[:, None], normal, unit_vectors(first_gradient))
        return NearestWall(distance * self.edges[0] / (2 * np.pi), normal, np.zeros(len(points), dtype=int))


def _gyroid(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sine, cosine = np.sin(x), np.cos(x)
    after = np.roll(cosine, -1, axis=1)
    value = (sine * after).sum(axis=1)
    return value, cosine * after - np.roll(sine, 1, axis=1) * sine


def _schwarz_p(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.cos(x).sum(axis=1), -np.sin(x)


def _schwarz_d(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    sine, cosine = np.sin(x), np.cos(x)
    others = [np.delete(np.arange(3), axis) for axis in range(3)]
    slopes = [
        -sine[:, a] * cosine[:, rest].prod(axis=1) - cosine[:, a] * sine[:, rest].prod(axis=1)
        for a, rest in enumerate(others)
    ]
    return cosine.prod(axis=1) - sine.prod(axis=1), np.stack(slopes, axis=1)


_FUNCTIONS = {
    "gyroid": (_gyroid, -1.5, 1.5),
    "p": (_schwarz_p, -3.0, 3.0),
    "d": (_schwarz_d, -1.0, 1.0),
}
