"""What `register` is given: images, masks, options, a start, landmarks; refused before any long work."""

import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.units import positive_quantity
from scalebridge.registration.anchoring import map_of_anchoring, read_anchoring
from scalebridge.registration.descriptors import DESCRIPTORS
from scalebridge.registration.reading import read_spatial_image
from scalebridge.registration.section_pose import PLANES, upright
from scalebridge.registration.spatial_image import SpatialImage, check_finite, check_values
from scalebridge.registration.spatial_map import SpatialMap

SIMILARITIES = ("information", *DESCRIPTORS)


@dataclass(frozen=True)
class Options:
    """Options of a registration, lengths in mm."""

    angles: int
    flip: bool
    deform: bool
    stiffness: float | None
    bins: int
    even: bool
    damage: str
    finest: float | None
    grid: float | None
    planes: tuple[str, ...]
    similarity: str = "information"

    def told(self) -> dict[str, Any]:
        """As settings of the result."""
        return asdict(self)


def check_options(
    *,
    angles: Any,
    flip: Any,
    deform: Any,
    stiffness: Any,
    bins: Any,
    even: Any,
    damage: Any,
    finest: Any,
    grid: Any,
    plane: Any,
    similarity: Any = "information",
) -> Options:
    """Refuse options that cannot be right."""
    rows = (
        ("angles", angles, _whole(angles, 1, 720), "a whole number from 1 to 720"),
        ("bins", bins, _whole(bins, 8, 128), "a whole number from 8 to 128"),
        (
            "stiffness",
            stiffness,
            stiffness is None or _positive(stiffness),
            "a positive number, 1 for what the size suggests",
        ),
        ("damage", damage, damage in ("detect", "given"), "'detect' or 'given'"),
        (
            "similarity",
            similarity,
            isinstance(similarity, str) and similarity in SIMILARITIES,
            f"one of {', '.join(SIMILARITIES)}",
        ),
        ("flip", flip, isinstance(flip, bool), "True or False"),
        ("deform", deform, isinstance(deform, bool), "True or False"),
        ("even", even, isinstance(even, bool), "True or False"),
        ("plane", plane, plane is None or plane in PLANES, "'axial', 'coronal' or 'sagittal'"),
    )
    for argument, got, fits, wanted in rows:
        if not fits:
            raise InputError(argument, got=repr(got), wanted=wanted, cure="leave it out for the default")
    return Options(
        angles,
        flip,
        deform,
        None if stiffness is None else float(stiffness),
        bins,
        even,
        damage,
        _length(finest, "finest"),
        _length(grid, "grid"),
        PLANES if plane is None else (plane,),
        similarity,
    )


def _whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < float("inf")


def _length(value: Any, argument: str) -> float | None:
    return None if value is None else 1e3 * positive_quantity(argument, value, "m")


def read_given(given: Any, pixel: Any, argument: str) -> SpatialImage:
    """Turn a path, an array or an image into an image with its place."""
    if isinstance(given, str | os.PathLike):
        image = read_spatial_image(given, pixel=pixel, argument=argument)
        check_finite(image.values, argument)
        return image
    if isinstance(given, SpatialImage):
        check_values(given.values, argument)
        if pixel is not None:
            raise InputError(
                f"{argument}_pixel", got=pixel, wanted="nothing: the image has a place", cure="leave it out"
            )
        return given
    return SpatialImage.of(given, pixel, argument)


def given_start(start: Any, fixed: SpatialImage, moving: SpatialImage) -> SpatialMap:
    """Turn what was given as a start, in mm, fixed to moving, into a map; see `register`."""
    if isinstance(start, SpatialMap) and start.axes == moving.axes:
        return SpatialMap(start.matrix, start.shift, fixed.frame)
    if moving.axes == 3:
        return _start_in_volume(start, fixed, moving)
    try:
        matrix = np.asarray(start, dtype=float)
    except (TypeError, ValueError):
        matrix = np.zeros(0)
    fits = matrix.shape in ((2, 3), (3, 3)) and bool(np.all(np.isfinite(matrix)))
    if fits and matrix.shape == (3, 3):
        fits = bool(np.allclose(matrix[2], [0, 0, 1]))
    if not fits or abs(np.linalg.det(matrix[:2, :2])) < 1e-9:
        raise InputError(
            "start",
            got=repr(start)[:80],
            wanted="an invertible matrix (2, 3): linear part and shift in mm, fixed point to moving point",
            cure="pass [[1, 0, dx], [0, 1, dy]], or leave it out to search",
        )
    return SpatialMap(matrix[:2, :2], matrix[:2, 2], fixed.frame)


def _start_in_volume(start: Any, fixed: SpatialImage, moving: SpatialImage) -> SpatialMap:
    """A matrix (3, 3), nine numbers of an anchoring, or a file with one."""
    if isinstance(start, str | os.PathLike):
        numbers = read_anchoring(start, fixed.name, moving.frame)
    else:
        try:
            numbers = np.asarray(start, dtype=float)
        except (TypeError, ValueError):
            numbers = np.zeros(0)
    if numbers.shape in ((9,), (3, 3)) and np.all(np.isfinite(numbers)):
        found = (
            map_of_anchoring(numbers, fixed.frame, moving.frame)
            if numbers.shape == (9,)
            else SpatialMap(upright(numbers[:, :2]), numbers[:, 2], fixed.frame)
        )
        if np.linalg.norm(np.cross(found.matrix[:, 0], found.matrix[:, 1])) > 1e-9:
            return found
    raise InputError(
        "start",
        got=repr(start)[:80],
        wanted="a matrix (3, 3) whose columns are the section's two axes and a shift, mm, or an anchoring",
        cure="pass QuickNII's nine numbers ox to vz, its JSON, or leave it out to search",
    )


def read_landmarks(landmarks: Any, axes: int = 2) -> tuple[np.ndarray, np.ndarray] | None:
    """Turn a pair of arrays, (n, 2) and (n, axes) in mm, into arrays."""
    if landmarks is None:
        return None
    try:
        fixed, moving = (np.asarray(part, dtype=float) for part in landmarks)
    except (TypeError, ValueError):
        fixed = moving = np.zeros((0, 0))
    fits = fixed.ndim == moving.ndim == 2 and len(fixed) == len(moving) > 0
    fits = fits and (fixed.shape[1], moving.shape[1]) == (2, axes)
    if not fits or not (np.all(np.isfinite(fixed)) and np.all(np.isfinite(moving))):
        raise InputError(
            "landmarks",
            got=f"shapes {fixed.shape} and {moving.shape}",
            wanted=f"a pair (fixed, moving) of finite points, (n, 2) and (n, {axes}), mm",
            cure="pass one row a pair in both",
        )
    return fixed, moving
