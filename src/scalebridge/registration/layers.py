"""A registration as napari's layers: both images on one world of millimetres, landmarks, the displacement."""

from typing import Any

import numpy as np

from scalebridge.io.stored import need
from scalebridge.registration.frame import Frame
from scalebridge.registration.registration_result import Registration
from scalebridge.registration.spatial_image import SpatialImage
from scalebridge.registration.warp import warp

_ARROWS = 24  # along the longer edge

LayerData = tuple[np.ndarray, dict[str, Any], str]
"""What napari calls layer data: array, options, kind of layer."""


def layer_data(found: Registration, fixed: Any = None, moving: Any = None) -> list[LayerData]:
    """Layers of a registration with their scales and places, (rows, columns) as napari has them, mm.

    The fixed image (magenta), the moving one carried onto it (green), the displacement as arrows, the
    standard error, and landmarks where there are any: the fixed image's, and the moving one's taken back.

    Args:
        found: the registration.
        fixed: the fixed image; as the last level saw it unless given.
        moving: the moving image; likewise.

    Example:
        >>> from scalebridge.registration.problems import histology_task, phantom_anatomy
        >>> from scalebridge.registration.register import register
        >>> task = histology_task(phantom_anatomy(), pixels=48, rotation=0, amplitude=0, damage=False)
        >>> pair = SpatialImage(task.fixed, task.fixed_frame), SpatialImage(task.moving, task.moving_frame)
        >>> found = register(*pair, start=[[0.85, 0, 23], [0, 0.9, 7]], deform=False)
        >>> [(kind, options["name"]) for _, options, kind in layer_data(found, *pair)]
        [('image', 'fixed'), ('image', 'moving, carried over')]
    """
    shown = found.shown
    own = SpatialImage(shown.fixed, shown.fixed_frame) if fixed is None else fixed
    other = SpatialImage(shown.moving, shown.moving_frame) if moving is None else moving
    carried = warp(found, other)
    if not isinstance(own, SpatialImage) or not isinstance(carried, SpatialImage):
        raise TypeError("fixed is a SpatialImage")
    layers = [_image(own, "fixed", "magenta"), _image(carried, "moving, carried over", "green")]
    if found.map.coefficients is not None:
        layers += [_arrows(found), _errors(found)]
    marks = found.landmarks
    if marks is not None:
        back = found.inverse_points(marks.moving)[:, :2]
        told = ((marks.fixed, "landmarks, fixed", "magenta"), (back, "landmarks, moving taken back", "green"))
        layers += [_points(points[np.isfinite(points[:, 0])], name, colour) for points, name, colour in told]
    return layers


def show(found: Registration, fixed: Any = None, moving: Any = None) -> Any:
    """Open napari with the layers of `layer_data`, and return its viewer.

    Raises:
        MissingExtraError: napari is not installed.
    """
    napari = need("napari", extra="napari", purpose="showing a registration in napari")
    viewer = napari.Viewer(title="registration")
    for data, options, kind in layer_data(found, fixed, moving):
        getattr(viewer, f"add_{kind}")(data, **options)
    return viewer


def _placed(frame: Frame) -> dict[str, Any]:
    """Rows and columns of a plane to millimetres (y, x): an affine, since axes may be turned."""
    affine = np.eye(3)
    affine[:2, :2] = frame.matrix[::-1, ::-1]
    affine[:2, 2] = np.array(frame.origin)[::-1]
    plain = np.allclose(np.array(frame.directions), np.eye(2))
    if plain:
        return {
            "scale": tuple(frame.spacing[::-1]),
            "translate": tuple(frame.origin[::-1]),
            "units": ("mm", "mm"),
        }
    return {"affine": affine, "units": ("mm", "mm")}


def _image(image: SpatialImage, name: str, colour: str) -> LayerData:
    values = np.swapaxes(image.values, 0, 1)
    options = {"name": name, "blending": "additive", **_placed(image.frame)}
    if values.ndim == 3:
        return values[..., :3], options | {"rgb": True}, "image"
    return values, options | {"colormap": colour}, "image"


def _places(found: Registration) -> tuple[Frame, np.ndarray]:
    frame = found.fixed_frame
    pitch = float(frame.extent.max()) / _ARROWS
    shape = tuple(max(2, round(float(e) / pitch)) for e in frame.extent)
    corner = frame.points(np.array([[-0.5, -0.5]]))[0]
    origin = corner + np.array(frame.directions) @ np.array([pitch / 2, pitch / 2])
    coarse = Frame(shape, tuple(map(float, origin)), (pitch, pitch), frame.directions)
    return coarse, coarse.grid()


def _arrows(found: Registration) -> LayerData:
    _, points = _places(found)
    moved = found.map.displacement(points)[:, :2]
    arrows = np.stack([points[:, ::-1], moved[:, ::-1]], axis=1)
    edge = 0.1 * float(found.fixed_frame.extent.max()) / _ARROWS
    return arrows, {"name": "displacement", "edge_width": edge, "units": ("mm", "mm")}, "vectors"


def _errors(found: Registration) -> LayerData:
    frame, points = _places(found)
    error = found.standard_error(points).reshape(frame.shape)
    image = SpatialImage(error, frame)
    data, options, kind = _image(image, "standard error, mm", "viridis")
    return data, options | {"visible": False, "opacity": 0.6}, kind


def _points(points: np.ndarray, name: str, colour: str) -> LayerData:
    options = {"name": name, "face_color": colour, "size": 1.0, "units": ("mm", "mm")}
    return points[:, ::-1], options, "points"
