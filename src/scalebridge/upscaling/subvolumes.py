"""Subvolumes of an image: boxes that do not overlap, so that they can be taken as independent."""

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from scalebridge.core.errors import InputError

_PARTS = (2, 3, 5, 8)  # boxes along the shortest edge: steps of about 1.6 in length
_SMALLEST = 8  # voxels along an edge of a default box
_HANDFUL = 4  # boxes below which a spread is hardly one
_PRIMES = (2, 3, 5, 7)  # lengths without other factors are quick to transform

Size = tuple[int, ...]


def default_sizes(shape: Sequence[int]) -> list[Size]:
    """Return cubes (squares) of a half, a third, a fifth and an eighth of the shortest edge, small first.

    Each is shortened to the next length that is quick to transform; boxes of fewer than 8 voxels along an
    edge are left out, as are sizes of which the image does not hold four.

    Args:
        shape: voxels of the image along each axis.

    Raises:
        InputError: the image is too small for two such sizes.

    Example:
        >>> default_sizes((128, 128, 128))
        [(16, 16, 16), (25, 25, 25), (42, 42, 42), (64, 64, 64)]
    """
    lengths = sorted({_quick(min(shape) // parts) for parts in _PARTS})
    sizes = [(length,) * len(shape) for length in lengths if length >= _SMALLEST]
    sizes = [size for size in sizes if box_count(shape, size) >= _HANDFUL]
    if len(sizes) < 2:
        raise InputError(
            "image",
            got=f"{' x '.join(map(str, shape))} voxels",
            wanted=f"two sizes of subvolumes of at least {_SMALLEST} voxels along an edge, "
            f"{_HANDFUL} boxes of each",
            cure="pass a larger image, or sizes=[...] in voxels",
        )
    return sizes


def checked_sizes(sizes: Any, shape: Sequence[int]) -> list[Size]:
    """Return sizes as boxes in rising order of volume, or refuse them.

    Args:
        sizes: for each an edge in voxels, or one number an axis.
        shape: voxels of the image along each axis.

    Raises:
        InputError: not sizes, or one that does not fit twice into the image.
    """
    found = {_as_box(size, len(shape)) for size in _listed(sizes)}
    for size in found:
        if box_count(shape, size) < 2:
            raise InputError(
                "sizes",
                got=f"{' x '.join(map(str, size))} voxels",
                wanted=f"subvolumes that fit at least twice into {' x '.join(map(str, shape))} voxels",
                cure="make it smaller; a spread needs two boxes at least, and deserves more",
            )
    if not found:
        raise InputError("sizes", got="none", wanted="at least one size", cure="pass for example [16, 32]")
    return sorted(found, key=lambda size: (math.prod(size), size))


def box_count(shape: Sequence[int], size: Size) -> int:
    """Return how many boxes of a size lie side by side in an image."""
    return math.prod(n // edge for n, edge in zip(shape, size, strict=True))


def choose_boxes(shape: Sequence[int], size: Size, most: int, rng: np.random.Generator) -> np.ndarray:
    """Return the first voxels of boxes that do not overlap, shape (boxes, dim), in the order of the image.

    The image is cut into boxes side by side, with what is left over half on either side; where there are more
    than wanted, some are drawn at random.

    Args:
        shape: voxels of the image along each axis.
        size: voxels of a box along each axis.
        most: how many are wanted at most.
        rng: for the draw.

    Example:
        >>> choose_boxes((9, 4), (4, 4), 10, np.random.default_rng(0)).tolist()
        [[0, 0], [4, 0]]
    """
    counts = [n // edge for n, edge in zip(shape, size, strict=True)]
    starts = [
        (n - count * edge) // 2 + edge * np.arange(count)
        for n, count, edge in zip(shape, counts, size, strict=True)
    ]
    grid = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, len(size))
    if len(grid) <= most:
        return grid
    return grid[np.sort(rng.choice(len(grid), most, replace=False))]


def overlaps(first: np.ndarray, first_size: Size, second: np.ndarray, second_size: Size) -> np.ndarray:
    """Return the volume that each box of one kind shares with each of another, in voxels.

    Args:
        first: first voxels of boxes, (n, dim).
        first_size: their edges.
        second: first voxels of other boxes, (m, dim).
        second_size: their edges.

    Returns:
        (n, m).
    """
    shared = np.ones((len(first), len(second)))
    for axis, (a, b) in enumerate(zip(first_size, second_size, strict=True)):
        low = np.maximum(first[:, None, axis], second[None, :, axis])
        high = np.minimum(first[:, None, axis] + a, second[None, :, axis] + b)
        shared *= np.maximum(high - low, 0)
    return shared


def _quick(length: int) -> int:
    """Return the longest length up to this one whose only prime factors are 2, 3, 5 and 7."""
    while length > 1:
        rest = length
        for prime in _PRIMES:
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length -= 1
    return length


def _listed(sizes: Any) -> list[Any]:
    if isinstance(sizes, str) or not hasattr(sizes, "__iter__"):
        raise _refused(sizes)
    return list(sizes)


def _as_box(size: Any, dim: int) -> Size:
    least = 2 if dim == 3 else 1
    try:
        box = (
            (operator.index(size),) * dim
            if not hasattr(size, "__iter__")
            else tuple(map(operator.index, size))
        )
    except TypeError as error:
        raise _refused(size) from error
    if len(box) != dim or min(box) < least:
        raise _refused(size)
    return box


def _refused(got: Any) -> InputError:
    return InputError(
        "sizes",
        got=repr(got),
        wanted="a list of edges in voxels, each a whole number or one number an axis",
        cure="pass for example [16, 32, 64]",
    )
