"""An image with its place in space, and how what a caller passes becomes one."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from scalebridge.core.errors import ImageError
from scalebridge.core.units import positive_quantity
from scalebridge.registration.frame import Frame


@dataclass(frozen=True)
class SpatialImage:
    """Samples with their place.

    Args:
        values: x first: (nx, ny), (nx, ny, nz), or colours (nx, ny, 3).
        frame: where they are.
        name: for people.
        remarks: what was assumed while reading.

    Example:
        >>> image = SpatialImage.of(np.zeros((4, 3)), pixel="0.5 mm")
        >>> image.frame.extent.tolist()
        [2.0, 1.5]
    """

    values: np.ndarray
    frame: Frame
    name: str = "array"
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, values: Any, pixel: Any, argument: str = "image") -> "SpatialImage":
        """Give an array a place: the first sample's centre is the origin, axes are x, y (and z).

        Args:
            values: x first.
            pixel: distance of samples with its unit, "0.5 um", or one an axis.
            argument: for errors.

        Raises:
            ImageError: not an image, or no pixel size.
        """
        numbers = check_values(values, argument)
        axes = 2 if numbers.ndim == 2 or numbers.shape[-1] in (3, 4) else 3
        spacing = pixel_lengths(pixel, axes, argument)
        return cls(numbers, Frame(numbers.shape[:axes], (0.0,) * axes, spacing))

    @property
    def axes(self) -> int:
        """Two for a plane, three for a volume."""
        return self.frame.size


def check_values(values: Any, argument: str) -> np.ndarray:
    """Refuse what is no image: text, one row, numbers that are not finite, one value everywhere."""
    try:
        numbers = np.asarray(values)
        if numbers.dtype.kind not in "buif":
            raise TypeError(numbers.dtype)
    except (TypeError, ValueError) as error:
        raise ImageError(
            argument, got=repr(values)[:60], wanted="an array of real numbers", cure="pass grey values or RGB"
        ) from error
    colours = numbers.ndim == 3 and numbers.shape[-1] in (3, 4)
    if numbers.ndim not in (2, 3) or min(numbers.shape[: 2 if colours else None]) < 2:
        raise ImageError(
            argument,
            got=f"shape {numbers.shape}",
            wanted="(nx, ny), (nx, ny, 3) or (nx, ny, nz), x first",
            cure="take one section or one time, and put x first: rows and columns are .T of it",
        )
    check_finite(numbers, argument)
    return numbers


def check_finite(numbers: np.ndarray, argument: str) -> None:
    """Refuse samples that are not finite, as scans have them where a mask was applied."""
    if numbers.dtype.kind == "f" and not np.all(np.isfinite(numbers)):
        raise ImageError(
            argument,
            got=f"{np.sum(~np.isfinite(numbers))} samples that are not finite",
            wanted="finite numbers",
            cure="set them to the background's value and leave them out by a mask",
        )


def pixel_lengths(pixel: Any, axes: int, argument: str) -> tuple[float, ...]:
    """Parse a pixel size into mm along each axis."""
    if pixel is None:
        raise ImageError(
            f"{argument}_pixel",
            got="no pixel size",
            wanted="a length with its unit, such as '0.5 um', or one for each axis",
            cure="say how far apart the samples are: a guess would be wrong by any factor",
        )
    parts = list(pixel) if isinstance(pixel, list | tuple) else str(pixel).split(",")
    lengths = tuple(1e3 * positive_quantity(f"{argument}_pixel", part, "m") for part in parts)
    if len(lengths) not in (1, axes):
        raise ImageError(
            f"{argument}_pixel",
            got=pixel,
            wanted=f"one length or {axes}",
            cure="pass '0.5 um' for square pixels",
        )
    return lengths * axes if len(lengths) == 1 else lengths


def check_mask(mask: Any, image: SpatialImage, argument: str) -> np.ndarray:
    """Turn a mask into weights in 0..1 on the image's own grid, or say what is wrong with it.

    Raises:
        ImageError: another shape or place, a type that is neither boolean, whole nor fraction, values beyond
            0..1, or nothing in it.
    """
    given = mask.values if isinstance(mask, SpatialImage) else np.asarray(mask)
    shape = image.frame.shape
    if isinstance(mask, SpatialImage) and not _same_place(mask.frame, image.frame):
        raise ImageError(
            argument,
            got=f"a mask at {mask.frame}",
            wanted=f"the image's own place, {image.frame}",
            cure="resample the mask onto the image's grid, with nearest samples",
        )
    if given.dtype.kind not in "buif":
        raise ImageError(
            argument,
            got=f"type {given.dtype}",
            wanted="booleans, 0 and 1, or weights in 0..1",
            cure="compare first",
        )
    if given.shape != shape:
        turned = " (the transpose would fit: x comes first)" if given.shape == shape[::-1] else ""
        raise ImageError(
            argument,
            got=f"shape {given.shape}{turned}",
            wanted=f"{shape}, as the image",
            cure="pass one weight a sample",
        )
    weights = given.astype(np.float32)
    if given.dtype.kind in "ui" and set(np.unique(given)) <= {0, 255}:
        weights = weights / 255.0
    if not np.all(np.isfinite(weights)) or weights.min() < 0 or weights.max() > 1:
        raise ImageError(
            argument,
            got=f"values from {weights.min():g} to {weights.max():g}",
            wanted="weights in 0..1; 1 is to be compared, 0 left out",
            cure="pass mask > 0, or labels == the one wanted",
        )
    if float(weights.sum()) < 16:
        raise ImageError(
            argument,
            got="a mask with (almost) nothing in it",
            wanted="16 samples or more",
            cure="is it inverted?",
        )
    return weights


def _same_place(one: Frame, other: Frame) -> bool:
    near = 1e-3 * min(other.spacing)
    return (
        one.shape == other.shape
        and np.allclose(one.origin, other.origin, atol=near)
        and np.allclose(one.matrix, other.matrix, atol=near)
    )
