"""The orthographic camera: where it looks from, how rays enter a box, where a point lands in the picture."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

_TINY = 1e-7


@dataclass(frozen=True)
class Camera:
    """A camera at infinity that looks at a box whose low corner is the origin; z is up.

    Args:
        azimuth: where the camera stands, degrees from the x axis towards y. At -90 it looks along +y, with x
            to the right.
        elevation: height above the horizon in degrees, between -90 and 90.
    """

    azimuth: float = -58.0
    elevation: float = 27.0

    @property
    def axes(self) -> Float[np.ndarray, "3 3"]:
        """Rows: the picture's direction to the right, its direction up, the direction towards the camera."""
        a, e = np.radians([self.azimuth, self.elevation])
        right = np.array([-np.sin(a), np.cos(a), 0.0])
        towards = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
        return np.stack([right, np.cross(towards, right), towards])

    @property
    def ahead(self) -> Float[np.ndarray, " 3"]:
        """The direction in which the camera looks."""
        return -self.axes[2].astype(np.float32)


@dataclass(frozen=True)
class View:
    """A camera, a box, and a picture of so many pixels that holds it.

    Args:
        camera: the camera.
        box: edge lengths of the box.
        width: width of the picture in pixels.
        margin: room around the box, relative to the picture's width.
    """

    camera: Camera
    box: tuple[float, float, float]
    width: int
    margin: float = 0.02

    @property
    def reach(self) -> Float[np.ndarray, " 2"]:
        """Half the extent of the box in the picture, to the right and up."""
        return 0.5 * np.abs(self.camera.axes[:2]) @ np.asarray(self.box)

    @property
    def scale(self) -> float:
        """Pixels for a unit of length."""
        return float(self.width * (1 - 2 * self.margin) / (2 * self.reach[0]))

    @property
    def height(self) -> int:
        """Height of the picture in pixels."""
        return int(np.ceil(2 * self.reach[1] * self.scale + 2 * self.margin * self.width))

    def project(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """Return column, row and depth (growing away from the camera) of points."""
        across, up, towards = self.camera.axes @ (np.asarray(points, float) - 0.5 * np.asarray(self.box)).T
        columns = 0.5 * self.width + across * self.scale
        rows = 0.5 * self.height - up * self.scale
        return np.stack([columns, rows, -towards], axis=1)

    def origins(self) -> Float[np.ndarray, "n 3"]:
        """Return where the rays of all pixels, row by row, cross the plane through the middle of the box."""
        across = (np.arange(self.width) + 0.5 - 0.5 * self.width) / self.scale
        up = (0.5 * self.height - np.arange(self.height) - 0.5) / self.scale
        right, upwards, _ = self.camera.axes
        plane = up[:, None, None] * upwards + across[None, :, None] * right
        return (plane.reshape(-1, 3) + 0.5 * np.asarray(self.box)).astype(np.float32)


@dataclass(frozen=True)
class Rays:
    """The rays that cross a box, or what a cut leaves of it.

    Args:
        pixel: number of the ray's pixel, row by row.
        origin: a point on the ray, at depth 0.
        start: depth at which the ray enters.
        end: depth at which it leaves.
        face: axis of the face through which it enters.
    """

    pixel: Int[np.ndarray, " n"]
    origin: Float[np.ndarray, "n 3"]
    start: Float[np.ndarray, " n"]
    end: Float[np.ndarray, " n"]
    face: Int[np.ndarray, " n"]

    def keep(self, chosen: Bool[np.ndarray, " n"]) -> "Rays":
        """Return the chosen rays."""
        return Rays(*(part[chosen] for part in (self.pixel, self.origin, self.start, self.end, self.face)))


def enter_box(view: View, cut: float = 0.0) -> Rays:
    """Find where the rays of a view enter and leave its box, whose corner next to the camera may be cut away.

    Args:
        view: the view.
        cut: edge of the removed corner relative to the edges of the box, 0 for none.
    """
    direction = view.camera.ahead
    origin = view.origins()
    start, end, face = _cross(origin, direction, np.zeros(3), view.box)
    rays = Rays(np.arange(start.size), origin, start, end, face).keep(end > start)
    if cut <= 0:
        return rays
    low, high = corner(view, cut)
    _, leave, _ = _cross(rays.origin, direction, low, high)
    point = rays.origin + rays.start[:, None] * direction
    slack = 1e-6 * max(view.box)
    removed = np.all((point > low - slack) & (point < high + slack), axis=1)
    exits = np.argmin(_far(rays.origin, direction, low, high), axis=1)
    start = np.where(removed, np.maximum(leave, rays.start), rays.start)
    face = np.where(removed, exits, rays.face)
    return Rays(rays.pixel, rays.origin, start, rays.end, face).keep(rays.end > start + slack)


def corner(view: View, cut: float) -> tuple[Float[np.ndarray, " 3"], Float[np.ndarray, " 3"]]:
    """Return the low and the high end of the corner that is cut away."""
    box = np.asarray(view.box)
    near_high = view.camera.axes[2] >= -_TINY
    return np.where(near_high, box * (1 - cut), 0.0), np.where(near_high, box, box * cut)


def _cross(origin, direction, low, high):
    """Depths at which rays enter and leave a box, and the axis of the face of entry (the slab method)."""
    ahead = _safe(direction)
    entries = (np.where(ahead > 0, low, high).astype(np.float32) - origin) / ahead
    return entries.max(axis=1), _far(origin, direction, low, high).min(axis=1), entries.argmax(axis=1)


def _far(origin, direction, low, high):
    ahead = _safe(direction)
    return (np.where(ahead > 0, high, low).astype(np.float32) - origin) / ahead


def _safe(direction):
    tiny = np.where(direction < 0, -_TINY, _TINY)
    return np.where(np.abs(direction) < _TINY, tiny, direction).astype(np.float32)
