"""What `register` is given: images, masks, options, a start, landmarks; refused before any long work."""

import os
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError
from scalebridge.core.units import positive_quantity
from scalebridge.registration.descriptors import DESCRIPTORS
from scalebridge.registration.frame import Frame
from scalebridge.registration.reading import read_spatial_image
from scalebridge.registration.spatial_image import SpatialImage, check_values
from scalebridge.registration.spatial_map import SpatialMap

SIMILARITIES = ("information", *DESCRIPTORS)


@dataclass(frozen=True)
class Options:
    """Options of a registration, lengths in mm."""

    angles: int
    flip: bool
    deform: bool
    stiffness: float
    bins: int
    even: bool
    damage: str
    finest: float | None
    grid: float | None
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
    similarity: Any = "information",
) -> Options:
    """Refuse options that cannot be right."""
    rows = (
        ("angles", angles, _whole(angles, 1, 720), "a whole number from 1 to 720"),
        ("bins", bins, _whole(bins, 8, 128), "a whole number from 8 to 128"),
        ("stiffness", stiffness, _positive(stiffness), "a positive number, 1 for what the size suggests"),
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
    )
    for argument, got, fits, wanted in rows:
        if not fits:
            raise InputError(argument, got=repr(got), wanted=wanted, cure="leave it out for the default")
    return Options(
        angles,
        flip,
        deform,
        float(stiffness),
        bins,
        even,
        damage,
        _length(finest, "finest"),
        _length(grid, "grid"),
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
        return read_spatial_image(given, pixel=pixel, argument=argument)
    if isinstance(given, SpatialImage):
        check_values(given.values, argument)
        if pixel is not None:
            raise InputError(
                f"{argument}_pixel", got=pixel, wanted="nothing: the image has a place", cure="leave it out"
            )
        return given
    return SpatialImage.of(given, pixel, argument)


def given_start(start: Any, frame: Frame) -> SpatialMap:
    """Turn a matrix (2, 3) or (3, 3), in mm, fixed to moving, into a map."""
    if isinstance(start, SpatialMap):
        return SpatialMap(start.matrix, start.shift, frame)
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
    return SpatialMap(matrix[:2, :2], matrix[:2, 2], frame)


def read_landmarks(landmarks: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """Turn a pair of arrays (n, 2) in mm into arrays."""
    if landmarks is None:
        return None
    try:
        fixed, moving = (np.asarray(part, dtype=float) for part in landmarks)
    except (TypeError, ValueError):
        fixed = moving = np.zeros((0, 0))
    fits = fixed.ndim == 2 and fixed.shape == moving.shape and fixed.shape[1] == 2 and len(fixed) > 0
    if not fits or not np.all(np.isfinite([fixed, moving])):
        raise InputError(
            "landmarks",
            got=f"shapes {fixed.shape} and {moving.shape}",
            wanted="a pair (fixed, moving) of finite points (n, 2), mm",
            cure="pass one row a pair in both",
        )
    return fixed, moving
