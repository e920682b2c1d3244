"""Pure functions that make one image out of another, each noted in the new image's source."""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from scalebridge.core.errors import ImageError, PhaseError
from scalebridge.grids.image import VoxelImage, axis_index, slabs


def crop(image: VoxelImage, origin: Sequence[int], size: Sequence[int]) -> VoxelImage:
    """Cut a box out of an image.

    A box that is smaller than the image is no longer periodic; use `mirror` to make it so.

    Args:
        image: the image.
        origin: first voxel of the box along each axis, counted from 0.
        size: number of voxels of the box along each axis.

    Returns:
        the box with the same voxel size and names.

    Raises:
        ImageError: the box does not lie inside the image, or is a single slice of a 3-D image.

    Cost: one copy of the box.

    Example:
        >>> image = VoxelImage(np.arange(12).reshape(3, 4))
        >>> crop(image, (1, 2), (2, 2)).labels.tolist()
        [[6, 7], [10, 11]]
    """
    first = _whole_numbers("origin", origin, image, least=0)
    extent = _whole_numbers("size", size, image, least=1)
    for axis, (start, length, available) in enumerate(zip(first, extent, image.shape, strict=True)):
        if start + length > available:
            raise ImageError(
                "size",
                got=f"voxels {start} to {start + length - 1} along {'xyz'[axis]}",
                wanted=f"a box inside the image, voxels 0 to {available - 1}",
                cure="move the origin or make the box smaller",
            )
    box = tuple(slice(start, start + length) for start, length in zip(first, extent, strict=True))
    step = {"operation": "crop", "origin": first, "size": extent}
    periodic = image.periodic and tuple(extent) == image.shape
    return _derived(image, image.labels[box], step, periodic=periodic)


def mirror(image: VoxelImage, axes: Sequence[int | str] | None = None) -> VoxelImage:
    """Reflect an image at its upper faces, so that it doubles along each of the axes.

    The reflected image repeats itself without a jump along those axes: the usual way to bring a sample that
    is not periodic into a periodic solver. It makes the answer symmetric about the axes: components that
    couple a mirrored axis with another one vanish, whatever the sample is.

    Args:
        image: the image.
        axes: such as "xz" or (0, 2); all axes when None.

    Returns:
        the doubled image. It counts as periodic if all axes were mirrored or the image was periodic before.

    Raises:
        ImageError: an axis that the image does not have, or one named twice.

    Cost: 2, 4 or 8 times the image's memory.

    Example:
        >>> mirror(VoxelImage(np.array([[1, 2, 3]])), "y").labels.tolist()
        [[1, 2, 3, 3, 2, 1]]
    """
    wanted = tuple(range(image.dim)) if axes is None else tuple(axis_index(axis, image.dim) for axis in axes)
    if len(set(wanted)) != len(wanted) or not wanted:
        cure = "name each axis once, or leave axes out to mirror all"
        raise ImageError("axes", got=repr(axes), wanted="different axes", cure=cure)
    labels = image.labels
    for axis in wanted:
        labels = np.concatenate([labels, np.flip(labels, axis)], axis)
    step = {"operation": "mirror", "axes": "".join("xyz"[axis] for axis in wanted)}
    return _derived(image, labels, step, periodic=image.periodic or len(wanted) == image.dim)


def relabel(
    image: VoxelImage, mapping: Mapping[int, int], names: Mapping[int, str] | None = None
) -> VoxelImage:
    """Give phases new labels; several may be given the same one, which merges them.

    All changes happen at once, so {0: 1, 1: 0} swaps two phases. Labels that are not mentioned are kept.

    Args:
        image: the image.
        mapping: new label by old label.
        names: names by new label. Without an entry a phase keeps its name, and a merged phase is called
            by the names of its parts, such as "quartz + feldspar".

    Raises:
        PhaseError: an old label does not occur, or a label is not a whole number.

    Cost: one copy of the labels and a search of each in the list of phases.

    Example:
        >>> relabel(VoxelImage(np.array([[0, 7], [9, 7]])), {7: 1, 9: 1}).labels.tolist()
        [[0, 1], [1, 1]]
    """
    _check_mapping(image, mapping)
    target = {label: int(mapping.get(label, label)) for label in image.phases}
    old, new = np.array(image.phases), np.array(list(target.values()))
    fits = np.result_type(np.min_scalar_type(new.min()), np.min_scalar_type(new.max()))
    labels = np.empty(image.shape, dtype=fits)
    for given, made in zip(slabs(image.labels), slabs(labels), strict=True):
        made[...] = new[np.searchsorted(old, given)]
    called: dict[int, list[str]] = {}
    for label, made_label in target.items():
        if label in image.names:
            called.setdefault(made_label, []).append(image.names[label])
    merged = {label: " + ".join(dict.fromkeys(parts)) for label, parts in called.items()} | dict(names or {})
    step = {"operation": "relabel", "mapping": {int(key): int(to) for key, to in mapping.items()}}
    return _derived(image, labels, step, names=merged)


def coarsen(image: VoxelImage, factor: int | Sequence[int]) -> VoxelImage:
    """Join blocks of voxels into one voxel each, which gets the most frequent label of its block.

    A tie goes to the smaller label. Majority voting changes fractions and closes thin throats: compare
    `fractions` and the percolation before and after.

    Args:
        image: the image.
        factor: block size in voxels, one number or one for each axis.

    Returns:
        the coarse image; its voxels are larger by the factor.

    Raises:
        ImageError: a factor that is not a whole number of at least 1, or does not divide the image.

    Cost: sorts the labels of each block, O(N log(block)); about twice the image's memory.

    Example:
        >>> coarsen(VoxelImage(np.array([[0, 1, 2, 2], [1, 1, 0, 0]])), 2).labels.tolist()
        [[1, 0]]
    """
    factors = _factors(factor, image)
    for axis, (n, block) in enumerate(zip(image.shape, factors, strict=True)):
        if n % block:
            raise ImageError(
                "factor",
                got=f"{block} for {n} voxels along {'xyz'[axis]}",
                wanted="a factor that divides the image",
                cure=f"crop to {n - n % block} voxels along {'xyz'[axis]} first",
            )
    coarse = tuple(n // block for n, block in zip(image.shape, factors, strict=True))
    split = [n for pair in zip(coarse, factors, strict=True) for n in pair]
    blocks_first = [2 * axis for axis in range(image.dim)] + [2 * axis + 1 for axis in range(image.dim)]
    blocks = image.labels.reshape(split).transpose(blocks_first).reshape(*coarse, -1)
    labels = np.concatenate([_majority(slab) for slab in slabs(blocks)])
    voxel = None if image.voxel is None else tuple(map(operator.mul, image.voxel, factors))
    return _derived(image, labels, {"operation": "coarsen", "factor": factors}, voxel=voxel)


def refine(image: VoxelImage, factor: int | Sequence[int]) -> VoxelImage:
    """Divide each voxel into equal smaller ones, which leaves the picture as it is.

    Args:
        image: the image.
        factor: number of parts along each axis, one number or one for each axis.

    Returns:
        the fine image; `coarsen` with the same factor gives the old one back.

    Raises:
        ImageError: a factor that is not a whole number of at least 1.

    Cost: memory grows by the product of the factors.

    Example:
        >>> refine(VoxelImage(np.array([[0, 1]])), (1, 2)).labels.tolist()
        [[0, 0, 1, 1]]
    """
    factors = _factors(factor, image)
    labels = image.labels
    for axis, parts in enumerate(factors):
        labels = np.repeat(labels, parts, axis)
    voxel = None if image.voxel is None else tuple(map(operator.truediv, image.voxel, factors))
    return _derived(image, labels, {"operation": "refine", "factor": factors}, voxel=voxel)


def _majority(blocks: np.ndarray) -> np.ndarray:
    """Return the most frequent value along the last axis, the smallest of them in a tie."""
    values = np.sort(blocks, axis=-1)
    best, longest = values[..., 0].copy(), np.ones(values.shape[:-1], dtype=np.int32)
    run = longest.copy()
    # Equal values stand together after sorting: the longest run wins, and the first of equally long ones.
    for at in range(1, values.shape[-1]):
        run = np.where(values[..., at] == values[..., at - 1], run + 1, 1)
        better = run > longest
        best[better], longest[better] = values[..., at][better], run[better]
    return best


def _derived(image: VoxelImage, labels: np.ndarray, step: dict[str, Any], **changes: Any) -> VoxelImage:
    source = {**image.source, "operations": [*image.source.get("operations", []), step]}
    return replace(image, labels=labels, source=source, **changes)


def _factors(factor: int | Sequence[int], image: VoxelImage) -> list[int]:
    given = (factor,) * image.dim if isinstance(factor, int | np.integer) else factor
    return _whole_numbers("factor", given, image, least=1)


def _whole_numbers(argument: str, given: Any, image: VoxelImage, least: int) -> list[int]:
    try:
        numbers = [operator.index(n) for n in given]
    except TypeError:
        numbers = []
    if len(numbers) != image.dim or min(numbers) < least:
        raise ImageError(
            argument,
            got=repr(given),
            wanted=f"{image.dim} whole numbers of at least {least}",
            cure=f"give one number for each axis of the image of shape {image.shape}",
        )
    return numbers


def _check_mapping(image: VoxelImage, mapping: Mapping[int, int]) -> None:
    phases = ", ".join(map(str, image.phases[:12]))
    for old, new in mapping.items():
        if not all(isinstance(label, int | np.integer) for label in (old, new)):
            cure = "write for example {2: 1}"
            raise PhaseError("mapping", got=f"{old!r}: {new!r}", wanted="whole numbers as labels", cure=cure)
        if old not in image.counts:
            cure = f"leave it out, or choose among {phases}"
            raise PhaseError("mapping", got=f"the old label {old}", wanted="a label of the image", cure=cure)
