"""Images as people pass them, turned into a VoxelImage: a path, an array, or the image itself."""

import inspect
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from scalebridge.core.errors import ImageError, InputError
from scalebridge.grids.composite import CompositeImage
from scalebridge.grids.composite_images import composite_from_grey
from scalebridge.grids.image import VoxelImage
from scalebridge.grids.thresholds import otsu_threshold, threshold
from scalebridge.io.read import read_volume
from scalebridge.io.spacing import parse_voxel

_MOST_LABELS = 256  # more distinct values than this in a file are taken for grey values
SHAPE_ONLY = "cubic"
_NOISE = 0.25  # of the difference between two grey levels: nearer to a level than this counts as pure
_NAMES = {"labels": "image", "grey": "image", "at": "threshold"}

Threshold = float | Sequence[float] | str | Mapping[str, Any] | None
Interfaces = Literal["sharp", "composite"]
AnyImage = VoxelImage | CompositeImage


@dataclass(frozen=True)
class Segmentation:
    """Where a segmented image came from: its grey values, the thresholds, and how well they are known.

    Args:
        grey: the grey values.
        levels: the thresholds, rising; label n lies between threshold n - 1 and n.
        std: standard deviation of every threshold, 0 if none was given.
    """

    grey: np.ndarray
    levels: tuple[float, ...]
    std: float


@dataclass(frozen=True)
class Given:
    """What a caller passed as an image.

    Args:
        image: the image to solve on.
        segmentation: its origin, if it was segmented here.
    """

    image: AnyImage
    segmentation: Segmentation | None = None


def as_given(
    image: AnyImage | np.ndarray | str | os.PathLike[str],
    *,
    voxel: str | Sequence[str] | None = None,
    threshold_at: Threshold = None,
    interfaces: Interfaces = "sharp",
    read_options: dict[str, Any] | None = None,
) -> Given:
    """Turn what a caller passes into an image to solve on, with its origin.

    Args:
        image: a VoxelImage or CompositeImage, an integer array with axes (x, y) or (x, y, z), or a path that
            `scalebridge.io.read_volume` reads.
        voxel: edge length of a voxel with its unit, or one an axis; it overrules the file. "cubic" says
            that only the shape matters.
        threshold_at: for grey images, the threshold or thresholds, "otsu", or a table with `value` (any of
            these) and `std`, the standard deviation of the threshold.
        interfaces: "sharp", or "composite" to let grey values between those of the two phases tell the
            share of each in a voxel.
        read_options: further arguments for `read_volume`.

    Returns:
        the image and its segmentation. A file or an array is taken as not periodic.

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
        return _as_given(image, voxel, threshold_at, interfaces, read_options or {})
    except ImageError as error:  # the parts have their own names for what the caller passed
        name = _NAMES.get(error.argument, error.argument)
        raise type(error)(name, got=error.got, wanted=error.wanted, cure=error.cure) from error


def as_image(
    image: VoxelImage | np.ndarray | str | os.PathLike[str],
    *,
    voxel: str | Sequence[str] | None = None,
    threshold_at: Threshold = None,
    read_options: dict[str, Any] | None = None,
) -> VoxelImage:
    """Turn what a caller passes into a segmented image; as `as_given`, without composite voxels."""
    found = as_given(image, voxel=voxel, threshold_at=threshold_at, read_options=read_options).image
    return found.majority if isinstance(found, CompositeImage) else found


def _as_given(
    image: Any, voxel: Any, threshold_at: Threshold, interfaces: str, read_options: dict[str, Any]
) -> Given:
    if isinstance(image, VoxelImage | CompositeImage):
        if threshold_at is not None or interfaces != "sharp":
            name = "interfaces" if threshold_at is None else "threshold"
            raise InputError(
                name,
                got=repr(interfaces if threshold_at is None else threshold_at),
                wanted="none with a segmented image",
                cure="pass the grey image"
                if threshold_at is not None
                else "make composite voxels with composite_from_labels, or pass the grey image",
            )
        if voxel is None or isinstance(image, CompositeImage):
            return Given(image)
        return Given(_with_voxel(image, voxel))
    if isinstance(image, str | os.PathLike):
        given = None if voxel == SHAPE_ONLY else voxel
        _refuse_unknown_options(read_options)
        volume = read_volume(Path(image), voxel=given, **read_options)
        return _segment(volume.data, volume.voxel, threshold_at, interfaces, volume.source)
    array = np.asarray(image)
    size = None if voxel is None or voxel == SHAPE_ONLY else parse_voxel(voxel, array.ndim)
    return _segment(array, size, threshold_at, interfaces, {})


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


def _segment(data: np.ndarray, voxel: Any, at: Threshold, interfaces: str, source: dict[str, Any]) -> Given:
    if at is not None:
        wanted, std = _wanted_threshold(at)
        levels = otsu_threshold(data) if wanted == "otsu" else _numbers(wanted)
        found = threshold(data, levels, voxel=voxel)
        image = VoxelImage(found.labels, voxel, periodic=False, source={**source, **found.source})
        origin = Segmentation(data, tuple(np.atleast_1d(levels).astype(float).tolist()), std)
        if interfaces == "composite":
            return Given(_composite(data, image, origin), origin)
        return Given(image, origin)
    if interfaces != "sharp":
        raise InputError(
            "interfaces",
            got=f"{interfaces!r} without a threshold",
            wanted="'sharp', or a grey image with one threshold",
            cure="pass threshold=..., or make composite voxels with composite_from_labels",
        )
    image = VoxelImage(data, voxel, periodic=False, source=source)
    if len(image.phases) > _MOST_LABELS:
        raise ImageError(
            "image",
            got=f"{len(image.phases)} different values, which look like grey values",
            wanted=f"at most {_MOST_LABELS} labels",
            cure="pass threshold=..., or threshold='otsu'",
        )
    return Given(image)


def _composite(grey: np.ndarray, image: VoxelImage, origin: Segmentation) -> CompositeImage:
    """Shares from grey values, each phase's pure level being the median of its voxels."""
    if len(origin.levels) != 1 or len(image.phases) != 2:
        raise InputError(
            "interfaces",
            got=f"'composite' with {len(origin.levels)} thresholds and {len(image.phases)} phases",
            wanted="one threshold that separates two phases",
            cure="pass interfaces='sharp', or build a CompositeImage from shares of your own",
        )
    levels = {label: float(np.median(grey[image.labels == label])) for label in image.phases}
    return composite_from_grey(grey, levels, voxel=image.voxel, periodic=False, tolerance=_NOISE)


def _wanted_threshold(at: Any) -> tuple[Any, float]:
    """Split a threshold from its standard deviation."""
    if not isinstance(at, Mapping):
        return at, 0.0
    std = at.get("std", 0.0)
    known = set(at) <= {"value", "std"} and "value" in at
    if not known or isinstance(std, bool) or not isinstance(std, int | float) or not 0 <= std < np.inf:
        raise InputError(
            "threshold",
            got=repr(dict(at)),
            wanted="a table with value, and std as a number that is not negative",
            cure="write {'value': 84, 'std': 2}, or {'value': 'otsu', 'std': 2}",
        )
    return at["value"], float(std)


def _numbers(at: Any) -> Any:
    if isinstance(at, str):
        raise InputError(
            "threshold", got=repr(at), wanted="a number, numbers, or 'otsu'", cure="pass threshold=84"
        )
    return at
