"""Files in."""

from typing import Any

from scalebridge.registration.spatial_image import SpatialImage


def read_spatial_image(path: Any, *, pixel: Any = None, argument: str = "image") -> SpatialImage:
    raise NotImplementedError
