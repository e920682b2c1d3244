"""Images as people pass them, turned into a VoxelImage: a path, an array, or the image itself."""

import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scalebridge.core.errors import ImageError, InputError
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.thresholds import otsu_threshold, threshold
from scalebridge.io.read import read_volume
from scalebridge.io.spacing import parse_voxel

_MOST_LABELS = 256  # more distinct values than this in a file are taken for grey values
SHAPE_ONLY = "cubic"
_NAMES = {"labels": "image", "grey": "image", "at": "threshold"}

Threshold = float | Sequence[float] | str | None


def as_image(
    image: VoxelImage | np.ndarray | str | os.PathLike[str],
    *,
    voxel: str | Sequence[str] | None = None,
    threshold_at: Threshold = None,
    read_options: dict[str, Any] | None = None,
) -> VoxelImage:
    """Turn what a caller passes into a segmented image.

    Args:
        image: a VoxelImage, an integer array with axes (x, y) or (x, y, z), or a path that
            `scalebridge.io.read_volume` reads.
        voxel: edge length of a voxel with its unit, or one an axis; it overrules the file. "cubic" says
            that only the shape matters.
        threshold_at: for grey images, the threshold or thresholds, or "otsu".
        read_options: further arguments for `read_volume`.

    Returns:
        the image. A file or an array is taken as not periodic.

    Raises:
        ImageError: the array is no image, or grey values came without a threshold.
        InputError: an argument that does not belong to what came.
    """
    if read_options and not isinstance(image, str | os.PathLike):
        raise InputError(
            "read_options",
            got=f"{read_options!r} with an image that is not a file",
            wanted="options of reading with a path",
            cure="leave read_options out",
        )
    try:
        return _as_image(image, voxel, threshold_at, read_options or {})
    except ImageError as error:  # the parts have their own names for what the caller passed
        name = _NAMES.get(error.argument, error.argument)
        raise type(error)(name, got=error.got, wanted=error.wanted, cure=error.cure) from error


def _as_image(image: Any, voxel: Any, threshold_at: Threshold, read_options: dict[str, Any]) -> VoxelImage:
    if isinstance(image, VoxelImage):
        if threshold_at is not None:
            raise InputError(
                "threshold",
                got=repr(threshold_at),
                wanted="none with a segmented image",
                cure="pass the grey image",
            )
        return image if voxel is None else _with_voxel(image, voxel)
    if isinstance(image, str | os.PathLike):
        given = None if voxel == SHAPE_ONLY else voxel
        _refuse_unknown_options(read_options)
        volume = read_volume(Path(image), voxel=given, **read_options)
        return _segment(volume.data, volume.voxel, threshold_at, volume.source)
    array = np.asarray(image)
    size = None if voxel is None or voxel == SHAPE_ONLY else parse_voxel(voxel, array.ndim)
    return _segment(array, size, threshold_at, {})


def _refuse_unknown_options(given: dict[str, Any]) -> None:
    known = set(inspect.signature(read_volume).parameters) - {"path", "voxel"}
    unknown = sorted(set(given) - known)
    if unknown:
        raise InputError(
            "read_options",
            got=repr(unknown[0]),
            wanted=f"options among {sorted(known)}",
            cure="correct its name",
        )


def _with_voxel(image: VoxelImage, voxel: str | Sequence[str]) -> VoxelImage:
    size = None if voxel == SHAPE_ONLY else parse_voxel(voxel, image.dim)
    return VoxelImage(image.labels, size, dict(image.names), image.periodic, dict(image.source))


def _segment(data: np.ndarray, voxel: Any, at: Threshold, source: dict[str, Any]) -> VoxelImage:
    if at is not None:
        levels = otsu_threshold(data) if at == "otsu" else _numbers(at)
        found = threshold(data, levels, voxel=voxel)
        return VoxelImage(found.labels, voxel, periodic=False, source={**source, **found.source})
    image = VoxelImage(data, voxel, periodic=False, source=source)
    if len(image.phases) > _MOST_LABELS:
        raise ImageError(
            "image",
            got=f"{len(image.phases)} different values, which look like grey values",
            wanted=f"at most {_MOST_LABELS} labels",
            cure="pass threshold=..., or threshold='otsu'",
        )
    return image


def _numbers(at: Threshold) -> Any:
    if isinstance(at, str):
        raise InputError(
            "threshold", got=repr(at), wanted="a number, numbers, or 'otsu'", cure="pass threshold=84"
        )
    return at
