"""Thin tubes in space, drawn by the report's own camera: streamlines, coloured along their way.

A tube is a row of spheres closer than a pixel. Each sphere colours the pixels of its disc where nothing is
nearer, with the normal of the sphere for the light; so a tube looks round and hides what is behind it.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Integer, UInt8

from scalebridge.core.compiled import kernel
from scalebridge.report.camera import Camera, View
from scalebridge.report.render import (
    LIGHT,
    Hits,
    box_edges,
    compose,
    find_surface,
    gamma,
    linear,
    lit,
    thinned,
)

_RADIUS = 0.0042  # of the longest edge
_GLASS = 0.16  # how much of the body in front is seen
_FRAME = np.array([0.50, 0.53, 0.56])


def render_tubes(
    lines: Sequence[Float[np.ndarray, "n 3"]],
    values: Sequence[Float[np.ndarray, " n"]],
    colours: Callable[[np.ndarray], np.ndarray],
    box: tuple[float, float, float],
    *,
    body: Integer[np.ndarray, "x y z"] | None = None,
    tint: tuple[float, float, float] = (0.62, 0.65, 0.68),
    camera: Camera | None = None,
    pixels: int = 560,
) -> UInt8[np.ndarray, "rows columns 4"]:
    """Draw lines as tubes in a box, behind the glass of a body if one is given.

    Args:
        lines: points of each line in the box.
        values: a number at each point.
        colours: from numbers (n,) to colours (n, 3) in 0..1.
        box: edge lengths of the box.
        body: voxels that are not zero are drawn as glass.
        tint: colour of the glass.
        camera: the camera; by default x goes to the right, y to the back and z up.
        pixels: width of the picture.

    Returns:
        pixels with transparency, as bytes.

    Cost: some 1 s of one core for 200 lines and 500 pixels, and the body's surface as in `render_volume`.
    """
    view = View(camera or Camera(), box, 2 * pixels)
    depth = np.full(view.height * view.width, np.inf)
    normal, value = np.zeros((depth.size, 3)), np.zeros(depth.size)
    radius = _RADIUS * max(box) * view.scale
    for line, numbers in zip(lines, values, strict=True):
        points, known = _closely(line, numbers, 0.6 / view.scale)
        _splat(
            view.project(points), known, radius, view.scale, (view.height, view.width), depth, normal, value
        )
    seen = np.flatnonzero(np.isfinite(depth))
    normals = normal[seen] @ view.camera.axes  # from the picture's axes to the box's
    hits = Hits(seen, np.zeros((seen.size, 3)), normals, depth[seen], np.zeros(seen.size, int))
    colour = linear(colours(value[seen])) * lit(hits, view, LIGHT)[:, None]
    if body is not None:
        hits, colour = _behind_glass(hits, colour, body, view, tint)
    shown = np.concatenate([gamma(colour[:, :3]), colour[:, 3:]], axis=1)  # light, and what it covers
    return compose(view, hits, shown, [(box_edges(view), _FRAME)])


def _behind_glass(
    hits: Hits, colour: np.ndarray, body: np.ndarray, view: View, tint: tuple[float, float, float]
) -> tuple[Hits, np.ndarray]:
    """Mix the first surface of a body into what is seen behind it; where nothing is, the glass is thin."""
    labels, aspect = thinned(body, tuple(b / n for b, n in zip(view.box, body.shape, strict=True)))
    glass = find_surface((labels != 0).astype(np.uint8), (1,), view, aspect)
    facing = np.abs(np.sum(glass.normal * view.camera.axes[2], axis=1))
    sheen = linear(np.asarray(tint)) * lit(glass, view, LIGHT)[:, None]
    share = _GLASS + 0.34 * (1.0 - facing) ** 2  # glass is denser where it is looked along
    size = view.height * view.width
    light, depth, cover = np.zeros((size, 3)), np.full(size, np.inf), np.zeros(size)
    light[hits.pixel], depth[hits.pixel], cover[hits.pixel] = colour, hits.depth, 1.0
    front = glass.depth < depth[glass.pixel]
    at, part = glass.pixel[front], share[front]
    covered = cover[at] > 0
    mixed = (1 - part)[:, None] * light[at] + part[:, None] * sheen[front]
    light[at] = np.where(covered[:, None], mixed, sheen[front])
    cover[at] = np.where(covered, 1.0, part)
    depth[np.isinf(depth)] = np.max(glass.depth, initial=0.0)  # the frame is seen through glass
    seen = np.flatnonzero(cover > 0)
    both = Hits(
        seen, np.zeros((seen.size, 3)), np.zeros((seen.size, 3)), depth[seen], np.zeros(seen.size, int)
    )
    return both, np.concatenate([light[seen], cover[seen, None]], axis=1)


def _closely(line: np.ndarray, numbers: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Put points on a line at most so far apart."""
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    at = np.linspace(0.0, along[-1], int(along[-1] / spacing) + 2)
    points = np.stack([np.interp(at, along, line[:, d]) for d in range(3)], axis=1)
    return points, np.interp(at, along, numbers)


@kernel
def _splat(places, numbers, radius, scale, size, depth, normal, value):  # noqa: PLR0917 (a compiled loop)
    """Draw spheres at places (column, row, depth); radius in pixels, depths in lengths."""
    reach = int(np.ceil(radius))
    for n in range(places.shape[0]):
        column, row = places[n, 0], places[n, 1]
        for down in range(-reach, reach + 1):
            for right in range(-reach, reach + 1):
                x, y = int(column) + right, int(row) + down
                if x < 0 or y < 0 or x >= size[1] or y >= size[0]:
                    continue
                across, up = (x + 0.5 - column) / radius, (row - y - 0.5) / radius
                rest = 1.0 - across * across - up * up
                if rest <= 0.0:
                    continue
                towards = np.sqrt(rest)
                near = places[n, 2] - towards * radius / scale
                at = y * size[1] + x
                if near < depth[at]:
                    depth[at] = near
                    normal[at, 0], normal[at, 1], normal[at, 2] = across, up, towards
                    value[at] = numbers[n]
