"""Pictures of a section in a volume: where it cuts the volume's own planes, and how it bows."""

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import TwoSlopeNorm

from scalebridge.registration.frame import Frame
from scalebridge.registration.registration_result import Registration
from scalebridge.registration.section_pose import PLANES, plane_axes
from scalebridge.registration.spatial_image import SpatialImage
from scalebridge.registration.spatial_map import SpatialMap
from scalebridge.registration.warp import warp
from scalebridge.report.canvas import Picture, as_png, label_axes, new_plot
from scalebridge.report.figures_registration import map_picture, tissue_of, view_frame
from scalebridge.report.typeset import typeset_number

_EDGE = 300  # pixels of a picture's longer edge
_POINTS = 96  # of a map along the longer edge
_LINE = "#ff6b3d"  # on a grey picture in either scheme
_DIRECTIONS = (("left", "right"), ("back", "front"), ("head", "feet"))


def draw_position(found: Registration, key: str) -> list[Picture]:
    """The volume's three planes through the section's middle with the section's line in each."""
    pose = found.pose
    return [] if pose is None else [_cut(found, plane, f"{key}-{plane}") for plane in PLANES]


def _cut(found: Registration, plane: str, key: str) -> Picture:
    pose, axes = found.pose, plane_axes(plane)
    assert pose is not None  # noqa: S101
    corners = _corners(found.moving_frame) @ axes
    low, high = corners.min(axis=0), corners.max(axis=0)
    pitch = float(np.max(high - low)) / _EDGE
    shape = tuple(max(2, round(float(n) / pitch)) for n in high - low)
    frame = Frame(shape, tuple(map(float, low + pitch / 2)), (pitch, pitch))
    normal = np.cross(axes[:, 0], axes[:, 1])
    shift = normal * float(normal @ pose.middle)
    laid = SpatialMap(np.column_stack([axes, normal]), shift, frame)
    seen = warp(laid, SpatialImage(found.shown.moving, found.shown.moving_frame), background=0.0)
    assert isinstance(seen, SpatialImage)  # noqa: S101
    figure, drawn = new_plot(_EDGE, round(_EDGE * shape[1] / shape[0]) + 50)
    drawn.set_aspect("equal")
    drawn.grid(visible=False)
    drawn.imshow(
        seen.values.T, cmap="gray", vmin=0, vmax=1, extent=(low[0], high[0], high[1], low[1]), aspect="equal"
    )
    for line in _lines(found, laid):
        drawn.plot(*line.T, color=_LINE, linewidth=1.6)
    drawn.set_xlim(low[0], high[0])
    drawn.set_ylim(high[1], low[1])
    label_axes(drawn, *(f"to the {_told(axes[:, k])}, mm" for k in range(2)))
    lines = "a line where the section cuts it" if plane != pose.plane else "which is near the section itself"
    name = f"{plane.capitalize()} plane through the section's middle, {lines}"
    return as_png(figure, f"{name}.", f"{name}.")


def _told(direction: np.ndarray) -> str:
    axis = int(np.argmax(np.abs(direction)))
    return _DIRECTIONS[axis][0 if direction[axis] > 0 else 1]


def _corners(frame: Frame) -> np.ndarray:
    ends = [(-0.5, n - 0.5) for n in frame.shape]
    return frame.points(np.stack(np.meshgrid(*ends, indexing="ij"), axis=-1).reshape(-1, 3))


def _lines(found: Registration, laid: SpatialMap) -> list[np.ndarray]:
    """Where the section's tissue crosses a plane, as points along it, in the plane's own coordinates."""
    view = view_frame(found, _POINTS)
    mapped = found.map.on_grid(view)
    away = (mapped - laid.shift) @ laid.matrix[:, 2]
    away = np.where(tissue_of(found, view), away, np.nan)
    crossings = []
    for axis in range(2):
        one, other = np.moveaxis(away, axis, 0)[:-1], np.moveaxis(away, axis, 0)[1:]
        places = np.moveaxis(mapped, axis, 0)
        with np.errstate(invalid="ignore"):
            turned = one * other < 0
            share = (one / (one - other))[turned][:, None]
        crossings.append(places[:-1][turned] * (1 - share) + places[1:][turned] * share)
    points = np.concatenate(crossings) @ laid.matrix[:, :2]
    if len(points) < 2:
        return []
    way = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)[2][0]
    points = points[np.argsort(points @ way)]
    step = 4.0 * float(max(view.spacing)) * max(found.stretches)
    gaps = np.flatnonzero(np.linalg.norm(np.diff(points, axis=0), axis=1) > step)
    return np.split(points, gaps + 1)


def draw_bow(found: Registration) -> Picture:
    """Distance of the section from its nearest plane, along the normal."""
    view, pose = view_frame(found, _POINTS), found.pose
    assert pose is not None  # noqa: S101
    away = (found.map.on_grid(view) - pose.middle) @ pose.normal
    away = np.where(tissue_of(found, view), away, np.nan)
    reach = max(0.01, float(np.nanmax(np.abs(away))))
    low, high = (typeset_number(float(v), 3) for v in (np.nanmin(away), np.nanmax(away)))
    alt = f"Distance of the section from its plane, from {low} to {high} mm."
    caption = "Distance from the nearest plane along its normal: how the section bows."
    scale = ScalarMappable(TwoSlopeNorm(0.0, -reach, reach), "RdBu_r")
    return map_picture(away, scale, "distance from the plane, mm", alt, caption)
