"""Surfaces r(n) of a direction n, drawn by the report's own camera: moduli and expansions by direction.

The surface is that of a homogeneous polynomial P of even degree k in the direction's components: r = |P(n)|
or r = 1/P(n). Along a ray P is a polynomial of degree k in the ray's depth, so that the search for the first
point of the surface costs a few multiplications a step.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from scalebridge.report.camera import Camera, View
from scalebridge.report.render import Hits, compose, gamma, linear

_STEPS = 80  # samples of a ray inside the surrounding ball
_HALVINGS = 18
_REACH = 1.16  # half width of the picture in largest radii
_AXES = np.array([0.50, 0.53, 0.56])
_SEAM = 0.008  # half width of the curves in the coordinate planes, in largest radii
_LIGHT = (-0.42, 0.60, 0.68)


@dataclass(frozen=True)
class Star:
    """A surface r(n), star-shaped about the origin.

    Args:
        polynomial: P of points (..., 3), homogeneous and even.
        degree: its degree k.
        inverse: whether r = 1/P(n), with P positive; else r = |P(n)|.
        largest: the largest radius.
    """

    polynomial: Callable[[np.ndarray], np.ndarray]
    degree: int
    inverse: bool
    largest: float

    def radius(self, directions: np.ndarray) -> np.ndarray:
        """Return r along unit vectors (..., 3)."""
        found = self.polynomial(directions)
        return 1 / found if self.inverse else np.abs(found)

    def level(self, found: np.ndarray, square: np.ndarray) -> np.ndarray:
        """Return a function that is positive inside, of P(p) and |p|^2 of points in largest radii.

        Inside |p| < r(p/|p|): |p|^(k-1) > P for r = 1/P, and |P| > |p|^(k+1) for r = |P|.
        """
        near = np.maximum(square, 0.0)  # a polynomial of the depth, and so not quite a square
        if self.inverse:
            return np.sqrt(near) * near ** ((self.degree - 2) // 2) - self.largest * found
        return np.abs(found) / self.largest - np.sqrt(near) * near ** (self.degree // 2)

    def normals(self, points: np.ndarray) -> np.ndarray:
        """Return outward unit normals at points (n, 3) in largest radii, by central differences."""
        slope = np.empty_like(points)
        step = 1e-4
        for axis in range(3):
            ends = [points + sign * step * np.eye(3)[axis] for sign in (1, -1)]
            high, low = (self.level(self.polynomial(p), np.sum(p**2, axis=1)) for p in ends)
            slope[:, axis] = low - high
        return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-30)


def render_star(
    star: Star,
    colours: Callable[[Float[np.ndarray, "n 3"]], Float[np.ndarray, "n 3"]],
    *,
    camera: Camera | None = None,
    pixels: int = 400,
) -> tuple[UInt8[np.ndarray, "rows columns 4"], Float[np.ndarray, "3 2"]]:
    """Draw a surface, its curves in the coordinate planes, and the axes.

    Args:
        star: the surface.
        colours: colours (red, green, blue in 0..1) of directions.
        camera: the camera; by default x goes to the right, y to the back and z up.
        pixels: width of the picture.

    Returns:
        pixels with transparency as bytes, and column and row of the ends of the three axes.

    Cost: about 1 s of one core for 400 pixels.
    """
    view = _view(camera or Camera(), 2 * pixels)
    hits = find_star(star, view)
    points = hits.point - _middle(view)
    directions = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-30)
    seams = np.min(np.abs(points), axis=1) < _SEAM
    light = _shade(hits, view) * np.where(seams, 0.62, 1.0)
    colour = gamma(linear(colours(directions)) * light[:, None])
    ends = 1.12 * np.eye(3) * np.maximum(star.radius(np.eye(3)) / star.largest, 0.6)[:, None]
    share = np.linspace(-1.0, 1.0, 4 * view.width)[:, None]
    lines = [(share * end + _middle(view), _AXES) for end in ends]
    tips = view.project(1.07 * ends + _middle(view))[:, :2] / 2
    return compose(view, hits, colour, lines), tips


def find_star(star: Star, view: View) -> Hits:
    """Find the first point of a surface on every ray of a view whose box is around the origin."""
    origins = (view.origins() - _middle(view)).astype(float)
    ahead = view.camera.ahead.astype(float)
    # |o + t d|^2 = t^2 + 2 b t + c with a unit vector d.
    b, c = origins @ ahead, np.sum(origins**2, axis=1)
    ray = np.flatnonzero(b**2 - c + 1 > 0)
    half = np.sqrt(b[ray] ** 2 - c[ray] + 1)
    terms = _along(star, origins[ray], ahead)
    square = np.stack([c[ray], 2 * b[ray], np.ones(len(ray))])

    def level(rows: np.ndarray, depth: np.ndarray) -> np.ndarray:
        return star.level(_horner(terms[:, rows], depth), _horner(square[:, rows], depth))

    front, depth = np.arange(len(ray)), np.full(len(ray), np.nan)
    start, width = -b[ray] - half, 2 * half / _STEPS
    for step in range(1, _STEPS + 1):
        met = level(front, start[front] + step * width[front]) > 0
        depth[front[met]] = start[front[met]] + step * width[front[met]]
        front = front[~met]
    hit = np.flatnonzero(np.isfinite(depth))
    low, high = depth[hit] - width[hit], depth[hit]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        inside = level(hit, middle) > 0
        low, high = np.where(inside, low, middle), np.where(inside, middle, high)
    points = origins[ray[hit]] + high[:, None] * ahead
    nothing = np.zeros(len(hit), dtype=np.int64)
    return Hits(ray[hit], points + _middle(view), star.normals(points), high, nothing)


def _view(camera: Camera, width: int) -> View:
    """Return a view of so many pixels whose box about the origin reaches just beyond the largest radius."""
    edge = 2 * _REACH / float(np.abs(camera.axes[:2]).sum(axis=1).min())
    return View(camera, (edge, edge, edge), width, margin=0.0)


def _middle(view: View) -> Float[np.ndarray, " 3"]:
    return 0.5 * np.asarray(view.box)


def _along(star: Star, origins: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Return the coefficients of P along rays, lowest first, (k + 1, n), from its values at k + 1 depths."""
    depths = np.linspace(-1.0, 1.0, star.degree + 1)
    values = np.stack([star.polynomial(origins + depth * ahead) for depth in depths])
    return np.linalg.solve(np.vander(depths, increasing=True), values)


def _horner(terms: np.ndarray, depth: np.ndarray) -> np.ndarray:
    found = terms[-1]
    for term in terms[-2::-1]:
        found = found * depth + term
    return found


def _shade(hits: Hits, view: View) -> Float[np.ndarray, " n"]:
    """Light from one side and from everywhere, soft, so that colours can still be read on the bar."""
    facing = hits.normal @ view.camera.axes.T
    key = np.asarray(_LIGHT) / np.linalg.norm(_LIGHT)
    return 0.55 + 0.55 * np.maximum(facing @ key, 0.0)
